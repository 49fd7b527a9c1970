//! What is written into the status, besides what other walks look at.

use api::{JobState, JobStatusState, LifecycleState, OperationKind, TaskManagerInfo};

use super::savepoints;
use super::world::{World, application, job_state, restart, session, with, with_ha};
use crate::observed::{JobManager, OperationResult};
use crate::{Effect, FlinkRequest};

fn restarted(world: &mut World) {
    let created = world.created;
    world.pass();
    world.pass();
    assert_eq!(world.created, created + 1);
    world.job_is(JobStatusState::Running);
    world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::Stable);
}

fn is_first(world: &World) -> bool {
    let recorded = world.status().last_reconciled_spec().unwrap_or_default().to_owned();
    assert_eq!(Some(recorded.as_str()), world.status().last_stable_spec());
    assert_ne!(recorded.contains("\"firstDeployment\":true"), recorded.contains("\"firstDeployment\":false"));
    recorded.contains("\"firstDeployment\":true")
}

#[test]
fn the_first_deployment_is_told_from_later_ones() {
    let irrelevant = |value| {
        move |resource: &mut api::FlinkDeployment| {
            resource.spec.job.as_mut().unwrap().allow_non_restored_state = Some(value);
        }
    };
    let mut world = World::stable(application("stateless"));
    assert!(is_first(&world));
    world.change(irrelevant(true));
    world.pass();
    assert!(is_first(&world), "nothing was deployed");
    world.change(restart(1));
    restarted(&mut world);
    assert!(!is_first(&world));
    world.change(irrelevant(false));
    world.pass();
    assert!(!is_first(&world));
}

#[test]
fn task_managers_are_counted_while_they_are_wanted() {
    let counted = |world: &World| {
        let TaskManagerInfo { label_selector, replicas, .. } = world.status().task_manager?;
        Some((label_selector.unwrap(), replicas.unwrap()))
    };
    let selector = "component=taskmanager,app=app".to_owned();
    let mut spec = with(application("stateless"), &[("taskmanager.numberOfTaskSlots", "2")]);
    spec["job"]["parallelism"] = 5.into();
    let mut world = World::stable(spec);
    assert_eq!(counted(&world), Some((selector.clone(), 3)));
    world.change(job_state(JobState::Suspended));
    for _ in 0..3 {
        world.pass();
    }
    assert_eq!(world.lifecycle(), LifecycleState::Suspended);
    assert_eq!(counted(&world), Some((String::new(), 0)));
    world.change(job_state(JobState::Running));
    world.reasons();
    restarted(&mut world);
    assert_eq!(counted(&world), Some((selector, 3)));
    assert_eq!(
        world.reasons(),
        [
            "Normal SpecChanged JobManagerDeployment",
            "Normal Submit JobManagerDeployment",
            "Normal JobStatusChanged Job"
        ]
    );
    assert_eq!(counted(&World::stable(session())), None, "a session cluster has as many as its jobs need");
}

/// The end that a stop asks for is no news.
#[test]
fn a_job_that_is_stopped_is_told_of_when_it_ends_otherwise() {
    for (state, told) in [(JobStatusState::Finished, false), (JobStatusState::Failed, true)] {
        let mut world = savepoints::stopping(application("savepoint"));
        world.reasons();
        world.job_is(state);
        world.stop_is(OperationResult::InProgress);
        world.round();
        assert_eq!(world.was_told("JobStatusChanged"), told, "{state}");
    }
    let mut world = World::stable(application("savepoint"));
    world.job_is(JobStatusState::Finished);
    world.round();
    assert!(world.was_told("JobStatusChanged"));
}

#[test]
fn a_job_is_cancelled_where_that_can_reach_it_before_its_state_is_given_up() {
    for (state, cancelled) in [
        (JobStatusState::Running, true),
        (JobStatusState::Restarting, true),
        (JobStatusState::Cancelling, false),
        (JobStatusState::Failed, false),
    ] {
        let mut world = World::stable(application("stateless"));
        world.job_is(state);
        world.pass();
        world.change(restart(1));
        world.round();
        let calls = world.calls.len();
        assert_eq!(calls == 1, cancelled, "{state}");
        assert!(world.calls.iter().all(|call| matches!(call, FlinkRequest::Cancel { .. })));
        world.pass();
        world.pass();
        assert_eq!(world.created, 2);
    }
    let mut world = World::stable(application("stateless"));
    world.job_manager().available_replicas = 0;
    world.change(restart(1));
    world.round();
    assert!(world.calls.is_empty(), "nobody would answer");
}

