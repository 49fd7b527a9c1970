//! A session cluster waits for the jobs on it, as configured.

use super::super::pass::Pass;
use super::super::session::JobsOnCluster;
use crate::event::{Component, EventRecord, Reason};

/// The way out of a blocked deletion.
const REMEDY: &str = "or set kubernetes.operator.session.deletion.block-on-unmanaged-jobs: false.";

impl Pass<'_> {
    /// Whether the session cluster is kept for jobs. A cluster that was never created has none, and FlinkSessionJobs
    /// are then only told of.
    pub(super) fn is_blocked_by_session_jobs(&mut self) -> bool {
        if self.is_application() || !self.settings.session_deletion_blocks_on_jobs {
            return false;
        }
        if !self.observed.session_jobs.is_empty() {
            let names: Vec<&str> = self.observed.session_jobs.iter().map(|job| job.name.as_str()).collect();
            self.block(
                "SessionJobs",
                format!(
                    "The session cluster is not deleted while FlinkSessionJobs refer to it: {}. Remedy: delete them, or \
                     set kubernetes.operator.session.deletion.block-on-session-jobs: false.",
                    names.join(", ")
                ),
            );
            return true;
        }
        self.settings.session_deletion_blocks_on_unmanaged_jobs && self.is_blocked_by_unmanaged_jobs()
    }

    fn is_blocked_by_unmanaged_jobs(&mut self) -> bool {
        match self.jobs_on_cluster() {
            JobsOnCluster::Known(jobs) if jobs.is_empty() => false,
            JobsOnCluster::Known(jobs) => {
                let ids: Vec<&str> = jobs.iter().map(|job| job.job_id.as_str()).collect();
                self.block(
                    "RunningJobs",
                    format!(
                        "The session cluster is not deleted while jobs run on it: {}. Remedy: cancel them, {REMEDY}",
                        ids.join(", ")
                    ),
                );
                true
            }
            JobsOnCluster::Unknown => {
                self.deletion_waits(
                    "JobsUnknown",
                    format!("The JobManager was not heard yet about the jobs on it. Remedy: wait, {REMEDY}"),
                );
                self.look_again(self.settings.progress_check_interval);
                true
            }
        }
    }

    fn block(&mut self, reason: &'static str, message: String) {
        let event = EventRecord::warning(Reason::CleanupFailed, Component::Operator, message.as_str());
        self.event(event.at_most_every(self.settings.reconcile_interval));
        self.deletion_waits(reason, message);
        self.look_again(self.settings.reconcile_interval);
    }
}
