//! A world that does at once what effects ask for.

use std::collections::BTreeMap;

use api::{FlinkDeployment, FlinkDeploymentStatus, JobStatusState, LifecycleState, UpgradeMode};
use flink_conf::operator_defaults::OperatorDefaults;
use jiff::{SignedDuration, Timestamp};
use kube::core::DynamicObject;
use resources::OperatorFiles;
use serde_json::{Value, json};

use super::super::{Context, Reads, decide, reads};
use crate::observed::{
    Checkpoints, CompletedCheckpoint, FailureCause, FlinkAnswer, FlinkView, HaJob, HaMetadata, IngressView,
    JobManager, JobOverview, OperationResult, TaskManagers,
};
use crate::{Decision, Effect, EventRecord, FlinkRequest, Observed, Requeue};

pub(super) struct World {
    pub(super) resource: FlinkDeployment,
    pub(super) observed: Observed,
    /// What the cache knows of the TaskManager Deployment.
    pub(super) known_task_managers: Option<TaskManagers>,
    pub(super) now: Timestamp,
    pub(super) defaults: OperatorDefaults,
    pub(super) files: OperatorFiles,
    pub(super) events: Vec<EventRecord>,
    pub(super) calls: Vec<FlinkRequest>,
    pub(super) applied: Vec<DynamicObject>,
    pub(super) restored_from: Vec<Option<String>>,
    pub(super) scaled: Vec<i32>,
    pub(super) lifecycles: Vec<LifecycleState>,
    pub(super) finalizer_removed: bool,
    pub(super) created: u32,
    /// When the JobManager that runs started its job.
    pub(super) created_at: Timestamp,
}

/// What alerts and dashboards match on.
pub(super) fn described(event: &EventRecord) -> String {
    format!("{} {} {}", event.event_type.as_str(), event.reason, event.component.as_str())
}

fn resource(spec: &Value) -> FlinkDeployment {
    let mut resource = FlinkDeployment::new("app", serde_json::from_value(spec.clone()).unwrap());
    resource.metadata.namespace = Some("ns".to_owned());
    resource.metadata.uid = Some("uid-1".to_owned());
    resource.metadata.generation = Some(1);
    resource.metadata.resource_version = Some("1".to_owned());
    resource
}

