//! The job of an application, as Flink lists it.

use std::time::Duration;

use api::error::ErrorReport;
use api::names::JOB_NOT_FOUND_ERR;
use api::{JobState, JobStatusState, OperationKind, ReconciliationState, RetryKind, UpgradeMode};
use jiff::Timestamp;

use super::failure::{RECOVERED, class};
use super::pass::{Pass, Sight, Stage};
use super::resource::{JobResource, JobResourceStatus};
use crate::event::{Component, EventRecord, Reason};
use crate::observed::{FlinkAnswer, JobOverview};

/// How long a job may be absent from a JobManager that answers before that is reported: it appears only when the main
/// method has run.
pub(crate) const JOB_GRACE: Duration = Duration::from_mins(1);

/// How long a new job may take to have all its tasks before anybody is told that it does not: most need less, and then it
/// is not worth two writes.
const STARTS: Duration = Duration::from_secs(5);

/// How long a JobManager may keep to itself why a job failed.
const CAUSE_PATIENCE: Duration = Duration::from_secs(20);

impl<'a, R: JobResource> Pass<'a, R> {
    /// The newest answer of the cluster that runs now, and not of before the step that is under way.
    pub(crate) fn answer(&self) -> Option<&'a FlinkAnswer> {
        let observed = self.observed;
        let job_manager = observed.job_manager.as_ref()?;
        let ours = |answer: &&FlinkAnswer| answer.cluster == job_manager.uid;
        observed.flink.current().filter(ours).filter(|answer| !self.is_older_than_operation(answer.at))
    }

    fn is_older_than_operation(&self, at: Timestamp) -> bool {
        self.status.operation().is_some_and(|operation| {
            let follows = matches!(operation.kind, Some(OperationKind::Stopping | OperationKind::Cancelling));
            follows && operation.start_timestamp.is_some_and(|start| at.as_millisecond() < start)
        })
    }

    /// Whether several polls in a row were not answered: one may always be lost.
    pub(crate) fn flink_is_silent(&self) -> bool {
        let silent_since = self.observed.flink.failure.as_ref().map(|failure| failure.since);
        let patience = self.patience_with_flink();
        silent_since.is_some_and(|since| self.now().duration_since(since).unsigned_abs() >= patience)
    }

    /// Longer than one call may take.
    pub(crate) fn patience_with_flink(&self) -> Duration {
        self.settings.flink_client_timeout.saturating_mul(3) / 2
    }

    /// A job that was seen and cannot be seen now. That it is being cancelled is known only of a cancel of our own.
    pub(crate) fn job_is_out_of_sight(&mut self) {
        let ours = self.stage() == Stage::Cancelling;
        let seen = self.job_state().is_some_and(|state| match state {
            JobStatusState::Cancelling => !ours,
            state => !state.is_terminal(),
        });
        if R::has_job(self) && seen {
            self.job().state = Some(JobStatusState::Reconciling);
        }
    }

    pub(crate) fn observe_job(&mut self, answer: &FlinkAnswer) {
        let Some(job_id) = self.job_id().map(str::to_owned) else { return };
        R::observe_other_jobs(self, &job_id, answer);
        match answer.jobs.iter().find(|job| job.job_id == job_id) {
            Some(job) => self.job_is_there(job, answer),
            None => self.job_is_absent(answer.at, answer.absent.get(&job_id).copied()),
        }
    }

    fn job_is_there(&mut self, job: &JobOverview, answer: &FlinkAnswer) {
        let state = job.effective_state();
        let before = self.job_state();
        if self.is_out_of_date(answer.at, state) {
            self.look_again(self.settings.progress_check_interval);
            return;
        }
        if before == Some(JobStatusState::Reconciling) && is_just_starting(job, state, answer.at) {
            self.look_again(STARTS);
            return;
        }
        if self.rescales() && before == Some(JobStatusState::Running) && state == JobStatusState::Created {
            // Its tasks start again with another parallelism.
            return;
        }
        let ends = state.is_terminal() && before != Some(state);
        if ends && !self.record_last_checkpoint(job, answer) {
            self.sight = Sight::Ending;
            return;
        }
        if ends && state == JobStatusState::Failed && waits_for_cause(job, answer) {
            self.sight = Sight::Ending;
            return;
        }
        self.status.error_mut().take_if(|error| error == JOB_NOT_FOUND_ERR);
        let now = self.now().as_millisecond().to_string();
        let start_time = Some(job.start_time.to_string());
        let recorded = self.job();
        let began_anew = recorded.start_time.is_some() && recorded.start_time != start_time;
        recorded.job_name = Some(job.name.clone());
        recorded.start_time = start_time;
        recorded.state = Some(state);
        if before != Some(state) {
            recorded.update_time = Some(now);
            self.job_state_changed(before, state, answer);
        }
        if before.is_none_or(|before| !before.is_terminal()) {
            self.report_exceptions(&answer.exceptions);
        }
        self.mark_stable_when_running(state);
        if self.stage() == Stage::Deployed {
            self.observe_pending_snapshots(answer);
            if !state.is_terminal() {
                R::observe_running_job(self, answer);
            }
            if began_anew && !state.is_terminal() {
                self.job_began_anew();
            }
            self.forget_old_failures(job, answer.at);
        }
    }

    /// Whether the recorded state of the job is another one, and younger than an answer: an operator that was away may
    /// hold an old one. An end counts whenever it is told, unless another one is recorded.
    fn is_out_of_date(&self, at: Timestamp, state: JobStatusState) -> bool {
        let job = self.status.job_status();
        let recorded = job.and_then(|job| job.update_time.as_deref()?.parse::<i64>().ok());
        let is_older = recorded.is_some_and(|recorded| at.as_millisecond() < recorded);
        let differs = self.job_state().is_some_and(|recorded| {
            recorded != state && recorded != JobStatusState::Reconciling && !state.is_terminal()
        });
        is_older && differs
    }

    /// A job that has run for long does not fail in a row any more.
    fn forget_old_failures(&mut self, job: &JobOverview, at: Timestamp) {
        let runs_for = at.as_millisecond().saturating_sub(job.start_time);
        let recovered = i64::try_from(RECOVERED.as_millis()).unwrap_or(i64::MAX);
        if self.job_state() == Some(JobStatusState::Running) && runs_for >= recovered {
            self.forget_failures(RetryKind::RestartJob);
        }
    }

    fn job_state_changed(
        &mut self,
        before: Option<JobStatusState>,
        state: JobStatusState,
        answer: &FlinkAnswer,
    ) {
        if state == JobStatusState::Failed {
            self.report_failed_job(answer);
        }
        // A job that finishes while it is stopped with a savepoint does what it was asked to.
        if state != JobStatusState::Finished || self.stage() != Stage::Stopping {
            let before = before.map_or_else(|| "null".to_owned(), |before| before.to_string());
            let message = format!("Job status changed from {before} to {state}");
            self.event(EventRecord::normal(Reason::JobStatusChanged, Component::Job, message));
        }
        if state == JobStatusState::Canceled && self.stage() == Stage::Deployed {
            self.record_job_as_suspended();
        }
    }

    /// A job that somebody else cancelled is recorded as suspended; the spec then decides whether it runs again.
    ///
    /// It goes on from what was known when it ended (the Java operator takes the mode of its start, which is `stateless`
    /// after a first deployment).
    fn record_job_as_suspended(&mut self) {
        let Some(mut last) = self.last.clone() else { return };
        let mode = match self.wanted_mode() {
            UpgradeMode::Stateless => UpgradeMode::Stateless,
            UpgradeMode::Savepoint | UpgradeMode::LastState => UpgradeMode::Savepoint,
        };
        if let Some(job) = R::job_mut(&mut last.spec) {
            job.state = Some(JobState::Suspended);
            job.upgrade_mode = Some(mode);
        }
        if let Some(metadata) = &mut last.metadata {
            metadata.first_deployment = false;
        }
        self.set_last(last);
    }

    /// The status keeps classes and messages, as the Java operator writes them; the Event has the messages only.
    fn report_failed_job(&mut self, answer: &FlinkAnswer) {
        let chain = answer.failure_cause.as_ref().map(|cause| cause.chain.clone()).unwrap_or_default();
        let Some(((_, first), causes)) = chain.split_first() else {
            self.set_error(class::JOB, "The job failed, and its JobManager gives no cause");
            return;
        };
        let mut report = ErrorReport::new(class::JOB, first.as_str());
        for (_, cause) in causes {
            report = report.with_cause(class::JOB, cause.as_str());
        }
        self.set_error_report(&report);
        let shown: Vec<&str> = chain.iter().take(3).map(|(class, text)| without_class(class, text)).collect();
        self.event(EventRecord::warning(Reason::Error, Component::Job, shown.join(" -> ")));
    }

    fn mark_stable_when_running(&mut self, state: JobStatusState) {
        let deployed =
            self.reconciliation_state() == ReconciliationState::Deployed && self.stage() == Stage::Deployed;
        if !deployed || self.rescales() {
            return;
        }
        if matches!(state, JobStatusState::Running | JobStatusState::Finished) {
            self.mark_stable();
        }
    }

    /// A JobManager that answers and does not know the job. The state of a rollback is left alone, so that a failed
    /// spec never counts as deployed because of it.
    fn job_is_absent(&mut self, at: Timestamp, since: Option<Timestamp>) {
        if self.job_ended() {
            return;
        }
        self.job_is_out_of_sight();
        let absent = since.map_or(Duration::ZERO, |since| at.duration_since(since).unsigned_abs());
        if absent < JOB_GRACE {
            return;
        }
        self.sight = Sight::Lost;
        *self.status.error_mut() = Some(JOB_NOT_FOUND_ERR.to_owned());
        self.explain(EventRecord::warning(Reason::Missing, Component::Job, JOB_NOT_FOUND_ERR));
    }
}

