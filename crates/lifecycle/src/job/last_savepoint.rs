//! The last savepoint of a job that is deleted, with `kubernetes.operator.job.savepoint-on-deletion`.

use std::time::Duration;

use api::{ErrorReport, JobStatusState, RetryKind, UpgradeMode};
use jiff::Timestamp;

use super::failure::class;
use super::pass::{Pass, Sight, Stage};
use super::resource::{JobResource, JobResourceStatus};
use super::savepoint::SavepointOutcome;
use super::upgrade::KnownState;
use crate::event::{Component, EventRecord, Reason};

/// How the sentence begins that says what goes with a job.
const WITHOUT_SAVEPOINT: &str = "The job is deleted without a savepoint";

/// Tries until the resource goes without a savepoint.
const TRIES: u32 = 3;

impl<R: JobResource> Pass<'_, R> {
    /// Takes the last savepoint. Returns whether there is anything to wait for.
    pub(crate) fn waits_for_last_savepoint(&mut self) -> bool {
        if !self.settings.savepoint_on_deletion || !R::has_job(self) || self.last.is_none() {
            return false;
        }
        R::observe(self);
        match self.stage() {
            Stage::Stopping => self.follow_last_savepoint(),
            Stage::Deployed => self.begin_last_savepoint(),
            Stage::Cancelling => self.waits_for_last_checkpoint(),
            Stage::Deploying | Stage::Restarting | Stage::Withdrawing | Stage::Stopped | Stage::Suspended => {
                self.goes_with_recorded_state()
            }
            Stage::Fresh => false,
        }
    }

    /// The job that is being cancelled ends with a checkpoint, whose path is recorded when Flink has told it.
    fn waits_for_last_checkpoint(&mut self) -> bool {
        let gone = R::is_gone(self) || self.sight == Sight::Lost;
        if self.job_ended() || gone || self.savepoint_is_overdue() {
            return self.goes_with_recorded_state();
        }
        self.repeat_lost_cancel();
        self.deletion_waits(
            "WaitingForJob",
            "The job is being cancelled, and its last checkpoint asked for.",
        );
        self.look_again(self.settings.progress_check_interval);
        true
    }

    /// Nothing runs that a savepoint could be taken of. State of which no path is recorded, as a savepoint would have
    /// been, goes with the HA metadata that leads to it.
    fn goes_with_recorded_state(&mut self) -> bool {
        let is_savepoint =
            |path: String| !path.rsplit('/').next().is_some_and(|name| name.starts_with("chk-"));
        let saved =
            self.recorded_path().is_some_and(is_savepoint) && self.recorded_mode() == UpgradeMode::Savepoint;
        let never_ran = self.last_stable().is_none() && self.recorded_path().is_none();
        let stateless =
            self.recorded_mode() == UpgradeMode::Stateless && self.known_state() == KnownState::Known;
        if saved || never_ran || stateless {
            return false;
        }
        self.goes_without_savepoint("it does not run")
    }

    fn begin_last_savepoint(&mut self) -> bool {
        if self.job_ended() {
            return false;
        }
        let failures = self.failures_of(RetryKind::StopWithSavepoint);
        if failures >= TRIES {
            return self.goes_without_savepoint(&format!("{failures} tries have failed"));
        }
        if let Some(left) = self.wait_before(RetryKind::StopWithSavepoint) {
            self.deletion_waits("TakingSavepoint", "A savepoint has failed and is tried again.");
            self.look_again(left);
            return true;
        }
        if R::is_ready(self) && self.job_state() == Some(JobStatusState::Running) {
            self.deletion_waits("TakingSavepoint", "The job is being stopped with a savepoint.");
            self.begin_savepoint();
            return true;
        }
        self.waits_for_job_to_run()
    }

    /// A job that does not run may come back; it is waited for as long as one savepoint may take.
    fn waits_for_job_to_run(&mut self) -> bool {
        let asked = self.resource.metadata().deletion_timestamp.as_ref().map(|time| time.0);
        let waited = self.now().duration_since(asked.unwrap_or(Timestamp::UNIX_EPOCH)).unsigned_abs();
        let gone = R::is_gone(self);
        if gone || waited > self.settings.savepoint_timeout {
            return self.goes_without_savepoint("the job does not run");
        }
        let state = self.job_state().map_or_else(|| "unknown".to_owned(), |state| state.to_string());
        self.deletion_waits(
            "WaitingForJob",
            format!(
                "A savepoint is to be taken before the job goes, and it is {state}; this is tried for {} s. Remedy: to \
                 go without, set kubernetes.operator.job.savepoint-on-deletion: false.",
                self.settings.savepoint_timeout.as_secs()
            ),
        );
        self.look_again(self.settings.progress_check_interval.min(Duration::from_secs(10)));
        true
    }

    fn follow_last_savepoint(&mut self) -> bool {
        self.deletion_waits("TakingSavepoint", "The job is being stopped with a savepoint.");
        if let Some(path) = self.operation().restore_path {
            let fallback = self.goes_on_without_snapshot_resource();
            if fallback.is_none() {
                self.register_savepoint(&path);
            }
            return self.savepoint_is_kept();
        }
        match self.savepoint_outcome() {
            SavepointOutcome::Wait => {
                self.look_again(self.settings.progress_check_interval);
                true
            }
            SavepointOutcome::Taken(path) => {
                self.job().upgrade_savepoint_path = Some(path.clone());
                self.record_job_finished();
                if self.register_savepoint(&path) {
                    return true;
                }
                self.savepoint_is_kept()
            }
            SavepointOutcome::Failed(message) => {
                *self.status.operation_mut() = None;
                self.count_failure(RetryKind::StopWithSavepoint);
                let message = format!("Stopping the job with a savepoint failed: {message}");
                let event =
                    EventRecord::warning(Reason::SavepointError, Component::JobManagerDeployment, message);
                self.event(event);
                self.again_at_once();
                true
            }
            SavepointOutcome::JobEnded => false,
            SavepointOutcome::JobLost => self.goes_without_savepoint("the job is gone"),
        }
    }

    fn savepoint_is_kept(&mut self) -> bool {
        *self.status.operation_mut() = None;
        self.deletion = None;
        false
    }

    /// The job goes with what it has: its newest checkpoint stays where it is, and its user is told.
    fn goes_without_savepoint(&mut self, why: &str) -> bool {
        *self.status.operation_mut() = None;
        self.deletion = None;
        let newest = self.observed.flink.answer.as_ref().and_then(|answer| {
            let newest = answer.checkpoints.as_ref()?.newest()?;
            Some(newest.external_path.clone())
        });
        let left = newest.or_else(|| self.known_path()).map_or_else(
            || "No checkpoint of it is known.".to_owned(),
            |path| format!("The newest checkpoint that is known of it stays at {path}."),
        );
        let message = format!("{WITHOUT_SAVEPOINT}, because {why}. {left}");
        self.set_error(class::UPGRADE, &message);
        self.tell_what_goes();
        false
    }

    /// Told until the resource is gone: the operator that recorded it may have ended before it could.
    pub(crate) fn tell_what_goes(&mut self) {
        let error = self.status.error().and_then(|error| ErrorReport::from_text(error).message);
        let Some(message) = error.filter(|message| message.starts_with(WITHOUT_SAVEPOINT)) else { return };
        let event = EventRecord::warning(Reason::SavepointError, Component::JobManagerDeployment, message);
        self.event(event.once("deleted without savepoint"));
    }
}
