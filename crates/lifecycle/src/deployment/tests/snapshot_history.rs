//! Which snapshots are kept, and which go.

use std::collections::BTreeSet;
use std::time::Duration;

use api::{Savepoint, SavepointInfo, SnapshotState as State, SnapshotTriggerType as Cause, SnapshotType};
use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::triggers::snapshot;
use super::world::{World, application, with};
use crate::effect::{Begun, DeleteObject, Effect, FlinkRequest, ObjectReference, Propagation};
use crate::job::history::NOT_THERE;
use crate::observed::{OperationResult, Snapshot};
use crate::{EventMode, Question, Requeue};

const THREE: (&str, &str) = ("kubernetes.operator.savepoint.history.max.count", "3");
const AN_HOUR: (&str, &str) = ("kubernetes.operator.savepoint.history.max.age", "1 h");
const KEPT: (&str, &str) = ("kubernetes.operator.savepoint.cleanup.enabled", "false");
const BY_STATUS: (&str, &str) = ("kubernetes.operator.snapshot.resource.enabled", "false");

/// A job that has run for a day.
fn running(options: &[(&str, &str)]) -> World {
    let mut world = World::stable(with(application("savepoint"), options));
    world.resource.metadata.creation_timestamp = Some(Time(world.now));
    world.later(86_400);
    world.pass();
    world
}

// ---- resources ------------------------------------------------------------------------------------------------------

/// A periodic savepoint that was completed so many minutes ago.
fn periodic(world: &World, name: &str, minutes: i64) -> Snapshot {
    let one = snapshot(world, name, Cause::Periodic, SignedDuration::ZERO);
    Snapshot { created: Some(world.now - SignedDuration::from_mins(minutes)), ..one }
}

fn failed(snapshot: Snapshot) -> Snapshot {
    Snapshot { state: State::Failed, path: None, ..snapshot }
}

/// Names of the snapshots that are deleted.
fn deleted(world: &World) -> Vec<String> {
    let name = |effect: Effect| match effect {
        Effect::Delete(delete) => {
            let uid = format!("uid of {}", delete.object.name);
            let object = ObjectReference::new(
                api::API_VERSION,
                "FlinkStateSnapshot",
                "ns",
                &delete.object.name,
                Some(&uid),
            );
            assert_eq!(delete, DeleteObject { object, propagation: Propagation::Background });
            Some(delete.object.name)
        }
        _ => None,
    };
    world.decide().effects.into_iter().filter_map(name).collect()
}

#[test]
fn the_oldest_savepoints_over_the_limit_go() {
    let mut world = running(&[THREE]);
    let ages = [("c", 3), ("a", 5), ("e", 1), ("b", 4), ("d", 2)];
    world.observed.snapshots = ages.map(|(name, age)| periodic(&world, name, age)).into();
    assert_eq!(deleted(&world), ["a", "b"]);
    world.observed.snapshots.retain(|snapshot| snapshot.name != "a");
    assert_eq!(deleted(&world), ["b"]);
    world.observed.snapshots.retain(|snapshot| snapshot.name != "b");
    assert!(deleted(&world).is_empty());
}

#[test]
fn of_the_same_age_the_first_by_name_goes() {
    let mut world = running(&[THREE]);
    world.observed.snapshots = ["d", "b", "a", "c"].map(|name| periodic(&world, name, 5)).into();
    assert_eq!(deleted(&world), ["a"]);
}

#[test]
fn what_a_user_has_asked_for_stays_and_does_not_count() {
    let mut world = running(&[THREE]);
    let ages = [("a", 9), ("b", 8), ("c", 7), ("d", 6), ("e", 5), ("f", 4)];
    let mut all = ages.map(|(name, age)| periodic(&world, name, age));
    all[0].trigger_type = Cause::Manual;
    all[1].trigger_type = Cause::Unknown;
    all[3].trigger_type = Cause::Upgrade;
    world.observed.snapshots = all.into();
    assert_eq!(deleted(&world), ["c"]);
}

#[test]
fn what_goes_already_does_not_count() {
    let mut world = running(&[THREE]);
    let mut all = [("a", 9), ("b", 8), ("c", 7), ("d", 6)].map(|(name, age)| periodic(&world, name, age));
    all[0].terminating = true;
    world.observed.snapshots = all.into();
    assert!(deleted(&world).is_empty());
}

#[test]
fn what_is_not_over_stays_and_counts() {
    let mut world = running(&[THREE]);
    let mut all = [("a", 9), ("b", 8), ("c", 7), ("d", 6)].map(|(name, age)| periodic(&world, name, age));
    all[0].state = State::InProgress;
    world.observed.snapshots = all.into();
    assert_eq!(deleted(&world), ["b"]);
}

