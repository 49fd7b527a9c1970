//! Going back to the last stable spec.

use api::{
    FlinkDeployment, JobManagerDeploymentStatus as Jm, JobState, JobStatusState, LifecycleState,
    OperationKind, ReconciliationState,
};

use super::super::restore::LAST_STATE_MARKER;
use super::world::{World, application, job_state, restart, session, with, with_ha};
use crate::FlinkRequest;
use crate::observed::{FlinkView, HaJob, HaMetadata};

const ROLLBACK: (&str, &str) = ("kubernetes.operator.deployment.rollback.enabled", "true");

pub(super) fn bad_image(resource: &mut FlinkDeployment) {
    resource.spec.image = Some("flink:bad".to_owned());
}

/// A last-state upgrade to a spec whose job does not come up, just before its time is over.
pub(super) fn failing(options: &[(&str, &str)]) -> World {
    let spec = with(with_ha(application("last-state")), &[ROLLBACK]);
    let mut world = World::stable(with(spec, options));
    world.ha_job(true);
    world.change(bad_image);
    for _ in 0..3 {
        if world.created == 1 && matches!(world.job_state(), Some(JobStatusState::Cancelling)) {
            world.job_is(JobStatusState::Canceled);
            world.completed(1, "file:///cp/1");
        }
        world.pass();
    }
    assert_eq!(world.created, 2);
    world.ha_job(true);
    world.job_is(JobStatusState::Restarting);
    world.pass();
    world.reasons();
    world.scaled.clear();
    world.lifecycles.clear();
    world
}

/// The same after its time.
pub(super) fn expired(options: &[(&str, &str)]) -> World {
    let mut world = failing(options);
    world.later(301);
    world.job_is(JobStatusState::Restarting);
    world
}

pub(super) fn rolled_back() -> World {
    let mut world = expired(&[]);
    for _ in 0..4 {
        world.pass();
    }
    world.job_is(JobStatusState::Running);
    world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::RolledBack, "{:?}", world.status());
    world.reasons();
    world
}

fn image(recorded: Option<&str>) -> String {
    let recorded: serde_json::Value = serde_json::from_str(recorded.unwrap()).unwrap();
    recorded["spec"]["image"].as_str().unwrap().to_owned()
}

#[test]
fn what_came_up_while_nobody_looked_is_not_rolled_back_unseen() {
    let mut world = failing(&[]);
    world.later(1000);
    world.observed.flink = FlinkView::default();
    world.pass();
    assert_eq!(world.status().reconciliation_state(), ReconciliationState::Deployed);
    world.job_is(JobStatusState::Running);
    world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::Stable);
}

#[test]
fn a_spec_that_never_comes_up_is_rolled_back_with_the_state_of_the_failed_one() {
    let mut world = failing(&[]);
    world.later(200);
    world.job_is(JobStatusState::Restarting);
    world.pass();
    assert_eq!(world.status().reconciliation_state(), ReconciliationState::Deployed, "not yet");
    world.later(200);
    world.job_is(JobStatusState::Restarting);
    world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::RollingBack);
    world.pass();
    world.pass();
    world.job_is(JobStatusState::Running);
    world.pass();
    assert_eq!(world.lifecycles.last(), Some(&LifecycleState::RolledBack));
    assert_eq!(
        world.reasons(),
        [
            "Normal Rollback JobManagerDeployment",
            "Normal Suspended JobManagerDeployment",
            "Normal Submit JobManagerDeployment",
            "Normal JobStatusChanged Job"
        ]
    );
    assert_eq!(world.restored_from.last().unwrap().as_deref(), Some(LAST_STATE_MARKER));
    // The failed spec stays recorded, so that it is not deployed again; the stable one runs.
    let status = world.status();
    assert_eq!(image(status.last_reconciled_spec()), "flink:bad");
    assert_eq!(image(status.last_stable_spec()), "flink:1.20");
    world.later(600);
    world.job_is(JobStatusState::Running);
    world.rests();
}

#[test]
fn what_is_not_eligible_is_not_rolled_back() {
    // Off.
    let mut world = World::stable(with_ha(application("last-state")));
    world.ha_job(true);
    world.change(bad_image);
    for _ in 0..3 {
        world.pass();
    }
    world.later(600);
    world.job_is(JobStatusState::Restarting);
    world.pass();
    assert_eq!(world.status().reconciliation_state(), ReconciliationState::Deployed);
    // State that cannot be had: the metadata is gone and the job is not known.
    let mut world = expired(&[]);
    world.observed.ha = Some(HaMetadata::default());
    world.pass();
    assert_eq!(world.status().reconciliation_state(), ReconciliationState::Deployed);
    // A first deployment has nothing to go back to.
    let mut world = World::new(with(with_ha(application("last-state")), &[ROLLBACK]));
    world.pass();
    world.later(600);
    world.job_is(JobStatusState::Restarting);
    world.pass();
    assert_eq!(world.status().reconciliation_state(), ReconciliationState::Deployed);
    // What became stable stays.
    let mut world = failing(&[]);
    world.job_is(JobStatusState::Running);
    world.pass();
    world.later(600);
    world.job_is(JobStatusState::Restarting);
    world.pass();
    assert_eq!(world.status().reconciliation_state(), ReconciliationState::Deployed);
}

