//! Snapshots without a resource of their own.

use api::{CheckpointType, JobStatusState, LifecycleState, SavepointFormatType, SnapshotTriggerType};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::super::world::World;
use super::{
    BY_STATUS, EVERY_TEN_MINUTES, after, checkpoint_info, checkpoint_nonce, go_to, handled, minutes, running,
    savepoint_info, savepoint_nonce, trigger_id,
};
use crate::effect::Begun;
use crate::observed::OperationResult;
use crate::{FlinkRequest, Question};

#[test]
fn without_resources_flink_is_asked_with_an_id_that_is_recorded() {
    let mut world = running(&[BY_STATUS]);
    let at = world.now.as_millisecond();
    let job_id = world.status().job_id().unwrap().to_owned();
    world.change(savepoint_nonce(7));
    world.round();
    let info = savepoint_info(&world);
    assert_eq!((info.trigger_type, info.trigger_timestamp), (Some(SnapshotTriggerType::Manual), Some(at)));
    assert_eq!(info.format_type, Some(SavepointFormatType::Canonical));
    let recorded = info.trigger_id.unwrap();
    assert_eq!(recorded.len(), 32);
    let request = FlinkRequest::TriggerSavepoint {
        job_id: job_id.clone(),
        trigger_id: recorded.clone(),
        target_directory: Some("file:///sp".to_owned()),
        format_type: "CANONICAL".to_owned(),
    };
    assert_eq!((world.calls.as_slice(), world.applied.len()), ([request].as_slice(), 0));
    // What comes of it is asked for, and nothing is triggered meanwhile.
    let asked = world.decide().poll.unwrap().questions;
    assert!(asked.contains(&Question::Savepoint { job_id, trigger_id: recorded.clone() }), "{asked:?}");
    world.later(100);
    world.round();
    assert_eq!(world.calls.len(), 1);
    world.answer().operations.insert(recorded, OperationResult::Completed("file:///sp/one".to_owned()));
    world.pass();
    assert_eq!(handled(&world), [json!(7), Value::Null]);
    assert_eq!(savepoint_info(&world).last_savepoint.unwrap().time_stamp, Some(at));
    world.pass();
    assert_eq!(world.calls.len(), 1);
    assert_eq!(world.lifecycle(), LifecycleState::Stable);
}

#[test]
fn a_checkpoint_by_status_carries_its_type() {
    let mut world = running(&[BY_STATUS, ("kubernetes.operator.checkpoint.type", "INCREMENTAL")]);
    let job_id = world.status().job_id().unwrap().to_owned();
    world.change(checkpoint_nonce(7));
    world.round();
    let info = checkpoint_info(&world);
    let trigger_id = info.trigger_id.unwrap();
    assert_eq!(info.format_type, Some(CheckpointType::Incremental));
    let checkpoint_type = "INCREMENTAL".to_owned();
    assert_eq!(world.calls, [FlinkRequest::TriggerCheckpoint { job_id, trigger_id, checkpoint_type }]);
}

#[test]
fn without_the_kind_there_are_no_resources() {
    let mut world = running(&[EVERY_TEN_MINUTES]);
    world.observed.no_snapshot_resources = true;
    world.change(savepoint_nonce(7));
    world.round();
    assert_eq!((world.calls.len(), world.applied.len()), (1, 0));
}

#[test]
fn a_request_of_when_there_were_no_resources_is_dropped() {
    let mut world = running(&[]);
    let mut status = world.status();
    let info = status.job_status_mut().savepoint_info.get_or_insert_default();
    (info.trigger_type, info.trigger_timestamp) = (Some(SnapshotTriggerType::Periodic), Some(5));
    world.resource.status = Some(status);
    world.pass();
    assert_eq!(savepoint_info(&world).trigger_type, None);
}

#[test]
fn a_periodic_snapshot_by_status_begins_a_new_period() {
    let mut world = running(&[BY_STATUS, EVERY_TEN_MINUTES]);
    go_to(&mut world, minutes(10) - SignedDuration::from_secs(30));
    assert_eq!(world.round(), after(30));
    assert!(world.calls.is_empty());
    go_to(&mut world, minutes(11));
    let at = world.now.as_millisecond();
    world.round();
    let info = savepoint_info(&world);
    assert_eq!((info.trigger_type, info.trigger_timestamp), (Some(SnapshotTriggerType::Periodic), Some(at)));
    let trigger = trigger_id(&world.calls[0]);
    world.answer().operations.insert(trigger, OperationResult::Completed("file:///sp/one".to_owned()));
    world.pass();
    assert_eq!(savepoint_info(&world).last_periodic_savepoint_timestamp, Some(at));
    go_to(&mut world, minutes(21) - SignedDuration::from_secs(3));
    assert_eq!(world.round(), after(3));
    assert_eq!(world.calls.len(), 1);
    go_to(&mut world, minutes(21));
    world.round();
    assert_eq!(world.calls.len(), 2);
}

