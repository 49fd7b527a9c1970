//! Ending a job before a change: recorded first, asked for next, followed until Flink says how it ended.

use api::{JobManagerDeploymentStatus as Jm, JobState, JobStatusState, ReconciliationState, UpgradeMode};

use super::health;
use super::pass::Pass;
use super::upgrade::{Restore, Stop};
use crate::effect::{Effect, FlinkCall, FlinkRequest};
use crate::event::{Component, EventRecord, Reason};

impl Pass<'_> {
    /// Ends the job as the decision table says.
    pub(super) fn stop_job(&mut self, stop: Stop, restore: Restore) {
        if stop != Stop::Nothing {
            self.tell_suspended();
        }
        self.end_job(stop, restore);
    }

    pub(super) fn tell_suspended(&mut self) {
        let event = EventRecord::normal(
            Reason::Suspended,
            Component::JobManagerDeployment,
            "Suspending existing deployment.",
        );
        self.event(event);
    }

    /// The same as [`Pass::stop_job`] without an Event.
    pub(super) fn end_job(&mut self, stop: Stop, restore: Restore) {
        match stop {
            Stop::Nothing | Stop::KeepHaMetadata => self.record_stopped(restore.upgrade_mode()),
            Stop::Stateless => {
                self.cancel_quietly();
                // Its state is given up; nothing of it may come back later.
                self.job().upgrade_savepoint_path = None;
                self.record_stopped(restore.upgrade_mode());
            }
            Stop::Savepoint => self.begin_savepoint(),
            Stop::Cancel => self.begin_cancel(restore.upgrade_mode()),
        }
    }

    /// The job counts as ended, and what the next one starts from is in the status: the cluster may go.
    pub(super) fn record_stopped(&mut self, mode: UpgradeMode) {
        self.status.operation = None;
        self.mark_job_ended();
        self.forget_health();
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
            let mut spec = self.spec.clone();
            if let Some(job) = &mut spec.job {
                job.upgrade_mode = Some(mode);
            }
            self.record_spec(spec, ReconciliationState::Upgrading, JobState::Suspended);
        }
        match self.observed.job_manager.clone() {
            Some(job_manager) if job_manager.owned => self.delete_deployment(&job_manager),
            Some(_) | None => self.again_at_once(),
        }
    }

    /// What was counted about a job that ends says nothing about the next one.
    pub(super) fn forget_health(&mut self) {
        if let Some(info) = &mut self.status.cluster_info {
            info.remove(health::KEY);
        }
    }

    /// Lets a job go in an orderly way before its cluster is deleted; a failure does not matter.
    pub(super) fn cancel_quietly(&mut self) {
        if let Some(job_id) = self.job_id().map(str::to_owned).filter(|_| self.job_is_reachable()) {
            self.call_flink(FlinkRequest::Cancel { job_id }, true);
        }
    }

    /// Whether a call would find the job alive.
    pub(super) fn job_is_reachable(&self) -> bool {
        let alive = self.job_state().is_some_and(|state| {
            !state.is_terminal() && !matches!(state, JobStatusState::Reconciling | JobStatusState::Cancelling)
        });
        self.job_manager_status() == Jm::Ready && alive
    }

    pub(super) fn call_flink(&mut self, request: FlinkRequest, tolerate_failure: bool) {
        let cluster = self.flink_cluster();
        self.effects.push(Effect::Flink(FlinkCall { cluster, request, tolerate_failure }));
    }
}
