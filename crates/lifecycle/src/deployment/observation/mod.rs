//! Bringing the status up to date with what was observed.

mod exceptions;
mod job;
mod last_checkpoint;

pub use exceptions::look_back as exception_look_back;

use std::time::Duration;

use api::error::ErrorReport;
use api::{JobManagerDeploymentStatus as Jm, JobStatusState, OperationKind, ReconciliationState, RetryKind};
use jiff::Timestamp;

use super::failure::class;
use super::pass::{Pass, Stage};
use crate::event::{Component, EventRecord, Reason};
use crate::observed::{FlinkAnswer, JobManager, PodProblem};

/// How long pods may wait for their volumes before that is reported: the Java operator creates ConfigMaps after pods.
const MOUNT_GRACE: Duration = Duration::from_secs(30);

impl<'a> Pass<'a> {
    /// Looks at the cluster, if there ought to be one.
    pub(super) fn observe(&mut self) {
        match self.stage() {
            Stage::Fresh | Stage::Deploying => {}
            Stage::Stopped | Stage::Suspended | Stage::Restarting | Stage::Withdrawing => {
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
        self.tell_of_distrust();
    }

    /// A connection that one side's certificates prevent does not come about by waiting.
    fn tell_of_distrust(&mut self) {
        if let Some(failure) = self.observed.flink.failure.as_ref().filter(|failure| failure.untrusted) {
            self.fail_once(class::RECONCILIATION, Reason::Error, &failure.message);
        }
    }

    /// The newest answer of the cluster that runs now, and not of before the step that is under way.
    pub(super) fn answer(&self) -> Option<&'a FlinkAnswer> {
        let observed = self.observed;
        let job_manager = observed.job_manager.as_ref()?;
        let ours = |answer: &&FlinkAnswer| answer.cluster == job_manager.uid;
        observed.flink.current().filter(ours).filter(|answer| !self.is_older_than_operation(answer.at))
    }

    fn is_older_than_operation(&self, at: Timestamp) -> bool {
        self.status.operation.as_ref().is_some_and(|operation| {
            let follows = matches!(operation.kind, Some(OperationKind::Stopping | OperationKind::Cancelling));
            follows && operation.start_timestamp.is_some_and(|start| at.as_millisecond() < start)
        })
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
        if before != Jm::Ready || self.flink_is_silent() {
            self.status.job_manager_deployment_status = Some(Jm::DeployedNotReady);
            self.job_is_out_of_sight();
        }
    }

    /// Whether several polls in a row were not answered: one may always be lost.
    pub(super) fn flink_is_silent(&self) -> bool {
        let silent_since = self.observed.flink.failure.as_ref().map(|failure| failure.since);
        let patience = self.patience_with_flink();
        silent_since.is_some_and(|since| self.now().duration_since(since).unsigned_abs() >= patience)
    }

    /// Longer than one call may take.
    pub(super) fn patience_with_flink(&self) -> Duration {
        self.settings.flink_client_timeout.saturating_mul(3) / 2
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
        if self.is_application() && !self.job_ended() && self.stage() != Stage::Cancelling {
            self.job().state = Some(JobStatusState::Reconciling);
        }
        if !matches!(before, Jm::Missing | Jm::Error) && !self.job_ended() {
            let message = "Missing JobManager deployment";
            self.fail(class::MISSING, Reason::Missing, message);
        }
    }

    /// A job that was seen and cannot be seen now. That it is being cancelled is known only of a cancel of our own.
    fn job_is_out_of_sight(&mut self) {
        let ours = self.stage() == Stage::Cancelling;
        let seen = self.job_state().is_some_and(|state| match state {
            JobStatusState::Cancelling => !ours,
            state => !state.is_terminal(),
        });
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

    // ---- error --------------------------------------------------------------------------------------------------

    fn clear_error_when_healthy(&mut self) {
        let job_is_well = !self.is_application()
            || matches!(
                self.job_state(),
                Some(JobStatusState::Running | JobStatusState::Finished | JobStatusState::Canceled)
            );
        let healthy = self.job_manager_status() == Jm::Ready && job_is_well && self.is_stable();
        // Why the last savepoint failed is of interest until the next one.
        let retries = self.failures_of(RetryKind::StopWithSavepoint) > 0;
        if (healthy || self.job_state() == Some(JobStatusState::Running)) && !retries {
            self.status.error = None;
        }
    }
}
