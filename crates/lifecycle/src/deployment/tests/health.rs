//! Restarts of jobs that are not healthy.

use api::{JobStatusState, LifecycleState};

use super::super::restore::LAST_STATE_MARKER;
use super::world::{World, application, with, with_ha};
use crate::observed::{HaMetadata, JobMetrics};

const HEALTH: (&str, &str) = ("kubernetes.operator.cluster.health-check.enabled", "true");

pub(super) fn counters(world: &mut World, restarts: i64, checkpoints: i64) {
    world.job_is(JobStatusState::Running);
    world.answer().metrics =
        Some(JobMetrics { restarts: Some(restarts), completed_checkpoints: Some(checkpoints) });
}

pub(super) fn watched(spec: serde_json::Value) -> World {
    let mut world = World::stable(with(spec, &[HEALTH]));
    counters(&mut world, 0, 0);
    world.pass();
    world.reasons();
    world
}

#[test]
fn a_healthy_job_costs_no_write_and_its_counters_are_asked_for() {
    let mut world = watched(with_ha(application("last-state")));
    assert!(world.status().cluster_info.unwrap().contains_key("ClusterHealthInfo"));
    world.later(60);
    counters(&mut world, 0, 5);
    world.rests();
    let decision = world.decide();
    assert!(
        decision.poll.unwrap().questions.iter().any(|one| matches!(one, crate::Question::Metrics { .. }))
    );
    assert!(matches!(decision.requeue, crate::Requeue::After(delay) if delay.as_secs() <= 60));
}

#[test]
fn too_many_restarts_replace_the_cluster_and_keep_its_state() {
    let mut world = watched(with_ha(application("last-state")));
    world.ha_job(true);
    let job_id = world.status().job_id().map(str::to_owned);
    world.later(60);
    counters(&mut world, 65, 0);
    for _ in 0..4 {
        world.pass();
    }
    assert_eq!(world.created, 2);
    assert_eq!(world.scaled, [0], "the JobManager first, so that the metadata survives");
    assert_eq!(world.restored_from.last().unwrap().as_deref(), Some(LAST_STATE_MARKER));
    assert_eq!(world.status().job_id().map(str::to_owned), job_id);
    assert_eq!(world.lifecycles, [LifecycleState::Stable], "as the Java operator shows it");
    assert_eq!(world.reasons(), ["Warning RestartUnhealthyJob Job", "Normal Submit JobManagerDeployment"]);
    assert!(!world.status().cluster_info.unwrap().contains_key("ClusterHealthInfo"), "counted anew");
}

#[test]
fn metadata_is_read_before_an_unhealthy_job_is_restarted() {
    let mut world = watched(with_ha(application("last-state")));
    world.later(60);
    counters(&mut world, 65, 0);
    let ha = world.observed.ha.take();
    let requeue = world.pass();
    assert_eq!(requeue, crate::Requeue::After(std::time::Duration::from_secs(1)));
    assert!(world.scaled.is_empty() && world.events.is_empty());
    assert!(world.reads().ha);
    world.observed.ha = ha;
    world.ha_job(true);
    world.pass();
    assert_eq!(world.scaled, [0]);
}

#[test]
fn an_unhealthy_job_whose_state_would_be_lost_is_told_only() {
    let mut world = watched(application("last-state"));
    world.observed.ha = Some(HaMetadata::default());
    world.later(60);
    counters(&mut world, 65, 0);
    world.pass();
    assert!(world.observed.job_manager.is_some());
    assert_eq!(world.held().as_deref(), Some("Unhealthy"));
}

#[test]
fn an_unhealthy_stateless_job_is_restarted_without_ha() {
    let mut world = watched(application("stateless"));
    world.later(60);
    counters(&mut world, 65, 0);
    world.pass();
    world.pass();
    assert_eq!(world.created, 2);
    assert_eq!(world.restored_from.last().unwrap(), &None);
}

#[test]
fn without_the_check_nothing_is_counted() {
    let mut world = World::stable(application("stateless"));
    counters(&mut world, 1000, 0);
    world.pass();
    assert!(!world.status().cluster_info.unwrap().contains_key("ClusterHealthInfo"));
}
