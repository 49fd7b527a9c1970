//! Deletion: which files go with a snapshot, what is waited for, and for how long.

use std::time::Duration;

use api::SnapshotState;
use serde_json::json;

use super::super::{JobView, Phase};
use super::world::{
    Change, JOB_ID, World, after, checkpoint, cluster, completed, failed, failure, savepoint, with_savepoint,
};
use crate::job::history::NOT_THERE;
use crate::observed::OperationResult;
use crate::{Effect, FlinkRequest, PollPlan, Question, Requeue};

const PATH: &str = "file:///sp/one";

/// Flink's id of the disposal.
const DISPOSAL: &str = "d";

/// The resource goes, at once, without a call.
fn goes_quietly(world: &mut World) {
    let decision = world.round();
    assert!(matches!(decision.effects.as_slice(), [Effect::RemoveFinalizer]), "{:?}", decision.effects);
    assert_eq!((decision.requeue, decision.poll), (Requeue::OnChange, None));
    assert!(world.finalizer_removed);
}

/// The resource goes, and a Warning says that its files stay, because of that.
fn leaves_behind(world: &mut World, why: &str, files: &str) {
    let decision = world.round();
    assert!(
        matches!(decision.effects.as_slice(), [Effect::Event(_), Effect::RemoveFinalizer]),
        "{:?}",
        decision.effects
    );
    assert_eq!(decision.poll, None);
    let sentence = format!(
        "The resource is deleted, and the files of its savepoint stay, because {why}. Remedy: delete them by hand: {files}"
    );
    assert_eq!(world.told(), [format!("Warning CleanupFailed Snapshot: {sentence}")]);
}

/// The resource stays for now, and nothing is done. How long until the next look, and what Flink is asked.
fn waits(world: &mut World) -> (Requeue, Option<Vec<Question>>) {
    let decision = world.round();
    assert!(decision.effects.is_empty(), "{:?}", decision.effects);
    (decision.requeue, decision.poll.map(|poll| poll.questions))
}

/// Flink is asked to delete the files.
fn asks(world: &mut World) {
    let decision = world.round();
    assert!(matches!(decision.effects.as_slice(), [Effect::Flink(_)]), "{:?}", decision.effects);
    assert_eq!(decision.requeue, Requeue::AtOnce, "its id is known in the next round");
    assert_eq!(std::mem::take(&mut world.calls), [FlinkRequest::DisposeSavepoint { path: PATH.to_owned() }]);
}

/// A deleted snapshot whose files Flink has begun to delete.
fn disposing() -> World {
    let mut world = World::completed(savepoint()).deleted();
    asks(&mut world);
    world.begun(PATH, DISPOSAL);
    world
}

// ---- which files go -------------------------------------------------------------------------------------------------

#[test]
fn a_resource_without_our_finalizer_is_none_of_our_business() {
    let mut world = World::completed(savepoint()).deleted();
    world.resource.metadata.finalizers = Some(vec!["somebody.example.com/finalizer".to_owned()]);
    world.rests();
    world.resource.metadata.finalizers = None;
    world.rests();
}

#[test]
fn files_that_are_not_the_snapshot_s_stay() {
    let keeping = with_savepoint(&json!({"disposeOnDelete": false}));
    for spec in [keeping.clone(), checkpoint()] {
        goes_quietly(&mut World::completed(spec.clone()).deleted());
        goes_quietly(&mut World::in_progress(spec.clone()).deleted());
        goes_quietly(&mut World::pending(spec).deleted());
    }
    let mut world = World::completed(savepoint()).deleted();
    world.resource.spec.job_reference = None;
    goes_quietly(&mut world);
}

#[test]
fn a_snapshot_that_has_no_files_goes() {
    for state in [SnapshotState::TriggerPending, SnapshotState::Failed, SnapshotState::Abandoned] {
        let mut world = World::completed(savepoint()).deleted();
        world.set_status(|status| status.state = Some(state));
        goes_quietly(&mut world);
    }
    for path in [None, Some(String::new())] {
        let mut world = World::completed(savepoint()).deleted();
        world.set_status(|status| status.path = path);
        goes_quietly(&mut world);
    }
    let mut world = World::new(savepoint()).deleted();
    world.resource.metadata.finalizers = Some(vec![api::names::FINALIZER_FLINK_STATE_SNAPSHOT.to_owned()]);
    goes_quietly(&mut world);
}

#[test]
fn files_that_something_else_needs_stay() {
    let mut world = World::completed(savepoint()).deleted();
    world.observed.needed_by = Some("FlinkDeployment second".to_owned());
    world.observed.job = JobView::Missing;
    world.round();
    let sentence = format!("The savepoint {PATH} stays: FlinkDeployment second refers to it as well");
    assert_eq!(world.told(), [format!("Normal Cleanup Snapshot: {sentence}")]);
    assert!(world.finalizer_removed && world.calls.is_empty());
}

// ---- disposal -------------------------------------------------------------------------------------------------------