pub(super) fn application(mode: &str) -> Value {
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

/// The same with options in `flinkConfiguration`.
pub(super) fn with(mut spec: Value, options: &[(&str, &str)]) -> Value {
    for (key, value) in options {
        spec["flinkConfiguration"][key] = json!(value);
    }
    spec
}

/// The same with high availability by Kubernetes.
pub(super) fn with_ha(spec: Value) -> Value {
    with(spec, &[("high-availability.type", "kubernetes"), ("high-availability.storageDir", "file:///ha")])
}

pub(super) fn session() -> Value {
    let mut spec = application("stateless");
    spec.as_object_mut().unwrap().remove("job");
    spec
}

pub(super) fn restart(nonce: i64) -> impl FnOnce(&mut FlinkDeployment) {
    move |resource| resource.spec.restart_nonce = Some(nonce)
}

pub(super) fn job_state(state: api::JobState) -> impl FnOnce(&mut FlinkDeployment) {
    move |resource| resource.spec.job.as_mut().unwrap().state = Some(state)
}

pub(super) fn upgrade_mode(mode: UpgradeMode) -> impl FnOnce(&mut FlinkDeployment) {
    move |resource| resource.spec.job.as_mut().unwrap().upgrade_mode = Some(mode)
}

impl World {
    pub(super) fn new(spec: impl std::borrow::Borrow<Value>) -> Self {
        Self {
            resource: resource(spec.borrow()),
            observed: Observed { ha: Some(HaMetadata::default()), ..Observed::default() },
            known_task_managers: None,
            now: Timestamp::from_second(1_000_000).unwrap(),
            defaults: OperatorDefaults::default(),
            files: OperatorFiles::default(),
            events: Vec::new(),
            calls: Vec::new(),
            applied: Vec::new(),
            restored_from: Vec::new(),
            scaled: Vec::new(),
            lifecycles: Vec::new(),
            finalizer_removed: false,
            created: 0,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    pub(super) fn status(&self) -> FlinkDeploymentStatus {
        self.resource.status.clone().unwrap_or_default()
    }

    pub(super) fn lifecycle(&self) -> LifecycleState {
        self.status().lifecycle_state()
    }

    pub(super) fn job_state(&self) -> Option<JobStatusState> {
        self.status().job_state()
    }

    pub(super) fn known_path(&self) -> Option<String> {
        self.status().job_status.and_then(|job| job.upgrade_savepoint_path)
    }

    pub(super) fn error(&self) -> String {
        self.status().error.unwrap_or_default()
    }

    /// Reason and message of a condition.
    pub(super) fn condition(&self, type_: &str) -> Option<(String, String)> {
        let conditions = self.status().conditions.unwrap_or_default();
        let found = conditions.into_iter().find(|condition| condition.type_.as_deref() == Some(type_))?;
        Some((found.reason.unwrap_or_default(), found.message.unwrap_or_default()))
    }

    /// Reason of the condition that says why the newest generation is not what runs.
    pub(super) fn held(&self) -> Option<String> {
        self.condition("SpecAccepted").map(|(reason, _)| reason)
    }

    pub(super) fn decide(&self) -> Decision<FlinkDeploymentStatus> {
        let context = Context {
            now: self.now,
            zone: &jiff::tz::TimeZone::UTC,
            defaults: &self.defaults,
            files: &self.files,
        };
        decide(&self.resource, &self.observed, &context)
    }

    /// What is read before the next decision.
    pub(super) fn reads(&self) -> Reads {
        let context = Context {
            now: self.now,
            zone: &jiff::tz::TimeZone::UTC,
            defaults: &self.defaults,
            files: &self.files,
        };
        reads(&self.resource, self.observed.job_manager.as_ref(), self.known_task_managers.as_ref(), &context)
    }

    /// One pass: as many rounds as the decisions ask for.
    pub(super) fn pass(&mut self) -> Requeue {
        for _ in 0..8 {
            let requeue = self.round();
            if requeue != Requeue::AtOnce {
                return requeue;
            }
        }
        panic!("a pass does not end: {:?}", self.status());
    }

    pub(super) fn round(&mut self) -> Requeue {
        let decision = self.decide();
        self.record(&decision);
        for effect in decision.effects {
            self.perform(effect);
        }
        decision.requeue
    }

    /// A round of an operator that ends between recording and doing.
    pub(super) fn crash_after_recording(&mut self) {
        let decision = self.decide();
        self.record(&decision);
        self.observed.created_attempt = None;
    }

    fn record(&mut self, decision: &Decision<FlinkDeploymentStatus>) {
        self.resource.status = Some(decision.status.clone());
        let lifecycle = self.lifecycle();
        if self.lifecycles.last() != Some(&lifecycle) {
            self.lifecycles.push(lifecycle);
        }
        self.check_that_generations_are_explained();
        self.now = self.now.checked_add(SignedDuration::from_millis(10)).unwrap();
    }

    /// `observedGeneration` advances, or a condition says why not.
    fn check_that_generations_are_explained(&self) {
        let status = self.status();
        let taken = status.observed_generation == self.resource.metadata.generation;
        let first_look =
            self.resource.status.as_ref().is_none_or(|status| status.last_reconciled_spec().is_none())
                && self.resource.metadata.finalizers.is_none();
        let deleting = self.resource.metadata.deletion_timestamp.is_some();
        assert!(taken || deleting || first_look || self.held().is_some(), "unexplained: {status:?}");
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Event(event) => {
                super::event_catalogue::check(&event);
                self.events.push(event);
            }
            Effect::AddFinalizer => {
                self.resource.metadata.finalizers =
                    Some(vec![api::names::FINALIZER_FLINK_DEPLOYMENT.to_owned()]);
            }
            Effect::RemoveFinalizer => self.finalizer_removed = true,
            Effect::SubmitJob(_) => panic!("a FlinkDeployment submits no job"),
            Effect::CreateCluster(objects) => {
                assert!(self.observed.job_manager.is_none(), "two clusters at once");
                self.created += 1;
                self.created_at = self.now;
                let attempt = objects.attempt().map(str::to_owned);
                let operation = self.status().operation.unwrap_or_default();
                self.restored_from.push(operation.restore_path);
                self.observed.job_manager = Some(JobManager {
                    uid: format!("jm-{}", self.created),
                    generation: self.resource.metadata.generation,
                    attempt: attempt.clone(),
                    owned: true,
                    terminating: false,
                    terminating_since: None,
                    resource_version: None,
                    paused: false,
                    desired_replicas: 1,
                    replicas: 0,
                    available_replicas: 0,
                    failed_create: None,
                    never_started: false,
                });
                self.observed.created_attempt = attempt;
                self.observed.flink = FlinkView::default();
            }
            Effect::Delete(delete) if delete.object.name == "app" && delete.object.kind == "Deployment" => {
                self.observed.job_manager = None;
            }
            // That it goes is for the test to say.
            Effect::Delete(delete) if delete.object.name.ends_with("-taskmanager") => {}
            Effect::Delete(delete) => {
                if let Some(ha) = &mut self.observed.ha {
                    ha.config_maps.retain(|(name, _)| *name != delete.object.name);
                    ha.jobs.retain(|job| job.config_map != delete.object.name);
                }
            }
            Effect::Flink(call) => self.calls.push(call.request),
            Effect::Scale(scale) if scale.object.name.ends_with("-taskmanager") => {
                self.scaled.push(scale.replicas);
            }
            Effect::Scale(scale) => {
                self.scaled.push(scale.replicas);
                self.job_manager().desired_replicas = scale.replicas;
                self.observed.job_manager_pods = Some(usize::try_from(scale.replicas).unwrap());
            }
            Effect::Apply(object) | Effect::CreateOwned(object) => {
                if object.types.as_ref().is_some_and(|types| types.kind == "Ingress") {
                    let ingress = serde_json::to_value(&object).and_then(serde_json::from_value).unwrap();
                    self.observed.ingress = IngressView::from_ingress(&ingress, "uid-1");
                }
                self.applied.push(*object);
            }
            Effect::RemoveData(_) | Effect::Change(_) | Effect::DeleteNodes(_) => {}
        }
    }

    pub(super) fn job_manager(&mut self) -> &mut JobManager {
        self.observed.job_manager.as_mut().unwrap()
    }

    /// The JobManager is up and its job is in `state`.
    pub(super) fn job_is(&mut self, state: JobStatusState) {
        let job_id = self.status().job_id().map(str::to_owned);
        let (now, created_at) = (self.now, self.created_at);
        let job_manager = self.job_manager();
        job_manager.replicas = 1;
        job_manager.available_replicas = 1;
        let cluster = job_manager.uid.clone();
        let start_time = created_at.as_millisecond();
        let jobs = job_id.iter().map(|job_id| JobOverview {
            job_id: job_id.clone(),
            name: "app".to_owned(),
            state,
            start_time,
            tasks_total: 1,
            tasks_running: i64::from(state == JobStatusState::Running),
            tasks_finished: i64::from(state == JobStatusState::Finished),
            ended_since: state.is_terminal().then_some(now),
        });
        let answer = FlinkAnswer {
            at: now,
            cluster,
            jobs: jobs.collect(),
            absent: BTreeMap::new(),
            task_managers: Some(1),
            cluster_info: BTreeMap::from([("flink-version".to_owned(), "1.20.3".to_owned())]),
            checkpoints: job_id.map(|job_id| Checkpoints { job_id, ..Checkpoints::default() }),
            operations: BTreeMap::new(),
            failure_cause: (state == JobStatusState::Failed).then(FailureCause::default),
            exceptions: Vec::new(),
            metrics: None,
            parallelism: None,
        };
        self.observed.flink = FlinkView { answer: Some(answer), failure: None };
    }

    /// The JobManager is up and does not know the job, and has not for `seconds`.
    pub(super) fn job_is_absent(&mut self, seconds: i64) {
        self.job_is(JobStatusState::Running);
        let since = self.now.checked_sub(SignedDuration::from_secs(seconds)).unwrap();
        let job_id = self.status().job_id().unwrap_or_default().to_owned();
        let answer = self.answer();
        answer.jobs.clear();
        answer.checkpoints = None;
        answer.absent.insert(job_id, since);
    }

    /// The JobManager came up when the job had ended: it knows how, and nothing else of it.
    pub(super) fn job_is_known_by_its_result(&mut self, state: JobStatusState) {
        self.job_is(state);
        let job = &mut self.answer().jobs[0];
        job.start_time += 1;
        (job.tasks_total, job.tasks_finished) = (0, 0);
    }

    pub(super) fn answer(&mut self) -> &mut FlinkAnswer {
        self.observed.flink.answer.as_mut().unwrap()
    }

    /// The job has completed a checkpoint or savepoint.
    pub(super) fn completed(&mut self, id: i64, path: &str) -> &mut CompletedCheckpoint {
        let completed = &mut self.answer().checkpoints.as_mut().unwrap().completed;
        completed.push(CompletedCheckpoint {
            id,
            external_path: path.to_owned(),
            trigger_timestamp: 0,
            is_savepoint: false,
            discarded: false,
        });
        completed.last_mut().unwrap()
    }

    /// Flink says that of the stop that is recorded.
    pub(super) fn stop_is(&mut self, result: OperationResult) {
        let trigger = self.status().operation.unwrap().trigger_id.unwrap();
        self.answer().operations.insert(trigger, result);
    }

    /// HA metadata of the recorded job.
    pub(super) fn ha_job(&mut self, has_checkpoint: bool) {
        let name = format!("app-{}-config-map", self.status().job_id().unwrap());
        self.observed.ha = Some(HaMetadata {
            config_maps: vec![(name.clone(), "u".to_owned())],
            job_graphs: Vec::new(),
            jobs: vec![HaJob { config_map: name, has_checkpoint }],
        });
    }

    pub(super) fn change(&mut self, change: impl FnOnce(&mut FlinkDeployment)) {
        change(&mut self.resource);
        let generation = self.resource.metadata.generation.unwrap_or_default() + 1;
        self.resource.metadata.generation = Some(generation);
    }

    pub(super) fn ask_for_deletion(&mut self) {
        let now = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(self.now);
        self.change(|resource| resource.metadata.deletion_timestamp = Some(now));
    }

    pub(super) fn later(&mut self, seconds: i64) {
        self.now = self.now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    }

    pub(super) fn becomes_stable(&mut self) {
        self.pass();
        self.job_is(JobStatusState::Running);
        self.pass();
        assert_eq!(self.lifecycle(), LifecycleState::Stable, "{:?}", self.status());
    }

    /// A world with a stable cluster that nothing was told about yet.
    pub(super) fn stable(spec: impl std::borrow::Borrow<Value>) -> Self {
        let mut world = Self::new(spec);
        world.becomes_stable();
        world.reasons();
        world.lifecycles.clear();
        world
    }

    /// `type reason component` of what was told since the last call.
    pub(super) fn reasons(&mut self) -> Vec<String> {
        let told = std::mem::take(&mut self.events);
        told.iter().map(described).collect()
    }

    pub(super) fn was_told(&self, reason: &str) -> bool {
        self.events.iter().any(|event| event.reason.as_str() == reason)
    }

    /// Nothing happens in a further look.
    pub(super) fn rests(&mut self) {
        let before = self.status();
        let decision = self.decide();
        assert_eq!(decision.status, before);
        assert!(decision.effects.is_empty(), "{:?}", decision.effects);
    }
}
