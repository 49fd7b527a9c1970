//! Every limit of time, to the millisecond.

use api::{JobManagerDeploymentStatus as Jm, JobStatusState, OperationKind, ReconciliationState, RetryKind};
use jiff::{SignedDuration, Timestamp};

use super::world::{World, application, restart, session, with, with_ha};
use super::{polling, rollback, savepoints};
use crate::observed::{FlinkFailure, OperationResult, PodProblem};
use crate::{Effect, FlinkRequest, Requeue};

/// Runs `check` just before a limit of `millis` has passed since the world's present, and when it has. It is told
/// whether the limit counts as passed.
fn at_limit(world: impl Fn() -> World, millis: i64, check: impl Fn(&mut World, bool)) {
    for (passed, since) in [(false, millis - 1), (true, millis)] {
        let mut world = world();
        world.now = world.now.checked_add(SignedDuration::from_millis(since)).unwrap();
        check(&mut world, passed);
    }
}

fn ago(world: &World, millis: i64) -> Timestamp {
    world.now.checked_sub(SignedDuration::from_millis(millis)).unwrap()
}

fn go_to(world: &mut World, millis: i64) {
    world.now = Timestamp::from_millisecond(millis).unwrap();
}

fn recorded_at(world: &World) -> i64 {
    world.status().reconciliation_status.unwrap().reconciliation_timestamp.unwrap()
}

fn deletes(world: &World) -> bool {
    world.decide().effects.iter().any(|effect| matches!(effect, Effect::Delete(_)))
}

// ---- observation ----------------------------------------------------------------------------------------------------

#[test]
fn a_silent_job_manager_has_fifteen_seconds() {
    let silent = || {
        let mut world = World::stable(application("stateless"));
        let since = world.now;
        world.observed.flink.failure =
            Some(FlinkFailure { since, unreachable: true, untrusted: false, message: "x".to_owned() });
        world
    };
    // The poller tells again when the decision is another one.
    assert_eq!(silent().decide().poll.unwrap().patience, std::time::Duration::from_secs(15));
    at_limit(silent, 15_000, |world, passed| {
        world.round();
        let expected = if passed { Jm::DeployedNotReady } else { Jm::Ready };
        assert_eq!(world.status().job_manager_deployment_status, Some(expected));
    });
}

#[test]
fn volumes_have_half_a_minute() {
    let waiting = || {
        let mut world = World::new(application("stateless"));
        world.pass();
        let recorded = recorded_at(&world);
        go_to(&mut world, recorded);
        world.observed.pods = vec![PodProblem { reason: "FailedMount".to_owned(), message: "no".to_owned() }];
        world
    };
    at_limit(waiting, 30_000, |world, passed| {
        world.round();
        let expected = if passed { Jm::Error } else { Jm::Deploying };
        assert_eq!(world.status().job_manager_deployment_status, Some(expected));
    });
}

#[test]
fn a_job_manager_may_be_without_its_job_for_a_minute() {
    for (millis, lost) in [(59_999, false), (60_000, true)] {
        let mut world = World::stable(application("stateless"));
        world.later(100);
        world.job_is_absent(0);
        let job_id = world.status().job_id().unwrap_or_default().to_owned();
        let since = ago(&world, millis);
        world.answer().absent.insert(job_id, since);
        world.round();
        assert_eq!(world.error() == "Job Not Found", lost);
    }
}

#[test]
fn a_job_that_starts_has_five_seconds_by_either_clock() {
    for state in [JobStatusState::Created, JobStatusState::Initializing] {
        for (started, told) in [(5_000, true), (4_999, false), (-4_999, false), (-5_000, true)] {
            let mut world = World::new(application("stateless"));
            world.pass();
            world.job_is(state);
            let start_time = world.now.as_millisecond() - started;
            world.answer().jobs[0].start_time = start_time;
            world.round();
            let expected = if told { state } else { JobStatusState::Reconciling };
            assert_eq!(world.job_state(), Some(expected), "{started}");
        }
    }
    let mut world = World::new(application("stateless"));
    world.pass();
    world.job_is(JobStatusState::Restarting);
    let now = world.now.as_millisecond();
    world.answer().jobs[0].start_time = now;
    world.round();
    assert_eq!(world.job_state(), Some(JobStatusState::Restarting), "that is news at once");
}

