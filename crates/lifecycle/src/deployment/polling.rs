//! What the Flink poller asks about a cluster, and how often.

use std::time::Duration;

use super::ingress::INGRESS_EXISTS;
use super::pass::{Pass, Stage};
use super::session::{JOBS_UNKNOWN, STOPPING_SESSION_JOBS};
use crate::job::polling::{BUSY, URGENT};
use crate::{PollPlan, Question};

/// Reasons that no answer of Flink can take away.
const REFUSALS: [&str; 4] = ["ValidationError", "UnsupportedFlinkVersion", "SavepointFailed", INGRESS_EXISTS];

impl Pass<'_> {
    /// Polls a cluster whose JobManager is available.
    pub(super) fn plan_poll(&mut self) {
        let Some(job_manager) = &self.observed.job_manager else { return };
        let expected = match self.stage() {
            Stage::Deployed | Stage::Stopping | Stage::Cancelling => true,
            Stage::Fresh
            | Stage::Deploying
            | Stage::Restarting
            | Stage::Withdrawing
            | Stage::Stopped
            | Stage::Suspended => false,
        };
        if !expected || !job_manager.is_available() {
            return;
        }
        self.poll = Some(PollPlan {
            cluster: self.flink_cluster(),
            deployment_uid: job_manager.uid.clone(),
            interval: self.poll_interval(),
            timeout: self.settings.flink_client_timeout,
            patience: self.patience_with_flink(),
            statistics_lag: self.statistics_lag(),
            job_id: None,
            questions: self.questions(),
        });
    }

    /// Seldom when nothing is expected, often when something is, and less so when it has been expected for long.
    fn poll_interval(&self) -> Duration {
        let settled = self.stage() == Stage::Deployed
            && self.job_manager_status() == api::JobManagerDeploymentStatus::Ready
            && self.observed.flink.failure.is_none()
            && self.is_settled();
        let expects = self.hold.as_ref().is_some_and(|hold| !REFUSALS.contains(&hold.reason))
            || !self.pending_questions("").is_empty();
        let rescales = self.rescales() && !self.waits_for_long();
        let asks_for_jobs =
            [&self.hold, &self.deletion].into_iter().flatten().any(|hold| hold.reason == JOBS_UNKNOWN);
        let stops_jobs = self.hold.as_ref().is_some_and(|hold| hold.reason == STOPPING_SESSION_JOBS);
        if self.ends_job() {
            URGENT
        } else if rescales || stops_jobs || asks_for_jobs && !self.waits_for_long() {
            BUSY
        } else if settled && !expects {
            self.settings.reconcile_interval
        } else if settled || self.waits_for_long() {
            self.settings.progress_check_interval
        } else {
            BUSY
        }
    }

    fn questions(&self) -> Vec<Question> {
        let mut questions = vec![Question::ClusterInfo];
        if self.is_application() {
            questions.extend(self.job_questions());
        }
        questions
    }
}
