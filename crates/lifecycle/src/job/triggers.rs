//! Snapshots that are taken because a nonce was changed, or because it is time.
//!
//! With snapshot resources a FlinkStateSnapshot is created, whose name follows from what is recorded, so that a repeat
//! creates no second one. Without them Flink is asked, with a trigger id that is recorded first.

use std::time::Duration;

use api::{
    CheckpointSpec, CheckpointType, FlinkStateSnapshot, FlinkStateSnapshotSpec, FlinkVersion, JobReference,
    JobStatusState, SavepointSpec, SnapshotTriggerType, SnapshotType, names,
};
use jiff::{SignedDuration, Timestamp};
use kube::core::{DynamicObject, ObjectMeta, TypeMeta};

use super::identity::{self, Purpose};
use super::pass::{Pass, Sight, Stage};
use super::resource::JobResource;
use crate::effect::{Effect, FlinkCall, FlinkRequest};
use crate::event::{Component, EventRecord, Reason};
use crate::observed::Snapshot;
use crate::schedule::Schedule;

/// The wait before a snapshot without a resource of its own is tried again.
const NEXT_TRY: SignedDuration = SignedDuration::from_secs(10);

/// When a FlinkStateSnapshot that was created is looked for, if no watch tells of it.
const SEEN_AFTER: Duration = Duration::from_secs(5);

/// Both kinds, in the order in which they are looked at.
const BOTH: [SnapshotType; 2] = [SnapshotType::Savepoint, SnapshotType::Checkpoint];

/// What is recorded of a snapshot that was asked for and has not been triggered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Request {
    cause: SnapshotTriggerType,
    /// Milliseconds since 1970.
    at: i64,
}

