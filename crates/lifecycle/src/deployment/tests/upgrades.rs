//! Changes of the spec of a deployed application, besides savepoints.

use api::{JobManagerDeploymentStatus as Jm, JobStatusState, LifecycleState, OperationKind, UpgradeMode};

use super::super::restore::LAST_STATE_MARKER;
use super::world::{World, application, restart, upgrade_mode, with, with_ha};
use crate::observed::HaMetadata;
use crate::{Effect, FlinkRequest, Requeue};

#[test]
fn a_stateless_upgrade_replaces_the_cluster() {
    let mut world = World::stable(application("stateless"));
    let old_job = world.status().job_id().map(str::to_owned);
    world.change(restart(1));
    world.pass();
    world.pass();
    world.job_is(JobStatusState::Running);
    world.pass();
    assert_eq!(
        world.lifecycles,
        [LifecycleState::Upgrading, LifecycleState::Deployed, LifecycleState::Stable]
    );
    assert_eq!(
        world.reasons(),
        [
            "Normal SpecChanged JobManagerDeployment",
            "Normal Suspended JobManagerDeployment",
            "Normal Submit JobManagerDeployment",
            "Normal JobStatusChanged Job"
        ]
    );
    assert_eq!(world.created, 2);
    assert_ne!(world.status().job_id().map(str::to_owned), old_job);
    assert_eq!(world.status().observed_generation, Some(2));
    assert!(matches!(world.calls.as_slice(), [FlinkRequest::Cancel { .. }]));
}

/// Cancels a job with checkpoints 3, 7 and 5.
fn cancelled_with_checkpoints(world: &mut World) {
    world.job_is(JobStatusState::Canceled);
    for id in [3, 7, 5] {
        world.completed(id, &format!("file:///cp/chk-{id}"));
    }
}

#[test]
fn last_state_without_ha_cancels_and_takes_the_newest_checkpoint() {
    let mut world = World::stable(application("last-state"));
    world.change(restart(1));
    world.pass();
    assert!(matches!(world.calls.as_slice(), [FlinkRequest::Cancel { .. }]));
    assert_eq!(world.job_state(), Some(JobStatusState::Cancelling));
    assert_eq!(world.held().as_deref(), Some("CancellingJob"));
    cancelled_with_checkpoints(&mut world);
    // The end counts only when its last checkpoint is known.
    let checkpoints = world.answer().checkpoints.take();
    world.pass();
    assert_eq!(world.created, 1);
    world.answer().checkpoints = checkpoints;
    world.pass();
    world.pass();
    assert_eq!(world.created, 2);
    assert_eq!(world.known_path().as_deref(), Some("file:///cp/chk-7"));
    assert_eq!(world.restored_from.last().unwrap().as_deref(), Some("file:///cp/chk-7"));
}

#[test]
fn w_31_a_cancel_whose_operator_died_is_followed_by_the_next_one() {
    let mut world = World::stable(application("last-state"));
    world.change(restart(1));
    world.crash_after_recording();
    assert!(world.calls.is_empty());
    // It never arrived: it is sent again, about the recorded job.
    world.later(5);
    world.job_is(JobStatusState::Running);
    world.pass();
    let job_id = world.status().operation.unwrap().job_id.unwrap();
    assert_eq!(world.calls, [FlinkRequest::Cancel { job_id }]);
    cancelled_with_checkpoints(&mut world);
    world.pass();
    world.pass();
    assert_eq!(world.restored_from.last().unwrap().as_deref(), Some("file:///cp/chk-7"));
}

#[test]
fn an_answer_from_before_the_cancel_says_nothing_about_it() {
    let mut world = World::stable(application("last-state"));
    world.later(10);
    world.change(restart(1));
    world.pass();
    world.pass();
    assert_eq!(world.calls.len(), 1, "the old answer says RUNNING");
    assert_eq!(world.job_state(), Some(JobStatusState::Cancelling));
}

#[test]
fn w_29_a_job_that_ends_by_itself_before_the_cancel_is_restored_from_its_last_checkpoint() {
    for end in [JobStatusState::Failed, JobStatusState::Canceled] {
        let mut world = World::stable(application("last-state"));
        world.change(restart(1));
        world.pass();
        world.job_is(end);
        world.completed(9, "file:///cp/chk-9");
        world.pass();
        world.pass();
        assert_eq!(world.restored_from.last().unwrap().as_deref(), Some("file:///cp/chk-9"), "{end}");
    }
}

