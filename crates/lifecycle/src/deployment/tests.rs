//! Walks through a life with a world that does at once what effects ask for.

use std::collections::BTreeMap;

use api::{
    FlinkDeployment, FlinkDeploymentStatus, JobManagerDeploymentStatus as Jm, JobStatusState, LifecycleState,
    ReconciliationState,
};
use flink_conf::operator_defaults::OperatorDefaults;
use jiff::{SignedDuration, Timestamp};
use resources::OperatorFiles;
use serde_json::{Value, json};

use super::{Context, decide};
use crate::observed::{
    Checkpoints, CompletedCheckpoint, EffectFailure, FlinkAnswer, FlinkFailure, FlinkView, HaMetadata,
    JobManager, JobOverview, OperationResult, PodProblem,
};
use crate::{Decision, Effect, FlinkRequest, Observed, Requeue};

struct World {
    resource: FlinkDeployment,
    observed: Observed,
    now: Timestamp,
    defaults: OperatorDefaults,
    files: OperatorFiles,
    events: Vec<String>,
    calls: Vec<FlinkRequest>,
    scaled: Vec<i32>,
    lifecycles: Vec<LifecycleState>,
    finalizer_removed: bool,
    created: u32,
}

fn resource(spec: Value) -> FlinkDeployment {
    let mut resource = FlinkDeployment::new("app", serde_json::from_value(spec).unwrap());
    resource.metadata.namespace = Some("ns".to_owned());
    resource.metadata.uid = Some("uid-1".to_owned());
    resource.metadata.generation = Some(1);
    resource.metadata.resource_version = Some("1".to_owned());
    resource
}

fn application(mode: &str) -> Value {
    json!({
        "image": "flink:1.20",
        "flinkVersion": "v1_20",
        "serviceAccount": "flink",
        "flinkConfiguration": {
            "execution.checkpointing.dir": "file:///cp",
            "execution.checkpointing.savepoint-dir": "file:///sp",
        },
        "jobManager": {"resource": {"memory": "1024m", "cpu": 0.2}},
        "taskManager": {"resource": {"memory": "1024m", "cpu": 0.2}},
        "job": {"jarURI": "local:///job.jar", "parallelism": 1, "upgradeMode": mode},
    })
}

fn session() -> Value {
    let mut spec = application("stateless");
    spec.as_object_mut().unwrap().remove("job");
    spec
}

impl World {
    fn new(spec: Value) -> Self {
        Self {
            resource: resource(spec),
            observed: Observed { ha: Some(HaMetadata::default()), ..Observed::default() },
            now: Timestamp::from_second(1_000_000).unwrap(),
            defaults: OperatorDefaults::default(),
            files: OperatorFiles::default(),
            events: Vec::new(),
            calls: Vec::new(),
            scaled: Vec::new(),
            lifecycles: Vec::new(),
            finalizer_removed: false,
            created: 0,
        }
    }

    fn status(&self) -> FlinkDeploymentStatus {
        self.resource.status.clone().unwrap_or_default()
    }

    fn lifecycle(&self) -> LifecycleState {
        self.status().lifecycle_state()
    }

    fn decide(&self) -> Decision<FlinkDeploymentStatus> {
        let context = Context { now: self.now, defaults: &self.defaults, files: &self.files };
        decide(&self.resource, &self.observed, &context)
    }

