//! TaskManagers of a standalone cluster are added and taken away while it runs, and come back when they were lost.
//!
//! Source of scaling: `StandaloneFlinkService.scale` of the Java operator, which scales applications in reactive mode
//! only; session clusters use whatever TaskManagers there are, so theirs are scaled too.

use api::{JobState, KubernetesDeploymentMode, Operation, OperationKind, ReconciliationState};
use resources::ClusterKind;

use super::pass::{Pass, Stage};
use crate::diff::{DiffType, SpecDiff};
use crate::effect::{Effect, ObjectReference, ScaleObject};
use crate::observed::{FlinkView, JobManager, TaskManagers, TaskManagersView};

impl Pass<'_> {
    pub(super) fn is_standalone(&self) -> bool {
        let spec = self.last.as_ref().map_or(&self.spec, |last| &last.spec);
        spec.mode_or_default() == KubernetesDeploymentMode::Standalone
    }

    /// Whether a Deployment of that name is the TaskManagers of this cluster. It may also be the JobManager of a
    /// FlinkDeployment that is called so.
    fn has_task_managers(&self, found: &TaskManagers) -> bool {
        let job_manager = self.observed.job_manager.as_ref().map(|job_manager| job_manager.uid.as_str());
        found.owned_by_resource || found.job_manager.is_some() && found.job_manager.as_deref() == job_manager
    }

    /// How many TaskManagers the cluster that runs ought to have; `None` when its configuration cannot be read.
    fn wanted_task_managers(&self) -> Option<i32> {
        let spec = self.deployed_spec()?;
        let conf = super::build::configuration(self, &spec).ok()?;
        resources::options::task_manager_replicas(&conf, ClusterKind::of(&spec)).ok()
    }

    /// Whether a JobManager that runs says that it has no TaskManagers, although there ought to be some: their Deployment
    /// may be gone. Nobody watches it.
    pub(super) fn lacks_task_managers(&self, job_manager: Option<&JobManager>, flink: &FlinkView) -> bool {
        let says_so = job_manager.filter(|it| it.is_available()).is_some_and(|job_manager| {
            let answer = flink.current().filter(|answer| answer.cluster == job_manager.uid);
            answer.is_some_and(|answer| answer.task_managers == Some(0))
        });
        says_so
            && self.stage() == Stage::Deployed
            && !self.job_ended()
            && self.wanted_task_managers() != Some(0)
    }

    /// Whether the TaskManagers of a cluster that runs were deleted. A Deployment of somebody else's that has taken their
    /// name is left alone.
    pub(super) fn task_managers_are_lost(&mut self) -> bool {
        if !self.is_standalone() || self.job_ended() {
            return false;
        }
        match &self.observed.task_managers {
            TaskManagersView::Unread => false,
            TaskManagersView::Absent => true,
            TaskManagersView::There(found) => {
                // Flink does not tell again that there are none, and nobody else tells when the Deployment goes.
                let goes = found.terminating;
                if !self.has_task_managers(found) {
                    self.hold_for_foreign_task_managers();
                }
                self.look_again(if goes {
                    self.settings.progress_check_interval
                } else {
                    self.settings.reconcile_interval
                });
                false
            }
        }
    }

    fn hold_for_foreign_task_managers(&mut self) {
        let message = format!(
            "A Deployment named {} exists in namespace {} and does not belong to this cluster, which therefore has no \
             TaskManagers. Remedy: delete or rename it; the TaskManagers then come by themselves.",
            resources::names::task_manager_deployment(self.name),
            self.namespace
        );
        self.hold("DeploymentExists", message);
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
        let there = match &self.observed.task_managers {
            TaskManagersView::There(there) if self.has_task_managers(there) => Some(there.clone()),
            TaskManagersView::There(_) | TaskManagersView::Absent | TaskManagersView::Unread => None,
        };
        let (Some(wanted), Some(there)) = (self.wanted_task_managers(), there) else {
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
        // The number of an operator that was replaced, sent late, would stay: nobody looks at it again.
        let resource_version = there.resource_version;
        self.effects.push(Effect::Scale(ScaleObject { object, resource_version, replicas: wanted }));
        self.again_at_once();
    }
}