#[test]
fn a_job_that_finished_and_whose_checkpoints_are_deleted_is_not_started_from_anything_older() {
    let mut world = World::new(application("last-state"));
    world.resource.spec.job.as_mut().unwrap().initial_savepoint_path = Some("file:///sp/first".to_owned());
    world.becomes_stable();
    world.job_is(JobStatusState::Finished);
    world.completed(4, "file:///cp/chk-4").discarded = true;
    world.completed(3, "file:///cp/chk-3");
    world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::Stable);
    assert_eq!(world.status().error, None, "it has finished, and nobody wants it to run again");
    world.change(restart(1));
    world.pass();
    world.pass();
    assert_eq!(world.created, 1);
    assert!(world.error().contains("initialSavepointPath"));
    assert_eq!(world.held().as_deref(), Some("ManualRestoreRequired"));
    // The user decides.
    world.change(upgrade_mode(UpgradeMode::Stateless));
    world.pass();
    world.pass();
    assert_eq!(world.restored_from.last().unwrap(), &None);
}

#[test]
fn w_11_an_unusable_last_checkpoint_forbids_no_change_but_a_stateful_one() {
    let mut world = World::stable(application("last-state"));
    world.job_is(JobStatusState::Failed);
    world.completed(4, "<checkpoint-not-externally-addressable>");
    world.pass();
    assert!(world.was_told("CheckpointNotFound"));
    world.change(restart(1));
    world.pass();
    assert_eq!(world.created, 1);
    assert!(world.error().contains("Manual restore required."));
    world.change(|resource| {
        let job = resource.spec.job.as_mut().unwrap();
        job.initial_savepoint_path = Some("file:///sp/mine".to_owned());
        job.savepoint_redeploy_nonce = Some(1);
    });
    world.pass();
    world.pass();
    assert_eq!(world.restored_from.last().unwrap().as_deref(), Some("file:///sp/mine"));
}

#[test]
fn a_last_checkpoint_that_nobody_tells_does_not_hide_the_end_for_ever() {
    let mut world = World::stable(application("last-state"));
    world.job_is(JobStatusState::Failed);
    world.answer().checkpoints = None;
    world.pass();
    assert_eq!(world.job_state(), Some(JobStatusState::Running), "not settled");
    world.change(restart(1));
    world.pass();
    assert!(world.calls.is_empty(), "a job that is ending is not stopped");
    world.later(61);
    let now = world.now;
    world.answer().at = now;
    world.pass();
    assert_eq!(world.known_path().as_deref(), Some(LAST_STATE_MARKER));
    assert_eq!(world.created, 1);
    assert!(world.error().contains("Manual restore required."));
}

#[test]
fn w_32_ha_metadata_without_a_checkpoint_falls_back_to_what_the_job_was_started_from() {
    let mut world = World::new(with_ha(application("last-state")));
    world.resource.spec.job.as_mut().unwrap().initial_savepoint_path = Some("file:///sp/first".to_owned());
    world.becomes_stable();
    world.ha_job(false);
    world.job_is(JobStatusState::Restarting);
    world.change(restart(1));
    for _ in 0..4 {
        world.pass();
    }
    assert_eq!(world.created, 2, "{:?}", world.status());
    assert_eq!(world.restored_from.last().unwrap().as_deref(), Some("file:///sp/first"));
}

#[test]
fn a_last_state_upgrade_keeps_job_id_and_metadata_and_ends_the_job_manager_first() {
    let mut world = World::stable(with_ha(application("last-state")));
    world.ha_job(true);
    let job_id = world.status().job_id().map(str::to_owned);
    world.change(restart(1));
    world.pass();
    world.observed.job_manager_pods = Some(1);
    world.pass();
    assert_eq!(world.scaled, [0], "asked for once");
    assert!(world.observed.job_manager.is_some(), "the pods have not ended");
    world.observed.job_manager_pods = Some(0);
    world.pass();
    world.pass();
    assert_eq!(world.created, 2);
    assert_eq!(world.known_path().as_deref(), Some(LAST_STATE_MARKER));
    assert_eq!(world.status().job_id().map(str::to_owned), job_id);
    assert_eq!(world.observed.ha.as_ref().unwrap().config_maps.len(), 1);
    assert!(world.calls.is_empty());
}

