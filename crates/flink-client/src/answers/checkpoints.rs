//! Checkpoint statistics and settings.

use std::time::Duration;

use serde::Deserialize;

/// What Flink writes as path of a checkpoint that lives in the JobManager's memory.
pub const NON_ADDRESSABLE: &str = "<checkpoint-not-externally-addressable>";

/// How long after a job was first seen to have ended its statistics may still be those of before: Flink's default
/// of `web.refresh-interval`. See [`crate::FlinkCluster::checkpoints`].
pub const STATISTICS_LAG: Duration = Duration::from_secs(3);

/// `GET /jobs/:jobid/checkpoints`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
pub struct CheckpointStatistics {
    /// How many there were.
    #[serde(default)]
    pub counts: CheckpointCounts,
    /// The newest of each kind.
    pub latest: LatestCheckpoints,
    /// Newest first, as many as `web.checkpoints.history` says.
    #[serde(default)]
    pub history: Vec<Checkpoint>,
}

/// Numbers of checkpoints since the job started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
pub struct CheckpointCounts {
    /// Restores.
    pub restored: u64,
    /// All.
    pub total: u64,
    /// Going on.
    pub in_progress: u64,
    /// Completed.
    pub completed: u64,
    /// Failed.
    pub failed: u64,
}

/// The newest checkpoint of each kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
pub struct LatestCheckpoints {
    /// Newest completed checkpoint that is no savepoint.
    #[serde(default)]
    pub completed: Option<Checkpoint>,
    /// Newest completed savepoint.
    #[serde(default)]
    pub savepoint: Option<Checkpoint>,
    /// Newest failed one of either kind.
    #[serde(default)]
    pub failed: Option<Checkpoint>,
    /// What the job last started from.
    #[serde(default)]
    pub restored: Option<Restored>,
}

/// State of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CheckpointStatus {
    /// Going on.
    InProgress,
    /// Whole.
    Completed,
    /// Given up.
    Failed,
}

/// A checkpoint or savepoint.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
pub struct Checkpoint {
    /// Number within the job; grows with time and goes on after a restore from HA metadata.
    pub id: u64,
    /// State.
    pub status: CheckpointStatus,
    /// Whether it is a savepoint.
    #[serde(default)]
    pub is_savepoint: bool,
    /// Milliseconds since the epoch.
    pub trigger_timestamp: i64,
    /// Milliseconds since the epoch of the last task's confirmation; -1 before.
    #[serde(default)]
    pub latest_ack_timestamp: i64,
    /// Bytes of all state.
    #[serde(default)]
    pub state_size: u64,
    /// Milliseconds from trigger to the last confirmation.
    #[serde(default)]
    pub end_to_end_duration: i64,
    /// Where it can be restored from; only of completed ones. May be [`NON_ADDRESSABLE`].
    #[serde(default)]
    pub external_path: Option<String>,
    /// Whether Flink has deleted it.
    #[serde(default)]
    pub discarded: bool,
    /// Why it failed.
    #[serde(default)]
    pub failure_message: Option<String>,
}

/// What a job started from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
pub struct Restored {
    /// Number of the checkpoint.
    pub id: u64,
    /// Milliseconds since the epoch.
    pub restore_timestamp: i64,
    /// Whether it was a savepoint.
    #[serde(default)]
    pub is_savepoint: bool,
    /// Where it was.
    #[serde(default)]
    pub external_path: Option<String>,
}

/// A snapshot that a job can be started from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RestorePoint {
    /// Number of the checkpoint.
    pub id: u64,
    /// Where it is. May be [`NON_ADDRESSABLE`].
    pub path: String,
    /// Milliseconds since the epoch when it was triggered or, if it is what the job itself started from, when
    /// the job was restored from it.
    pub timestamp: i64,
    /// Whether Flink says that it has deleted the files. A job that FINISHED by itself deletes its checkpoints,
    /// whatever the retention: the newest state is gone then, and everything older is older state.
    pub discarded: bool,
}

