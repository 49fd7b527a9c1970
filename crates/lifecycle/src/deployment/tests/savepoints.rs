//! Upgrades with a savepoint, and how the savepoint is made known.

use api::{JobStatusState, LifecycleState, SavepointFormatType, SnapshotTriggerType};
use jiff::SignedDuration;
use serde_json::json;

use super::world::{World, application, restart, with, with_ha};
use crate::effect::{Begun, Effect, FlinkRequest};
use crate::observed::{EffectFailure, FlinkAnswer, FlinkFailure, FlinkView, OperationResult};

/// A job whose stop with a savepoint was asked for just now.
pub(super) fn stopping(spec: serde_json::Value) -> World {
    let mut world = World::stable(spec);
    world.later(100);
    world.change(restart(1));
    world.pass();
    assert!(matches!(world.calls.as_slice(), [FlinkRequest::StopWithSavepoint { .. }]), "{:?}", world.calls);
    world.job_is(JobStatusState::Running);
    world
}

fn trigger_ids(world: &World) -> Vec<String> {
    let id = |call: &FlinkRequest| match call {
        FlinkRequest::StopWithSavepoint { trigger_id, .. } => trigger_id.clone(),
        other => panic!("{other:?}"),
    };
    world.calls.iter().map(id).collect()
}

fn completed(path: &str) -> OperationResult {
    OperationResult::Completed(path.to_owned())
}

/// A changed job whose JobManager has just come up; its first answer was too slow, and is returned.
fn changed_before_the_first_answer() -> (World, Option<FlinkAnswer>) {
    let mut world = World::new(with_ha(application("savepoint")));
    world.pass();
    world.job_is(JobStatusState::Running);
    world.ha_job(true);
    let answer = world.observed.flink.answer.take();
    let message = "too slow".to_owned();
    let failure = FlinkFailure { since: world.now, unreachable: true, untrusted: false, message };
    world.observed.flink.failure = Some(failure);
    world.pass();
    world.change(restart(1));
    (world, answer)
}

/// A moment later it is known that the job runs, and that a savepoint can be taken.
#[test]
fn a_job_manager_that_has_just_come_up_is_asked_before_its_job_is_taken_from_ha_metadata() {
    let (mut world, answer) = changed_before_the_first_answer();
    world.pass();
    assert_eq!(world.held().as_deref(), Some("WaitingForJob"));
    world.observed.flink = FlinkView { answer, failure: None };
    world.pass();
    assert!(matches!(world.calls.as_slice(), [FlinkRequest::StopWithSavepoint { .. }]), "{:?}", world.calls);
}

#[test]
fn a_job_manager_that_stays_silent_is_not_waited_for_for_ever() {
    let (mut world, _) = changed_before_the_first_answer();
    world.later(15);
    world.pass();
    assert_eq!(world.scaled, [0], "the JobManager ends, and its HA metadata stays");
    assert!(world.calls.is_empty());
}

#[test]
fn a_savepoint_upgrade_restores_what_was_saved() {
    let mut world = stopping(application("savepoint"));
    let [FlinkRequest::StopWithSavepoint { target_directory, drain, .. }] = world.calls.as_slice() else {
        panic!("{:?}", world.calls);
    };
    assert_eq!((target_directory.as_deref(), *drain), (Some("file:///sp"), false));
    assert_eq!(world.held().as_deref(), Some("StoppingJob"));
    // Nothing is deleted while the savepoint is being taken, and the call is not repeated.
    world.stop_is(OperationResult::InProgress);
    world.pass();
    assert!(world.observed.job_manager.is_some());
    assert_eq!(world.calls.len(), 1);
    world.job_is(JobStatusState::Finished);
    world.stop_is(completed("file:///sp/one"));
    world.pass();
    world.pass();
    assert_eq!(world.created, 2);
    assert_eq!(world.known_path().as_deref(), Some("file:///sp/one"));
    assert_eq!(world.restored_from.last().unwrap().as_deref(), Some("file:///sp/one"));
    world.job_is(JobStatusState::Running);
    world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::Stable);
}

