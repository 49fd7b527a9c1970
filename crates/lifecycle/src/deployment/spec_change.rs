//! A deployed cluster whose spec changes, a suspended one, and one whose old cluster has to go before the next comes.

use api::{
    FlinkDeploymentSpec, JobManagerDeploymentStatus as Jm, JobState, JobStatusState, ReconciliationState,
    UpgradeMode,
};

use super::deploy::{LAST_STATE_MARKER, Source};
use super::failure::class;
use super::pass::Pass;
use super::upgrade::{self, CheckpointAge, KnownState, Plan, Restore, Stop, UpgradeInput};
use crate::diff::{self, DiffType, SpecDiff};
use crate::event::{Component, EventRecord, Reason};

impl Pass<'_> {
    /// The arm of a deployed cluster.
    pub(super) fn keep_or_change(&mut self) {
        let Some(recorded) = self.last.as_ref().map(|last| last.spec.clone()) else { return };
        let change = diff::spec_diff(&recorded, &self.spec);
        if change.kind == DiffType::Ignore {
            if !self.roll_back_if_due() {
                self.acknowledge_generation();
                self.keep_running();
            }
            return;
        }
        if self.is_back_to_stable_spec() {
            self.record_spec(self.spec.clone(), ReconciliationState::Deployed, JobState::Running);
            self.again_at_once();
            return;
        }
        if self.refuse_what_cannot_be_built() {
            self.keep_running();
            return;
        }
        self.tell_change(&change);
        if self.is_application() {
            self.change_application(change.kind);
        } else {
            self.change_session();
        }
    }

    /// After a rollback the user asks for exactly what runs.
    fn is_back_to_stable_spec(&self) -> bool {
        self.reconciliation_state() == ReconciliationState::RolledBack
            && self
                .last_stable()
                .is_some_and(|stable| diff::spec_diff(&stable.spec, &self.spec).kind == DiffType::Ignore)
    }

    fn tell_change(&mut self, change: &SpecDiff) {
        let event =
            EventRecord::normal(Reason::SpecChanged, Component::JobManagerDeployment, change.message());
        self.event(event.once(format!("SpecChanged {}", self.generation)));
    }

    /// A spec that no cluster can be built from must not stop the one that runs.
    fn refuse_what_cannot_be_built(&mut self) -> bool {
        let Err(error) = super::build::rehearse(self, &self.spec) else { return false };
        self.refuse(Reason::ValidationError, &error.to_string());
        true
    }

    /// Nothing to do for this generation: says so.
    fn acknowledge_generation(&mut self) {
        if self.status.observed_generation == Some(self.generation) {
            return;
        }
        self.status.observed_generation = Some(self.generation);
        let Some(mut last) = self.last.clone() else { return };
        let metadata =
            last.metadata.get_or_insert_with(|| api::reconciled::ReconciliationMetadata::new(false));
        metadata.first_deployment &= self.reconciliation_state() == ReconciliationState::Deployed;
        let was_stable = self.is_stable();
        self.set_last(last);
        if was_stable {
            self.mark_stable();
        }
    }

    // ---- applications -------------------------------------------------------------------------------------------

    fn change_application(&mut self, kind: DiffType) {
        if kind == DiffType::SavepointRedeploy {
            self.redeploy_from_initial_savepoint();
            return;
        }
        match upgrade::plan(&self.upgrade_input()) {
            Plan::Go(stop, restore) => self.stop_job(stop, restore),
            Plan::Wait { exclusive } => {
                if !exclusive {
                    self.keep_running();
                }
            }
            Plan::DeleteNeverStarted => {
                self.job().state = Some(JobStatusState::Failed);
                self.stop_job(Stop::Nothing, Restore::Savepoint);
            }
            Plan::ManualRestore => self.ask_for_manual_restore(),
        }
    }

    /// A new `savepointRedeployNonce`: whatever runs is given up for `initialSavepointPath`.
    fn redeploy_from_initial_savepoint(&mut self) {
        let path = self.spec.job.as_ref().and_then(|job| job.initial_savepoint_path.clone());
        self.job().upgrade_savepoint_path = path;
        let stop = if self.job_ended() { Stop::Nothing } else { Stop::Stateless };
        self.stop_job(stop, Restore::Savepoint);
    }

    pub(super) fn upgrade_input(&self) -> UpgradeInput {
        let wanted = super::build::configuration(self, &self.spec).ok();
        let running = self.deployed_spec().and_then(|spec| super::build::configuration(self, &spec).ok());
        let configured = |conf: &Option<flink_conf::FlinkConf>| {
            conf.as_ref().is_some_and(flink_conf::is_high_availability_active)
        };
        let ha = self.observed.ha.clone().unwrap_or_default();
        let deployed_version = self.deployed_spec().and_then(|spec| spec.flink_version);
        UpgradeInput {
            mode: self
                .spec
                .job
                .as_ref()
                .map_or(UpgradeMode::Stateless, api::JobSpec::upgrade_mode_or_default),
            job: self.job_state(),
            job_manager: self.job_manager_status(),
            ha_metadata: ha.has_job && configured(&running),
            ha_kept: configured(&running) && configured(&wanted),
            version_changes: deployed_version != self.spec.flink_version,
            savepoint_directory: running.as_ref().and_then(flink_conf::savepoint_directory).is_some(),
            last_state_fallback: self.settings.last_state_fallback,
            last_state_cancel: self.settings.last_state_job_cancel,
            known_state: self.known_state(),
            checkpoint_age: self.checkpoint_age(),
            never_started: self.recorded_mode() != UpgradeMode::LastState
                && self.observed.job_manager.as_ref().is_some_and(|job_manager| job_manager.never_started),
        }
    }

    fn known_state(&self) -> KnownState {
        let path = self.status.job_status.as_ref().and_then(|job| job.upgrade_savepoint_path.as_deref());
        if path == Some(LAST_STATE_MARKER) { KnownState::OnlyInHaMetadata } else { KnownState::Known }
    }

    fn checkpoint_age(&self) -> CheckpointAge {
        let Some(limit) = self.settings.last_state_max_checkpoint_age else { return CheckpointAge::Fine };
        let limit = i64::try_from(limit.as_millis()).unwrap_or(i64::MAX);
        let young = |since: i64| self.now().as_millisecond() - since < limit;
        let started = self.status.job_status.as_ref().and_then(|job| job.start_time.as_deref()?.parse().ok());
        if started.is_some_and(young) {
            return CheckpointAge::Fine;
        }
        let checkpoints = self.observed.flink.answer.as_ref().and_then(|answer| answer.checkpoints.as_ref());
        let Some(checkpoints) = checkpoints else { return CheckpointAge::TooOld };
        if checkpoints.newest().is_some_and(|newest| young(newest.trigger_timestamp)) {
            CheckpointAge::Fine
        } else if checkpoints.in_progress_since.is_some_and(young) {
            CheckpointAge::InProgress
        } else {
            CheckpointAge::TooOld
        }
    }

    pub(super) fn ask_for_manual_restore(&mut self) {
        let message = format!(
            "{} {} {} Remedy: set spec.job.initialSavepointPath to the savepoint or checkpoint to start from, together \
             with a new spec.job.savepointRedeployNonce; or upgradeMode stateless to start from empty.",
            api::names::MSG_MANUAL_RESTORE_REQUIRED,
            api::names::MSG_HA_METADATA_NOT_AVAILABLE,
            api::names::MSG_JOB_FINISHED_OR_CONFIGMAPS_DELETED,
        );
        self.fail_once(class::UPGRADE, Reason::UpgradeFailed, &message);
    }

    // ---- sessions -----------------------------------------------------------------------------------------------

    /// A session cluster is replaced; HA metadata stays, so that Flink recovers its jobs.
    fn change_session(&mut self) {
        self.record_spec(self.spec.clone(), ReconciliationState::Upgrading, JobState::Running);
        self.replace_cluster();
    }

    // ---- the old cluster goes, the next one comes -----------------------------------------------------------------

    /// The arm of a job that has ended and whose state, if any, is recorded.
    pub(super) fn replace_cluster(&mut self) {
        if self.adopt_deployment_of_java_operator() {
            return;
        }
        if let Some(job_manager) = self.observed.job_manager.clone() {
            if job_manager.owned {
                self.delete_deployment(&job_manager);
            } else {
                self.foreign_deployment();
            }
            return;
        }
        self.status.job_manager_deployment_status = Some(Jm::Missing);
        let keeps_metadata = !self.is_application() || self.recorded_mode() == UpgradeMode::LastState;
        if !keeps_metadata && self.metadata_is_in_the_way() {
            return;
        }
        let wants_suspended =
            self.spec.job.as_ref().is_some_and(|job| job.state_or_default() == JobState::Suspended);
        if wants_suspended {
            self.record_suspended(self.recorded_mode());
            return;
        }
        if let Ok(source) = self.source_of_state() {
            self.start_cluster(source);
        }
    }

    /// HA metadata of the old job would win over what is to be restored, so it goes first; its replacement is recorded.
    fn metadata_is_in_the_way(&mut self) -> bool {
        if self.observed.ha.is_none() {
            self.look_again(self.settings.progress_check_interval);
            return true;
        }
        let there = self.delete_ha_metadata();
        if there {
            self.again_at_once();
        }
        there
    }

    /// A Java operator that stopped between creating the Deployment and recording that.
    fn adopt_deployment_of_java_operator(&mut self) -> bool {
        let Some(job_manager) = &self.observed.job_manager else { return false };
        let in_flight = self.job_manager_status() == Jm::Missing
            && job_manager.owned
            && !job_manager.terminating
            && job_manager.attempt.is_none()
            && job_manager.generation.is_some()
            && job_manager.generation == self.status.observed_generation;
        if !in_flight {
            return false;
        }
        if let Some(mut last) = self.last.clone() {
            if let Some(job) = &mut last.spec.job {
                job.state = Some(JobState::Running);
            }
            self.set_last(last);
        }
        let state = match self.reconciliation_state() {
            ReconciliationState::RollingBack | ReconciliationState::RolledBack => {
                ReconciliationState::RolledBack
            }
            ReconciliationState::Upgrading | ReconciliationState::Deployed => ReconciliationState::Deployed,
        };
        self.reconciliation().state = Some(state);
        self.status.job_manager_deployment_status = Some(Jm::Deploying);
        if self.is_application() {
            self.job().state = Some(JobStatusState::Reconciling);
        }
        self.again_at_once();
        true
    }

    /// What the next deployment is restored from; an error is already recorded when there is no answer.
    pub(super) fn source_of_state(&mut self) -> Result<Source, ()> {
        let Some(wanted) = self.spec.job.as_ref().map(api::JobSpec::upgrade_mode_or_default) else {
            return Ok(Source::empty());
        };
        if wanted == UpgradeMode::Stateless && self.recorded_mode() != UpgradeMode::Savepoint {
            return Ok(Source::empty());
        }
        let redeploy = self.spec.job.as_ref().is_some_and(|job| {
            let old = self.last.as_ref().and_then(|last| last.spec.job.as_ref());
            job.savepoint_redeploy_nonce.is_some()
                && job.savepoint_redeploy_nonce == old.and_then(|old| old.savepoint_redeploy_nonce)
                && job.initial_savepoint_path.is_some()
                && job.initial_savepoint_path
                    == self.status.job_status.as_ref().and_then(|job| job.upgrade_savepoint_path.clone())
        });
        if wanted == UpgradeMode::Stateless && !redeploy {
            return Ok(Source::empty());
        }
        let path = self.known_path();
        match self.recorded_mode() {
            UpgradeMode::LastState => self.last_state_source(path),
            UpgradeMode::Savepoint | UpgradeMode::Stateless => {
                Ok(Source { restore: Restore::Savepoint, path })
            }
        }
    }

    /// The newest savepoint or checkpoint that is known by path.
    pub(super) fn known_path(&self) -> Option<String> {
        let job = self.status.job_status.as_ref()?;
        let path = job.upgrade_savepoint_path.clone().or_else(|| {
            let last = job.savepoint_info.as_ref()?.last_savepoint.as_ref()?;
            last.location.clone()
        });
        path.filter(|path| path != LAST_STATE_MARKER)
    }

    /// HA metadata with a checkpoint; without one, the path that the job was started from.
    pub(super) fn last_state_source(&mut self, path: Option<String>) -> Result<Source, ()> {
        let Some(ha) = self.observed.ha.clone() else {
            self.look_again(self.settings.progress_check_interval);
            return Err(());
        };
        if ha.has_checkpoint {
            return Ok(Source { restore: Restore::LastState, path: Some(LAST_STATE_MARKER.to_owned()) });
        }
        if path.is_some() {
            return Ok(Source { restore: Restore::Savepoint, path });
        }
        if ha.has_job && self.known_state() == KnownState::Known {
            return Ok(Source { restore: Restore::LastState, path: None });
        }
        self.ask_for_manual_restore();
        Err(())
    }

    // ---- suspended ----------------------------------------------------------------------------------------------

    pub(super) fn record_suspended(&mut self, mode: UpgradeMode) {
        let mut spec = self.spec.clone();
        if let Some(job) = &mut spec.job {
            job.upgrade_mode = Some(mode);
        }
        self.mark_job_ended();
        self.record_spec(spec, ReconciliationState::Deployed, JobState::Suspended);
    }

    /// The arm of a suspended job. Edits are applied when it resumes.
    pub(super) fn stay_suspended_or_resume(&mut self) {
        let wants_running =
            self.spec.job.as_ref().is_some_and(|job| job.state_or_default() == JobState::Running);
        if wants_running {
            self.resume();
            return;
        }
        self.acknowledge_generation();
        let ours = self.observed.job_manager.clone().filter(|job_manager| job_manager.attempt.is_some());
        if let Some(job_manager) = ours {
            self.delete_deployment(&job_manager);
        } else if self.recorded_mode() != UpgradeMode::LastState {
            self.remove_finished_cluster();
        }
    }

    fn resume(&mut self) {
        if let Some(recorded) = self.last.as_ref().map(|last| last.spec.clone()) {
            let change = diff::spec_diff(&recorded, &self.spec);
            if change.kind != DiffType::Ignore {
                self.tell_change(&change);
            }
        }
        self.replace_cluster();
    }

    pub(super) fn deployed_job_runs(&self) -> bool {
        let runs = |spec: FlinkDeploymentSpec| {
            spec.job.as_ref().is_none_or(|job| job.state_or_default() == JobState::Running)
        };
        self.deployed_spec().is_some_and(runs)
    }
}
