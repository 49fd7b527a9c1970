//! What callers ask of Flink. Flink refuses unknown fields in requests, so each is exactly what it knows.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;
use serde::Serialize;

use crate::identifiers::{JobId, TriggerId};

/// Binary form of a savepoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SavepointFormat {
    /// Independent of the state backend; Flink's default.
    #[default]
    Canonical,
    /// The state backend's own form: faster.
    Native,
}

/// Kind of a triggered checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum CheckpointType {
    /// As the job is configured.
    Configured,
    /// All state; the operator's default.
    #[default]
    Full,
    /// Changes since the last one.
    Incremental,
}

/// Stop a job with a savepoint: `POST /jobs/:jobid/stop`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StopWithSavepoint {
    /// Directory below which the savepoint is written; absent: `execution.checkpointing.savepoint-dir`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_directory: Option<String>,
    /// Whether sources emit `MAX_WATERMARK` first, which fires all timers: only for a job that ends for good.
    pub drain: bool,
    /// Binary form.
    pub format_type: SavepointFormat,
    /// Identity of the operation, chosen and recorded before the call.
    pub trigger_id: TriggerId,
}

/// Take a savepoint of a job that goes on: `POST /jobs/:jobid/savepoints`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SavepointTrigger {
    /// Directory below which the savepoint is written; absent: `execution.checkpointing.savepoint-dir`.
    #[serde(rename = "target-directory", skip_serializing_if = "Option::is_none")]
    pub target_directory: Option<String>,
    /// Binary form.
    #[serde(rename = "formatType")]
    pub format_type: SavepointFormat,
    /// Identity of the operation, chosen and recorded before the call.
    #[serde(rename = "triggerId")]
    pub trigger_id: TriggerId,
}

/// Take a checkpoint: `POST /jobs/:jobid/checkpoints`, Flink 1.17 and newer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointTrigger {
    /// Kind.
    pub checkpoint_type: CheckpointType,
    /// Identity of the operation, chosen and recorded before the call.
    pub trigger_id: TriggerId,
}

/// Who owns the files of the snapshot that a job starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RestoreMode {
    /// Flink takes the files over and may delete them.
    Claim,
    /// Flink leaves the files alone; the Java operator always says this.
    NoClaim,
    /// As before Flink 1.15; removed in 2.0.
    Legacy,
}

/// Run an uploaded jar: `POST /jars/:jarid/run`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JarRun {
    /// Main class; absent: the jar's manifest names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry_class: Option<String>,
    /// Arguments of the main method.
    #[serde(rename = "programArgsList", skip_serializing_if = "Vec::is_empty")]
    pub program_args: Vec<String>,
    /// Parallelism; absent: as configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallelism: Option<u32>,
    /// Id of the new job, chosen and recorded before the call. Flink refuses an id that it has seen before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
    /// Start although state of the snapshot belongs to no operator of the job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_non_restored_state: Option<bool>,
    /// Snapshot to start from; absent: start empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub savepoint_path: Option<String>,
    /// For Flink before 1.20, which rejects `claim_mode`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore_mode: Option<RestoreMode>,
    /// For Flink 1.20 and newer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim_mode: Option<RestoreMode>,
    /// Configuration of the job, for Flink 1.17 and newer; older ones reject the field.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub flink_configuration: BTreeMap<String, String>,
}

/// A jar to upload.
#[derive(Debug, Clone)]
pub enum JarFile {
    /// A jar in memory.
    Bytes {
        /// File name, ending in `.jar`; Flink puts a random prefix before it.
        name: String,
        /// Content.
        content: Bytes,
    },
    /// A jar on disk, read while it is sent.
    Path {
        /// File name, ending in `.jar`; Flink puts a random prefix before it.
        name: String,
        /// Where it is.
        path: PathBuf,
    },
}
