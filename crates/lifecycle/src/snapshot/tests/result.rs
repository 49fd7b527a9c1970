//! IN_PROGRESS and how it ends: what Flink says of the recorded trigger.

use std::time::Duration;

use api::SnapshotState;

use super::super::{JobView, Phase};
use super::world::{JOB_ID, World, after, checkpoint, completed, failed, failure, savepoint, with_limit};
use crate::observed::OperationResult;
use crate::{FlinkRequest, Question, Requeue};

/// Flink is asked for the result, and nothing else happens.
fn is_followed(world: &mut World) {
    let before = world.status();
    let decision = world.round();
    assert_eq!(world.status(), before);
    assert!(decision.effects.is_empty(), "{:?}", decision.effects);
    assert_eq!(decision.requeue, after(60));
    let (job_id, trigger_id) = (JOB_ID.to_owned(), world.trigger_id());
    assert_eq!(decision.poll.unwrap().questions, [Question::Savepoint { job_id, trigger_id }]);
}

#[test]
fn a_snapshot_that_is_being_written_is_followed() {
    let mut world = World::in_progress(savepoint());
    is_followed(&mut world);
    world.flink_says(OperationResult::InProgress);
    is_followed(&mut world);
    world.flink_says_of("another", completed("file:///sp/another"));
    is_followed(&mut world);
}

#[test]
fn a_job_that_changes_or_ends_meanwhile_is_still_followed() {
    for phase in [Phase::Changing("it is late".to_owned()), Phase::Ended] {
        let mut world = World::in_progress(savepoint());
        world.job().phase = phase;
        is_followed(&mut world);
        world.flink_says(OperationResult::InProgress);
        is_followed(&mut world);
        world.flink_says(completed("file:///sp/one"));
        world.round();
        assert_eq!(world.state(), SnapshotState::Completed);
    }
}

#[test]
fn polls_are_frequent_for_two_minutes() {
    for (millis, interval) in [(0, 1), (119_999, 1), (120_000, 10), (3_600_000, 10)] {
        let mut world = World::in_progress(savepoint());
        world.later_by_millis(millis);
        let poll = world.decide().poll.unwrap();
        assert_eq!(poll.interval, Duration::from_secs(interval), "{millis}");
    }
    let mut world = World::in_progress(savepoint());
    world.set_status(|status| status.trigger_timestamp = None);
    assert_eq!(world.decide().poll.unwrap().interval, Duration::from_secs(10));
}

#[test]
fn what_another_job_manager_says_does_not_count() {
    let mut world = World::in_progress(savepoint());
    world.flink_says(completed("file:///sp/another"));
    world.job().job_manager = Some("jm-2".to_owned());
    is_followed(&mut world);
    let mut world = World::in_progress(savepoint());
    world.flink_says(completed("file:///sp/one"));
    world.flink_is_silent("too slow");
    is_followed(&mut world);
}

#[test]
fn the_path_that_flink_returns_is_taken() {
    for (spec, path) in [(savepoint(), "file:///sp/one"), (checkpoint(), "file:///cp/chk-7")] {
        let mut world = World::in_progress(spec);
        world.later(7);
        world.set_status(|status| status.error = Some("before".to_owned()));
        world.flink_says(completed(path));
        let decision = world.round();
        let status = world.status();
        assert_eq!((world.state(), status.path.as_deref()), (SnapshotState::Completed, Some(path)));
        assert_eq!((status.result_timestamp, status.error), (Some(world.now.to_string()), None));
        assert_ne!(status.trigger_timestamp, Some(world.now.to_string()));
        assert_eq!((decision.requeue, decision.poll), (Requeue::OnChange, None));
        assert!(world.calls.is_empty() && world.told().is_empty());
        assert_eq!(world.resource.metadata.labels.as_ref().unwrap()["snapshot.state"], "COMPLETED");
        world.rests();
    }
}

#[test]
fn a_savepoint_without_a_path_is_none() {
    let mut world = World::in_progress(savepoint());
    world.flink_says(completed(""));
    world.round();
    let (what, message) = world.told_once();
    assert_eq!(what, "Warning SavepointError Snapshot");
    assert!(message.contains("Flink returned no path for the savepoint"), "{message}");
    assert_eq!((world.state(), world.status().path), (SnapshotState::TriggerPending, None));
}

#[test]
fn a_checkpoint_whose_place_nobody_knows_is_complete_all_the_same() {
    let mut world = World::in_progress(checkpoint());
    world.flink_says(completed(""));
    world.round();
    let message = "The checkpoint is complete, and Flink cannot say where it lies";
    assert_eq!(world.told(), [format!("Warning CheckpointError Snapshot: {message}")]);
    assert_eq!((world.state(), world.status().path.as_deref()), (SnapshotState::Completed, Some("")));
}

// ---- failures -------------------------------------------------------------------------------------------------------

