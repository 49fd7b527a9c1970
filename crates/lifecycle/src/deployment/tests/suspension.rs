//! Suspended jobs, resumption, and redeployment from a chosen savepoint.

use api::{FlinkDeployment, JobState, JobStatusState, LifecycleState, UpgradeMode};

use super::super::restore::LAST_STATE_MARKER;
use super::world::{World, application, job_state, restart, upgrade_mode, with_ha};
use crate::FlinkRequest;
use crate::observed::{HaMetadata, OperationResult};

/// Suspends a stable job, whatever its mode needs.
fn suspend(world: &mut World) {
    world.change(job_state(JobState::Suspended));
    world.pass();
    if let Some(FlinkRequest::StopWithSavepoint { .. }) = world.calls.last() {
        world.job_is(JobStatusState::Finished);
        world.stop_is(OperationResult::Completed("file:///sp/one".to_owned()));
    } else if world.job_state() == Some(JobStatusState::Cancelling) {
        world.job_is(JobStatusState::Canceled);
        world.completed(2, "file:///cp/2");
    }
    for _ in 0..4 {
        world.pass();
    }
    assert_eq!(world.lifecycle(), LifecycleState::Suspended, "{:?}", world.status());
    assert!(world.observed.job_manager.is_none());
    world.rests();
}

fn suspended(mode: &str, ha: bool) -> World {
    let spec = application(mode);
    let mut world = World::stable(if ha { with_ha(spec) } else { spec });
    if ha {
        world.ha_job(true);
    }
    suspend(&mut world);
    if mode != "last-state" {
        // Flink removes the metadata of a job that has ended.
        world.observed.ha = Some(HaMetadata::default());
    }
    world
}

fn resume(world: &mut World) {
    world.change(job_state(JobState::Running));
    for _ in 0..3 {
        world.pass();
    }
    assert_eq!(world.created, 2, "{:?}", world.status());
}

#[test]
fn a_suspended_job_resumes_from_what_it_was_suspended_with() {
    for (mode, ha, restored) in [
        ("stateless", false, None),
        ("stateless", true, None),
        ("savepoint", false, Some("file:///sp/one")),
        ("savepoint", true, Some("file:///sp/one")),
        ("last-state", false, Some("file:///cp/2")),
        ("last-state", true, Some(LAST_STATE_MARKER)),
    ] {
        // The mode in between does not matter, unless it gives the state up.
        for between in [UpgradeMode::Savepoint, UpgradeMode::LastState, UpgradeMode::Stateless] {
            let mut world = suspended(mode, ha);
            let old_job = world.status().job_id().map(str::to_owned);
            world.change(upgrade_mode(between));
            world.pass();
            assert_eq!(world.status().observed_generation, world.resource.metadata.generation);
            resume(&mut world);
            let expected = restored.filter(|_| between != UpgradeMode::Stateless);
            assert_eq!(world.restored_from.last().unwrap().as_deref(), expected, "{mode} {ha} {between}");
            let same_job = world.status().job_id().map(str::to_owned) == old_job;
            assert_eq!(same_job, expected == Some(LAST_STATE_MARKER));
            let metadata = world.observed.ha.as_ref().unwrap().config_maps.len();
            assert_eq!(metadata == 1, expected == Some(LAST_STATE_MARKER), "metadata in the way goes");
            world.job_is(JobStatusState::Running);
            world.pass();
            assert_eq!(world.lifecycle(), LifecycleState::Stable);
        }
    }
}

#[test]
fn metadata_of_a_suspended_job_stays() {
    let mut world = suspended("last-state", true);
    world.later(1_000_000);
    world.pass();
    assert_eq!(world.observed.ha.as_ref().unwrap().config_maps.len(), 1);
    assert_eq!(world.known_path(), None);
}

/// The Java operator leaves the JobManager of a job that it has stopped with a savepoint for a day.
#[test]
fn the_cluster_of_a_job_that_a_java_operator_has_suspended_has_its_day() {
    for (mode, goes) in [("savepoint", true), ("last-state", false)] {
        let mut world = suspended(mode, true);
        let mut job_manager = World::stable(application("stateless")).observed.job_manager.unwrap();
        job_manager.attempt = None;
        world.observed.job_manager = Some(job_manager);
        world.pass();
        assert!(world.observed.job_manager.is_some());
        world.later(86_401);
        world.pass();
        assert_eq!(world.observed.job_manager.is_none(), goes, "{mode}");
    }
}

#[test]
fn a_job_suspended_with_metadata_is_not_resumed_without_high_availability() {
    let mut world = suspended("last-state", true);
    world.change(|resource| {
        resource.spec.job.as_mut().unwrap().state = Some(JobState::Running);
        let conf = resource.spec.flink_configuration.as_mut().unwrap();
        conf.as_object_mut().unwrap().remove("high-availability.type");
    });
    world.pass();
    world.pass();
    assert_eq!(world.created, 1);
    assert!(world.error().contains("high availability off"));
    assert_eq!(world.held().as_deref(), Some("HighAvailabilityNeeded"));
}

#[test]
fn edits_of_a_suspended_job_count_when_it_resumes() {
    let mut world = suspended("stateless", false);
    world.change(restart(4));
    world.pass();
    world.rests();
    resume(&mut world);
    assert!(world.status().last_reconciled_spec().unwrap_or_default().contains("\"restartNonce\":4"));
}