impl<R: JobResource> Pass<'_, R> {
    /// Takes the snapshots of a running job that are due, and removes those that are not kept.
    pub(crate) fn look_after_snapshots(&mut self) {
        let runs = self.stage() == Stage::Deployed
            && self.job_state() == Some(JobStatusState::Running)
            && self.sight == Sight::Plain;
        if runs && R::has_job(self) {
            self.take_snapshots();
            self.trigger_what_never_arrived();
            self.clean_up_snapshots();
        }
    }

    /// One at a time, savepoints first.
    fn take_snapshots(&mut self) {
        for kind in BOTH {
            if self.is_pending(kind) {
                continue;
            }
            let taken = if self.settings.snapshot_resources {
                self.take_as_resource(kind)
            } else {
                self.take_by_status(kind)
            };
            if taken {
                return;
            }
        }
    }

    /// Whether Flink is at work on one that the status knows of.
    fn is_pending(&self, kind: SnapshotType) -> bool {
        let id = match kind {
            SnapshotType::Savepoint => self.savepoint_info().trigger_id,
            SnapshotType::Checkpoint => self.checkpoint_info().trigger_id,
        };
        id.is_some_and(|id| !id.is_empty())
    }

    // ---- why ----------------------------------------------------------------------------------------------------

    /// The nonce that asks for a snapshot.
    fn asking_nonce(&self, kind: SnapshotType) -> Option<i64> {
        let nonce = |job: &api::JobSpec| match kind {
            SnapshotType::Savepoint => job.savepoint_trigger_nonce,
            SnapshotType::Checkpoint => job.checkpoint_trigger_nonce,
        };
        let wanted = self.wanted_job().and_then(nonce)?;
        (self.recorded_job().and_then(nonce) != Some(wanted)).then_some(wanted)
    }

    /// The nonce is handled.
    pub(crate) fn record_nonce(&mut self, kind: SnapshotType, nonce: i64) {
        let was_stable = self.is_stable();
        self.change_recorded_job(|job| match kind {
            SnapshotType::Savepoint => job.savepoint_trigger_nonce = Some(nonce),
            SnapshotType::Checkpoint => job.checkpoint_trigger_nonce = Some(nonce),
        });
        if was_stable {
            self.mark_stable();
        }
    }

    /// When a periodic snapshot became due. One that is not due yet is looked at again in time.
    fn due(&mut self, kind: SnapshotType) -> Option<Timestamp> {
        let text = match kind {
            SnapshotType::Savepoint => self.settings.periodic_savepoint_interval.clone(),
            SnapshotType::Checkpoint => self.settings.periodic_checkpoint_interval.clone(),
        };
        let text = text.filter(|text| !text.trim().is_empty())?;
        let schedule: Schedule = match text.parse() {
            Ok(schedule) => schedule,
            Err(error) => {
                let what = word(kind);
                let message = format!(
                    "kubernetes.operator.periodic.{what}.interval is not understood, so no periodic {what}s are taken: \
                     {error}"
                );
                let event = EventRecord::warning(Reason::ValidationError, Component::Operator, message);
                self.event(event.once(format!("periodic-{what}-{text}")));
                return None;
            }
        };
        let due = schedule.due(self.last_periodic(kind)?, self.context.zone)?;
        let now = self.now();
        if due > now {
            let left = due.duration_since(now).unsigned_abs();
            self.look_again(left.max(Duration::from_millis(1)));
            return None;
        }
        Some(due)
    }

    /// When the last periodic snapshot was asked for, or else the resource was created.
    fn last_periodic(&self, kind: SnapshotType) -> Option<Timestamp> {
        let by_status = match kind {
            SnapshotType::Savepoint => self.savepoint_info().last_periodic_savepoint_timestamp,
            SnapshotType::Checkpoint => self.checkpoint_info().last_periodic_checkpoint_timestamp,
        };
        let by_status = by_status.and_then(|at| Timestamp::from_millisecond(at).ok());
        let periodic = self.own_snapshots(kind).filter(|it| it.trigger_type == SnapshotTriggerType::Periodic);
        let created = self.resource.metadata().creation_timestamp.as_ref().map(|time| time.0);
        periodic.filter_map(|snapshot| snapshot.created).chain(by_status).chain(created).max()
    }

    /// Snapshots of this resource, and not of an earlier one of its name (W-55). Those of the Java operator do not say so;
    /// they count if they are younger than the resource.
    pub(crate) fn own_snapshots(&self, kind: SnapshotType) -> impl Iterator<Item = &Snapshot> {
        let born = self.resource.metadata().creation_timestamp.as_ref().map(|time| time.0);
        let of_kind = self.observed.snapshots.iter().filter(move |it| it.snapshot_type == Some(kind));
        of_kind.filter(move |snapshot| match &snapshot.job_uid {
            Some(uid) => uid == self.uid,
            None => snapshot.created >= born,
        })
    }

    fn request(&self, kind: SnapshotType) -> Option<Request> {
        let (cause, at) = match kind {
            SnapshotType::Savepoint => {
                let info = self.savepoint_info();
                (info.trigger_type, info.trigger_timestamp)
            }
            SnapshotType::Checkpoint => {
                let info = self.checkpoint_info();
                (info.trigger_type, info.trigger_timestamp)
            }
        };
        Some(Request { cause: cause?, at: at? })
    }

    /// Records what is about to be triggered; without a trigger id Flink is not asked.
    fn record_request(&mut self, kind: SnapshotType, request: Option<Request>, trigger_id: Option<String>) {
        let (cause, at) = (request.map(|it| it.cause), request.map(|it| it.at));
        match kind {
            SnapshotType::Savepoint => {
                let format = request.and_then(|_| self.savepoint_format());
                let info = self.job().savepoint_info.get_or_insert_default();
                (info.trigger_type, info.trigger_timestamp, info.format_type) = (cause, at, format);
                info.trigger_id = trigger_id;
            }
            SnapshotType::Checkpoint => {
                let format = request.and_then(|_| self.checkpoint_type());
                let info = self.job().checkpoint_info.get_or_insert_default();
                (info.trigger_type, info.trigger_timestamp, info.format_type) = (cause, at, format);
                info.trigger_id = trigger_id;
            }
        }
    }

    fn checkpoint_type(&self) -> Option<CheckpointType> {
        self.settings.checkpoint_type.parse().ok()
    }

    // ---- as a resource ------------------------------------------------------------------------------------------

    fn take_as_resource(&mut self, kind: SnapshotType) -> bool {
        if let Some(nonce) = self.asking_nonce(kind).filter(|_| self.flink_takes(kind)) {
            self.take_for_nonce(kind, nonce);
            return true;
        }
        if self.request(kind).is_some() {
            // The nonce was taken back, or snapshot resources were off before.
            self.record_request(kind, None, None);
        }
        let under_way = self.own_snapshots(kind).any(|snapshot| {
            snapshot.trigger_type == SnapshotTriggerType::Periodic
                && !snapshot.state.is_final()
                && !snapshot.terminating
        });
        // They do not pile up (W-22): the next one waits for the end of the last one, which wakes this resource.
        if under_way || !self.flink_takes(kind) {
            return false;
        }
        let Some(due) = self.due(kind) else { return false };
        self.create_snapshot(kind, SnapshotTriggerType::Periodic, due.as_millisecond());
        self.look_again(SEEN_AFTER);
        true
    }

    /// The moment is recorded first, as the name is made of it. The nonce counts as handled when the resource is seen.
    fn take_for_nonce(&mut self, kind: SnapshotType, nonce: i64) {
        let manual = SnapshotTriggerType::Manual;
        let begun = self.request(kind).filter(|request| request.cause == manual);
        let request = begun.unwrap_or_else(|| Request { cause: manual, at: self.now().as_millisecond() });
        let name = self.snapshot_name(kind, manual, request.at);
        if self.observed.snapshots.iter().any(|snapshot| snapshot.name == name) {
            self.record_nonce(kind, nonce);
            self.record_request(kind, None, None);
            self.again_at_once();
            return;
        }
        self.record_request(kind, Some(request), None);
        self.create_snapshot(kind, manual, request.at);
        self.look_again(SEEN_AFTER);
    }

    fn create_snapshot(&mut self, kind: SnapshotType, cause: SnapshotTriggerType, at: i64) {
        let savepoint = SavepointSpec {
            path: self.savepoint_directory(),
            format_type: self.savepoint_format(),
            dispose_on_delete: Some(self.settings.savepoint_dispose_on_delete),
            already_exists: Some(false),
        };
        let spec = match kind {
            SnapshotType::Savepoint => {
                FlinkStateSnapshotSpec { savepoint: Some(savepoint), ..FlinkStateSnapshotSpec::default() }
            }
            SnapshotType::Checkpoint => FlinkStateSnapshotSpec {
                checkpoint: Some(CheckpointSpec {}),
                ..FlinkStateSnapshotSpec::default()
            },
        };
        let object = self.snapshot_resource(kind, cause, at, spec);
        self.effects.push(Effect::CreateOwned(Box::new(object)));
    }

    /// `<name>-savepoint-manual-<milliseconds>`, as the Java operator names it.
    pub(crate) fn snapshot_name(&self, kind: SnapshotType, cause: SnapshotTriggerType, at: i64) -> String {
        format!("{}-{}-{}-{at}", self.name, word(kind), cause.to_string().to_lowercase())
    }

    /// A FlinkStateSnapshot of this job. It has no owner, so that it outlives the resource, and it says which one it is of.
    pub(crate) fn snapshot_resource(
        &self,
        kind: SnapshotType,
        cause: SnapshotTriggerType,
        at: i64,
        spec: FlinkStateSnapshotSpec,
    ) -> DynamicObject {
        let spec = FlinkStateSnapshotSpec {
            job_reference: Some(JobReference { kind: Some(R::KIND), name: Some(self.name.to_owned()) }),
            backoff_limit: Some(-1),
            ..spec
        };
        let labels = [
            (names::LABEL_SNAPSHOT_TRIGGER_TYPE.to_owned(), cause.to_string()),
            (names::LABEL_JOB_REFERENCE_UID.to_owned(), self.uid.to_owned()),
        ];
        DynamicObject {
            types: Some(TypeMeta {
                api_version: api::API_VERSION.to_owned(),
                kind: FlinkStateSnapshot::KIND.to_owned(),
            }),
            metadata: ObjectMeta {
                name: Some(self.snapshot_name(kind, cause, at)),
                namespace: Some(self.namespace.to_owned()),
                labels: Some(labels.into()),
                ..ObjectMeta::default()
            },
            data: serde_json::json!({ "spec": spec }),
        }
    }

    // ---- without one --------------------------------------------------------------------------------------------

    fn take_by_status(&mut self, kind: SnapshotType) -> bool {
        let nonce = self.asking_nonce(kind);
        if !self.flink_takes(kind) {
            return false;
        }
        let cause = match (nonce, self.due(kind)) {
            (Some(_), _) => SnapshotTriggerType::Manual,
            (None, Some(_)) => SnapshotTriggerType::Periodic,
            (None, None) => return false,
        };
        if self.has_just_failed(kind) {
            self.look_again(self.settings.progress_check_interval);
            return true;
        }
        // Of several tries the first one counts, so that they come to an end (W-10).
        let earlier = self.request(kind).filter(|request| request.cause == cause);
        let request = earlier.unwrap_or_else(|| Request { cause, at: self.now().as_millisecond() });
        let trigger_id = identity::new(Purpose::Trigger, self.uid, self.generation, self.now());
        self.record_request(kind, Some(request), Some(trigger_id.clone()));
        self.trigger(kind, trigger_id);
        true
    }

    /// Whether the last try was only a moment ago.
    fn has_just_failed(&self, kind: SnapshotType) -> bool {
        let begun = self.observed.begun.as_ref().map(|begun| begun.at);
        self.request(kind).is_some() && begun.is_some_and(|at| self.now().duration_since(at) < NEXT_TRY)
    }

    /// Asks Flink.
    pub(crate) fn trigger(&mut self, kind: SnapshotType, trigger_id: String) {
        let Some(job_id) = self.job_id().map(str::to_owned) else { return };
        let request = match kind {
            SnapshotType::Savepoint => FlinkRequest::TriggerSavepoint {
                job_id,
                trigger_id,
                target_directory: self.savepoint_directory(),
                format_type: self.settings.savepoint_format.clone(),
            },
            SnapshotType::Checkpoint => FlinkRequest::TriggerCheckpoint {
                job_id,
                trigger_id,
                checkpoint_type: self.settings.checkpoint_type.clone(),
            },
        };
        let call = FlinkCall { cluster: self.flink_cluster(), request, tolerate_failure: false };
        self.effects.push(Effect::Flink(call));
    }

    fn savepoint_directory(&self) -> Option<String> {
        let conf = R::configuration(self)?;
        flink_conf::savepoint_directory(&conf).map(str::to_owned)
    }

    /// Flink takes checkpoints on demand from version 1.17 on.
    fn flink_takes(&self, kind: SnapshotType) -> bool {
        kind == SnapshotType::Savepoint
            || R::flink_version(self).is_none_or(|version| version >= FlinkVersion::V1_17)
    }
}

fn word(kind: SnapshotType) -> String {
    kind.to_string().to_lowercase()
}