/// A failed upgrade that nobody rolls back: the spec of before is a change like any other.
#[test]
fn going_back_by_hand_deploys_again() {
    let mut world = World::stable(application("stateless"));
    world.change(restart(1));
    world.pass();
    world.pass();
    world.job_is(JobStatusState::Restarting);
    world.pass();
    world.change(|resource| resource.spec.restart_nonce = None);
    // A nonce that is taken away asks for nothing; an image that is as before does.
    world.pass();
    assert_eq!(world.created, 2);
    let mut world = World::stable(application("stateless"));
    world.change(|resource| resource.spec.image = Some("flink:bad".to_owned()));
    world.pass();
    world.pass();
    world.job_is(JobStatusState::Restarting);
    world.pass();
    world.change(|resource| resource.spec.image = Some("flink:1.20".to_owned()));
    restarted(&mut world);
    assert_eq!(world.created, 3);
}

// ---- Deployments that are somebody's work ---------------------------------------------------------------------------

/// A Deployment that nobody allowed to start is taken away; everything else that looks a little like it stays.
#[test]
fn only_what_was_created_too_late_is_taken_away() {
    type Change = fn(&mut JobManager);
    let cases: [(&str, Change, bool); 5] = [
        ("created too late", |_| {}, true),
        ("allowed to start", |it| it.paused = false, false),
        ("of the Java operator", |it| it.attempt = None, false),
        ("of somebody else", |it| it.owned = false, false),
        ("paused while it ran", |it| it.replicas = 1, false),
    ];
    for (name, change, goes) in cases {
        let mut world = World::stable(with_ha(application("last-state")));
        let job_manager = world.job_manager();
        job_manager.paused = true;
        job_manager.replicas = 0;
        job_manager.available_replicas = 0;
        job_manager.attempt = Some("of an operator that is gone".to_owned());
        change(job_manager);
        let scales = world.decide().effects.iter().any(|effect| matches!(effect, Effect::Scale(_)));
        assert_eq!(scales, goes, "{name}");
    }
}

/// What a Java operator has created and not recorded is told from what it was about to delete.
#[test]
fn only_the_deployment_that_a_java_operator_has_just_created_is_adopted() {
    type Change = fn(&mut World);
    let cases: [(&str, Change, bool); 6] = [
        ("just created", |_| {}, true),
        ("of an older generation", |world| world.job_manager().generation = Some(1), false),
        ("of no generation", |world| world.job_manager().generation = None, false),
        ("ours", |world| world.job_manager().attempt = Some("x".to_owned()), false),
        ("on its way out", |world| world.job_manager().terminating = true, false),
        (
            "the old one",
            |world| {
                let mut status = world.status();
                status.job_manager_deployment_status = Some(api::JobManagerDeploymentStatus::Ready);
                world.resource.status = Some(status);
            },
            false,
        ),
    ];
    for (name, change, adopted) in cases {
        let mut world = World::stable(application("stateless"));
        world.change(restart(1));
        world.crash_after_recording();
        let mut status = world.status();
        assert_eq!(status.reconciliation_state(), api::ReconciliationState::Upgrading);
        status.job_manager_deployment_status = Some(api::JobManagerDeploymentStatus::Missing);
        world.resource.status = Some(status);
        let job_manager = world.job_manager();
        job_manager.attempt = None;
        job_manager.generation = Some(2);
        change(&mut world);
        world.round();
        let deployed = world.status().reconciliation_state() == api::ReconciliationState::Deployed;
        assert_eq!(deployed, adopted, "{name}");
        assert_eq!(world.observed.job_manager.is_some(), adopted || name == "on its way out", "{name}");
    }
    // Of somebody else.
    let mut world = World::stable(application("stateless"));
    world.change(restart(1));
    world.crash_after_recording();
    let job_manager = world.job_manager();
    job_manager.attempt = None;
    job_manager.generation = Some(2);
    job_manager.owned = false;
    world.round();
    assert!(world.error().contains("does not belong to this resource"));
}

#[test]
fn what_is_under_way_is_recorded_with_its_generation() {
    let mut world = World::stable(application("last-state"));
    world.change(restart(1));
    world.round();
    let operation = world.status().operation.unwrap();
    assert_eq!((operation.kind, operation.generation), (Some(OperationKind::Cancelling), Some(2)));
    let world = savepoints::stopping(application("savepoint"));
    let operation = world.status().operation.unwrap();
    assert_eq!((operation.kind, operation.generation), (Some(OperationKind::Stopping), Some(2)));
    let mut world = World::new(with_ha(application("savepoint")));
    world.pass();
    world.job_manager().never_started = true;
    world.pass();
    world.change(restart(1));
    world.round();
    let operation = world.status().operation.unwrap();
    assert_eq!((operation.kind, operation.generation), (Some(OperationKind::Withdrawing), Some(2)));
}
