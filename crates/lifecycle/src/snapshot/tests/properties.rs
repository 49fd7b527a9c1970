//! Promises that hold for every resource, every observation and every moment.

use api::{SnapshotState, SnapshotType};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::super::{JobView, Phase};
use super::world::{World, completed, failed, failure};
use crate::observed::OperationResult;
use crate::{Effect, FlinkRequest, Requeue};

const PATH: &str = "file:///sp/one";
const TRIGGER: &str = "0123456789abcdef0123456789abcdef";

fn spec() -> impl Strategy<Value = Value> {
    let path = option::of(select(vec!["", PATH]));
    let savepoint = (path, option::of(any::<bool>()), option::of(any::<bool>())).prop_map(
        |(path, dispose, exists)| json!({"path": path, "disposeOnDelete": dispose, "alreadyExists": exists}),
    );
    let job = option::of((option::of(Just("FlinkDeployment")), option::of(Just("app"))));
    let job = job.prop_map(|job| job.map(|(kind, name)| json!({"kind": kind, "name": name})));
    (job, option::of(savepoint), option::of(Just(json!({}))), option::of(-1..3)).prop_map(
        |(job, savepoint, checkpoint, limit)| {
            json!({"jobReference": job, "savepoint": savepoint, "checkpoint": checkpoint,
                "backoffLimit": limit})
        },
    )
}

fn status() -> impl Strategy<Value = Value> {
    let time = || {
        let times = ["", "soon", "1970-01-12T13:46:40Z", "1970-01-12T13:00:00Z", "9999-12-30T22:00:00Z"];
        option::of(select(times.to_vec()))
    };
    let states = ["TRIGGER_PENDING", "IN_PROGRESS", "COMPLETED", "FAILED", "ABANDONED"];
    let failures = prop_oneof![0..4, Just(i32::MAX), Just(-1)];
    (
        option::of(select(states.to_vec())),
        option::of(select(vec!["", TRIGGER])),
        option::of(select(vec!["", PATH])),
        option::of(failures),
        (time(), time()),
    )
        .prop_map(|(state, trigger_id, path, failures, (triggered, ended))| {
            json!({"state": state, "triggerId": trigger_id, "path": path, "failures": failures,
                "triggerTimestamp": triggered, "resultTimestamp": ended})
        })
}

/// What Flink says of the trigger and of the disposal.
fn result() -> impl Strategy<Value = Option<OperationResult>> {
    option::of(prop_oneof![
        Just(OperationResult::InProgress),
        Just(OperationResult::Unknown),
        Just(completed(PATH)),
        Just(completed("")),
        Just(failed("no")),
    ])
}

fn world() -> impl Strategy<Value = World> {
    let phase =
        prop_oneof![Just(Phase::Running), Just(Phase::Ended), Just(Phase::Changing("it is late".to_owned()))];
    let job = (phase, any::<[bool; 4]>());
    let view = prop_oneof![
        1 => Just(None),
        1 => Just(Some(None)),
        6 => job.prop_map(|job| Some(Some(job))),
    ];
    let begun = option::of((select(vec![TRIGGER, PATH]), -20_i64..20));
    let flags = any::<[bool; 5]>();
    let ages = (0_i64..4000, -20_i64..4000);
    (spec(), option::of(status()), view, result(), begun, flags, ages).prop_map(
        |(spec, status, view, result, begun, flags, (deleting_for, answered))| {
            let [finalizer, labelled, deleted, has_failed, needed] = flags;
            let mut world = World::new(spec);
            if let Some((operation, seconds)) = begun {
                world.later(seconds);
                world.begun(operation, operation);
                world.later(-seconds);
            }
            if let Some(result) = result {
                world.later(answered);
                world.flink_says_of(TRIGGER, result.clone());
                world.answer().operations.insert(PATH.to_owned(), result);
                world.later(-answered);
            }
            match view {
                None => world.observed.job = JobView::Unknown,
                Some(None) => world.observed.job = JobView::Missing,
                Some(Some((phase, [deleting, asked, has_id, replaced]))) => {
                    let job = world.job();
                    job.phase = phase;
                    job.deleting = deleting;
                    job.job_manager = asked.then(|| "jm-1".to_owned());
                    job.job_id = job.job_id.take().filter(|_| has_id);
                    if replaced {
                        "another".clone_into(&mut job.uid);
                    }
                }
            }
            world.resource.status = status.map(|status| serde_json::from_value(status).unwrap());
            if finalizer {
                let own = api::names::FINALIZER_FLINK_STATE_SNAPSHOT.to_owned();
                world.resource.metadata.finalizers = Some(vec![own]);
            }
            if labelled {
                let label = ("job-reference.uid".to_owned(), "app-uid".to_owned());
                world.resource.metadata.labels = Some([label].into());
            }
            if deleted {
                world.later(-deleting_for);
                world = world.deleted();
                world.later(deleting_for);
            }
            world.observed.failure = has_failed.then(failure);
            world.observed.needed_by = needed.then(|| "FlinkDeployment second".to_owned());
            world
        },
    )
}

