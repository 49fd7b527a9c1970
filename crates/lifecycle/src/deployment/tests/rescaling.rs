//! Changes of the parallelism of vertices, which a running job takes over.

use std::collections::BTreeMap;

use api::{FlinkDeployment, JobStatusState, LifecycleState, OperationKind};
use serde_json::Value;

use super::world::{World, application, with};
use crate::observed::{Parallelism, VertexParallelism};
use crate::{FlinkRequest, ParallelismBounds, Question};

const SOURCE: &str = "cbc357ccb763df2852fee8c4fc7d55f2";
const SINK: &str = "90bea66de1c231edf33913ecd54406c1";
const OVERRIDES: &str = "pipeline.jobvertex-parallelism-overrides";

fn adaptive() -> Value {
    with(application("savepoint"), &[("jobmanager.scheduler", "Adaptive")])
}

fn overrides(text: &'static str) -> impl FnOnce(&mut FlinkDeployment) {
    move |resource| {
        let configuration = resource.spec.flink_configuration.as_mut().unwrap();
        configuration[OVERRIDES] = text.into();
    }
}

/// Flink says of both vertices: bounds, and how many subtasks there are.
fn parallelism(world: &mut World, lower: u32, upper: u32, current: u32) {
    let job_id = world.status().job_id().unwrap().to_owned();
    let vertex = VertexParallelism { bounds: ParallelismBounds { lower, upper }, current: Some(current) };
    let vertices = BTreeMap::from([(SOURCE.to_owned(), vertex), (SINK.to_owned(), vertex)]);
    let now = world.now;
    let answer = world.answer();
    answer.at = now;
    let since = answer.parallelism.as_ref().map_or(now, |before| before.since);
    answer.parallelism = Some(Parallelism { job_id, since, refusal: None, vertices });
}

/// Both vertices run 2 subtasks, and the source is to have 4.
fn asked() -> World {
    let mut world = World::stable(adaptive());
    world.change(overrides("cbc357ccb763df2852fee8c4fc7d55f2:4"));
    world.pass();
    assert_eq!(world.status().operation.unwrap().kind, Some(OperationKind::Scaling));
    assert!(world.calls.is_empty(), "what the job has is asked for first");
    assert_eq!(world.held().as_deref(), Some("Scaling"));
    let questions = world.decide().poll.unwrap().questions;
    assert!(questions.iter().any(|question| matches!(question, Question::Parallelism { .. })));
    world
}

/// Flink has answered, and can be told.
pub(super) fn taken() -> World {
    let mut world = asked();
    parallelism(&mut world, 1, 2, 2);
    world
}

