//! A session cluster waits for the jobs on it, as configured.

use super::super::pass::Pass;
use super::super::session::{JOBS_UNKNOWN, JobsOnCluster, SOON};
use crate::effect::{DeleteObject, Effect, ObjectReference, Propagation};
use crate::event::{Component, EventRecord, Reason};

/// The way out of a blocked deletion.
const REMEDY: &str = "or set kubernetes.operator.session.deletion.block-on-unmanaged-jobs: false.";

impl Pass<'_> {
    /// Whether the session cluster is kept for jobs. A cluster that was never created has none, and FlinkSessionJobs
    /// are then only told of.
    pub(super) fn is_blocked_by_session_jobs(&mut self) -> bool {
        if self.is_application() {
            return false;
        }
        if self.settings.session_deletion_cascades && !self.observed.session_jobs.is_empty() {
            self.delete_session_jobs();
            return true;
        }
        if !self.settings.session_deletion_blocks_on_jobs {
            return false;
        }
        if !self.observed.session_jobs.is_empty() {
            let names: Vec<&str> = self.observed.session_jobs.iter().map(|job| job.name.as_str()).collect();
            self.block(
                "SessionJobs",
                format!(
                    "The session cluster is not deleted while FlinkSessionJobs refer to it: {}. Remedy: delete them, or \
                     set kubernetes.operator.session.deletion.block-on-session-jobs: false to leave them behind, or \
                     kubernetes.operator.session.deletion.cascade-to-session-jobs: true to have them deleted.",
                    names.join(", ")
                ),
            );
            return true;
        }
        self.settings.session_deletion_blocks_on_unmanaged_jobs && self.is_blocked_by_unmanaged_jobs()
    }

    /// They go first, so that their jobs end as their own specs say.
    fn delete_session_jobs(&mut self) {
        let observed = self.observed;
        for job in observed.session_jobs.iter().filter(|job| !job.terminating) {
            let object = ObjectReference::new(
                "flink.apache.org/v1beta1",
                "FlinkSessionJob",
                self.namespace,
                &job.name,
                job.uid.as_deref(),
            );
            self.effects.push(Effect::Delete(DeleteObject { object, propagation: Propagation::Background }));
        }
        let names: Vec<&str> = observed.session_jobs.iter().map(|job| job.name.as_str()).collect();
        let message =
            format!("These FlinkSessionJobs are being deleted with their cluster: {}.", names.join(", "));
        self.deletion_waits("SessionJobs", message);
        self.look_again(self.settings.reconcile_interval);
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
                    JOBS_UNKNOWN,
                    format!("The JobManager was not heard yet about the jobs on it. Remedy: wait, {REMEDY}"),
                );
                self.look_again(SOON);
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
