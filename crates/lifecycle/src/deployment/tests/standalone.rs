//! Standalone clusters: the same life, and TaskManagers of the operator's own.

use api::{FlinkDeployment, JobState, JobStatusState, LifecycleState, ReconciliationState};
use serde_json::{Value, json};

use super::world::{World, application, job_state, restart, session, with};
use crate::observed::{TaskManagers, TaskManagersView};
use crate::{Effect, FlinkRequest, Requeue};

fn standalone(mut spec: Value) -> Value {
    spec["mode"] = json!("standalone");
    spec
}

fn reactive() -> Value {
    standalone(with(application("savepoint"), &[("scheduler-mode", "reactive")]))
}

fn parallelism(parallelism: i32) -> impl FnOnce(&mut FlinkDeployment) {
    move |resource| resource.spec.job.as_mut().unwrap().parallelism = Some(parallelism)
}

fn replicas(replicas: i32) -> impl FnOnce(&mut FlinkDeployment) {
    move |resource| resource.spec.task_manager.as_mut().unwrap().replicas = Some(replicas)
}

fn there(desired_replicas: i32) -> TaskManagers {
    TaskManagers {
        uid: "tm".to_owned(),
        resource_version: Some("7".to_owned()),
        owned_by_resource: false,
        job_manager: Some("jm-1".to_owned()),
        terminating: false,
        desired_replicas,
    }
}

#[test]
fn a_cluster_comes_up_and_is_upgraded_like_any_other() {
    let mut world = World::stable(standalone(application("savepoint")));
    assert!(!world.reads().task_managers, "nobody looks at those of a cluster that is well");
    world.change(restart(1));
    world.pass();
    assert!(matches!(world.calls.as_slice(), [FlinkRequest::StopWithSavepoint { .. }]));
    world.job_is(JobStatusState::Finished);
    world.stop_is(crate::observed::OperationResult::Completed("file:///sp/1".to_owned()));
    world.pass();
    world.pass();
    assert_eq!(world.created, 2);
    assert_eq!(world.restored_from.last().unwrap().as_deref(), Some("file:///sp/1"));
}

#[test]
fn reactive_jobs_are_scaled_by_replicas_without_an_upgrade() {
    let mut world = World::stable(reactive());
    world.lifecycles.clear();
    world.observed.task_managers = TaskManagersView::There(there(1));
    world.change(parallelism(4));
    assert!(world.reads().task_managers);
    assert_eq!(world.round(), Requeue::AtOnce);
    assert!(world.scaled.is_empty(), "recorded first");
    assert_eq!(world.status().reconciliation_state(), ReconciliationState::Deployed);
    assert!(world.reads().task_managers, "until it is done");
    world.round();
    assert_eq!(world.scaled, [4]);
    assert_eq!(world.created, 1);
    world.observed.task_managers = TaskManagersView::There(there(4));
    world.pass();
    assert_eq!(world.scaled, [4], "once");
    assert!(world.status().operation.is_none());
    world.job_is(JobStatusState::Running);
    world.pass();
    assert_eq!(world.lifecycles, [LifecycleState::Deployed, LifecycleState::Stable]);
    assert_eq!(world.status().observed_generation, world.resource.metadata.generation);
    assert_eq!(world.status().task_manager.unwrap().replicas, Some(4), "what a HorizontalPodAutoscaler sees");
    assert!(world.calls.is_empty());
}

#[test]
fn a_job_manager_that_is_called_like_our_task_managers_is_not_scaled() {
    let mut world = World::stable(reactive());
    world.observed.task_managers = TaskManagersView::There(TaskManagers { job_manager: None, ..there(1) });
    world.change(parallelism(4));
    world.round();
    world.round();
    assert!(world.scaled.is_empty());
}

#[test]
fn a_crash_after_the_record_of_a_scaling_loses_nothing() {
    let mut world = World::stable(reactive());
    world.observed.task_managers = TaskManagersView::There(there(1));
    world.change(parallelism(4));
    world.crash_after_recording();
    world.crash_after_recording();
    world.round();
    assert_eq!(world.scaled, [4]);
}

