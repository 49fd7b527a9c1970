//! Stopping a job with a savepoint. Flink recognises a repeat by the trigger id, as long as the JobManager lives that took
//! it; so the result is always asked for before anything is repeated.

use api::{JobStatusState, Operation, OperationKind, RetryKind, UpgradeMode};

use super::failure::class;
use super::identity::{self, Purpose};
use super::pass::{Pass, Sight};
use super::resource::{JobResource, JobResourceStatus};
use crate::effect::FlinkRequest;
use crate::event::Reason;
use crate::observed::OperationResult;

/// What became of a stop with savepoint.
pub(crate) enum SavepointOutcome {
    /// It is under way, or nobody can tell.
    Wait,
    /// The job has ended with a savepoint at that path.
    Taken(String),
    /// It failed.
    Failed(String),
    /// The job has ended without it; how far it came is known.
    JobEnded,
    /// The job is gone, and with it what Flink knew of the savepoint.
    JobLost,
}

impl<R: JobResource> Pass<'_, R> {
    pub(crate) fn begin_savepoint(&mut self) {
        let Some(job_id) = self.job_id().map(str::to_owned) else { return };
        let trigger_id = identity::new(Purpose::Trigger, self.uid, self.generation, self.now());
        self.begin(Operation {
            kind: Some(OperationKind::Stopping),
            trigger_id: Some(trigger_id),
            job_start_time: self.start_time_of(&job_id),
            job_id: Some(job_id),
            generation: Some(self.generation),
            ..Operation::default()
        });
        self.ask_for_savepoint();
    }

    /// When Flink says that the job has started: another time is another JobManager.
    pub(crate) fn start_time_of(&self, job_id: &str) -> Option<i64> {
        let jobs = self.answer().map(|answer| answer.jobs.as_slice()).unwrap_or_default();
        let listed = jobs.iter().find(|job| job.job_id == job_id).map(|job| job.start_time);
        listed.or_else(|| self.status.job_status()?.start_time.as_deref()?.parse().ok())
    }

    /// Asks with the recorded trigger id: Flink recognises a repeat and takes no second savepoint.
    fn ask_for_savepoint(&mut self) {
        let Operation { job_id: Some(job_id), trigger_id: Some(trigger_id), .. } = self.operation() else {
            return;
        };
        let conf = R::configuration(self);
        let target_directory = conf.as_ref().and_then(flink_conf::savepoint_directory).map(str::to_owned);
        let request = FlinkRequest::StopWithSavepoint {
            job_id,
            trigger_id,
            target_directory,
            drain: self.settings.drain_on_savepoint,
            format_type: self.settings.savepoint_format.clone(),
        };
        self.call_flink(request, false);
        self.look_again(self.settings.progress_check_interval);
    }

    /// The arm of a stop with savepoint that is under way.
    pub(crate) fn follow_savepoint(&mut self) {
        if let Some(path) = self.operation().restore_path {
            // Recorded and registered; once more, because the process that did so may have ended in between.
            self.register_savepoint(&path);
            self.stop_with_recorded_savepoint(path);
            return;
        }
        match self.savepoint_outcome() {
            SavepointOutcome::Wait => self.look_again(self.settings.progress_check_interval),
            SavepointOutcome::Taken(path) => self.savepoint_is_taken(&path),
            SavepointOutcome::Failed(message) => self.savepoint_failed(&message),
            // What is left is decided by the table, which knows the same of any job.
            SavepointOutcome::JobEnded | SavepointOutcome::JobLost => {
                *self.status.operation_mut() = None;
                self.again_at_once();
            }
        }
    }

    /// What Flink says of the recorded trigger. Asks again where the call got lost.
    pub(crate) fn savepoint_outcome(&mut self) -> SavepointOutcome {
        let operation = self.operation();
        let (Some(trigger_id), Some(job_id)) = (operation.trigger_id, operation.job_id) else {
            return SavepointOutcome::JobEnded;
        };
        let same_job = self.job_id() == Some(job_id.as_str());
        let result = self.answer().and_then(|answer| answer.operations.get(&trigger_id)).cloned();
        match result {
            Some(OperationResult::Completed(path)) if same_job => SavepointOutcome::Taken(path),
            Some(OperationResult::Completed(_)) => {
                SavepointOutcome::Failed("it belongs to another job".to_owned())
            }
            Some(OperationResult::Failed(_)) if self.job_ended() => SavepointOutcome::JobEnded,
            Some(OperationResult::Failed(_)) if self.sight == Sight::Ending => SavepointOutcome::Wait,
            Some(OperationResult::Failed(message)) => SavepointOutcome::Failed(message),
            Some(OperationResult::Unknown) => self.savepoint_is_unknown(&job_id),
            Some(OperationResult::InProgress) | None => self.savepoint_is_under_way(),
        }
    }

    /// Flink knows nothing of the trigger: the call never arrived, the JobManager was restarted, or it is long over.
    fn savepoint_is_unknown(&mut self, job_id: &str) -> SavepointOutcome {
        match self.job_state() {
            _ if self.sight == Sight::Ending => SavepointOutcome::Wait,
            Some(JobStatusState::Running) if !self.savepoint_is_overdue() => {
                self.ask_again_for_savepoint(job_id);
                SavepointOutcome::Wait
            }
            Some(state) if state.is_terminal() => SavepointOutcome::JobEnded,
            Some(_) | None => self.savepoint_is_under_way(),
        }
    }

    /// The same id while the same JobManager has the job: it may have taken the call since it was asked. A JobManager that
    /// was restarted gets a new one, recorded first.
    fn ask_again_for_savepoint(&mut self, job_id: &str) {
        let before = self.operation().job_start_time;
        let now = self.start_time_of(job_id);
        if before.is_some() && now != before {
            let begun = self.operation().start_timestamp;
            self.begin_savepoint();
            // All of it has one deadline, however often the JobManager is restarted.
            if let Some(operation) = self.status.operation_mut() {
                operation.start_timestamp = begun;
            }
        } else {
            self.ask_for_savepoint();
        }
    }

    fn savepoint_is_under_way(&mut self) -> SavepointOutcome {
        if R::is_gone(self) || self.sight == Sight::Lost {
            return SavepointOutcome::JobLost;
        }
        if self.savepoint_is_overdue() {
            return SavepointOutcome::Failed("it took too long".to_owned());
        }
        SavepointOutcome::Wait
    }

    /// Whether the stop has had all of its time.
    pub(crate) fn savepoint_is_overdue(&self) -> bool {
        let start = self.operation().start_timestamp.unwrap_or_default();
        let limit = i64::try_from(self.settings.savepoint_timeout.as_millis()).unwrap_or(i64::MAX);
        self.now().as_millisecond().saturating_sub(start) > limit
    }

    /// The path is recorded before anything else happens to it; the job's cluster goes only after that.
    fn savepoint_is_taken(&mut self, path: &str) {
        self.job().upgrade_savepoint_path = Some(path.to_owned());
        self.record_job_finished();
        self.forget_failures(RetryKind::StopWithSavepoint);
        if !self.register_savepoint(path) {
            self.record_stopped(UpgradeMode::Savepoint);
        }
    }

    /// The job goes on with its old spec. It is tried again after a while.
    fn savepoint_failed(&mut self, message: &str) {
        *self.status.operation_mut() = None;
        self.count_failure(RetryKind::StopWithSavepoint);
        let message = format!("Stopping the job with a savepoint failed: {message}");
        self.fail_once(class::UPGRADE, Reason::SavepointError, &message);
        self.hold("SavepointFailed", message);
        self.again_at_once();
    }
}