fn rescale(world: &World) -> &BTreeMap<String, ParallelismBounds> {
    match world.calls.as_slice() {
        [FlinkRequest::Rescale { vertices, .. }] => vertices,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_running_job_is_told_its_new_parallelism() {
    let mut world = asked();
    parallelism(&mut world, 1, 2, 2);
    world.pass();
    let wanted = [
        (SINK.to_owned(), ParallelismBounds { lower: 1, upper: 2 }),
        (SOURCE.to_owned(), ParallelismBounds { lower: 1, upper: 4 }),
    ];
    assert_eq!(*rescale(&world), BTreeMap::from(wanted));
    assert_ne!(world.status().observed_generation, Some(2), "not before Flink says that it has it");
    let answer = world.answer().parallelism.as_mut().unwrap();
    answer.vertices.get_mut(SOURCE).unwrap().bounds.upper = 4;
    world.pass();
    assert_eq!((world.status().observed_generation, world.held()), (Some(2), None));
    assert_eq!(world.lifecycle(), LifecycleState::Deployed, "the job has 2 subtasks");
    let now = world.now;
    world.answer().at = now;
    world.answer().parallelism.as_mut().unwrap().vertices.get_mut(SOURCE).unwrap().current = Some(4);
    world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::Stable);
    assert_eq!((world.status().operation, world.created, world.calls.len()), (None, 1, 1));
    let mut told = world.reasons();
    told.retain(|event| !event.contains("SpecChanged"));
    assert_eq!(told, ["Normal Scaling Job"]);
    world.rests();
}

/// What the vertices are told.
fn told(world: &World) -> Vec<(&str, String)> {
    let Some(FlinkRequest::Rescale { vertices, .. }) = world.calls.last() else { return Vec::new() };
    vertices.iter().map(|(id, bounds)| (id.as_str(), bounds.to_string())).collect()
}

#[test]
fn a_change_that_is_taken_back_before_it_is_confirmed_is_undone() {
    let mut world = taken();
    world.pass();
    assert_eq!(told(&world), [(SINK, "1-2".to_owned()), (SOURCE, "1-4".to_owned())]);
    world.change(|resource| {
        resource.spec.flink_configuration.as_mut().unwrap().as_object_mut().unwrap().remove(OVERRIDES);
    });
    world.later(1);
    world.pass();
    assert_eq!(world.calls.len(), 1, "what Flink said before it was told does not count");
    parallelism(&mut world, 1, 2, 2);
    world.answer().parallelism.as_mut().unwrap().vertices.get_mut(SOURCE).unwrap().bounds.upper = 4;
    world.pass();
    assert_eq!(told(&world), [(SINK, "1-2".to_owned()), (SOURCE, "1-2".to_owned())]);
    assert_eq!(world.calls.len(), 2);
    assert!(world.status().operation.is_some(), "not before Flink says that it has it");
    parallelism(&mut world, 1, 2, 2);
    world.pass();
    assert_eq!((world.status().operation, world.calls.len(), world.created), (None, 2, 1));
    assert_eq!(world.status().observed_generation, Some(3));
    world.rests();
}

#[test]
fn a_change_that_replaces_one_which_was_not_confirmed_knows_what_was_there_before_both() {
    let mut world = taken();
    world.pass();
    world.change(overrides("cbc357ccb763df2852fee8c4fc7d55f2:3"));
    let vertices = &mut world.answer().parallelism.as_mut().unwrap().vertices;
    vertices.get_mut(SOURCE).unwrap().bounds.upper = 4;
    world.pass();
    let now = world.now;
    world.answer().at = now;
    world.pass();
    assert_eq!(told(&world), [(SINK, "1-2".to_owned()), (SOURCE, "1-3".to_owned())]);
    let before = world.status().operation.unwrap().parallelism_before.unwrap();
    assert_eq!(before[SOURCE], "1-2");
}

/// It was held up for longer than Flink may take, and knows only what Flink said before.
#[test]
fn an_operator_that_was_held_up_does_not_restart_the_job_because_of_that() {
    let mut world = taken();
    world.later(60);
    world.pass();
    assert_eq!(told(&world), [(SINK, "1-2".to_owned()), (SOURCE, "1-4".to_owned())]);
    assert_eq!(world.held().as_deref(), Some("Scaling"));
}

/// The job runs as it was told while it ran, and a new JobManager begins it.
fn began_anew() -> World {
    let mut world = taken();
    world.answer().parallelism.as_mut().unwrap().vertices.get_mut(SOURCE).unwrap().bounds.upper = 4;
    world.pass();
    parallelism(&mut world, 1, 4, 4);
    world.pass();
    assert_eq!((world.status().operation, world.lifecycle()), (None, LifecycleState::Stable));
    world.later(60);
    world.job_is(JobStatusState::Running);
    world.answer().jobs[0].start_time += 60_000;
    world.pass();
    world
}

#[test]
fn a_job_that_began_anew_is_told_what_it_was_told_before() {
    let mut world = began_anew();
    assert_eq!(world.status().operation.unwrap().kind, Some(OperationKind::Scaling));
    world.calls.clear();
    world.later(1);
    parallelism(&mut world, 1, 2, 2);
    world.answer().jobs[0].start_time += 60_000;
    world.pass();
    assert_eq!(told(&world), [(SINK, "1-2".to_owned()), (SOURCE, "1-4".to_owned())]);
    world.later(1);
    parallelism(&mut world, 1, 4, 4);
    world.pass();
    assert_eq!((world.status().operation, world.calls.len(), world.created), (None, 1, 1));
    assert_eq!(world.lifecycle(), LifecycleState::Stable);
    world.rests();
}

#[test]
fn a_job_that_began_anew_and_knows_its_parallelism_is_left_alone() {
    let mut world = began_anew();
    world.calls.clear();
    world.later(1);
    parallelism(&mut world, 1, 4, 4);
    world.pass();
    assert_eq!((world.status().operation, world.calls.len()), (None, 0));
    world.rests();
}

/// Its cluster was made with them.
#[test]
fn a_job_with_the_overrides_of_its_cluster_is_not_asked_when_it_begins_anew() {
    let spec = with(
        application("savepoint"),
        &[("jobmanager.scheduler", "Adaptive"), (OVERRIDES, "cbc357ccb763df2852fee8c4fc7d55f2:4")],
    );
    let mut world = World::stable(spec);
    world.later(60);
    world.job_is(JobStatusState::Running);
    world.answer().jobs[0].start_time += 60_000;
    world.pass();
    assert_eq!(world.status().operation, None);
    world.rests();
}

#[test]
fn the_least_parallelism_never_exceeds_the_most() {
    let mut world = asked();
    parallelism(&mut world, 6, 8, 8);
    world.pass();
    assert_eq!(rescale(&world)[SOURCE], ParallelismBounds { lower: 4, upper: 4 });
}

#[test]
fn what_flink_said_before_is_not_what_it_has_now() {
    let mut world = asked();
    parallelism(&mut world, 1, 4, 4);
    world.answer().at = jiff::Timestamp::UNIX_EPOCH;
    world.pass();
    assert_ne!(world.status().observed_generation, Some(2));
}

/// Asked again for what the job has already: nothing is sent, and the spec counts as deployed.
#[test]
fn a_job_that_has_the_parallelism_already_is_not_told() {
    let mut world = asked();
    parallelism(&mut world, 1, 4, 4);
    world.pass();
    assert!(world.calls.is_empty());
    assert_eq!(world.status().observed_generation, Some(2));
}

#[test]
fn w_49_a_job_that_does_not_get_there_is_told_and_runs_on() {
    let mut world = asked();
    parallelism(&mut world, 1, 4, 2);
    world.pass();
    world.later(299);
    parallelism(&mut world, 1, 4, 2);
    world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::Deployed);
    world.reasons();
    world.later(1);
    world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::Stable);
    let event = world.events.iter().find(|event| event.reason.as_str() == "Error").unwrap();
    assert!(event.message.contains(&format!("vertex {SOURCE} has 2 of 4")), "{}", event.message);
    assert_eq!((world.status().operation, world.created), (None, 1));
    assert!(!event.message.contains(SINK), "{}", event.message);
}

