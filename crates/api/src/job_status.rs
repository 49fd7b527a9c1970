//! `status.jobStatus`: what is known of the Flink job and of its snapshots.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text_enum::text_enum;

text_enum! {
    /// State of a job, in Flink's words. `RECONCILING` also stands for "unknown" and "just deployed".
    pub enum JobStatusState {
        /// The JobManager prepares the job.
        Initializing = "INITIALIZING",
        /// The job is known, nothing of it runs yet.
        Created = "CREATED",
        /// The job runs.
        Running = "RUNNING",
        /// The job failed and its tasks are being stopped.
        Failing = "FAILING",
        /// The job failed and Flink does not restart it.
        Failed = "FAILED",
        /// The job is being cancelled.
        Cancelling = "CANCELLING",
        /// The job was cancelled.
        Canceled = "CANCELED",
        /// The job came to its end.
        Finished = "FINISHED",
        /// Flink restarts the job.
        Restarting = "RESTARTING",
        /// The job's master stopped; another one may take over.
        Suspended = "SUSPENDED",
        /// Not known at the moment.
        Reconciling = "RECONCILING",
    }
}

impl JobStatusState {
    /// Whether Flink never leaves this state: `FAILED`, `CANCELED`, `FINISHED` ("globally terminal").
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Failed | Self::Canceled | Self::Finished)
    }
}

text_enum! {
    /// What caused a snapshot.
    pub enum SnapshotTriggerType {
        /// A nonce or a FlinkStateSnapshot of the user.
        Manual = "MANUAL",
        /// The configured interval or cron expression.
        Periodic = "PERIODIC",
        /// An upgrade or suspension.
        Upgrade = "UPGRADE",
        /// Not known.
        Unknown = "UNKNOWN",
    }
}

text_enum! {
    /// Binary format of a savepoint.
    pub enum SavepointFormatType {
        /// Independent of the state backend.
        Canonical = "CANONICAL",
        /// The state backend's own.
        Native = "NATIVE",
        /// Not known; cannot be asked for.
        Unknown = "UNKNOWN",
    }
}

text_enum! {
    /// Kind of a checkpoint.
    pub enum CheckpointType {
        /// All state is written.
        Full = "FULL",
        /// Only what changed since the last one is written.
        Incremental = "INCREMENTAL",
        /// Not known.
        Unknown = "UNKNOWN",
    }
}

/// What is known of the Flink job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobStatus {
    /// Name of the job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_name: Option<String>,
    /// Flink's id of the job, 32 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// State of the job, last observed or expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<JobStatusState>,
    /// When the job started, in milliseconds since 1970 (as text).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<String>,
    /// When `state` last changed by observation, in milliseconds since 1970 (as text).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_time: Option<String>,
    /// Snapshot from which the job starts next. The text `KUBERNETES_OPERATOR_LAST_STATE` is no path: it
    /// says that Flink's HA data has the last state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upgrade_savepoint_path: Option<String>,
    /// Savepoints taken without FlinkStateSnapshot resources.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub savepoint_info: Option<SavepointInfo>,
    /// Checkpoints taken without FlinkStateSnapshot resources.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_info: Option<CheckpointInfo>,
}

impl JobStatus {
    /// The first form: no job known, empty snapshot bookkeeping.
    #[must_use]
    pub fn initial() -> Self {
        Self {
            savepoint_info: Some(SavepointInfo::initial()),
            checkpoint_info: Some(CheckpointInfo::initial()),
            ..Self::default()
        }
    }
}

/// Bookkeeping of savepoints that are taken without FlinkStateSnapshot resources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SavepointInfo {
    /// Last finished savepoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_savepoint: Option<Savepoint>,
    /// Id of the pending trigger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger_id: Option<String>,
    /// When the pending savepoint was triggered, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger_timestamp: Option<i64>,
    /// What caused the pending savepoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger_type: Option<SnapshotTriggerType>,
    /// Format of the pending savepoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format_type: Option<SavepointFormatType>,
    /// Finished savepoints, oldest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub savepoint_history: Option<Vec<Savepoint>>,
    /// When the last periodic savepoint finished, in milliseconds since 1970; 0 for never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_periodic_savepoint_timestamp: Option<i64>,
}

impl SavepointInfo {
    /// The first form: no savepoint yet.
    #[must_use]
    pub fn initial() -> Self {
        Self {
            savepoint_history: Some(Vec::new()),
            last_periodic_savepoint_timestamp: Some(0),
            ..Self::default()
        }
    }
}

/// A finished savepoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Savepoint {
    /// When it was triggered, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_stamp: Option<i64>,
    /// Where it lies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// What caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger_type: Option<SnapshotTriggerType>,
    /// Its format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format_type: Option<SavepointFormatType>,
    /// The nonce that asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger_nonce: Option<i64>,
}

/// Bookkeeping of checkpoints that are taken without FlinkStateSnapshot resources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointInfo {
    /// Last finished checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_checkpoint: Option<Checkpoint>,
    /// Id of the pending trigger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger_id: Option<String>,
    /// When the pending checkpoint was triggered, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger_timestamp: Option<i64>,
    /// What caused the pending checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger_type: Option<SnapshotTriggerType>,
    /// Kind of the pending checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format_type: Option<CheckpointType>,
    /// When the last periodic checkpoint finished, in milliseconds since 1970; 0 for never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_periodic_checkpoint_timestamp: Option<i64>,
}

impl CheckpointInfo {
    /// The first form: no checkpoint yet.
    #[must_use]
    pub fn initial() -> Self {
        Self { last_periodic_checkpoint_timestamp: Some(0), ..Self::default() }
    }
}

/// A finished checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    /// When it was triggered, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_stamp: Option<i64>,
    /// What caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger_type: Option<SnapshotTriggerType>,
    /// Its kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format_type: Option<CheckpointType>,
    /// The nonce that asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger_nonce: Option<i64>,
}