/// A world in which `change` of a stable application did not come up in its time.
fn expired_after(spec: serde_json::Value, change: impl FnOnce(&mut FlinkDeployment)) -> World {
    let mut world = World::stable(with(with_ha(spec), &[ROLLBACK]));
    world.change(change);
    for _ in 0..3 {
        world.pass();
    }
    assert_eq!(world.created, 2, "{:?}", world.status());
    world.job_is(JobStatusState::Restarting);
    world.pass();
    world.later(301);
    world.job_is(JobStatusState::Restarting);
    world.reasons();
    world
}

fn rolls_back(world: &mut World) -> bool {
    world.round();
    let rolls = world.status().reconciliation_state() == ReconciliationState::RollingBack;
    assert_eq!(rolls, world.was_told("Rollback"));
    rolls
}

#[test]
fn a_suspended_spec_is_nothing_to_go_back_to() {
    let mut world = World::stable(with(with_ha(application("stateless")), &[ROLLBACK]));
    world.change(job_state(JobState::Suspended));
    for _ in 0..3 {
        world.pass();
    }
    assert_eq!(world.lifecycle(), LifecycleState::Suspended);
    world.change(|resource| {
        bad_image(resource);
        job_state(JobState::Running)(resource);
    });
    for _ in 0..3 {
        world.pass();
    }
    world.ha_job(true);
    world.job_is(JobStatusState::Restarting);
    world.pass();
    world.later(301);
    world.job_is(JobStatusState::Restarting);
    assert!(!rolls_back(&mut world));
}

#[test]
fn another_flink_version_is_not_rolled_back() {
    for (version, rolls) in [(api::FlinkVersion::V1_19, false), (api::FlinkVersion::V1_20, true)] {
        let mut world = expired_after(application("stateless"), |resource| {
            bad_image(resource);
            resource.spec.flink_version = Some(version);
        });
        world.ha_job(true);
        assert_eq!(rolls_back(&mut world), rolls, "{version}");
    }
}

/// HA metadata is the sign that a stateless job has come far enough to be told from one that is still being created; one
/// that never started, and one that has ended, need no sign.
#[test]
fn a_stateless_job_goes_back_from_empty() {
    type Change = fn(&mut World);
    let cases: [(Change, bool); 4] = [
        (|world| world.ha_job(true), true),
        (|_| {}, false),
        (|world| world.job_manager().never_started = true, true),
        (|world| world.job_is(JobStatusState::Failed), true),
    ];
    for (number, (change, rolls)) in cases.into_iter().enumerate() {
        let mut world = expired_after(application("stateless"), bad_image);
        world.calls.clear();
        change(&mut world);
        assert_eq!(rolls_back(&mut world), rolls, "{number}");
        if !rolls {
            continue;
        }
        let ended = world.job_state() == Some(JobStatusState::Failed);
        assert_eq!(world.calls.is_empty(), ended, "{number}: a job that lives is cancelled");
        for _ in 0..4 {
            world.pass();
        }
        assert_eq!(world.status().reconciliation_state(), ReconciliationState::RolledBack, "{number}");
        assert_eq!(world.restored_from.last().unwrap(), &None);
        assert_eq!(world.created, 3);
    }
}

#[test]
fn a_session_cluster_goes_back_when_its_metadata_knows_jobs() {
    for known in [true, false] {
        let mut world = World::stable(with(with_ha(session()), &[ROLLBACK]));
        world.change(bad_image);
        for _ in 0..3 {
            world.pass();
        }
        assert_eq!(world.created, 2);
        world.later(301);
        if known {
            let name = "app-0000-config-map".to_owned();
            world.observed.ha = Some(HaMetadata {
                config_maps: vec![(name.clone(), "u".to_owned())],
                job_graphs: Vec::new(),
                jobs: vec![HaJob { config_map: name, has_checkpoint: true }],
            });
        }
        assert_eq!(rolls_back(&mut world), known);
        for _ in 0..4 {
            world.pass();
        }
        assert_eq!(world.created, if known { 3 } else { 2 });
        assert_eq!(world.observed.ha.as_ref().unwrap().config_maps.len(), usize::from(known), "it stays");
    }
}