    /// One pass: as many rounds as the decisions ask for.
    fn pass(&mut self) -> Requeue {
        for _ in 0..8 {
            let decision = self.decide();
            self.resource.status = Some(decision.status.clone());
            let lifecycle = self.lifecycle();
            if self.lifecycles.last() != Some(&lifecycle) {
                self.lifecycles.push(lifecycle);
            }
            for effect in decision.effects {
                self.perform(effect);
            }
            self.now = self.now.checked_add(SignedDuration::from_millis(10)).unwrap();
            if decision.requeue != Requeue::AtOnce {
                return decision.requeue;
            }
        }
        panic!("a pass does not end: {:?}", self.status());
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Event(event) => {
                self.events.push(format!("{} {}", event.reason, event.component.as_str()));
            }
            Effect::AddFinalizer => {
                self.resource.metadata.finalizers =
                    Some(vec![api::names::FINALIZER_FLINK_DEPLOYMENT.to_owned()]);
            }
            Effect::RemoveFinalizer => self.finalizer_removed = true,
            Effect::CreateCluster(objects) => {
                self.created += 1;
                let attempt = objects.attempt().map(str::to_owned);
                self.observed.job_manager = Some(JobManager {
                    uid: format!("jm-{}", self.created),
                    generation: self.resource.metadata.generation,
                    attempt: attempt.clone(),
                    owned: true,
                    terminating: false,
                    desired_replicas: 1,
                    replicas: 0,
                    available_replicas: 0,
                    failed_create: None,
                    never_started: false,
                });
                self.observed.created_attempt = attempt;
                self.observed.flink = FlinkView::default();
            }
            Effect::Delete(delete) if delete.object.kind == "Deployment" => self.observed.job_manager = None,
            Effect::Delete(delete) => {
                if let Some(ha) = &mut self.observed.ha {
                    ha.config_maps.retain(|(name, _)| *name != delete.object.name);
                }
            }
            Effect::Flink(call) => self.calls.push(call.request),
            Effect::Scale(scale) => {
                self.scaled.push(scale.replicas);
                self.job_manager().desired_replicas = scale.replicas;
            }
            Effect::Apply(_) | Effect::RemoveData(_) => {}
        }
    }

    fn job_manager(&mut self) -> &mut JobManager {
        self.observed.job_manager.as_mut().unwrap()
    }

    /// The JobManager is up and its job is in `state`.
    fn job_is(&mut self, state: JobStatusState) {
        let job_id = self.status().job_id().map(str::to_owned);
        let job_manager = self.job_manager();
        job_manager.replicas = 1;
        job_manager.available_replicas = 1;
        let cluster = job_manager.uid.clone();
        let jobs = job_id.iter().map(|job_id| JobOverview {
            job_id: job_id.clone(),
            name: "app".to_owned(),
            state,
            start_time: 1,
            tasks_total: 1,
            tasks_running: i64::from(state == JobStatusState::Running),
            tasks_finished: i64::from(state == JobStatusState::Finished),
            ended_since: state.is_terminal().then_some(self.now),
        });
        let answer = FlinkAnswer {
            at: self.now,
            cluster,
            jobs: jobs.collect(),
            absent: BTreeMap::new(),
            task_managers: Some(1),
            cluster_info: BTreeMap::from([("flink-version".to_owned(), "1.20.3".to_owned())]),
            checkpoints: job_id.map(|job_id| Checkpoints { job_id, ..Checkpoints::default() }),
            operations: BTreeMap::new(),
            failure_cause: None,
            exceptions: Vec::new(),
            metrics: None,
        };
        self.observed.flink = FlinkView { answer: Some(answer), failure: None };
    }

    fn answer(&mut self) -> &mut FlinkAnswer {
        self.observed.flink.answer.as_mut().unwrap()
    }

    fn change(&mut self, change: impl FnOnce(&mut FlinkDeployment)) {
        change(&mut self.resource);
        let generation = self.resource.metadata.generation.unwrap_or_default() + 1;
        self.resource.metadata.generation = Some(generation);
    }

    fn later(&mut self, seconds: i64) {
        self.now = self.now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    }

    fn becomes_stable(&mut self) {
        self.pass();
        self.job_is(JobStatusState::Running);
        self.pass();
        assert_eq!(self.lifecycle(), LifecycleState::Stable, "{:?}", self.status());
    }

    fn reasons(&mut self) -> Vec<String> {
        std::mem::take(&mut self.events)
    }
}

fn restart(nonce: i64) -> impl FnOnce(&mut FlinkDeployment) {
    move |resource| resource.spec.restart_nonce = Some(nonce)
}