#[test]
fn the_newest_of_two_scalings_counts() {
    let mut world = World::stable(reactive());
    world.observed.task_managers = TaskManagersView::There(there(1));
    world.change(parallelism(4));
    world.round();
    world.change(parallelism(2));
    world.round();
    world.scaled.clear();
    world.round();
    assert_eq!(world.scaled, [2]);
}

#[test]
fn a_scaling_that_comes_late_meets_another_version() {
    let mut world = World::stable(reactive());
    world.observed.task_managers = TaskManagersView::There(there(1));
    world.change(parallelism(4));
    world.round();
    let effects = world.decide().effects;
    let [Effect::Scale(scale)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((scale.object.uid.as_deref(), scale.resource_version.as_deref()), (Some("tm"), Some("7")));
}

#[test]
fn session_clusters_are_scaled_in_place() {
    let mut world = World::stable(standalone(session()));
    world.observed.task_managers = TaskManagersView::There(there(1));
    world.change(replicas(3));
    world.round();
    world.round();
    assert_eq!((world.scaled.as_slice(), world.created), ([3].as_slice(), 1));
    world.observed.task_managers = TaskManagersView::There(there(3));
    world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::Stable);
    let shown = world.status().task_manager.unwrap();
    assert_eq!(
        (shown.replicas, shown.label_selector.as_deref()),
        (Some(3), Some("component=taskmanager,app=app"))
    );
}

#[test]
fn other_changes_and_jobs_that_do_not_adapt_are_upgraded() {
    let mut world = World::stable(standalone(application("stateless")));
    world.observed.task_managers = TaskManagersView::There(there(1));
    world.change(parallelism(4));
    world.pass();
    world.pass();
    assert_eq!((world.created, world.scaled.len()), (2, 0), "not reactive");

    let mut world = World::stable(standalone(session()));
    world.observed.task_managers = TaskManagersView::There(there(1));
    world.change(|resource| {
        replicas(3)(resource);
        resource.spec.image = Some("flink:other".to_owned());
    });
    world.pass();
    world.pass();
    assert_eq!((world.created, world.scaled.len()), (2, 0), "more than replicas");

    let mut world = World::stable(reactive());
    world.observed.task_managers = TaskManagersView::There(there(1));
    world.change(|resource| {
        parallelism(4)(resource);
        job_state(JobState::Suspended)(resource);
    });
    world.pass();
    assert!(world.scaled.is_empty() && !world.calls.is_empty(), "suspended");
}

#[test]
fn task_managers_that_the_java_operator_made_go_with_their_job_manager() {
    for wanted in [JobState::Running, JobState::Suspended] {
        let mut world = World::stable(standalone(application("stateless")));
        let of_java = TaskManagers { owned_by_resource: true, job_manager: None, ..there(1) };
        world.observed.task_managers = TaskManagersView::There(of_java);
        world.change(|resource| {
            restart(1)(resource);
            job_state(wanted)(resource);
        });
        let mut deleted = Vec::new();
        for _ in 0..6 {
            let reads = world.reads();
            let effects = world.decide().effects.into_iter();
            deleted.extend(effects.filter_map(|effect| match effect {
                Effect::Delete(delete) => Some((delete.object.name, reads.task_managers)),
                _ => None,
            }));
            world.round();
        }
        let expected = [("app-taskmanager", true), ("app", true)];
        assert_eq!(deleted, expected.map(|(name, read)| (name.to_owned(), read)), "{wanted:?}");
    }
}

/// The JobManager says that it has no TaskManagers.
fn has_no_task_managers(world: &mut World, state: JobStatusState) {
    world.job_is(state);
    world.answer().task_managers = Some(0);
}

/// The objects that were created besides clusters.
fn created(world: &World) -> Vec<Value> {
    world.applied.iter().map(|object| serde_json::to_value(object).unwrap()).collect()
}

