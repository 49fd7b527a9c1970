//! What a pass over a FlinkDeployment knows besides what every pass does.

use api::reconciled::ReconciledSpec;
use api::{
    FlinkDeployment, FlinkDeploymentSpec, JobManagerDeploymentStatus, JobState, ReconciliationState,
    TaskManagerInfo,
};
use resources::ClusterKind;

pub(super) use crate::job::pass::{Sight, Stage};

/// A pass over a FlinkDeployment.
pub(super) type Pass<'a> = crate::job::pass::Pass<'a, FlinkDeployment>;

/// The recorded spec of a FlinkDeployment.
pub(super) type Recorded = ReconciledSpec<FlinkDeploymentSpec>;

impl Pass<'_> {
    pub(super) fn job_manager_status(&self) -> JobManagerDeploymentStatus {
        self.status.job_manager_deployment_status_or_default()
    }

    /// Whether this is an application; a recorded session cluster stays one.
    pub(super) fn is_application(&self) -> bool {
        self.last.as_ref().map_or(&self.spec, |last| &last.spec).job.is_some()
    }

    /// Records `spec` as the one that is about to be deployed, or was suspended.
    pub(super) fn record_spec(
        &mut self,
        spec: FlinkDeploymentSpec,
        state: ReconciliationState,
        job: JobState,
    ) {
        let wanted_suspended = spec.job.is_some() && job == JobState::Suspended;
        self.record_job_spec(spec, state, job);
        self.record_task_managers(!wanted_suspended);
    }

    /// `status.taskManager`, which the scale subresource shows. Native session clusters have none: Flink makes as many
    /// TaskManagers as their jobs need.
    pub(super) fn record_task_managers(&mut self, running: bool) {
        if !self.is_application() && !self.is_standalone() {
            return;
        }
        let replicas = if running { self.task_manager_replicas() } else { 0 };
        let label_selector =
            if running { format!("component=taskmanager,app={}", self.name) } else { String::new() };
        self.status.task_manager =
            Some(TaskManagerInfo { label_selector: Some(label_selector), replicas: Some(replicas) });
    }

    /// ceil(parallelism ÷ slots), or what the spec says of a session cluster; 0 when the configuration cannot be read,
    /// which is reported elsewhere.
    fn task_manager_replicas(&self) -> i32 {
        let spec = self.last.as_ref().map_or(&self.spec, |last| &last.spec);
        let Ok(conf) = super::build::configuration(self, spec) else { return 0 };
        let replicas = if self.is_application() {
            flink_conf::task_manager_replicas(&conf).ok()
        } else {
            resources::options::task_manager_replicas(&conf, ClusterKind::Session).ok()
        };
        replicas.unwrap_or(0)
    }
}