/// Somebody has set it back, or an operator that was away did.
#[test]
fn a_job_that_is_set_back_is_told_again() {
    let mut world = asked();
    parallelism(&mut world, 1, 4, 2);
    world.pass();
    parallelism(&mut world, 1, 2, 2);
    world.pass();
    assert_eq!(rescale(&world)[SOURCE].upper, 4);
    assert_eq!(world.lifecycle(), LifecycleState::Deployed);
}

fn is_restarted(world: &mut World) -> bool {
    world.pass();
    world.calls.iter().any(|call| matches!(call, FlinkRequest::StopWithSavepoint { .. }))
}

#[test]
fn a_job_that_flink_cannot_rescale_is_restarted() {
    let mut world = asked();
    parallelism(&mut world, 1, 2, 2);
    world.answer().parallelism.as_mut().unwrap().refusal = Some("DefaultScheduler".to_owned());
    assert!(!is_restarted(&mut world), "it may be a passing error");
    world.later(44);
    let now = world.now;
    world.answer().at = now;
    assert!(!is_restarted(&mut world));
    world.later(1);
    let now = world.now;
    world.answer().at = now;
    assert!(is_restarted(&mut world));
}

#[test]
fn a_job_that_does_not_take_the_new_parallelism_is_restarted() {
    let mut world = asked();
    for _ in 0..4 {
        parallelism(&mut world, 1, 2, 2);
        world.pass();
        world.later(9);
    }
    assert!(world.calls.len() > 1, "it is repeated");
    world.later(9);
    parallelism(&mut world, 1, 2, 2);
    assert!(is_restarted(&mut world));
}