#[test]
fn a_stateless_application_becomes_stable() {
    let mut world = World::new(application("stateless"));
    world.pass();
    assert_eq!(world.status().job_manager_deployment_status, Some(Jm::Deploying));
    assert_eq!(world.status().job_state(), Some(JobStatusState::Reconciling));
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
    assert_eq!(world.reasons(), ["Submit JobManagerDeployment", "JobStatusChanged Job"]);
    assert_eq!(world.created, 1);
}

#[test]
fn a_healthy_unchanged_resource_costs_nothing() {
    for spec in [application("stateless"), application("last-state"), session()] {
        let mut world = World::new(spec);
        world.becomes_stable();
        world.later(60);
        let before = world.status();
        world.answer().cluster_info.insert("state-size".to_owned(), "17".to_owned());
        let decision = world.decide();
        assert_eq!(decision.status, before);
        assert!(decision.effects.is_empty(), "{:?}", decision.effects);
    }
}

#[test]
fn a_crash_before_the_create_repeats_it_with_the_same_attempt() {
    let mut world = World::new(application("stateless"));
    world.resource.metadata.finalizers = Some(vec![api::names::FINALIZER_FLINK_DEPLOYMENT.to_owned()]);
    let first = world.decide();
    let attempt = first.status.operation.clone().unwrap().attempt;
    world.resource.status = Some(first.status);
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
fn a_stateless_upgrade_replaces_the_cluster() {
    let mut world = World::new(application("stateless"));
    world.becomes_stable();
    let old_job = world.status().job_id().map(str::to_owned);
    world.reasons();
    world.lifecycles.clear();
    world.change(restart(1));
    world.pass();
    world.pass();
    world.job_is(JobStatusState::Running);
    world.pass();
    assert_eq!(
        world.lifecycles,
        [LifecycleState::Upgrading, LifecycleState::Deployed, LifecycleState::Stable]
    );
    assert_eq!(
        world.reasons(),
        [
            "SpecChanged JobManagerDeployment",
            "Suspended JobManagerDeployment",
            "Submit JobManagerDeployment",
            "JobStatusChanged Job"
        ]
    );
    assert_eq!(world.created, 2);
    assert_ne!(world.status().job_id().map(str::to_owned), old_job);
    assert_eq!(world.status().observed_generation, Some(2));
    assert!(matches!(world.calls.as_slice(), [FlinkRequest::Cancel { .. }]));
}

#[test]
fn a_savepoint_upgrade_restores_what_was_saved() {
    let mut world = World::new(application("savepoint"));
    world.becomes_stable();
    world.change(restart(1));
    world.pass();
    let [FlinkRequest::StopWithSavepoint { trigger_id, target_directory, .. }] = world.calls.as_slice()
    else {
        panic!("{:?}", world.calls);
    };
    assert_eq!(target_directory.as_deref(), Some("file:///sp"));
    let trigger_id = trigger_id.clone();
    // Nothing is deleted while the savepoint is being taken, and the call is not repeated.
    world.job_is(JobStatusState::Running);
    world.answer().operations.insert(trigger_id.clone(), OperationResult::InProgress);
    world.pass();
    assert!(world.observed.job_manager.is_some());
    assert_eq!(world.calls.len(), 1);
    world.job_is(JobStatusState::Finished);
    world.answer().operations.insert(trigger_id, OperationResult::Completed("file:///sp/one".to_owned()));
    world.pass();
    world.pass();
    assert_eq!(world.created, 2);
    assert_eq!(world.status().job_status.unwrap().upgrade_savepoint_path.as_deref(), Some("file:///sp/one"));
    world.job_is(JobStatusState::Running);
    world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::Stable);
}

