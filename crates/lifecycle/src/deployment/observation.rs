//! Bringing the status up to date with what was observed.

use std::time::Duration;

use api::error::ErrorReport;
use api::{JobManagerDeploymentStatus as Jm, JobStatusState, ReconciliationState, RetryKind};

use super::failure::class;
use super::pass::{Pass, Stage};
use crate::event::{Component, EventRecord, Reason};
use crate::observed::{JobManager, PodProblem};

/// How long pods may wait for their volumes before that is reported: the Java operator creates ConfigMaps after pods.
const MOUNT_GRACE: Duration = Duration::from_secs(30);

impl Pass<'_> {
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
        let recorded = self.recorded_at();
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
