//! Tables and promises of session jobs. Their whole lives are tried in the simulation.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::{
    FlinkDeployment, FlinkSessionJob, FlinkSessionJobStatus, JobStatusState, OperationKind, UpgradeMode,
};
use flink_conf::OperatorDefaults;
use jiff::{SignedDuration, Timestamp};
use resources::OperatorFiles;
use serde_json::{Value, json};

use super::{decide, pruned, seen_from_cluster};
use crate::deployment::Context;
use crate::job::upgrade::{CheckpointAge, KnownState, Plan, Restore, Stop, UpgradeInput, plan_session_job};
use crate::observed::{FlinkAnswer, FlinkView, JobManager, JobOverview, Observed};
use crate::{Decision, Effect, FlinkRequest, JobSubmission};

struct World {
    job: FlinkSessionJob,
    observed: Observed,
    now: Timestamp,
}

fn cluster() -> FlinkDeployment {
    let spec = json!({
        "image": "flink:1.20", "flinkVersion": "v1_20", "serviceAccount": "flink",
        "flinkConfiguration": {
            "execution.checkpointing.dir": "file:///cp",
            "execution.checkpointing.savepoint-dir": "file:///sp",
        },
        "jobManager": {"resource": {"memory": "1024m", "cpu": 0.2}},
        "taskManager": {"resource": {"memory": "1024m", "cpu": 0.2}},
    });
    let mut cluster = FlinkDeployment::new("cluster", serde_json::from_value(spec).unwrap());
    cluster.metadata.namespace = Some("ns".to_owned());
    cluster.metadata.uid = Some("cluster-uid".to_owned());
    let recorded = api::reconciled::ReconciledSpec::new(cluster.spec.clone(), true).encode();
    cluster.status = serde_json::from_value(json!({
        "jobManagerDeploymentStatus": "READY",
        "reconciliationStatus": {"state": "DEPLOYED", "lastReconciledSpec": recorded},
    }))
    .unwrap();
    cluster
}

fn job_manager() -> JobManager {
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "cluster", "uid": "jm-uid"},
        "spec": {"replicas": 1, "selector": {}, "template": {}},
        "status": {"replicas": 1, "availableReplicas": 1},
    });
    JobManager::from_deployment(&serde_json::from_value(deployment).unwrap(), "cluster-uid")
}

impl World {
    fn new(mode: &str) -> Self {
        let spec = json!({
            "deploymentName": "cluster",
            "job": {"jarURI": "https://jars.example.com/job.jar", "parallelism": 1, "upgradeMode": mode},
        });
        let mut job = FlinkSessionJob::new("job", serde_json::from_value(spec).unwrap());
        job.metadata.namespace = Some("ns".to_owned());
        job.metadata.uid = Some("uid".to_owned());
        job.metadata.generation = Some(1);
        job.metadata.finalizers = Some(vec![api::names::FINALIZER_FLINK_SESSION_JOB.to_owned()]);
        let observed = Observed {
            session_cluster: Some(Arc::new(cluster())),
            job_manager: Some(job_manager()),
            ..Observed::default()
        };
        Self { job, observed, now: Timestamp::from_second(1_000_000).unwrap() }
    }

    fn decide(&mut self) -> Decision<FlinkSessionJobStatus> {
        let (defaults, files) = (OperatorDefaults::default(), OperatorFiles::default());
        let context =
            Context { now: self.now, zone: &jiff::tz::TimeZone::UTC, defaults: &defaults, files: &files };
        let decision = decide(&self.job, &self.observed, &context);
        self.job.status = Some(decision.status.clone());
        decision
    }

