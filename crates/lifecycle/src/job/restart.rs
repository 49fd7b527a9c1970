//! Jobs that fail, and fail again.

use api::RetryKind;

use super::failure::RECOVERED;
use super::pass::Pass;
use super::resource::{JobResource, JobResourceStatus};

impl<R: JobResource> Pass<'_, R> {
    /// Whether a job that has failed was restarted as often as it may be.
    pub(crate) fn restarts_are_used_up(&mut self) -> bool {
        if self.ran_for() >= RECOVERED.as_millis() {
            self.forget_failures(RetryKind::RestartJob);
        }
        let failures = self.failures_of(RetryKind::RestartJob);
        if self.settings.restart_failed_limit.is_some_and(|limit| failures >= limit) {
            self.hold(
                "RestartLimitReached",
                format!(
                    "The job has failed again after {failures} restarts, and \
                     kubernetes.operator.job.restart.failed.max-attempts allows no more. Remedy: see status.error; to \
                     restart it, change spec.restartNonce."
                ),
            );
            return true;
        }
        false
    }

    /// How long the job ran before it ended, in milliseconds.
    fn ran_for(&self) -> u128 {
        let job = self.status.job_status();
        let time = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
        let started = time(job.and_then(|job| job.start_time.as_deref()));
        let ended = time(job.and_then(|job| job.update_time.as_deref()));
        let millis = started.zip(ended).map_or(0, |(started, ended)| ended.saturating_sub(started));
        u128::try_from(millis).unwrap_or(0)
    }
}
