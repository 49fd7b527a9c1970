//! The end of a FlinkStateSnapshot: its savepoint goes first, if the spec says so and nothing else needs it.
//!
//! Whatever happens, the deletion ends: after [`DISPOSAL_LIMIT`] the resource goes and an Event names the files that
//! stay. (With the Java operator a snapshot whose job is gone can never be deleted, W-21, and whether a disposal worked
//! is not asked, W-12.)

use api::{FlinkStateSnapshot, SavepointSpec, SnapshotState, SnapshotType};
use jiff::SignedDuration;

use super::{BUSY, JobView, Pass, Phase, SnapshotJob};
use crate::effect::{Effect, FlinkRequest};
use crate::event::{Component, EventRecord, Reason};
use crate::job::history::NOT_THERE;
use crate::observed::OperationResult;
use crate::{Question, Requeue};

/// For how long files are tried to be deleted, counted from the deletion of the resource.
const DISPOSAL_LIMIT: SignedDuration = SignedDuration::from_mins(2);

/// For how long a savepoint that is being written is waited for. Flink itself gives up after
/// `execution.checkpointing.timeout`, 10 minutes by default.
const RESULT_LIMIT: SignedDuration = SignedDuration::from_mins(30);

/// The wait after a disposal that has failed.
const NEXT_TRY: SignedDuration = SignedDuration::from_secs(10);

/// Whether the files of a snapshot go with it.
pub(super) fn owns_files(resource: &FlinkStateSnapshot) -> bool {
    let spec = &resource.spec;
    spec.snapshot_type() == Some(SnapshotType::Savepoint)
        && spec.job_reference.is_some()
        && spec.savepoint.as_ref().is_some_and(SavepointSpec::dispose_on_delete_or_default)
}