fn state_of(world: &World) -> SnapshotState {
    world.status().state.unwrap_or(SnapshotState::TriggerPending)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn every_situation_has_an_answer_that_keeps_the_promises(mut world in world()) {
        let before = world.status();
        let was = state_of(&world);
        let deleted = world.resource.metadata.deletion_timestamp.is_some();
        let ready = world.resource.metadata.finalizers.is_some();
        let has_failed = world.observed.failure.is_some();
        let decision = world.round();
        let is = state_of(&world);
        let status = world.status();

        // What is final stays.
        if was.is_final() {
            prop_assert_eq!((was, &before.path), (is, &status.path));
        }
        // Flink is asked for a snapshot with the id that is recorded, while that is under way.
        for call in &world.calls {
            match call {
                FlinkRequest::TriggerSavepoint { trigger_id, .. }
                | FlinkRequest::TriggerCheckpoint { trigger_id, .. } => {
                    prop_assert_eq!(Some(trigger_id), status.trigger_id.as_ref());
                    prop_assert_eq!(is, SnapshotState::InProgress);
                    prop_assert!(!deleted);
                }
                FlinkRequest::DisposeSavepoint { path } => {
                    prop_assert_eq!(Some(path), status.path.as_ref());
                    prop_assert!(deleted && world.observed.needed_by.is_none());
                    prop_assert_eq!(is, SnapshotState::Completed);
                    let spec = &world.resource.spec;
                    let savepoint = spec.savepoint.as_ref().unwrap();
                    prop_assert_eq!(spec.snapshot_type(), Some(SnapshotType::Savepoint));
                    prop_assert!(savepoint.dispose_on_delete_or_default());
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
        // Nothing is done before the finalizer is there, or after a failure.
        if !ready || has_failed {
            prop_assert!(world.calls.is_empty());
        }
        if has_failed {
            prop_assert!(decision.effects.iter().all(|effect| matches!(effect, Effect::Event(_))));
        }
        // What is not over is looked at again, or Flink is asked.
        let over = if deleted { !ready || world.finalizer_removed || has_failed } else { is.is_final() };
        prop_assert!(over || decision.requeue != Requeue::OnChange, "{:?}", decision);
        // A deletion ends.
        let asked = world.resource.metadata.deletion_timestamp.as_ref().map(|time| time.0);
        let late = asked.is_some_and(|asked| world.now.duration_since(asked).as_secs() >= 1800);
        if late && ready && !has_failed && world.calls.is_empty() {
            prop_assert!(world.finalizer_removed, "{:?}", decision);
        }
    }

    /// However often a decision is repeated under the same circumstances, it comes to an end.
    #[test]
    fn a_pass_ends(mut world in world()) {
        for _ in 0..6 {
            let decision = world.round();
            if decision.requeue != Requeue::AtOnce || world.observed.failure.is_some() {
                return Ok(());
            }
            if let Some(FlinkRequest::DisposeSavepoint { path }) = world.calls.pop() {
                world.begun(&path, &path);
            }
        }
        prop_assert!(false, "it goes on: {:?}", world.status());
    }
}
