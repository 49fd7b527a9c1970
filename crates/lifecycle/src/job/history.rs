//! How many snapshots are kept. The newest one always is, and whatever a job may have to start from. A FlinkStateSnapshot
//! that a user has created, or that a nonce has, is never removed; a savepoint of the status is, as it stands there
//! without its cause, unless something else refers to it.
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
use crate::snapshot::is_same;

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
                || snapshot.path.as_deref().is_some_and(|path| self.may_start_from(path));
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

    /// Whether the job may have to start from there: it has not made its first checkpoint since it did, or it is told to.
    fn may_start_from(&self, path: &str) -> bool {
        let upgrade = self.status.job_status().and_then(|job| job.upgrade_savepoint_path.as_deref());
        let initial = self.wanted_job().and_then(|job| job.initial_savepoint_path.as_deref());
        let known = names::real_savepoint_path(upgrade).into_iter().chain(initial);
        known.into_iter().any(|known| is_same(known, path))
    }

    // ---- savepoints of the status -------------------------------------------------------------------------------

    /// The savepoint of the history that goes next.
    pub(crate) fn outdated_savepoint(&self) -> Option<String> {
        let history = self.savepoint_info().savepoint_history?;
        let of_resources = self.own_snapshots(SnapshotType::Savepoint);
        let completed: Vec<&Snapshot> =
            of_resources.filter(|it| it.state == SnapshotState::Completed).collect();
        let most = self.settings.savepoint_history_max_count.saturating_sub(completed.len());
        let now = self.now();
        let taken = |entry: &Savepoint| entry.time_stamp.and_then(|at| Timestamp::from_millisecond(at).ok());
        let is_old = |entry: &Savepoint| {
            taken(entry).is_some_and(|at| is_older(at, self.settings.savepoint_history_max_age, now))
        };
        // The newest one stays, unless there is a newer one as a resource.
        let newest = history.last()?;
        let is_replaced = completed.iter().any(|it| it.created >= taken(newest));
        let removable = if is_replaced { history.len() } else { history.len() - 1 };
        let over = history.len().saturating_sub(most);
        let entries = history.iter().take(removable).enumerate();
        let outdated = entries.filter(|(index, entry)| *index < over || is_old(entry));
        let mut paths = outdated.filter_map(|(_, entry)| entry.location.as_ref());
        paths.find(|path| self.is_free(path)).cloned()
    }

    /// Whether nothing needs a savepoint of the history any more.
    fn is_free(&self, path: &String) -> bool {
        !self.may_start_from(path) && !self.observed.savepoints_needed_by_others.contains(path)
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