#[test]
fn a_job_that_ended_while_its_cluster_was_deleted_is_not_started_from_older_state() {
    let mut world = World::new(with_ha(application("last-state")));
    world.resource.spec.job.as_mut().unwrap().initial_savepoint_path = Some("file:///sp/first".to_owned());
    world.becomes_stable();
    world.ha_job(true);
    world.change(restart(1));
    world.pass();
    // Flink has removed the metadata: the job had come to its end.
    world.observed.ha = Some(HaMetadata::default());
    for _ in 0..4 {
        world.pass();
    }
    assert_eq!(world.created, 1);
    assert!(world.was_told("RestoreFailed"));
    assert_eq!(world.held().as_deref(), Some("ManualRestoreRequired"));
    world.events.clear();
    world.pass();
    assert!(world.events.is_empty(), "told once");
}

#[test]
fn ha_metadata_that_could_not_be_read_is_not_taken_for_none() {
    let mut world = World::stable(with_ha(application("last-state")));
    world.observed.ha = None;
    world.change(restart(1));
    world.pass();
    assert!(world.calls.is_empty() && world.observed.job_manager.is_some());
    assert_eq!(world.held().as_deref(), Some("HaMetadataUnread"));
    world.ha_job(true);
    world.pass();
    assert_eq!(world.status().reconciliation_state(), api::ReconciliationState::Upgrading);
    world.observed.ha = None;
    world.pass();
    world.pass();
    assert_eq!(world.created, 1, "nothing is started meanwhile");
}

#[test]
fn without_state_to_be_had_the_change_waits_and_says_so() {
    let mut world = World::stable(application("last-state"));
    world.job_manager().available_replicas = 0;
    world.change(restart(1));
    world.pass();
    assert_eq!(world.status().job_manager_deployment_status, Some(Jm::Deploying));
    let (reason, message) = world.condition("SpecAccepted").unwrap();
    assert_eq!(reason, "WaitingForJob");
    assert!(message.contains("RECONCILING") && message.contains("stateless"), "{message}");
    assert_ne!(world.status().observed_generation, Some(2));
}

#[test]
fn a_cancel_whose_job_manager_goes_away_ends_with_ha_metadata_or_a_question() {
    for (has_checkpoint, created) in [(Some(true), 2), (None, 1)] {
        let spec = with_ha(with(
            application("last-state"),
            &[("kubernetes.operator.job.upgrade.last-state.job-cancel.enabled", "true")],
        ));
        let mut world = World::stable(spec);
        world.ha_job(true);
        world.change(restart(1));
        world.pass();
        assert!(matches!(world.calls.as_slice(), [FlinkRequest::Cancel { .. }]));
        if has_checkpoint.is_none() {
            world.observed.ha = Some(HaMetadata::default());
        }
        world.observed.job_manager = None;
        for _ in 0..3 {
            world.pass();
        }
        assert_eq!(world.created, created);
        if created == 1 {
            assert!(world.error().contains("Manual restore required."));
            assert_eq!(world.held().as_deref(), Some("ManualRestoreRequired"));
        }
    }
}

#[test]
fn a_cancel_whose_job_the_restarted_job_manager_does_not_know_is_resolved() {
    let mut world = World::stable(application("last-state"));
    world.change(restart(1));
    world.pass();
    world.later(30);
    world.job_is_absent(10);
    world.pass();
    assert_eq!(world.job_state(), Some(JobStatusState::Cancelling), "it may still come");
    world.later(60);
    world.job_is_absent(70);
    for _ in 0..3 {
        world.pass();
    }
    assert_eq!(world.created, 1);
    assert!(world.error().contains("Manual restore required."));
}

#[test]
fn a_cancel_that_does_not_end_can_be_given_up_for_stateless() {
    let mut world = World::stable(application("last-state"));
    world.change(restart(1));
    world.pass();
    world.change(upgrade_mode(UpgradeMode::Stateless));
    world.later(5);
    world.job_is(JobStatusState::Cancelling);
    world.pass();
    world.pass();
    assert_eq!(world.created, 2);
    assert_eq!(world.restored_from.last().unwrap(), &None);
}

#[test]
fn w_28_a_job_cancelled_by_somebody_else_goes_on_from_its_last_checkpoint() {
    for (mode, restored) in [
        ("last-state", Some("file:///cp/chk-7")),
        ("savepoint", Some("file:///cp/chk-7")),
        ("stateless", None),
    ] {
        for ha in [false, true] {
            let spec = application(mode);
            let mut world = World::stable(if ha { with_ha(spec) } else { spec });
            cancelled_with_checkpoints(&mut world);
            world.pass();
            world.pass();
            assert_eq!(world.created, 2, "{mode}");
            assert_eq!(world.restored_from.last().unwrap().as_deref(), restored, "{mode}");
        }
    }
}

