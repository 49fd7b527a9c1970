//! Creating clusters: what is in the way, and what is taken out of it.

use api::{JobStatusState, LifecycleState, OperationKind};

use super::world::{World, application, restart, session, with_ha};
use crate::effect::{ObjectReference, RemoveData};
use crate::observed::{HaMetadata, JobGraphs, JobManager};
use crate::{Effect, Requeue};

fn job_manager(owned: bool, attempt: Option<&str>) -> JobManager {
    JobManager {
        uid: "another".to_owned(),
        resource_version: None,
        generation: None,
        attempt: attempt.map(str::to_owned),
        owned,
        terminating: false,
        terminating_since: None,
        paused: false,
        desired_replicas: 1,
        replicas: 1,
        available_replicas: 1,
        failed_create: None,
        never_started: false,
    }
}

#[test]
fn a_deployment_that_nobody_recorded_is_left_alone() {
    for owned in [true, false] {
        let mut world = World::new(application("stateless"));
        world.round();
        world.observed.job_manager = Some(job_manager(owned, None));
        for told in [true, false] {
            let decision = world.decide();
            assert!(matches!(decision.requeue, Requeue::After(_)));
            let error = decision.status.error.clone().unwrap();
            assert!(error.contains("nothing is recorded about it"), "{error}");
            assert!(decision.effects.iter().all(|effect| matches!(effect, Effect::Event(_))));
            assert_eq!(decision.effects.len(), usize::from(told), "told once");
            world.resource.status = Some(decision.status);
        }
        world.observed.job_manager = None;
        world.becomes_stable();
        assert_eq!(world.created, 1);
    }
}

#[test]
fn one_that_is_on_its_way_out_is_waited_for_in_silence() {
    let mut world = World::new(application("stateless"));
    world.observed.job_manager = Some(JobManager { terminating: true, ..job_manager(false, None) });
    let requeue = world.pass();
    assert!(matches!(requeue, Requeue::After(_)));
    assert_eq!((world.created, world.error()), (0, String::new()));
    assert!(world.events.is_empty());
}

#[test]
fn only_the_recorded_attempt_is_taken_for_the_cluster() {
    for attempt in [Some("of somebody else"), None] {
        let mut world = World::new(application("stateless"));
        world.round();
        world.crash_after_recording();
        let recorded = world.status().operation.unwrap().attempt;
        world.observed.job_manager = Some(job_manager(true, attempt));
        world.observed.created_attempt = recorded.clone();
        world.pass();
        assert_eq!(world.status().operation.unwrap().kind, Some(OperationKind::Deploying));
        assert!(world.observed.job_manager.is_none(), "it goes");
        world.pass();
        assert_eq!(world.created, 1);
        assert_eq!(world.job_manager().attempt, recorded);
        world.job_is(JobStatusState::Running);
        world.pass();
        assert_eq!(world.lifecycle(), LifecycleState::Stable);
    }
}

/// Programs that the JobManager would recover instead of running the new one.
fn graphs() -> HaMetadata {
    HaMetadata {
        job_graphs: vec![JobGraphs {
            config_map: "app-cluster-config-map".to_owned(),
            uid: "u".to_owned(),
            resource_version: Some("7".to_owned()),
            keys: vec!["jobGraph-1".to_owned()],
        }],
        ..HaMetadata::default()
    }
}

#[test]
fn an_application_does_not_find_the_program_of_before() {
    for (spec, removed) in [(with_ha(application("stateless")), true), (with_ha(session()), false)] {
        let mut world = World::new(spec);
        world.round();
        world.observed.ha = Some(graphs());
        let effects = world.decide().effects;
        let data: Vec<&RemoveData> = effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::RemoveData(data) => Some(data),
                _ => None,
            })
            .collect();
        let expected = RemoveData {
            object: ObjectReference::config_map("ns", "app-cluster-config-map", Some("u")),
            resource_version: Some("7".to_owned()),
            keys: vec!["jobGraph-1".to_owned()],
        };
        assert_eq!(data, if removed { vec![&expected] } else { Vec::new() });
        let position = |wanted: fn(&Effect) -> bool| effects.iter().position(wanted);
        let create = position(|effect| matches!(effect, Effect::CreateCluster(_)));
        assert!(position(|effect| matches!(effect, Effect::RemoveData(_))) < create, "before it starts");
    }
}

#[test]
fn a_foreign_deployment_in_the_way_is_told_once_and_waited_for() {
    let mut world = World::new(application("stateless"));
    world.round();
    world.crash_after_recording();
    world.reasons();
    world.observed.job_manager = Some(job_manager(false, None));
    for _ in 0..2 {
        assert!(matches!(world.pass(), Requeue::After(_)));
    }
    assert!(world.error().contains("does not belong to this resource"));
    assert_eq!(world.reasons(), ["Warning Error JobManagerDeployment"]);
    world.observed.job_manager = None;
    world.change(restart(1));
    world.becomes_stable();
    assert_eq!(world.created, 1);
}
