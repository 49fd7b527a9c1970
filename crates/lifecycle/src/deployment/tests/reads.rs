//! What is read before a decision, and when the next one comes: a healthy cluster costs nothing.

use std::time::Duration;

use api::{JobState, JobStatusState};
use serde_json::{Value, json};

use super::super::Reads;
use super::world::{World, application, job_state, restart, session, with, with_ha};
use crate::Requeue;

const HEALTH: (&str, &str) = ("kubernetes.operator.cluster.health-check.enabled", "true");

/// The reads by their letters, those that are not needed as dots.
fn letters(world: &World) -> String {
    let Reads { job_manager, pods, ha, ingress, task_managers, rest_service } = world.reads();
    assert!(!task_managers && !rest_service, "of standalone clusters, and of those that nobody reaches");
    let letter = |needed: bool, letter: char| if needed { letter } else { '.' };
    [letter(job_manager, 'D'), letter(pods, 'P'), letter(ha, 'H'), letter(ingress, 'I')].iter().collect()
}

fn with_ingress(mut spec: Value) -> Value {
    spec["ingress"] = json!({"template": "{{name}}.example.com"});
    spec
}

fn available(world: &mut World) {
    let job_manager = world.job_manager();
    job_manager.replicas = 1;
    job_manager.available_replicas = 1;
}

#[test]
fn a_new_resource_asks_for_its_deployment_only() {
    assert_eq!(letters(&World::new(with_ha(application("last-state")))), "D...");
}

#[test]
fn until_a_cluster_is_stable_it_is_read_what_can_be_in_the_way() {
    for (spec, starts, runs, stable) in [
        (application("stateless"), "DP..", "D...", "...."),
        (with_ha(application("stateless")), "DPH.", "D.H.", "...."),
        // The caches know it, where Ingresses may be watched.
        (with_ingress(application("stateless")), "DP.I", "D..I", "...I"),
        (session(), "DP..", "D...", "...."),
    ] {
        let mut world = World::new(spec);
        world.pass();
        assert_eq!(letters(&world), starts);
        available(&mut world);
        assert_eq!(letters(&world), runs, "pods are of interest while they do not run");
        world.job_is(JobStatusState::Running);
        world.pass();
        assert_eq!(letters(&world), stable);
    }
}

#[test]
fn what_is_not_as_it_was_is_read() {
    type Change = fn(&mut World);
    let cases: [(&str, Change, &str); 8] = [
        ("nothing", |_| {}, "...."),
        ("a new generation", |world| world.change(restart(1)), "DPHI"),
        ("deletion", World::ask_for_deletion, "DPH."),
        ("a job that does not run", |world| told(world, JobStatusState::Restarting), "D..."),
        ("a job that has finished", |world| told(world, JobStatusState::Finished), "...."),
        ("no JobManager", |world| world.observed.job_manager = None, "DP.."),
        ("one that is not up", |world| world.job_manager().available_replicas = 0, "DP.."),
        (
            "an error",
            |world| {
                let mut status = world.status();
                status.error = Some("x".to_owned());
                world.resource.status = Some(status);
            },
            "D.HI",
        ),
    ];
    for (name, change, expected) in cases {
        let mut world = World::stable(application("stateless"));
        change(&mut world);
        assert_eq!(letters(&world), expected, "{name}");
    }
}

fn told(world: &mut World, state: JobStatusState) {
    world.job_is(state);
    world.pass();
}

#[test]
fn a_finished_cluster_that_is_removed_is_not_looked_for() {
    let mut world = World::stable(application("stateless"));
    told(&mut world, JobStatusState::Finished);
    world.observed.job_manager = None;
    assert_eq!(letters(&world), "....");
}

#[test]
fn pods_of_a_cluster_that_goes_are_read_although_it_is_up() {
    // Stopped.
    let mut world = World::stable(with_ha(application("last-state")));
    world.ha_job(true);
    world.change(restart(1));
    world.round();
    assert_eq!(letters(&world), "DPH.");
    // Restarting.
    let mut world = World::stable(with(application("stateless"), &[HEALTH]));
    super::health::counters(&mut world, 0, 0);
    world.pass();
    world.later(60);
    super::health::counters(&mut world, 65, 0);
    world.round();
    assert_eq!(letters(&world), "DPH.");
}

#[test]
fn a_suspended_job_needs_nothing_until_it_is_wanted() {
    let mut world = World::stable(application("stateless"));
    world.change(job_state(JobState::Suspended));
    for _ in 0..3 {
        world.pass();
    }
    assert_eq!(letters(&world), "....");
    world.change(job_state(JobState::Running));
    assert_eq!(letters(&world), "DPHI");
}

#[test]
fn ingresses_that_are_not_managed_are_not_read() {
    let mut world = super::ingress::unmanaged(application("stateless"));
    world.pass();
    assert_eq!(letters(&world), "DP..");
}

#[test]
fn with_a_configuration_that_cannot_be_read_everything_is() {
    let mut world = World::stable(with_ha(application("stateless")));
    world.resource.spec.flink_configuration = serde_json::from_value(json!({"rest.port": "none"})).unwrap();
    assert_eq!(letters(&world), "DPHI");
}

#[test]
fn a_settled_cluster_is_looked_at_seldom_and_one_that_changes_often() {
    let often = Requeue::After(Duration::from_secs(10));
    let seldom = Requeue::After(Duration::from_mins(10));
    let counts = Requeue::After(Duration::from_mins(1));
    for (spec, settled) in [
        (application("stateless"), seldom),
        (with(application("stateless"), &[HEALTH]), counts),
        (session(), seldom),
        (with(session(), &[HEALTH]), counts),
    ] {
        let mut world = World::new(spec.clone());
        assert_eq!(world.pass(), often, "the cluster starts");
        world.job_is(JobStatusState::Running);
        assert_eq!(world.pass(), settled);
        if spec.get("job").is_some() {
            world.job_is(JobStatusState::Restarting);
            assert_eq!(world.pass(), often, "its job does not run");
        }
        world.job_manager().available_replicas = 0;
        assert_eq!(
            world.pass() == often,
            spec.get("job").is_some(),
            "a session cluster has no job to wait for"
        );
    }
}
