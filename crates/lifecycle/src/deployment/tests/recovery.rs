//! What happens without a change of the spec: lost JobManagers, lost jobs, failed jobs.

use api::{JobStatusState, LifecycleState, UpgradeMode};

use super::super::restore::LAST_STATE_MARKER;
use super::world::{World, application, restart, session, upgrade_mode, with, with_ha};
use crate::observed::HaMetadata;
use crate::{FlinkRequest, Requeue};

fn lose_deployment(world: &mut World) {
    world.observed.job_manager = None;
    world.observed.created_attempt = None;
}

#[test]
fn a_lost_deployment_comes_back() {
    for (spec, told) in [
        (
            application("stateless"),
            ["Warning Missing JobManagerDeployment", "Warning RecoverDeployment Job"].as_slice(),
        ),
        (session(), &["Warning Missing JobManagerDeployment"]),
    ] {
        let mut world = World::stable(spec);
        lose_deployment(&mut world);
        world.pass();
        assert_eq!(world.created, 2);
        assert_eq!(world.lifecycles, [LifecycleState::Stable]);
        assert_eq!(world.reasons()[..told.len()], *told);
        world.job_is(JobStatusState::Running);
        world.pass();
        assert_eq!(world.lifecycle(), LifecycleState::Stable);
        assert_eq!(world.status().error, None);
    }
}

#[test]
fn a_lost_deployment_with_ha_goes_on_with_the_same_job() {
    for mode in ["last-state", "savepoint", "stateless"] {
        let mut world = World::stable(with_ha(application(mode)));
        world.ha_job(true);
        let job_id = world.status().job_id().map(str::to_owned);
        lose_deployment(&mut world);
        world.pass();
        assert_eq!(world.created, 2, "{mode}");
        assert_eq!(world.status().job_id().map(str::to_owned), job_id);
        assert_eq!(world.restored_from.last().unwrap().as_deref(), Some(LAST_STATE_MARKER));
    }
}

#[test]
fn a_lost_deployment_in_zookeeper_is_recovered_with_the_marker() {
    let zookeeper = [
        ("high-availability.type", "zookeeper"),
        ("high-availability.storageDir", "file:///ha"),
        ("high-availability.zookeeper.quorum", "zk"),
    ];
    let mut world = World::stable(with(application("last-state"), &zookeeper));
    lose_deployment(&mut world);
    world.pass();
    assert_eq!(world.restored_from.last().unwrap().as_deref(), Some(LAST_STATE_MARKER));
}

#[test]
fn a_lost_stateful_deployment_without_ha_is_not_started_from_an_unknown_state() {
    let mut world = World::stable(application("last-state"));
    lose_deployment(&mut world);
    world.pass();
    world.pass();
    assert_eq!(world.created, 1);
    assert!(world.error().contains("initialSavepointPath"));
    assert_eq!(world.held().as_deref(), Some("ManualRestoreRequired"));
    assert_eq!(
        world.reasons().iter().filter(|told| told.starts_with("Warning Missing")).count(),
        2,
        "each told once"
    );
}

#[test]
fn a_lost_deployment_whose_job_had_ended_unseen_is_not_started_from_older_state() {
    let mut world = World::new(with_ha(application("last-state")));
    world.resource.spec.job.as_mut().unwrap().initial_savepoint_path = Some("file:///sp/first".to_owned());
    world.becomes_stable();
    world.observed.ha = Some(HaMetadata::default());
    lose_deployment(&mut world);
    world.pass();
    assert_eq!(world.created, 1);
    assert!(world.was_told("RestoreFailed"));
    assert_eq!(world.held().as_deref(), Some("ManualRestoreRequired"));
}

#[test]
fn w_46_a_stateless_job_needs_no_ha_metadata() {
    let mut world = World::stable(with_ha(application("stateless")));
    world.observed.ha = Some(HaMetadata::default());
    lose_deployment(&mut world);
    world.pass();
    assert_eq!(world.created, 2);
    assert_eq!(world.restored_from.last().unwrap(), &None);
}