#[test]
fn a_savepoint_goes_and_then_its_resource() {
    for spec in [savepoint(), with_savepoint(&json!({"disposeOnDelete": true}))] {
        let mut world = World::completed(spec).deleted();
        asks(&mut world);
        world.begun(PATH, DISPOSAL);
        let decision = world.round();
        assert!(decision.effects.is_empty(), "{:?}", decision.effects);
        let poll = PollPlan {
            cluster: cluster(),
            deployment_uid: "jm-1".to_owned(),
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(10),
            patience: Duration::from_secs(15),
            statistics_lag: Duration::ZERO,
            job_id: Some(JOB_ID.to_owned()),
            questions: vec![Question::Disposal { trigger_id: DISPOSAL.to_owned() }],
        };
        assert_eq!((decision.requeue, decision.poll), (after(10), Some(poll)));
        world.flink_says_of(DISPOSAL, completed(""));
        goes_quietly(&mut world);
        assert!(world.told().is_empty());
    }
}

#[test]
fn the_disposal_of_other_files_is_not_this_one() {
    let mut world = World::completed(savepoint()).deleted();
    world.begun("file:///sp/another", DISPOSAL);
    world.flink_says_of(DISPOSAL, completed(""));
    asks(&mut world);
}

#[test]
fn a_disposal_is_waited_for() {
    let question = || Some(vec![Question::Disposal { trigger_id: DISPOSAL.to_owned() }]);
    let mut world = disposing();
    for result in [None, Some(OperationResult::InProgress)] {
        if let Some(result) = result {
            world.flink_says_of(DISPOSAL, result);
        }
        world.later(30);
        assert_eq!(waits(&mut world), (after(10), question()));
    }
}

#[test]
fn a_disposal_that_failed_or_was_forgotten_is_tried_again_after_ten_seconds() {
    for result in [failed("Permission denied"), OperationResult::Unknown] {
        for (millis, again) in [(0, false), (9_999, false), (10_000, true)] {
            let mut world = disposing();
            world.later_by_millis(millis);
            world.flink_says_of(DISPOSAL, result.clone());
            if again {
                asks(&mut world);
            } else {
                waits(&mut world);
            }
        }
    }
}

#[test]
fn files_that_are_gone_are_disposed_of() {
    let mut world = disposing();
    let reason = format!("{NOT_THERE} '{PATH}'");
    world.flink_says_of(DISPOSAL, failed(&reason));
    world.later(200);
    world.round();
    let sentence = format!("The savepoint {PATH} is not there any more: {reason}");
    assert_eq!(world.told(), [format!("Normal Cleanup Snapshot: {sentence}")]);
    assert!(world.finalizer_removed);
}

#[test]
fn w_21_a_deletion_ends_after_two_minutes() {
    let cases: [(Change, &str); 3] = [
        (|_| {}, "Flink does not say whether it is deleted"),
        (
            |world| world.flink_says_of(DISPOSAL, failed("Permission denied")),
            "Flink could not delete it: Permission denied",
        ),
        (
            |world| world.flink_says_of(DISPOSAL, OperationResult::InProgress),
            "Flink does not say whether it is deleted",
        ),
    ];
    for (change, why) in cases {
        let mut world = disposing();
        world.later_by_millis(119_999);
        change(&mut world);
        world.begun(PATH, DISPOSAL);
        waits(&mut world);
        world.later_by_millis(1);
        leaves_behind(&mut world, why, PATH);
    }
}

#[test]
fn a_disposal_that_is_complete_is_no_failure_however_late() {
    let mut world = disposing();
    world.later(500);
    world.flink_says_of(DISPOSAL, completed(""));
    goes_quietly(&mut world);
}

#[test]
fn what_another_job_manager_says_of_a_disposal_does_not_count() {
    let mut world = disposing();
    world.flink_says_of(DISPOSAL, completed(""));
    world.job().job_manager = Some("jm-2".to_owned());
    assert_eq!(waits(&mut world).0, after(10));
}

#[test]
fn a_job_that_is_being_deleted_is_asked_as_long_as_its_job_manager_is_there() {
    let mut world = World::completed(savepoint()).deleted();
    world.job().deleting = true;
    world.job().phase = Phase::Changing("the resource of the job is being deleted".to_owned());
    asks(&mut world);
    let mut world = World::completed(savepoint()).deleted();
    world.job().phase = Phase::Ended;
    asks(&mut world);
}

#[test]
fn without_a_job_manager_that_may_come_the_files_stay() {
    let why = "the resource of its job is being deleted, and there is no JobManager";
    let deleting: Change = |world| world.job().deleting = true;
    let ended: Change = |world| world.job().phase = Phase::Ended;
    for change in [deleting, ended] {
        let mut world = World::completed(savepoint()).deleted();
        world.job().job_manager = None;
        change(&mut world);
        leaves_behind(&mut world, why, PATH);
    }
    let mut world = World::completed(savepoint()).deleted();
    world.observed.job = JobView::Missing;
    leaves_behind(&mut world, "its job is gone, and with it the JobManager", PATH);
}