impl Pass<'_> {
    pub(super) fn delete(&mut self) {
        if !self.has_finalizer() {
            return;
        }
        if !owns_files(self.resource) {
            return self.release();
        }
        match self.state() {
            SnapshotState::Completed => self.dispose(),
            SnapshotState::InProgress => self.wait_for_result(),
            SnapshotState::TriggerPending | SnapshotState::Failed | SnapshotState::Abandoned => {
                self.release();
            }
        }
    }

    /// What Flink is writing would be left behind.
    fn wait_for_result(&mut self) {
        let trigger_id = self.trigger_id().unwrap_or_default();
        let job = match &self.observed.job {
            JobView::Unknown => return self.wait_for_job(&format!("of trigger {trigger_id}")),
            JobView::Missing => {
                return self.leave_behind("its job is gone", &format!("of trigger {trigger_id}"));
            }
            JobView::Found(job) => job,
        };
        match self.result(job, &trigger_id) {
            Some(OperationResult::Completed(path)) => {
                self.complete(path);
                self.dispose();
            }
            Some(OperationResult::Failed(_) | OperationResult::Unknown) => self.release(),
            Some(OperationResult::InProgress) if self.deleting_for() < RESULT_LIMIT => self.follow_on(job),
            None if self.deleting_for() < DISPOSAL_LIMIT && can_answer(job) => self.follow_on(job),
            Some(OperationResult::InProgress) | None => {
                self.leave_behind(
                    "its JobManager does not say what came of it",
                    &format!("of trigger {trigger_id}"),
                );
            }
        }
    }

    fn dispose(&mut self) {
        let Some(path) = self.status.path.clone().filter(|path| !path.is_empty()) else {
            return self.release();
        };
        if let Some(other) = self.observed.needed_by.clone() {
            let message = format!("The savepoint {path} stays: {other} refers to it as well");
            self.event(EventRecord::normal(Reason::Cleanup, Component::Snapshot, message));
            return self.release();
        }
        let job = match &self.observed.job {
            JobView::Unknown => return self.wait_for_job(&path),
            JobView::Missing => {
                return self.leave_behind("its job is gone, and with it the JobManager", &path);
            }
            JobView::Found(job) => job,
        };
        if !can_answer(job) {
            return self
                .leave_behind("the resource of its job is being deleted, and there is no JobManager", &path);
        }
        let begun = self.observed.begun.as_ref().filter(|begun| begun.operation == path);
        let result = begun.map(|begun| (begun.at, self.result(job, &begun.id)));
        match result {
            Some((_, Some(OperationResult::Completed(_)))) => self.release(),
            Some((_, Some(OperationResult::Failed(reason)))) if reason.contains(NOT_THERE) => {
                let message = format!("The savepoint {path} is not there any more: {reason}");
                self.event(EventRecord::normal(Reason::Cleanup, Component::Snapshot, message));
                self.release();
            }
            _ if self.deleting_for() >= DISPOSAL_LIMIT => {
                let reason = match result {
                    Some((_, Some(OperationResult::Failed(reason)))) => {
                        format!("Flink could not delete it: {reason}")
                    }
                    Some(_) => "Flink does not say whether it is deleted".to_owned(),
                    None => self.what_failed(),
                };
                self.leave_behind(&reason, &path);
            }
            Some((begun, Some(OperationResult::Failed(_) | OperationResult::Unknown)))
                if self.now().duration_since(begun) >= NEXT_TRY =>
            {
                self.ask_for_disposal(job, path);
            }
            Some(_) => self.follow_disposal(job),
            None => self.ask_for_disposal(job, path),
        }
    }

    /// Perhaps the resource of the job cannot be understood, and never will be.
    fn wait_for_job(&mut self, files: &str) {
        if self.deleting_for() < DISPOSAL_LIMIT {
            return self.look_again(self.settings.progress_check_interval);
        }
        self.leave_behind("nothing can be learnt of its job", files);
    }

    fn ask_for_disposal(&mut self, job: &SnapshotJob, path: String) {
        if let Some(failure) = &self.observed.failure {
            return self.wait(format!("{}: {}", failure.action, failure.message));
        }
        if job.job_manager.is_none() {
            return self.look_again(self.settings.progress_check_interval);
        }
        self.ask(job, FlinkRequest::DisposeSavepoint { path });
        // Flink chooses the id of this operation; it is known in the next round.
        self.requeue = Some(Requeue::AtOnce);
    }

    fn follow_disposal(&mut self, job: &SnapshotJob) {
        let Some(begun) = &self.observed.begun else { return };
        self.plan_poll(job, Question::Disposal { trigger_id: begun.id.clone() }, BUSY);
        self.look_again(self.settings.progress_check_interval);
    }

    /// Why Flink was not asked: what [`Pass::ask_for_disposal`] has recorded, or the poller says.
    fn what_failed(&self) -> String {
        let recorded = self.status.error.clone().filter(|error| !error.is_empty());
        let silent = || self.observed.flink.failure.as_ref().map(|failure| failure.message.clone());
        recorded.or_else(silent).unwrap_or_else(|| "no JobManager could be asked to delete them".to_owned())
    }

    fn deleting_for(&self) -> SignedDuration {
        let asked = self.resource.metadata.deletion_timestamp.as_ref().map(|time| time.0);
        asked.map_or(SignedDuration::ZERO, |asked| self.now().duration_since(asked))
    }

    /// The resource goes although its files stay.
    fn leave_behind(&mut self, why: &str, files: &str) {
        if self.observed.failure.is_some() {
            return self.look_again(self.settings.progress_check_interval);
        }
        let message = format!(
            "The resource is deleted, and the files of its savepoint stay, because {why}. Remedy: delete them by hand: {files}"
        );
        self.event(EventRecord::warning(Reason::CleanupFailed, Component::Snapshot, message));
        self.release();
    }

    fn release(&mut self) {
        self.poll = None;
        self.effects.push(Effect::RemoveFinalizer);
    }
}

/// Whether there is a JobManager, or one may come.
fn can_answer(job: &SnapshotJob) -> bool {
    job.job_manager.is_some() || !job.deleting && !matches!(job.phase, Phase::Ended)
}