/// The time in which nobody told Flink anything does not count.
#[test]
fn an_operator_that_was_away_tells_flink_before_it_restarts_the_job() {
    let mut world = asked();
    world.later(1000);
    assert!(!is_restarted(&mut world));
    parallelism(&mut world, 1, 2, 2);
    assert!(!is_restarted(&mut world));
    assert_eq!(rescale(&world)[SOURCE].upper, 4);
}

/// What the vertex had before its first override is not known.
#[test]
fn an_override_that_is_taken_away_restarts_the_job() {
    let mut world = World::stable(with(adaptive(), &[(OVERRIDES, "cbc357ccb763df2852fee8c4fc7d55f2:4")]));
    world.change(overrides("90bea66de1c231edf33913ecd54406c1:4"));
    world.pass();
    parallelism(&mut world, 1, 4, 4);
    assert!(is_restarted(&mut world));
}

#[test]
fn without_the_adaptive_scheduler_or_the_permission_the_job_is_restarted_at_once() {
    let forbidden = ("kubernetes.operator.job.upgrade.inplace-scaling.enabled", "false");
    for spec in [application("savepoint"), with(adaptive(), &[forbidden])] {
        let mut world = World::stable(spec);
        world.change(overrides("cbc357ccb763df2852fee8c4fc7d55f2:4"));
        assert!(is_restarted(&mut world));
    }
}

#[test]
fn other_changes_beside_the_parallelism_restart_the_job() {
    let mut world = World::stable(adaptive());
    world.change(|resource| {
        overrides("cbc357ccb763df2852fee8c4fc7d55f2:4")(resource);
        resource.spec.job.as_mut().unwrap().parallelism = Some(3);
    });
    assert!(is_restarted(&mut world));
}

#[test]
fn a_parallelism_that_is_no_number_is_refused_and_the_job_runs_on() {
    let mut world = World::stable(adaptive());
    world.change(overrides("cbc357ccb763df2852fee8c4fc7d55f2:many"));
    world.pass();
    assert_eq!(world.held().as_deref(), Some("ValidationError"));
    assert!(world.error().contains("a number above 0"), "{}", world.error());
    assert!(world.calls.is_empty());
}

/// That they start again is what was asked for, and nobody has to be told.
#[test]
fn tasks_that_start_again_keep_the_job_from_being_stable_and_are_not_told() {
    let mut world = asked();
    parallelism(&mut world, 1, 4, 2);
    world.pass();
    world.reasons();
    world.job_is(JobStatusState::Created);
    parallelism(&mut world, 1, 4, 4);
    world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::Deployed);
    assert_eq!(world.reasons(), Vec::<String>::new());
    world.job_is(JobStatusState::Running);
    parallelism(&mut world, 1, 4, 4);
    world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::Stable);
    assert_eq!(world.reasons(), Vec::<String>::new());
}

#[test]
fn a_job_that_ends_while_it_is_rescaled_is_not_waited_for() {
    let mut world = asked();
    parallelism(&mut world, 1, 4, 2);
    world.pass();
    world.job_is(JobStatusState::Finished);
    world.pass();
    assert_eq!(world.status().operation, None);
}