#[test]
fn the_newest_completed_one_stays() {
    let mut world = running(&[AN_HOUR]);
    world.observed.snapshots =
        vec![periodic(&world, "a", 90), periodic(&world, "b", 80), failed(periodic(&world, "c", 70))];
    assert_eq!(deleted(&world), ["a", "c"]);
    world.observed.snapshots.pop();
    assert_eq!(deleted(&world), ["a"]);
    world.observed.snapshots = vec![failed(periodic(&world, "a", 90)), failed(periodic(&world, "b", 80))];
    assert_eq!(deleted(&world), ["a"], "the last one stays, whatever it is");
}

#[test]
fn savepoints_go_when_they_are_older_than_the_limit() {
    let mut world = running(&[AN_HOUR]);
    world.observed.snapshots = vec![periodic(&world, "a", 60), periodic(&world, "b", 0)];
    assert!(deleted(&world).is_empty());
    let created = &mut world.observed.snapshots[0].created;
    *created = created.map(|at| at - SignedDuration::from_nanos(1));
    assert_eq!(deleted(&world), ["a"]);
    world.observed.snapshots[0].created = None;
    assert!(deleted(&world).is_empty());
}

#[test]
fn the_savepoint_that_the_job_may_have_to_start_from_stays() {
    let mut world = running(&[AN_HOUR]);
    world.observed.snapshots =
        vec![periodic(&world, "a", 90), periodic(&world, "b", 80), periodic(&world, "c", 1)];
    assert_eq!(deleted(&world), ["a", "b"]);
    let mut status = world.status();
    status.job_status_mut().upgrade_savepoint_path = Some("file:///sp/a".to_owned());
    world.resource.status = Some(status);
    assert_eq!(deleted(&world), ["b"]);
}

#[test]
fn of_checkpoints_as_many_stay_as_flink_retains_and_they_do_not_age() {
    for (retained, gone) in [
        (None, vec!["a", "b", "c"]),
        (Some("2"), vec!["a", "b"]),
        (Some("0"), vec!["a", "b", "c"]),
        (Some("many"), vec!["a", "b", "c"]),
        (Some("4"), vec![]),
    ] {
        let option = retained.map(|count| ("execution.checkpointing.num-retained", count));
        let options: Vec<(&str, &str)> = option.into_iter().chain([AN_HOUR]).collect();
        let mut world = running(&options);
        let checkpoint = |(name, age)| Snapshot {
            snapshot_type: Some(SnapshotType::Checkpoint),
            ..periodic(&world, name, age)
        };
        world.observed.snapshots = [("a", 90), ("b", 80), ("c", 70), ("d", 60)].map(checkpoint).into();
        let savepoint = periodic(&world, "savepoint", 1);
        world.observed.snapshots.push(savepoint);
        assert_eq!(deleted(&world), gone, "{retained:?}");
    }
}

#[test]
fn snapshots_of_others_are_none_of_ours() {
    let mut world = running(&[AN_HOUR]);
    let mut all = [periodic(&world, "a", 90), periodic(&world, "b", 80), periodic(&world, "c", 1)];
    all[0].job_uid = Some("another".to_owned());
    all[1].snapshot_type = None;
    world.observed.snapshots = all.into();
    assert!(deleted(&world).is_empty());
}

#[test]
fn clean_up_can_be_switched_off() {
    for option in [KEPT, BY_STATUS] {
        let mut world = running(&[AN_HOUR, option]);
        world.observed.snapshots = vec![periodic(&world, "a", 90), periodic(&world, "b", 1)];
        assert!(deleted(&world).is_empty(), "{option:?}");
    }
}

// ---- savepoints of the status ---------------------------------------------------------------------------------------

/// A job with savepoints in its status, each taken so many minutes ago.
fn with_history(options: &[(&str, &str)], entries: &[(&str, i64)]) -> World {
    let options: Vec<(&str, &str)> = options.iter().copied().chain([BY_STATUS]).collect();
    let mut world = running(&options);
    let entry = |(name, minutes): &(&str, i64)| Savepoint {
        time_stamp: Some((world.now - SignedDuration::from_mins(*minutes)).as_millisecond()),
        location: Some(path(name)),
        ..Savepoint::default()
    };
    let info = SavepointInfo {
        savepoint_history: Some(entries.iter().map(entry).collect()),
        ..SavepointInfo::default()
    };
    let mut status = world.status();
    status.job_status_mut().savepoint_info = Some(info);
    world.resource.status = Some(status);
    world.calls.clear();
    world
}

fn path(name: &str) -> String {
    format!("file:///sp/{name}")
}

