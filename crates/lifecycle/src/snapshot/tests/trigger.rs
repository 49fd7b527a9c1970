//! TRIGGER_PENDING: when Flink is asked, with what, and what is waited for.

use std::time::Duration;

use api::{FlinkStateSnapshotStatus, FlinkVersion, SnapshotState};
use serde_json::json;

use super::super::{JobView, Phase};
use super::world::{
    Change, JOB_ID, World, after, checkpoint, cluster, failure, savepoint, with_limit, with_savepoint,
};
use crate::{Effect, FlinkRequest, PollPlan, Question, Requeue};

#[test]
fn the_finalizer_and_the_labels_come_first() {
    let mut world = World::new(savepoint());
    let decision = world.round();
    assert!(
        matches!(decision.effects.as_slice(), [Effect::AddFinalizer, Effect::Change(_)]),
        "{:?}",
        decision.effects
    );
    assert_eq!((decision.requeue, decision.poll), (Requeue::AtOnce, None));
    let status = serde_json::to_value(world.status()).unwrap();
    assert_eq!(status, json!({"state": "TRIGGER_PENDING", "failures": 0}));
}

#[test]
fn another_finalizer_is_not_ours() {
    let mut world = World::new(savepoint());
    world.resource.metadata.finalizers = Some(vec!["somebody.example.com/finalizer".to_owned()]);
    assert!(matches!(world.decide().effects.first(), Some(Effect::AddFinalizer)));
}

#[test]
fn the_job_is_claimed_before_flink_is_asked() {
    let mut world = World::new(savepoint());
    world.resource.metadata.finalizers = Some(vec![api::names::FINALIZER_FLINK_STATE_SNAPSHOT.to_owned()]);
    let decision = world.round();
    assert!(matches!(decision.effects.as_slice(), [Effect::Change(_)]), "{:?}", decision.effects);
    assert_eq!(decision.requeue, Requeue::AtOnce);
    assert_eq!(world.state(), SnapshotState::TriggerPending);
    assert_eq!(world.resource.metadata.labels.as_ref().unwrap()["job-reference.uid"], "app-uid");
    world.round();
    assert_eq!(world.calls.len(), 1);
}

#[test]
fn a_savepoint_is_triggered_with_an_id_that_is_recorded() {
    let mut world = World::pending(savepoint());
    world.set_status(|status| status.error = Some("The snapshot waits".to_owned()));
    let decision = world.round();
    let status = world.status();
    assert_eq!((world.state(), status.error), (SnapshotState::InProgress, None));
    assert_eq!(status.trigger_timestamp, Some(world.now.to_string()));
    let trigger_id = world.trigger_id();
    assert_eq!(trigger_id.len(), 32);
    let request = FlinkRequest::TriggerSavepoint {
        job_id: JOB_ID.to_owned(),
        trigger_id: trigger_id.clone(),
        target_directory: Some("file:///sp".to_owned()),
        format_type: "CANONICAL".to_owned(),
    };
    assert_eq!(world.calls, [request]);
    let poll = PollPlan {
        cluster: cluster(),
        deployment_uid: "jm-1".to_owned(),
        interval: Duration::from_secs(1),
        timeout: Duration::from_secs(10),
        patience: Duration::from_secs(15),
        statistics_lag: Duration::ZERO,
        job_id: Some(JOB_ID.to_owned()),
        questions: vec![Question::Savepoint { job_id: JOB_ID.to_owned(), trigger_id }],
    };
    assert_eq!((decision.requeue, decision.poll), (after(60), Some(poll)));
    let told = world.resource.metadata.labels.as_ref().unwrap();
    assert_eq!(told["snapshot.state"], "IN_PROGRESS");
}

