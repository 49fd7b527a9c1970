//! Durable storage of savepoints and checkpoints: what outlives clusters.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::identifiers::JobId;

/// Kind of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotKind {
    /// Owned by the user.
    Savepoint,
    /// Owned by the job.
    Checkpoint,
}

/// A snapshot in the storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSnapshot {
    /// Where it is.
    pub path: String,
    /// Kind.
    pub kind: SnapshotKind,
    /// Job that wrote it.
    pub job: JobId,
    /// Number of the checkpoint within the job.
    pub checkpoint_id: u64,
    /// Records that had been processed, counted from the very first start of the lineage.
    pub records: u64,
    /// Milliseconds since the epoch when it was triggered.
    pub trigger_timestamp: i64,
    /// The snapshot that its job was started from, if any.
    pub parent: Option<String>,
    /// Whether its files are gone. The entry stays, so that a test can tell "deleted" from "never was".
    pub deleted: bool,
}

#[derive(Debug, Default)]
struct Inner {
    snapshots: BTreeMap<String, StoredSnapshot>,
    refused: Vec<String>,
    sequence: u64,
}

/// Storage that several clusters share, as `s3://…` would be. Clones are the same storage.
#[derive(Debug, Clone, Default)]
pub struct Storage(Arc<Mutex<Inner>>);

impl Storage {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic of another test thread leaves the map whole: every change is one insertion.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A snapshot that exists.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<StoredSnapshot> {
        self.lock().snapshots.get(path).filter(|it| !it.deleted).cloned()
    }

    /// All snapshots that ever were, in the order of their paths.
    #[must_use]
    pub fn all(&self) -> Vec<StoredSnapshot> {
        self.lock().snapshots.values().cloned().collect()
    }

    /// The completed snapshot with the most records of a job, deleted or not.
    #[must_use]
    pub fn newest_of(&self, job: &JobId) -> Option<StoredSnapshot> {
        self.lock().snapshots.values().filter(|it| it.job == *job).max_by_key(|it| it.records).cloned()
    }

    /// Puts a savepoint there that some other job has written, as a user does who brings one along.
    pub fn bring_savepoint(&self, path: &str, records: u64) {
        self.put(StoredSnapshot {
            path: path.to_owned(),
            kind: SnapshotKind::Savepoint,
            job: JobId::from_u128(0),
            checkpoint_id: 1,
            records,
            trigger_timestamp: 0,
            parent: None,
            deleted: false,
        });
    }

    /// Makes every write below a path prefix fail, as a read-only or misspelt directory does.
    pub fn refuse_writes_below(&self, prefix: &str) {
        self.lock().refused.push(prefix.to_owned());
    }

    /// Lets writes succeed again.
    pub fn accept_all_writes(&self) {
        self.lock().refused.clear();
    }

    /// Deletes a snapshot, as a user or a bucket's life-cycle rule does.
    pub fn delete(&self, path: &str) {
        let _existed = self.dispose(path);
    }

    /// Deletes a snapshot; false when there is none.
    pub(super) fn dispose(&self, path: &str) -> bool {
        match self.lock().snapshots.get_mut(path) {
            Some(snapshot) if !snapshot.deleted => {
                snapshot.deleted = true;
                true
            }
            Some(_) | None => false,
        }
    }

    pub(super) fn refuses(&self, path: &str) -> bool {
        self.lock().refused.iter().any(|prefix| path.starts_with(prefix))
    }

    pub(super) fn put(&self, snapshot: StoredSnapshot) {
        self.lock().snapshots.insert(snapshot.path.clone(), snapshot);
    }

    /// A number that no other name in this storage has.
    pub(super) fn next_number(&self) -> u64 {
        let mut inner = self.lock();
        inner.sequence += 1;
        inner.sequence
    }
}