/// The savepoint that Flink is asked to dispose of.
fn disposes(world: &World) -> Option<String> {
    let decision = world.decide();
    let mut calls = decision.effects.iter().filter_map(|effect| match effect {
        Effect::Flink(call) => {
            assert!(call.tolerate_failure, "the job must not suffer from it");
            let FlinkRequest::DisposeSavepoint { path } = &call.request else { panic!("{call:?}") };
            Some(path.trim_start_matches("file:///sp/").to_owned())
        }
        _ => None,
    });
    let first = calls.next();
    assert_eq!(calls.next(), None, "one at a time");
    if first.is_some() {
        assert_eq!(decision.requeue, Requeue::After(Duration::from_secs(10)));
    }
    first
}

fn listed(world: &World) -> Vec<String> {
    let info = world.status().job_status.unwrap().savepoint_info.unwrap();
    let history = info.savepoint_history.unwrap().into_iter();
    history.map(|entry| entry.location.unwrap().trim_start_matches("file:///sp/").to_owned()).collect()
}

/// Flink has begun to dispose of it, and says that of it now.
fn disposal_is(world: &mut World, name: &str, result: OperationResult) {
    let at = world.now;
    world.observed.begun = Some(Begun { operation: path(name), id: "d".to_owned(), at });
    world.answer().operations.insert("d".to_owned(), result);
}

const FOUR: [(&str, i64); 4] = [("a", 4), ("b", 3), ("c", 2), ("d", 1)];

#[test]
fn the_oldest_savepoint_over_the_limit_is_disposed_of_and_forgotten() {
    let mut world = with_history(&[THREE], &FOUR);
    assert_eq!(disposes(&world).as_deref(), Some("a"));
    world.round();
    assert_eq!(listed(&world).len(), 4, "it is forgotten when it is gone");
    let at = world.now;
    world.observed.begun = Some(Begun { operation: path("a"), id: "d".to_owned(), at });
    let asked = world.decide().poll.unwrap().questions;
    assert!(asked.contains(&Question::Disposal { trigger_id: "d".to_owned() }), "{asked:?}");
    assert_eq!(disposes(&world), None, "it is under way");
    disposal_is(&mut world, "a", OperationResult::InProgress);
    world.rests();
    disposal_is(&mut world, "a", OperationResult::Completed(String::new()));
    assert_eq!(world.round(), Requeue::AtOnce);
    assert_eq!(listed(&world), ["b", "c", "d"]);
    let asked = world.decide().poll.unwrap().questions;
    assert!(!asked.iter().any(|question| matches!(question, Question::Disposal { .. })), "{asked:?}");
    world.rests();
}

#[test]
fn the_disposal_of_another_savepoint_is_not_this_one() {
    let mut world = with_history(&[THREE], &FOUR);
    disposal_is(&mut world, "b", OperationResult::Completed(String::new()));
    assert_eq!(disposes(&world).as_deref(), Some("a"));
    let asked = world.decide().poll.unwrap().questions;
    assert!(!asked.iter().any(|question| matches!(question, Question::Disposal { .. })), "{asked:?}");
}

#[test]
fn a_savepoint_that_is_gone_is_forgotten() {
    let mut world = with_history(&[THREE], &FOUR);
    disposal_is(&mut world, "a", OperationResult::Failed(format!("{NOT_THERE} 'file:/sp/a'")));
    world.pass();
    assert_eq!(listed(&world), ["b", "c", "d"]);
    assert!(world.reasons().is_empty());
}

#[test]
fn a_disposal_that_fails_is_told_once_and_tried_again_after_ten_minutes() {
    for (millis, again) in [(0, false), (599_999, false), (600_000, true)] {
        let mut world = with_history(&[THREE], &FOUR);
        disposal_is(&mut world, "a", OperationResult::Failed("Permission denied".to_owned()));
        world.now += SignedDuration::from_millis(millis);
        assert_eq!(disposes(&world).is_some(), again, "{millis}");
        world.round();
        assert_eq!(listed(&world).len(), 4);
        let [event] = world.events.as_slice() else { panic!("{:?}", world.events) };
        assert_eq!(super::world::described(event), "Warning SavepointError Operator");
        let message = "The old savepoint file:///sp/a cannot be disposed of: Permission denied";
        assert_eq!((event.message.as_str(), event.mode), (message, EventMode::Once));
        assert_eq!(event.key.as_deref(), Some("dispose-file:///sp/a"));
    }
}

#[test]
fn a_disposal_that_was_forgotten_is_asked_for_again() {
    let mut world = with_history(&[THREE], &FOUR);
    disposal_is(&mut world, "a", OperationResult::Unknown);
    assert_eq!(disposes(&world).as_deref(), Some("a"));
}