#[test]
fn a_savepoint_goes_where_its_spec_says_in_the_format_it_says() {
    let cases = [
        (json!({"path": "s3://b/mine", "formatType": "NATIVE"}), "s3://b/mine", "NATIVE"),
        (json!({"path": ""}), "file:///sp", "CANONICAL"),
    ];
    for (spec, directory, format) in cases {
        let mut world = World::pending(with_savepoint(&spec));
        world.round();
        let [FlinkRequest::TriggerSavepoint { target_directory, format_type, .. }] = world.calls.as_slice()
        else {
            panic!("{:?}", world.calls)
        };
        assert_eq!((target_directory.as_deref(), format_type.as_str()), (Some(directory), format));
    }
}

#[test]
fn a_savepoint_without_a_directory_has_failed() {
    let mut world = World::pending(savepoint());
    world.job().savepoint_directory = None;
    let decision = world.round();
    assert!(world.calls.is_empty());
    assert_eq!(decision.requeue, after(10));
    let (what, message) = world.told_once();
    assert_eq!(what, "Warning SavepointError Snapshot");
    assert!(message.contains("There is no directory for the savepoint. Remedy: "), "{message}");
    let status = world.status();
    assert_eq!((world.state(), status.failures), (SnapshotState::TriggerPending, Some(1)));
    assert_eq!((status.trigger_id, status.error), (None, Some(message)));
}

#[test]
fn a_checkpoint_needs_flink_1_17() {
    for (version, taken) in [
        (Some(FlinkVersion::V1_16), false),
        (Some(FlinkVersion::V1_17), true),
        (Some(FlinkVersion::V2_0), true),
        (None, true),
    ] {
        let mut world = World::pending(checkpoint());
        world.job().version = version;
        world.job().checkpoint_type = "INCREMENTAL".to_owned();
        let decision = world.round();
        if taken {
            let request = FlinkRequest::TriggerCheckpoint {
                job_id: JOB_ID.to_owned(),
                trigger_id: world.trigger_id(),
                checkpoint_type: "INCREMENTAL".to_owned(),
            };
            assert_eq!(world.calls, [request], "{version:?}");
            let (job_id, trigger_id) = (JOB_ID.to_owned(), world.trigger_id());
            assert_eq!(decision.poll.unwrap().questions, [Question::Checkpoint { job_id, trigger_id }]);
        } else {
            assert!(world.calls.is_empty(), "{version:?}");
            assert_eq!(world.told_once().0, "Warning CheckpointError Snapshot");
            assert!(world.error().contains("from version 1.17 on"));
        }
    }
}

#[test]
fn an_old_flink_takes_savepoints() {
    let mut world = World::pending(savepoint());
    world.job().version = Some(FlinkVersion::V1_15);
    world.round();
    assert_eq!(world.calls.len(), 1);
}

// ---- what is waited for -------------------------------------------------------------------------------------------

#[test]
fn nothing_is_decided_while_nobody_knows_the_job() {
    for spec in [savepoint(), with_savepoint(&json!({"alreadyExists": true, "path": "file:///a"}))] {
        let mut world = World::pending(spec);
        let before = world.status();
        world.observed.job = JobView::Unknown;
        let decision = world.round();
        assert_eq!((decision.requeue, decision.poll), (after(10), None));
        assert!(decision.effects.is_empty(), "{:?}", decision.effects);
        assert_eq!(world.status(), before);
    }
}

#[test]
fn a_job_that_is_not_there_is_an_error_that_is_told_once() {
    let mut world = World::pending(savepoint());
    world.observed.job = JobView::Missing;
    assert_eq!(world.round().requeue, after(60));
    let (what, message) = world.told_once();
    assert_eq!(what, "Warning ValidationError Operator");
    assert!(message.starts_with("Target for snapshot ns/app was not found"), "{message}");
    assert!(world.error().contains("ValidationException") && world.error().contains("ns/app"));
    assert_eq!(world.state(), SnapshotState::TriggerPending);
    assert_eq!(world.round().requeue, after(60));
    assert!(world.told().is_empty());
    world.observed.job = World::new(savepoint()).observed.job;
    world.round();
    assert_eq!((world.calls.len(), world.error().as_str()), (1, ""));
}

