//! Restarts with the same spec: of jobs that failed, and of jobs that are not healthy.

use std::time::Duration;

use api::{JobStatusState, Operation, OperationKind, RetryKind, UpgradeMode};

use super::pass::Pass;
use super::restore::{Ha, Source};
use super::upgrade::KnownState;
use crate::event::{Component, EventRecord, Reason};

/// HA metadata is read only when it is needed: in the pass after the one that finds out.
const HA_IS_READ: Duration = Duration::from_secs(1);

impl Pass<'_> {
    /// Restarts a job that failed, if that is wanted: at once, and later and later while it goes on failing.
    pub(super) fn restarts_failed_job(&mut self) -> bool {
        if self.job_state() != Some(JobStatusState::Failed)
            || !self.settings.restart_failed_jobs
            || !self.deployed_job_runs()
        {
            return false;
        }
        if self.restarts_are_used_up() {
            return false;
        }
        if self.wanted_mode() != UpgradeMode::Stateless
            && self.known_state() == KnownState::OnlyInHaMetadata
            && !self.has_ha_checkpoint()
        {
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
        self.status.error = None;
        self.begin_restart();
        true
    }

    pub(super) fn has_ha_checkpoint(&self) -> bool {
        matches!(self.ha(), Ha::Metadata(metadata) if metadata.has_checkpoint(self.job_id()))
    }

    /// Restarts a job that its health information says is not well.
    pub(super) fn restarts_unhealthy_job(&mut self) -> bool {
        if !self.settings.health_check
            || !self.is_application()
            || self.job_ended()
            || !self.deployed_job_runs()
        {
            return false;
        }
        let Some(illness) = self.stored_illness() else { return false };
        let stateless = self.wanted_mode() == UpgradeMode::Stateless;
        if matches!(self.ha(), Ha::Unread) {
            self.look_again(HA_IS_READ);
            return true;
        }
        if !stateless && !self.has_ha_job() {
            self.hold(
                "Unhealthy",
                format!(
                    "The job is not healthy ({illness}) and is not restarted, because its state is not in HA metadata. \
                     Remedy: set high-availability.type."
                ),
            );
            return false;
        }
        self.event(EventRecord::warning(Reason::RestartUnhealthyJob, Component::Job, illness));
        self.job().state = Some(JobStatusState::Reconciling);
        self.begin_restart();
        true
    }

    fn begin_restart(&mut self) {
        self.forget_health();
        self.begin(Operation {
            kind: Some(OperationKind::Restarting),
            generation: Some(self.generation),
            ..Operation::default()
        });
        self.follow_restart();
    }

    /// The arm of a restart: the old cluster goes, then the recorded spec is deployed once more.
    pub(super) fn follow_restart(&mut self) {
        if self.old_cluster_goes() {
            return;
        }
        let source = if self.job_ended() { self.source_of_failed_job() } else { self.source_of_recovery() };
        match source {
            Some(source) => self.deploy_again(source),
            // The user has to say what to start from; that is a change of the spec, which the table decides about.
            None if !matches!(self.ha(), Ha::Unread) => self.status.operation = None,
            None => {}
        }
    }

    fn source_of_failed_job(&mut self) -> Option<Source> {
        if self.wanted_mode() == UpgradeMode::Stateless {
            return Some(Source::empty());
        }
        if self.known_state() == KnownState::Known {
            return Some(Source::path(self.known_path()));
        }
        self.last_state_source()
    }
}
