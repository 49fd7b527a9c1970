//! Session clusters whose spec changes.

use api::{JobStatusState, LifecycleState, ReconciliationState};

use super::world::{World, restart, session, with, with_ha};
use crate::observed::{FlinkFailure, FlinkView, HaJob, HaMetadata, JobGraphs, JobOverview};

fn job(id: char, state: JobStatusState) -> JobOverview {
    JobOverview {
        job_id: String::from(id).repeat(32),
        name: format!("job-{id}"),
        state,
        start_time: 0,
        tasks_total: 1,
        tasks_running: 1,
        tasks_finished: 0,
        ended_since: None,
    }
}

fn replaced(world: &mut World) {
    for _ in 0..3 {
        world.pass();
    }
    assert_eq!(world.created, 2, "{:?}", world.held());
    world.job_is(JobStatusState::Running);
    world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::Stable);
}

#[test]
fn an_empty_session_cluster_is_replaced() {
    let mut world = World::stable(session());
    world.answer().jobs = vec![job('a', JobStatusState::Finished)];
    world.change(restart(1));
    replaced(&mut world);
    assert_eq!(
        world.lifecycles,
        [LifecycleState::Upgrading, LifecycleState::Deployed, LifecycleState::Stable]
    );
    assert_eq!(world.status().job_state(), None, "a session cluster has no job of its own");
}

#[test]
fn w_40_a_change_waits_while_jobs_would_be_lost() {
    let mut world = World::stable(session());
    world.answer().jobs = vec![job('a', JobStatusState::Running), job('b', JobStatusState::Failed)];
    world.change(restart(1));
    world.pass();
    world.pass();
    assert_eq!(world.created, 1);
    assert!(world.observed.job_manager.is_some());
    let (reason, message) = world.condition("SpecAccepted").unwrap();
    assert_eq!(reason, "JobsWouldBeLost");
    assert!(message.contains("job-a") && !message.contains("job-b"), "{message}");
    assert!(message.contains("block-on-running-jobs") && message.contains("high-availability"));
    world.answer().jobs[0].state = JobStatusState::Canceled;
    replaced(&mut world);
    assert_eq!(world.held(), None);
}

#[test]
fn w_40_the_user_can_give_the_jobs_up_and_ha_keeps_them() {
    let off = [("kubernetes.operator.session.upgrade.block-on-running-jobs", "false")];
    let mut world = World::stable(with(session(), &off));
    world.answer().jobs = vec![job('a', JobStatusState::Running)];
    world.change(restart(1));
    replaced(&mut world);

    let mut world = World::stable(with_ha(session()));
    world.observed.ha = Some(HaMetadata {
        config_maps: vec![("app-aa-config-map".to_owned(), "u".to_owned())],
        job_graphs: vec![JobGraphs {
            config_map: "app-cluster-config-map".to_owned(),
            uid: "u".to_owned(),
            resource_version: None,
            keys: vec!["jobGraph-a".to_owned()],
        }],
        jobs: vec![HaJob { config_map: "app-aa-config-map".to_owned(), has_checkpoint: true }],
    });
    world.answer().jobs = vec![job('a', JobStatusState::Running)];
    world.change(restart(1));
    replaced(&mut world);
    assert_eq!(world.observed.ha.as_ref().unwrap().config_maps.len(), 1, "Flink recovers its jobs from it");
    assert_eq!(world.scaled, [0], "the JobManager ends first");
}

#[test]
fn w_40_unknown_is_not_none() {
    let mut world = World::stable(session());
    world.observed.flink = FlinkView::default();
    world.change(restart(1));
    world.pass();
    assert_eq!(world.held().as_deref(), Some("JobsUnknown"));
    let since = world.now;
    let failure = FlinkFailure { since, unreachable: true, untrusted: false, message: "refused".to_owned() };
    world.observed.flink.failure = Some(failure);
    world.later(200);
    world.pass();
    assert_eq!(world.created, 1);
    world.later(101);
    world.pass();
    world.pass();
    assert_eq!(world.created, 2, "one that never answers keeps no change away for ever");
}

#[test]
fn a_session_cluster_that_does_not_come_up_can_be_repaired() {
    let mut world = World::new(session());
    world.pass();
    world.change(restart(1));
    world.pass();
    world.pass();
    assert_eq!(world.created, 2);
}

#[test]
fn w_05_an_upgrade_under_way_goes_on_although_the_spec_becomes_invalid() {
    let mut world = World::stable(session());
    world.change(restart(1));
    world.round();
    assert_eq!(world.status().reconciliation_state(), ReconciliationState::Upgrading);
    world.change(|resource| {
        resource.spec.flink_configuration =
            serde_json::from_value(serde_json::json!({"rest.port": "none"})).unwrap();
    });
    world.pass();
    world.pass();
    assert_eq!(world.created, 2, "the recorded spec is deployed");
    assert_eq!(world.held().as_deref(), Some("ValidationError"));
    assert!(!world.error().is_empty());
}
