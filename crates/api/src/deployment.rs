//! FlinkDeployment: an application cluster (with `spec.job`) or a session cluster (without).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    FlinkDeploymentStatus, FlinkVersion, IngressSpec, JobSpec, flink_configuration, kind::flink_kind,
    pod_template, text_enum::text_enum,
};

flink_kind! {
    /// A Flink cluster: an application cluster if `spec.job` is set, else a session cluster.
    FlinkDeployment, FlinkDeploymentSpec, FlinkDeploymentStatus, "flinkdeployments"
}

text_enum! {
    /// Who creates TaskManagers: Flink itself (`native`) or the operator (`standalone`).
    pub enum KubernetesDeploymentMode {
        /// The JobManager asks Kubernetes for TaskManager pods as it needs them.
        Native = "native",
        /// The operator creates a Deployment of TaskManagers; Flink does not talk to Kubernetes.
        Standalone = "standalone",
    }
}

/// Desired state of a Flink cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlinkDeploymentSpec {
    /// The job of an application cluster. Absent: a session cluster. May neither appear nor disappear later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobSpec>,
    /// A new number restarts the cluster, with the state that `job.upgradeMode` keeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_nonce: Option<i64>,
    /// Flink options, with dotted keys, nested objects, or both.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "flink_configuration::schema")]
    pub flink_configuration: Option<Value>,
    /// Image of JobManager and TaskManagers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Pull policy of the image: `IfNotPresent`, `Always` or `Never`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<String>,
    /// Service account of JobManager and TaskManagers; needs the rights Flink needs. Needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// Version of Flink in the image. Needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flink_version: Option<FlinkVersion>,
    /// An Ingress for the REST service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress: Option<IngressSpec>,
    /// Base of JobManager and TaskManager pods; the container `flink-main-container` is Flink's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "pod_template::schema")]
    pub pod_template: Option<Value>,
    /// Resources, replicas and pod template of JobManagers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_manager: Option<JobManagerSpec>,
    /// Resources, replicas and pod template of TaskManagers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_manager: Option<TaskManagerSpec>,
    /// Log configuration by file name: `log4j-console.properties` or `logback-console.xml`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_configuration: Option<BTreeMap<String, String>>,
    /// Who creates TaskManagers: Flink (`native`, default) or the operator (`standalone`). Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<KubernetesDeploymentMode>,
}

impl FlinkDeploymentSpec {
    /// Deployment mode, `native` when absent.
    #[must_use]
    pub fn mode_or_default(&self) -> KubernetesDeploymentMode {
        self.mode.unwrap_or(KubernetesDeploymentMode::Native)
    }

    /// Number of JobManagers, 1 when absent.
    #[must_use]
    pub fn job_manager_replicas_or_default(&self) -> i32 {
        self.job_manager.as_ref().map_or(1, JobManagerSpec::replicas_or_default)
    }

    /// Fixed number of TaskManagers, if there is one.
    #[must_use]
    pub fn task_manager_replicas(&self) -> Option<i32> {
        self.task_manager.as_ref().and_then(|task_manager| task_manager.replicas)
    }
}

/// JobManagers of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobManagerSpec {
    /// Deprecated, use `resources`: resources of the main container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<Resource>,
    /// Requests and limits of the main container; wins over `resource` if it has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
    /// Number of JobManagers, default 1. More than one needs Flink's high availability.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Pod template, merged over `spec.podTemplate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "pod_template::schema")]
    pub pod_template: Option<Value>,
}

impl JobManagerSpec {
    /// Number of JobManagers, 1 when absent.
    #[must_use]
    pub fn replicas_or_default(&self) -> i32 {
        self.replicas.unwrap_or(1)
    }
}

/// TaskManagers of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskManagerSpec {
    /// Deprecated, use `resources`: resources of the main container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<Resource>,
    /// Requests and limits of the main container; wins over `resource` if it has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
    /// Number of TaskManagers; if set, it wins over `job.parallelism`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Pod template, merged over `spec.podTemplate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "pod_template::schema")]
    pub pod_template: Option<Value>,
}

/// Resources of a main container in Flink's own form; requests and limits follow from Flink's options.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// CPUs, also fractions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<f64>,
    /// Memory of the process: Flink's sizes (`2048m`, `2g`: mebibytes, gibibytes) or Kubernetes' (`2Gi`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// Ephemeral storage, a Kubernetes quantity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ephemeral_storage: Option<String>,
}

/// Requests and limits in Kubernetes' form. A quantity is kept as it was written, a JSON string or
/// integer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceRequirements {
    /// Resource claims; accepted, not used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claims: Option<Vec<ResourceClaim>>,
    /// Limits by resource name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "pod_template::quantities_schema")]
    pub limits: Option<BTreeMap<String, Value>>,
    /// Requests by resource name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "pod_template::quantities_schema")]
    pub requests: Option<BTreeMap<String, Value>>,
}

impl ResourceRequirements {
    /// Text of a requested quantity, whether it was written as string or integer.
    #[must_use]
    pub fn request(&self, resource: &str) -> Option<String> {
        self.requests.as_ref()?.get(resource).and_then(quantity_text)
    }

    /// Text of a limit, whether it was written as string or integer.
    #[must_use]
    pub fn limit(&self, resource: &str) -> Option<String> {
        self.limits.as_ref()?.get(resource).and_then(quantity_text)
    }

    /// Whether it holds any request or limit, and so wins over the deprecated `resource`.
    #[must_use]
    pub fn is_set(&self) -> bool {
        [&self.limits, &self.requests].into_iter().flatten().any(|quantities| !quantities.is_empty())
    }
}

/// Text of a quantity, which JSON may hold as string or number. `None` for anything else.
pub(crate) fn quantity_text(quantity: &Value) -> Option<String> {
    match quantity {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Reference to a claim of the pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceClaim {
    /// Name of the pod's claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Name of the request within the claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}
