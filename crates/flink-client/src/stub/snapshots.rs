//! Checkpoints and savepoints of one job, as its statistics show them.

use serde_json::{Value, json};

use super::operations::Key;
use crate::answers::{CheckpointStatus, NON_ADDRESSABLE};

/// Why a snapshot is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The interval has passed.
    Periodic,
    /// Somebody asked for a checkpoint.
    Checkpoint(Key),
    /// Somebody asked for a savepoint.
    Savepoint(Key, String),
    /// Stop-with-savepoint.
    Stop(Key, String),
}

impl Purpose {
    pub(super) fn key(&self) -> Option<&Key> {
        match self {
            Self::Periodic => None,
            Self::Checkpoint(key) | Self::Savepoint(key, _) | Self::Stop(key, _) => Some(key),
        }
    }

    pub(super) fn directory(&self) -> Option<&str> {
        match self {
            Self::Periodic | Self::Checkpoint(_) => None,
            Self::Savepoint(_, directory) | Self::Stop(_, directory) => Some(directory),
        }
    }

    fn type_name(&self) -> &'static str {
        match self {
            Self::Periodic | Self::Checkpoint(_) => "CHECKPOINT",
            Self::Savepoint(..) => "SAVEPOINT",
            Self::Stop(..) => "SYNC_SAVEPOINT",
        }
    }
}

/// A checkpoint or savepoint in the statistics of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: u64,
    pub(super) purpose: Purpose,
    pub(super) status: CheckpointStatus,
    pub(super) triggered: i64,
    pub(super) ended: i64,
    pub(super) records: u64,
    pub(super) path: String,
    pub(super) discarded: bool,
    pub(super) failure: String,
}

impl Entry {
    pub(super) fn is_savepoint(&self) -> bool {
        self.purpose.directory().is_some()
    }

    fn json(&self) -> Value {
        let class = match self.status {
            CheckpointStatus::InProgress => "in_progress",
            CheckpointStatus::Completed => "completed",
            CheckpointStatus::Failed => "failed",
        };
        let ended = self.status != CheckpointStatus::InProgress;
        let mut entry = json!({
            "className": class,
            "id": self.id,
            "status": class.to_uppercase(),
            "is_savepoint": self.is_savepoint(),
            "savepointFormat": self.is_savepoint().then_some("CANONICAL"),
            "trigger_timestamp": self.triggered,
            "latest_ack_timestamp": if self.status == CheckpointStatus::Completed { self.ended } else { -1 },
            "checkpointed_size": self.records,
            "state_size": self.records,
            "end_to_end_duration": if ended { self.ended - self.triggered } else { 0 },
            "alignment_buffered": 0,
            "processed_data": 0,
            "persisted_data": 0,
            "num_subtasks": 1,
            "num_acknowledged_subtasks": i32::from(self.status == CheckpointStatus::Completed),
            "checkpoint_type": self.purpose.type_name(),
            "tasks": {},
        });
        let more = match self.status {
            CheckpointStatus::InProgress => json!({}),
            CheckpointStatus::Completed => json!({"external_path": self.path, "discarded": self.discarded}),
            CheckpointStatus::Failed => {
                json!({"failure_timestamp": self.ended, "failure_message": self.failure})
            }
        };
        if let (Value::Object(entry), Value::Object(more)) = (&mut entry, more) {
            entry.extend(more);
        }
        entry
    }
}

/// What a job was started from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RestoredFrom {
    pub(super) id: u64,
    pub(super) at: i64,
    pub(super) is_savepoint: bool,
    pub(super) path: String,
    pub(super) records: u64,
}

/// Checkpoint statistics of one job.
#[derive(Debug, Clone, Default)]
pub(super) struct Log {
    /// Oldest first.
    pub(super) entries: Vec<Entry>,
    pub(super) restored: Option<RestoredFrom>,
    pub(super) restores: u64,
    pub(super) next_id: u64,
}

/// Entries that Flink keeps in the history (`web.checkpoints.history`).
const HISTORY: usize = 10;

impl Log {
    /// The newest completed checkpoint that is no savepoint: what a failed job goes back to.
    pub(super) fn newest_checkpoint(&self) -> Option<&Entry> {
        self.newest(|it| it.status == CheckpointStatus::Completed && !it.is_savepoint())
    }

    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|it| it.id == id)
    }

    fn newest(&self, wanted: impl Fn(&Entry) -> bool) -> Option<&Entry> {
        self.entries.iter().rev().find(|it| wanted(it))
    }

    fn count(&self, status: CheckpointStatus) -> usize {
        self.entries.iter().filter(|it| it.status == status).count()
    }

    pub(super) fn completed(&self) -> usize {
        self.count(CheckpointStatus::Completed)
    }

    /// `GET /jobs/:jobid/checkpoints`.
    pub(super) fn json(&self) -> Value {
        let latest = |entry: Option<&Entry>| entry.map_or(Value::Null, Entry::json);
        let completed = |it: &Entry| it.status == CheckpointStatus::Completed;
        let restored = self.restored.as_ref().map(|it| {
            json!({"id": it.id, "restore_timestamp": it.at, "is_savepoint": it.is_savepoint, "external_path": it.path})
        });
        json!({
            "counts": {
                "restored": self.restores,
                "total": self.entries.len(),
                "in_progress": self.count(CheckpointStatus::InProgress),
                "completed": self.completed(),
                "failed": self.count(CheckpointStatus::Failed),
            },
            "latest": {
                "completed": latest(self.newest_checkpoint()),
                "savepoint": latest(self.newest(|it| completed(it) && it.is_savepoint())),
                "failed": latest(self.newest(|it| it.status == CheckpointStatus::Failed)),
                "restored": restored,
            },
            "history": self.entries.iter().rev().take(HISTORY).map(Entry::json).collect::<Vec<_>>(),
        })
    }

    /// `GET /jobs/:jobid/checkpoints/details/:id`.
    pub(super) fn details(&self, id: u64) -> Option<Value> {
        self.entries.iter().rev().take(HISTORY).find(|it| it.id == id).map(Entry::json)
    }
}

/// The path of a completed checkpoint.
pub(super) fn checkpoint_path(directory: &str, job: &str, id: u64, addressable: bool) -> String {
    if addressable { format!("{directory}/{job}/chk-{id}") } else { NON_ADDRESSABLE.to_owned() }
}

/// The path of a savepoint: the first six digits of the job id and twelve that nobody else has.
pub(super) fn savepoint_path(directory: &str, job: &str, number: u64) -> String {
    let directory = directory.trim_end_matches('/');
    let prefix: String = job.chars().take(6).collect();
    format!("{directory}/savepoint-{prefix}-{number:012x}")
}