#[test]
fn an_unknown_trigger_is_asked_for_again_with_the_same_id() {
    let mut world = World::new(application("savepoint"));
    world.becomes_stable();
    world.change(restart(1));
    world.pass();
    let trigger_id = world.status().operation.unwrap().trigger_id.unwrap();
    world.job_is(JobStatusState::Running);
    world.answer().operations.insert(trigger_id.clone(), OperationResult::Unknown);
    world.pass();
    let again = |call: &FlinkRequest| match call {
        FlinkRequest::StopWithSavepoint { trigger_id, .. } => trigger_id.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(world.calls.iter().map(again).collect::<Vec<_>>(), [trigger_id.clone(), trigger_id]);
}

#[test]
fn a_failed_savepoint_leaves_the_job_running() {
    let mut world = World::new(application("savepoint"));
    world.becomes_stable();
    world.change(restart(1));
    world.pass();
    let trigger_id = world.status().operation.unwrap().trigger_id.unwrap();
    world.job_is(JobStatusState::Running);
    world.answer().operations.insert(trigger_id, OperationResult::Failed("disk full".to_owned()));
    world.pass();
    assert_eq!(world.created, 1);
    assert!(world.observed.job_manager.is_some());
    assert!(world.status().error.unwrap().contains("disk full"));
    assert!(world.events.contains(&"SavepointError JobManagerDeployment".to_owned()));
}

#[test]
fn last_state_without_ha_cancels_and_takes_the_newest_checkpoint() {
    let mut world = World::new(application("last-state"));
    world.becomes_stable();
    world.change(restart(1));
    world.pass();
    assert!(matches!(world.calls.as_slice(), [FlinkRequest::Cancel { .. }]));
    assert_eq!(world.status().job_state(), Some(JobStatusState::Cancelling));
    world.job_is(JobStatusState::Canceled);
    // The end counts only when its last checkpoint is known.
    let answer = world.answer();
    let checkpoints = answer.checkpoints.take();
    world.pass();
    assert_eq!(world.created, 1);
    let mut checkpoints = checkpoints.unwrap();
    for id in [3, 7, 5] {
        let external_path = format!("file:///cp/chk-{id}");
        checkpoints.completed.push(CompletedCheckpoint {
            id,
            external_path,
            trigger_timestamp: 0,
            is_savepoint: false,
            discarded: false,
        });
    }
    world.answer().checkpoints = Some(checkpoints);
    world.pass();
    world.pass();
    assert_eq!(world.created, 2);
    assert_eq!(
        world.status().job_status.unwrap().upgrade_savepoint_path.as_deref(),
        Some("file:///cp/chk-7")
    );
}

#[test]
fn suspend_and_resume() {
    let mut world = World::new(application("stateless"));
    world.becomes_stable();
    let set =
        |state| move |resource: &mut FlinkDeployment| resource.spec.job.as_mut().unwrap().state = Some(state);
    world.change(set(api::JobState::Suspended));
    world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::Suspended);
    assert!(world.observed.job_manager.is_none());
    world.change(set(api::JobState::Running));
    world.becomes_stable();
    assert_eq!(world.created, 2);
}

#[test]
fn a_lost_deployment_comes_back() {
    for spec in [application("stateless"), session()] {
        let mut world = World::new(spec);
        world.becomes_stable();
        world.reasons();
        world.lifecycles.clear();
        world.observed.job_manager = None;
        world.observed.created_attempt = None;
        world.pass();
        assert_eq!(world.created, 2);
        assert_eq!(world.lifecycles, [LifecycleState::Stable]);
        let reasons = world.reasons();
        assert_eq!(reasons[..2], ["Missing JobManagerDeployment", "RecoverDeployment Job"]);
        world.job_is(JobStatusState::Running);
        world.pass();
        assert_eq!(world.lifecycle(), LifecycleState::Stable);
        assert_eq!(world.status().error, None);
    }
}

#[test]
fn a_lost_stateful_deployment_without_ha_is_not_started_from_an_unknown_state() {
    let mut world = World::new(application("last-state"));
    world.becomes_stable();
    world.observed.job_manager = None;
    world.pass();
    assert_eq!(world.created, 1);
    assert!(world.status().error.unwrap().contains("initialSavepointPath"));
}

