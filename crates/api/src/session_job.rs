//! FlinkSessionJob: a job on a session cluster.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{FlinkSessionJobStatus, JobSpec, flink_configuration, kind::flink_kind};

flink_kind! {
    /// A job that runs on the session cluster named by `spec.deploymentName`.
    FlinkSessionJob, FlinkSessionJobSpec, FlinkSessionJobStatus, "flinksessionjobs"
}

/// Desired state of a job on a session cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlinkSessionJobSpec {
    /// The job. Needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobSpec>,
    /// A new number restarts the job, with the state that `job.upgradeMode` keeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_nonce: Option<i64>,
    /// Flink options of this job, over those of the session cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "flink_configuration::schema")]
    pub flink_configuration: Option<Value>,
    /// Name of the FlinkDeployment in the same namespace that runs the job. Needed, cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment_name: Option<String>,
}