#[test]
fn a_job_that_is_suspended_while_it_stops_for_an_upgrade_stays_suspended() {
    let mut world = World::stable(application("savepoint"));
    world.change(restart(1));
    world.pass();
    world.change(job_state(JobState::Suspended));
    world.job_is(JobStatusState::Finished);
    world.stop_is(OperationResult::Completed("file:///sp/one".to_owned()));
    world.pass();
    world.pass();
    assert_eq!((world.created, world.lifecycle()), (1, LifecycleState::Suspended));
    assert_eq!(world.known_path().as_deref(), Some("file:///sp/one"));
}

#[test]
fn a_suspension_that_is_taken_back_before_the_old_cluster_has_gone_goes_on() {
    let mut world = World::stable(application("savepoint"));
    world.change(job_state(JobState::Suspended));
    world.pass();
    world.job_is(JobStatusState::Finished);
    world.stop_is(OperationResult::Completed("file:///sp/one".to_owned()));
    world.round();
    world.change(job_state(JobState::Running));
    for _ in 0..4 {
        world.pass();
    }
    assert_eq!(world.created, 2);
    assert_eq!(world.restored_from.last().unwrap().as_deref(), Some("file:///sp/one"));
}

#[test]
fn a_spec_that_cannot_be_built_is_refused_on_resumption() {
    let mut world = suspended("savepoint", false);
    world.change(|resource| {
        resource.spec.job.as_mut().unwrap().state = Some(JobState::Running);
        resource.spec.pod_template = Some(serde_json::json!({"spec": {"containers": "none"}}));
    });
    world.pass();
    assert_eq!(world.created, 1);
    assert_eq!(world.lifecycle(), LifecycleState::Suspended);
    assert_eq!(world.held().as_deref(), Some("ValidationError"));
}

// ---- redeployment ---------------------------------------------------------------------------------------------------

fn redeploy(nonce: i64) -> impl FnOnce(&mut FlinkDeployment) {
    move |resource| {
        let job = resource.spec.job.as_mut().unwrap();
        job.initial_savepoint_path = Some("file:///sp/mine".to_owned());
        job.savepoint_redeploy_nonce = Some(nonce);
    }
}

#[test]
fn w_14_a_redeployment_waits_for_the_end_of_the_old_job() {
    for mode in ["stateless", "savepoint", "last-state"] {
        let mut world = World::stable(application(mode));
        world.change(redeploy(1));
        world.round();
        assert_eq!(world.created, 1);
        // The deletion takes its time.
        world.observed.job_manager = Some(crate::observed::JobManager {
            uid: "jm-1".to_owned(),
            generation: Some(1),
            attempt: None,
            owned: true,
            terminating: true,
            terminating_since: Some(world.now),
            paused: false,
            resource_version: None,
            desired_replicas: 1,
            replicas: 1,
            available_replicas: 1,
            failed_create: None,
            never_started: false,
        });
        world.pass();
        assert_eq!(world.created, 1, "the old one is still there");
        world.observed.job_manager = None;
        world.pass();
        assert_eq!(world.created, 2);
        assert_eq!(world.restored_from.last().unwrap().as_deref(), Some("file:///sp/mine"), "{mode}");
        world.job_is(JobStatusState::Running);
        world.pass();
        world.change(redeploy(1));
        world.pass();
        assert_eq!(world.created, 2, "the same nonce asks for nothing");
        // Afterwards the upgrade mode counts again.
        world.change(upgrade_mode(UpgradeMode::Stateless));
        world.change(restart(1));
        world.pass();
        world.pass();
        assert_eq!(world.created, 3);
    }
}

#[test]
fn a_redeployment_is_stable_at_once_so_that_nothing_is_rolled_back() {
    let mut world = World::stable(application("savepoint"));
    world.change(redeploy(1));
    world.pass();
    world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::Stable);
    assert_eq!(world.job_state(), Some(JobStatusState::Reconciling));
}

#[test]
fn a_redeployment_of_a_suspended_job_starts_from_the_chosen_savepoint() {
    for together in [true, false] {
        let mut world = suspended("savepoint", false);
        world.change(redeploy(1));
        if !together {
            world.pass();
        }
        resume(&mut world);
        assert_eq!(world.restored_from.last().unwrap().as_deref(), Some("file:///sp/mine"));
    }
}

#[test]
fn a_redeployment_while_the_old_cluster_goes_wins() {
    let mut world = World::stable(application("last-state"));
    world.job_is(JobStatusState::Failed);
    world.completed(2, "file:///cp/2");
    world.change(restart(1));
    world.round();
    world.change(redeploy(1));
    for _ in 0..3 {
        world.pass();
    }
    assert_eq!(world.restored_from.last().unwrap().as_deref(), Some("file:///sp/mine"));
    assert_eq!(world.created, 2);
}

#[test]
fn allow_non_restored_state_alone_restarts_nothing() {
    let mut world = World::stable(application("savepoint"));
    world.change(|resource| {
        resource.spec.job.as_mut().unwrap().allow_non_restored_state = Some(true);
    });
    world.pass();
    assert_eq!(world.created, 1);
    assert_eq!(world.status().observed_generation, Some(2));
    world.rests();
}

#[test]
fn what_a_resumption_needs_is_read() {
    let mut world = World::stable(application("last-state"));
    assert_eq!(world.reads(), super::super::Reads::default(), "a settled resource needs none");
    // Cancelled by somebody: recorded as suspended, and the spec wants it to run.
    world.job_is(JobStatusState::Canceled);
    world.completed(2, "file:///cp/2");
    world.round();
    assert!(world.reads().ha && world.reads().job_manager);
    let world = suspended("savepoint", false);
    assert_eq!(world.reads(), super::super::Reads::default(), "a suspended resource needs none");
}