    fn pass(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    fn job_id(&self) -> String {
        self.job.status.as_ref().and_then(|status| status.job_id()).unwrap_or_default().to_owned()
    }

    /// The JobManager answers, and has the job in that state; `None`: it does not know it, since `unknown_for` seconds.
    fn answers(&mut self, state: Option<JobStatusState>, unknown_for: i64) {
        let id = self.job_id();
        let job = |state| JobOverview {
            job_id: id.clone(),
            name: "job".to_owned(),
            state,
            start_time: 999_900_000,
            tasks_total: 1,
            tasks_running: 1,
            tasks_finished: 0,
            ended_since: None,
        };
        let since = self.now - SignedDuration::from_secs(unknown_for);
        let absent: BTreeMap<String, Timestamp> =
            state.is_none().then(|| (id.clone(), since)).into_iter().collect();
        self.observed.flink = FlinkView {
            answer: Some(FlinkAnswer {
                at: self.now,
                cluster: "jm-uid".to_owned(),
                jobs: state.map(job).into_iter().collect(),
                absent,
                task_managers: None,
                cluster_info: BTreeMap::new(),
                checkpoints: None,
                operations: BTreeMap::new(),
                failure_cause: None,
                exceptions: Vec::new(),
                metrics: None,
                parallelism: None,
            }),
            failure: None,
        };
    }

    /// Submitted, and stable.
    fn running(mode: &str) -> Self {
        let mut world = Self::new(mode);
        world.decide();
        world.pass(1);
        world.answers(Some(JobStatusState::Running), 0);
        world.decide();
        world.decide();
        assert_eq!(world.lifecycle(), "STABLE");
        world
    }

    fn lifecycle(&self) -> String {
        self.job.status.as_ref().unwrap().lifecycle_state.unwrap().to_string()
    }

    fn held(&self) -> String {
        let conditions = self.job.status.as_ref().and_then(|status| status.conditions.clone());
        let held = conditions.into_iter().flatten().find(|one| one.type_.as_deref() == Some("SpecAccepted"));
        held.and_then(|held| held.reason).unwrap_or_default()
    }
}

fn submissions(decision: &Decision<FlinkSessionJobStatus>) -> Vec<&JobSubmission> {
    decision
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::SubmitJob(submission) => Some(submission.as_ref()),
            _ => None,
        })
        .collect()
}

fn calls(decision: &Decision<FlinkSessionJobStatus>) -> Vec<&FlinkRequest> {
    decision
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Flink(call) => Some(&call.request),
            _ => None,
        })
        .collect()
}

/// Sections 3.5.2 and 4.4 of the description of the Java operator.
#[test]
fn the_decision_table() {
    use JobStatusState::{Canceled, Cancelling, Created, Failed, Finished, Reconciling, Restarting, Running};
    use UpgradeMode::{LastState, Savepoint, Stateless};
    let input = |mode, job| UpgradeInput {
        mode,
        job: Some(job),
        job_manager: api::JobManagerDeploymentStatus::Ready,
        job_lost: false,
        ha_metadata: false,
        ha_elsewhere: false,
        ha_kept: false,
        version_changes: false,
        savepoint_directory: true,
        last_state_fallback: true,
        last_state_cancel: false,
        known_state: KnownState::Known,
        checkpoint_age: CheckpointAge::Fine,
        never_started: false,
    };
    let wait = Plan::Wait { exclusive: false };
    let nothing = Plan::Go(Stop::Nothing, Restore::Savepoint);
    let cancel = Plan::Go(Stop::Cancel, Restore::Savepoint);
    for (mode, job, plan) in [
        (Stateless, Running, Plan::Go(Stop::Stateless, Restore::Stateless)),
        (Stateless, Reconciling, Plan::Go(Stop::Stateless, Restore::Stateless)),
        (Stateless, Failed, Plan::Go(Stop::Nothing, Restore::Stateless)),
        (Savepoint, Running, Plan::Go(Stop::Savepoint, Restore::Savepoint)),
        (Savepoint, Restarting, cancel),
        (LastState, Running, cancel),
        (LastState, Created, cancel),
        (Savepoint, Cancelling, Plan::Wait { exclusive: true }),
        (Savepoint, Reconciling, wait),
        (LastState, Reconciling, wait),
        (Savepoint, Finished, nothing),
        (LastState, Failed, nothing),
        (LastState, Canceled, nothing),
    ] {
        assert_eq!(plan_session_job(&input(mode, job)), plan, "{mode} {job}");
    }
    let lost = UpgradeInput { job_lost: true, ..input(Savepoint, Reconciling) };
    assert_eq!(plan_session_job(&lost), Plan::ManualRestore, "W-19: the user is asked");
    let unknown = UpgradeInput { known_state: KnownState::OnlyInHaMetadata, ..input(LastState, Failed) };
    assert_eq!(plan_session_job(&unknown), Plan::ManualRestore);
}