#[test]
fn w_30_the_path_is_recorded_before_the_snapshot_resource_is_created_and_the_cluster_goes_after() {
    let mut world = stopping(application("savepoint"));
    world.job_is(JobStatusState::Finished);
    world.stop_is(completed("file:///sp/one"));
    world.round();
    assert_eq!(world.known_path().as_deref(), Some("file:///sp/one"));
    assert!(world.observed.job_manager.is_some(), "the cluster is still there");
    let snapshot = serde_json::to_value(world.applied.first().unwrap()).unwrap();
    let begun = world.status().operation.unwrap().start_timestamp.unwrap();
    assert_eq!(snapshot["kind"], "FlinkStateSnapshot");
    assert_eq!(snapshot["metadata"]["name"], format!("app-savepoint-upgrade-{begun}"));
    assert_eq!(snapshot["metadata"]["namespace"], "ns");
    assert_eq!(
        snapshot["metadata"]["labels"],
        json!({"snapshot.trigger-type": "UPGRADE", "job-reference.uid": "uid-1"})
    );
    assert_eq!(
        snapshot["spec"],
        json!({
            "jobReference": {"kind": "FlinkDeployment", "name": "app"},
            "savepoint": {"path": "file:///sp/one", "formatType": "CANONICAL", "disposeOnDelete": false,
                "alreadyExists": true},
            "backoffLimit": -1,
        })
    );
    // A successor that knows nothing but the status goes on, with the same resource.
    world.observed.flink.answer = None;
    world.pass();
    world.pass();
    assert_eq!(world.created, 2);
    assert_eq!(world.restored_from.last().unwrap().as_deref(), Some("file:///sp/one"));
    assert!(world.applied.iter().all(|one| one.metadata.name == world.applied[0].metadata.name));
}

#[test]
fn a_snapshot_resource_that_cannot_be_created_does_not_stop_the_upgrade() {
    let mut world = stopping(application("savepoint"));
    world.job_is(JobStatusState::Finished);
    world.stop_is(completed("file:///sp/one"));
    world.round();
    let action = "apply FlinkStateSnapshot".to_owned();
    world.observed.failure = Some(EffectFailure {
        action,
        message: "no such kind".to_owned(),
        attempts: 1,
        needs_user: true,
        operation: None,
    });
    world.round();
    world.observed.failure = None;
    world.pass();
    assert_eq!(world.created, 2);
    let info = world.status().job_status.unwrap().savepoint_info.unwrap();
    assert_eq!(info.last_savepoint.unwrap().location.as_deref(), Some("file:///sp/one"));
    assert!(world.was_told("SavepointError"));
}

#[test]
fn without_snapshot_resources_the_savepoint_stands_in_the_history_of_the_status() {
    let off = [("kubernetes.operator.snapshot.resource.enabled", "false")];
    let mut world = stopping(with(application("savepoint"), &off));
    let begun = world.status().operation.unwrap().start_timestamp;
    world.job_is(JobStatusState::Finished);
    world.stop_is(completed("file:///sp/one"));
    world.pass();
    assert!(world.applied.is_empty());
    let info = world.status().job_status.unwrap().savepoint_info.unwrap();
    let savepoint = info.last_savepoint.unwrap();
    assert_eq!(savepoint.trigger_type, Some(SnapshotTriggerType::Upgrade));
    assert_eq!(savepoint.format_type, Some(SavepointFormatType::Canonical));
    assert_eq!(savepoint.time_stamp, begun);
    assert_eq!(info.savepoint_history, Some(vec![savepoint]));
}

#[test]
fn an_unknown_trigger_is_asked_for_again_with_the_same_id_by_the_same_job_manager() {
    let mut world = stopping(application("savepoint"));
    world.stop_is(OperationResult::Unknown);
    world.pass();
    let ids = trigger_ids(&world);
    assert_eq!(ids.len(), 2);
    assert_eq!(ids.first(), ids.last());
}

#[test]
fn a_job_manager_that_was_restarted_gets_a_new_trigger_that_is_recorded_first() {
    let mut world = stopping(with_ha(application("savepoint")));
    world.answer().jobs[0].start_time += 1;
    world.stop_is(OperationResult::Unknown);
    let before = world.status().operation.unwrap();
    world.crash_after_recording();
    let after = world.status().operation.unwrap();
    assert_ne!(after.trigger_id, before.trigger_id);
    assert_eq!(after.job_id, before.job_id);
    assert_eq!(after.job_start_time, before.job_start_time.map(|time| time + 1));
    assert_eq!(world.calls.len(), 1, "the operator died before it asked");
    // Its successor asks for the result of the new one first.
    world.later(1);
    let start_time = world.answer().jobs[0].start_time;
    world.job_is(JobStatusState::Running);
    world.answer().jobs[0].start_time = start_time;
    world.stop_is(OperationResult::Unknown);
    world.pass();
    assert_eq!(trigger_ids(&world).last(), after.trigger_id.as_ref());
}

