//! TaskManagers of a standalone cluster are added and taken away while it runs, and come back when they were lost.
//!
//! Source of scaling: `StandaloneFlinkService.scale` of the Java operator, which scales applications in reactive mode
//! only; session clusters use whatever TaskManagers there are, so theirs are scaled too.

use api::{JobState, KubernetesDeploymentMode, Operation, OperationKind, ReconciliationState};
use resources::ClusterKind;

use super::pass::{Pass, Stage};
use crate::diff::{DiffType, SpecDiff};
use crate::effect::{Effect, ObjectReference, ScaleObject};
use crate::observed::{JobManager, TaskManagers, TaskManagersView};

impl Pass<'_> {
    pub(super) fn is_standalone(&self) -> bool {
        let spec = self.last.as_ref().map_or(&self.spec, |last| &last.spec);
        spec.mode_or_default() == KubernetesDeploymentMode::Standalone
    }

    /// Whether a Deployment of that name is the TaskManagers of the cluster of that JobManager. It may also be the JobManager
    /// of a FlinkDeployment that is called so.
    fn has_task_managers(job_manager: Option<&JobManager>, found: &TaskManagers) -> bool {
        let job_manager = job_manager.map(|job_manager| job_manager.uid.as_str());
        found.owned_by_resource || found.job_manager.is_some() && found.job_manager.as_deref() == job_manager
    }

    fn are_ours(&self, found: &TaskManagers) -> bool {
        Self::has_task_managers(self.observed.job_manager.as_ref(), found)
    }

    /// How many TaskManagers the cluster that runs ought to have; `None` when its configuration cannot be read.
    fn wanted_task_managers(&self) -> Option<i32> {
        let spec = self.deployed_spec()?;
        let conf = super::build::configuration(self, &spec).ok()?;
        resources::options::task_manager_replicas(&conf, ClusterKind::of(&spec)).ok()
    }

    /// Whether the TaskManager Deployment, as the cache has it, is not what it ought to be while the cluster runs.
    pub(super) fn task_managers_look_wrong(
        &self,
        job_manager: Option<&JobManager>,
        known: Option<&TaskManagers>,
    ) -> bool {
        let is_well = |found: &TaskManagers| {
            !found.terminating
                && Self::has_task_managers(job_manager, found)
                && self.wrong_replicas(found).is_none()
        };
        self.stage() == Stage::Deployed && !self.job_ended() && !known.is_some_and(is_well)
    }

    /// How many TaskManagers there ought to be, if the Deployment says another number. That of a reactive job is anybody's
    /// until the spec changes: it takes the TaskManagers that there are. Nor does the operator fight with a
    /// HorizontalPodAutoscaler of the Deployment.
    fn wrong_replicas(&self, found: &TaskManagers) -> Option<i32> {
        if found.autoscaled {
            return None;
        }
        let spec = self.deployed_spec()?;
        let conf = super::build::configuration(self, &spec).ok()?;
        if flink_conf::is_reactive(&conf) {
            return None;
        }
        let wanted = resources::options::task_manager_replicas(&conf, ClusterKind::of(&spec)).ok()?;
        (found.desired_replicas != wanted).then_some(wanted)
    }

    /// Somebody has scaled the Deployment of the TaskManagers instead of the FlinkDeployment. A change of the spec, which may
    /// want yet another number, goes first.
    pub(super) fn restore_task_manager_replicas(&mut self) {
        let changes = self.scales() || self.status.observed_generation != Some(self.generation);
        if changes || !self.is_standalone() || self.job_ended() {
            return;
        }
        let TaskManagersView::There(found) = &self.observed.task_managers else { return };
        if found.terminating || !self.are_ours(found) {
            return;
        }
        if let Some(wanted) = self.wrong_replicas(found) {
            let found = found.clone();
            self.set_replicas(&found, wanted);
        }
    }

    fn set_replicas(&mut self, found: &TaskManagers, replicas: i32) {
        let name = resources::names::task_manager_deployment(self.name);
        let object = ObjectReference::deployment(self.namespace, &name, Some(&found.uid));
        // The number of an operator that was replaced, sent late, must not come true.
        let resource_version = found.resource_version.clone();
        self.effects.push(Effect::Scale(ScaleObject { object, resource_version, replicas }));
    }

    /// Whether the TaskManagers of a cluster that runs were deleted. A Deployment of somebody else's that has taken their
    /// name is left alone.
    pub(super) fn task_managers_are_lost(&mut self) -> bool {
        if !self.is_standalone() || self.job_ended() {
            return false;
        }
        match &self.observed.task_managers {
            TaskManagersView::Unread => false,
            TaskManagersView::Unknown => {
                self.look_again(self.settings.progress_check_interval);
                false
            }
            TaskManagersView::Absent => true,
            TaskManagersView::There(found) => {
                // Nobody tells when what has taken their name goes: it may have other labels.
                let (goes, ours) = (found.terminating, self.are_ours(found));
                if !ours {
                    self.hold_for_foreign_task_managers();
                }
                if goes {
                    self.look_again(self.settings.progress_check_interval);
                } else if !ours {
                    self.look_again(self.settings.reconcile_interval);
                }
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
            TaskManagersView::There(there) if self.are_ours(there) => Some(there.clone()),
            TaskManagersView::There(_)
            | TaskManagersView::Absent
            | TaskManagersView::Unread
            | TaskManagersView::Unknown => None,
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
        self.set_replicas(&there, wanted);
        self.again_at_once();
    }
}
