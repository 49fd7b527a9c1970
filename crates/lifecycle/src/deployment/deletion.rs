//! Deletion: the job first, then the cluster, then its HA metadata, then the finalizer. It ends from every state.

use crate::event::{Component, EventRecord, Reason};

use super::pass::Pass;

impl Pass<'_> {
    /// One pass of a resource whose deletion was asked for.
    pub(super) fn delete(&mut self) {
        if !super::has_finalizer(self.resource) {
            return;
        }
        self.announce_deletion();
        if self.is_blocked_by_session_jobs() {
            return;
        }
        let overdue = self.deletion_is_overdue();
        if let Some(job_manager) = self.observed.job_manager.clone().filter(|job_manager| job_manager.owned) {
            if !job_manager.terminating {
                self.cancel_quietly();
            }
            if !overdue || !job_manager.terminating {
                self.delete_deployment(&job_manager);
                return;
            }
        }
        if self.observed.ha.is_none() && !overdue {
            self.look_again(self.settings.progress_check_interval);
            return;
        }
        if self.delete_ha_metadata() {
            self.again_at_once();
            return;
        }
        self.effects.push(crate::Effect::RemoveFinalizer);
    }

    fn announce_deletion(&mut self) {
        self.set_deleting();
        let event = EventRecord::normal(Reason::Cleanup, Component::Operator, "Cleaning up FlinkDeployment");
        self.event(event.once("Cleanup"));
        if let Some(failure) = &self.observed.failure {
            let message = format!("{}: {}", failure.action, failure.message);
            let event = EventRecord::warning(Reason::CleanupFailed, Component::Operator, message);
            self.event(event);
        }
    }

    /// A session cluster waits for its FlinkSessionJobs, unless it was told not to.
    fn is_blocked_by_session_jobs(&mut self) -> bool {
        if !self.settings.session_deletion_blocks_on_jobs || self.observed.session_jobs.is_empty() {
            return false;
        }
        if self.is_application() {
            return false;
        }
        let message = format!(
            "The session cluster is not deleted while FlinkSessionJobs refer to it: {}. Remedy: delete them.",
            self.observed.session_jobs.join(", ")
        );
        let event = EventRecord::warning(Reason::CleanupFailed, Component::Operator, message);
        self.event(event.at_most_every(self.settings.reconcile_interval));
        self.look_again(self.settings.reconcile_interval);
        true
    }

    /// Whether the cluster had `kubernetes.operator.resource.cleanup.timeout` to go. Afterwards what is left belongs to
    /// the garbage collector, and the resource goes.
    fn deletion_is_overdue(&mut self) -> bool {
        let Some(asked) = self.resource.metadata.deletion_timestamp.as_ref() else { return false };
        let waited = self.now().duration_since(asked.0).unsigned_abs();
        let overdue = waited > self.settings.cleanup_timeout;
        if overdue && self.observed.job_manager.is_some() {
            let message =
                "The cluster did not go in time; what is left of it is left to the garbage collector.";
            let event = EventRecord::warning(Reason::CleanupFailed, Component::Operator, message);
            self.event(event.once("overdue"));
        }
        overdue
    }
}