#[test]
fn a_failure_is_told_recorded_and_tried_again_with_another_id() {
    for (spec, reason) in [(savepoint(), "SavepointError"), (checkpoint(), "CheckpointError")] {
        let mut world = World::in_progress(spec);
        let first = world.trigger_id();
        world.later(5);
        world.flink_says(failed("disk full"));
        let decision = world.round();
        assert_eq!((decision.requeue, decision.poll), (after(10), None));
        let (what, message) = world.told_once();
        assert_eq!(what, format!("Warning {reason} Snapshot"));
        let told: serde_json::Value = serde_json::from_str(&message).unwrap();
        assert_eq!(told["message"], "disk full");
        assert_eq!(told["type"], "org.apache.flink.kubernetes.operator.exception.ReconciliationException");
        let status = world.status();
        assert_eq!((world.state(), status.failures), (SnapshotState::TriggerPending, Some(1)));
        assert_eq!((status.result_timestamp, status.error), (Some(world.now.to_string()), Some(message)));
        assert_eq!(world.resource.metadata.labels.as_ref().unwrap()["snapshot.state"], "TRIGGER_PENDING");
        world.later(10);
        world.round();
        assert_eq!((world.state(), world.calls.len()), (SnapshotState::InProgress, 1));
        assert_ne!(world.trigger_id(), first);
        assert_eq!(world.calls[0].operation(), Some(world.trigger_id().as_str()));
        world.flink_says(failed("disk full"));
        assert_eq!(world.decide().requeue, after(20));
    }
}

#[test]
fn back_off_limit_is_the_number_of_failures_that_are_tolerated() {
    for (limit, before, over) in [
        (0, 0, true),
        (1, 0, false),
        (1, 1, true),
        (3, 2, false),
        (3, 3, true),
        (-1, 0, false),
        (-1, 1000, false),
        (-1, i32::MAX, false),
    ] {
        let mut world = World::in_progress(with_limit(savepoint(), limit));
        world.set_status(|status| status.failures = Some(before));
        world.flink_says(failed("disk full"));
        let decision = world.round();
        let expected = if over { SnapshotState::Failed } else { SnapshotState::TriggerPending };
        assert_eq!(world.state(), expected, "{limit} {before}");
        assert_eq!(world.status().failures, Some(before.saturating_add(1)));
        assert!(world.error().contains("disk full"));
        if over {
            assert_eq!(decision.requeue, Requeue::OnChange, "{limit} {before}");
            world.rests();
        } else {
            assert!(matches!(decision.requeue, Requeue::After(_)), "{limit} {before}");
        }
    }
}

#[test]
fn without_a_limit_there_is_none() {
    let mut world = World::in_progress(savepoint());
    world.set_status(|status| status.failures = None);
    world.flink_says(failed("disk full"));
    world.round();
    assert_eq!((world.state(), world.status().failures), (SnapshotState::TriggerPending, Some(1)));
}

// ---- a trigger that Flink does not know ------------------------------------------------------------------------------

#[test]
fn a_call_that_was_perhaps_never_sent_is_sent_with_the_recorded_id() {
    let another = ("another".to_owned(), "another".to_owned());
    for begun in [None, Some(another)] {
        let mut world = World::in_progress(savepoint());
        let before = world.status();
        if let Some((operation, id)) = begun {
            world.begun(&operation, &id);
            world.later(1);
        }
        world.flink_says(OperationResult::Unknown);
        let decision = world.round();
        let request = FlinkRequest::TriggerSavepoint {
            job_id: JOB_ID.to_owned(),
            trigger_id: before.trigger_id.clone().unwrap(),
            target_directory: Some("file:///sp".to_owned()),
            format_type: "CANONICAL".to_owned(),
        };
        assert_eq!((world.calls.as_slice(), world.status()), ([request].as_slice(), before));
        assert!(decision.poll.is_some());
        assert_eq!(decision.requeue, after(60));
    }
}

#[test]
fn a_job_manager_that_was_told_and_does_not_know_is_another_one() {
    for (millis, failed) in [(-1, false), (0, false), (1, true)] {
        let mut world = World::in_progress(savepoint());
        let trigger_id = world.trigger_id();
        world.begun(&trigger_id, &trigger_id);
        world.later_by_millis(millis);
        world.flink_says(OperationResult::Unknown);
        if failed {
            world.round();
            assert_eq!(world.state(), SnapshotState::TriggerPending);
            assert!(world.error().contains("The JobManager was restarted before the snapshot was complete"));
            assert_eq!(world.told_once().0, "Warning SavepointError Snapshot");
        } else {
            // The answer is older than the call.
            is_followed(&mut world);
        }
        assert!(world.calls.is_empty());
    }
}