#[test]
fn a_spec_that_asks_for_nothing_that_can_be_done_is_refused() {
    let both = json!({"jobReference": {"kind": "FlinkDeployment", "name": "app"},
        "savepoint": {}, "checkpoint": {}});
    let neither = json!({"jobReference": {"kind": "FlinkDeployment", "name": "app"}});
    let of_nothing = json!({"savepoint": {}});
    let nowhere = with_savepoint(&json!({"alreadyExists": true}));
    for spec in [both, neither, of_nothing, nowhere] {
        let mut world = World::pending(spec.clone());
        let decision = world.round();
        assert!(world.calls.is_empty());
        assert_eq!(decision.requeue, after(60), "{spec}");
        assert_eq!(world.told_once().0, "Warning ValidationError Operator", "{spec}");
        assert_eq!(world.state(), SnapshotState::TriggerPending);
    }
}

#[test]
fn a_savepoint_that_exists_is_registered_whether_its_job_is_there_or_not() {
    let spec = || with_savepoint(&json!({"alreadyExists": true, "path": "file:///old"}));
    for missing in [false, true] {
        let mut world = World::pending(spec());
        world.set_status(|status| status.error = Some("The snapshot waits".to_owned()));
        if missing {
            world.observed.job = JobView::Missing;
        }
        let decision = world.round();
        let now = Some(world.now.to_string());
        let status = world.status();
        assert_eq!((world.state(), status.path.as_deref()), (SnapshotState::Completed, Some("file:///old")));
        assert_eq!((status.trigger_timestamp, status.result_timestamp), (now.clone(), now));
        assert_eq!((status.trigger_id, status.error), (None, None));
        assert!(world.calls.is_empty() && world.told().is_empty());
        assert_eq!((decision.requeue, decision.poll), (Requeue::OnChange, None));
        world.rests();
    }
}

#[test]
fn a_job_that_changes_or_cannot_be_asked_is_waited_for() {
    let cases: [(Change, &str); 3] = [
        (|world| world.job().phase = Phase::Changing("The job is late".to_owned()), "The job is late"),
        (|world| world.job().job_manager = None, "The JobManager is not available"),
        (|world| world.job().job_id = None, "The JobManager is not available"),
    ];
    for (change, why) in cases {
        let mut world = World::pending(savepoint());
        change(&mut world);
        let decision = world.round();
        assert_eq!((world.state(), world.error().as_str()), (SnapshotState::TriggerPending, why));
        assert_eq!((decision.requeue, decision.poll), (after(10), None));
        assert!(decision.effects.is_empty(), "{:?}", decision.effects);
    }
}

#[test]
fn a_job_that_has_ended_makes_its_snapshot_abandoned() {
    for (spec, what) in [(savepoint(), "savepoint"), (checkpoint(), "checkpoint")] {
        let mut world = World::pending(spec);
        world.set_status(|status| status.path = Some("file:///stale".to_owned()));
        world.job().phase = Phase::Ended;
        let decision = world.round();
        let sentence = format!("Secondary resource app (FlinkDeployment) for {what} one is not running");
        assert_eq!(world.told_once(), ("Warning SnapshotAbandoned Snapshot".to_owned(), sentence.clone()));
        let status = world.status();
        assert_eq!((world.state(), status.error), (SnapshotState::Abandoned, Some(sentence)));
        assert_eq!((status.path, status.result_timestamp), (None, Some(world.now.to_string())));
        assert_eq!((decision.requeue, decision.poll), (Requeue::OnChange, None));
        assert!(world.calls.is_empty());
    }
}

#[test]
fn w_55_another_job_of_the_same_name_is_not_the_one() {
    let mut world = World::pending(savepoint());
    world.job().uid = "another".to_owned();
    world.round();
    let (what, message) = world.told_once();
    assert_eq!(what, "Warning SnapshotAbandoned Snapshot");
    assert_eq!(
        message,
        "The FlinkDeployment app that the snapshot is of was deleted; there is another one of its name now"
    );
    assert_eq!(world.state(), SnapshotState::Abandoned);
    assert!(world.calls.is_empty());
}

