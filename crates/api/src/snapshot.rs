//! FlinkStateSnapshot: a savepoint or checkpoint as a resource.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{SavepointFormatType, kind::flink_kind, text_enum::text_enum};

flink_kind! {
    /// A savepoint or checkpoint of a job: taken when the resource is created, or registered if it exists.
    FlinkStateSnapshot, FlinkStateSnapshotSpec, FlinkStateSnapshotStatus, "flinkstatesnapshots"
}

text_enum! {
    /// Kind of resource that runs the job.
    pub enum JobKind {
        /// An application cluster.
        FlinkDeployment = "FlinkDeployment",
        /// A job on a session cluster.
        FlinkSessionJob = "FlinkSessionJob",
    }
}

text_enum! {
    /// What a snapshot is.
    pub enum SnapshotType {
        /// A checkpoint: Flink owns its files.
        Checkpoint = "CHECKPOINT",
        /// A savepoint: the user owns its files.
        Savepoint = "SAVEPOINT",
    }
}

text_enum! {
    /// How far a snapshot is.
    pub enum SnapshotState {
        /// Not yet triggered, or waiting for another try.
        TriggerPending = "TRIGGER_PENDING",
        /// Triggered; Flink is writing it.
        InProgress = "IN_PROGRESS",
        /// Done, or registered.
        Completed = "COMPLETED",
        /// More failures than `backoffLimit` allows.
        Failed = "FAILED",
        /// The job is gone or does not run.
        Abandoned = "ABANDONED",
    }
}

impl SnapshotState {
    /// Whether the snapshot stays in this state.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Completed | Self::Failed | Self::Abandoned => true,
            Self::TriggerPending | Self::InProgress => false,
        }
    }
}

/// Which snapshot to take, of which job. Exactly one of `savepoint` and `checkpoint` is needed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlinkStateSnapshotSpec {
    /// The job, in the same namespace. Needed unless the savepoint exists already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_reference: Option<JobReference>,
    /// Take (or register) a savepoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub savepoint: Option<SavepointSpec>,
    /// Take a checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<CheckpointSpec>,
    /// How many failures are tolerated; default -1, no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff_limit: Option<i32>,
}

impl FlinkStateSnapshotSpec {
    /// Tolerated failures, -1 (no limit) when absent.
    #[must_use]
    pub fn backoff_limit_or_default(&self) -> i32 {
        self.backoff_limit.unwrap_or(-1)
    }

    /// What the snapshot is; a savepoint wins if both are set (which validation refuses).
    #[must_use]
    pub fn snapshot_type(&self) -> Option<SnapshotType> {
        match (&self.savepoint, &self.checkpoint) {
            (Some(_), _) => Some(SnapshotType::Savepoint),
            (None, Some(_)) => Some(SnapshotType::Checkpoint),
            (None, None) => None,
        }
    }
}

/// A job, by the resource that runs it, in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobReference {
    /// Kind of that resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<JobKind>,
    /// Name of that resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A savepoint to take or to register.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SavepointSpec {
    /// Directory to write it to, or (with `alreadyExists`) where it lies. Default: Flink's savepoint directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Format, default `CANONICAL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format_type: Option<SavepointFormatType>,
    /// Whether the files are deleted together with the resource; default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dispose_on_delete: Option<bool>,
    /// Only register a savepoint that exists; default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub already_exists: Option<bool>,
}

impl SavepointSpec {
    /// Format, `CANONICAL` when absent.
    #[must_use]
    pub fn format_type_or_default(&self) -> SavepointFormatType {
        self.format_type.unwrap_or(SavepointFormatType::Canonical)
    }

    /// Whether the files go with the resource, true when absent.
    #[must_use]
    pub fn dispose_on_delete_or_default(&self) -> bool {
        self.dispose_on_delete.unwrap_or(true)
    }

    /// Whether the savepoint is only registered, false when absent.
    #[must_use]
    pub fn already_exists_or_default(&self) -> bool {
        self.already_exists.unwrap_or(false)
    }
}

/// A checkpoint to take. It has no settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckpointSpec {}

/// Observed state of a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlinkStateSnapshotStatus {
    /// How far the snapshot is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<SnapshotState>,
    /// Flink's id of the trigger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger_id: Option<String>,
    /// When it was triggered, as ISO 8601 instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger_timestamp: Option<String>,
    /// When it completed, failed or was abandoned, as ISO 8601 instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_timestamp: Option<String>,
    /// Where it lies; empty if a checkpoint's path could not be learnt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Why it failed or was abandoned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Failed attempts so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<i32>,
}

impl FlinkStateSnapshotStatus {
    /// The first status: `TRIGGER_PENDING`, no failures.
    #[must_use]
    pub fn initial() -> Self {
        Self { state: Some(SnapshotState::TriggerPending), failures: Some(0), ..Self::default() }
    }
}