#[test]
fn a_result_is_asked_for_before_anything_is_repeated() {
    let mut world = stopping(application("savepoint"));
    // An answer of before the call, and one that does not say.
    world.answer().operations.clear();
    world.pass();
    let early = world.now.checked_sub(jiff::SignedDuration::from_secs(60)).unwrap();
    world.stop_is(OperationResult::Unknown);
    world.answer().at = early;
    world.pass();
    assert_eq!(world.calls.len(), 1);
    // One of another cluster.
    let now = world.now;
    world.answer().at = now;
    world.answer().cluster = "another".to_owned();
    world.pass();
    assert_eq!(world.calls.len(), 1);
}

#[test]
fn a_savepoint_of_another_job_is_never_used() {
    let mut world = stopping(application("savepoint"));
    world.stop_is(completed("file:///sp/other"));
    let mut status = world.status();
    status.job_status_mut().job_id = Some("f".repeat(32));
    world.resource.status = Some(status);
    world.pass();
    assert_ne!(world.known_path().as_deref(), Some("file:///sp/other"));
    assert_eq!(world.created, 1);
}

#[test]
fn a_failed_savepoint_leaves_the_job_running_and_is_tried_later_and_later() {
    let mut world = stopping(application("savepoint"));
    let mut waits = Vec::new();
    for tries in 1..=4 {
        world.stop_is(OperationResult::Failed("disk full".to_owned()));
        world.pass();
        assert_eq!(world.calls.len(), tries);
        assert!(world.error().contains("disk full"));
        assert!(world.observed.job_manager.is_some());
        let (reason, message) = world.condition("SpecAccepted").unwrap();
        assert!(reason == "SavepointFailed" && message.contains("disk full"), "{message}");
        world.pass();
        assert_eq!(world.calls.len(), tries, "not at once");
        let wait = super::super::back_off(u32::try_from(tries).unwrap());
        waits.push(wait.as_secs());
        world.later(i64::try_from(wait.as_secs()).unwrap() + 1);
        world.job_is(JobStatusState::Running);
        world.pass();
        world.job_is(JobStatusState::Running);
    }
    assert_eq!(waits, [5, 7, 11, 16]);
    assert_eq!(trigger_ids(&world).into_iter().collect::<std::collections::BTreeSet<_>>().len(), 5);
    world.stop_is(completed("file:///sp/fifth"));
    world.pass();
    world.pass();
    assert_eq!((world.created, world.status().retry), (2, None));
}

#[test]
fn a_changed_spec_is_tried_at_once_after_a_failed_savepoint() {
    let mut world = stopping(application("savepoint"));
    world.stop_is(OperationResult::Failed("disk full".to_owned()));
    world.pass();
    world.change(restart(2));
    world.pass();
    assert_eq!(world.calls.len(), 2);
}

#[test]
fn a_job_that_ended_before_the_savepoint_goes_on_from_its_last_checkpoint() {
    let mut world = stopping(application("savepoint"));
    world.job_is(JobStatusState::Failed);
    world.completed(3, "file:///cp/chk-3");
    world.stop_is(OperationResult::Failed("FlinkJobNotFoundException".to_owned()));
    world.pass();
    world.pass();
    assert!(!world.was_told("SavepointError"));
    assert_eq!(world.restored_from.last().unwrap().as_deref(), Some("file:///cp/chk-3"));
}

#[test]
fn a_finished_stop_whose_result_got_lost_is_found_among_the_checkpoints() {
    let mut world = stopping(application("savepoint"));
    world.job_is(JobStatusState::Finished);
    world.completed(3, "file:///cp/chk-3").discarded = true;
    world.completed(4, "file:///sp/four").is_savepoint = true;
    world.stop_is(OperationResult::Unknown);
    world.pass();
    world.pass();
    assert_eq!(world.restored_from.last().unwrap().as_deref(), Some("file:///sp/four"));
}

