//! A submitted job whose spec changes, or stays the same.

use api::{
    JobManagerDeploymentStatus as Jm, JobState, JobStatusState, ReconciliationState, RetryKind, UpgradeMode,
};

use super::Pass;
use super::cluster::Cluster;
use crate::diff::DiffType;
use crate::event::{Component, EventRecord, Reason};
use crate::job::change::waiting_for;
use crate::job::newest_state::LAST_STATE_MARKER;
use crate::job::pass::Sight;
use crate::job::resource::JobResource;
use crate::job::upgrade::{self, KnownState, Plan, Restore, Stop, UpgradeInput};

impl Pass<'_> {
    /// The arm of a job that was submitted.
    pub(super) fn keep_or_change(&mut self) {
        if self.sight == Sight::Ending {
            // How far the job came is known in a moment, and decides what can be done.
            self.look_again(self.settings.progress_check_interval);
            return;
        }
        self.follow_rescaling();
        if let Cluster::Stopping(_) = self.cluster() {
            if !self.waits_for_pending_savepoint() {
                self.stop_for_cluster();
            }
            return;
        }
        let Some(recorded) = self.last.as_ref().map(|last| last.spec.clone()) else { return };
        let change = api::FlinkSessionJob::diff(self, &recorded, &self.spec);
        if change.kind == DiffType::Ignore {
            if !self.roll_back_if_due() {
                self.acknowledge_generation();
                self.keep_running();
            }
            return;
        }
        if self.is_back_to_stable_spec() {
            self.record_job_spec(self.spec.clone(), ReconciliationState::Deployed, JobState::Running);
            self.again_at_once();
            return;
        }
        if self.waits_for_pending_savepoint() {
            return;
        }
        if self.job_ended() || self.cluster_takes_jobs() {
            self.tell_change(&change);
            if !self.rescale_job(&change) {
                self.change_job(change.kind);
            }
        }
    }

    /// Nothing to do to the job for this generation: says so.
    fn acknowledge_generation(&mut self) {
        self.status.observed_generation = Some(self.generation);
    }

    fn change_job(&mut self, kind: DiffType) {
        if kind == DiffType::SavepointRedeploy {
            self.redeploy_from_initial_savepoint();
            return;
        }
        let input = self.upgrade_input(self.wanted_mode());
        self.stop_as_planned(&input);
    }

    fn stop_as_planned(&mut self, input: &UpgradeInput) {
        match upgrade::plan_session_job(input) {
            Plan::Go(Stop::Savepoint, _) if self.waits_before_next_savepoint() => self.keep_running(),
            Plan::Go(Stop::Cancel, _) if self.is_recovering() => self.waits(input),
            // A job that nobody knows any more has ended.
            Plan::Go(Stop::Stateless, restore) if self.sight == Sight::Lost => {
                self.stop_job(Stop::Nothing, restore);
            }
            Plan::Go(stop, restore) => self.stop_job(stop, restore),
            Plan::Wait { .. } | Plan::DeleteNeverStarted => self.waits(input),
            Plan::ManualRestore => self.ask_for_manual_restore(Reason::UpgradeFailed),
        }
    }

    fn waits(&mut self, input: &UpgradeInput) {
        self.hold("WaitingForJob", waiting_for(input));
        self.keep_running();
    }

    /// A job that ran before and is being initialised again by another JobManager. Cancelled now, it would end without
    /// telling which checkpoint it was about to go on from.
    fn is_recovering(&self) -> bool {
        self.job_state() == Some(JobStatusState::Initializing) && self.is_stable()
    }

    fn upgrade_input(&self, mode: UpgradeMode) -> UpgradeInput {
        let running = api::FlinkSessionJob::configuration(self);
        let ready = self.cluster_answers();
        UpgradeInput {
            mode,
            job: self.job_state(),
            job_manager: if ready { Jm::Ready } else { Jm::DeployedNotReady },
            job_lost: self.sight == Sight::Lost,
            ha_metadata: false,
            ha_elsewhere: false,
            ha_kept: false,
            version_changes: false,
            savepoint_directory: running.as_ref().and_then(flink_conf::savepoint_directory).is_some(),
            last_state_fallback: self.settings.last_state_fallback,
            last_state_cancel: self.settings.last_state_job_cancel,
            known_state: self.known_state(),
            checkpoint_age: self.checkpoint_age(),
            never_started: false,
        }
    }

    // ---- the cluster is about to go -----------------------------------------------------------------------------

    /// The cluster waits until its jobs have stopped with their state; they come back on the next one.
    fn stop_for_cluster(&mut self) {
        self.hold(
            "ClusterNotReady",
            format!(
                "The session cluster {} is about to be replaced, and the job stops with its state until it is.",
                self.cluster_name()
            ),
        );
        if self.job_ended() {
            return;
        }
        let input = self.upgrade_input(self.wanted_mode());
        self.stop_as_planned(&input);
    }

    // ---- nothing has changed ------------------------------------------------------------------------------------

    fn keep_running(&mut self) {
        if self.restarts_failed_job() {
            return;
        }
        if self.sight == Sight::Lost || self.cluster_is_gone() && !self.job_ended() {
            self.job_is_lost();
        } else if self.job_state() == Some(JobStatusState::Reconciling) && self.hold.is_none() {
            // Says what is waited for while nobody can see the job.
            self.cluster_takes_jobs();
        } else {
            self.look_after_snapshots();
        }
    }

    /// A job without state is submitted again. Of another one nobody knows how far it came: its user has to say what it
    /// goes on from.
    fn job_is_lost(&mut self) {
        if self.wanted_mode() == UpgradeMode::Stateless && self.deployed_job_runs() {
            self.record_stopped(UpgradeMode::Stateless);
            return;
        }
        let newest = self.observed.flink.answer.as_ref().and_then(|answer| {
            let checkpoints = answer.checkpoints.as_ref()?;
            let ours = Some(checkpoints.job_id.as_str()) == self.job_id();
            checkpoints.newest().filter(|_| ours).map(|newest| newest.external_path.clone())
        });
        let known = newest.or_else(|| self.known_path()).map_or_else(String::new, |path| {
            format!(" The newest state that is known by path is {path}; there may be a newer one beside it.")
        });
        self.hold(
            "JobNotFound",
            format!(
                "The session cluster {} does not know the job any more: its JobManager was restarted or replaced. Nobody \
                 has seen how far the job came.{known} Remedy: set spec.job.initialSavepointPath with a new \
                 spec.job.savepointRedeployNonce; or upgradeMode stateless to start from empty. With \
                 high-availability.type on the cluster, jobs survive that.",
                self.cluster_name()
            ),
        );
    }

    /// Submits a job again that failed, if that is wanted: at once, and later and later while it goes on failing.
    fn restarts_failed_job(&mut self) -> bool {
        if self.job_state() != Some(JobStatusState::Failed)
            || !self.settings.restart_failed_jobs
            || !self.deployed_job_runs()
            || self.restarts_are_used_up()
        {
            return false;
        }
        let stateless = self.wanted_mode() == UpgradeMode::Stateless;
        if !stateless && self.known_state() == KnownState::OnlyInHaMetadata {
            self.hold(
                "ManualRestoreRequired",
                "The job has failed and its newest state is not known by path, so it is not restarted by itself. Remedy: \
                 set spec.job.initialSavepointPath with a new spec.job.savepointRedeployNonce, or upgradeMode stateless.",
            );
            return false;
        }
        if let Some(left) = self.wait_before(RetryKind::RestartJob) {
            self.look_again(left);
            return true;
        }
        self.count_failure(RetryKind::RestartJob);
        self.record_stopped(if stateless { UpgradeMode::Stateless } else { UpgradeMode::Savepoint });
        true
    }

    // ---- rollback -----------------------------------------------------------------------------------------------

    /// Starts a rollback if the recorded spec had its time. Returns whether it did.
    fn roll_back_if_due(&mut self) -> bool {
        if self.reconciliation_state() != ReconciliationState::Deployed || !self.rollback_is_due() {
            return false;
        }
        let mode = match self.recorded_mode() {
            UpgradeMode::Stateless => UpgradeMode::Stateless,
            UpgradeMode::Savepoint | UpgradeMode::LastState => UpgradeMode::LastState,
        };
        let Plan::Go(stop, restore) = upgrade::plan_session_job(&self.upgrade_input(mode)) else {
            return false;
        };
        let Some(stable) = self.last_stable() else { return false };
        self.spec = stable.spec;
        self.begin_rollback();
        self.stop_job(stop, restore);
        true
    }

    /// A spec that Flink does not even accept is rolled back as well: what it was to start from is recorded.
    pub(super) fn roll_back_submission_if_due(&mut self) {
        let due = self.reconciliation_state() == ReconciliationState::Upgrading
            && self.rollback_is_due()
            && self.job_is_unknown_to_flink();
        if !due {
            return;
        }
        self.begin_rollback();
        self.hold = None;
        let mode = self.recorded_mode();
        self.status.operation = None;
        self.mark_job_ended();
        self.change_recorded_job(|job| job.state = Some(JobState::Running));
        self.record_rolling_back(mode);
        self.again_at_once();
    }

    fn begin_rollback(&mut self) {
        self.reconciliation().state = Some(ReconciliationState::RollingBack);
        let message = "Rolling back failed deployment.";
        self.event(EventRecord::normal(Reason::Rollback, Component::JobManagerDeployment, message));
    }

    fn rollback_is_due(&self) -> bool {
        if !self.settings.rollback_enabled || self.is_stable() {
            return false;
        }
        let Some(stable) = self.last_stable() else { return false };
        let stable_runs =
            stable.spec.job.as_ref().is_some_and(|job| job.state_or_default() == JobState::Running);
        // Nobody has looked: the operator was away, or the cluster is.
        let seen = self.answer().is_some();
        let readiness = i64::try_from(self.settings.readiness_timeout.as_millis()).unwrap_or(i64::MAX);
        let recorded = self.recorded_at().unwrap_or_default();
        stable_runs && seen && self.now().as_millisecond() > recorded.saturating_add(readiness)
    }

    // ---- suspension ---------------------------------------------------------------------------------------------

    /// The arm of a suspended job. Edits are applied when it resumes.
    pub(super) fn stay_suspended_or_resume(&mut self) {
        if self.wants_suspended() {
            self.acknowledge_generation();
            // What went wrong on the way here does not matter any more.
            self.status.error = None;
            return;
        }
        let Some(recorded) = self.last.as_ref().map(|last| last.spec.clone()) else { return };
        if !self.cluster_takes_jobs() {
            return;
        }
        let change = api::FlinkSessionJob::diff(self, &recorded, &self.spec);
        if change.kind != DiffType::Ignore {
            self.tell_change(&change);
        }
        self.submit_next();
    }

    // ---- a job that nobody saw end ------------------------------------------------------------------------------

    /// The job has ended in a way that nobody saw: its JobManager is gone, or was restarted since.
    pub(super) fn resolve_lost_session_job(&mut self, what: &str) {
        if self.wanted_mode() == UpgradeMode::Stateless {
            self.record_stopped(UpgradeMode::Stateless);
            return;
        }
        let message = format!(
            "{what}, so the end of the job was not seen, and nobody knows how far it came. Remedy: set \
             spec.job.initialSavepointPath with a new spec.job.savepointRedeployNonce, or upgradeMode stateless."
        );
        self.event(EventRecord::warning(Reason::CleanupFailed, Component::JobManagerDeployment, message));
        self.job().upgrade_savepoint_path = Some(LAST_STATE_MARKER.to_owned());
        self.record_stopped(Restore::Savepoint.upgrade_mode());
    }
}
