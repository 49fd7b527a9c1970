//! Deletion ends, from every state, and says what it waits for.

use std::collections::BTreeSet;

use api::{FlinkDeployment, JobStatusState, LifecycleState};
use serde_json::Value;

use super::world::{World, application, described, restart, session, with, with_ha};
use crate::observed::{EffectFailure, FlinkFailure, HaJob, HaMetadata, OperationResult, SessionJob};
use crate::{Effect, EventMode, FlinkRequest, Requeue, ZooKeeperNodes};

const SAVEPOINT: (&str, &str) = ("kubernetes.operator.job.savepoint-on-deletion", "true");

fn invalid(resource: &mut FlinkDeployment) {
    resource.spec.job.as_mut().unwrap().parallelism = Some(0);
}

fn leftovers() -> HaMetadata {
    HaMetadata {
        config_maps: vec![("app-cluster-config-map".to_owned(), "u".to_owned())],
        ..HaMetadata::default()
    }
}

/// A way to come to a stage.
type Stage = (&'static str, fn(&mut World));

const STAGES: [Stage; 12] = [
    ("new", |_| {}),
    ("deploying", |world| {
        world.round();
        world.crash_after_recording();
    }),
    ("deployed", |world| {
        world.pass();
    }),
    ("stable", World::becomes_stable),
    ("stopping", |world| {
        world.becomes_stable();
        world.change(restart(1));
        world.crash_after_recording();
    }),
    ("stopped", |world| {
        world.becomes_stable();
        world.job_is(JobStatusState::Failed);
        world.pass();
        world.change(restart(1));
        world.crash_after_recording();
    }),
    ("failed", |world| {
        world.becomes_stable();
        world.job_is(JobStatusState::Failed);
        world.pass();
    }),
    ("restarting job", |world| {
        world.becomes_stable();
        world.job_is(JobStatusState::Restarting);
        world.pass();
    }),
    ("lost", |world| {
        world.becomes_stable();
        world.observed.job_manager = None;
        world.pass();
    }),
    ("invalid", |world| {
        world.becomes_stable();
        world.change(invalid);
        world.pass();
    }),
    ("unsupported", |world| {
        world.becomes_stable();
        world.change(|resource| resource.spec.flink_version = None);
        world.pass();
    }),
    ("silent", |world| {
        world.becomes_stable();
        let failure = FlinkFailure {
            since: world.now,
            unreachable: true,
            untrusted: false,
            message: "refused".to_owned(),
        };
        world.observed.flink.failure = Some(failure);
        world.pass();
    }),
];

/// Lets time pass until the finalizer is gone.
fn wait_for_the_end(world: &mut World) -> i64 {
    let begun = world.now;
    for _ in 0..200 {
        if world.finalizer_removed {
            let waited = world.now.duration_since(begun);
            return waited.as_secs();
        }
        let requeue = world.pass();
        let deleting = world.status().lifecycle_state == Some(LifecycleState::Deleting);
        assert!(world.finalizer_removed || deleting && world.condition("Deleting").is_some(), "unexplained");
        if let Requeue::After(delay) = requeue {
            world.later(i64::try_from(delay.as_secs()).unwrap() + 1);
        }
    }
    panic!("the deletion does not end: {:?}", world.status());
}

#[test]
fn deletion_ends_from_every_stage() {
    for mode in ["stateless", "savepoint", "last-state"] {
        for options in [&[][..], &[SAVEPOINT]] {
            for (name, stage) in STAGES {
                let mut world = World::new(with(with_ha(application(mode)), options));
                world.resource.metadata.finalizers =
                    Some(vec![api::names::FINALIZER_FLINK_DEPLOYMENT.to_owned()]);
                stage(&mut world);
                let deployed = world.status().last_reconciled_spec().is_some();
                world.ask_for_deletion();
                world.observed.ha = Some(leftovers());
                wait_for_the_end(&mut world);
                assert!(world.observed.job_manager.is_none(), "{mode} {name}");
                let left = world.observed.ha.as_ref().unwrap().config_maps.len();
                assert_eq!(left, usize::from(!deployed), "{mode} {name}: only what may be ours goes");
                assert!(world.was_told("Cleanup"));
            }
        }
    }
}

fn deleted(spec: Value) -> World {
    let mut world = World::stable(spec);
    world.ask_for_deletion();
    world
}

#[test]
fn a_plain_deletion_cancels_the_job_and_takes_cluster_and_metadata() {
    let mut world = deleted(with_ha(application("last-state")));
    world.ha_job(true);
    world.round();
    assert!(matches!(world.calls.as_slice(), [FlinkRequest::Cancel { .. }]));
    assert_eq!(world.lifecycle(), LifecycleState::Deleting);
    assert_eq!(world.condition("Deleting").unwrap().0, "WaitingForCluster");
    assert_eq!(wait_for_the_end(&mut world), 0);
    assert!(world.observed.ha.as_ref().unwrap().config_maps.is_empty());
}

#[test]
fn a_crash_after_each_record_of_a_deletion_changes_nothing_about_its_end() {
    for crash in 0..5 {
        let mut world = deleted(with(with_ha(application("savepoint")), &[SAVEPOINT]));
        for round in 0..5 {
            if world.finalizer_removed {
                break;
            }
            if round == crash {
                world.crash_after_recording();
            } else {
                world.round();
            }
            if world.status().operation.is_some_and(|operation| operation.trigger_id.is_some()) {
                world.job_is(JobStatusState::Finished);
                world.stop_is(OperationResult::Completed("file:///sp/last".to_owned()));
            }
        }
        wait_for_the_end(&mut world);
        assert_eq!(world.applied.first().map(|_| ()), Some(()), "{crash}: the savepoint is made known");
    }
}

// ---- the last savepoint ---------------------------------------------------------------------------------------------

#[test]
fn a_savepoint_on_deletion_is_kept_and_made_known() {
    let drain = ("kubernetes.operator.job.drain-on-savepoint-deletion", "true");
    let mut world = deleted(with(application("savepoint"), &[SAVEPOINT, drain]));
    world.pass();
    let [FlinkRequest::StopWithSavepoint { drain: true, .. }] = world.calls.as_slice() else {
        panic!("{:?}", world.calls);
    };
    assert_eq!(world.condition("Deleting").unwrap().0, "TakingSavepoint");
    assert!(world.decide().poll.is_some(), "the result is asked for");
    world.job_is(JobStatusState::Finished);
    world.stop_is(OperationResult::Completed("file:///sp/last".to_owned()));
    wait_for_the_end(&mut world);
    assert_eq!(world.known_path().as_deref(), Some("file:///sp/last"));
    let snapshot = serde_json::to_value(&world.applied[0]).unwrap();
    assert_eq!(snapshot["spec"]["savepoint"]["path"], "file:///sp/last");
    assert!(!world.was_told("SavepointError"));
}

#[test]
fn a_stop_that_is_under_way_serves_the_deletion() {
    let mut world = World::stable(with(application("savepoint"), &[SAVEPOINT]));
    world.change(restart(1));
    world.pass();
    world.ask_for_deletion();
    world.pass();
    assert_eq!(world.calls.len(), 1);
    world.job_is(JobStatusState::Finished);
    world.stop_is(OperationResult::Completed("file:///sp/last".to_owned()));
    wait_for_the_end(&mut world);
    assert_eq!(world.created, 1);
}

#[test]
fn w_17_savepoints_that_fail_are_tried_three_times_and_the_newest_checkpoint_is_named() {
    let mut world = deleted(with(application("savepoint"), &[SAVEPOINT]));
    for tries in 1..=3 {
        world.pass();
        assert_eq!(world.calls.len(), tries);
        world.job_is(JobStatusState::Running);
        world.completed(12, "file:///cp/chk-12");
        world.stop_is(OperationResult::Failed("disk full".to_owned()));
        world.pass();
        world.later(60);
    }
    wait_for_the_end(&mut world);
    let told = world.events.iter().rfind(|event| event.reason == crate::Reason::SavepointError).unwrap();
    assert!(told.message.contains("without a savepoint") && told.message.contains("file:///cp/chk-12"));
}

#[test]
fn w_17_a_job_that_does_not_run_is_waited_for_as_long_as_one_savepoint_takes() {
    let mut world = deleted(with(application("savepoint"), &[SAVEPOINT]));
    world.job_is(JobStatusState::Restarting);
    world.pass();
    assert_eq!(world.condition("Deleting").unwrap().0, "WaitingForJob");
    let waited = wait_for_the_end(&mut world);
    assert!((600..700).contains(&waited), "{waited}");
    assert!(!world.calls.iter().any(|call| matches!(call, FlinkRequest::StopWithSavepoint { .. })));
    assert!(world.was_told("SavepointError"));
}

#[test]
fn a_job_without_a_job_manager_is_not_waited_for() {
    let mut world = deleted(with(application("savepoint"), &[SAVEPOINT]));
    world.observed.job_manager = None;
    assert_eq!(wait_for_the_end(&mut world), 0);
    let told = world.events.iter().find(|event| event.reason == crate::Reason::SavepointError).unwrap();
    assert!(told.message.contains("the job does not run"), "{}", told.message);
}

#[test]
fn a_job_that_has_ended_needs_no_savepoint() {
    let mut world = World::stable(with(application("savepoint"), &[SAVEPOINT]));
    world.job_is(JobStatusState::Failed);
    world.pass();
    world.ask_for_deletion();
    assert!(wait_for_the_end(&mut world) < 60);
    assert!(world.calls.is_empty());
}

#[test]
fn a_savepoint_that_cannot_be_registered_is_kept_all_the_same() {
    let mut world = deleted(with(application("savepoint"), &[SAVEPOINT]));
    world.pass();
    world.job_is(JobStatusState::Finished);
    world.stop_is(OperationResult::Completed("file:///sp/last".to_owned()));
    world.round();
    let action = "apply FlinkStateSnapshot".to_owned();
    world.observed.failure = Some(EffectFailure {
        action,
        message: "forbidden".to_owned(),
        attempts: 1,
        needs_user: true,
        operation: None,
    });
    world.round();
    world.observed.failure = None;
    let told = world.events.iter().find(|event| event.reason == crate::Reason::SavepointError).unwrap();
    assert!(told.message.contains("file:///sp/last"));
    wait_for_the_end(&mut world);
}

// ---- what does not go -----------------------------------------------------------------------------------------------

fn terminating(world: &mut World) {
    let now = world.now;
    let job_manager = world.job_manager();
    job_manager.terminating = true;
    job_manager.terminating_since = Some(now);
}

#[test]
fn a_cluster_that_does_not_go_has_its_time_from_its_own_deletion_on() {
    let mut world = deleted(with(application("savepoint"), &[SAVEPOINT]));
    world.job_is(JobStatusState::Restarting);
    // The savepoint's stage takes longer than a cluster may take to go.
    for _ in 0..61 {
        world.later(10);
        world.job_is(JobStatusState::Restarting);
        let decision = world.decide();
        if decision.status.operation.as_ref().and_then(|one| one.kind) == Some(api::OperationKind::Deleting) {
            break;
        }
        world.pass();
    }
    world.crash_after_recording();
    terminating(&mut world);
    world.pass();
    assert!(!world.finalizer_removed);
    let left = wait_for_the_end(&mut world);
    assert!((300..330).contains(&left), "{left}");
    assert!(world.was_told("CleanupFailed"));
}

#[test]
fn metadata_that_cannot_be_read_is_waited_for_and_not_for_ever() {
    let mut world = deleted(with_ha(application("last-state")));
    world.observed.ha = None;
    world.pass();
    world.pass();
    assert_eq!(world.condition("Deleting").unwrap().0, "WaitingForHaMetadata");
    let waited = wait_for_the_end(&mut world);
    assert!((600..630).contains(&waited), "as long again as the cluster had: {waited}");
}

#[test]
fn what_is_not_ours_stays() {
    let mut world = World::stable(application("stateless"));
    world.job_manager().owned = false;
    world.observed.ha = Some(HaMetadata {
        jobs: vec![HaJob { config_map: "app-1-config-map".to_owned(), has_checkpoint: true }],
        ..leftovers()
    });
    world.ask_for_deletion();
    wait_for_the_end(&mut world);
    assert!(world.observed.job_manager.is_some());
    assert_eq!(world.observed.ha.as_ref().unwrap().config_maps.len(), 1);
}

#[test]
fn a_failed_effect_is_told_and_the_deletion_goes_on() {
    let mut world = deleted(application("stateless"));
    let action = "delete Deployment app".to_owned();
    world.observed.failure = Some(EffectFailure {
        action,
        message: "timeout".to_owned(),
        attempts: 2,
        needs_user: false,
        operation: None,
    });
    world.pass();
    assert!(world.was_told("CleanupFailed"));
    world.pass();
    assert!(world.finalizer_removed);
}

// ---- session clusters -----------------------------------------------------------------------------------------------

fn session_job(name: &str) -> SessionJob {
    SessionJob { name: name.to_owned(), ..SessionJob::default() }
}

#[test]
fn a_session_cluster_waits_for_its_session_jobs() {
    for (options, blocks) in
        [(&[][..], true), (&[("kubernetes.operator.session.deletion.block-on-session-jobs", "false")], false)]
    {
        let mut world = World::stable(with(session(), options));
        world.observed.session_jobs = vec![session_job("one"), session_job("two")];
        world.answer().jobs.clear();
        world.ask_for_deletion();
        world.pass();
        assert_eq!(world.observed.job_manager.is_some(), blocks);
        if blocks {
            let (reason, message) = world.condition("Deleting").unwrap();
            assert!(reason == "SessionJobs" && message.contains("one, two"), "{message}");
            assert_eq!(world.reasons(), ["Normal Cleanup Operator", "Warning CleanupFailed Operator"]);
            world.observed.session_jobs.clear();
            wait_for_the_end(&mut world);
        }
    }
}

/// A session cluster on which a job runs that nobody manages.
fn with_unmanaged_job(options: &[(&str, &str)]) -> World {
    let mut world = World::stable(with(session(), options));
    let job = crate::observed::JobOverview {
        job_id: "f".repeat(32),
        name: "mine".to_owned(),
        state: JobStatusState::Running,
        start_time: 0,
        tasks_total: 1,
        tasks_running: 1,
        tasks_finished: 0,
        ended_since: None,
    };
    world.answer().jobs = vec![job];
    world.ask_for_deletion();
    world
}

#[test]
fn a_session_cluster_waits_for_jobs_that_nobody_manages() {
    let mut world = with_unmanaged_job(&[]);
    world.pass();
    assert_eq!(
        world.condition("Deleting").unwrap().0,
        "JobsUnknown",
        "a list from before may be out of date"
    );
    world.later(2);
    world.answer().at = world.now;
    world.pass();
    let (reason, message) = world.condition("Deleting").unwrap();
    assert!(reason == "RunningJobs" && message.contains(&"f".repeat(32)), "{message}");
    assert!(world.decide().poll.is_some(), "asked further");
    world.answer().jobs[0].state = JobStatusState::Canceled;
    wait_for_the_end(&mut world);

    let off = ("kubernetes.operator.session.deletion.block-on-unmanaged-jobs", "false");
    wait_for_the_end(&mut with_unmanaged_job(&[off]));
}

#[test]
fn w_36_a_failed_query_is_not_no_jobs() {
    let mut world = with_unmanaged_job(&[]);
    let failure =
        FlinkFailure { since: world.now, unreachable: true, untrusted: false, message: "refused".to_owned() };
    world.observed.flink.failure = Some(failure.clone());
    world.pass();
    assert_eq!(world.condition("Deleting").unwrap().0, "RunningJobs", "what it said last counts");
    world.observed.flink.answer = None;
    world.observed.flink.failure = None;
    world.pass();
    assert_eq!(world.condition("Deleting").unwrap().0, "JobsUnknown");
    world.observed.flink.failure = Some(failure);
    let waited = wait_for_the_end(&mut world);
    assert!((290..330).contains(&waited), "a JobManager that never answers is given up: {waited}");
}

#[test]
fn a_session_cluster_whose_job_manager_is_not_up_has_no_jobs() {
    let mut world = with_unmanaged_job(&[]);
    world.job_manager().available_replicas = 0;
    assert!(wait_for_the_end(&mut world) < 60);
}

/// The Events of a deletion with `part` in the message. What is told in several passes is told once for its key.
fn told_of(world: &mut World, part: &str) -> BTreeSet<(String, String)> {
    wait_for_the_end(world);
    let fits = world.events.iter().filter(|event| event.message.contains(part));
    let once =
        fits.inspect(|event| assert!(event.mode == EventMode::Once && event.key.is_some(), "{event:?}"));
    once.map(|event| (described(event), event.message.clone())).collect()
}

#[test]
fn files_of_high_availability_that_stay_are_named_by_one_event_and_by_the_condition() {
    let mut world = deleted(with_ha(application("last-state")));
    world.pass();
    let (_, message) = world.condition("Deleting").unwrap();
    assert!(message.contains("file:///ha/app and file:///ha/job-result-store/app."), "{message}");
    let told = told_of(&mut world, "file:///ha");
    assert_eq!(told.len(), 1, "{told:?}");
    let (event, message) = told.first().unwrap();
    assert_eq!(event, "Normal Cleanup Operator");
    assert!(message.starts_with("Cleaning up FlinkDeployment. "), "{message}");
    assert!(message.contains("file:///ha/app and file:///ha/job-result-store/app."), "{message}");
    assert!(message.contains("Remedy: "), "{message}");
    assert!(!world.was_told("CleanupFailed"), "ConfigMaps do not stay");
}

const QUORUM: (&str, &str) = ("high-availability.zookeeper.quorum", "zk:2181");

/// A deleted resource with HA in ZooKeeper.
fn deleted_with_zookeeper(options: &[(&str, &str)]) -> World {
    let spec = with(with_ha(application("last-state")), &[("high-availability.type", "zookeeper")]);
    deleted(with(spec, options))
}

/// The nodes that are deleted by a decision, right before the finalizer goes.
fn deleted_nodes(world: &World) -> Option<ZooKeeperNodes> {
    let effects = world.decide().effects;
    let position = effects.iter().position(|effect| matches!(effect, Effect::DeleteNodes(_)))?;
    assert!(matches!(effects.get(position + 1), Some(Effect::RemoveFinalizer)), "{effects:?}");
    match &effects[position] {
        Effect::DeleteNodes(nodes) => Some(nodes.clone()),
        _ => None,
    }
}

#[test]
fn nodes_in_zookeeper_go_with_the_cluster_and_not_before_it() {
    for (options, path) in [
        (&[QUORUM][..], "/flink/app"),
        (&[QUORUM, ("high-availability.zookeeper.path.root", "/own/")], "/own/app"),
    ] {
        let mut world = deleted_with_zookeeper(options);
        assert_eq!(deleted_nodes(&world), None, "the cluster is there");
        world.round();
        world.observed.job_manager = None;
        let nodes = ZooKeeperNodes { servers: "zk:2181".to_owned(), path: path.to_owned() };
        assert_eq!(deleted_nodes(&world), Some(nodes));
        assert!(!world.was_told("CleanupFailed"));
    }
}

#[test]
fn nodes_that_cannot_be_deleted_are_named_after_three_tries() {
    let mut world = deleted_with_zookeeper(&[QUORUM]);
    world.pass();
    world.observed.job_manager = None;
    let action = deleted_nodes(&world).unwrap().deletion();
    for attempts in 1..=3 {
        let message = "no available hosts".to_owned();
        world.observed.failure = Some(EffectFailure {
            action: action.clone(),
            message,
            attempts,
            needs_user: false,
            operation: None,
        });
        let effects = world.decide().effects;
        assert!(!effects.iter().any(|effect| matches!(effect, Effect::DeleteNodes(_))));
        let ends = effects.iter().any(|effect| matches!(effect, Effect::RemoveFinalizer));
        assert_eq!(ends, attempts == 3, "{attempts}");
    }
    world.pass();
    let remedy = "zkCli.sh -server zk:2181 deleteall /flink/app";
    assert!(world.events.iter().any(|event| event.message.contains(remedy)), "{:?}", world.events);
}

#[test]
fn a_waiting_deletion_says_why_the_nodes_are_still_there() {
    let mut world = deleted_with_zookeeper(&[QUORUM]);
    world.pass();
    world.observed.job_manager = None;
    let action = deleted_nodes(&world).unwrap().deletion();
    let message = "no available hosts".to_owned();
    world.observed.failure =
        Some(EffectFailure { action, message, attempts: 1, needs_user: false, operation: None });
    world.pass();
    let conditions = world.status().conditions.unwrap();
    let deleting =
        conditions.iter().find(|condition| condition.type_.as_deref() == Some("Deleting")).unwrap();
    assert_eq!(deleting.reason.as_deref(), Some("WaitingForHaMetadata"));
    assert!(deleting.message.as_deref().unwrap().contains("no available hosts"), "{deleting:?}");
}

#[test]
fn nodes_of_a_cluster_that_does_not_end_are_named() {
    let mut world = deleted_with_zookeeper(&[QUORUM]);
    terminating(&mut world);
    world.later(3600);
    assert_eq!(deleted_nodes(&world), None);
    world.pass();
    assert!(
        world.events.iter().any(|event| event.message.contains("deleteall /flink/app")),
        "{:?}",
        world.events
    );
}

#[test]
fn metadata_of_a_class_of_ones_own_may_stay() {
    let options = [("high-availability.type", "com.example.Factory")];
    let told = told_of(&mut deleted(with(application("stateless"), &options)), "com.example.Factory");
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn nothing_is_said_to_stay_where_nothing_does() {
    let plain = ["Cleaning up FlinkDeployment"];
    let without = with(application("last-state"), &[("high-availability.storageDir", "file:///ha")]);
    let mut fresh = World::new(with_ha(application("last-state")));
    fresh.resource.metadata.finalizers = Some(vec![api::names::FINALIZER_FLINK_DEPLOYMENT.to_owned()]);
    fresh.ask_for_deletion();
    for mut world in [deleted(without), deleted(session()), fresh] {
        let before = world.events.len();
        wait_for_the_end(&mut world);
        let told: Vec<_> = world.events[before..].iter().map(|event| event.message.as_str()).collect();
        assert!(told.iter().all(|message| plain.contains(message)), "{told:?}");
    }
}
