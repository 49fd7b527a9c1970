//! What is seen of a cluster, and what is not concluded from it.

use api::{JobManagerDeploymentStatus as Jm, JobStatusState};

use super::savepoints;
use super::world::{World, application, restart, session, with_ha};
use crate::observed::{OperationResult, PodProblem};

#[test]
fn a_session_cluster_has_no_job_however_it_is_lost() {
    let mut world = World::stable(session());
    world.job_manager().available_replicas = 0;
    world.pass();
    assert_eq!(world.job_state(), None);
    assert_eq!(world.status().job_manager_deployment_status, Some(Jm::Deploying));
    world.observed.job_manager = None;
    world.round();
    assert_eq!(world.job_state(), None);
    assert_eq!(world.status().job_manager_deployment_status, Some(Jm::Missing));
}

#[test]
fn a_job_that_has_ended_stays_so_without_its_job_manager() {
    for state in [JobStatusState::Finished, JobStatusState::Failed] {
        let mut world = World::stable(application("stateless"));
        world.job_is(state);
        world.pass();
        world.job_manager().available_replicas = 0;
        world.pass();
        assert_eq!(world.job_state(), Some(state));
        world.observed.job_manager = None;
        world.pass();
        assert_eq!((world.job_state(), world.created), (Some(state), 1));
        assert!(!world.was_told("Missing"));
    }
}

/// A deployment that cannot start is not told of again and again, and not forgotten while it cannot.
#[test]
fn a_job_manager_that_does_not_start_is_told_until_it_is_changed() {
    let mut world = World::new(application("stateless"));
    world.pass();
    world.observed.pods =
        vec![PodProblem { reason: "FailedMount".to_owned(), message: "no volume".to_owned() }];
    world.later(29);
    world.pass();
    assert_eq!(world.status().job_manager_deployment_status, Some(Jm::Deploying), "volumes take a while");
    world.later(2);
    world.pass();
    assert_eq!(world.status().job_manager_deployment_status, Some(Jm::Error));
    world.observed.pods.clear();
    world.pass();
    assert_eq!(world.status().job_manager_deployment_status, Some(Jm::Error));
    world.observed.job_manager = None;
    world.reasons();
    world.pass();
    assert!(!world.was_told("Missing"), "it never was there");
}

/// Somebody else cancels the job, and its JobManager does not come back: that the job is being cancelled is not known
/// any more, and no reason to wait for ever.
#[test]
fn a_cancel_of_somebody_else_that_nobody_can_follow_blocks_no_change() {
    for (lost, seen) in [
        ((|world| world.job_manager().available_replicas = 0) as fn(&mut World), Jm::Error),
        (|world| world.observed.job_manager = None, Jm::Missing),
    ] {
        let mut world = World::stable(with_ha(application("last-state")));
        world.ha_job(true);
        world.job_is(JobStatusState::Cancelling);
        world.pass();
        assert_eq!(world.job_state(), Some(JobStatusState::Cancelling));
        lost(&mut world);
        world.observed.pods =
            vec![PodProblem { reason: "CrashLoopBackOff".to_owned(), message: "no".to_owned() }];
        world.change(restart(1));
        world.round();
        assert_eq!(world.status().job_manager_deployment_status, Some(seen));
        world.observed.pods.clear();
        for _ in 0..4 {
            world.pass();
        }
        assert_eq!(world.created, 2, "{:?}", world.held());
    }
}

fn with_error(mut world: World) -> World {
    let mut status = world.status();
    status.error = Some("x".to_owned());
    world.resource.status = Some(status);
    world
}

#[test]
fn an_error_is_over_when_its_cluster_is_well() {
    let ended = |state| {
        let mut world = World::stable(application("stateless"));
        world.job_is(state);
        world.pass();
        world
    };
    let upgraded = || {
        let mut world = World::stable(session());
        world.change(restart(1));
        world.pass();
        world.pass();
        assert_eq!(world.created, 2);
        world
    };
    let down = || {
        let mut world = World::stable(session());
        world.job_manager().available_replicas = 0;
        world
    };
    let cases = vec![
        ("a job that runs", World::stable(application("stateless")), true),
        ("a job that has finished", ended(JobStatusState::Finished), true),
        ("a job that restarts", ended(JobStatusState::Restarting), false),
        ("a job that has failed", ended(JobStatusState::Failed), false),
        ("a session cluster", World::stable(session()), true),
        ("one that is not up yet", upgraded(), false),
        ("one that went down", down(), false),
    ];
    for (name, world, over) in cases {
        let mut world = with_error(world);
        world.pass();
        assert_eq!(world.error().is_empty(), over, "{name}: {}", world.error());
    }
    // Why the last savepoint failed is of interest until the next one.
    let mut world = savepoints::stopping(application("savepoint"));
    world.stop_is(OperationResult::Failed("disk full".to_owned()));
    world.pass();
    world.pass();
    assert!(world.error().contains("disk full"));
}
