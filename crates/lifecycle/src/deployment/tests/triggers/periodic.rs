//! Snapshots as resources that a schedule asks for.

use std::time::Duration;

use api::{SnapshotState, SnapshotTriggerType, SnapshotType};
use jiff::{SignedDuration, Timestamp};

use super::super::world::{World, application, with};
use super::{
    CHECKPOINTS_TOO, EVERY_TEN_MINUTES, after, created, created_names, go_to, minutes, running,
    savepoint_info, snapshot,
};
use crate::observed::Snapshot;
use crate::{EventMode, Requeue};

#[test]
fn a_periodic_savepoint_is_named_by_when_it_was_due() {
    let mut world = running(&[EVERY_TEN_MINUTES]);
    let due = created(&world) + minutes(10);
    go_to(&mut world, minutes(10) - SignedDuration::from_secs(25));
    assert_eq!(world.round(), after(25));
    go_to(&mut world, minutes(10) - SignedDuration::from_nanos(1));
    assert_eq!(world.round(), Requeue::After(Duration::from_millis(1)));
    assert!(world.applied.is_empty());
    for late in [SignedDuration::ZERO, SignedDuration::from_secs(20), minutes(5)] {
        go_to(&mut world, minutes(10) + late);
        assert_eq!(world.round(), after(5));
        let object = serde_json::to_value(&world.applied[0]).unwrap();
        assert_eq!(object["metadata"]["labels"]["snapshot.trigger-type"], "PERIODIC");
        let name = format!("app-savepoint-periodic-{}", due.as_millisecond());
        assert_eq!(created_names(&mut world), [name]);
    }
    assert_eq!(savepoint_info(&world).trigger_type, None, "nothing but its name is needed");
    // The next one is due so long after it was created.
    let last = snapshot(&world, "one", SnapshotTriggerType::Periodic, minutes(12));
    world.observed.snapshots = vec![last];
    go_to(&mut world, minutes(22) - SignedDuration::from_secs(7));
    assert_eq!(world.round(), after(7));
    go_to(&mut world, minutes(22));
    world.round();
    assert_eq!(created_names(&mut world).len(), 1);
}

#[test]
fn periodic_checkpoints_have_their_own_schedule() {
    let mut world = running(&[CHECKPOINTS_TOO]);
    let due = created(&world) + minutes(10);
    go_to(&mut world, minutes(11));
    let savepoint = snapshot(&world, "one", SnapshotTriggerType::Periodic, minutes(9));
    world.observed.snapshots = vec![savepoint];
    world.round();
    let name = format!("app-checkpoint-periodic-{}", due.as_millisecond());
    assert_eq!(created_names(&mut world), [name]);
}

#[test]
fn a_schedule_may_be_a_cron_expression() {
    let mut world = running(&[("kubernetes.operator.periodic.savepoint.interval", "0 0 14 * * ?")]);
    let noon: Timestamp = "1970-01-12T14:00:00Z".parse().unwrap();
    world.now = noon - SignedDuration::from_secs(9);
    assert_eq!(world.round(), after(9));
    world.now = noon;
    world.round();
    let name = format!("app-savepoint-periodic-{}", noon.as_millisecond());
    assert_eq!(created_names(&mut world), [name]);
}

#[test]
fn a_schedule_that_nobody_understands_is_told_once_and_never() {
    for (what, option) in [
        ("savepoint", "kubernetes.operator.periodic.savepoint.interval"),
        ("checkpoint", "kubernetes.operator.periodic.checkpoint.interval"),
    ] {
        let mut world = running(&[]);
        let defaults = World::new(with(application("savepoint"), &[(option, "often")]));
        world.resource.spec = defaults.resource.spec;
        world.becomes_stable();
        world.events.clear();
        go_to(&mut world, minutes(20));
        world.round();
        let [event] = world.events.as_slice() else { panic!("{:?}", world.events) };
        assert_eq!(super::super::world::described(event), "Warning ValidationError Operator");
        assert_eq!(event.mode, EventMode::Once);
        assert_eq!(event.key.as_deref(), Some(format!("periodic-{what}-often").as_str()));
        let begins =
            format!("{option} is not understood, so no periodic {what}s are taken: 'often' is neither");
        assert!(event.message.starts_with(&begins), "{}", event.message);
        assert!(world.applied.is_empty());
    }
}

