//! What the Flink poller asks about the job, and how often.

use std::time::Duration;

use super::Pass;
use crate::PollPlan;
use crate::job::pass::Stage;
use crate::job::polling::{BUSY, URGENT};

impl Pass<'_> {
    /// Asks about this job alone: what others do on the cluster makes no difference.
    pub(super) fn plan_poll(&mut self) {
        let Some(job_manager) = self.observed.job_manager.as_ref().filter(|it| it.is_available()) else {
            return;
        };
        let expected = match self.stage() {
            Stage::Deploying | Stage::Deployed | Stage::Stopping | Stage::Cancelling => true,
            Stage::Fresh | Stage::Stopped | Stage::Suspended | Stage::Restarting | Stage::Withdrawing => {
                false
            }
        };
        let Some(job_id) = self.job_id().filter(|_| expected) else { return };
        self.poll = Some(PollPlan {
            cluster: self.rest_api(),
            deployment_uid: job_manager.uid.clone(),
            interval: self.poll_interval(),
            timeout: self.settings.flink_client_timeout,
            patience: self.patience_with_flink(),
            statistics_lag: self.statistics_lag(),
            job_id: Some(job_id.to_owned()),
            questions: self.job_questions(),
        });
    }

    fn poll_interval(&self) -> Duration {
        let deleting = self.deletion_asked().is_some();
        let expects = deleting || self.rescales() || !self.pending_questions("").is_empty();
        let settled = self.is_settled() && self.observed.flink.failure.is_none();
        if self.ends_job() || deleting && !self.waits_for_long() {
            URGENT
        } else if settled && !expects {
            self.settings.reconcile_interval
        } else if settled || self.waits_for_long() {
            self.settings.progress_check_interval
        } else {
            BUSY
        }
    }
}
