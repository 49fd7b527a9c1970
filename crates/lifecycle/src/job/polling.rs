//! What is asked of Flink about a job, and how often.

use std::time::Duration;

use super::pass::{Pass, Stage};
use super::resource::{JobResource, JobResourceStatus};
use crate::Question;

/// Time between polls while something is about to change. Polls do not hold a reconcile slot.
pub(crate) const BUSY: Duration = Duration::from_secs(1);

/// The same while a job is being ended: nothing runs until its end is seen.
pub(crate) const URGENT: Duration = Duration::from_millis(250);

/// For how long polls are as frequent as that.
const URGENT_FOR: Duration = Duration::from_secs(30);

/// For how long polls are as frequent as [`BUSY`].
const BUSY_FOR: Duration = Duration::from_mins(5);

/// Flink's default; also for a configuration that cannot be read.
const STATISTICS_LAG: Duration = Duration::from_secs(3);

impl<R: JobResource> Pass<'_, R> {
    /// Whether the end of the job has been waited for since a moment.
    pub(crate) fn ends_job(&self) -> bool {
        let begun = self.operation().start_timestamp.unwrap_or_default();
        let waited = self.now().as_millisecond().saturating_sub(begun);
        matches!(self.stage(), Stage::Stopping | Stage::Cancelling)
            && waited <= i64::try_from(URGENT_FOR.as_millis()).unwrap_or(i64::MAX)
    }

    /// Whether nothing has changed for [`BUSY_FOR`].
    pub(crate) fn waits_for_long(&self) -> bool {
        let recorded = self.recorded_at();
        let job = self.status.job_status();
        let updated = job.and_then(|job| job.update_time.as_deref()?.parse::<i64>().ok());
        let last = recorded.max(updated).max(self.operation().start_timestamp).unwrap_or_default();
        let waited = self.now().as_millisecond().saturating_sub(last);
        waited > i64::try_from(BUSY_FOR.as_millis()).unwrap_or(i64::MAX)
    }

    /// How long the running cluster repeats answers about checkpoints.
    pub(crate) fn statistics_lag(&self) -> Duration {
        R::configuration(self)
            .and_then(|conf| flink_conf::checkpoint_statistics_lag(&conf).ok())
            .unwrap_or(STATISTICS_LAG)
    }

    /// All that is to be known of the job.
    pub(crate) fn job_questions(&self) -> Vec<Question> {
        let Some(job_id) = self.job_id().map(str::to_owned) else { return Vec::new() };
        let mut questions = vec![
            Question::Checkpoints { job_id: job_id.clone() },
            Question::FailureCause { job_id: job_id.clone() },
            Question::Exceptions { job_id: job_id.clone() },
        ];
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