#[test]
fn a_nonce_goes_before_a_schedule() {
    let mut world = running(&[BY_STATUS, EVERY_TEN_MINUTES]);
    go_to(&mut world, minutes(11));
    world.change(savepoint_nonce(7));
    world.round();
    assert_eq!(savepoint_info(&world).trigger_type, Some(SnapshotTriggerType::Manual));
}

/// Flink says of the trigger that it has failed, at once.
fn fails(world: &mut World) {
    let trigger = trigger_id(world.calls.last().unwrap());
    let at = world.now;
    world.observed.begun = Some(Begun { operation: trigger.clone(), id: trigger.clone(), at });
    world.job_is(JobStatusState::Running);
    world.answer().operations.insert(trigger, OperationResult::Failed("no".to_owned()));
}

#[test]
fn w_10_tries_come_to_an_end() {
    let mut world = running(&[BY_STATUS]);
    let start = world.now;
    world.change(savepoint_nonce(7));
    world.round();
    let mut tries = 1;
    for _ in 0..20 {
        fails(&mut world);
        let begun = world.now;
        let requeue = world.round();
        assert_eq!(world.reasons(), ["Warning SavepointError Operator"]);
        if handled(&world)[0] == json!(7) {
            break;
        }
        assert_eq!(requeue, after(10));
        let info = savepoint_info(&world);
        // The first try counts.
        assert_eq!(info.trigger_timestamp, Some(start.as_millisecond()));
        assert_eq!(info.trigger_id, None);
        world.now = begun + SignedDuration::from_millis(9_999);
        assert_eq!(world.round(), after(10));
        assert_eq!(world.calls.len(), tries);
        world.now = begun + SignedDuration::from_secs(10);
        world.round();
        tries += 1;
        assert_eq!(world.calls.len(), tries);
    }
    let ids: std::collections::BTreeSet<String> = world.calls.iter().map(trigger_id).collect();
    assert_eq!((ids.len(), handled(&world)[0].clone()), (7, json!(7)));
    assert!(world.now.duration_since(start) > SignedDuration::from_mins(1));
    let info = savepoint_info(&world);
    assert_eq!((info.trigger_type, info.trigger_timestamp), (None, None));
}

#[test]
fn the_grace_period_ends_after_it_has_passed() {
    for (option, what) in [
        ("kubernetes.operator.savepoint.trigger.grace-period", "savepoint"),
        ("kubernetes.operator.checkpoint.trigger.grace-period", "checkpoint"),
    ] {
        for (millis, over) in [(29_999, false), (30_000, false), (30_001, true)] {
            let mut world = running(&[BY_STATUS, (option, "30 s")]);
            let start = world.now;
            if what == "savepoint" {
                world.change(savepoint_nonce(7));
            } else {
                world.change(checkpoint_nonce(7));
            }
            world.round();
            world.now = start + SignedDuration::from_millis(millis);
            fails(&mut world);
            world.round();
            assert_eq!(handled(&world).contains(&json!(7)), over, "{what} {millis}");
            assert_eq!(savepoint_info(&world).trigger_id, None);
            assert_eq!(checkpoint_info(&world).trigger_id, None);
        }
    }
}

#[test]
fn what_another_operation_began_puts_off_nothing() {
    let mut world = running(&[BY_STATUS]);
    let at = world.now;
    world.observed.begun = Some(Begun { operation: "x".to_owned(), id: "x".to_owned(), at });
    world.change(savepoint_nonce(7));
    world.round();
    assert_eq!(world.calls.len(), 1, "nothing has failed");
}

#[test]
fn tries_for_a_schedule_are_not_those_of_a_nonce() {
    let mut world = running(&[BY_STATUS, EVERY_TEN_MINUTES]);
    go_to(&mut world, minutes(11));
    world.round();
    fails(&mut world);
    world.round();
    world.later(30);
    world.change(savepoint_nonce(7));
    let at = world.now.as_millisecond();
    world.round();
    let info = savepoint_info(&world);
    assert_eq!((info.trigger_type, info.trigger_timestamp), (Some(SnapshotTriggerType::Manual), Some(at)));
}