#[test]
fn a_call_that_flink_refuses_for_good_has_failed() {
    let mut world = World::in_progress(savepoint());
    world.flink_says(OperationResult::Unknown);
    world.observed.failure = Some(failure());
    is_followed(&mut world);
    world.observed.failure.as_mut().unwrap().needs_user = true;
    // That was about a label.
    is_followed(&mut world);
    let trigger_id = world.trigger_id();
    world.observed.failure.as_mut().unwrap().operation = Some(trigger_id);
    // A call or two may be lost on the way.
    world.observed.failure.as_mut().unwrap().needs_user = false;
    for (attempts, refused) in [(2, false), (3, true)] {
        let mut world = world.clone();
        world.observed.failure.as_mut().unwrap().attempts = attempts;
        world.round();
        assert_eq!(world.state() == SnapshotState::TriggerPending, refused, "{attempts}");
    }
    world.observed.failure.as_mut().unwrap().needs_user = true;
    world.round();
    assert_eq!(world.state(), SnapshotState::TriggerPending);
    assert!(world.error().contains("ask: refused"));
    assert_eq!(world.told_once().0, "Warning SavepointError Snapshot");
}

#[test]
fn a_result_counts_although_a_repeat_was_refused() {
    let mut world = World::in_progress(savepoint());
    world.flink_says(completed("file:///sp/one"));
    world.observed.failure = Some(failure());
    world.round();
    assert_eq!(world.state(), SnapshotState::Completed);
}

#[test]
fn what_never_arrived_depends_on_what_the_job_does_by_now() {
    let unknown = |change: fn(&mut World)| {
        let mut world = World::in_progress(savepoint());
        change(&mut world);
        world.flink_says(OperationResult::Unknown);
        world
    };
    let mut world = unknown(|world| world.job().phase = Phase::Ended);
    world.round();
    assert_eq!(world.told_once().0, "Warning SnapshotAbandoned Snapshot");
    assert_eq!(world.state(), SnapshotState::Abandoned);
    assert!(world.error().ends_with("for savepoint one is not running"));
    let mut world = unknown(|world| world.job().phase = Phase::Changing("it is late".to_owned()));
    is_followed(&mut world);
    let mut world = unknown(|world| world.job().job_id = None);
    let decision = world.round();
    assert_eq!((decision.requeue, decision.poll), (after(10), None));
    assert!(decision.effects.is_empty());
    let mut world = unknown(|world| world.job().savepoint_directory = None);
    world.round();
    assert!(world.error().contains("There is no directory"));
    assert_eq!((world.state(), world.calls.len()), (SnapshotState::TriggerPending, 0));
}

// ---- a job that goes ------------------------------------------------------------------------------------------------

#[test]
fn without_a_job_manager_only_an_ended_job_ends_its_snapshot() {
    let mut world = World::in_progress(savepoint());
    world.job().job_manager = None;
    for phase in [Phase::Running, Phase::Changing("it is late".to_owned())] {
        world.job().phase = phase;
        let decision = world.round();
        assert_eq!(world.state(), SnapshotState::InProgress);
        assert_eq!((decision.requeue, decision.poll), (after(60), None));
        assert!(decision.effects.is_empty());
    }
    world.job().phase = Phase::Ended;
    world.round();
    assert_eq!(world.state(), SnapshotState::Abandoned);
    assert!(world.error().ends_with("is not running"));
}

#[test]
fn a_resource_of_the_job_that_is_gone_ends_its_snapshot() {
    let mut world = World::in_progress(checkpoint());
    world.observed.job = JobView::Unknown;
    let before = world.status();
    let decision = world.round();
    assert_eq!((decision.requeue, decision.poll), (after(10), None));
    assert_eq!((world.status(), decision.effects.len()), (before, 0));
    world.observed.job = JobView::Missing;
    world.round();
    let sentence = "Secondary resource app (FlinkDeployment) for checkpoint one was not found";
    assert_eq!(world.told(), [format!("Warning SnapshotAbandoned Snapshot: {sentence}")]);
    assert_eq!((world.state(), world.error().as_str()), (SnapshotState::Abandoned, sentence));
    world.rests();
}

#[test]
fn w_55_a_job_that_was_replaced_ends_its_snapshot() {
    let mut world = World::in_progress(savepoint());
    world.job().uid = "another".to_owned();
    world.flink_says(completed("file:///sp/one"));
    world.round();
    assert_eq!(world.state(), SnapshotState::Abandoned);
    assert!(world.error().contains("there is another one of its name now"));
}

#[test]
fn a_snapshot_in_progress_without_a_trigger_id_has_failed() {
    for id in [None, Some(String::new())] {
        let mut world = World::in_progress(savepoint());
        world.set_status(|status| status.trigger_id = id);
        world.round();
        assert_eq!(world.state(), SnapshotState::TriggerPending);
        assert!(world.error().contains("The status has no trigger id"));
    }
}

#[test]
fn what_has_ended_stays_as_it_is() {
    for state in [SnapshotState::Completed, SnapshotState::Failed, SnapshotState::Abandoned] {
        let mut world = World::completed(savepoint());
        world.set_status(|status| status.state = Some(state));
        world
            .resource
            .metadata
            .labels
            .as_mut()
            .unwrap()
            .insert("snapshot.state".to_owned(), state.to_string());
        world.flink_says(failed("too late"));
        world.rests();
        world.job().phase = Phase::Ended;
        world.rests();
        world.job().uid = "another".to_owned();
        world.rests();
        for job in [JobView::Unknown, JobView::Missing] {
            world.observed.job = job;
            world.rests();
        }
    }
}