#[test]
fn a_job_manager_that_may_come_is_waited_for_for_two_minutes() {
    for phase in [Phase::Running, Phase::Changing("it is late".to_owned())] {
        let mut world = World::completed(savepoint()).deleted();
        world.job().job_manager = None;
        world.job().phase = phase;
        let decision = world.round();
        assert!(world.calls.is_empty());
        // It comes up: that wakes the snapshot.
        assert_eq!(decision.poll, None);
        world.later_by_millis(119_999);
        world.round();
        assert!(!world.finalizer_removed);
        world.later_by_millis(1);
        leaves_behind(&mut world, "no JobManager could be asked to delete them", PATH);
    }
    let mut world = World::completed(savepoint()).deleted();
    world.job().job_manager = None;
    world.flink_is_silent("connection refused");
    world.later(120);
    leaves_behind(&mut world, "connection refused", PATH);
}

#[test]
fn a_job_manager_that_is_not_there_is_not_asked_in_a_loop() {
    let mut world = World::completed(savepoint()).deleted();
    world.job().job_manager = None;
    assert_eq!(waits(&mut world), (after(10), None));
}

#[test]
fn a_call_that_fails_is_shown_and_named_in_the_end() {
    let mut world = World::completed(savepoint()).deleted();
    world.observed.failure = Some(failure());
    assert_eq!(waits(&mut world), (after(10), None));
    assert_eq!((world.error().as_str(), world.state()), ("ask: refused", SnapshotState::Completed));
    // Under a failure nothing but Events is done: the resource could not go.
    world.later(120);
    assert_eq!(waits(&mut world), (after(10), None));
    assert!(world.told().is_empty());
    world.observed.failure = None;
    leaves_behind(&mut world, "ask: refused", PATH);
}

#[test]
fn an_unknown_job_is_waited_for_for_two_minutes() {
    for mut world in [World::completed(savepoint()).deleted(), World::in_progress(savepoint()).deleted()] {
        world.observed.job = JobView::Unknown;
        assert_eq!(waits(&mut world), (after(10), None));
        world.later_by_millis(119_999);
        assert_eq!(waits(&mut world), (after(10), None));
        world.later_by_millis(1);
        let trigger = format!("of trigger {}", world.trigger_id());
        let files = if world.state() == SnapshotState::Completed { PATH } else { &trigger };
        leaves_behind(&mut world, "nothing can be learnt of its job", files);
    }
}

// ---- while Flink writes it ------------------------------------------------------------------------------------------

#[test]
fn a_savepoint_that_is_being_written_is_waited_for_and_goes() {
    let mut world = World::in_progress(savepoint()).deleted();
    let (job_id, trigger_id) = (JOB_ID.to_owned(), world.trigger_id());
    let question = Some(vec![Question::Savepoint { job_id, trigger_id }]);
    assert_eq!(waits(&mut world), (after(60), question.clone()));
    world.flink_says(OperationResult::InProgress);
    assert_eq!(waits(&mut world), (after(60), question));
    world.flink_says(completed(PATH));
    asks(&mut world);
    // The path is recorded before anything is deleted.
    assert_eq!((world.state(), world.status().path.as_deref()), (SnapshotState::Completed, Some(PATH)));
}

#[test]
fn a_savepoint_that_will_never_be_is_not_waited_for() {
    for result in [failed("disk full"), OperationResult::Unknown] {
        let mut world = World::in_progress(savepoint()).deleted();
        world.flink_says(result);
        goes_quietly(&mut world);
    }
}

#[test]
fn a_savepoint_that_is_being_written_has_half_an_hour() {
    let why = "its JobManager does not say what came of it";
    let mut world = World::in_progress(savepoint()).deleted();
    world.flink_says(OperationResult::InProgress);
    let trigger = format!("of trigger {}", world.trigger_id());
    world.later_by_millis(1_799_999);
    waits(&mut world);
    world.later_by_millis(1);
    leaves_behind(&mut world, why, &trigger);
}

#[test]
fn a_job_manager_that_does_not_answer_has_two_minutes() {
    let why = "its JobManager does not say what came of it";
    let mut world = World::in_progress(savepoint()).deleted();
    let trigger = format!("of trigger {}", world.trigger_id());
    world.later_by_millis(119_999);
    waits(&mut world);
    world.later_by_millis(1);
    leaves_behind(&mut world, why, &trigger);
    let mut world = World::in_progress(savepoint()).deleted();
    world.job().job_manager = None;
    assert_eq!(waits(&mut world), (after(60), None));
    world.job().phase = Phase::Ended;
    leaves_behind(&mut world, why, &trigger);
    let mut world = World::in_progress(savepoint()).deleted();
    world.observed.job = JobView::Missing;
    leaves_behind(&mut world, "its job is gone", &trigger);
}

#[test]
fn a_snapshot_that_is_being_deleted_is_never_triggered() {
    let mut world = World::in_progress(savepoint()).deleted();
    world.flink_says(OperationResult::Unknown);
    world.round();
    assert!(world.calls.is_empty());
    let mut world = World::pending(savepoint()).deleted();
    world.round();
    assert!(world.calls.is_empty() && world.finalizer_removed);
}