#[test]
fn metadata_that_could_not_be_read_delays_a_rollback_only() {
    let mut world = expired(&[]);
    let ha = world.observed.ha.take();
    world.pass();
    assert_eq!(world.status().reconciliation_state(), ReconciliationState::Deployed);
    world.observed.ha = ha;
    world.pass();
    assert_eq!(world.status().reconciliation_state(), ReconciliationState::RollingBack);
}

/// A savepoint upgrade to a cluster that does not come up.
fn never_started() -> World {
    let mut world = World::stable(with(with_ha(application("savepoint")), &[ROLLBACK]));
    world.change(bad_image);
    world.pass();
    world.job_is(JobStatusState::Finished);
    world.stop_is(crate::observed::OperationResult::Completed("file:///sp/one".to_owned()));
    world.pass();
    world.pass();
    assert_eq!(world.created, 2);
    world.job_manager().never_started = true;
    world.pass();
    world
}

#[test]
fn a_savepoint_upgrade_that_never_started_goes_back_to_its_savepoint() {
    let mut world = never_started();
    world.later(301);
    for _ in 0..3 {
        world.pass();
    }
    assert_eq!(world.created, 3);
    assert_eq!(world.status().reconciliation_state(), ReconciliationState::RolledBack);
    assert_eq!(world.restored_from.last().unwrap().as_deref(), Some("file:///sp/one"));
}

/// What never started may have been started from HA metadata, or from what nobody knows by path.
#[test]
fn a_deployment_that_never_started_goes_back_to_what_is_known_of_its_state() {
    for (ha_checkpoint, known, restored) in [
        (None, true, Some("file:///sp/one")),
        (Some(false), true, Some("file:///sp/one")),
        (Some(true), true, Some(LAST_STATE_MARKER)),
        (Some(true), false, Some(LAST_STATE_MARKER)),
        (None, false, None),
    ] {
        let mut world = never_started();
        if let Some(has_checkpoint) = ha_checkpoint {
            world.ha_job(has_checkpoint);
        }
        if !known {
            let mut status = world.status();
            status.job_status_mut().upgrade_savepoint_path = Some(LAST_STATE_MARKER.to_owned());
            world.resource.status = Some(status);
        }
        world.later(301);
        for _ in 0..5 {
            world.pass();
        }
        let rolled = world.status().reconciliation_state() == ReconciliationState::RolledBack;
        assert_eq!(rolled, restored.is_some(), "{ha_checkpoint:?} {known}");
        if rolled {
            assert_eq!(world.restored_from.last().unwrap().as_deref(), restored, "{ha_checkpoint:?} {known}");
        }
    }
}

#[test]
fn what_came_up_while_it_was_withdrawn_is_not_rolled_back() {
    let mut world = never_started();
    world.later(301);
    world.round();
    let kind = world.status().operation.and_then(|operation| operation.kind);
    assert_eq!((kind, world.lifecycle()), (Some(OperationKind::Withdrawing), LifecycleState::RollingBack));
    world.job_manager().never_started = false;
    world.job_is(JobStatusState::Running);
    world.pass();
    assert_eq!((world.created, world.scaled.len()), (2, 0));
    assert_eq!(world.lifecycle(), LifecycleState::Stable);
    assert_eq!(image(world.status().last_stable_spec()), "flink:bad");
}

#[test]
fn a_failed_job_goes_back_from_its_last_checkpoint() {
    let mut world = expired(&[]);
    world.observed.ha = Some(HaMetadata::default());
    world.job_is(JobStatusState::Failed);
    world.completed(8, "file:///cp/8");
    for _ in 0..4 {
        world.pass();
    }
    assert_eq!(world.status().reconciliation_state(), ReconciliationState::RolledBack);
    assert_eq!(world.restored_from.last().unwrap().as_deref(), Some("file:///cp/8"));
}

#[test]
fn w_16_an_asynchronous_cancel_keeps_rolling_back() {
    let cancel = ("kubernetes.operator.job.upgrade.last-state.job-cancel.enabled", "true");
    let mut world = expired(&[cancel]);
    world.calls.clear();
    world.pass();
    assert!(matches!(world.calls.as_slice(), [FlinkRequest::Cancel { .. }]), "{:?}", world.calls);
    assert_eq!(world.status().reconciliation_state(), ReconciliationState::RollingBack);
    assert_eq!(world.job_state(), Some(JobStatusState::Cancelling));
    world.later(2);
    world.job_is(JobStatusState::Cancelling);
    world.pass();
    assert_eq!(world.status().reconciliation_state(), ReconciliationState::RollingBack);
    world.observed.ha = Some(HaMetadata::default());
    world.job_is(JobStatusState::Canceled);
    world.completed(5, "file:///cp/5");
    for _ in 0..4 {
        world.pass();
    }
    assert_eq!(world.status().reconciliation_state(), ReconciliationState::RolledBack);
    assert_eq!(world.restored_from.last().unwrap().as_deref(), Some("file:///cp/5"));
    assert_eq!(image(world.status().last_reconciled_spec()), "flink:bad");
}

