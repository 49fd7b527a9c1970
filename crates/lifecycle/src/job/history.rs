//! How many snapshots are kept. What a user has asked for is never removed, nor is the newest one, nor one that the job
//! may have to start from.
//!
//! Upstream: `SnapshotObserver.cleanupSavepointHistory` and `getFlinkStateSnapshotsToCleanUp`.

use std::time::Duration;

use api::{
    FlinkStateSnapshot, Savepoint, SavepointInfo, SnapshotState, SnapshotTriggerType, SnapshotType, names,
};
use flink_conf::option::Key;
use jiff::{SignedDuration, Timestamp};

use super::pass::Pass;
use super::resource::{JobResource, JobResourceStatus};
use crate::effect::{DeleteObject, Effect, FlinkCall, FlinkRequest, ObjectReference, Propagation};
use crate::event::{Component, EventRecord, Reason};
use crate::observed::{FlinkAnswer, OperationResult, Snapshot};

/// Checkpoints that Flink keeps; 1 by default.
const RETAINED_CHECKPOINTS: Key =
    Key { name: "execution.checkpointing.num-retained", fallbacks: &["state.checkpoints.num-retained"] };

/// The wait after a disposal that has failed.
const NEXT_TRY: SignedDuration = SignedDuration::from_mins(10);

/// Savepoints over the limit that cannot be disposed of are forgotten when there are as many as this: a status has no
/// room for more.
const MOST_KEPT: usize = 50;

/// Part of Flink's answer about a savepoint that is not there. Source: `AbstractFsCheckpointStorageAccess`.
pub(crate) const NOT_THERE: &str = "Cannot find checkpoint or savepoint file/directory";

