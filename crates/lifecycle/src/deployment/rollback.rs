//! Going back to the last stable spec when a new one never becomes stable.

use api::{JobState, JobStatusState, ReconciliationState, UpgradeMode};

use super::pass::Pass;
use super::upgrade::{self, KnownState, Plan, Restore, Stop};
use crate::event::{Component, EventRecord, Reason};

impl Pass<'_> {
    /// Starts a rollback if the recorded spec had its time. Returns whether it did.
    pub(super) fn roll_back_if_due(&mut self) -> bool {
        if !self.rollback_is_due() {
            return false;
        }
        let Some(stable) = self.last_stable() else { return false };
        let failed = std::mem::replace(&mut self.spec, stable.spec);
        let withdraws = self.never_came_up();
        let plan = self.rollback_plan();
        if plan.is_none() && !withdraws {
            self.spec = failed;
            return false;
        }
        self.reconciliation().state = Some(ReconciliationState::RollingBack);
        let message = "Rolling back failed deployment.";
        self.event(EventRecord::normal(Reason::Rollback, Component::JobManagerDeployment, message));
        self.tell_suspended();
        match plan {
            Some((stop, restore)) if !withdraws => self.end_job(stop, restore),
            Some(_) | None => self.withdraw(),
        }
        true
    }

    /// Whether nothing of the failed spec ever ran, and what it was to be started from is known.
    fn never_came_up(&self) -> bool {
        self.is_application()
            && self.recorded_mode() != UpgradeMode::Stateless
            && self.job_state() != Some(JobStatusState::Failed)
            && self.never_started()
            && self.known_state() == KnownState::Known
            && !self.has_ha_checkpoint()
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
        if self.may_run_unseen() {
            return false;
        }
        let recorded = self.recorded_at();
        let readiness = i64::try_from(self.settings.readiness_timeout.as_millis()).unwrap_or(i64::MAX);
        self.now().as_millisecond() > recorded.unwrap_or_default().saturating_add(readiness)
    }

    /// Whether the JobManager is up and nobody has asked its Flink yet: the operator was away, and what came up meanwhile
    /// is not rolled back unseen.
    fn may_run_unseen(&self) -> bool {
        let Some(job_manager) = self.observed.job_manager.as_ref().filter(|it| it.is_available()) else {
            return false;
        };
        let flink = &self.observed.flink;
        let answered = flink.answer.as_ref().is_some_and(|answer| answer.cluster == job_manager.uid);
        !answered && flink.failure.is_none()
    }

    /// How the failed deployment ends, and what the stable one starts from; `None` when its state cannot be had.
    ///
    /// The state of what failed is kept, so that nothing is processed twice: HA metadata, or what it was started from if
    /// it never came up. A job that has failed and whose last checkpoint is known goes back as well (the Java operator
    /// waits for HA metadata, which Flink has removed then).
    fn rollback_plan(&self) -> Option<(Stop, Restore)> {
        if !self.is_application() {
            return self.has_any_ha_job().then_some((Stop::Stateless, Restore::Stateless));
        }
        let known = self.known_state() == KnownState::Known;
        if self.recorded_mode() == UpgradeMode::Stateless {
            let stop = if self.job_ended() { Stop::Nothing } else { Stop::Stateless };
            let eligible = self.has_ha_job() || self.never_started() || self.job_ended();
            return eligible.then_some((stop, Restore::Stateless));
        }
        if self.job_state() == Some(JobStatusState::Failed) && known {
            return Some((Stop::Nothing, Restore::Savepoint));
        }
        if !self.has_ha_job() {
            return None;
        }
        match upgrade::plan(&self.upgrade_input(UpgradeMode::LastState)) {
            Plan::Go(stop, restore) => Some((stop, restore)),
            Plan::Wait { .. } | Plan::DeleteNeverStarted | Plan::ManualRestore => {
                Some((Stop::KeepHaMetadata, Restore::LastState))
            }
        }
    }

    fn has_any_ha_job(&self) -> bool {
        self.observed.ha.as_ref().is_some_and(|metadata| metadata.has_job(None))
    }
}
