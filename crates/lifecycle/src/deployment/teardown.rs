//! Taking a cluster down.

use std::time::Duration;

use api::UpgradeMode;

use super::pass::{Pass, Stage};
use super::restore::Ha;
use crate::effect::{DeleteObject, Effect, ObjectReference, Propagation, ScaleObject};
use crate::observed::{JobManager, TaskManagersView};

/// When to look again while the JobManager's pods end: nothing is watched that tells.
const PODS_END: Duration = Duration::from_millis(200);

impl Pass<'_> {
    /// Makes room for the next cluster. Returns whether there is still one, ours or somebody else's.
    pub(super) fn old_cluster_goes(&mut self) -> bool {
        let Some(job_manager) = self.observed.job_manager.clone() else { return false };
        if job_manager.owned {
            self.delete_deployment(&job_manager);
        } else {
            self.foreign_deployment();
        }
        true
    }

    /// Deletes the cluster's Deployment and waits until it is gone.
    ///
    /// Where HA metadata has to survive, the JobManager goes first. A JobManager that outlives its TaskManagers sees its
    /// job fail, and removes the metadata of a job that failed for good.
    pub(super) fn delete_deployment(&mut self, job_manager: &JobManager) {
        if !job_manager.terminating && !self.job_manager_has_to_end_first(job_manager) {
            // First, because nobody looks for them when the JobManager's Deployment is gone.
            self.delete_task_managers_of_java_operator();
            let object = ObjectReference::deployment(self.namespace, self.name, Some(&job_manager.uid));
            self.effects.push(Effect::Delete(DeleteObject { object, propagation: Propagation::Foreground }));
        }
        self.look_again(self.settings.progress_check_interval);
    }

    /// TaskManagers that belong to the FlinkDeployment itself stay when their JobManager goes.
    fn delete_task_managers_of_java_operator(&mut self) {
        let TaskManagersView::There(left) = &self.observed.task_managers else { return };
        if !left.owned_by_resource {
            return;
        }
        let name = resources::names::task_manager_deployment(self.name);
        let object = ObjectReference::deployment(self.namespace, &name, Some(&left.uid));
        self.effects.push(Effect::Delete(DeleteObject { object, propagation: Propagation::Foreground }));
    }

    /// Whether the pods of the JobManager are still to end; asks for that, too.
    fn job_manager_has_to_end_first(&mut self, job_manager: &JobManager) -> bool {
        let keeps_metadata = match self.stage() {
            _ if matches!(self.ha(), Ha::Off) => false,
            Stage::Stopped | Stage::Suspended => {
                !self.is_application() || self.recorded_mode() == UpgradeMode::LastState
            }
            Stage::Restarting => !self.job_ended(),
            Stage::Fresh
            | Stage::Deploying
            | Stage::Stopping
            | Stage::Cancelling
            | Stage::Withdrawing
            | Stage::Deployed => false,
        };
        if !keeps_metadata || self.is_teardown_overdue() {
            return false;
        }
        if job_manager.desired_replicas > 0 {
            let object = ObjectReference::deployment(self.namespace, self.name, Some(&job_manager.uid));
            self.effects.push(Effect::Scale(ScaleObject { object, resource_version: None, replicas: 0 }));
            self.look_again(PODS_END);
            return true;
        }
        let waits = self.observed.job_manager_pods != Some(0);
        if waits {
            self.look_again(PODS_END);
        }
        waits
    }

    /// Pods on a node that is gone never end; half of the time that a cluster has to go is theirs.
    fn is_teardown_overdue(&self) -> bool {
        let recorded =
            self.status.reconciliation_status.as_ref().and_then(|all| all.reconciliation_timestamp);
        let begun = self.operation().start_timestamp.max(recorded).unwrap_or_default();
        let waited = self.now().as_millisecond().saturating_sub(begun);
        waited > i64::try_from(self.settings.cleanup_timeout.as_millis() / 2).unwrap_or(i64::MAX)
    }
}
