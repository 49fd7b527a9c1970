//! What was found missing between what users are promised and what was done.

use api::{JobState, JobStatusState, LifecycleState, UpgradeMode};
use serde_json::json;

use super::world::{World, application, job_state, restart, session, upgrade_mode, with, with_ha};
use crate::observed::{HaMetadata, JobGraphs, JobManager, OperationResult, SessionJob};
use crate::{FlinkRequest, Reads, Requeue};

const SAVEPOINT: (&str, &str) = ("kubernetes.operator.job.savepoint-on-deletion", "true");
const NO_RESOURCE: (&str, &str) = ("kubernetes.operator.snapshot.resource.enabled", "false");

/// Passes and time until the finalizer is gone, in seconds.
fn deleted(world: &mut World) -> i64 {
    let begun = world.now;
    for _ in 0..2000 {
        if world.finalizer_removed {
            return world.now.duration_since(begun).as_secs();
        }
        if let Requeue::After(delay) = world.pass() {
            world.later(i64::try_from(delay.as_secs()).unwrap() + 1);
        }
    }
    panic!("the deletion does not end: {:?}", world.status());
}

// ---- state ----------------------------------------------------------------------------------------------------------

/// Upgraded with a savepoint that only the status lists, and then started from empty.
fn given_up() -> World {
    let mut world = World::stable(with(application("savepoint"), &[NO_RESOURCE]));
    world.change(restart(1));
    world.pass();
    world.job_is(JobStatusState::Finished);
    world.stop_is(OperationResult::Completed("file:///sp/old".to_owned()));
    world.pass();
    world.pass();
    world.job_is(JobStatusState::Running);
    world.pass();
    assert_eq!(world.restored_from.last().unwrap().as_deref(), Some("file:///sp/old"));
    world.change(|resource| {
        upgrade_mode(UpgradeMode::Stateless)(resource);
        restart(2)(resource);
    });
    world.pass();
    world.pass();
    world.job_is(JobStatusState::Running);
    world.pass();
    assert_eq!(world.restored_from.last().unwrap(), &None);
    world
}

#[test]
fn a_lost_cluster_does_not_come_back_with_state_that_was_given_up() {
    let mut world = given_up();
    world.observed.job_manager = None;
    world.pass();
    world.pass();
    assert_eq!(world.created, 4);
    assert_eq!(world.restored_from.last().unwrap(), &None);
}

#[test]
fn a_mode_that_keeps_state_does_not_bring_back_what_was_given_up() {
    let mut world = given_up();
    world.change(upgrade_mode(UpgradeMode::LastState));
    world.pass();
    world.job_is(JobStatusState::Canceled);
    world.pass();
    world.pass();
    assert_eq!(world.restored_from.last().unwrap(), &None);
}

// ---- the newest generation ------------------------------------------------------------------------------------------

#[test]
fn a_first_spec_that_is_suspended_says_that_nothing_is_deployed() {
    let mut world = World::new(application("savepoint"));
    world.change(job_state(JobState::Suspended));
    world.pass();
    assert_eq!(world.held().as_deref(), Some("Suspended"));
    assert_eq!(world.created, 0);
    world.change(job_state(JobState::Running));
    world.becomes_stable();
    assert_eq!(world.held(), None);
}

fn foreign() -> JobManager {
    let mut world = World::stable(application("stateless"));
    let mut job_manager = world.job_manager().clone();
    job_manager.owned = false;
    job_manager
}

#[test]
fn a_deployment_of_somebody_else_is_named_in_a_condition_before_anything_is_deployed() {
    let mut world = World::new(application("stateless"));
    world.observed.job_manager = Some(foreign());
    world.pass();
    let (reason, message) = world.condition("SpecAccepted").unwrap();
    assert!(reason == "DeploymentExists" && message.contains("Remedy"), "{message}");
    assert_eq!(world.created, 0);
}

#[test]
fn a_spec_that_was_rolled_back_stays_named() {
    let world = super::rollback::rolled_back();
    assert!(world.error().is_empty(), "what runs is well");
    let (reason, message) = world.condition("SpecAccepted").unwrap();
    assert!(reason == "RolledBack" && message.contains("Remedy"), "{message}");
}

// ---- deletion -------------------------------------------------------------------------------------------------------

#[test]
fn a_job_manager_that_keeps_restarting_does_not_keep_a_deletion_from_its_end() {
    let mut world = World::stable(with(application("savepoint"), &[SAVEPOINT]));
    world.ask_for_deletion();
    world.pass();
    for _ in 0..2000 {
        if world.finalizer_removed {
            return;
        }
        if world.observed.job_manager.is_some() {
            // Another JobManager each time: it has the job, and never heard of the savepoint.
            world.created_at = world.now;
            world.job_is(JobStatusState::Running);
            if world.status().operation.is_some_and(|operation| operation.trigger_id.is_some()) {
                world.stop_is(OperationResult::Unknown);
            }
        }
        world.pass();
        world.later(30);
    }
    panic!("the deletion does not end: {:?}", world.status());
}