#[test]
fn a_job_manager_that_died_after_a_finished_stop_leaves_a_question_and_never_starts_empty() {
    // With HA, a JobManager that was restarted does not know ended jobs, and Flink has removed the job's metadata.
    let mut world = stopping(with_ha(application("savepoint")));
    world.observed.ha = Some(crate::observed::HaMetadata::default());
    world.job_is_absent(5);
    world.stop_is(OperationResult::Unknown);
    world.pass();
    assert_eq!(world.error(), "", "a starting JobManager does not know its job for a while");
    world.later(80);
    world.job_is_absent(80);
    world.stop_is(OperationResult::Unknown);
    for _ in 0..3 {
        world.pass();
    }
    assert_eq!(world.created, 1);
    assert!(
        world.error().contains("Manual restore required.") && world.error().contains("initialSavepointPath")
    );
    assert_eq!(world.held().as_deref(), Some("ManualRestoreRequired"));
    world.events.clear();
    world.pass();
    let counted = world.events.iter().filter(|event| event.mode != crate::EventMode::Once).count();
    assert_eq!(counted, 0, "told once: {:?}", world.events);
    world.change(|resource| {
        let job = resource.spec.job.as_mut().unwrap();
        job.initial_savepoint_path = Some("file:///sp/found".to_owned());
        job.savepoint_redeploy_nonce = Some(1);
    });
    for _ in 0..3 {
        world.pass();
    }
    assert_eq!(world.restored_from.last().unwrap().as_deref(), Some("file:///sp/found"));
}

#[test]
fn a_job_manager_that_died_before_the_stop_goes_on_from_ha_metadata() {
    let mut world = stopping(with_ha(application("savepoint")));
    world.ha_job(true);
    world.observed.job_manager = None;
    for _ in 0..3 {
        world.pass();
    }
    assert_eq!(world.created, 2);
    let marker = Some(api::names::LAST_STATE_DUMMY_SAVEPOINT_PATH);
    assert_eq!(world.restored_from.last().unwrap().as_deref(), marker);
}

#[test]
fn a_redeployment_asked_for_during_a_stop_wins_over_its_savepoint() {
    let mut world = stopping(application("savepoint"));
    world.change(|resource| {
        let job = resource.spec.job.as_mut().unwrap();
        job.initial_savepoint_path = Some("file:///sp/mine".to_owned());
        job.savepoint_redeploy_nonce = Some(1);
    });
    world.job_is(JobStatusState::Finished);
    world.stop_is(completed("file:///sp/one"));
    world.pass();
    world.pass();
    assert_eq!(world.restored_from.last().unwrap().as_deref(), Some("file:///sp/mine"));
}

// ---- snapshots that the Java operator has triggered --------------------------------------------------------------

/// A status as the Java operator leaves it while a savepoint is pending that a nonce asked for.
pub(super) fn pending(options: &[(&str, &str)]) -> World {
    let mut world = World::stable(with(application("savepoint"), options));
    let mut status = world.status();
    let info = status.job_status_mut().savepoint_info.get_or_insert_default();
    info.trigger_id = Some("933aac9c380493c2f69a0bf5bda76225".to_owned());
    info.trigger_timestamp = Some(world.now.as_millisecond());
    info.trigger_type = Some(SnapshotTriggerType::Manual);
    info.format_type = Some(SavepointFormatType::Canonical);
    world.resource.status = Some(status);
    world.change(|resource| resource.spec.job.as_mut().unwrap().savepoint_trigger_nonce = Some(1));
    world.job_is(JobStatusState::Running);
    world
}

pub(super) const TRIGGER: &str = "933aac9c380493c2f69a0bf5bda76225";

#[test]
fn a_pending_savepoint_is_followed_and_an_upgrade_waits_for_it() {
    let mut world = pending(&[]);
    let decision = world.decide();
    let asked = decision.poll.unwrap().questions;
    assert!(asked.iter().any(|question| format!("{question:?}").contains(TRIGGER)), "{asked:?}");
    world.change(restart(1));
    world.answer().operations.insert(TRIGGER.to_owned(), OperationResult::InProgress);
    world.pass();
    assert!(world.calls.is_empty());
    assert_eq!(world.held().as_deref(), Some("PendingSavepoint"));
    world.answer().operations.insert(TRIGGER.to_owned(), completed("file:///sp/manual"));
    world.pass();
    let info = world.status().job_status.unwrap().savepoint_info.unwrap();
    let savepoint = info.last_savepoint.clone().unwrap();
    assert_eq!(savepoint.location.as_deref(), Some("file:///sp/manual"));
    assert_eq!(
        (savepoint.trigger_nonce, savepoint.trigger_type),
        (Some(1), Some(SnapshotTriggerType::Manual))
    );
    assert_eq!((info.trigger_id, info.trigger_timestamp, info.trigger_type), (None, None, None));
    let recorded = world.status().last_reconciled_spec().unwrap_or_default().to_owned();
    assert!(recorded.contains("\"savepointTriggerNonce\":1"));
    assert_eq!(world.calls.len(), 1, "now the upgrade goes on");
}