#[test]
fn a_failed_call_is_shown_and_waited_for() {
    let mut world = World::pending(savepoint());
    world.observed.failure = Some(failure());
    let decision = world.round();
    assert_eq!((world.state(), world.error().as_str()), (SnapshotState::TriggerPending, "ask: refused"));
    assert_eq!(decision.requeue, after(10));
    assert!(decision.effects.is_empty(), "{:?}", decision.effects);
}

#[test]
fn under_a_failure_only_events_are_told() {
    let mut world = World::new(savepoint());
    world.observed.failure = Some(failure());
    assert!(world.decide().effects.is_empty());
    let mut world = World::pending(savepoint());
    world.resource.metadata.labels.as_mut().unwrap().remove("snapshot.type");
    world.observed.failure = Some(failure());
    world.observed.job = JobView::Missing;
    let decision = world.decide();
    assert!(matches!(decision.effects.as_slice(), [Effect::Event(_)]), "{:?}", decision.effects);
}

// ---- the wait after a failure -------------------------------------------------------------------------------------

/// A snapshot that has just failed for the last of so many times.
fn failed_times(failures: i32) -> World {
    let mut world = World::pending(with_limit(savepoint(), -1));
    let now = world.now.to_string();
    world.set_status(|status| {
        status.failures = Some(failures);
        status.result_timestamp = Some(now);
    });
    world
}

#[test]
fn waits_double_from_ten_seconds_to_ten_minutes() {
    for (failures, wait) in [
        (1, 10),
        (2, 20),
        (3, 40),
        (4, 80),
        (5, 160),
        (6, 320),
        (7, 600),
        (8, 600),
        (33, 600),
        (i32::MAX, 600),
    ] {
        let mut world = failed_times(failures);
        assert_eq!(world.decide().requeue, after(wait), "{failures}");
        world.later(i64::try_from(wait).unwrap() - 3);
        assert_eq!(world.decide().requeue, after(3), "{failures}");
        assert_eq!(world.decide().status, world.status());
        world.later_by_millis(2999);
        world.round();
        assert!(world.calls.is_empty(), "{failures}");
        world.later_by_millis(1);
        world.round();
        assert_eq!(world.calls.len(), 1, "{failures}");
    }
}

#[test]
fn nothing_is_waited_for_without_a_recorded_failure() {
    for (failures, time) in [(0, true), (-1, true), (3, false)] {
        let mut world = failed_times(failures);
        if !time {
            world.set_status(|status| status.result_timestamp = None);
        }
        world.round();
        assert_eq!(world.calls.len(), 1, "{failures}");
    }
    let mut world = failed_times(3);
    world.set_status(|status| status.result_timestamp = Some("yesterday".to_owned()));
    world.round();
    assert_eq!(world.calls.len(), 1);
}

#[test]
fn the_wait_is_looked_at_before_the_job() {
    let mut world = failed_times(1);
    world.job().phase = Phase::Ended;
    world.round();
    assert_eq!(world.state(), SnapshotState::TriggerPending);
    world.later(10);
    world.round();
    assert_eq!(world.state(), SnapshotState::Abandoned);
}

#[test]
fn a_status_without_a_state_is_that_of_a_new_snapshot() {
    let empty = || {
        let mut world = World::pending(savepoint());
        world.resource.status = Some(FlinkStateSnapshotStatus::default());
        world
    };
    let mut world = empty();
    world.round();
    assert_eq!((world.state(), world.calls.len()), (SnapshotState::InProgress, 1));
    let mut world = empty();
    world.observed.job = JobView::Missing;
    let decision = world.round();
    assert_eq!((decision.requeue, world.status()), (after(60), FlinkStateSnapshotStatus::default()));
}
