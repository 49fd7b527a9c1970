//! `kubernetes.operator.job.upgrade.last-state.max.allowed.checkpoint.age`: a last-state upgrade takes a savepoint when it
//! would go back too far.

use api::JobStatusState;

use super::world::{World, application, restart, with, with_ha};
use crate::FlinkRequest;
use crate::observed::Checkpoints;

const LIMIT: (&str, &str) = ("kubernetes.operator.job.upgrade.last-state.max.allowed.checkpoint.age", "60 s");

/// How long ago, in seconds; `None` when there is no such thing.
type Ago = Option<i64>;

/// What a last-state upgrade does to a job that was started, has completed its newest checkpoint, and has triggered the
/// next one, so long ago. The checkpoint before the newest one is always young.
fn upgrade(options: &[(&str, &str)], started: i64, completed: Ago, in_progress: Ago) -> &'static str {
    let mut world = World::stable(with(with_ha(application("last-state")), options));
    world.ha_job(true);
    world.later(10_000);
    world.job_is(JobStatusState::Running);
    let now = world.now.as_millisecond();
    let at = |seconds: i64| now - seconds * 1000;
    world.answer().jobs[0].start_time = at(started);
    world.completed(7, "file:///cp/7").trigger_timestamp = at(1);
    if let Some(ago) = completed {
        world.completed(8, "file:///cp/8").trigger_timestamp = at(ago);
    } else {
        world.answer().checkpoints.as_mut().unwrap().completed.clear();
    }
    world.answer().checkpoints.as_mut().unwrap().in_progress_since = in_progress.map(at);
    world.change(restart(1));
    result(&mut world)
}

fn result(world: &mut World) -> &'static str {
    world.round();
    if matches!(world.calls.as_slice(), [FlinkRequest::StopWithSavepoint { .. }]) {
        "savepoint"
    } else if world.scaled == [0] {
        "last-state"
    } else {
        let (reason, message) = world.condition("SpecAccepted").unwrap();
        assert_eq!(reason, "WaitingForJob");
        assert!(message.contains("A checkpoint that is young enough is in progress"), "{message}");
        "waits"
    }
}

#[test]
fn the_newest_checkpoint_decides_or_the_one_in_progress() {
    let fresh = 30;
    let limit = 60;
    let old = 61;
    for (started, completed, in_progress, expected) in [
        (old, Some(fresh), None, "last-state"),
        (old, Some(limit), None, "savepoint"),
        (old, Some(old), None, "savepoint"),
        (old, None, None, "savepoint"),
        (old, Some(old), Some(fresh), "waits"),
        (old, Some(old), Some(old), "savepoint"),
        (old, None, Some(fresh), "waits"),
        (old, Some(fresh), Some(old), "last-state"),
        // A job that is as young goes back no further than to its start.
        (fresh, None, None, "last-state"),
        (fresh, Some(old), Some(old), "last-state"),
        (limit, None, None, "savepoint"),
    ] {
        let case = format!("{started} {completed:?} {in_progress:?}");
        assert_eq!(upgrade(&[LIMIT], started, completed, in_progress), expected, "{case}");
        assert_eq!(upgrade(&[], started, completed, in_progress), "last-state", "no limit: {case}");
    }
}

#[test]
fn what_nobody_says_counts_as_too_old() {
    for checkpoints in [None, Some(Checkpoints::default())] {
        let mut world = World::stable(with(with_ha(application("last-state")), &[LIMIT]));
        world.ha_job(true);
        world.later(100);
        let started = world.answer().jobs[0].start_time;
        world.job_is(JobStatusState::Running);
        world.answer().jobs[0].start_time = started;
        world.answer().checkpoints = checkpoints;
        world.change(restart(1));
        assert_eq!(result(&mut world), "savepoint");
    }
}
