//! What the Flink poller asks about a cluster, and how often.

use std::time::Duration;

use super::pass::{Pass, Stage};
use crate::{PollPlan, Question};

/// Time between polls while something is about to change. Polls do not hold a reconcile slot.
const BUSY: Duration = Duration::from_secs(1);

/// Flink's default; also for a configuration that cannot be read.
const STATISTICS_LAG: Duration = Duration::from_secs(3);

impl Pass<'_> {
    /// Polls a cluster whose JobManager is available.
    pub(super) fn plan_poll(&mut self) {
        let Some(job_manager) = &self.observed.job_manager else { return };
        let expected = match self.stage() {
            Stage::Deployed | Stage::Stopping | Stage::Cancelling => true,
            Stage::Fresh | Stage::Deploying | Stage::Stopped | Stage::Suspended => false,
        };
        if !expected || !job_manager.is_available() {
            return;
        }
        let settled = self.stage() == Stage::Deployed
            && self.is_stable()
            && self.job_manager_status() == api::JobManagerDeploymentStatus::Ready
            && self.observed.flink.failure.is_none()
            && (!self.is_application()
                || self.job_state() == Some(api::JobStatusState::Running)
                || self.job_ended());
        self.poll = Some(PollPlan {
            cluster: self.flink_cluster(),
            deployment_uid: job_manager.uid.clone(),
            interval: if settled { self.settings.reconcile_interval } else { BUSY },
            timeout: self.settings.flink_client_timeout,
            statistics_lag: self.statistics_lag(),
            questions: self.questions(),
        });
    }

    /// How long the running cluster repeats answers about checkpoints.
    fn statistics_lag(&self) -> Duration {
        self.deployed_spec()
            .and_then(|spec| super::build::configuration(self, &spec).ok())
            .and_then(|conf| flink_conf::checkpoint_statistics_lag(&conf).ok())
            .unwrap_or(STATISTICS_LAG)
    }

    fn questions(&self) -> Vec<Question> {
        let mut questions = vec![Question::ClusterInfo];
        let Some(job_id) = self.job_id().filter(|_| self.is_application()).map(str::to_owned) else {
            return questions;
        };
        questions.push(Question::Checkpoints { job_id: job_id.clone() });
        questions.push(Question::FailureCause { job_id: job_id.clone() });
        questions.push(Question::Exceptions { job_id: job_id.clone() });
        if self.settings.health_check {
            questions.push(Question::Metrics { job_id: job_id.clone() });
        }
        if self.stage() == Stage::Stopping
            && let Some(trigger_id) = self.operation().trigger_id
        {
            questions.push(Question::Savepoint { job_id, trigger_id });
        }
        questions
    }
}