#[test]
fn recovery_can_be_switched_off() {
    let off = [("kubernetes.operator.jm-deployment-recovery.enabled", "false")];
    let mut world = World::stable(with(application("stateless"), &off));
    lose_deployment(&mut world);
    world.pass();
    assert_eq!(world.created, 1);
    assert!(world.was_told("Missing"));
}

#[test]
fn a_recovery_whose_operator_died_is_repeated_with_the_same_attempt() {
    let mut world = World::stable(with_ha(application("last-state")));
    world.ha_job(true);
    lose_deployment(&mut world);
    world.crash_after_recording();
    let attempt = world.status().operation.unwrap().attempt;
    world.later(60);
    world.pass();
    assert_eq!(world.created, 2);
    assert_eq!(world.job_manager().attempt, attempt);
}

#[test]
fn a_change_during_a_recovery_that_never_began_keeps_the_state_to_recover() {
    let mut world = World::stable(with_ha(application("last-state")));
    world.ha_job(true);
    lose_deployment(&mut world);
    world.crash_after_recording();
    world.change(restart(1));
    world.pass();
    world.pass();
    assert_eq!(world.created, 2);
    assert_eq!(world.restored_from.last().unwrap().as_deref(), Some(LAST_STATE_MARKER));
    assert_eq!(world.status().observed_generation, Some(2));
}

// ---- jobs that the JobManager does not know -----------------------------------------------------------------------

#[test]
fn a_starting_job_manager_may_not_know_its_job_yet() {
    let mut world = World::new(application("stateless"));
    world.pass();
    world.job_is_absent(30);
    world.pass();
    assert_eq!((world.job_state(), world.error()), (Some(JobStatusState::Reconciling), String::new()));
    world.job_is(JobStatusState::Running);
    world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::Stable);
}

#[test]
fn w_19_a_lost_stateful_job_is_explained_and_goes_on_only_from_known_state() {
    let mut world = World::stable(with_ha(application("last-state")));
    world.observed.ha = Some(HaMetadata::default());
    world.job_is_absent(61);
    world.pass();
    world.pass();
    assert_eq!(world.error(), "Job Not Found");
    assert_eq!(world.reasons(), ["Warning Missing Job"], "told once");
    assert_eq!(world.held().as_deref(), Some("JobNotFound"));
    assert_eq!(world.job_state(), Some(JobStatusState::Reconciling));
    world.change(restart(1));
    world.pass();
    assert!(world.error().contains("Manual restore required."));
    // A job that turns up again is nothing to worry about.
    world.job_is(JobStatusState::Running);
    world.ha_job(true);
    world.pass();
    assert_eq!(world.status().error, None);
    assert_eq!(world.status().reconciliation_state(), api::ReconciliationState::Upgrading);
}

#[test]
fn a_lost_job_whose_metadata_is_there_goes_on_from_it() {
    let mut world = World::stable(with_ha(application("savepoint")));
    world.ha_job(true);
    world.job_is_absent(61);
    world.change(restart(1));
    for _ in 0..3 {
        world.pass();
    }
    assert_eq!(world.restored_from.last().unwrap().as_deref(), Some(LAST_STATE_MARKER));
}

#[test]
fn w_09_a_lost_job_leaves_a_rollback_alone() {
    let mut world = super::rollback::rolled_back();
    world.job_is_absent(61);
    world.pass();
    assert_eq!(world.error(), "Job Not Found");
    assert_eq!(world.status().reconciliation_state(), api::ReconciliationState::RolledBack);
    world.job_is(JobStatusState::Running);
    world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::RolledBack, "the failed spec does not count as stable");
}

#[test]
fn several_jobs_are_told_and_only_ours_is_followed() {
    let mut world = World::stable(application("stateless"));
    let mut other = world.answer().jobs[0].clone();
    other.job_id = "f".repeat(32);
    other.state = JobStatusState::Failed;
    world.answer().jobs.push(other.clone());
    world.pass();
    assert!(world.events.is_empty(), "one that has ended matters to nobody");
    other.state = JobStatusState::Running;
    world.answer().jobs[1] = other;
    world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::Stable);
    let told = world.events.pop().unwrap();
    assert!(told.message.contains(&"f".repeat(32)) && told.mode == crate::EventMode::Once);
}

// ---- jobs that failed ---------------------------------------------------------------------------------------------