#[test]
fn a_pending_savepoint_can_be_ignored() {
    let mut world = pending(&[("kubernetes.operator.job.upgrade.ignore-pending-savepoint", "true")]);
    world.change(restart(1));
    world.pass();
    assert_eq!(world.calls.len(), 1);
}

#[test]
fn a_pending_savepoint_that_failed_is_told_and_its_nonce_counts_after_the_grace_only() {
    for (waited, handled) in [(10, false), (61, true)] {
        let mut world = pending(&[]);
        world.later(waited);
        let failed = OperationResult::Failed("no".to_owned());
        world.answer().operations.insert(TRIGGER.to_owned(), failed);
        world.pass();
        assert_eq!(world.reasons(), ["Warning SavepointError Operator"]);
        assert_eq!(world.status().job_status.unwrap().savepoint_info.unwrap().trigger_id, None);
        let recorded = world.status().last_reconciled_spec().unwrap_or_default().to_owned();
        assert_eq!(recorded.contains("\"savepointTriggerNonce\":1"), handled);
        assert_eq!(world.lifecycle(), LifecycleState::Stable);
    }
}

#[test]
fn a_pending_savepoint_of_a_job_that_does_not_run_is_dropped() {
    let mut world = pending(&[]);
    world.job_is(JobStatusState::Restarting);
    world.pass();
    assert!(world.was_told("SavepointError"));
    assert_eq!(world.status().job_status.unwrap().savepoint_info.unwrap().trigger_id, None);
}

/// A status with a pending checkpoint that was asked for like this.
fn pending_checkpoint(cause: SnapshotTriggerType) -> World {
    let mut world = World::stable(application("savepoint"));
    let mut status = world.status();
    let info = status.job_status_mut().checkpoint_info.get_or_insert_default();
    info.trigger_id = Some(TRIGGER.to_owned());
    info.trigger_timestamp = Some(world.now.as_millisecond());
    info.trigger_type = Some(cause);
    world.resource.status = Some(status);
    let nonce = (cause == SnapshotTriggerType::Manual).then_some(4);
    world.change(|resource| resource.spec.job.as_mut().unwrap().checkpoint_trigger_nonce = nonce);
    world.job_is(JobStatusState::Running);
    world
}

#[test]
fn a_pending_checkpoint_is_followed_and_no_upgrade_waits_for_it() {
    for (cause, nonce) in [(SnapshotTriggerType::Manual, Some(4)), (SnapshotTriggerType::Periodic, None)] {
        let mut world = pending_checkpoint(cause);
        let info = world.status().job_status.unwrap().checkpoint_info.unwrap();
        let (triggered, before) = (info.trigger_timestamp, info.last_periodic_checkpoint_timestamp);
        let job_id = world.status().job_id().unwrap_or_default().to_owned();
        let asked = world.decide().poll.unwrap().questions;
        assert!(asked.contains(&crate::Question::Checkpoint { job_id, trigger_id: TRIGGER.to_owned() }));
        world.answer().operations.insert(TRIGGER.to_owned(), completed("12"));
        world.round();
        let info = world.status().job_status.unwrap().checkpoint_info.unwrap();
        let checkpoint = info.last_checkpoint.unwrap();
        assert_eq!((checkpoint.time_stamp, checkpoint.trigger_nonce), (triggered, nonce));
        assert_eq!(checkpoint.trigger_type, Some(cause));
        assert_eq!((info.trigger_id, info.trigger_timestamp, info.trigger_type), (None, None, None));
        let periodic = if nonce.is_none() { triggered } else { before };
        assert_eq!(info.last_periodic_checkpoint_timestamp, periodic);
        let recorded = world.status().last_reconciled_spec().unwrap_or_default().to_owned();
        assert_eq!(recorded.contains("\"checkpointTriggerNonce\":4"), nonce.is_some());
        assert_eq!(world.lifecycle(), LifecycleState::Stable);
    }
    let mut world = pending_checkpoint(SnapshotTriggerType::Manual);
    world.change(restart(1));
    world.pass();
    assert_eq!(world.calls.len(), 1);
}

