//! A snapshot and its job. Effects are done at once; what Flink says is for the test to say.

use std::collections::BTreeMap;

use api::{FlinkStateSnapshot, FlinkStateSnapshotStatus, FlinkVersion, SnapshotState};
use flink_conf::OperatorDefaults;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use resources::OperatorFiles;
use serde_json::{Value, json};

use super::super::{JobView, Observed, Phase, SnapshotJob, decide};
use crate::deployment::Context;
use crate::effect::{Begun, ObjectReference};
use crate::observed::{EffectFailure, FlinkAnswer, FlinkFailure, FlinkView, OperationResult};
use crate::{Decision, Effect, EventRecord, FlinkCluster, FlinkRequest, Requeue};

/// What happens to a world.
pub(super) type Change = fn(&mut World);

pub(super) const JOB_ID: &str = "1f1e1d1c1b1a19181716151413121110";

#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) resource: FlinkStateSnapshot,
    pub(super) observed: Observed,
    pub(super) now: Timestamp,
    pub(super) events: Vec<EventRecord>,
    pub(super) calls: Vec<FlinkRequest>,
    pub(super) finalizer_removed: bool,
}

pub(super) fn savepoint() -> Value {
    with_savepoint(&json!({}))
}

/// With `spec.savepoint`.
pub(super) fn with_savepoint(savepoint: &Value) -> Value {
    json!({"jobReference": {"kind": "FlinkDeployment", "name": "app"}, "savepoint": savepoint})
}

pub(super) fn checkpoint() -> Value {
    json!({"jobReference": {"kind": "FlinkDeployment", "name": "app"}, "checkpoint": {}})
}

/// The same with `spec.backoffLimit`.
pub(super) fn with_limit(mut spec: Value, limit: i32) -> Value {
    spec["backoffLimit"] = json!(limit);
    spec
}

/// What a job that runs shows of itself.
pub(super) fn running_job() -> SnapshotJob {
    SnapshotJob {
        uid: "app-uid".to_owned(),
        deleting: false,
        phase: Phase::Running,
        job_id: Some(JOB_ID.to_owned()),
        cluster: cluster(),
        job_manager: Some("jm-1".to_owned()),
        version: Some(FlinkVersion::V1_20),
        savepoint_directory: Some("file:///sp".to_owned()),
        checkpoint_type: "FULL".to_owned(),
    }
}

pub(super) fn cluster() -> FlinkCluster {
    FlinkCluster { namespace: "ns".to_owned(), name: "app".to_owned(), rest_port: 8081, tls: false }
}

pub(super) fn failed(reason: &str) -> OperationResult {
    OperationResult::Failed(reason.to_owned())
}

pub(super) fn completed(path: &str) -> OperationResult {
    OperationResult::Completed(path.to_owned())
}

/// An effect that failed, and needs nobody to change something.
pub(super) fn failure() -> EffectFailure {
    EffectFailure {
        action: "ask".to_owned(),
        message: "refused".to_owned(),
        attempts: 1,
        needs_user: false,
        operation: None,
    }
}

impl World {
    /// A resource that was created just now, of a job that runs.
    pub(super) fn new(spec: Value) -> Self {
        let mut resource = FlinkStateSnapshot::new("one", serde_json::from_value(spec).unwrap());
        resource.metadata.namespace = Some("ns".to_owned());
        resource.metadata.uid = Some("uid-1".to_owned());
        resource.metadata.generation = Some(1);
        let job = JobView::Found(Box::new(running_job()));
        Self {
            resource,
            observed: Observed { job, ..Observed::default() },
            now: Timestamp::from_second(1_000_000).unwrap(),
            events: Vec::new(),
            calls: Vec::new(),
            finalizer_removed: false,
        }
    }

    /// It has its finalizer and its labels, and nothing was decided yet.
    pub(super) fn pending(spec: Value) -> Self {
        let mut world = Self::new(spec);
        world.round();
        world
    }

    /// Flink was asked.
    pub(super) fn in_progress(spec: Value) -> Self {
        let mut world = Self::pending(spec);
        world.round();
        assert_eq!((world.state(), world.calls.len()), (SnapshotState::InProgress, 1));
        world.round();
        world.calls.clear();
        world
    }

    /// Flink has written it to `file:///sp/one`.
    pub(super) fn completed(spec: Value) -> Self {
        let mut world = Self::in_progress(spec);
        world.flink_says(completed("file:///sp/one"));
        world.round();
        assert_eq!(world.state(), SnapshotState::Completed);
        world.events.clear();
        world.round();
        world
    }

    /// The same, and its resource is being deleted.
    pub(super) fn deleted(mut self) -> Self {
        self.resource.metadata.deletion_timestamp = Some(Time(self.now));
        self
    }

    pub(super) fn decide(&self) -> Decision<FlinkStateSnapshotStatus> {
        let (defaults, files) = (OperatorDefaults::default(), OperatorFiles::default());
        let zone = jiff::tz::TimeZone::UTC;
        let context = Context { now: self.now, zone: &zone, defaults: &defaults, files: &files };
        decide(&self.resource, &self.observed, &context)
    }

