//! Labels, and which job a snapshot is of.

use std::collections::BTreeMap;

use api::{JobKind, SnapshotState};
use serde_json::json;

use super::super::JobView;
use super::world::{Change, World, checkpoint, completed, savepoint, with_savepoint};
use crate::{Effect, Requeue};

fn labels(world: &World) -> BTreeMap<String, String> {
    world.resource.metadata.labels.clone().unwrap_or_default()
}

#[test]
fn labels_say_what_a_snapshot_is_of_what_and_how_far() {
    for (spec, what) in [(savepoint(), "SAVEPOINT"), (checkpoint(), "CHECKPOINT")] {
        let world = World::pending(spec);
        let expected = [
            ("job-reference.kind", "FlinkDeployment"),
            ("job-reference.name", "app"),
            ("job-reference.uid", "app-uid"),
            ("snapshot.state", "TRIGGER_PENDING"),
            ("snapshot.trigger-type", "MANUAL"),
            ("snapshot.type", what),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(labels(&world), BTreeMap::from(expected));
    }
}

#[test]
fn only_what_is_wrong_is_changed() {
    let mut world = World::in_progress(savepoint());
    world.flink_says(completed("file:///sp/one"));
    let effects = world.decide().effects;
    let [Effect::Change(change)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(change.part, json!({"metadata": {"labels": {"snapshot.state": "COMPLETED"}}}));
}

#[test]
fn labels_of_others_stay_and_those_of_ours_come_back() {
    let mut world = World::pending(savepoint());
    let own = world.resource.metadata.labels.as_mut().unwrap();
    own.insert("team".to_owned(), "blue".to_owned());
    own.insert("snapshot.type".to_owned(), "CHECKPOINT".to_owned());
    own.insert("snapshot.trigger-type".to_owned(), "PERIODIC".to_owned());
    own.remove("snapshot.state");
    world.job().job_manager = None;
    world.round();
    let labels = labels(&world);
    assert_eq!((labels["team"].as_str(), labels["snapshot.type"].as_str()), ("blue", "SAVEPOINT"));
    assert_eq!(labels["snapshot.state"], "TRIGGER_PENDING");
    assert_eq!(labels["snapshot.trigger-type"], "PERIODIC", "who created it knows why");
    assert_eq!(labels.len(), 7);
}

#[test]
fn a_final_snapshot_has_its_labels_put_right_as_well() {
    let mut world = World::completed(savepoint());
    world.resource.metadata.labels.as_mut().unwrap().remove("snapshot.type");
    assert_eq!(world.round().requeue, Requeue::OnChange);
    world.rests();
}

#[test]
fn a_name_that_is_too_long_for_a_label_is_left_out() {
    for (length, labelled) in [(63, true), (64, false)] {
        let mut spec = savepoint();
        spec["jobReference"]["name"] = json!("a".repeat(length));
        let world = World::pending(spec);
        assert_eq!(labels(&world).contains_key("job-reference.name"), labelled, "{length}");
        assert!(labels(&world).contains_key("job-reference.kind"));
    }
}

#[test]
fn without_a_reference_there_are_no_labels_of_a_job() {
    let mut spec = with_savepoint(&json!({"alreadyExists": true, "path": "file:///a"}));
    spec.as_object_mut().unwrap().remove("jobReference");
    let mut world = World::new(spec);
    world.observed.job = JobView::Missing;
    world.round();
    world.round();
    assert_eq!(world.state(), SnapshotState::Completed);
    let labels: Vec<String> = labels(&world).into_keys().collect();
    assert_eq!(labels, ["snapshot.state", "snapshot.trigger-type", "snapshot.type"]);
    world.rests();
}

#[test]
fn a_job_that_nobody_has_seen_is_not_claimed() {
    for job in [JobView::Unknown, JobView::Missing] {
        let mut world = World::new(savepoint());
        world.observed.job = job;
        world.round();
        assert!(!labels(&world).contains_key("job-reference.uid"));
    }
}

#[test]
fn a_job_is_claimed_once() {
    let mut world = World::pending(savepoint());
    world.job().uid = "another".to_owned();
    world.round();
    assert_eq!(labels(&world)["job-reference.uid"], "app-uid");
}

#[test]
fn a_snapshot_that_has_ended_claims_no_job() {
    let mut world = World::completed(savepoint());
    world.resource.metadata.labels.as_mut().unwrap().remove("job-reference.uid");
    world.rests();
}

#[test]
fn a_spec_that_names_another_job_makes_the_snapshot_one_of_that() {
    let by_kind: Change = |world| {
        let reference = world.resource.spec.job_reference.as_mut().unwrap();
        reference.kind = Some(JobKind::FlinkSessionJob);
    };
    let by_name: Change = |world| {
        world.resource.spec.job_reference.as_mut().unwrap().name = Some("second".to_owned());
    };
    for (change, label, value) in
        [(by_kind, "job-reference.kind", "FlinkSessionJob"), (by_name, "job-reference.name", "second")]
    {
        let mut world = World::pending(savepoint());
        change(&mut world);
        world.job().uid = "second-uid".to_owned();
        let decision = world.round();
        assert_eq!(decision.requeue, Requeue::AtOnce);
        assert!(world.calls.is_empty());
        let labels = labels(&world);
        assert_eq!((labels["job-reference.uid"].as_str(), labels[label].as_str()), ("second-uid", value));
        world.round();
        assert_eq!((world.state(), world.calls.len()), (SnapshotState::InProgress, 1));
    }
}

#[test]
fn labels_without_kind_and_name_are_about_this_job() {
    let mut world = World::pending(savepoint());
    let own = world.resource.metadata.labels.as_mut().unwrap();
    own.remove("job-reference.kind");
    own.remove("job-reference.name");
    world.job().uid = "another".to_owned();
    world.round();
    assert_eq!(world.state(), SnapshotState::Abandoned);
}
