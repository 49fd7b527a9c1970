//! What this operator is in the middle of: written before a call that must not be done twice, so that a successor
//! recognises the call. The Java operator does not know the field and ignores it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text_enum::text_enum;

text_enum! {
    /// What is under way.
    pub enum OperationKind {
        /// A cluster is being created.
        Deploying = "DEPLOYING",
        /// The job is being stopped with a savepoint.
        Stopping = "STOPPING",
        /// The job is being cancelled.
        Cancelling = "CANCELLING",
        /// The cluster goes and comes back with the same spec.
        Restarting = "RESTARTING",
        /// A cluster that never came up is being deleted, to make room for another one.
        Withdrawing = "WITHDRAWING",
        /// TaskManagers are being added or taken away while the cluster runs.
        Scaling = "SCALING",
        /// The resource is being deleted, and its cluster with it.
        Deleting = "DELETING",
    }
}

text_enum! {
    /// What failed before and is tried again.
    pub enum RetryKind {
        /// Stopping the job with a savepoint.
        StopWithSavepoint = "STOP_WITH_SAVEPOINT",
        /// Running a job that fails.
        RestartJob = "RESTART_JOB",
    }
}

/// A step that was begun and is not known to be complete.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// What is under way: DEPLOYING, STOPPING, CANCELLING, RESTARTING, WITHDRAWING, SCALING or DELETING. The definition
    /// takes any text, so that an operator can be newer than the definitions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub kind: Option<OperationKind>,
    /// Identity of the cluster that is being created; its JobManager Deployment carries it as an annotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<String>,
    /// Identity that the call to Flink carries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger_id: Option<String>,
    /// The job that is being ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// `metadata.generation` of the spec that caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// When that job had started, in milliseconds since 1970. Another time under the same id means that the JobManager
    /// was restarted and knows nothing of earlier calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_start_time: Option<i64>,
    /// What the new cluster is restored from: a path, or the marker for HA metadata. While a job is being stopped: the
    /// savepoint that was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore_path: Option<String>,
    /// When it began, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_timestamp: Option<i64>,
    /// The least and the most parallelism of each vertex before the job was told another one, `1-4`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallelism_before: Option<BTreeMap<String, String>>,
}

/// How often something has failed in a row: the next try waits the longer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retry {
    /// What failed: `STOP_WITH_SAVEPOINT` or `RESTART_JOB`. Any text, as above.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub kind: Option<RetryKind>,
    /// How often, without a success in between.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<i32>,
    /// When it failed last, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<i64>,
    /// `metadata.generation` at that time: a changed spec is tried at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
}
