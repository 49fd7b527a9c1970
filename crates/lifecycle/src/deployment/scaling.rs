//! TaskManagers of a standalone cluster are added and taken away while it runs.
//!
//! Source: `StandaloneFlinkService.scale` of the Java operator, which scales applications in reactive mode only; session
//! clusters use whatever TaskManagers there are, so theirs are scaled too.

use api::{JobState, KubernetesDeploymentMode, Operation, OperationKind, ReconciliationState};

use super::pass::Pass;
use crate::diff::{DiffType, SpecDiff};
use crate::effect::{Effect, ObjectReference, ScaleObject};
use crate::observed::TaskManagers;

impl Pass<'_> {
    pub(super) fn is_standalone(&self) -> bool {
        let spec = self.last.as_ref().map_or(&self.spec, |last| &last.spec);
        spec.mode_or_default() == KubernetesDeploymentMode::Standalone
    }

    /// Whether TaskManagers are being added or taken away.
    pub(super) fn scales(&self) -> bool {
        self.status.operation.as_ref().and_then(|operation| operation.kind) == Some(OperationKind::Scaling)
    }

    /// The TaskManagers of this cluster. A Deployment of that name may also be the JobManager of a FlinkDeployment that is
    /// called so.
    fn task_managers(&self) -> Option<&TaskManagers> {
        let job_manager = self.observed.job_manager.as_ref().map(|job_manager| job_manager.uid.as_str());
        let ours = |it: &&TaskManagers| {
            it.owned_by_resource || it.job_manager.is_some() && it.job_manager.as_deref() == job_manager
        };
        self.observed.task_managers.as_ref().filter(ours)
    }

    /// Whether the change is done when the number of TaskManagers is another one.
    fn is_scaled_by_replicas(&self, change: &SpecDiff) -> bool {
        let reactive =
            || super::build::configuration(self, &self.spec).is_ok_and(|conf| flink_conf::is_reactive(&conf));
        change.kind == DiffType::Scale
            && self.is_standalone()
            && self.observed.job_manager.as_ref().is_some_and(|job_manager| !job_manager.terminating)
            && (!self.is_application() || !self.wants_suspended() && !self.job_ended() && reactive())
    }

    /// Records the new spec as deployed, with the number of TaskManagers still to come. Returns whether that is all there
    /// is to do about the change.
    pub(super) fn scale_task_managers(&mut self, change: &SpecDiff) -> bool {
        if !self.is_scaled_by_replicas(change) {
            return false;
        }
        self.record_spec(self.spec.clone(), ReconciliationState::Deployed, JobState::Running);
        self.begin(Operation {
            kind: Some(OperationKind::Scaling),
            generation: Some(self.generation),
            ..Operation::default()
        });
        self.again_at_once();
        true
    }

    /// Until the Deployment has the number of replicas that is recorded.
    pub(super) fn follow_scaling(&mut self) {
        if !self.scales() || !self.is_standalone() {
            return;
        }
        let wanted = self
            .deployed_spec()
            .and_then(|spec| super::build::configuration(self, &spec).ok())
            .and_then(|conf| resources::options::task_manager_replicas(&conf).ok());
        let (Some(wanted), Some(there)) = (wanted, self.task_managers().cloned()) else {
            self.look_again(self.settings.progress_check_interval);
            return;
        };
        if there.desired_replicas == wanted {
            self.status.operation = None;
            self.again_at_once();
            return;
        }
        let name = resources::names::task_manager_deployment(self.name);
        let object = ObjectReference::deployment(self.namespace, &name, Some(&there.uid));
        self.effects.push(Effect::Scale(ScaleObject { object, resource_version: None, replicas: wanted }));
        self.again_at_once();
    }
}
