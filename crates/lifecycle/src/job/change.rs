//! What a changed spec asks of a job that runs.

use api::{ErrorReport, RetryKind};

use super::pass::Pass;
use super::resource::{JobResource, JobResourceStatus};
use super::upgrade::{CheckpointAge, Restore, Stop, UpgradeInput};
use crate::diff::SpecDiff;
use crate::event::{Component, EventRecord, Reason};

impl<R: JobResource> Pass<'_, R> {
    pub(crate) fn tell_change(&mut self, change: &SpecDiff) {
        let event =
            EventRecord::normal(Reason::SpecChanged, Component::JobManagerDeployment, change.message());
        self.event(event.once(format!("SpecChanged {}", self.generation)));
    }

    /// After a savepoint that failed, the next one is tried later and later. The job goes on with its old spec.
    pub(crate) fn waits_before_next_savepoint(&mut self) -> bool {
        let Some(left) = self.wait_before(RetryKind::StopWithSavepoint) else { return false };
        let error = self.status.error().and_then(|error| ErrorReport::from_text(error).message);
        self.hold(
            "SavepointFailed",
            format!(
                "{} It is tried again, and the job goes on with its old spec. Remedy: upgradeMode last-state needs no \
                 savepoint.",
                error.unwrap_or_else(|| "Stopping the job with a savepoint has failed.".to_owned())
            ),
        );
        self.look_again(left);
        true
    }

    /// A new `savepointRedeployNonce`: whatever runs is given up for `initialSavepointPath`, and nothing of it is kept
    /// that could be called suspended.
    pub(crate) fn redeploy_from_initial_savepoint(&mut self) {
        let stop = if self.job_ended() { Stop::Nothing } else { Stop::Stateless };
        self.end_job(stop, Restore::Savepoint);
    }

    pub(crate) fn checkpoint_age(&self) -> CheckpointAge {
        let Some(limit) = self.settings.last_state_max_checkpoint_age else { return CheckpointAge::Fine };
        let limit = i64::try_from(limit.as_millis()).unwrap_or(i64::MAX);
        let young = |since: i64| self.now().as_millisecond() - since < limit;
        let started = self.status.job_status().and_then(|job| job.start_time.as_deref()?.parse().ok());
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
}

/// What the decision table waits for, and what else could be done.
pub(crate) fn waiting_for(input: &UpgradeInput) -> String {
    let job = input.job.map_or_else(|| "unknown".to_owned(), |job| job.to_string());
    let remedy = if input.version_changes {
        "With a new Flink version the state is taken from a savepoint, or from the last checkpoint of a cancelled job"
    } else if input.checkpoint_age == CheckpointAge::InProgress {
        "A checkpoint that is young enough is in progress"
    } else {
        "Remedy: let the job run again, or set upgradeMode stateless to drop its state"
    };
    format!(
        "The change waits for the job, which is {job} (JobManager {}): its newest state cannot be had now. {remedy}.",
        input.job_manager
    )
}
