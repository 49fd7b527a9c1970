//! Bringing the status up to date with what was observed.

use std::time::Duration;

use api::error::ErrorReport;
use api::names::JOB_NOT_FOUND_ERR;
use api::{JobManagerDeploymentStatus as Jm, JobState, JobStatusState, ReconciliationState, UpgradeMode};

use super::failure::class;
use super::pass::{Pass, Stage};
use crate::event::{Component, EventRecord, Reason};
use crate::observed::{FlinkAnswer, JobException, JobManager, JobOverview, PodProblem};

/// What Flink says instead of the path of a checkpoint that nobody else can read.
const NOT_ADDRESSABLE: &str = "<checkpoint-not-externally-addressable>";

/// How long a job may be absent from a JobManager that answers before that is reported: it appears only when the main
/// method has run.
const JOB_GRACE: Duration = Duration::from_mins(1);

/// How long pods may wait for their volumes before that is reported: ConfigMaps are created just after the Deployment.
const MOUNT_GRACE: Duration = Duration::from_secs(30);

impl<'a> Pass<'a> {
    /// Looks at the cluster, if there ought to be one.
    pub(super) fn observe(&mut self) {
        match self.stage() {
            Stage::Fresh | Stage::Deploying => {}
            Stage::Stopped | Stage::Suspended => {
                if self.observed.job_manager.is_none() {
                    self.status.job_manager_deployment_status = Some(Jm::Missing);
                }
            }
            Stage::Deployed | Stage::Stopping | Stage::Cancelling => self.observe_cluster(),
        }
    }

    fn observe_cluster(&mut self) {
        self.observe_job_manager();
        if self.job_manager_status() == Jm::Ready
            && let Some(answer) = self.answer()
        {
            self.observe_cluster_info(answer);
            if self.is_application() {
                self.observe_job(answer);
            } else {
                self.observe_session();
            }
        }
        self.clear_error_when_healthy();
    }

