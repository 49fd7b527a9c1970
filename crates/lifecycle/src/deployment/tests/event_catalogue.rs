//! Every Event that a FlinkDeployment can cause, as alerts and dashboards of the Java operator know it.

use std::collections::BTreeSet;

use api::{JobStatusState, UpgradeMode};
use serde_json::json;

use super::world::{World, application, described, restart, session, upgrade_mode, with_ha};
use super::{events, health, ingress, refusal, rescaling, rollback, savepoints};
use crate::observed::{EffectFailure, FailureCause, HaMetadata, OperationResult, PodProblem, SessionJob};
use crate::{EventRecord, EventType, Reason};

/// A situation in which the Event is told.
type Situation = fn() -> World;

/// Type, reason and component, and what causes it.
const CATALOGUE: [(&str, Situation); 36] = [
    ("Normal Cleanup Operator", || {
        let mut world = World::stable(application("stateless"));
        world.ask_for_deletion();
        world
    }),
    ("Warning ValidationError Operator", || {
        let mut world = World::new(application("stateless"));
        world.change(refusal::invalid);
        world
    }),
    ("Warning UnsupportedFlinkVersion Operator", || {
        let mut world = World::new(application("stateless"));
        world.resource.spec.flink_version = None;
        world
    }),
    ("Warning UpgradeFailed JobManagerDeployment", || {
        let mut world = World::stable(with_ha(application("last-state")));
        world.observed.ha = Some(HaMetadata::default());
        world.job_is_absent(61);
        world.change(restart(1));
        world
    }),
    ("Warning RestoreFailed JobManagerDeployment", || {
        let mut world = World::stable(with_ha(application("last-state")));
        world.observed.job_manager = None;
        world
    }),
    ("Warning SavepointError JobManagerDeployment", || {
        let mut world = savepoints::stopping(application("savepoint"));
        world.stop_is(OperationResult::Failed("disk full".to_owned()));
        world
    }),
    ("Warning CleanupFailed JobManagerDeployment", || {
        let mut world = World::stable(application("last-state"));
        world.change(restart(1));
        world.pass();
        world.later(100);
        world.job_is_absent(70);
        world
    }),
    ("Warning CheckpointNotFound JobManagerDeployment", || {
        let mut world = World::stable(application("last-state"));
        world.job_is(JobStatusState::Failed);
        world.completed(1, "<checkpoint-not-externally-addressable>");
        world
    }),
    ("Warning FailedCreate JobManagerDeployment", || {
        let mut world = World::new(application("stateless"));
        world.pass();
        world.job_manager().failed_create = Some("quota".to_owned());
        world
    }),
    ("Warning CrashLoopBackOff JobManagerDeployment", || pod_waits("CrashLoopBackOff")),
    ("Warning ImagePullBackOff JobManagerDeployment", || pod_waits("ImagePullBackOff")),
    ("Warning ErrImagePull JobManagerDeployment", || pod_waits("ErrImagePull")),
    ("Warning RunContainerError JobManagerDeployment", || pod_waits("RunContainerError")),
    ("Warning CreateContainerConfigError JobManagerDeployment", || pod_waits("CreateContainerConfigError")),
    ("Warning OOMKilled JobManagerDeployment", || pod_waits("OOMKilled")),
    ("Warning FailedMount JobManagerDeployment", || {
        let mut world = pod_waits("FailedMount");
        world.later(31);
        world
    }),
    ("Warning Error JobManagerDeployment", || {
        let mut world = World::stable(application("stateless"));
        let action = "create Deployment app".to_owned();
        world.observed.failure = Some(EffectFailure {
            action,
            message: "refused".to_owned(),
            attempts: 1,
            needs_user: false,
            operation: None,
        });
        world
    }),
    ("Normal SpecChanged JobManagerDeployment", changed),
    ("Normal Suspended JobManagerDeployment", changed),
    ("Normal Submit JobManagerDeployment", || World::new(application("stateless"))),
    ("Normal Rollback JobManagerDeployment", || rollback::expired(&[])),
    ("Warning Missing JobManagerDeployment", lost),
    ("Warning Missing Job", || {
        let mut world = World::stable(application("stateless"));
        world.job_is_absent(61);
        world
    }),
    ("Normal JobStatusChanged Job", || {
        let mut world = World::stable(application("stateless"));
        world.job_is(JobStatusState::Restarting);
        world
    }),
    ("Warning Error Job", || {
        let mut world = World::stable(application("stateless"));
        world.job_is(JobStatusState::Failed);
        let job_id = world.status().job_id().unwrap_or_default().to_owned();
        let chain = vec![("a.B".to_owned(), "a.B: no".to_owned())];
        world.answer().failure_cause = Some(FailureCause { job_id, chain });
        world
    }),
    ("Warning JobException Job", || {
        let mut world = World::stable(application("stateless"));
        world.job_is(JobStatusState::Restarting);
        let now = world.now.as_millisecond();
        world.answer().exceptions = vec![events::exception(now, "x")];
        world
    }),
    ("Warning SavepointError Operator", || {
        let mut world = savepoints::pending(&[]);
        let failed = OperationResult::Failed("no".to_owned());
        world.answer().operations.insert(savepoints::TRIGGER.to_owned(), failed);
        world
    }),
    ("Warning CheckpointError Operator", || {
        let mut world = World::stable(application("stateless"));
        let mut status = world.status();
        let info = status.job_status_mut().checkpoint_info.get_or_insert_default();
        info.trigger_id = Some("t".to_owned());
        world.resource.status = Some(status);
        world.job_is(JobStatusState::Running);
        world.answer().operations.insert("t".to_owned(), OperationResult::Failed("no".to_owned()));
        world
    }),
    ("Warning RecoverDeployment Job", lost),
    ("Warning RestartUnhealthyJob Job", || {
        let mut world = health::watched(application("stateless"));
        world.later(60);
        health::counters(&mut world, 65, 0);
        world
    }),
    ("Warning CleanupFailed Operator", || {
        let mut world = World::stable(session());
        world.observed.session_jobs = vec![SessionJob { name: "one".to_owned(), ..SessionJob::default() }];
        world.ask_for_deletion();
        world
    }),
    ("Normal Scaling Job", rescaling::taken),
    ("Warning IngressManagement Operator", || ingress::unmanaged(application("stateless"))),
    // The same of what is not in the Java operator: other jobs, a spec that no cluster can be built from, and a
    // savepoint whose resource cannot be created.
    ("Warning Error Job", || {
        let mut world = World::stable(application("stateless"));
        let mut other = world.answer().jobs[0].clone();
        other.job_id = "f".repeat(32);
        world.answer().jobs.push(other);
        world
    }),
    ("Warning ValidationError Operator", || {
        let mut world = World::stable(application("stateless"));
        world.change(|resource| {
            resource.spec.pod_template = Some(json!({"spec": {"containers": "none"}}));
        });
        world
    }),
    ("Warning SavepointError Operator", || {
        let mut world = savepoints::stopping(application("savepoint"));
        world.job_is(JobStatusState::Finished);
        world.stop_is(OperationResult::Completed("file:///sp/one".to_owned()));
        world.round();
        let action = "apply FlinkStateSnapshot".to_owned();
        world.observed.failure = Some(EffectFailure {
            action,
            message: "forbidden".to_owned(),
            attempts: 1,
            needs_user: true,
            operation: None,
        });
        world
    }),
];