#[test]
fn state_that_was_given_up_does_not_come_back() {
    let mut world = World::new(application("stateless"));
    world.resource.spec.job.as_mut().unwrap().initial_savepoint_path = Some("file:///sp/first".to_owned());
    world.becomes_stable();
    assert_eq!(world.restored_from.last().unwrap().as_deref(), Some("file:///sp/first"));
    world.change(restart(1));
    world.pass();
    world.pass();
    world.job_is(JobStatusState::Running);
    world.pass();
    assert_eq!(world.restored_from.last().unwrap(), &None);
    world.change(upgrade_mode(UpgradeMode::LastState));
    world.pass();
    world.job_is(JobStatusState::Canceled);
    world.pass();
    world.pass();
    assert_eq!(
        world.restored_from.last().unwrap(),
        &None,
        "no checkpoint since: nothing is known, and not the first"
    );
}

#[test]
fn a_job_that_never_came_up_is_replaced_from_what_it_was_started_from() {
    let mut world = World::new(with_ha(application("savepoint")));
    world.resource.spec.job.as_mut().unwrap().initial_savepoint_path = Some("file:///sp/first".to_owned());
    world.pass();
    world.job_manager().never_started = true;
    world.pass();
    world.change(restart(1));
    world.pass();
    world.pass();
    assert_eq!(world.created, 2);
    assert_eq!(world.restored_from.last().unwrap().as_deref(), Some("file:///sp/first"));
}

/// What it was to be started from may have been in HA metadata only, which is gone.
#[test]
fn a_job_that_never_came_up_and_whose_state_has_no_path_is_asked_about() {
    let mut world = World::new(with_ha(application("savepoint")));
    world.resource.spec.job.as_mut().unwrap().initial_savepoint_path = Some("file:///sp/first".to_owned());
    world.pass();
    world.job_manager().never_started = true;
    world.pass();
    let mut status = world.status();
    status.job_status_mut().upgrade_savepoint_path = Some(LAST_STATE_MARKER.to_owned());
    world.resource.status = Some(status);
    world.change(restart(1));
    world.reasons();
    world.pass();
    assert_eq!(world.created, 1);
    assert!(world.observed.job_manager.is_some() && world.scaled.is_empty());
    assert!(world.error().contains("Manual restore required."));
    assert_eq!(world.held().as_deref(), Some("ManualRestoreRequired"));
    assert_eq!(
        world.reasons(),
        ["Normal SpecChanged JobManagerDeployment", "Warning UpgradeFailed JobManagerDeployment"]
    );
}

#[test]
fn what_came_up_after_all_is_not_replaced_without_its_state() {
    let mut world = World::new(with_ha(application("savepoint")));
    world.pass();
    world.job_manager().never_started = true;
    world.pass();
    world.change(restart(1));
    assert_eq!(world.round(), Requeue::AtOnce);
    assert_eq!(world.status().operation.unwrap().kind, Some(OperationKind::Withdrawing));
    assert!(world.scaled.is_empty(), "recorded first");
    world.job_manager().never_started = false;
    world.job_is(JobStatusState::Running);
    world.pass();
    assert!(world.scaled.is_empty());
    assert!(world.calls.iter().any(|call| matches!(call, FlinkRequest::StopWithSavepoint { .. })));
    assert_eq!(world.created, 1);
}

#[test]
fn a_deployment_that_nobody_started_goes_in_the_state_in_which_it_was_seen() {
    let mut world = World::stable(with_ha(application("last-state")));
    let job_manager = world.job_manager();
    job_manager.paused = true;
    job_manager.replicas = 0;
    job_manager.available_replicas = 0;
    job_manager.attempt = Some("of an operator that is gone".to_owned());
    job_manager.resource_version = Some("17".to_owned());
    let effects = world.decide().effects;
    let scale = effects.iter().find_map(|effect| match effect {
        Effect::Scale(scale) => Some(scale.clone()),
        _ => None,
    });
    let scale = scale.unwrap();
    assert_eq!((scale.replicas, scale.resource_version.as_deref()), (0, Some("17")));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Delete(_))));
}