impl<R: JobResource> Pass<'_, R> {
    /// Removes what is over the limits, as long as the job can be seen.
    pub(crate) fn clean_up_snapshots(&mut self) {
        if self.settings.snapshot_resources && self.settings.savepoint_cleanup {
            let (count, age) =
                (self.settings.savepoint_history_max_count, self.settings.savepoint_history_max_age);
            self.delete_old(SnapshotType::Savepoint, count, Some(age));
            let retained = R::configuration(self)
                .and_then(|conf| conf.int(RETAINED_CHECKPOINTS).ok().flatten())
                .and_then(|count| usize::try_from(count).ok());
            self.delete_old(SnapshotType::Checkpoint, retained.unwrap_or(1).max(1), None);
        }
        self.shorten_history();
    }

    fn delete_old(&mut self, kind: SnapshotType, most: usize, age: Option<Duration>) {
        let now = self.now();
        let needed = self.upgrade_path();
        let mut known: Vec<&Snapshot> =
            self.own_snapshots(kind).filter(|it| !it.terminating && is_automatic(it.trigger_type)).collect();
        known.sort_by(|one, other| (one.created, &one.name).cmp(&(other.created, &other.name)));
        let newest = known.iter().rev().find(|it| it.state == SnapshotState::Completed);
        let newest = newest.map(|it| it.uid.clone());
        let mut left = known.len();
        let mut old = Vec::new();
        for snapshot in known {
            let is_old = age.is_some_and(|age| snapshot.created.is_some_and(|at| is_older(at, age, now)));
            let kept = Some(&snapshot.uid) == newest.as_ref()
                || !snapshot.state.is_final()
                || snapshot.path.is_some() && snapshot.path == needed;
            if left > 1 && !kept && (left > most || is_old) {
                left -= 1;
                old.push((snapshot.name.clone(), snapshot.uid.clone()));
            }
        }
        for (name, uid) in old {
            let object = ObjectReference::new(
                api::API_VERSION,
                FlinkStateSnapshot::KIND,
                self.namespace,
                &name,
                Some(&uid),
            );
            self.effects.push(Effect::Delete(DeleteObject { object, propagation: Propagation::Background }));
        }
    }

    /// The path that the job starts from if it has to start again before its first checkpoint.
    fn upgrade_path(&self) -> Option<String> {
        let path = self.status.job_status().and_then(|job| job.upgrade_savepoint_path.as_deref());
        names::real_savepoint_path(path).map(str::to_owned)
    }

    // ---- savepoints of the status -------------------------------------------------------------------------------

    /// The savepoint of the history that goes next.
    pub(crate) fn outdated_savepoint(&self) -> Option<String> {
        let history = self.savepoint_info().savepoint_history?;
        let of_resources = self.own_snapshots(SnapshotType::Savepoint);
        let completed = of_resources.filter(|it| it.state == SnapshotState::Completed).count();
        if history.is_empty() || history.len() == 1 && completed == 0 {
            return None;
        }
        let most = self.settings.savepoint_history_max_count.saturating_sub(completed);
        let now = self.now();
        let is_old = |entry: &Savepoint| {
            let taken = entry.time_stamp.and_then(|at| Timestamp::from_millisecond(at).ok());
            taken.is_some_and(|at| is_older(at, self.settings.savepoint_history_max_age, now))
        };
        // The newest one stays, unless there are newer ones as resources.
        let removable = if completed > 0 { history.len() } else { history.len() - 1 };
        let needed = self.upgrade_path();
        let over = history.len().saturating_sub(most);
        let mut entries = history.iter().take(removable).enumerate();
        let next = entries.find(|(index, entry)| {
            (*index < over || is_old(entry)) && (needed.is_none() || entry.location != needed)
        });
        next.and_then(|(_, entry)| entry.location.clone())
    }

    fn shorten_history(&mut self) {
        let Some(path) = self.outdated_savepoint() else { return };
        if !self.settings.savepoint_cleanup {
            return self.forget_savepoint(&path);
        }
        let begun = self.observed.begun.clone().filter(|begun| begun.operation == path);
        let Some(begun) = begun else { return self.dispose(path) };
        let answer: Option<&FlinkAnswer> = self.observed.flink.current();
        match answer.and_then(|answer| answer.operations.get(&begun.id)) {
            Some(OperationResult::Completed(_)) => self.forget_savepoint(&path),
            Some(OperationResult::Failed(reason)) if reason.contains(NOT_THERE) => {
                self.forget_savepoint(&path);
            }
            Some(OperationResult::Failed(reason)) => {
                let message = format!("The old savepoint {path} cannot be disposed of: {reason}");
                let event = EventRecord::warning(Reason::SavepointError, Component::Operator, message);
                self.event(event.once(format!("dispose-{path}")));
                if self.savepoint_info().savepoint_history.is_some_and(|all| all.len() > MOST_KEPT) {
                    self.forget_savepoint(&path);
                } else if self.now().duration_since(begun.at) >= NEXT_TRY {
                    self.dispose(path);
                }
            }
            Some(OperationResult::Unknown) => self.dispose(path),
            Some(OperationResult::InProgress) | None => {}
        }
    }

    fn dispose(&mut self, path: String) {
        let request = FlinkRequest::DisposeSavepoint { path };
        let call = FlinkCall { cluster: self.flink_cluster(), request, tolerate_failure: true };
        self.effects.push(Effect::Flink(call));
        self.look_again(self.settings.progress_check_interval);
    }

    fn forget_savepoint(&mut self, path: &str) {
        let info = self.job().savepoint_info.get_or_insert_with(SavepointInfo::initial);
        if let Some(history) = &mut info.savepoint_history {
            history.retain(|entry| entry.location.as_deref() != Some(path));
        }
        self.again_at_once();
    }
}

/// Whether nobody asked for this one in particular.
fn is_automatic(cause: SnapshotTriggerType) -> bool {
    match cause {
        SnapshotTriggerType::Periodic | SnapshotTriggerType::Upgrade => true,
        SnapshotTriggerType::Manual | SnapshotTriggerType::Unknown => false,
    }
}

fn is_older(at: Timestamp, age: Duration, now: Timestamp) -> bool {
    now.duration_since(at) > SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX)
}