const RESTART: (&str, &str) = ("kubernetes.operator.job.restart.failed", "true");

fn fail(world: &mut World, checkpoint: &str) {
    world.job_is(JobStatusState::Failed);
    world.completed(1, checkpoint);
}

#[test]
fn a_failed_job_is_left_alone_unless_asked_for() {
    let mut world = World::stable(application("last-state"));
    fail(&mut world, "file:///cp/1");
    world.pass();
    world.later(600);
    world.pass();
    assert_eq!((world.created, world.lifecycle()), (1, LifecycleState::Failed));
}

#[test]
fn w_45_a_failing_job_is_restarted_later_and_later() {
    for mode in ["last-state", "savepoint", "stateless"] {
        let mut world = World::stable(with(application(mode), &[RESTART]));
        let mut waits = Vec::new();
        for count in 1_u32..=4 {
            let path = format!("file:///cp/{count}");
            fail(&mut world, &path);
            let requeue = world.pass();
            if count > 1 {
                let Requeue::After(wait) = requeue else { panic!("{requeue:?}") };
                waits.push(wait.as_secs());
                assert_eq!(world.created, count, "not at once");
                world.later(i64::try_from(wait.as_secs()).unwrap() + 1);
            }
            world.pass();
            world.pass();
            assert_eq!(world.created, count + 1, "{mode}");
            let restored = (mode != "stateless").then_some(path);
            assert_eq!(world.restored_from.last().unwrap(), &restored);
            assert_eq!(world.status().retry.unwrap().count, Some(i32::try_from(count).unwrap()));
        }
        assert_eq!(waits, [4, 7, 11]);
    }
}

#[test]
fn w_45_a_limit_ends_the_restarts_and_a_new_nonce_begins_anew() {
    let limit = ("kubernetes.operator.job.restart.failed.max-attempts", "1");
    let mut world = World::stable(with(application("stateless"), &[RESTART, limit]));
    fail(&mut world, "x");
    world.pass();
    world.pass();
    assert_eq!(world.created, 2);
    fail(&mut world, "x");
    world.pass();
    world.later(600);
    world.pass();
    assert_eq!(world.created, 2);
    assert_eq!(world.held().as_deref(), Some("RestartLimitReached"));
    world.change(restart(1));
    world.pass();
    world.pass();
    assert_eq!(world.created, 3);
}

#[test]
fn a_job_that_ran_for_long_begins_to_count_anew() {
    let mut world = World::stable(with(application("stateless"), &[RESTART]));
    fail(&mut world, "x");
    world.pass();
    world.pass();
    world.job_is(JobStatusState::Running);
    let started = world.now.as_millisecond();
    world.answer().jobs[0].start_time = started;
    world.pass();
    assert!(world.status().retry.is_some());
    world.later(601);
    world.job_is(JobStatusState::Running);
    world.answer().jobs[0].start_time = started;
    world.pass();
    assert_eq!(world.status().retry, None);
    world.rests();
}

#[test]
fn a_failed_job_whose_state_is_not_known_is_not_restarted() {
    let mut world = World::stable(with(application("last-state"), &[RESTART]));
    fail(&mut world, "x");
    world.answer().checkpoints.as_mut().unwrap().completed[0].discarded = true;
    world.pass();
    world.pass();
    assert_eq!(world.created, 1);
    assert_eq!(world.held().as_deref(), Some("ManualRestoreRequired"));
    world.change(upgrade_mode(UpgradeMode::Stateless));
    world.pass();
    world.pass();
    assert_eq!(world.created, 2, "stateless needs none");
}

#[test]
fn a_restart_whose_operator_died_goes_on() {
    let mut world = World::stable(with(application("last-state"), &[RESTART]));
    fail(&mut world, "file:///cp/1");
    world.crash_after_recording();
    assert!(world.observed.job_manager.is_some());
    world.pass();
    world.pass();
    assert_eq!(world.created, 2);
    assert_eq!(world.restored_from.last().unwrap().as_deref(), Some("file:///cp/1"));
    assert!(!world.calls.iter().any(|call| matches!(call, FlinkRequest::Cancel { .. })));
    assert_eq!(world.status().retry.unwrap().count, Some(1));
}
