//! Deletion: the job first, then the cluster, then its HA metadata, then the finalizer. It ends from every state, and
//! until then the condition `Deleting` names what it waits for.
//!
//! | stage | waits for | at most |
//! |---|---|---|
//! | session jobs | FlinkSessionJobs and jobs on a session cluster, as configured | until the user acts; for an answer of the JobManager: `resource.cleanup.timeout` |
//! | savepoint | a savepoint of the job, if configured | three tries of `execution.checkpointing.timeout`, and as long for a job that does not run |
//! | cluster | the Deployment and its pods | `resource.cleanup.timeout` from its deletion on |
//! | metadata | ConfigMaps with HA metadata | as long again, counted from the beginning of the stage before |
//! | nodes | nodes in `ZooKeeper` | three tries |
//!
//! What is elsewhere is named (see `leftovers`).
//!
//! (options without `kubernetes.operator.`)

mod leftovers;
mod session_jobs;
mod zookeeper;

use api::{LifecycleState, Operation, OperationKind};
use jiff::Timestamp;

use super::pass::Pass;
use crate::event::{Component, EventRecord, Reason};
use crate::observed::{HaMetadata, JobManager};

impl Pass<'_> {
    /// One pass of a resource whose deletion was asked for.
    pub(super) fn delete(&mut self) {
        if !super::has_finalizer(self.resource) {
            return;
        }
        self.announce_deletion();
        if self.deletes_cluster() {
            self.tell_what_goes();
        } else {
            if self.is_blocked_by_session_jobs() || self.waits_for_last_savepoint() {
                self.plan_poll();
                return;
            }
            self.begin_to_delete_cluster();
        }
        if let Some(job_manager) = self.observed.job_manager.clone().filter(|job_manager| job_manager.owned)
            && !self.cluster_goes(&job_manager)
        {
            return;
        }
        if self.metadata_goes() && self.nodes_go() {
            self.end_deletion();
        }
    }

    /// A resource that goes needs no further status.
    fn end_deletion(&mut self) {
        let stored = self.resource.status.as_ref();
        let announced = stored.filter(|stored| stored.lifecycle_state == Some(LifecycleState::Deleting));
        if let Some(announced) = announced {
            self.status = announced.clone();
        }
        self.effects.push(crate::Effect::RemoveFinalizer);
    }

    fn announce_deletion(&mut self) {
        self.set_deleting();
        self.announce_with_leftovers();
        if let Some(failure) = &self.observed.failure {
            let message = format!("{}: {}", failure.action, failure.message);
            let event = EventRecord::warning(Reason::CleanupFailed, Component::Operator, message);
            self.event(event.at_most_every(self.settings.reconcile_interval));
        }
    }

    // ---- cluster ------------------------------------------------------------------------------------------------

    /// Whether the stages before are over.
    fn deletes_cluster(&self) -> bool {
        self.status.operation.as_ref().and_then(|operation| operation.kind) == Some(OperationKind::Deleting)
    }

    fn begin_to_delete_cluster(&mut self) {
        self.begin(Operation { kind: Some(OperationKind::Deleting), ..Operation::default() });
    }

    /// Returns whether the cluster counts as gone although its Deployment is there: it had its time.
    fn cluster_goes(&mut self, job_manager: &JobManager) -> bool {
        let mut message = format!(
            "The Deployment {} and its pods are being deleted. If a pod does not end, its node may be gone.",
            self.name
        );
        if let Some(files) = self.files_that_stay() {
            message = format!("{message} {files}");
        }
        self.deletion_waits("WaitingForCluster", message);
        if !job_manager.terminating {
            self.cancel_quietly();
            self.delete_deployment(job_manager);
            return false;
        }
        if !self.is_overdue(job_manager.terminating_since, 1) {
            self.look_again(self.settings.progress_check_interval);
            return false;
        }
        let message = "The cluster did not go in time; what is left of it is left to the garbage collector, and what its \
                       JobManager writes from now on is left behind.";
        let event = EventRecord::warning(Reason::CleanupFailed, Component::Operator, message);
        self.event(event.once("overdue"));
        true
    }

    /// Whether what began then has had `kubernetes.operator.resource.cleanup.timeout` so many times.
    fn is_overdue(&self, since: Option<Timestamp>, times: u32) -> bool {
        since.is_some_and(|since| {
            let waited = self.now().duration_since(since);
            waited.is_positive() && waited.unsigned_abs() > self.settings.cleanup_timeout * times
        })
    }

    // ---- HA metadata --------------------------------------------------------------------------------------------

    /// Returns whether nothing is left to wait for. What belongs to a Deployment that is not ours stays, and so does what
    /// was there before anything was deployed.
    fn metadata_goes(&mut self) -> bool {
        let foreign = self.observed.job_manager.as_ref().is_some_and(|job_manager| !job_manager.owned);
        if foreign || self.status.last_reconciled_spec().is_none() {
            return true;
        }
        let begun = self.operation().start_timestamp;
        let begun = begun.and_then(|millis| Timestamp::from_millisecond(millis).ok());
        // The cluster may have taken all of its own time.
        let overdue = self.is_overdue(begun, 2);
        if overdue {
            self.leave_metadata_behind();
        }
        if self.observed.ha.is_none() && !overdue {
            self.deletion_waits("WaitingForHaMetadata", "The ConfigMaps with HA metadata could not be read.");
            self.look_again(self.settings.progress_check_interval);
            return false;
        }
        if self.delete_ha_metadata() && !overdue {
            self.deletion_waits("WaitingForHaMetadata", "ConfigMaps with HA metadata are being deleted.");
            self.again_at_once();
            return false;
        }
        true
    }

    /// What cannot be read or deleted in time is named, so that somebody can remove it.
    fn leave_metadata_behind(&mut self) {
        let left = match &self.observed.ha {
            Some(ha) if ha.config_maps.is_empty() => return,
            Some(ha) => {
                let names: Vec<&str> = ha.config_maps.iter().map(|(name, _)| name.as_str()).collect();
                format!(
                    "These ConfigMaps with HA metadata could not be deleted in time: {}.",
                    names.join(", ")
                )
            }
            None => "The ConfigMaps with HA metadata could not be read in time.".to_owned(),
        };
        let message = format!(
            "{left} Remedy: when the Deployment {name} is gone, kubectl delete configmap --namespace {} --selector {}",
            self.namespace,
            HaMetadata::selector(self.name),
            name = self.name,
        );
        let event = EventRecord::warning(Reason::CleanupFailed, Component::Operator, message);
        self.event(event.once("metadata overdue"));
    }
}