/// The restored checkpoint or savepoint is not known any more; what is recorded is of an earlier start.
fn asks_for_the_path(world: &mut World) {
    world.pass();
    world.pass();
    assert_eq!(world.created, 1);
    assert_eq!(world.known_path().as_deref(), Some(LAST_STATE_MARKER));
    assert_eq!(world.held().as_deref(), Some("ManualRestoreRequired"));
    assert!(world.was_told("CheckpointNotFound"));
}

fn stable_from(spec: serde_json::Value, path: &str) -> World {
    let mut world = World::new(spec);
    world.resource.spec.job.as_mut().unwrap().initial_savepoint_path = Some(path.to_owned());
    world.becomes_stable();
    world
}

#[test]
fn a_cancel_whose_end_only_the_next_job_manager_tells_is_not_followed_by_older_state() {
    let mut world = stable_from(application("last-state"), "file:///sp/first");
    world.change(restart(1));
    world.pass();
    world.job_is_known_by_its_result(JobStatusState::Canceled);
    asks_for_the_path(&mut world);
}

#[test]
fn a_job_that_fails_while_the_next_job_manager_recovers_it_is_not_followed_by_older_state() {
    let mut world = stable_from(with_ha(application("last-state")), "file:///sp/first");
    world.job_is_known_by_its_result(JobStatusState::Failed);
    world.pass();
    world.change(restart(1));
    asks_for_the_path(&mut world);
}

#[test]
fn a_job_that_was_cancelled_before_it_had_tasks_goes_on_from_what_it_was_started_from() {
    let mut world = World::new(application("last-state"));
    world.resource.spec.job.as_mut().unwrap().initial_savepoint_path = Some("file:///sp/first".to_owned());
    world.pass();
    world.later(10);
    world.job_is(JobStatusState::Initializing);
    world.pass();
    world.change(restart(1));
    world.pass();
    assert!(matches!(world.calls.as_slice(), [FlinkRequest::Cancel { .. }]));
    world.job_is(JobStatusState::Canceled);
    world.answer().jobs[0].tasks_total = 0;
    world.pass();
    world.pass();
    assert_eq!(world.restored_from.last().unwrap().as_deref(), Some("file:///sp/first"));
    assert_eq!(world.created, 2);
}

#[test]
fn a_job_that_is_being_recovered_is_cancelled_when_it_is_known_from_what() {
    let mut world = World::stable(application("last-state"));
    world.later(100);
    world.job_is(JobStatusState::Initializing);
    world.pass();
    world.change(restart(1));
    world.pass();
    assert!(world.calls.is_empty());
    assert_eq!(world.held().as_deref(), Some("WaitingForJob"));
    world.later(1);
    world.job_is(JobStatusState::Created);
    world.pass();
    assert!(matches!(world.calls.as_slice(), [FlinkRequest::Cancel { .. }]));
}

fn in_zookeeper() -> serde_json::Value {
    with(with_ha(application("last-state")), &[("high-availability.type", "zookeeper")])
}

#[test]
fn metadata_in_zookeeper_is_kept_when_the_job_has_told_of_a_checkpoint() {
    let mut world = World::stable(in_zookeeper());
    let job = world.status().job_id().map(str::to_owned);
    world.completed(3, "file:///cp/chk-3");
    world.change(restart(1));
    for _ in 0..3 {
        world.pass();
    }
    assert!(world.calls.is_empty(), "nothing is cancelled: {:?}", world.calls);
    assert_eq!(world.scaled, [0], "its JobManager ends first");
    assert_eq!(world.created, 2);
    assert_eq!(world.status().job_id().map(str::to_owned), job);
    assert_eq!(world.restored_from.last().unwrap().as_deref(), Some(LAST_STATE_MARKER));
}

#[test]
fn without_a_checkpoint_in_zookeeper_the_job_is_cancelled() {
    let mut world = World::stable(in_zookeeper());
    world.change(restart(1));
    world.pass();
    assert!(matches!(world.calls.as_slice(), [FlinkRequest::Cancel { .. }]));
}

#[test]
fn a_job_that_is_not_in_zookeeper_any_more_either_is_asked_about() {
    let mut world = World::stable(in_zookeeper());
    world.later(100);
    world.job_is_absent(61);
    world.change(restart(1));
    world.pass();
    assert_eq!(world.created, 1);
    assert_eq!(world.held().as_deref(), Some("ManualRestoreRequired"));
}