fn pod_waits(reason: &str) -> World {
    let mut world = World::new(application("stateless"));
    world.pass();
    world.observed.pods = vec![PodProblem { reason: reason.to_owned(), message: "[main] no".to_owned() }];
    world
}

fn changed() -> World {
    let mut world = World::stable(application("stateless"));
    world.change(restart(1));
    world
}

fn lost() -> World {
    let mut world = World::stable(application("stateless"));
    world.observed.job_manager = None;
    world
}

/// Called with every Event that any test sees.
pub(super) fn check(event: &EventRecord) {
    let described = described(event);
    assert!(CATALOGUE.iter().any(|(known, _)| *known == described), "not in the catalogue: {event:?}");
    assert!(!event.message.trim().is_empty(), "{event:?}");
}

#[test]
fn every_event_of_the_catalogue_is_told() {
    for (event, situation) in CATALOGUE {
        let mut world = situation();
        world.reasons();
        for _ in 0..2 {
            world.round();
        }
        let told = world.reasons();
        assert!(told.iter().any(|one| one == event), "{event}: {told:?}");
    }
}

#[test]
fn the_catalogue_has_every_reason() {
    let known: BTreeSet<&str> = CATALOGUE.iter().filter_map(|(event, _)| event.split(' ').nth(1)).collect();
    let reasons = [
        Reason::Suspended,
        Reason::SpecChanged,
        Reason::Rollback,
        Reason::Submit,
        Reason::JobStatusChanged,
        Reason::SavepointError,
        Reason::CheckpointError,
        Reason::CheckpointNotFound,
        Reason::Cleanup,
        Reason::CleanupFailed,
        Reason::Missing,
        Reason::ValidationError,
        Reason::RecoverDeployment,
        Reason::RestartUnhealthyJob,
        Reason::UnsupportedFlinkVersion,
        Reason::JobException,
        Reason::Error,
        Reason::UpgradeFailed,
        Reason::RestoreFailed,
        Reason::IngressManagement,
        Reason::Scaling,
    ];
    for reason in &reasons {
        assert!(known.contains(reason.as_str()), "{reason}");
    }
    // What is left is the reasons of Kubernetes.
    assert_eq!(known.len(), reasons.len() + 8);
}

#[test]
fn a_changed_spec_is_told_once_for_each_generation() {
    let mut world = changed();
    world.round();
    let told = |world: &World| {
        let event = world.events.iter().find(|event| event.reason == Reason::SpecChanged).unwrap();
        assert_eq!((event.event_type, event.mode), (EventType::Normal, crate::EventMode::Once));
        event.key.clone().unwrap()
    };
    let first = told(&world);
    assert!(first.contains('2'), "{first}");
    let mut world = changed();
    world.change(upgrade_mode(UpgradeMode::LastState));
    world.round();
    assert_ne!(told(&world), first);
}
