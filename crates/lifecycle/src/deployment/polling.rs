//! What the Flink poller asks about a cluster, and how often.

use std::time::Duration;

use super::ingress::INGRESS_EXISTS;
use super::pass::{Pass, Stage};
use crate::{PollPlan, Question};

/// Time between polls while something is about to change. Polls do not hold a reconcile slot.
const BUSY: Duration = Duration::from_secs(1);

/// The same while a job is being ended: nothing runs until its end is seen.
const URGENT: Duration = Duration::from_millis(250);

/// For how long polls are as frequent as that.
const URGENT_FOR: Duration = Duration::from_secs(30);

/// For how long polls are as frequent as [`BUSY`].
const BUSY_FOR: Duration = Duration::from_mins(5);

/// Reasons that no answer of Flink can take away.
const REFUSALS: [&str; 4] = ["ValidationError", "UnsupportedFlinkVersion", "SavepointFailed", INGRESS_EXISTS];

/// Flink's default; also for a configuration that cannot be read.
const STATISTICS_LAG: Duration = Duration::from_secs(3);

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
        let asks_for_jobs = [&self.hold, &self.deletion]
            .into_iter()
            .flatten()
            .any(|hold| hold.reason == super::session::JOBS_UNKNOWN);
        if self.ends_job() {
            URGENT
        } else if rescales || asks_for_jobs && !self.waits_for_long() {
            BUSY
        } else if settled && !expects {
            self.settings.reconcile_interval
        } else if settled || self.waits_for_long() {
            self.settings.progress_check_interval
        } else {
            BUSY
        }
    }

    /// Whether the end of the job has been waited for since a moment.
    fn ends_job(&self) -> bool {
        let begun = self.operation().start_timestamp.unwrap_or_default();
        let waited = self.now().as_millisecond().saturating_sub(begun);
        matches!(self.stage(), Stage::Stopping | Stage::Cancelling)
            && waited <= i64::try_from(URGENT_FOR.as_millis()).unwrap_or(i64::MAX)
    }

    /// Whether nothing has changed for [`BUSY_FOR`].
    fn waits_for_long(&self) -> bool {
        let recorded =
            self.status.reconciliation_status.as_ref().and_then(|all| all.reconciliation_timestamp);
        let job = self.status.job_status.as_ref();
        let updated = job.and_then(|job| job.update_time.as_deref()?.parse::<i64>().ok());
        let last = recorded.max(updated).max(self.operation().start_timestamp).unwrap_or_default();
        let waited = self.now().as_millisecond().saturating_sub(last);
        waited > i64::try_from(BUSY_FOR.as_millis()).unwrap_or(i64::MAX)
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
        if self.rescales() {
            questions.push(Question::Parallelism { job_id: job_id.clone() });
        }
        questions.extend(self.pending_questions(&job_id));
        let operation = self.operation();
        if self.stage() == Stage::Stopping
            && let (Some(trigger_id), Some(job_id)) = (operation.trigger_id, operation.job_id)
        {
            questions.push(Question::Savepoint { job_id, trigger_id });
        }
        questions
    }
}