#[test]
fn the_cause_of_a_failure_has_twenty_seconds_and_the_last_checkpoint_a_minute() {
    type Hide = fn(&mut World);
    let cases: [(Hide, i64); 2] = [
        (|world| world.answer().failure_cause = None, 20_000),
        (|world| world.answer().checkpoints = None, 60_000),
    ];
    for (hide, limit) in cases {
        for (millis, told) in [(limit - 1, false), (limit, true)] {
            let mut world = World::stable(application("last-state"));
            world.later(100);
            world.job_is(JobStatusState::Failed);
            hide(&mut world);
            let ended = ago(&world, millis);
            world.answer().jobs[0].ended_since = Some(ended);
            world.round();
            assert_eq!(world.job_state() == Some(JobStatusState::Failed), told, "{limit} {millis}");
        }
    }
}

#[test]
fn an_answer_counts_from_the_moment_in_which_the_step_began() {
    for (before, counts) in [(1, false), (0, true)] {
        let mut world = World::stable(application("last-state"));
        world.change(restart(1));
        world.round();
        let begun = world.status().operation.unwrap().start_timestamp.unwrap();
        world.job_is(JobStatusState::Canceled);
        world.answer().at = Timestamp::from_millisecond(begun - before).unwrap();
        world.round();
        assert_eq!(world.job_state() == Some(JobStatusState::Canceled), counts);
    }
}

#[test]
fn a_job_has_recovered_when_it_ran_for_ten_minutes() {
    let restarting = [("kubernetes.operator.job.restart.failed", "true")];
    for (millis, recovered) in [(599_999, false), (600_000, true)] {
        let failed_once = || {
            let mut world = World::stable(with(application("stateless"), &restarting));
            world.job_is(JobStatusState::Failed);
            world.pass();
            world.pass();
            assert_eq!((world.created, world.status().retry.unwrap().count), (2, Some(1)));
            world.later(1000);
            world
        };
        // It runs.
        let mut world = failed_once();
        world.job_is(JobStatusState::Running);
        let started = world.now.as_millisecond() - millis;
        world.answer().jobs[0].start_time = started;
        world.round();
        assert_eq!(world.status().retry.is_none(), recovered);
        // It has failed since, and nobody has seen it run: its first failure anew, or its second.
        let mut world = failed_once();
        world.job_is(JobStatusState::Failed);
        let started = world.now.as_millisecond() - millis;
        world.answer().jobs[0].start_time = started;
        world.round();
        let retry = world.status().retry.unwrap();
        assert_eq!(retry.kind, Some(RetryKind::RestartJob));
        assert_eq!(retry.count, Some(if recovered { 1 } else { 2 }));
        assert_eq!(world.status().operation.unwrap().kind, Some(OperationKind::Restarting));
    }
}

// ---- what is waited for ---------------------------------------------------------------------------------------------

#[test]
fn a_savepoint_is_tried_again_after_five_seconds() {
    let failed = || {
        let mut world = savepoints::stopping(application("savepoint"));
        world.stop_is(OperationResult::Failed("disk full".to_owned()));
        world.round();
        let failed = world.status().retry.unwrap().timestamp.unwrap();
        world.job_is(JobStatusState::Running);
        go_to(&mut world, failed);
        world
    };
    at_limit(failed, 5_000, |world, passed| {
        let requeue = world.round();
        assert_eq!(world.calls.len(), if passed { 2 } else { 1 });
        if !passed {
            assert_eq!(requeue, Requeue::After(std::time::Duration::from_millis(1)));
        }
    });
}

#[test]
fn a_savepoint_has_the_time_of_a_checkpoint() {
    let taking = || {
        let mut world = savepoints::stopping(application("savepoint"));
        world.stop_is(OperationResult::InProgress);
        let begun = world.status().operation.unwrap().start_timestamp.unwrap();
        go_to(&mut world, begun);
        world
    };
    at_limit(taking, 600_001, |world, passed| {
        world.round();
        assert_eq!(world.error().contains("it took too long"), passed);
    });
}

#[test]
fn a_pending_snapshot_is_tried_again_within_a_grace_of_a_minute() {
    let failed = || {
        let mut world = savepoints::pending(&[]);
        let triggered = world.status().job_status.unwrap().savepoint_info.unwrap().trigger_timestamp;
        go_to(&mut world, triggered.unwrap());
        let failed = OperationResult::Failed("no".to_owned());
        world.answer().operations.insert(savepoints::TRIGGER.to_owned(), failed);
        world
    };
    at_limit(failed, 60_001, |world, passed| {
        world.round();
        let recorded = world.status().last_reconciled_spec().unwrap_or_default().to_owned();
        assert_eq!(recorded.contains("\"savepointTriggerNonce\":1"), passed);
    });
}