fn is_just_starting(job: &JobOverview, state: JobStatusState, at: Timestamp) -> bool {
    let starts = matches!(state, JobStatusState::Initializing | JobStatusState::Created);
    // Far from each other in either direction, both clocks say nothing.
    let age = at.as_millisecond().abs_diff(job.start_time);
    starts && u128::from(age) < STARTS.as_millis()
}

/// Whether it is worth waiting for the cause of a failure, which is told once.
fn waits_for_cause(job: &JobOverview, answer: &FlinkAnswer) -> bool {
    let waited = job.ended_since.map(|since| answer.at.duration_since(since).unsigned_abs());
    answer.failure_cause.is_none() && waited.is_some_and(|waited| waited < CAUSE_PATIENCE)
}

/// The message of an exception; its simple class name if it has none.
fn without_class<'a>(class: &'a str, text: &'a str) -> &'a str {
    let message = text.strip_prefix(class).map(|rest| rest.trim_start_matches(':').trim());
    match message {
        None => text,
        Some("") => class.rsplit(['.', '$']).next().unwrap_or(class),
        Some(message) => message,
    }
}

#[cfg(test)]
mod tests {
    use super::without_class;

    #[test]
    fn messages_of_events_have_no_class() {
        let class = "org.apache.flink.runtime.JobException";
        let text = "org.apache.flink.runtime.JobException: Recovery is suppressed by X: y";
        assert_eq!(without_class(class, text), "Recovery is suppressed by X: y");
        assert_eq!(without_class("java.lang.NullPointerException", "java.lang.NullPointerException"), {
            "NullPointerException"
        });
        assert_eq!(without_class("a.B$Inner", "a.B$Inner: "), "Inner");
        assert_eq!(without_class("a.B", "something else"), "something else");
    }
}
