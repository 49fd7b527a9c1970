//! Standalone clusters: the same life, and TaskManagers of the operator's own.

use api::{FlinkDeployment, JobState, JobStatusState, LifecycleState, ReconciliationState};
use serde_json::{Value, json};

use super::world::{World, application, job_state, restart, session, with};
use crate::observed::{TaskManagers, TaskManagersView};
use crate::{Effect, FlinkRequest, Requeue, ScaleObject};

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
        autoscaled: false,
    }
}

/// A stable cluster with so many TaskManagers, of which the cache knows.
fn stable(spec: Value, task_managers: i32) -> World {
    let mut world = World::stable(standalone(spec));
    world.known_task_managers = Some(there(task_managers));
    world
}

/// The cache knows this of the TaskManagers, and they are read if that is wanted.
fn told(world: &mut World, known: Option<TaskManagers>) {
    world.known_task_managers.clone_from(&known);
    world.observed.task_managers = match (world.reads().task_managers, known) {
        (false, _) => TaskManagersView::Unread,
        (true, None) => TaskManagersView::Absent,
        (true, Some(known)) => TaskManagersView::There(known),
    };
}

#[test]
fn a_cluster_comes_up_and_is_upgraded_like_any_other() {
    let mut world = stable(application("savepoint"), 1);
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

/// The objects that were created besides clusters.
fn created(world: &World) -> Vec<Value> {
    world.applied.iter().map(|object| serde_json::to_value(object).unwrap()).collect()
}

#[test]
fn task_managers_that_somebody_deleted_come_back() {
    let mut spec = application("savepoint");
    spec["job"]["parallelism"] = json!(3);
    let mut world = stable(spec, 3);
    let attempt = world.job_manager().attempt.clone();
    told(&mut world, Some(TaskManagers { terminating: true, ..there(3) }));
    let again = world.pass();
    assert_eq!(again, Requeue::After(std::time::Duration::from_secs(10)), "they still go");
    assert!(world.applied.is_empty() && world.scaled.is_empty());
    world.observed.task_managers = TaskManagersView::Unknown;
    let again = world.pass();
    assert_eq!(again, Requeue::After(std::time::Duration::from_secs(10)), "the API server did not say");
    assert!(world.applied.is_empty());
    told(&mut world, None);
    assert!(world.reads().task_managers, "what the cache does not know may be there");
    world.pass();
    let created = created(&world);
    let [task_managers] = created.as_slice() else { panic!("{created:?}") };
    let meta = &task_managers["metadata"];
    assert_eq!((&task_managers["kind"], &meta["name"]), (&json!("Deployment"), &json!("app-taskmanager")));
    assert_eq!(meta["ownerReferences"][0]["uid"], "jm-1", "they go with their JobManager");
    assert_eq!(meta["annotations"][resources::ATTEMPT_ANNOTATION], json!(attempt));
    assert_eq!(task_managers["spec"]["replicas"], 3);
    assert_eq!(world.created, 1, "the JobManager goes on");
    told(&mut world, Some(there(3)));
    assert!(!world.reads().task_managers, "nobody looks at those of a cluster that is well");
}

#[test]
fn task_managers_that_somebody_scaled_are_scaled_back() {
    let mut application = application("savepoint");
    application["job"]["parallelism"] = json!(2);
    let mut session = session();
    session["taskManager"]["replicas"] = json!(3);
    for (spec, wanted) in [(application, 2), (session, 3)] {
        let mut world = stable(spec, wanted);
        let before = world.status();
        for wrong in [0, 5] {
            told(&mut world, Some(there(wrong)));
            assert!(world.reads().task_managers, "the version that is scaled is read");
            let effects = world.decide().effects;
            let [Effect::Scale(scale)] = effects.as_slice() else { panic!("{effects:?}") };
            let ScaleObject { object, resource_version, replicas } = scale;
            assert_eq!((object.name.as_str(), object.uid.as_deref()), ("app-taskmanager", Some("tm")));
            assert_eq!((resource_version.as_deref(), *replicas), (Some("7"), wanted));
        }
        told(&mut world, Some(there(wanted)));
        world.pass();
        assert!(world.scaled.is_empty() && world.calls.is_empty());
        assert_eq!(world.status(), before, "no status tells of it");
    }
}

#[test]
fn the_number_of_task_managers_may_be_somebody_elses() {
    type Change = fn(TaskManagers) -> TaskManagers;

    let autoscaled = |known: TaskManagers| TaskManagers { autoscaled: true, ..known };
    let of_java = |known: TaskManagers| TaskManagers { owned_by_resource: true, job_manager: None, ..known };
    let same = |known: TaskManagers| known;
    let adaptive = with(application("savepoint"), &[("scheduler-mode", "reactive")]);
    let foreign = |known: TaskManagers| TaskManagers { job_manager: None, ..known };
    let cases: [(&str, Value, Change, bool); 5] = [
        ("of the Java operator", session(), of_java, true),
        ("a HorizontalPodAutoscaler of the Deployment", session(), autoscaled, false),
        ("a reactive job", adaptive, same, false),
        ("a native cluster", session(), same, false),
        ("somebody else's Deployment", session(), foreign, false),
    ];
    for (what, spec, change, scaled) in cases {
        let spec = if what == "a native cluster" { spec } else { standalone(spec) };
        let mut world = World::stable(spec);
        told(&mut world, Some(change(there(4))));
        world.round();
        assert_eq!(world.scaled.len(), usize::from(scaled), "{what}");
    }
}

#[test]
fn a_change_of_the_spec_goes_before_what_somebody_did_to_the_task_managers() {
    let mut world = stable(session(), 1);
    world.change(replicas(3));
    told(&mut world, Some(there(3)));
    world.pass();
    assert!(world.scaled.is_empty(), "the number that is wanted now");
    assert_eq!(world.lifecycle(), LifecycleState::Stable);
}

#[test]
fn task_managers_of_a_cluster_that_is_not_up_are_left_as_they_are() {
    let mut finished = stable(application("savepoint"), 1);
    finished.job_is(JobStatusState::Finished);
    finished.pass();
    let mut upgraded = stable(application("savepoint"), 1);
    upgraded.change(restart(1));
    upgraded.round();
    for mut world in [finished, upgraded] {
        world.observed.task_managers = TaskManagersView::There(there(4));
        world.round();
        assert!(world.scaled.is_empty());
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
    let lost = World::stable(standalone(application("savepoint")));
    assert!(lost.reads().task_managers, "the cache knows none");
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
    let world = World::stable(application("savepoint"));
    assert!(!world.reads().task_managers, "native: Flink makes them");

    let mut world = World::stable(standalone(application("savepoint")));
    world.job_is(JobStatusState::Finished);
    world.observed.task_managers = TaskManagersView::Absent;
    world.pass();
    world.pass();
    assert!(world.applied.is_empty(), "no job needs them");
}

#[test]
fn session_clusters_may_be_without_task_managers() {
    let mut world = stable(session(), 1);
    world.observed.task_managers = TaskManagersView::There(there(1));
    world.change(replicas(0));
    world.round();
    world.round();
    assert_eq!((world.scaled.as_slice(), world.created), ([0].as_slice(), 1));
    world.observed.task_managers = TaskManagersView::There(there(0));
    world.pass();
    told(&mut world, Some(there(0)));
    world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::Stable);
    assert_eq!(world.status().task_manager.unwrap().replicas, Some(0));
    assert!(!world.reads().task_managers, "there is what is wanted");
}
