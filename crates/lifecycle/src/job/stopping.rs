//! Ending a job before a change: recorded first, asked for next, followed until Flink says how it ended.

use api::{JobState, JobStatusState, ReconciliationState, UpgradeMode};

use super::pass::Pass;
use super::resource::{JobResource, JobResourceStatus};
use super::upgrade::{Restore, Stop};
use crate::effect::{Effect, FlinkCall, FlinkRequest};
use crate::event::{Component, EventRecord, Reason};

impl<R: JobResource> Pass<'_, R> {
    /// Ends the job as the decision table says.
    pub(crate) fn stop_job(&mut self, stop: Stop, restore: Restore) {
        if stop != Stop::Nothing {
            self.tell_suspended();
        }
        self.end_job(stop, restore);
    }

    pub(crate) fn tell_suspended(&mut self) {
        let event = EventRecord::normal(
            Reason::Suspended,
            Component::JobManagerDeployment,
            "Suspending existing deployment.",
        );
        self.event(event);
    }

    /// The same as [`Pass::stop_job`] without an Event.
    pub(crate) fn end_job(&mut self, stop: Stop, restore: Restore) {
        match stop {
            Stop::Nothing | Stop::KeepHaMetadata => self.record_stopped(restore.upgrade_mode()),
            Stop::Stateless => R::give_up_job(self),
            Stop::Savepoint => self.begin_savepoint(),
            Stop::Cancel => self.begin_cancel(restore.upgrade_mode()),
        }
    }

    /// The job counts as ended, and what the next one starts from is in the status.
    pub(crate) fn record_stopped(&mut self, mode: UpgradeMode) {
        *self.status.operation_mut() = None;
        self.mark_job_ended();
        let rolling_back = self.reconciliation_state() == ReconciliationState::RollingBack;
        let mode = match self.redeploy_path().filter(|_| !rolling_back) {
            // Asked for before, or while the job was being stopped: what it was stopped with does not count.
            Some(path) => {
                self.job().upgrade_savepoint_path = Some(path);
                UpgradeMode::Savepoint
            }
            None => mode,
        };
        if rolling_back {
            self.record_rolling_back(mode);
        } else if self.wants_suspended() {
            self.record_suspended(mode);
        } else {
            self.record_upgrading(mode);
        }
        R::job_has_stopped(self);
    }

    fn record_upgrading(&mut self, mode: UpgradeMode) {
        let mut spec = self.spec.clone();
        if let Some(job) = R::job_mut(&mut spec) {
            job.upgrade_mode = Some(mode);
        }
        R::record_spec(self, spec, ReconciliationState::Upgrading, JobState::Suspended);
    }

    pub(crate) fn record_suspended(&mut self, mode: UpgradeMode) {
        let mut spec = self.spec.clone();
        if let Some(job) = R::job_mut(&mut spec) {
            job.upgrade_mode = Some(mode);
        }
        self.mark_job_ended();
        R::record_spec(self, spec, ReconciliationState::Deployed, JobState::Suspended);
    }

    /// Lets a job go in an orderly way; a failure does not matter.
    pub(crate) fn cancel_quietly(&mut self) {
        if let Some(job_id) = self.job_id().map(str::to_owned).filter(|_| self.job_is_reachable()) {
            self.call_flink(FlinkRequest::Cancel { job_id }, true);
        }
    }

    /// Whether a call would find the job alive.
    pub(crate) fn job_is_reachable(&self) -> bool {
        let alive = self.job_state().is_some_and(|state| {
            !state.is_terminal() && !matches!(state, JobStatusState::Reconciling | JobStatusState::Cancelling)
        });
        R::is_ready(self) && alive
    }

    pub(crate) fn call_flink(&mut self, request: FlinkRequest, tolerate_failure: bool) {
        let cluster = R::flink_cluster(self);
        self.effects.push(Effect::Flink(FlinkCall { cluster, request, tolerate_failure }));
    }
}