#[test]
fn a_broken_image_is_reported_and_a_good_one_goes_on() {
    let mut world = World::new(application("stateless"));
    world.pass();
    let problem =
        PodProblem { reason: "ErrImagePull".to_owned(), message: "[flink-main-container] no".to_owned() };
    world.observed.pods = vec![problem];
    world.pass();
    let status = world.status();
    assert_eq!(status.job_manager_deployment_status, Some(Jm::Error));
    assert!(status.error.unwrap().contains("ErrImagePull"));
    let condition = status.conditions.unwrap().remove(0);
    assert_eq!(condition.message.as_deref(), Some("Job status RECONCILING. [flink-main-container] no"));
    assert!(world.events.contains(&"ErrImagePull JobManagerDeployment".to_owned()));
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
fn an_invalid_spec_is_refused_before_and_after_a_first_deployment() {
    let invalid = |resource: &mut FlinkDeployment| resource.spec.job.as_mut().unwrap().parallelism = Some(0);
    let mut world = World::new(application("stateless"));
    world.change(invalid);
    let requeue = world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::Failed);
    assert!(matches!(requeue, Requeue::After(_)), "judged again");
    world.change(|resource| resource.spec.job.as_mut().unwrap().parallelism = Some(1));
    world.becomes_stable();
    world.change(invalid);
    world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::Stable);
    assert!(world.status().error.unwrap().contains("parallelism"));
    assert!(world.observed.job_manager.is_some());
    // Recovery goes on with the recorded spec.
    world.observed.job_manager = None;
    world.pass();
    assert_eq!(world.created, 2);
}

#[test]
fn an_unsupported_version_is_told_and_nothing_is_done() {
    let mut world = World::new(application("stateless"));
    world.resource.spec.flink_version = Some(api::FlinkVersion::V1_14);
    world.pass();
    assert_eq!(world.created, 0);
    assert!(world.status().error.unwrap().contains("v1_14"));
    assert_eq!(world.reasons(), ["UnsupportedFlinkVersion Operator"]);
}

#[test]
fn a_foreign_deployment_is_left_alone() {
    let mut world = World::new(application("stateless"));
    world.becomes_stable();
    world.job_manager().owned = false;
    world.change(restart(1));
    world.pass();
    world.pass();
    assert!(world.observed.job_manager.is_some());
    assert!(world.status().error.unwrap().contains("does not belong"));
}

#[test]
fn a_silent_job_manager_is_noticed_after_its_grace_only() {
    let mut world = World::new(application("stateless"));
    world.becomes_stable();
    let failure = FlinkFailure { since: world.now, unreachable: true, message: "refused".to_owned() };
    world.observed.flink.failure = Some(failure);
    world.pass();
    assert_eq!(world.status().job_manager_deployment_status, Some(Jm::Ready));
    world.later(30);
    world.pass();
    assert_eq!(world.status().job_manager_deployment_status, Some(Jm::DeployedNotReady));
    assert_eq!(world.status().job_state(), Some(JobStatusState::Reconciling));
}

#[test]
fn a_failed_create_is_told_and_tried_again() {
    let mut world = World::new(application("stateless"));
    world.resource.metadata.finalizers = Some(vec![api::names::FINALIZER_FLINK_DEPLOYMENT.to_owned()]);
    world.resource.status = Some(world.decide().status);
    let action = "create Deployment app".to_owned();
    world.observed.failure = Some(EffectFailure { action, message: "invalid".to_owned(), attempts: 3 });
    let requeue = world.pass();
    assert_eq!(requeue, Requeue::After(super::back_off(3)));
    assert_eq!(world.lifecycle(), LifecycleState::Upgrading);
    assert!(world.status().error.unwrap().contains("invalid"));
    world.observed.failure = None;
    world.becomes_stable();
    assert_eq!(world.status().error, None);
}