#[test]
fn task_managers_that_somebody_deleted_come_back() {
    let mut spec = standalone(application("savepoint"));
    spec["job"]["parallelism"] = json!(3);
    let mut world = World::stable(spec);
    let attempt = world.job_manager().attempt.clone();
    has_no_task_managers(&mut world, JobStatusState::Restarting);
    assert!(world.reads().task_managers);
    world.observed.task_managers = TaskManagersView::There(there(2));
    world.pass();
    assert!(world.applied.is_empty(), "they are only not up yet");
    world.observed.task_managers = TaskManagersView::Absent;
    world.pass();
    let created = created(&world);
    let [task_managers] = created.as_slice() else { panic!("{created:?}") };
    let meta = &task_managers["metadata"];
    assert_eq!((&task_managers["kind"], &meta["name"]), (&json!("Deployment"), &json!("app-taskmanager")));
    assert_eq!(meta["ownerReferences"][0]["uid"], "jm-1", "they go with their JobManager");
    assert_eq!(meta["annotations"][resources::ATTEMPT_ANNOTATION], json!(attempt));
    assert_eq!(task_managers["spec"]["replicas"], 3);
    assert_eq!(world.created, 1, "the JobManager goes on");
    world.observed.task_managers = TaskManagersView::Unread;
    world.job_is(JobStatusState::Running);
    world.pass();
    assert!(!world.reads().task_managers, "nobody looks at those of a cluster that is well");
}

#[test]
fn task_managers_that_are_only_going_are_looked_at_again() {
    for (terminating, seconds) in [(true, 10), (false, 60)] {
        let mut world = World::stable(standalone(session()));
        has_no_task_managers(&mut world, JobStatusState::Running);
        world.observed.task_managers = TaskManagersView::There(TaskManagers { terminating, ..there(1) });
        let again = world.pass();
        assert_eq!(again, Requeue::After(std::time::Duration::from_secs(seconds)), "{terminating}");
        assert!(world.applied.is_empty());
    }
}

#[test]
fn lost_task_managers_come_back_in_the_number_that_is_wanted_now() {
    let mut world = World::stable(standalone(session()));
    world.observed.task_managers = TaskManagersView::There(there(1));
    world.change(replicas(3));
    world.round();
    world.observed.task_managers = TaskManagersView::Absent;
    world.round();
    assert_eq!(created(&world)[0]["spec"]["replicas"], 3);
    assert!(world.scaled.is_empty());
    world.observed.task_managers = TaskManagersView::There(there(3));
    world.pass();
    assert!(world.status().operation.is_none());
}

#[test]
fn somebody_elses_deployment_in_the_place_of_lost_task_managers_is_told() {
    let foreign = || TaskManagersView::There(TaskManagers { job_manager: None, ..there(1) });
    let mut lost = World::stable(standalone(application("savepoint")));
    has_no_task_managers(&mut lost, JobStatusState::Restarting);
    let mut scaled = World::stable(standalone(session()));
    scaled.change(replicas(3));
    scaled.round();
    for mut world in [lost, scaled] {
        world.observed.task_managers = foreign();
        world.pass();
        assert!(world.applied.is_empty() && world.scaled.is_empty());
        assert_eq!(world.held().as_deref(), Some("DeploymentExists"));
        assert!(world.condition("SpecAccepted").unwrap().1.contains("app-taskmanager"));
        world.observed.task_managers = TaskManagersView::Absent;
        world.pass();
        assert_eq!(created(&world).len(), 1, "it is gone");
    }
}

#[test]
fn task_managers_that_nobody_needs_do_not_come_back() {
    let mut world = World::stable(application("savepoint"));
    has_no_task_managers(&mut world, JobStatusState::Restarting);
    assert!(!world.reads().task_managers, "native: Flink makes them");

    let mut world = World::stable(standalone(application("savepoint")));
    has_no_task_managers(&mut world, JobStatusState::Finished);
    world.observed.task_managers = TaskManagersView::Absent;
    world.pass();
    world.pass();
    assert!(world.applied.is_empty(), "no job needs them");
}

#[test]
fn session_clusters_may_be_without_task_managers() {
    let mut world = World::stable(standalone(session()));
    world.observed.task_managers = TaskManagersView::There(there(1));
    world.change(replicas(0));
    world.round();
    world.round();
    assert_eq!((world.scaled.as_slice(), world.created), ([0].as_slice(), 1));
    world.observed.task_managers = TaskManagersView::There(there(0));
    has_no_task_managers(&mut world, JobStatusState::Running);
    world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::Stable);
    assert_eq!(world.status().task_manager.unwrap().replicas, Some(0));
    assert!(!world.reads().task_managers, "nobody looks for what is not wanted");
}
