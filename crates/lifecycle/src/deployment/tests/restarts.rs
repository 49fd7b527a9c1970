//! Restarts that meet something unexpected, and what is scaled down before it is deleted.

use api::{JobStatusState, OperationKind};

use super::super::restore::LAST_STATE_MARKER;
use super::health;
use super::savepoints;
use super::world::{World, application, restart, session, with, with_ha};
use crate::observed::{HaMetadata, OperationResult};

const RESTART: (&str, &str) = ("kubernetes.operator.job.restart.failed", "true");

#[test]
fn a_failed_job_whose_newest_checkpoint_only_ha_metadata_knows_goes_on_from_there() {
    for (has_checkpoint, created) in [(true, 2), (false, 1)] {
        let mut world = World::stable(with(with_ha(application("last-state")), &[RESTART]));
        world.ha_job(has_checkpoint);
        world.job_is(JobStatusState::Failed);
        world.completed(1, "x").discarded = true;
        for _ in 0..3 {
            world.pass();
        }
        assert_eq!(world.created, created);
        if created == 2 {
            assert_eq!(world.restored_from.last().unwrap().as_deref(), Some(LAST_STATE_MARKER));
        } else {
            assert_eq!(world.held().as_deref(), Some("ManualRestoreRequired"));
        }
    }
}

/// An unhealthy job whose JobManager is gone already.
fn restarting() -> World {
    let mut world = health::watched(with_ha(application("last-state")));
    world.ha_job(true);
    world.later(60);
    health::counters(&mut world, 65, 0);
    world.round();
    let operation = world.status().operation.unwrap();
    assert_eq!((operation.kind, operation.generation), (Some(OperationKind::Restarting), Some(1)));
    world.observed.job_manager = None;
    world
}

#[test]
fn a_restart_waits_for_metadata_that_could_not_be_read() {
    let mut world = restarting();
    let ha = world.observed.ha.take();
    world.pass();
    assert_eq!(world.status().operation.unwrap().kind, Some(OperationKind::Restarting));
    assert_eq!((world.created, world.held().as_deref()), (1, Some("HaMetadataUnread")));
    world.observed.ha = ha;
    world.pass();
    assert_eq!(world.created, 2);
}

#[test]
fn a_restart_whose_metadata_is_gone_becomes_a_question() {
    let mut world = restarting();
    world.observed.ha = Some(HaMetadata::default());
    world.round();
    assert_eq!(world.status().operation, None);
    assert_eq!((world.created, world.held().as_deref()), (1, Some("ManualRestoreRequired")));
}

#[test]
fn only_metadata_that_is_needed_makes_the_job_manager_end_first() {
    // Of a job that was stopped with a savepoint nothing is needed.
    let mut world = savepoints::stopping(with_ha(application("savepoint")));
    world.job_is(JobStatusState::Finished);
    world.stop_is(OperationResult::Completed("file:///sp/one".to_owned()));
    world.pass();
    world.pass();
    assert_eq!((world.created, world.scaled.len()), (2, 0));
    // Nor of one that has failed, when its last checkpoint is known.
    let mut world = World::stable(with(with_ha(application("last-state")), &[RESTART]));
    world.job_is(JobStatusState::Failed);
    world.completed(1, "file:///cp/1");
    world.pass();
    world.pass();
    assert_eq!((world.created, world.scaled.len()), (2, 0));
    // A session cluster has some only with high availability.
    for (spec, scaled) in [(session(), 0), (with_ha(session()), 1)] {
        let mut world = World::stable(spec);
        world.answer().jobs.clear();
        world.change(restart(1));
        for _ in 0..3 {
            world.pass();
        }
        assert_eq!((world.created, world.scaled.len()), (2, scaled));
    }
}

#[test]
fn a_job_manager_on_its_way_out_is_waited_for() {
    let mut world = World::stable(application("stateless"));
    world.job_manager().terminating = true;
    world.pass();
    assert_eq!(world.created, 1);
    assert!(!world.error().contains("does not belong"), "{}", world.error());
    world.observed.job_manager = None;
    world.pass();
    assert_eq!(world.created, 2);
}

#[test]
fn a_job_that_has_ended_is_not_suspended_for_a_change() {
    let mut world = World::stable(application("stateless"));
    world.job_is(JobStatusState::Failed);
    world.pass();
    world.reasons();
    world.change(restart(1));
    world.pass();
    world.pass();
    assert_eq!(world.created, 2);
    assert_eq!(
        world.reasons(),
        ["Normal SpecChanged JobManagerDeployment", "Normal Submit JobManagerDeployment"]
    );
}

#[test]
fn a_job_that_is_ending_is_not_cancelled_once_more() {
    let mut world = World::stable(application("last-state"));
    world.change(restart(1));
    world.crash_after_recording();
    world.later(5);
    world.job_is(JobStatusState::Running);
    world.round();
    assert_eq!(world.calls.len(), 1, "the first never arrived");
    world.job_is(JobStatusState::Canceled);
    world.answer().checkpoints = None;
    world.round();
    assert_eq!(world.calls.len(), 1);
}
