//! From nothing to a stable cluster, and what can be in the way.

use api::{JobManagerDeploymentStatus as Jm, JobStatusState, LifecycleState, ReconciliationState};

use super::world::{World, application, restart, session, with};
use crate::Effect;
use crate::observed::{EffectFailure, FailureCause, FlinkFailure, PodProblem};

#[test]
fn a_stateless_application_becomes_stable() {
    let mut world = World::new(application("stateless"));
    world.pass();
    assert_eq!(world.status().job_manager_deployment_status, Some(Jm::Deploying));
    assert_eq!(world.job_state(), Some(JobStatusState::Reconciling));
    assert_eq!(world.status().observed_generation, Some(1));
    world.job_is(JobStatusState::Running);
    world.pass();
    assert_eq!(
        world.lifecycles,
        [
            LifecycleState::Created,
            LifecycleState::Upgrading,
            LifecycleState::Deployed,
            LifecycleState::Stable
        ]
    );
    assert_eq!(world.reasons(), ["Normal Submit JobManagerDeployment", "Normal JobStatusChanged Job"]);
    assert_eq!(world.created, 1);
}

#[test]
fn a_healthy_unchanged_resource_costs_nothing() {
    for spec in [application("stateless"), application("last-state"), session()] {
        let mut world = World::stable(spec);
        world.later(60);
        world.answer().cluster_info.insert("state-size".to_owned(), "17".to_owned());
        world.rests();
    }
}

#[test]
fn a_crash_before_the_create_repeats_it_with_the_same_attempt() {
    let mut world = World::new(application("stateless"));
    world.resource.metadata.finalizers = Some(vec![api::names::FINALIZER_FLINK_DEPLOYMENT.to_owned()]);
    world.crash_after_recording();
    let attempt = world.status().operation.unwrap().attempt;
    world.later(100);
    let repeated = world.decide();
    assert_eq!(repeated.status.operation.unwrap().attempt, attempt);
    let created = repeated.effects.iter().find_map(|effect| match effect {
        Effect::CreateCluster(objects) => objects.attempt().map(str::to_owned),
        _ => None,
    });
    assert_eq!(created, attempt);
}

#[test]
fn a_spec_that_changes_before_anything_exists_is_the_one_that_is_deployed() {
    let mut world = World::new(application("stateless"));
    world.resource.metadata.finalizers = Some(vec![api::names::FINALIZER_FLINK_DEPLOYMENT.to_owned()]);
    world.crash_after_recording();
    world.change(restart(7));
    world.becomes_stable();
    assert_eq!(world.created, 1);
    assert_eq!(world.status().observed_generation, Some(2));
    let recorded = world.status().last_reconciled_spec().unwrap_or_default().to_owned();
    assert!(recorded.contains("\"restartNonce\":7"), "{recorded}");
    assert!(recorded.contains("\"firstDeployment\":true"));
}

#[test]
fn one_that_is_suspended_before_anything_exists_is_forgotten_again() {
    let mut world = World::new(application("stateless"));
    world.resource.metadata.finalizers = Some(vec![api::names::FINALIZER_FLINK_DEPLOYMENT.to_owned()]);
    world.crash_after_recording();
    world.change(super::world::job_state(api::JobState::Suspended));
    world.pass();
    assert_eq!((world.created, world.lifecycle()), (0, LifecycleState::Created));
    world.change(super::world::job_state(api::JobState::Running));
    world.becomes_stable();
    assert_eq!(world.created, 1);
}

#[test]
fn a_broken_image_is_reported_and_a_good_one_goes_on() {
    let mut world = World::new(application("stateless"));
    world.pass();
    let problem =
        PodProblem { reason: "ErrImagePull".to_owned(), message: "[flink-main-container] no".to_owned() };
    world.observed.pods = vec![problem];
    world.pass();
    assert_eq!(world.status().job_manager_deployment_status, Some(Jm::Error));
    assert!(world.error().contains("ErrImagePull"));
    let (_, message) = world.condition("Running").unwrap();
    assert_eq!(message, "Job status RECONCILING. [flink-main-container] no");
    assert!(world.was_told("ErrImagePull"));
    let events = world.events.len();
    world.pass();
    assert_eq!(world.events.len(), events, "told once");
    world.observed.pods.clear();
    world.change(|resource| resource.spec.image = Some("flink:1.20.3".to_owned()));
    world.pass();
    world.pass();
    world.job_is(JobStatusState::Running);
    world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::Stable);
    assert_eq!(world.status().error, None);
}

#[test]
fn a_foreign_deployment_is_left_alone() {
    let mut world = World::stable(application("stateless"));
    world.job_manager().owned = false;
    world.change(restart(1));
    world.pass();
    world.pass();
    assert!(world.observed.job_manager.is_some());
    assert!(world.error().contains("does not belong"));
}

#[test]
fn a_silent_job_manager_is_noticed_after_its_grace_only() {
    let mut world = World::stable(application("stateless"));
    let failure =
        FlinkFailure { since: world.now, unreachable: true, untrusted: false, message: "refused".to_owned() };
    world.observed.flink.failure = Some(failure);
    world.pass();
    assert_eq!(world.status().job_manager_deployment_status, Some(Jm::Ready));
    world.later(30);
    world.pass();
    assert_eq!(world.status().job_manager_deployment_status, Some(Jm::DeployedNotReady));
    assert_eq!(world.job_state(), Some(JobStatusState::Reconciling));
}