#[test]
fn a_spec_has_five_minutes_to_come_up() {
    let failing = || {
        let mut world = rollback::failing(&[]);
        let recorded = recorded_at(&world);
        go_to(&mut world, recorded);
        world.job_is(JobStatusState::Restarting);
        world
    };
    at_limit(failing, 300_001, |world, passed| {
        world.round();
        let rolls = world.status().reconciliation_state() == ReconciliationState::RollingBack;
        assert_eq!(rolls, passed);
    });
}

// ---- what goes ------------------------------------------------------------------------------------------------------

#[test]
fn pods_of_a_job_manager_have_half_of_the_time_of_a_cluster() {
    let ending = || {
        let mut world = World::stable(with_ha(application("last-state")));
        world.ha_job(true);
        world.change(restart(1));
        world.round();
        assert_eq!(world.scaled, [0]);
        world.observed.job_manager_pods = Some(1);
        let recorded = recorded_at(&world);
        go_to(&mut world, recorded);
        world
    };
    at_limit(ending, 150_001, |world, passed| assert_eq!(deletes(world), passed));
}

#[test]
fn a_finished_cluster_has_its_day() {
    let finished = || {
        let mut world = World::stable(application("stateless"));
        world.job_is(JobStatusState::Finished);
        world.pass();
        let ended = world.status().job_status.unwrap().update_time.unwrap().parse().unwrap();
        go_to(&mut world, ended);
        world
    };
    at_limit(finished, 86_400_000, |world, passed| assert_eq!(deletes(world), passed));
}

#[test]
fn a_cluster_that_is_deleted_has_five_minutes_to_go() {
    let going = || {
        let mut world = World::stable(application("stateless"));
        world.ask_for_deletion();
        world.crash_after_recording();
        let now = world.now;
        let job_manager = world.job_manager();
        job_manager.terminating = true;
        job_manager.terminating_since = Some(now);
        world
    };
    at_limit(going, 300_001, |world, passed| {
        world.round();
        assert_eq!(world.finalizer_removed, passed);
    });
}

#[test]
fn a_deletion_waits_for_a_job_to_run_as_long_as_for_a_savepoint() {
    let waiting = || {
        let savepoint = [("kubernetes.operator.job.savepoint-on-deletion", "true")];
        let mut world = World::stable(with(application("savepoint"), &savepoint));
        world.ask_for_deletion();
        world.job_is(JobStatusState::Restarting);
        world
    };
    at_limit(waiting, 600_001, |world, passed| {
        world.round();
        assert_eq!(world.was_told("SavepointError"), passed);
    });
}

#[test]
fn a_session_cluster_that_never_answers_keeps_a_change_away_for_five_minutes() {
    let silent = || {
        let mut world = World::stable(session());
        world.observed.flink.answer = None;
        let since = world.now;
        world.observed.flink.failure =
            Some(FlinkFailure { since, unreachable: true, untrusted: false, message: "x".to_owned() });
        world.change(restart(1));
        world
    };
    at_limit(silent, 300_000, |world, passed| {
        world.round();
        assert_eq!(world.held().as_deref() == Some("JobsUnknown"), !passed);
    });
}

#[test]
fn polls_are_frequent_for_five_minutes() {
    let starting = || {
        let mut world = World::new(application("stateless"));
        world.pass();
        world.job_is(JobStatusState::Running);
        world.observed.flink.answer = None;
        let recorded = recorded_at(&world);
        go_to(&mut world, recorded);
        world
    };
    at_limit(starting, 300_001, |world, passed| {
        let expected = if passed { polling::WAITING } else { polling::BUSY };
        assert_eq!(polling::interval(world), expected);
    });
    // What began later counts from then on.
    let world = savepoints::stopping(application("savepoint"));
    assert!(matches!(world.calls.as_slice(), [FlinkRequest::StopWithSavepoint { .. }]));
    let begun = world.status().operation.unwrap().start_timestamp.unwrap();
    for (millis, expected) in [(300_000, polling::BUSY), (300_001, polling::WAITING)] {
        let mut world = savepoints::stopping(application("savepoint"));
        go_to(&mut world, begun + millis);
        world.job_is(JobStatusState::Running);
        world.stop_is(OperationResult::InProgress);
        assert_eq!(polling::interval(&world), expected);
    }
}