#[test]
fn deletion_ends_from_every_stage() {
    let stages: [fn(&mut World); 6] = [
        |_| {},
        |world| {
            world.pass();
        },
        World::becomes_stable,
        |world| {
            world.becomes_stable();
            world.change(restart(1));
            let decision = world.decide();
            world.resource.status = Some(decision.status);
        },
        |world| {
            world.resource.spec.job.as_mut().unwrap().parallelism = Some(0);
            world.pass();
        },
        |world| {
            world.resource.spec.flink_version = None;
            world.pass();
        },
    ];
    for mode in ["stateless", "savepoint", "last-state"] {
        for (index, stage) in stages.iter().enumerate() {
            let mut world = World::new(application(mode));
            world.resource.metadata.finalizers =
                Some(vec![api::names::FINALIZER_FLINK_DEPLOYMENT.to_owned()]);
            stage(&mut world);
            world.resource.metadata.deletion_timestamp =
                Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(world.now));
            world.observed.ha = Some(HaMetadata {
                config_maps: vec![("app-cluster-config-map".to_owned(), "u".to_owned())],
                ..HaMetadata::default()
            });
            for _ in 0..4 {
                world.pass();
            }
            assert!(world.finalizer_removed, "{mode} {index}: {:?}", world.status());
            assert!(world.observed.job_manager.is_none(), "{mode} {index}");
            assert!(world.observed.ha.as_ref().unwrap().config_maps.is_empty());
        }
    }
}

#[test]
fn an_unreadable_record_is_never_taken_for_a_new_resource() {
    let mut world = World::new(application("stateless"));
    world.becomes_stable();
    let mut status = world.status();
    status.reconciliation_status_mut().last_reconciled_spec = Some("{".to_owned());
    world.resource.status = Some(status);
    world.pass();
    assert_eq!(world.created, 1);
    assert!(world.status().error.unwrap().contains("lastReconciledSpec"));
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
}

#[test]
fn a_failed_job_says_why() {
    let mut world = World::new(application("stateless"));
    world.pass();
    world.job_is(JobStatusState::Failed);
    let job_id = world.status().job_id().unwrap_or_default().to_owned();
    let chain = vec![("E".to_owned(), "E: outer".to_owned()), ("F".to_owned(), "F: inner".to_owned())];
    world.answer().failure_cause = Some(crate::observed::FailureCause { job_id, chain });
    world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::Failed);
    let error = world.status().error.unwrap();
    assert!(error.contains("E: outer") && error.contains("F: inner"), "{error}");
    assert!(world.events.contains(&"Error Job".to_owned()));
}

#[test]
fn the_job_manager_ends_before_its_task_managers_when_metadata_has_to_survive() {
    let mut spec = application("last-state");
    spec["flinkConfiguration"]["high-availability.type"] = json!("kubernetes");
    spec["flinkConfiguration"]["high-availability.storageDir"] = json!("file:///ha");
    let mut world = World::new(spec);
    world.becomes_stable();
    let config_maps = vec![("app-job-config-map".to_owned(), "u".to_owned())];
    let metadata = HaMetadata { config_maps, has_job: true, has_checkpoint: true, ..HaMetadata::default() };
    world.observed.ha = Some(metadata);
    world.observed.job_manager_pods = Some(1);
    world.change(restart(1));
    world.pass();
    world.pass();
    assert_eq!(world.scaled, [0], "asked for once");
    assert!(world.observed.job_manager.is_some(), "the pods have not ended");
    world.observed.job_manager_pods = Some(0);
    world.pass();
    world.pass();
    assert_eq!(world.created, 2);
    assert_eq!(
        world.status().job_status.unwrap().upgrade_savepoint_path.as_deref(),
        Some(api::names::LAST_STATE_DUMMY_SAVEPOINT_PATH)
    );
}

#[test]
fn a_spec_that_does_not_fit_into_the_status_is_refused() {
    let mut spec = application("stateless");
    spec["flinkConfiguration"]["some.key"] = json!("x".repeat(400 * 1024));
    let mut world = World::new(spec);
    world.pass();
    assert_eq!(world.created, 0);
    assert_eq!(world.lifecycle(), LifecycleState::Failed);
    assert!(world.status().error.unwrap().contains("too large"));
}