impl CheckpointStatistics {
    /// The newest snapshot that the job can be started from: the highest id among what it was restored from,
    /// its newest checkpoint and its newest savepoint. It may be [`RestorePoint::discarded`]: the next older one
    /// is not offered in its place, because nobody may start from older state without knowing.
    #[must_use]
    pub fn newest_restore_point(&self) -> Option<RestorePoint> {
        let LatestCheckpoints { completed, savepoint, failed: _, restored } = &self.latest;
        let mut newest = restored.as_ref().and_then(Restored::restore_point);
        let taken = [completed, savepoint].into_iter().flatten().filter_map(Checkpoint::restore_point);
        for candidate in taken {
            if newest.as_ref().is_none_or(|best| candidate.id > best.id) {
                newest = Some(candidate);
            }
        }
        newest
    }

    /// The newest checkpoint or savepoint of any kind that these statistics know.
    #[must_use]
    pub fn newest_id(&self) -> Option<u64> {
        let LatestCheckpoints { completed, savepoint, failed, restored: _ } = &self.latest;
        let latest = [completed, savepoint, failed].into_iter().flatten();
        latest.chain(&self.history).map(|checkpoint| checkpoint.id).max()
    }

    /// The checkpoint or savepoint that goes on, if the newest of the history does.
    #[must_use]
    pub fn in_progress(&self) -> Option<&Checkpoint> {
        self.history.first().filter(|it| it.status == CheckpointStatus::InProgress)
    }
}

impl Checkpoint {
    fn restore_point(&self) -> Option<RestorePoint> {
        let path = self.external_path.clone()?;
        Some(RestorePoint { id: self.id, path, timestamp: self.trigger_timestamp, discarded: self.discarded })
    }
}

impl Restored {
    fn restore_point(&self) -> Option<RestorePoint> {
        let path = self.external_path.clone()?;
        Some(RestorePoint { id: self.id, path, timestamp: self.restore_timestamp, discarded: false })
    }
}

/// `GET /jobs/:jobid/checkpoints/config`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
pub struct CheckpointConfig {
    /// `exactly_once` or `at_least_once`.
    pub mode: String,
    /// Milliseconds; `i64::MAX` when there are no periodic checkpoints.
    pub interval: i64,
    /// Milliseconds.
    pub timeout: i64,
    /// Milliseconds between two checkpoints.
    pub min_pause: i64,
    /// How many may go on at once.
    pub max_concurrent: i64,
    /// Whether checkpoints outlive the job.
    pub externalization: Externalization,
    /// How many checkpoints may fail before the job does.
    #[serde(default)]
    pub tolerable_failed_checkpoints: Option<i64>,
    /// Class or name of the state backend.
    #[serde(default)]
    pub state_backend: Option<String>,
    /// Class or name of the checkpoint storage.
    #[serde(default)]
    pub checkpoint_storage: Option<String>,
}

/// Whether checkpoints outlive the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
pub struct Externalization {
    /// They do when the job fails.
    pub enabled: bool,
    /// They do not when the job is cancelled.
    pub delete_on_cancellation: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statistics(latest: &str) -> CheckpointStatistics {
        serde_json::from_str(&format!(r#"{{"latest":{latest}}}"#)).unwrap()
    }

    #[test]
    fn the_highest_id_with_a_path_is_the_newest_restore_point() {
        let completed = r#"{"className":"completed","id":7,"status":"COMPLETED","is_savepoint":false,"trigger_timestamp":70,"external_path":"c7"}"#;
        let savepoint = r#"{"className":"completed","id":9,"status":"COMPLETED","is_savepoint":true,"trigger_timestamp":90,"external_path":"s9"}"#;
        let restored = r#"{"id":8,"restore_timestamp":80,"is_savepoint":true,"external_path":"r8"}"#;
        let newest = |latest: String| statistics(&latest).newest_restore_point().map(|point| point.path);
        assert_eq!(
            newest(format!(
                r#"{{"completed":{completed},"savepoint":{savepoint},"failed":null,"restored":{restored}}}"#
            )),
            Some("s9".to_owned())
        );
        assert_eq!(
            newest(format!(r#"{{"completed":{completed},"restored":{restored}}}"#)),
            Some("r8".to_owned())
        );
        assert_eq!(newest(format!(r#"{{"completed":{completed}}}"#)), Some("c7".to_owned()));
        assert_eq!(newest(r#"{"restored":{"id":8,"restore_timestamp":80}}"#.to_owned()), None);
        assert_eq!(newest("{}".to_owned()), None);
    }
}