#[test]
fn a_job_waits_for_its_cluster_and_says_so() {
    let mut world = World::new("stateless");
    world.observed.session_cluster = None;
    let decision = world.decide();
    assert!(decision.effects.is_empty() && decision.poll.is_none());
    assert_eq!((world.lifecycle().as_str(), world.held().as_str()), ("CREATED", "ClusterNotFound"));
    let mut not_ready = cluster();
    not_ready.status.as_mut().unwrap().job_manager_deployment_status =
        Some(api::JobManagerDeploymentStatus::DeployedNotReady);
    world.observed.session_cluster = Some(Arc::new(not_ready));
    assert!(submissions(&world.decide()).is_empty());
    assert_eq!(world.held(), "ClusterNotReady");
    world.observed.session_cluster = Some(Arc::new(cluster()));
    assert_eq!(submissions(&world.decide()).len(), 1);
}

#[test]
fn only_python_runs_alone() {
    for (class, alone) in [("org.apache.flink.client.python.PythonDriver", true), ("example.Main", false)] {
        let mut world = World::new("stateless");
        let job = world.job.spec.job.as_mut().unwrap();
        job.entry_class = Some(class.to_owned());
        job.args = Some(vec!["-py".to_owned(), "/job.py".to_owned()]);
        let decision = world.decide();
        assert_eq!(submissions(&decision).iter().map(|one| one.runs_alone).collect::<Vec<_>>(), [alone]);
    }
}

#[test]
fn the_id_is_recorded_before_the_job_is_submitted_and_kept_until_flink_knows_it() {
    let mut world = World::new("savepoint");
    let decision = world.decide();
    let id = world.job_id();
    assert!(matches!(submissions(&decision)[..], [one] if one.job_id == id));
    assert_eq!(world.lifecycle(), "UPGRADING");
    assert_eq!(world.job.status.as_ref().unwrap().job_state(), Some(JobStatusState::Reconciling));
    assert!(seen_from_cluster(&world.job).under_way);
    // Nobody has said anything yet: the call may have arrived.
    world.pass(1);
    assert!(submissions(&world.decide()).is_empty());
    world.answers(None, 0);
    let again = world.decide();
    assert_eq!(submissions(&again).len(), 1);
    assert_eq!(world.job_id(), id);
    // A changed spec takes over an id that Flink has never seen.
    world.job.metadata.generation = Some(2);
    world.job.spec.job.as_mut().unwrap().parallelism = Some(3);
    world.pass(1);
    world.answers(None, 0);
    let changed = world.decide();
    assert_eq!(submissions(&changed).iter().map(|one| one.parallelism).collect::<Vec<_>>(), [Some(3)]);
    assert_eq!(world.job_id(), id);
    world.observed.submitted_job = Some(id);
    world.decide();
    assert_eq!(world.lifecycle(), "DEPLOYED");
}

#[test]
fn a_healthy_job_is_asked_about_alone_and_changes_nothing() {
    let mut world = World::running("last-state");
    let before = world.job.status.clone();
    world.pass(60);
    world.answers(Some(JobStatusState::Running), 0);
    let decision = world.decide();
    assert_eq!(Some(decision.status), before);
    assert!(decision.effects.is_empty());
    let poll = decision.poll.unwrap();
    assert_eq!(poll.job_id, Some(world.job_id()));
    assert_eq!(poll.cluster.name, "cluster");
}