#[test]
fn fifty_savepoints_that_cannot_be_disposed_of_are_remembered() {
    for (count, left) in [(50, 50), (51, 50)] {
        let names: Vec<String> = (0..count).map(|number| format!("{number:02}")).collect();
        let entries: Vec<(&str, i64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
        let mut world = with_history(&[THREE], &entries);
        disposal_is(&mut world, "00", OperationResult::Failed("Permission denied".to_owned()));
        world.round();
        assert_eq!(listed(&world).len(), left);
        assert_eq!(listed(&world).contains(&"00".to_owned()), count == 50);
        assert!(world.was_told("SavepointError"));
    }
}

#[test]
fn without_clean_up_savepoints_are_forgotten_and_their_files_stay() {
    let mut world = with_history(&[THREE, KEPT], &FOUR);
    world.pass();
    assert_eq!(listed(&world), ["b", "c", "d"]);
    assert!(world.calls.is_empty());
}

#[test]
fn savepoints_within_the_limits_stay() {
    for entries in [&FOUR[1..], &FOUR[2..], &FOUR[3..], &[]] {
        let world = with_history(&[THREE, AN_HOUR], entries);
        assert_eq!(disposes(&world), None, "{entries:?}");
    }
}

#[test]
fn savepoints_of_the_status_age_but_for_the_newest_one() {
    let world = with_history(&[AN_HOUR], &[("a", 61), ("b", 1)]);
    assert_eq!(disposes(&world).as_deref(), Some("a"));
    let world = with_history(&[AN_HOUR], &[("a", 60), ("b", 1)]);
    assert_eq!(disposes(&world), None);
    let world = with_history(&[AN_HOUR], &[("a", 90)]);
    assert_eq!(disposes(&world), None);
    let world = with_history(&[AN_HOUR], &[("a", 1), ("b", 90), ("c", 80)]);
    assert_eq!(disposes(&world).as_deref(), Some("b"));
}

#[test]
fn a_savepoint_that_the_job_may_have_to_start_from_is_not_disposed_of() {
    let needs_a = |mut world: World| {
        let mut status = world.status();
        status.job_status_mut().upgrade_savepoint_path = Some(path("a"));
        world.resource.status = Some(status);
        world
    };
    assert_eq!(disposes(&needs_a(with_history(&[AN_HOUR], &[("a", 90), ("b", 80)]))), None);
    let three = [("a", 90), ("b", 80), ("c", 70)];
    assert_eq!(disposes(&needs_a(with_history(&[AN_HOUR], &three))).as_deref(), Some("b"));
}

#[test]
fn a_savepoint_that_the_job_is_told_to_start_from_is_not_disposed_of() {
    let mut world = with_history(&[AN_HOUR], &[("a", 90), ("b", 80), ("c", 70)]);
    let job = world.resource.spec.job.as_mut().unwrap();
    job.initial_savepoint_path = Some("file:/sp/a/".to_owned());
    assert_eq!(disposes(&world).as_deref(), Some("b"));
}

#[test]
fn a_savepoint_that_something_else_needs_is_not_disposed_of() {
    let mut world = with_history(&[THREE], &[("a", 5), ("b", 4), ("c", 3), ("d", 2), ("e", 1)]);
    world.observed.savepoints_needed_by_others = BTreeSet::from([path("a")]);
    assert_eq!(disposes(&world).as_deref(), Some("b"));
    world.observed.savepoints_needed_by_others.insert(path("b"));
    assert_eq!(disposes(&world), None);
    world.observed.savepoints_needed_by_others.clear();
    assert_eq!(disposes(&world).as_deref(), Some("a"));
}

#[test]
fn the_newest_savepoint_of_the_status_stays_when_all_resources_are_older() {
    for (minutes, gone) in [(0, Some("a")), (10, Some("a")), (11, None), (90, None)] {
        let mut world =
            with_history(&[("kubernetes.operator.savepoint.history.max.count", "1")], &[("a", 10)]);
        world.observed.snapshots = vec![periodic(&world, "x", minutes)];
        assert_eq!(disposes(&world).as_deref(), gone, "{minutes}");
    }
}

#[test]
fn savepoints_as_resources_count_and_are_newer() {
    let two_resources = |entries: &[(&str, i64)], state: State| {
        let mut world = with_history(&[THREE], entries);
        let one = |name| Snapshot { state, ..periodic(&world, name, 0) };
        world.observed.snapshots = vec![one("x"), one("y")];
        world
    };
    let world = two_resources(&FOUR[2..], State::Completed);
    assert_eq!(disposes(&world).as_deref(), Some("c"), "one of four is left of three");
    let world = two_resources(&FOUR[2..], State::Failed);
    assert_eq!(disposes(&world), None);
    let world = two_resources(&FOUR[3..], State::Completed);
    assert_eq!(disposes(&world), None);
    let mut world = two_resources(&FOUR[3..], State::Completed);
    let third = periodic(&world, "z", 0);
    world.observed.snapshots.push(third);
    assert_eq!(disposes(&world).as_deref(), Some("d"), "there are newer ones");
    assert_eq!(disposes(&two_resources(&[], State::Completed)), None);
}