#[test]
fn certificates_that_do_not_fit_are_told_once_and_forgotten_when_they_do() {
    let mut world = World::stable(application("stateless"));
    let message = "the JobManager's certificate has expired".to_owned();
    let failure = FlinkFailure { since: world.now, unreachable: true, untrusted: true, message };
    world.observed.flink.failure = Some(failure);
    world.pass();
    world.later(5);
    world.pass();
    assert!(world.error().contains("the JobManager's certificate has expired"), "{}", world.error());
    assert_eq!(world.reasons(), ["Warning Error JobManagerDeployment"]);
    world.observed.flink.failure = None;
    world.pass();
    assert_eq!(world.status().error, None);
}

#[test]
fn a_failed_create_is_told_once_and_tried_again() {
    let mut world = World::new(application("stateless"));
    world.resource.metadata.finalizers = Some(vec![api::names::FINALIZER_FLINK_DEPLOYMENT.to_owned()]);
    world.crash_after_recording();
    let action = "create Deployment app".to_owned();
    world.observed.failure = Some(EffectFailure {
        action,
        message: "invalid".to_owned(),
        attempts: 3,
        needs_user: true,
        operation: None,
    });
    let requeue = world.pass();
    assert_eq!(requeue, crate::Requeue::After(super::super::back_off(3)));
    world.pass();
    assert_eq!(world.reasons(), ["Warning Error JobManagerDeployment"]);
    assert_eq!(world.lifecycle(), LifecycleState::Upgrading);
    assert!(world.error().contains("invalid"));
    world.observed.failure = None;
    world.becomes_stable();
    assert_eq!(world.status().error, None);
}

#[test]
fn nothing_is_decided_while_it_is_not_known_whether_there_is_a_job_manager() {
    for spec in [application("stateless"), session()] {
        let mut world = World::stable(spec);
        world.observed.job_manager = None;
        world.observed.job_manager_unread = true;
        let before = world.status();
        let decision = world.decide();
        assert_eq!(decision.status, before);
        assert!(decision.effects.is_empty() && decision.requeue != crate::Requeue::OnChange);
    }
}

#[test]
fn a_job_that_finished_is_stable_and_its_cluster_goes_after_its_time() {
    let mut world = World::new(application("stateless"));
    world.pass();
    world.job_is(JobStatusState::Finished);
    world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::Stable);
    world.pass();
    assert!(world.observed.job_manager.is_some());
    world.later(86_401);
    world.pass();
    world.pass();
    assert!(world.observed.job_manager.is_none());
    assert_eq!(world.created, 1, "a job that ended is not started again");
    assert_eq!(world.status().error, None);
    assert_eq!(world.status().reconciliation_state(), ReconciliationState::Deployed);
    world.rests();
}

#[test]
fn the_time_of_a_finished_cluster_is_configurable() {
    let ttl = [("kubernetes.operator.jm-deployment.shutdown-ttl", "10 s")];
    let mut world = World::stable(with(application("stateless"), &ttl));
    world.job_is(JobStatusState::Finished);
    let requeue = world.pass();
    assert!(matches!(requeue, crate::Requeue::After(delay) if delay <= std::time::Duration::from_secs(10)));
    world.later(11);
    world.pass();
    assert!(world.observed.job_manager.is_none());
}

#[test]
fn a_job_that_starts_is_told_of_when_it_runs_or_takes_long() {
    let mut world = World::new(application("stateless"));
    world.pass();
    world.job_is(JobStatusState::Created);
    let now = world.now.as_millisecond();
    world.answer().jobs[0].start_time = now;
    world.pass();
    assert_eq!(world.job_state(), Some(JobStatusState::Reconciling));
    world.later(6);
    let late = world.now;
    world.answer().at = late;
    world.pass();
    assert_eq!(world.job_state(), Some(JobStatusState::Created), "it has waited long for its tasks");
    assert_eq!(world.reasons().iter().filter(|reason| reason.contains("JobStatusChanged")).count(), 1);
}

#[test]
fn the_cause_of_a_failure_is_waited_for_a_little() {
    let mut world = World::new(application("stateless"));
    world.pass();
    world.job_is(JobStatusState::Failed);
    world.answer().failure_cause = None;
    let before = world.job_state();
    world.pass();
    assert_eq!(world.job_state(), before, "the answer may come with the next poll");
    world.later(20);
    let late = world.now;
    world.answer().at = late;
    world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::Failed);
    assert!(world.error().contains("gives no cause"));
}

#[test]
fn a_failed_job_says_why() {
    let mut world = World::new(application("stateless"));
    world.pass();
    world.job_is(JobStatusState::Failed);
    let job_id = world.status().job_id().unwrap_or_default().to_owned();
    let chain = [
        (
            "org.apache.flink.runtime.JobException",
            "org.apache.flink.runtime.JobException: Recovery is suppressed",
        ),
        ("a.FlinkException", "a.FlinkException: Global failure"),
        ("java.lang.NullPointerException", "java.lang.NullPointerException"),
        ("b.Fourth", "b.Fourth: not shown"),
    ];
    let chain = chain.map(|(class, text)| (class.to_owned(), text.to_owned())).to_vec();
    world.answer().failure_cause = Some(FailureCause { job_id, chain });
    world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::Failed);
    let error = world.error();
    assert!(error.contains("org.apache.flink.runtime.JobException: Recovery is suppressed"), "{error}");
    assert!(error.contains("a.FlinkException: Global failure"));
    let told = world.events.iter().find(|event| event.reason == crate::Reason::Error).unwrap();
    assert_eq!(told.message, "Recovery is suppressed -> Global failure -> NullPointerException");
    assert_eq!(told.component, crate::Component::Job);
    world.pass();
    assert_eq!(world.error(), error, "it stays");
}