#[test]
fn w_35_a_rollback_survives_a_crash_after_each_of_its_records() {
    for crash in 0..6 {
        let mut world = expired(&[]);
        for round in 0..12 {
            if round == crash {
                world.crash_after_recording();
            } else {
                world.round();
            }
        }
        assert_eq!(world.status().reconciliation_state(), ReconciliationState::RolledBack, "{crash}");
        assert_eq!(world.created, 3, "{crash}");
        assert_eq!(world.restored_from.last().unwrap().as_deref(), Some(LAST_STATE_MARKER));
    }
}

#[test]
fn w_35_a_rollback_that_a_java_operator_left_half_way_is_adopted() {
    let mut world = expired(&[]);
    world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::RollingBack);
    // It has created the Deployment and not recorded that.
    let generation = world.status().observed_generation;
    let mut status = world.status();
    status.job_manager_deployment_status = Some(Jm::Missing);
    world.resource.status = Some(status);
    let job_manager = world.job_manager();
    job_manager.attempt = None;
    job_manager.generation = generation;
    job_manager.desired_replicas = 1;
    world.pass();
    assert_eq!(world.status().reconciliation_state(), ReconciliationState::RolledBack);
    assert_eq!(world.created, 2, "nothing is created a second time");
}

#[test]
fn an_edit_during_a_rollback_is_deployed_instead() {
    let mut world = expired(&[]);
    world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::RollingBack);
    world.change(|resource| resource.spec.image = Some("flink:good".to_owned()));
    for _ in 0..4 {
        world.pass();
    }
    world.job_is(JobStatusState::Running);
    world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::Stable, "{:?}", world.status());
    assert_eq!(image(world.status().last_stable_spec()), "flink:good");
    assert_eq!(world.restored_from.last().unwrap().as_deref(), Some(LAST_STATE_MARKER));
}

#[test]
fn an_edit_while_the_stable_cluster_is_created_comes_after_it() {
    let mut world = expired(&[]);
    for _ in 0..8 {
        if world.status().operation.is_none() {
            world.round();
        }
    }
    assert!(world.status().operation.is_some());
    world.observed.job_manager = None;
    world.change(|resource| resource.spec.image = Some("flink:good".to_owned()));
    for _ in 0..6 {
        world.pass();
    }
    world.job_is(JobStatusState::Running);
    for _ in 0..6 {
        world.pass();
    }
    world.job_is(JobStatusState::Running);
    world.pass();
    assert_eq!(image(world.status().last_stable_spec()), "flink:good");
}

#[test]
fn after_a_rollback_a_good_spec_is_deployed_and_the_stable_one_is_accepted_as_it_is() {
    let mut world = rolled_back();
    world.ha_job(true);
    world.change(restart(5));
    for _ in 0..4 {
        world.pass();
    }
    world.job_is(JobStatusState::Running);
    world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::Stable);
    assert_eq!(world.created, 4);

    let mut world = rolled_back();
    world.change(|resource| resource.spec.image = Some("flink:1.20".to_owned()));
    world.pass();
    assert_eq!(world.created, 3, "it runs already");
    assert_eq!(world.lifecycle(), LifecycleState::Stable);
    assert_eq!(world.status().observed_generation, Some(3));
}

#[test]
fn a_rolled_back_job_that_somebody_cancels_comes_back_with_the_stable_spec() {
    let mut world = rolled_back();
    world.job_is(JobStatusState::Canceled);
    world.completed(6, "file:///cp/6");
    for _ in 0..4 {
        world.pass();
    }
    assert_eq!(world.created, 4);
    assert_eq!(world.status().reconciliation_state(), ReconciliationState::RolledBack);
    assert_eq!(world.restored_from.last().unwrap().as_deref(), Some("file:///cp/6"));
    assert_eq!(image(world.status().last_reconciled_spec()), "flink:bad");
}

#[test]
fn a_lost_deployment_is_recovered_with_the_stable_spec() {
    let mut world = rolled_back();
    world.ha_job(true);
    world.observed.job_manager = None;
    world.pass();
    assert_eq!(world.created, 4);
    assert_eq!(world.status().reconciliation_state(), ReconciliationState::RolledBack);
}
