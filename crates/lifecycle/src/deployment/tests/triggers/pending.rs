//! Triggers that were perhaps never sent, and changes that wait for savepoints.

use api::{JobStatusState, SnapshotState, SnapshotTriggerType, SnapshotType};
use jiff::SignedDuration;

use super::super::world::{World, restart};
use super::{BY_STATUS, after, running, savepoint_info, snapshot, trigger_id};
use crate::FlinkRequest;
use crate::effect::Begun;
use crate::observed::{EffectFailure, OperationResult, Snapshot};

// ---- what is recorded and was perhaps never sent -------------------------------------------------------------------

/// A status with a savepoint and a checkpoint that Flink knows nothing of.
fn recorded() -> World {
    let mut world = running(&[BY_STATUS]);
    let mut status = world.status();
    let at = Some(world.now.as_millisecond());
    let job = status.job_status_mut();
    let savepoint = job.savepoint_info.get_or_insert_default();
    savepoint.trigger_id = Some("s".to_owned());
    (savepoint.trigger_type, savepoint.trigger_timestamp) = (Some(SnapshotTriggerType::Periodic), at);
    let checkpoint = job.checkpoint_info.get_or_insert_default();
    checkpoint.trigger_id = Some("c".to_owned());
    (checkpoint.trigger_type, checkpoint.trigger_timestamp) = (Some(SnapshotTriggerType::Periodic), at);
    world.resource.status = Some(status);
    world.job_is(JobStatusState::Running);
    let unknown = || OperationResult::Unknown;
    world.answer().operations.extend([("s".to_owned(), unknown()), ("c".to_owned(), unknown())]);
    world
}

#[test]
fn what_never_arrived_is_sent_again_with_the_same_id() {
    let mut world = recorded();
    world.round();
    let ids: Vec<String> = world.calls.iter().map(trigger_id).collect();
    assert_eq!(ids, ["s", "c"]);
    assert!(matches!(world.calls[0], FlinkRequest::TriggerSavepoint { .. }));
    assert!(matches!(world.calls[1], FlinkRequest::TriggerCheckpoint { .. }));
    for result in [None, Some(OperationResult::InProgress)] {
        let mut world = recorded();
        world.answer().operations.clear();
        if let Some(result) = result {
            world.answer().operations.insert("s".to_owned(), result);
        }
        world.round();
        assert!(world.calls.is_empty());
    }
}

#[test]
fn what_was_sent_is_sent_once_and_has_failed_if_a_later_answer_does_not_know_it() {
    for (millis, failed) in [(-1, true), (0, false), (1, false)] {
        let mut world = recorded();
        let at = world.answer().at + SignedDuration::from_millis(millis);
        world.observed.begun = Some(Begun { operation: "s".to_owned(), id: "s".to_owned(), at });
        world.round();
        let ids: Vec<String> = world.calls.iter().map(trigger_id).collect();
        assert!(!ids.contains(&"s".to_owned()), "{millis}: {ids:?}");
        assert_eq!(savepoint_info(&world).trigger_id.is_none(), failed, "{millis}");
        assert_eq!(world.was_told("SavepointError"), failed);
    }
}

/// Otherwise the change would wait for what nobody has asked for.
#[test]
fn what_never_arrived_is_sent_again_while_a_change_waits_for_it() {
    let mut world = recorded();
    world.change(restart(1));
    world.round();
    assert_eq!(world.held().as_deref(), Some("PendingSavepoint"));
    assert!(world.calls.iter().map(trigger_id).any(|id| id == "s"), "{:?}", world.calls);
}

#[test]
fn after_a_failure_nothing_is_sent() {
    let mut world = recorded();
    let action = "take a savepoint".to_owned();
    world.observed.failure = Some(EffectFailure {
        action,
        message: "no".to_owned(),
        attempts: 1,
        needs_user: false,
        operation: None,
    });
    world.round();
    assert!(world.calls.is_empty());
}

#[test]
fn what_flink_refuses_to_begin_has_failed_and_no_change_waits_for_it() {
    for (attempts, operation, refused) in [(2, "s", false), (3, "s", true), (3, "other", false)] {
        let mut world = recorded();
        world.observed.failure = Some(EffectFailure {
            action: "take a savepoint".to_owned(),
            message: "no".to_owned(),
            attempts,
            needs_user: false,
            operation: Some(operation.to_owned()),
        });
        world.change(restart(1));
        world.round();
        assert_eq!(world.was_told("SavepointError"), refused, "{attempts} {operation}");
        assert_eq!(savepoint_info(&world).trigger_id.is_none(), refused, "{attempts} {operation}");
    }
}

// ---- upgrades ------------------------------------------------------------------------------------------------------

#[test]
fn w_48_an_upgrade_waits_for_a_savepoint_that_is_being_written() {
    let change: [fn(&mut Snapshot); 6] = [
        |_| {},
        |snapshot| snapshot.trigger_type = SnapshotTriggerType::Manual,
        |snapshot| snapshot.state = SnapshotState::TriggerPending,
        |snapshot| snapshot.terminating = true,
        |snapshot| snapshot.snapshot_type = Some(SnapshotType::Checkpoint),
        |snapshot| snapshot.job_uid = Some("another".to_owned()),
    ];
    for (change, waits) in change.into_iter().zip([true, true, false, false, false, false]) {
        let mut world = running(&[]);
        let written = snapshot(&world, "one", SnapshotTriggerType::Periodic, SignedDuration::ZERO);
        let mut written = Snapshot { state: SnapshotState::InProgress, ..written };
        change(&mut written);
        world.observed.snapshots = vec![written];
        world.change(restart(1));
        let requeue = world.round();
        assert_eq!(world.held().as_deref() == Some("PendingSavepoint"), waits);
        assert_eq!(world.calls.is_empty(), waits);
        if waits {
            assert_eq!(requeue, after(10));
            world.observed.snapshots[0].state = SnapshotState::Completed;
            world.round();
            assert_eq!(world.calls.len(), 1);
        }
    }
}

#[test]
fn an_upgrade_waits_only_for_a_job_that_runs_and_only_if_it_shall() {
    let written = |world: &mut World| {
        let written = snapshot(world, "one", SnapshotTriggerType::Manual, SignedDuration::ZERO);
        world.observed.snapshots = vec![Snapshot { state: SnapshotState::InProgress, ..written }];
        world.change(restart(1));
    };
    let mut world = running(&[]);
    world.job_is(JobStatusState::Restarting);
    written(&mut world);
    world.round();
    assert_ne!(world.held().as_deref(), Some("PendingSavepoint"));
    let mut world = running(&[("kubernetes.operator.job.upgrade.ignore-pending-savepoint", "true")]);
    written(&mut world);
    world.round();
    assert_eq!(world.calls.len(), 1);
}
