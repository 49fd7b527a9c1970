//! Going back to the last stable spec when a new one never becomes stable.

use api::{JobState, ReconciliationState, UpgradeMode};

use super::pass::Pass;
use super::upgrade::{Restore, Stop};
use crate::event::{Component, EventRecord, Reason};

impl Pass<'_> {
    /// Starts a rollback if the recorded spec had its time. Returns whether it did.
    pub(super) fn roll_back_if_due(&mut self) -> bool {
        if !self.rollback_is_due() {
            return false;
        }
        let Some(stable) = self.last_stable() else { return false };
        self.reconciliation().state = Some(ReconciliationState::RollingBack);
        let message = "Rolling back failed deployment.";
        self.event(EventRecord::normal(Reason::Rollback, Component::JobManagerDeployment, message));
        self.spec = stable.spec;
        let (stop, restore) = if !self.is_application() || self.recorded_mode() == UpgradeMode::Stateless {
            (Stop::Stateless, Restore::Stateless)
        } else {
            (Stop::KeepHaMetadata, Restore::LastState)
        };
        self.stop_job(stop, restore);
        true
    }

    fn rollback_is_due(&self) -> bool {
        if !self.settings.rollback_enabled
            || self.reconciliation_state() != ReconciliationState::Deployed
            || self.is_stable()
        {
            return false;
        }
        let Some(stable) = self.last_stable() else { return false };
        let stable_runs =
            stable.spec.job.as_ref().is_none_or(|job| job.state_or_default() == JobState::Running);
        if !stable_runs || stable.spec.flink_version != self.spec.flink_version {
            return false;
        }
        let recorded =
            self.status.reconciliation_status.as_ref().and_then(|all| all.reconciliation_timestamp);
        let readiness = i64::try_from(self.settings.readiness_timeout.as_millis()).unwrap_or(i64::MAX);
        if self.now().as_millisecond() <= recorded.unwrap_or_default().saturating_add(readiness) {
            return false;
        }
        let never_started =
            self.observed.job_manager.as_ref().is_some_and(|job_manager| job_manager.never_started);
        let has_metadata = self.observed.ha.as_ref().is_some_and(|ha| ha.has_job);
        (self.recorded_mode() == UpgradeMode::Savepoint && never_started) || has_metadata
    }

    /// In the states of a rollback the failed spec stays recorded; only the mode really used is replaced.
    pub(super) fn record_rolling_back(&mut self, mode: UpgradeMode) {
        self.status.error = None;
        let now = self.now().as_millisecond();
        self.reconciliation().reconciliation_timestamp = Some(now);
        let Some(mut last) = self.last.clone() else { return };
        if let Some(job) = &mut last.spec.job {
            job.upgrade_mode = Some(mode);
        }
        self.set_last(last);
    }
}
