//! The objects of one cluster, in the form in which they are sent.

use api::KubernetesDeploymentMode;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube_core::DynamicObject;

use crate::input::ClusterInput;
use crate::{BuildError, native, standalone};

/// Annotation on the Deployments of a cluster (not on their pods) that names the deployment attempt which created them,
/// so that an operator which lost the answer of its create call recognises its own objects.
pub const ATTEMPT_ANNOTATION: &str = "flinkdeployment.flink.apache.org/attempt";

/// Everything that makes up one Flink cluster.
///
/// Objects are untyped on purpose: a pod template may use fields that are younger than the Kubernetes types that
/// this operator was compiled with, and they must reach the API server as the user wrote them. All parts that are
/// known have been checked against the Kubernetes types when this value was built.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterObjects {
    /// The JobManager Deployment, with the attempt annotation and an owner reference to the FlinkDeployment.
    /// It is created first: its uid owns the dependents.
    pub deployment: DynamicObject,
    /// The TaskManager Deployment of a standalone cluster, with the same annotation; `None` in native mode, where Flink
    /// makes TaskManagers.
    ///
    /// It is the last of the dependents, because its pods mount others of them. TaskManagers find their JobManager by
    /// name or in HA metadata, not by attempt: those of another attempt would serve the new JobManager with an old image
    /// and configuration. Therefore it belongs to the JobManager Deployment (the Java operator gives it to the
    /// FlinkDeployment), which is gone only when the pods of both are.
    pub task_managers: Option<DynamicObject>,
    /// Services, ConfigMaps and Secrets, in the order in which they are sent, without owner references.
    pub dependents: Vec<DynamicObject>,
}

impl ClusterObjects {
    /// The objects of the cluster that a spec asks for: native or standalone by `spec.mode`, for one job or for many by
    /// `spec.job`.
    ///
    /// # Errors
    /// Whatever Flink's client would refuse: bad options, memory that does not fit, pod templates that are none.
    pub fn of(input: &ClusterInput<'_>) -> Result<Self, BuildError> {
        match input.spec.mode_or_default() {
            KubernetesDeploymentMode::Native => native::objects(input),
            KubernetesDeploymentMode::Standalone => standalone::objects(input),
        }
    }

    /// The attempt that the Deployments are marked with.
    #[must_use]
    pub fn attempt(&self) -> Option<&str> {
        self.deployment.metadata.annotations.as_ref()?.get(ATTEMPT_ANNOTATION).map(String::as_str)
    }

    /// The dependents, TaskManagers last, owned by the JobManager Deployment as the API server knows it: garbage collection then removes
    /// them together with the Deployment.
    #[must_use]
    pub fn dependents_owned_by(&self, deployment_uid: &str) -> Vec<DynamicObject> {
        let owner = OwnerReference {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            name: self.deployment.metadata.name.clone().unwrap_or_default(),
            uid: deployment_uid.to_owned(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        };
        let mut dependents: Vec<_> = self.dependents.iter().chain(&self.task_managers).cloned().collect();
        for dependent in &mut dependents {
            dependent.metadata.owner_references = Some(vec![owner.clone()]);
        }
        dependents
    }
}