#[test]
fn only_a_job_without_state_is_submitted_again_when_it_is_lost() {
    let mut stateless = World::running("stateless");
    let lost = stateless.job_id();
    stateless.pass(100);
    stateless.answers(None, 61);
    stateless.decide();
    assert_eq!(submissions(&stateless.decide()).len(), 1);
    assert_ne!(stateless.job_id(), lost);

    let mut stateful = World::running("savepoint");
    let kept = stateful.job_id();
    stateful.pass(100);
    stateful.answers(None, 61);
    let decision = stateful.decide();
    assert!(submissions(&decision).is_empty() && stateful.job_id() == kept);
    assert_eq!(stateful.held(), "JobNotFound");
}

#[test]
fn a_job_stops_with_its_state_when_its_cluster_waits_for_that() {
    let mut world = World::running("savepoint");
    let mut stopping = cluster();
    stopping.status.as_mut().unwrap().conditions = serde_json::from_value(json!([
        {"type": "SpecAccepted", "status": "False", "reason": crate::deployment::STOPPING_SESSION_JOBS},
    ]))
    .unwrap();
    world.observed.session_cluster = Some(Arc::new(stopping));
    world.pass(60);
    world.answers(Some(JobStatusState::Running), 0);
    let decision = world.decide();
    assert!(
        matches!(calls(&decision)[..], [FlinkRequest::StopWithSavepoint { .. }]),
        "{:?}",
        calls(&decision)
    );
    assert!(seen_from_cluster(&world.job).under_way, "the cluster waits until the path is recorded");
}

#[test]
fn a_deletion_ends_although_nobody_answers() {
    let mut world = World::running("savepoint");
    world.job.metadata.deletion_timestamp =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(world.now));
    world.observed.flink = FlinkView::default();
    world.pass(10);
    let waits = world.decide();
    assert!(!waits.effects.iter().any(|effect| matches!(effect, Effect::RemoveFinalizer)));
    world.pass(301);
    let ends = world.decide();
    assert!(ends.effects.iter().any(|effect| matches!(effect, Effect::RemoveFinalizer)));
    let named =
        |effect: &Effect| matches!(effect, Effect::Event(event) if event.message.contains(&world.job_id()));
    assert!(ends.effects.iter().any(named));
}

#[test]
fn what_apaches_crds_prune_follows_from_the_rest() {
    let mut world = World::running("savepoint");
    world.job.metadata.generation = Some(2);
    world.job.spec.job.as_mut().unwrap().parallelism = Some(2);
    world.pass(60);
    world.answers(Some(JobStatusState::Running), 0);
    world.decide();
    let stored = world.job.status.clone().unwrap();
    let operation = stored.operation.clone().unwrap();
    assert_eq!(operation.kind, Some(OperationKind::Stopping));
    let bare = FlinkSessionJobStatus { operation: None, retry: None, conditions: None, ..stored.clone() };
    let restored = pruned::restored(bare.clone());
    let back = restored.operation.clone().unwrap();
    assert_eq!(
        (back.kind, &back.trigger_id, &back.job_id),
        (operation.kind, &operation.trigger_id, &operation.job_id)
    );
    // Nobody takes it for a savepoint that a user waits for.
    let pending = restored.job_status.unwrap().savepoint_info.unwrap();
    assert_eq!((pending.trigger_id, pending.trigger_type), (None, None));
    assert!(pruned::only_noise_differs(&bare, &stored), "a write would change nothing");
    assert!(!pruned::only_noise_differs(
        &bare,
        &FlinkSessionJobStatus { error: Some("e".to_owned()), ..stored }
    ));
}

#[test]
fn a_bad_spec_is_told_and_what_runs_goes_on() {
    let mut world = World::running("stateless");
    world.job.metadata.generation = Some(2);
    world.job.spec.job.as_mut().unwrap().jar_uri = Some("ftp://jars/job.jar".to_owned());
    world.pass(60);
    world.answers(Some(JobStatusState::Running), 0);
    let decision = world.decide();
    assert!(submissions(&decision).is_empty() && calls(&decision).is_empty());
    let error: Value = serde_json::from_str(decision.status.error.as_deref().unwrap()).unwrap();
    assert!(error["message"].as_str().unwrap().contains("'ftp' is not in the allowlist"), "{error}");
    assert_eq!(world.held(), "ValidationError");
}