#[test]
fn a_periodic_savepoint_is_nobody_s_nonce() {
    let mut world = pending(&[]);
    let mut status = world.status();
    let info = status.job_status_mut().savepoint_info.as_mut().unwrap();
    info.trigger_type = Some(SnapshotTriggerType::Periodic);
    let triggered = info.trigger_timestamp;
    world.resource.status = Some(status);
    world.answer().operations.insert(TRIGGER.to_owned(), completed("file:///sp/periodic"));
    world.round();
    let info = world.status().job_status.unwrap().savepoint_info.unwrap();
    assert_eq!(info.last_periodic_savepoint_timestamp, triggered);
    assert_eq!(info.last_savepoint.unwrap().trigger_nonce, None);
    let recorded = world.status().last_reconciled_spec().unwrap_or_default().to_owned();
    assert!(!recorded.contains("\"savepointTriggerNonce\":1"));
    assert!(world.events.is_empty());
}

#[test]
fn a_pending_snapshot_that_its_job_manager_has_forgotten_has_failed() {
    let mut world = pending(&[]);
    let at = world.now.checked_sub(SignedDuration::from_secs(5)).unwrap();
    world.observed.begun = Some(Begun { operation: TRIGGER.to_owned(), id: TRIGGER.to_owned(), at });
    world.answer().operations.insert(TRIGGER.to_owned(), OperationResult::Unknown);
    world.round();
    let [event] = world.events.as_slice() else { panic!("{:?}", world.events) };
    assert_eq!(event.message, "Savepoint failed: the JobManager was restarted before it was complete");
    let mut world = pending_checkpoint(SnapshotTriggerType::Manual);
    world.job_is(JobStatusState::Restarting);
    world.round();
    let told = world.events.iter().find(|event| event.reason == crate::Reason::CheckpointError).unwrap();
    assert_eq!(told.message, "Checkpoint failed: the job does not run any more");
    assert_eq!(world.status().job_status.unwrap().checkpoint_info.unwrap().trigger_id, None);
}

#[test]
fn a_snapshot_that_was_recorded_and_never_triggered_is_triggered() {
    let mut world = pending(&[]);
    world.answer().operations.insert(TRIGGER.to_owned(), OperationResult::Unknown);
    let calls = world.decide().effects;
    let [Effect::Flink(call)] = calls.as_slice() else { panic!("{calls:?}") };
    assert_eq!(call.request.operation(), Some(TRIGGER));
    assert!(matches!(call.request, FlinkRequest::TriggerSavepoint { .. }));
}

#[test]
fn a_snapshot_resource_is_tried_three_times() {
    for (attempts, needs_user, given_up) in [(2, false, false), (3, false, true), (1, true, true)] {
        let mut world = stopping(application("savepoint"));
        world.job_is(JobStatusState::Finished);
        world.stop_is(completed("file:///sp/one"));
        world.round();
        let action = "apply FlinkStateSnapshot".to_owned();
        world.observed.failure =
            Some(EffectFailure { action, message: "x".to_owned(), attempts, needs_user, operation: None });
        world.round();
        assert_eq!(world.was_told("SavepointError"), given_up, "{attempts} {needs_user}");
        let upgrades = world.status().reconciliation_state() == api::ReconciliationState::Upgrading;
        assert_eq!(upgrades, given_up);
    }
}

#[test]
fn a_savepoint_stands_in_the_history_once() {
    let off = [("kubernetes.operator.snapshot.resource.enabled", "false")];
    let mut world = World::stable(with(application("savepoint"), &off));
    for (nonce, path) in [(1, "file:///sp/one"), (2, "file:///sp/two"), (3, "file:///sp/two")] {
        world.change(restart(nonce));
        world.pass();
        world.job_is(JobStatusState::Finished);
        world.stop_is(completed(path));
        world.pass();
        world.pass();
        world.job_is(JobStatusState::Running);
        world.pass();
    }
    let info = world.status().job_status.unwrap().savepoint_info.unwrap();
    let history = info.savepoint_history.unwrap();
    let paths: Vec<_> = history.iter().map(|savepoint| savepoint.location.as_deref().unwrap()).collect();
    assert_eq!(paths, ["file:///sp/one", "file:///sp/two"]);
    assert_eq!(info.last_savepoint.unwrap().location.as_deref(), Some("file:///sp/two"));
}

#[test]
fn a_savepoint_of_which_only_the_job_manager_that_ended_knew_is_asked_for() {
    let mut world = stopping(with_ha(application("savepoint")));
    world.job_is_known_by_its_result(JobStatusState::Finished);
    world.stop_is(OperationResult::Unknown);
    world.pass();
    world.pass();
    assert_eq!(world.created, 1);
    assert_eq!(world.held().as_deref(), Some("ManualRestoreRequired"));
    assert!(world.was_told("CheckpointNotFound"));
}
