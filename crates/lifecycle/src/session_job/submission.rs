//! Submitting a job: its id is recorded first, then Flink is told, then it is recorded as deployed.

use api::{JobState, JobStatusState, Operation, OperationKind, ReconciliationState, UpgradeMode};

use super::Pass;
use super::python::is_python;
use crate::effect::{Effect, JobSubmission};
use crate::event::{Component, EventRecord, Reason};
use crate::job::identity::{self, Purpose};
use crate::job::newest_state::Source;
use crate::job::upgrade::KnownState;

impl Pass<'_> {
    /// The first submission. A spec that wants nothing to run is not even recorded.
    pub(super) fn submit_first(&mut self) {
        if self.wants_suspended() {
            self.hold("Suspended", "job.state is suspended: nothing is submitted until it is running.");
            return;
        }
        if !self.cluster_takes_jobs() {
            return;
        }
        self.submit(self.first_source(), None);
    }

    fn first_source(&self) -> Source {
        let path = self.wanted_job().and_then(|job| job.initial_savepoint_path.clone());
        match path.filter(|path| !path.trim().is_empty()) {
            Some(path) => Source::path(Some(path)),
            None => Source::empty(),
        }
    }

    /// The arm of a job that has ended and whose state, if any, is recorded.
    pub(super) fn submit_next(&mut self) {
        self.take_the_spec_of_a_rollback();
        if self.wants_suspended() {
            self.record_suspended(self.recorded_mode());
            return;
        }
        if !self.cluster_takes_jobs() {
            return;
        }
        let Some(source) = self.source_of_state() else { return };
        self.submit(source, None);
    }

    /// What the next job starts from, the last one having ended; an error is already recorded when there is no answer.
    fn source_of_state(&mut self) -> Option<Source> {
        if let Some(path) = self.redeploy_path() {
            return Some(Source::path(Some(path)));
        }
        if self.wanted_mode() == UpgradeMode::Stateless && !self.redeploys() {
            return Some(Source::empty());
        }
        if self.known_state() == KnownState::OnlyInHaMetadata {
            self.ask_for_manual_restore(Reason::RestoreFailed);
            return None;
        }
        Some(Source::path(self.known_path()))
    }

    /// Records a job, and submits it. An id that Flink has never seen is used again: it refuses to run two jobs of the
    /// same id, whoever submits them.
    fn submit(&mut self, source: Source, unused_id: Option<String>) {
        let mut spec = self.spec.clone();
        if let Some(job) = &mut spec.job {
            let stateless = job.upgrade_mode_or_default() == UpgradeMode::Stateless && self.last.is_some();
            job.upgrade_mode =
                Some(if stateless { UpgradeMode::Stateless } else { source.restore.upgrade_mode() });
        }
        if self.reconciliation_state() == ReconciliationState::RollingBack {
            self.record_rolling_back(source.restore.upgrade_mode());
        } else {
            self.record_job_spec(spec, ReconciliationState::Upgrading, JobState::Suspended);
        }
        let job_id =
            unused_id.unwrap_or_else(|| identity::new(Purpose::Job, self.uid, self.generation, self.now()));
        self.begin(Operation {
            kind: Some(OperationKind::Deploying),
            attempt: Some(job_id.clone()),
            job_id: Some(job_id.clone()),
            generation: Some(self.generation),
            restore_path: source.path.clone(),
            ..Operation::default()
        });
        let job = self.job();
        job.job_id = Some(job_id);
        job.state = Some(JobStatusState::Reconciling);
        // Without one it is known that the job started from empty: what was before is not its state.
        if source.path.is_none()
            && let Some(info) = &mut job.savepoint_info
        {
            info.last_savepoint = None;
        }
        job.upgrade_savepoint_path = source.path;
        self.event(EventRecord::normal(Reason::Submit, Component::Job, "Starting deployment"));
        self.tell_flink();
    }

    /// Submits the recorded job.
    fn tell_flink(&mut self) {
        let Some(spec) = self.deployed_spec() else { return };
        let (Some(job), Some(job_id)) = (spec.job.clone(), self.job_id().map(str::to_owned)) else { return };
        let configuration = match self.job_configuration(&spec) {
            Ok(configuration) => configuration,
            Err(error) => {
                self.refuse(Reason::ValidationError, &error.to_string());
                return;
            }
        };
        self.effects.push(Effect::SubmitJob(Box::new(JobSubmission {
            cluster: self.rest_api(),
            job_id,
            jar_uri: job.jar_uri.clone(),
            configuration,
            entry_class: job.entry_class.clone(),
            args: job.args.clone().unwrap_or_default(),
            parallelism: u32::try_from(job.parallelism_or_default()).ok().filter(|number| *number > 0),
            savepoint_path: self.recorded_path(),
            allow_non_restored_state: job.allow_non_restored_state,
            runs_alone: is_python(&job),
            flink_version: self.cluster_version(),
            time_limit: self.settings.job_submission_timeout,
        })));
        self.again_at_once();
    }

    /// Whether Flink knows the recorded job.
    pub(super) fn job_is_known_to_flink(&self) -> bool {
        let Some(job_id) = self.job_id() else { return false };
        self.observed.submitted_job.as_deref() == Some(job_id)
            || self.answer().is_some_and(|answer| answer.jobs.iter().any(|job| job.job_id == job_id))
    }

    /// Whether Flink was asked since the submission began, and knows nothing of it.
    pub(super) fn job_is_unknown_to_flink(&self) -> bool {
        let begun = self.operation().start_timestamp.unwrap_or_default();
        let Some(job_id) = self.job_id() else { return false };
        self.answer()
            .is_some_and(|answer| answer.at.as_millisecond() >= begun && answer.absent.contains_key(job_id))
    }

    /// Records the job as deployed when Flink knows it. Returns whether it does.
    pub(super) fn confirms_submission(&mut self) -> bool {
        if !self.job_is_known_to_flink() {
            return false;
        }
        self.status.operation = None;
        self.status.error = None;
        match self.reconciliation_state() {
            ReconciliationState::RollingBack => {
                self.reconciliation().state = Some(ReconciliationState::RolledBack);
            }
            ReconciliationState::Upgrading => {
                if let Some(last) = &self.last {
                    let spec = last.spec.clone();
                    let newest = self.generation;
                    self.generation = self.status.observed_generation.unwrap_or(newest);
                    self.record_job_spec(spec, ReconciliationState::Deployed, JobState::Running);
                    self.generation = newest;
                }
                if self.is_redeployment() {
                    self.mark_stable();
                }
            }
            ReconciliationState::Deployed | ReconciliationState::RolledBack => {}
        }
        self.again_at_once();
        true
    }

    /// A new `savepointRedeployNonce` asked for it: the user has chosen the state, so there is nothing to roll back to.
    fn is_redeployment(&self) -> bool {
        let stable = self.last_stable().and_then(|stable| stable.spec.job);
        let last = self.recorded_job().and_then(|job| job.savepoint_redeploy_nonce);
        stable.is_some_and(|stable| last.is_some() && stable.savepoint_redeploy_nonce != last)
    }

    /// A submission of which nobody knows whether it has arrived: asks, and submits again what Flink does not know.
    pub(super) fn repeat_submission(&mut self) {
        if !self.job_is_unknown_to_flink() {
            if !self.cluster_takes_jobs() {
                self.withdraw_when_cluster_is_gone();
            }
            return;
        }
        if !self.cluster_takes_jobs() {
            self.withdraw_submission();
            return;
        }
        let newer = self.operation().generation.is_some_and(|generation| generation < self.generation);
        if newer {
            self.start_over();
        } else {
            self.tell_flink();
        }
    }

    /// The job was never submitted and the spec has changed: the same state, for another job.
    fn start_over(&mut self) {
        let unused_id = self.job_id().map(str::to_owned);
        if self.wants_suspended() {
            self.withdraw_submission();
            return;
        }
        let first = self.last_stable().is_none()
            && self
                .last
                .as_ref()
                .and_then(|last| last.metadata.as_ref())
                .is_some_and(|metadata| metadata.first_deployment);
        let source = if first {
            self.last = None;
            self.reconciliation().last_reconciled_spec = None;
            Some(self.first_source())
        } else {
            self.take_the_spec_of_a_rollback();
            self.source_of_state()
        };
        if let Some(source) = source {
            self.submit(source, unused_id);
        }
    }

    /// The recorded job was never submitted, and is not to be now. What it was to start from stays recorded.
    fn withdraw_submission(&mut self) {
        self.status.operation = None;
        self.mark_job_ended();
        self.again_at_once();
    }

    fn withdraw_when_cluster_is_gone(&mut self) {
        if self.cluster_is_gone() {
            self.withdraw_submission();
        }
    }
}