    /// The newest answer of the cluster that runs now.
    pub(super) fn answer(&self) -> Option<&'a FlinkAnswer> {
        let observed = self.observed;
        let job_manager = observed.job_manager.as_ref()?;
        observed.flink.current().filter(|answer| answer.cluster == job_manager.uid)
    }

    // ---- JobManager ---------------------------------------------------------------------------------------------

    fn observe_job_manager(&mut self) {
        match self.observed.job_manager.as_ref() {
            None => self.job_manager_is_missing(),
            Some(job_manager) if job_manager.terminating => self.job_manager_is_missing(),
            Some(job_manager) if job_manager.is_available() => self.observe_available(),
            Some(job_manager) => self.observe_starting(job_manager),
        }
    }

    fn observe_available(&mut self) {
        let before = self.job_manager_status();
        if self.answer().is_some() {
            self.status.job_manager_deployment_status = Some(Jm::Ready);
            return;
        }
        let patience = self.settings.flink_client_timeout;
        let silent = self.observed.flink.failure.as_ref().is_some_and(|failure| {
            let since = self.now().duration_since(failure.since);
            before != Jm::Ready || since.unsigned_abs() >= patience
        });
        if before != Jm::Ready || silent {
            self.status.job_manager_deployment_status = Some(Jm::DeployedNotReady);
            self.job_is_out_of_sight();
        }
    }

    fn observe_starting(&mut self, job_manager: &JobManager) {
        self.job_is_out_of_sight();
        if self.job_manager_status() == Jm::Error {
            return;
        }
        match self.start_problem(job_manager) {
            Some(problem) => {
                self.status.job_manager_deployment_status = Some(Jm::Error);
                let report = ErrorReport::new(class::DEPLOYMENT, problem.message.as_str())
                    .with_metadata("reason", problem.reason.as_str());
                self.set_error_report(&report);
                let reason = Reason::Kubernetes(problem.reason);
                self.event(EventRecord::warning(reason, Component::JobManagerDeployment, problem.message));
            }
            None => self.status.job_manager_deployment_status = Some(Jm::Deploying),
        }
    }

    fn start_problem(&self, job_manager: &JobManager) -> Option<PodProblem> {
        if let Some(message) = &job_manager.failed_create {
            return Some(PodProblem { reason: "FailedCreate".to_owned(), message: message.clone() });
        }
        let recorded =
            self.status.reconciliation_status.as_ref().and_then(|all| all.reconciliation_timestamp);
        let waited = self.now().as_millisecond() - recorded.unwrap_or_default();
        let patient = waited < i64::try_from(MOUNT_GRACE.as_millis()).unwrap_or(i64::MAX);
        self.observed.pods.iter().find(|problem| !(patient && problem.reason == "FailedMount")).cloned()
    }

    fn job_manager_is_missing(&mut self) {
        let before = self.job_manager_status();
        self.status.job_manager_deployment_status = Some(Jm::Missing);
        if self.is_application() && !self.job_ended() {
            self.job().state = Some(JobStatusState::Reconciling);
        }
        if !matches!(before, Jm::Missing | Jm::Error) && !self.job_ended() {
            let message = "Missing JobManager deployment";
            self.fail(class::MISSING, Reason::Missing, message);
        }
    }

    /// A job that was seen and cannot be seen now.
    fn job_is_out_of_sight(&mut self) {
        let seen =
            self.job_state().is_some_and(|state| !state.is_terminal() && state != JobStatusState::Cancelling);
        if self.is_application() && seen {
            self.job().state = Some(JobStatusState::Reconciling);
        }
    }

    // ---- session cluster ----------------------------------------------------------------------------------------

    fn observe_session(&mut self) {
        if self.reconciliation_state() == ReconciliationState::Deployed {
            self.mark_stable();
        }
    }

    // ---- job ----------------------------------------------------------------------------------------------------

    fn observe_job(&mut self, answer: &FlinkAnswer) {
        let Some(job_id) = self.job_id().map(str::to_owned) else { return };
        match answer.jobs.iter().find(|job| job.job_id == job_id) {
            Some(job) => self.job_is_there(job, answer),
            None => self.job_is_missing(answer),
        }
    }

    fn job_is_there(&mut self, job: &JobOverview, answer: &FlinkAnswer) {
        let state = job.effective_state();
        if state.is_terminal() && !self.knows_final_checkpoint(answer, &job.job_id) {
            return;
        }
        let before = self.job_state();
        if before.is_none_or(|before| !before.is_terminal()) {
            self.report_exceptions(&answer.exceptions);
        }
        let now = self.now().as_millisecond().to_string();
        let recorded = self.job();
        recorded.job_name = Some(job.name.clone());
        recorded.start_time = Some(job.start_time.to_string());
        recorded.state = Some(state);
        if before != Some(state) {
            recorded.update_time = Some(now);
            self.job_state_changed(before, state, answer);
        }
        if state.is_terminal() {
            self.record_final_checkpoint(state, answer, &job.job_id);
        }
        self.mark_stable_when_running(state);
    }

    /// A job that ended counts as ended only when its last checkpoint is known, unless its state does not matter:
    /// otherwise the next deployment could start from an older one.
    fn knows_final_checkpoint(&self, answer: &FlinkAnswer, job_id: &str) -> bool {
        let mode =
            self.spec.job.as_ref().map_or(UpgradeMode::Stateless, api::JobSpec::upgrade_mode_or_default);
        mode == UpgradeMode::Stateless
            || answer.checkpoints.as_ref().is_some_and(|checkpoints| checkpoints.job_id == job_id)
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
        let before = before.map_or_else(|| "null".to_owned(), |before| before.to_string());
        let message = format!("Job status changed from {before} to {state}");
        self.event(EventRecord::normal(Reason::JobStatusChanged, Component::Job, message));
        if state == JobStatusState::Canceled && self.stage() == Stage::Deployed {
            self.record_job_as_suspended();
        }
    }

    /// A job that somebody else cancelled is recorded as suspended; the spec then decides whether it runs again.
    pub(super) fn record_job_as_suspended(&mut self) {
        let Some(mut last) = self.last.clone() else { return };
        if let Some(job) = &mut last.spec.job {
            job.state = Some(JobState::Suspended);
        }
        if let Some(metadata) = &mut last.metadata {
            metadata.first_deployment = false;
        }
        self.set_last(last);
    }

    fn report_failed_job(&mut self, answer: &FlinkAnswer) {
        let chain = answer.failure_cause.as_ref().map(|cause| cause.chain.clone()).unwrap_or_default();
        let texts: Vec<String> = chain.iter().map(|(_, message)| message.clone()).collect();
        let Some((first, causes)) = texts.split_first() else {
            self.set_error(class::JOB, "The job failed, and its JobManager gives no cause");
            return;
        };
        let mut report = ErrorReport::new(class::JOB, first.as_str());
        for cause in causes {
            report = report.with_cause(class::JOB, cause.as_str());
        }
        self.set_error_report(&report);
        let shown: Vec<&str> = texts.iter().take(3).map(String::as_str).collect();
        self.event(EventRecord::warning(Reason::Error, Component::Job, shown.join(" -> ")));
    }

    fn record_final_checkpoint(&mut self, state: JobStatusState, answer: &FlinkAnswer, job_id: &str) {
        let Some(checkpoints) =
            answer.checkpoints.as_ref().filter(|checkpoints| checkpoints.job_id == job_id)
        else {
            return;
        };
        match checkpoints.newest().map(|checkpoint| checkpoint.external_path.as_str()) {
            Some(NOT_ADDRESSABLE) => {
                let message = "The newest checkpoint of the job is not externally addressable, so nothing can be \
                               restored from it. Remedy: set execution.checkpointing.dir to storage that outlives the \
                               JobManager, and for the next start spec.job.initialSavepointPath with a new \
                               savepointRedeployNonce, or upgradeMode stateless.";
                let event = EventRecord::warning(
                    Reason::CheckpointNotFound,
                    Component::JobManagerDeployment,
                    message,
                );
                self.event(event.once(job_id));
            }
            Some(path) => self.job().upgrade_savepoint_path = Some(path.to_owned()),
            None if state == JobStatusState::Canceled => self.job().upgrade_savepoint_path = None,
            None => {}
        }
    }

    fn mark_stable_when_running(&mut self, state: JobStatusState) {
        if self.reconciliation_state() != ReconciliationState::Deployed || self.stage() != Stage::Deployed {
            return;
        }
        if matches!(state, JobStatusState::Running | JobStatusState::Finished) {
            self.mark_stable();
        }
    }

    /// A JobManager that answers and does not know the job. The state of a rollback is left alone, so that a failed
    /// spec never counts as deployed because of it.
    fn job_is_missing(&mut self, answer: &FlinkAnswer) {
        let recorded =
            self.status.reconciliation_status.as_ref().and_then(|all| all.reconciliation_timestamp);
        let waited = answer.at.as_millisecond() - recorded.unwrap_or_default();
        if self.job_ended() || waited < i64::try_from(JOB_GRACE.as_millis()).unwrap_or(i64::MAX) {
            return;
        }
        self.job().state = Some(JobStatusState::Reconciling);
        if self.status.error.as_deref() != Some(JOB_NOT_FOUND_ERR) {
            self.status.error = Some(JOB_NOT_FOUND_ERR.to_owned());
            self.event(EventRecord::warning(Reason::Missing, Component::Job, JOB_NOT_FOUND_ERR));
        }
    }

    // ---- exceptions ---------------------------------------------------------------------------------------------

    /// Exceptions that were not told yet, newest first, each as one Event with the first lines of its stack trace.
    fn report_exceptions(&mut self, exceptions: &[JobException]) {
        let oldest = self.observed.exceptions_reported.unwrap_or_else(|| {
            const LOOK_BACK_MILLIS: i64 = 30 * 60 * 1000;
            self.now().as_millisecond() - LOOK_BACK_MILLIS
        });
        let mut new: Vec<&JobException> = exceptions.iter().filter(|one| one.timestamp > oldest).collect();
        new.sort_by_key(|exception| std::cmp::Reverse(exception.timestamp));
        new.truncate(self.settings.exceptions_per_reconciliation);
        for exception in new {
            let event = exception_event(exception, self.settings.exception_stacktrace_lines);
            self.event(event);
        }
    }

    // ---- error --------------------------------------------------------------------------------------------------

    fn clear_error_when_healthy(&mut self) {
        let healthy = self.job_manager_status() == Jm::Ready
            && self.job_state() != Some(JobStatusState::Failed)
            && self.status.error.as_deref() != Some(JOB_NOT_FOUND_ERR);
        let found_again = self.job_state() == Some(JobStatusState::Running);
        if (healthy && self.is_stable()) || found_again {
            self.status.error = None;
        }
    }
}

fn exception_event(exception: &JobException, lines: usize) -> EventRecord {
    let all: Vec<&str> = exception.stacktrace.lines().collect();
    let mut message = all.iter().take(lines).copied().collect::<Vec<_>>().join("\n");
    let rest = all.len().saturating_sub(lines);
    if rest > 0 {
        message = format!("{message}\n... ({rest} more lines)");
    }
    let mut annotations = vec![("exception-timestamp".to_owned(), exception.timestamp.to_string())];
    let optional = [
        ("task-name", &exception.task_name),
        ("endpoint", &exception.endpoint),
        ("tm-id", &exception.task_manager_id),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            annotations.push((name.to_owned(), one_line(value)));
        }
    }
    for (name, value) in &exception.failure_labels {
        annotations.push((format!("failure-label-{name}"), one_line(value)));
    }
    let mut event = EventRecord::warning(Reason::JobException, Component::Job, message);
    event.annotations = annotations;
    event
}

/// Annotation values without control characters.
fn one_line(text: &str) -> String {
    let text: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    text.trim().to_owned()
}
