//! Savepoints and checkpoints that were triggered by the fields of the status, as the Java operator does without snapshot
//! resources, and whose result is still to come.

use std::time::Duration;

use api::{Checkpoint, JobStatusState, Savepoint, SnapshotState, SnapshotTriggerType, SnapshotType};
use jiff::Timestamp;

use super::pass::Pass;
use super::resource::JobResource;
use super::snapshots::add_savepoint;
use crate::Question;
use crate::event::{Component, EventRecord, Reason};
use crate::observed::{FlinkAnswer, OperationResult};

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pending {
    Savepoint,
    Checkpoint,
}

impl Pending {
    fn snapshot_type(self) -> SnapshotType {
        match self {
            Self::Savepoint => SnapshotType::Savepoint,
            Self::Checkpoint => SnapshotType::Checkpoint,
        }
    }
}

impl<R: JobResource> Pass<'_, R> {
    /// Questions about results that are still to come.
    pub(crate) fn pending_questions(&self, job_id: &str) -> Vec<Question> {
        let savepoint = self
            .savepoint_trigger()
            .map(|trigger_id| Question::Savepoint { job_id: job_id.to_owned(), trigger_id });
        let checkpoint = self
            .checkpoint_trigger()
            .map(|trigger_id| Question::Checkpoint { job_id: job_id.to_owned(), trigger_id });
        let disposal = self
            .observed
            .begun
            .as_ref()
            .filter(|begun| self.outdated_savepoint().is_some_and(|path| begun.operation == path));
        let disposal = disposal.map(|begun| Question::Disposal { trigger_id: begun.id.clone() });
        savepoint.into_iter().chain(checkpoint).chain(disposal).collect()
    }

    fn savepoint_trigger(&self) -> Option<String> {
        self.savepoint_info().trigger_id.filter(|id| !id.is_empty())
    }

    fn checkpoint_trigger(&self) -> Option<String> {
        self.checkpoint_info().trigger_id.filter(|id| !id.is_empty())
    }

    /// An upgrade would end a savepoint that somebody waits for.
    pub(crate) fn waits_for_pending_savepoint(&mut self) -> bool {
        let waits = R::has_job(self)
            && !self.settings.ignore_pending_savepoint
            && self.job_state() == Some(JobStatusState::Running)
            && (self.savepoint_trigger().is_some() || self.writes_savepoint());
        if waits {
            self.hold(
                "PendingSavepoint",
                "The change waits until the savepoint is complete that was triggered before. To go on without it, set \
                 kubernetes.operator.job.upgrade.ignore-pending-savepoint: true.",
            );
            self.look_again(self.settings.progress_check_interval);
            self.trigger_what_never_arrived();
        }
        waits
    }

    /// Whether Flink is writing a savepoint of a FlinkStateSnapshot (W-48).
    fn writes_savepoint(&self) -> bool {
        let mut savepoints = self.own_snapshots(SnapshotType::Savepoint);
        savepoints.any(|snapshot| snapshot.state == SnapshotState::InProgress && !snapshot.terminating)
    }

    /// Triggers again what Flink knows nothing of, unless this process has seen it begin: then the JobManager has been
    /// restarted since.
    pub(crate) fn trigger_what_never_arrived(&mut self) {
        let Some(answer) = self.observed.flink.current() else { return };
        let never_arrived = |trigger: &String| {
            answer.operations.get(trigger) == Some(&OperationResult::Unknown)
                && self.begun_at(trigger).is_none()
        };
        let savepoint = self.savepoint_trigger().filter(&never_arrived);
        let checkpoint = self.checkpoint_trigger().filter(&never_arrived);
        if let Some(trigger) = savepoint {
            self.trigger(SnapshotType::Savepoint, trigger);
        }
        if let Some(trigger) = checkpoint {
            self.trigger(SnapshotType::Checkpoint, trigger);
        }
    }

    /// When this process has seen an operation begin.
    fn begun_at(&self, trigger: &str) -> Option<Timestamp> {
        self.observed.begun.as_ref().filter(|begun| begun.operation == trigger).map(|begun| begun.at)
    }

    /// Takes in what became of pending snapshots (`SnapshotObserver` of the Java operator).
    pub(crate) fn observe_pending_snapshots(&mut self, answer: &FlinkAnswer) {
        let runs = self.job_state() == Some(JobStatusState::Running);
        for (pending, trigger) in
            [(Pending::Savepoint, self.savepoint_trigger()), (Pending::Checkpoint, self.checkpoint_trigger())]
        {
            let Some(trigger) = trigger else { continue };
            match answer.operations.get(&trigger) {
                Some(OperationResult::Completed(text)) => self.snapshot_is_complete(pending, text),
                Some(OperationResult::Failed(reason)) => self.snapshot_failed(pending, reason),
                Some(OperationResult::Unknown)
                    if self.begun_at(&trigger).is_some_and(|at| at < answer.at) =>
                {
                    self.snapshot_failed(pending, "the JobManager was restarted before it was complete");
                }
                Some(OperationResult::Unknown) if self.refusal(&trigger).is_some() => {
                    let reason = self.refusal(&trigger).unwrap_or_default();
                    self.snapshot_failed(pending, &reason);
                }
                Some(OperationResult::Unknown | OperationResult::InProgress) | None if runs => {}
                Some(OperationResult::Unknown | OperationResult::InProgress) | None => {
                    self.give_up(pending);
                    self.report(pending, "the job does not run any more");
                }
            }
        }
    }

    /// Why Flink does not begin it.
    fn refusal(&self, trigger: &str) -> Option<String> {
        let failure = self.observed.failure.as_ref().filter(|failure| failure.refuses(trigger))?;
        Some(format!("{}: {}", failure.action, failure.message))
    }

    fn snapshot_is_complete(&mut self, pending: Pending, text: &str) {
        let nonce = self.manual_nonce(pending);
        match pending {
            Pending::Savepoint => {
                let mut info = self.savepoint_info();
                let savepoint = Savepoint {
                    time_stamp: info.trigger_timestamp,
                    location: Some(text.to_owned()),
                    trigger_type: info.trigger_type,
                    format_type: info.format_type,
                    trigger_nonce: nonce,
                };
                add_savepoint(&mut info, savepoint);
                self.job().savepoint_info = Some(info);
            }
            Pending::Checkpoint => {
                let mut info = self.checkpoint_info();
                info.last_checkpoint = Some(Checkpoint {
                    time_stamp: info.trigger_timestamp,
                    trigger_type: info.trigger_type,
                    format_type: info.format_type,
                    trigger_nonce: nonce,
                });
                self.job().checkpoint_info = Some(info);
            }
        }
        self.give_up(pending);
    }

    /// Within the grace period the nonce stays unhandled, so that it is tried again.
    fn snapshot_failed(&mut self, pending: Pending, reason: &str) {
        let (begun, grace) = match pending {
            Pending::Savepoint => {
                (self.savepoint_info().trigger_timestamp, self.settings.savepoint_grace_period)
            }
            Pending::Checkpoint => {
                (self.checkpoint_info().trigger_timestamp, self.settings.checkpoint_grace_period)
            }
        };
        let waited = self.now().as_millisecond().saturating_sub(begun.unwrap_or_default());
        let waited = Duration::from_millis(u64::try_from(waited).unwrap_or(0));
        if waited > grace {
            self.give_up(pending);
        } else {
            self.reset(pending);
        }
        self.report(pending, reason);
    }

    fn report(&mut self, pending: Pending, reason: &str) {
        let (what, kind) = match pending {
            Pending::Savepoint => ("Savepoint", Reason::SavepointError),
            Pending::Checkpoint => ("Checkpoint", Reason::CheckpointError),
        };
        let message = format!("{what} failed: {reason}");
        self.event(EventRecord::warning(kind, Component::Operator, message));
    }

    /// Nothing more is to come of it; what asked for it is handled.
    fn give_up(&mut self, pending: Pending) {
        let kind = pending.snapshot_type();
        if let Some(nonce) = self.manual_nonce(pending) {
            self.record_nonce(kind, nonce);
        }
        match pending {
            Pending::Savepoint => {
                let info = self.job().savepoint_info.get_or_insert_default();
                if info.trigger_type == Some(SnapshotTriggerType::Periodic) {
                    info.last_periodic_savepoint_timestamp = info.trigger_timestamp;
                }
                (info.trigger_timestamp, info.trigger_type, info.format_type) = (None, None, None);
            }
            Pending::Checkpoint => {
                let info = self.job().checkpoint_info.get_or_insert_default();
                if info.trigger_type == Some(SnapshotTriggerType::Periodic) {
                    info.last_periodic_checkpoint_timestamp = info.trigger_timestamp;
                }
                (info.trigger_timestamp, info.trigger_type, info.format_type) = (None, None, None);
            }
        }
        self.reset(pending);
    }

    /// It is tried again. When it was first tried stays recorded.
    fn reset(&mut self, pending: Pending) {
        match pending {
            Pending::Savepoint => self.job().savepoint_info.get_or_insert_default().trigger_id = None,
            Pending::Checkpoint => self.job().checkpoint_info.get_or_insert_default().trigger_id = None,
        }
    }

    /// The nonce that asked for it, if a nonce did.
    fn manual_nonce(&self, pending: Pending) -> Option<i64> {
        let job = self.wanted_job()?;
        let (cause, nonce) = match pending {
            Pending::Savepoint => (self.savepoint_info().trigger_type, job.savepoint_trigger_nonce),
            Pending::Checkpoint => (self.checkpoint_info().trigger_type, job.checkpoint_trigger_nonce),
        };
        nonce.filter(|_| cause == Some(SnapshotTriggerType::Manual))
    }
}
