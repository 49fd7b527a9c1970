//! A session cluster whose spec changes.

use std::time::Duration;

use api::{JobState, ReconciliationState};
use jiff::SignedDuration;

use super::pass::Pass;
use super::restore::Ha;
use crate::observed::{FlinkView, JobOverview, SessionJob};

/// What to do about jobs that would be lost.
const REMEDY: &str = "Remedy: cancel them, or run them as FlinkSessionJobs, which are stopped and started again with their \
                      state; or, to give up their state, set \
                      kubernetes.operator.session.upgrade.block-on-running-jobs: false in the flinkConfiguration. With \
                      high-availability.type: kubernetes jobs survive the next change.";

/// How old an answer may be that says that no job runs.
const NEWS: SignedDuration = SignedDuration::from_secs(3);

/// How soon to look again for such an answer.
pub(super) const SOON: Duration = Duration::from_secs(1);

/// Reason of conditions while nobody knows which jobs run.
pub const JOBS_UNKNOWN: &str = "JobsUnknown";

/// Reason of the condition by which the FlinkSessionJobs of a cluster know that they are to stop, with their state, until
/// the cluster has been replaced.
pub const STOPPING_SESSION_JOBS: &str = "StoppingSessionJobs";

/// What is known of the jobs on a session cluster.
pub(super) enum JobsOnCluster {
    /// These run; none, when it is empty.
    Known(Vec<JobOverview>),
    /// A JobManager is up and has not said which jobs it has.
    Unknown,
}

impl Pass<'_> {
    /// A session cluster is replaced; HA metadata stays, so that Flink recovers its jobs. Without HA they would be lost.
    pub(super) fn change_session(&mut self) {
        if self.jobs_would_be_lost() {
            self.keep_running();
            return;
        }
        self.record_spec(self.spec.clone(), ReconciliationState::Upgrading, JobState::Running);
        self.replace_cluster();
    }

    /// Whether jobs run on the cluster: without high availability nobody could bring them back with their state. Those of
    /// FlinkSessionJobs stop by themselves, with their state, and come back on the next cluster.
    fn jobs_would_be_lost(&mut self) -> bool {
        if !self.settings.session_upgrade_blocks_on_jobs || !matches!(self.ha(), Ha::Off) {
            return false;
        }
        let jobs = match self.jobs_on_cluster() {
            JobsOnCluster::Unknown => {
                let message = format!(
                    "The change waits until the JobManager says which jobs run on it: without high availability they \
                     would be lost. {REMEDY}"
                );
                self.hold(JOBS_UNKNOWN, message);
                self.look_again(SOON);
                return true;
            }
            JobsOnCluster::Known(jobs) => jobs,
        };
        let is_managed = |job: &JobOverview| {
            self.observed.session_jobs.iter().any(|one| one.job_id.as_deref() == Some(job.job_id.as_str()))
        };
        let others: Vec<_> = jobs.into_iter().filter(|job| !is_managed(job)).collect();
        if !others.is_empty() {
            let lost: Vec<String> =
                others.iter().map(|job| format!("{} ({})", job.job_id, job.name)).collect();
            let message = format!(
                "The change waits, because these jobs and their state would be lost with the cluster, which has no high \
                 availability: {}. {REMEDY}",
                lost.join(", ")
            );
            self.hold("JobsWouldBeLost", message);
            self.look_again(self.settings.reconcile_interval);
            return true;
        }
        self.session_jobs_stop()
    }

    /// Whether FlinkSessionJobs still have to stop, or to record how far their jobs came. One whose job the cluster does
    /// not know has lost it already.
    fn session_jobs_stop(&mut self) -> bool {
        let jobs =
            self.observed.flink.answer.as_ref().map(|answer| answer.jobs.as_slice()).unwrap_or_default();
        let is_listed = |id: &String| jobs.iter().any(|job| job.job_id == *id);
        let runs =
            |job: &SessionJob| job.under_way || !job.ended && job.job_id.as_ref().is_some_and(is_listed);
        let names: Vec<&str> =
            self.observed.session_jobs.iter().filter(|job| runs(job)).map(|job| job.name.as_str()).collect();
        if names.is_empty() {
            return false;
        }
        let message = format!(
            "The change waits until these FlinkSessionJobs have stopped with their state, because the cluster has no high \
             availability: {}. They come back on the next cluster. If one cannot be stopped, its status says why. To give \
             up their state, set kubernetes.operator.session.upgrade.block-on-running-jobs: false in the \
             flinkConfiguration.",
            names.join(", ")
        );
        self.hold(STOPPING_SESSION_JOBS, message);
        self.look_again(SOON);
        true
    }

    /// The jobs that have not ended, as the JobManager said last. Where none is up there are none, unless HA metadata
    /// names some, which the next JobManager recovers.
    ///
    /// A query that failed is not "no jobs" (the Java operator takes it for that), as long as the JobManager may still
    /// answer; one that has not answered for `kubernetes.operator.resource.cleanup.timeout` is given up.
    pub(super) fn jobs_on_cluster(&self) -> JobsOnCluster {
        let Some(job_manager) = self.observed.job_manager.as_ref().filter(|one| one.is_available()) else {
            let recoverable = match self.ha() {
                Ha::Metadata(metadata) => !metadata.job_graphs.is_empty(),
                Ha::Unread => true,
                Ha::Off | Ha::ZooKeeper | Ha::Elsewhere => false,
            };
            return if recoverable && !self.is_given_up() {
                JobsOnCluster::Unknown
            } else {
                JobsOnCluster::Known(Vec::new())
            };
        };
        let FlinkView { answer, failure } = &self.observed.flink;
        if let Some(answer) = answer.as_ref().filter(|answer| answer.cluster == job_manager.uid) {
            // An end that is recorded may be younger than the answer.
            let has_ended = |job: &JobOverview| {
                let is_it =
                    |one: &SessionJob| one.ended && one.job_id.as_deref() == Some(job.job_id.as_str());
                job.state.is_terminal() || self.observed.session_jobs.iter().any(is_it)
            };
            let live: Vec<_> = answer.jobs.iter().filter(|job| !has_ended(job)).cloned().collect();
            // Whoever deletes a cluster may have deleted its jobs right before: those of a list from before are not there
            // any more.
            let asked = self.resource.metadata.deletion_timestamp.as_ref().map(|time| time.0);
            let may_be_over = asked.is_some_and(|asked| answer.at.as_second() <= asked.as_second());
            let is_news = self.now().duration_since(answer.at) <= NEWS && (live.is_empty() || !may_be_over);
            // What is said is soon out of date. A JobManager that has fallen silent still has the jobs that it had.
            if is_news || failure.is_some() && !live.is_empty() {
                return JobsOnCluster::Known(live);
            }
        }
        let silent_for =
            failure.as_ref().map(|failure| self.now().duration_since(failure.since).unsigned_abs());
        if silent_for.is_some_and(|silent_for| silent_for >= self.settings.cleanup_timeout) {
            return JobsOnCluster::Known(Vec::new());
        }
        JobsOnCluster::Unknown
    }

    /// Whether a deletion has waited for the JobManager for as long as it may.
    fn is_given_up(&self) -> bool {
        let asked = self.resource.metadata.deletion_timestamp.as_ref().map(|time| time.0);
        asked.is_some_and(|asked| {
            self.now().duration_since(asked).unsigned_abs() >= self.settings.cleanup_timeout
        })
    }
}