    /// Decides, records and does.
    pub(super) fn round(&mut self) -> Decision<FlinkStateSnapshotStatus> {
        let decision = self.decide();
        self.resource.status = Some(decision.status.clone());
        for effect in decision.effects.clone() {
            self.perform(effect);
        }
        decision
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Event(event) => self.events.push(event),
            Effect::AddFinalizer => {
                let finalizer = api::names::FINALIZER_FLINK_STATE_SNAPSHOT.to_owned();
                self.resource.metadata.finalizers = Some(vec![finalizer]);
            }
            Effect::RemoveFinalizer => self.finalizer_removed = true,
            Effect::Change(change) => {
                let own =
                    ObjectReference::new(api::API_VERSION, "FlinkStateSnapshot", "ns", "one", Some("uid-1"));
                assert_eq!((change.object, change.resource_version), (own, None));
                let changed: BTreeMap<String, String> =
                    serde_json::from_value(change.part["metadata"]["labels"].clone()).unwrap();
                self.resource.metadata.labels.get_or_insert_default().extend(changed);
            }
            Effect::Flink(call) => {
                assert_eq!((call.cluster, call.tolerate_failure), (cluster(), false));
                self.calls.push(call.request);
            }
            other => panic!("a snapshot has no such effect: {other:?}"),
        }
    }

    pub(super) fn status(&self) -> FlinkStateSnapshotStatus {
        self.resource.status.clone().unwrap_or_default()
    }

    pub(super) fn set_status(&mut self, change: impl FnOnce(&mut FlinkStateSnapshotStatus)) {
        change(self.resource.status.get_or_insert_default());
    }

    pub(super) fn state(&self) -> SnapshotState {
        self.status().state.unwrap()
    }

    pub(super) fn error(&self) -> String {
        self.status().error.unwrap_or_default()
    }

    pub(super) fn trigger_id(&self) -> String {
        self.status().trigger_id.unwrap()
    }

    pub(super) fn job(&mut self) -> &mut SnapshotJob {
        match &mut self.observed.job {
            JobView::Found(job) => job,
            JobView::Unknown | JobView::Missing => panic!("there is no job"),
        }
    }

    /// Flink says that of the trigger that is recorded.
    pub(super) fn flink_says(&mut self, result: OperationResult) {
        let trigger_id = self.trigger_id();
        self.flink_says_of(&trigger_id, result);
    }

    /// The JobManager says that of the operation with that id.
    pub(super) fn flink_says_of(&mut self, id: &str, result: OperationResult) {
        let answer = FlinkAnswer {
            at: self.now,
            cluster: "jm-1".to_owned(),
            jobs: Vec::new(),
            absent: BTreeMap::new(),
            task_managers: None,
            cluster_info: BTreeMap::new(),
            checkpoints: None,
            operations: BTreeMap::from([(id.to_owned(), result)]),
            failure_cause: None,
            exceptions: Vec::new(),
            metrics: None,
            parallelism: None,
        };
        self.observed.flink = FlinkView { answer: Some(answer), failure: None };
    }

    /// What Flink has said.
    pub(super) fn answer(&mut self) -> &mut FlinkAnswer {
        self.observed.flink.answer.as_mut().unwrap()
    }

    /// The newest try to ask Flink has failed.
    pub(super) fn flink_is_silent(&mut self, message: &str) {
        self.observed.flink.failure = Some(FlinkFailure {
            since: self.now,
            unreachable: true,
            untrusted: false,
            message: message.to_owned(),
        });
    }

    /// This process has seen an operation begin, now.
    pub(super) fn begun(&mut self, operation: &str, id: &str) {
        self.observed.begun =
            Some(Begun { operation: operation.to_owned(), id: id.to_owned(), at: self.now });
    }

    pub(super) fn later(&mut self, seconds: i64) {
        self.later_by_millis(seconds * 1000);
    }

    pub(super) fn later_by_millis(&mut self, millis: i64) {
        self.now += SignedDuration::from_millis(millis);
    }

    /// `type reason component: message` of what was told since the last call.
    pub(super) fn told(&mut self) -> Vec<String> {
        let tell = |event: EventRecord| {
            let (kind, component) = (event.event_type.as_str(), event.component.as_str());
            format!("{kind} {} {component}: {}", event.reason, event.message)
        };
        std::mem::take(&mut self.events).into_iter().map(tell).collect()
    }

    /// The only Event since the last call, without its message, and that.
    pub(super) fn told_once(&mut self) -> (String, String) {
        let told = self.told();
        let [one] = told.as_slice() else { panic!("{told:?}") };
        let (what, message) = one.split_once(": ").unwrap();
        (what.to_owned(), message.to_owned())
    }

    /// Nothing happens, now or later, unless something changes.
    pub(super) fn rests(&self) {
        let decision = self.decide();
        assert_eq!(Some(&decision.status), self.resource.status.as_ref());
        assert!(decision.effects.is_empty(), "{:?}", decision.effects);
        assert_eq!((decision.requeue, decision.poll), (Requeue::OnChange, None));
    }
}

/// That many seconds.
pub(super) fn after(seconds: u64) -> Requeue {
    Requeue::After(std::time::Duration::from_secs(seconds))
}