#[test]
fn a_schedule_that_is_off_is_off() {
    for text in ["0", "0 s"] {
        let mut world = running(&[("kubernetes.operator.periodic.savepoint.interval", text)]);
        go_to(&mut world, minutes(2000));
        world.pass();
        assert!(world.applied.is_empty() && world.events.is_empty(), "{text}");
    }
}

#[test]
fn w_22_periodic_savepoints_do_not_pile_up() {
    for (state, cause, terminating, waits) in [
        (SnapshotState::InProgress, SnapshotTriggerType::Periodic, false, true),
        (SnapshotState::TriggerPending, SnapshotTriggerType::Periodic, false, true),
        (SnapshotState::Completed, SnapshotTriggerType::Periodic, false, false),
        (SnapshotState::Failed, SnapshotTriggerType::Periodic, false, false),
        (SnapshotState::InProgress, SnapshotTriggerType::Periodic, true, false),
        (SnapshotState::InProgress, SnapshotTriggerType::Manual, false, false),
        (SnapshotState::InProgress, SnapshotTriggerType::Upgrade, false, false),
    ] {
        let mut world = running(&[EVERY_TEN_MINUTES]);
        let earlier = snapshot(&world, "one", cause, minutes(1));
        world.observed.snapshots = vec![Snapshot { state, terminating, ..earlier }];
        go_to(&mut world, minutes(20));
        world.round();
        assert_eq!(created_names(&mut world).is_empty(), waits, "{state} {cause} {terminating}");
    }
}

#[test]
fn w_55_only_snapshots_of_this_resource_count() {
    let change: [fn(&mut Snapshot); 5] = [
        |_| {},
        |snapshot| snapshot.job_uid = None,
        |snapshot| snapshot.job_uid = Some("another".to_owned()),
        |snapshot| {
            snapshot.job_uid = None;
            snapshot.created = Some(snapshot.created.unwrap() - SignedDuration::from_mins(9));
        },
        |snapshot| snapshot.snapshot_type = Some(SnapshotType::Checkpoint),
    ];
    for (change, counts) in change.into_iter().zip([true, true, false, true, false]) {
        let mut world = running(&[EVERY_TEN_MINUTES]);
        let mut earlier = snapshot(&world, "one", SnapshotTriggerType::Periodic, minutes(9));
        earlier.state = SnapshotState::InProgress;
        change(&mut earlier);
        world.observed.snapshots = vec![earlier];
        go_to(&mut world, minutes(12));
        world.round();
        assert_eq!(created_names(&mut world).is_empty(), counts);
    }
    // One that the Java operator has made for an earlier resource of the name.
    let mut world = running(&[EVERY_TEN_MINUTES]);
    let mut earlier = snapshot(&world, "one", SnapshotTriggerType::Periodic, SignedDuration::ZERO);
    earlier.state = SnapshotState::InProgress;
    earlier.job_uid = None;
    earlier.created = Some(created(&world) - SignedDuration::from_nanos(1));
    world.observed.snapshots = vec![earlier];
    go_to(&mut world, minutes(12));
    world.round();
    assert_eq!(created_names(&mut world).len(), 1);
}

#[test]
fn a_manual_savepoint_does_not_put_off_a_periodic_one() {
    let mut world = running(&[EVERY_TEN_MINUTES]);
    let manual = snapshot(&world, "one", SnapshotTriggerType::Manual, minutes(9));
    world.observed.snapshots = vec![manual];
    go_to(&mut world, minutes(10));
    world.round();
    assert_eq!(created_names(&mut world).len(), 1);
}

#[test]
fn a_periodic_savepoint_of_the_status_counts_as_the_last_one() {
    for (option, what) in [(EVERY_TEN_MINUTES, "savepoint"), (CHECKPOINTS_TOO, "checkpoint")] {
        let mut world = running(&[option]);
        let last = created(&world) + minutes(4);
        let mut status = world.status();
        let at = Some(last.as_millisecond());
        let job = status.job_status_mut();
        if what == "savepoint" {
            job.savepoint_info.get_or_insert_default().last_periodic_savepoint_timestamp = at;
        } else {
            job.checkpoint_info.get_or_insert_default().last_periodic_checkpoint_timestamp = at;
        }
        world.resource.status = Some(status);
        go_to(&mut world, minutes(14));
        world.round();
        let due = (created(&world) + minutes(14)).as_millisecond();
        assert_eq!(created_names(&mut world), [format!("app-{what}-periodic-{due}")]);
    }
}