#[test]
fn a_job_that_is_being_cancelled_ends_before_its_deployment_is_deleted() {
    let mut world = World::stable(with(application("last-state"), &[SAVEPOINT]));
    world.change(restart(1));
    world.pass();
    assert!(matches!(world.calls.as_slice(), [FlinkRequest::Cancel { .. }]));
    world.ask_for_deletion();
    world.pass();
    assert_eq!(world.condition("Deleting").unwrap().0, "WaitingForJob");
    assert!(world.decide().poll.is_some(), "its last checkpoint is asked for");
    world.job_is(JobStatusState::Canceled);
    world.completed(7, "file:///cp/chk-7");
    deleted(&mut world);
    let told = world.events.iter().find(|event| event.reason == crate::Reason::SavepointError).unwrap();
    assert!(told.message.contains("file:///cp/chk-7"), "{}", told.message);
}

#[test]
fn a_cancel_that_was_lost_is_repeated_by_the_deletion() {
    let mut world = World::stable(with(application("last-state"), &[SAVEPOINT]));
    world.change(restart(1));
    world.crash_after_recording();
    world.ask_for_deletion();
    world.job_is(JobStatusState::Running);
    world.pass();
    assert!(matches!(world.calls.as_slice(), [FlinkRequest::Cancel { .. }]));
}

#[test]
fn a_cancel_that_never_ends_does_not_keep_a_deletion_from_its_end() {
    let mut world = World::stable(with(application("last-state"), &[SAVEPOINT]));
    world.change(restart(1));
    world.pass();
    world.job_is(JobStatusState::Cancelling);
    world.ask_for_deletion();
    let waited = deleted(&mut world);
    assert!((600..700).contains(&waited), "{waited}");
}

#[test]
fn state_that_only_ha_metadata_leads_to_does_not_go_in_silence() {
    let mut world = World::stable(with(with_ha(application("last-state")), &[SAVEPOINT]));
    world.ha_job(true);
    world.change(job_state(JobState::Suspended));
    for _ in 0..4 {
        world.pass();
    }
    assert_eq!(world.lifecycle(), LifecycleState::Suspended);
    world.ask_for_deletion();
    deleted(&mut world);
    assert!(world.was_told("SavepointError"));
}

#[test]
fn a_savepoint_that_is_recorded_is_enough() {
    let mut world = World::stable(with(application("savepoint"), &[SAVEPOINT]));
    world.change(job_state(JobState::Suspended));
    world.pass();
    world.job_is(JobStatusState::Finished);
    world.stop_is(OperationResult::Completed("file:///sp/1".to_owned()));
    world.pass();
    world.pass();
    world.ask_for_deletion();
    deleted(&mut world);
    assert!(!world.was_told("SavepointError"));
}

#[test]
fn metadata_has_its_own_time_after_a_cluster_that_did_not_go() {
    let mut world = World::stable(with_ha(application("last-state")));
    world.ha_job(true);
    world.ask_for_deletion();
    world.crash_after_recording();
    world.later(400);
    world.observed.job_manager = None;
    world.observed.ha = None;
    world.pass();
    assert!(!world.finalizer_removed);
    assert_eq!(world.condition("Deleting").unwrap().0, "WaitingForHaMetadata");
    let waited = deleted(&mut world);
    assert!((200..260).contains(&waited), "{waited}");
    let told = world.events.iter().find(|event| event.reason == crate::Reason::CleanupFailed).unwrap();
    assert!(told.message.contains("ConfigMaps"), "{}", told.message);
}

#[test]
fn a_session_cluster_with_ha_whose_job_manager_restarts_may_have_jobs() {
    let graphs = |keys: &[&str]| HaMetadata {
        config_maps: vec![("app-cluster-config-map".to_owned(), "u".to_owned())],
        job_graphs: keys
            .iter()
            .map(|key| JobGraphs {
                config_map: "app-cluster-config-map".to_owned(),
                keys: vec![(*key).to_owned()],
                ..JobGraphs::default()
            })
            .collect(),
        jobs: Vec::new(),
    };
    for (keys, at_least) in [(&["jobGraph-a"][..], 290), (&[], 0)] {
        let mut world = World::stable(with_ha(session()));
        world.job_manager().available_replicas = 0;
        world.observed.ha = Some(graphs(keys));
        world.ask_for_deletion();
        world.pass();
        let waits = world.condition("Deleting").is_some_and(|(reason, _)| reason == "JobsUnknown");
        assert_eq!(waits, !keys.is_empty());
        let waited = deleted(&mut world);
        assert!((at_least..at_least + 60).contains(&waited), "{waited}");
    }
}

#[test]
fn a_session_cluster_takes_its_session_jobs_with_it_where_that_is_wanted() {
    let cascade = [("kubernetes.operator.session.deletion.cascade-to-session-jobs", "true")];
    let mut world = World::stable(with(session(), &cascade));
    let job = |name: &str, terminating| SessionJob {
        name: name.to_owned(),
        uid: Some(format!("uid of {name}")),
        terminating,
        ..SessionJob::default()
    };
    world.observed.session_jobs = vec![job("one", false), job("two", true)];
    world.ask_for_deletion();
    let effects = world.decide().effects;
    let gone: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            crate::Effect::Delete(delete) => {
                Some((delete.object.name.as_str(), delete.object.uid.as_deref()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(gone, [("one", Some("uid of one"))], "once, and the cluster stays until they are gone");
    world.pass();
    assert!(world.condition("Deleting").unwrap().1.contains("one, two"));
    world.observed.session_jobs.clear();
    world.job_is(JobStatusState::Running);
    deleted(&mut world);
    assert!(world.observed.job_manager.is_none());
}

// ---- recovery -------------------------------------------------------------------------------------------------------

#[test]
fn a_service_that_somebody_deleted_comes_back() {
    let mut world = World::stable(application("stateless"));
    let failure = crate::observed::FlinkFailure {
        since: world.now,
        unreachable: true,
        untrusted: false,
        message: "no such host".to_owned(),
    };
    world.observed.flink.failure = Some(failure);
    world.later(60);
    world.pass();
    assert!(world.reads().rest_service);
    world.observed.rest_service = Some(true);
    world.pass();
    assert!(world.applied.is_empty(), "it is there");
    world.observed.rest_service = Some(false);
    world.pass();
    let service = serde_json::to_value(world.applied.last().unwrap()).unwrap();
    assert_eq!((&service["kind"], &service["metadata"]["name"]), (&json!("Service"), &json!("app-rest")));
    assert_eq!(service["metadata"]["ownerReferences"][0]["uid"], "jm-1");
    world.observed.flink.failure = None;
    world.job_is(JobStatusState::Running);
    world.pass();
    assert_eq!(world.reads(), Reads::default(), "nothing is read of a cluster that is well");
}

// ---- operators that were away, or ended ------------------------------------------------------------------------------

#[test]
fn an_answer_of_before_the_end_does_not_bring_a_job_back() {
    let mut world = World::stable(application("stateless"));
    let old = world.observed.flink.clone();
    world.later(60);
    world.job_is(JobStatusState::Finished);
    world.pass();
    assert_eq!(world.job_state(), Some(JobStatusState::Finished));
    world.observed.flink = old;
    world.pass();
    assert_eq!(world.job_state(), Some(JobStatusState::Finished), "it is older than the end");
    world.later(60);
    world.job_is(JobStatusState::Running);
    world.pass();
    assert_eq!(world.job_state(), Some(JobStatusState::Running), "news count");
}

#[test]
fn an_answer_that_is_older_than_the_recorded_state_decides_nothing() {
    let mut world = World::stable(application("savepoint"));
    world.later(60);
    world.job_is(JobStatusState::Restarting);
    let old = world.observed.flink.clone();
    world.later(60);
    for state in [JobStatusState::Restarting, JobStatusState::Running] {
        world.job_is(state);
        world.pass();
    }
    world.observed.flink = old;
    world.change(restart(1));
    world.pass();
    assert_eq!(world.job_state(), Some(JobStatusState::Running));
    assert!(matches!(world.calls.as_slice(), [FlinkRequest::StopWithSavepoint { .. }]), "{:?}", world.calls);
}

#[test]
fn what_goes_with_a_deletion_is_told_until_it_is_over() {
    let mut world = World::stable(with(application("savepoint"), &[SAVEPOINT]));
    world.completed(7, "file:///cp/chk-7");
    world.job_is(JobStatusState::Restarting);
    world.completed(7, "file:///cp/chk-7");
    world.ask_for_deletion();
    world.later(1000);
    world.crash_after_recording();
    assert!(!world.was_told("SavepointError"));
    assert!(world.error().contains("chk-7"), "whoever comes next finds it");
    deleted(&mut world);
    let told = world.events.iter().find(|event| event.reason == crate::Reason::SavepointError).unwrap();
    assert!(told.message.contains("without a savepoint") && told.message.contains("chk-7"));
}

#[test]
fn flink_is_called_before_anything_is_explained() {
    let mut world = World::stable(application("savepoint"));
    world.change(restart(1));
    let effects = world.decide().effects;
    assert!(matches!(effects.first(), Some(crate::Effect::Flink(_))), "{effects:?}");
    assert!(effects.iter().any(|effect| matches!(effect, crate::Effect::Event(_))));
}

#[test]
fn that_no_job_runs_has_to_be_news() {
    let mut world = World::stable(session());
    world.later(40);
    world.change(restart(1));
    let requeue = world.pass();
    assert_eq!((world.held().as_deref(), world.created), (Some("JobsUnknown"), 1));
    assert_eq!(requeue, Requeue::After(std::time::Duration::from_secs(1)));
    assert_eq!(world.decide().poll.unwrap().interval, std::time::Duration::from_secs(1));
    world.job_is(JobStatusState::Running);
    for _ in 0..3 {
        world.pass();
    }
    assert_eq!(world.created, 2);
}
