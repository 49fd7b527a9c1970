//! What the resource of a job says about whether, and where, a snapshot can be taken; and the other way round.

use std::sync::Arc;

use api::reconciled::ReconciledSpec;
use api::{
    FlinkDeployment, FlinkSessionJob, FlinkStateSnapshot, FlinkVersion, SnapshotState, SnapshotTriggerType,
    SnapshotType,
};
use flink_conf::OperatorDefaults;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use resources::OperatorFiles;
use serde_json::{Value, json};

use super::super::{Phase, SnapshotJob, seen_from_job};
use super::world::{JOB_ID, World, cluster, savepoint};
use crate::deployment::Context;
use crate::effect::FlinkCluster;
use crate::observed::{JobManager, Snapshot};

fn spec(configuration: &Value) -> Value {
    json!({
        "image": "flink:1.20",
        "flinkVersion": "v1_20",
        "serviceAccount": "flink",
        "flinkConfiguration": configuration,
        "jobManager": {"resource": {"memory": "1024m", "cpu": 0.2}},
        "taskManager": {"resource": {"memory": "1024m", "cpu": 0.2}},
        "job": {"jarURI": "local:///job.jar", "parallelism": 1, "upgradeMode": "savepoint"},
    })
}

/// An application whose recorded spec is its own.
fn application(spec: Value, status: &Value) -> FlinkDeployment {
    let mut resource = FlinkDeployment::new("app", serde_json::from_value(spec).unwrap());
    resource.metadata.namespace = Some("ns".to_owned());
    resource.metadata.uid = Some("app-uid".to_owned());
    resource.metadata.generation = Some(3);
    let recorded = ReconciledSpec::new(resource.spec.clone(), true).encode();
    let mut all = json!({
        "observedGeneration": 3,
        "jobManagerDeploymentStatus": "READY",
        "jobStatus": {"jobId": JOB_ID, "state": "RUNNING"},
        "reconciliationStatus": {"state": "DEPLOYED", "lastReconciledSpec": recorded},
    });
    for (key, value) in status.as_object().unwrap() {
        all[key] = value.clone();
    }
    resource.status = serde_json::from_value(all).unwrap();
    resource
}

/// One that is in that state.
fn in_state(state: &str) -> FlinkDeployment {
    application(spec(&json!({})), &json!({"jobStatus": {"jobId": JOB_ID, "state": state}}))
}

fn job_manager() -> JobManager {
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "app", "uid": "jm-1"},
        "spec": {"replicas": 1, "selector": {}, "template": {}},
        "status": {"replicas": 1, "availableReplicas": 1},
    });
    JobManager::from_deployment(&serde_json::from_value(deployment).unwrap(), "app-uid")
}

fn within<T>(look: impl FnOnce(&Context<'_>) -> T) -> T {
    let (defaults, files) = (OperatorDefaults::default(), OperatorFiles::default());
    let zone = jiff::tz::TimeZone::UTC;
    let now = Timestamp::from_second(1_000_000).unwrap();
    look(&Context { now, zone: &zone, defaults: &defaults, files: &files })
}

fn job_of(resource: &FlinkDeployment, job_manager: Option<JobManager>) -> SnapshotJob {
    within(|context| SnapshotJob::of_deployment(resource, job_manager, context))
}

fn phase_of(resource: &FlinkDeployment) -> Phase {
    job_of(resource, None).phase
}

fn waits(why: &str) -> Phase {
    Phase::Changing(format!("The snapshot waits: {why}"))
}

// ---- applications ---------------------------------------------------------------------------------------------------

#[test]
fn a_running_application_says_all_that_a_snapshot_needs() {
    let configuration = json!({
        "execution.checkpointing.savepoint-dir": "file:///sp",
        "kubernetes.operator.checkpoint.type": "INCREMENTAL",
    });
    let job = job_of(&application(spec(&configuration), &json!({})), Some(job_manager()));
    assert_eq!((job.uid.as_str(), job.deleting, job.phase), ("app-uid", false, Phase::Running));
    assert_eq!((job.job_id.as_deref(), job.job_manager.as_deref()), (Some(JOB_ID), Some("jm-1")));
    assert_eq!((job.cluster, job.version), (cluster(), Some(FlinkVersion::V1_20)));
    assert_eq!(job.savepoint_directory.as_deref(), Some("file:///sp"));
    assert_eq!(job.checkpoint_type, "INCREMENTAL");
}

#[test]
fn settings_that_cannot_be_read_are_those_of_the_operator() {
    let configuration = json!({"kubernetes.operator.reconcile.interval": "often",
        "kubernetes.operator.savepoint.history.max.count": "many"});
    let job = job_of(&application(spec(&configuration), &json!({})), None);
    assert_eq!((job.checkpoint_type.as_str(), job.savepoint_directory), ("FULL", None));
}

#[test]
fn only_a_job_manager_that_answers_can_be_asked() {
    let resource = in_state("RUNNING");
    let changes: [fn(&mut JobManager); 3] = [
        |job_manager| job_manager.available_replicas = 0,
        |job_manager| job_manager.terminating = true,
        |job_manager| job_manager.paused = true,
    ];
    for change in changes {
        let mut job_manager = job_manager();
        change(&mut job_manager);
        assert_eq!(job_of(&resource, Some(job_manager)).job_manager, None);
    }
    assert_eq!(job_of(&resource, None).job_manager, None);
}

#[test]
fn a_job_is_waited_for_unless_it_runs_or_has_ended() {
    for (state, phase) in [
        ("RUNNING", Phase::Running),
        ("FINISHED", Phase::Ended),
        ("FAILED", Phase::Ended),
        ("CANCELED", Phase::Ended),
        ("CREATED", waits("the job is CREATED")),
        ("RESTARTING", waits("the job is RESTARTING")),
        ("SUSPENDED", waits("the job is SUSPENDED")),
    ] {
        assert_eq!(phase_of(&in_state(state)), phase, "{state}");
    }
    let unknown = application(spec(&json!({})), &json!({"jobStatus": {"jobId": JOB_ID}}));
    assert_eq!(phase_of(&unknown), waits("nothing is known of the job yet"));
}

/// The change may be one that starts it again.
#[test]
fn a_job_that_has_ended_is_waited_for_while_a_change_of_its_spec_is_new() {
    let mut resource = in_state("FINISHED");
    resource.metadata.generation = Some(4);
    assert_eq!(phase_of(&resource), waits("the job is FINISHED"));
}

#[test]
fn steps_are_waited_for() {
    for (kind, why) in [
        ("STOPPING", "the job is being stopped"),
        ("CANCELLING", "the job is being stopped"),
        ("DEPLOYING", "the job is about to start"),
        ("RESTARTING", "the job is about to start"),
        ("WITHDRAWING", "the job is about to start"),
    ] {
        let resource = application(spec(&json!({})), &json!({"operation": {"kind": kind}}));
        assert_eq!(phase_of(&resource), waits(why), "{kind}");
    }
    let recorded = in_state("FINISHED").status.unwrap().reconciliation_status.unwrap();
    let stopped = json!({"state": "UPGRADING", "lastReconciledSpec": recorded.last_reconciled_spec});
    let resource = application(spec(&json!({})), &json!({"reconciliationStatus": stopped}));
    assert_eq!(phase_of(&resource), waits("the job is about to start"));
    let mut fresh = in_state("RUNNING");
    fresh.status = None;
    assert_eq!(phase_of(&fresh), waits("the job is about to start"));
}

#[test]
fn a_suspended_job_has_ended_until_its_spec_wants_it_to_run() {
    let mut suspended = spec(&json!({}));
    suspended["job"]["state"] = json!("suspended");
    let status = json!({"jobStatus": {"jobId": JOB_ID, "state": "FINISHED"}});
    let mut resource = application(suspended, &status);
    assert_eq!(phase_of(&resource), Phase::Ended);
    resource.spec.job.as_mut().unwrap().state = Some(api::JobState::Running);
    assert_eq!(phase_of(&resource), waits("the job is about to start"));
}

#[test]
fn a_job_whose_resource_is_being_deleted_is_waited_for() {
    let mut resource = in_state("RUNNING");
    resource.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
    let job = job_of(&resource, Some(job_manager()));
    assert!(job.deleting);
    assert_eq!(job.phase, waits("the resource of the job is being deleted"));
}

#[test]
fn a_session_cluster_has_no_job() {
    let mut session = spec(&json!({}));
    session.as_object_mut().unwrap().remove("job");
    let mut resource = application(session, &json!({}));
    assert_eq!(phase_of(&resource), Phase::Ended);
    resource.status = None;
    assert_eq!(phase_of(&resource), Phase::Ended);
}

#[test]
fn a_job_counts_that_runs_or_is_wanted() {
    let mut resource = in_state("RUNNING");
    let wanted = resource.spec.job.take();
    assert_eq!(phase_of(&resource), Phase::Running, "it cannot be taken away");
    let mut session = spec(&json!({}));
    session.as_object_mut().unwrap().remove("job");
    let mut resource = application(session, &json!({"jobStatus": null}));
    resource.spec.job = wanted;
    assert_eq!(phase_of(&resource), waits("nothing is known of the job yet"));
}

// ---- session jobs ---------------------------------------------------------------------------------------------------

fn session_job() -> FlinkSessionJob {
    let spec = json!({
        "deploymentName": "cluster",
        "job": {"jarURI": "https://jars.example.com/job.jar", "parallelism": 1, "upgradeMode": "savepoint"},
        "flinkConfiguration": {"kubernetes.operator.checkpoint.type": "INCREMENTAL"},
    });
    let mut job = FlinkSessionJob::new("job", serde_json::from_value(spec).unwrap());
    job.metadata.namespace = Some("ns".to_owned());
    job.metadata.uid = Some("job-uid".to_owned());
    job.metadata.generation = Some(1);
    let recorded = ReconciledSpec::new(job.spec.clone(), true).encode();
    job.status = serde_json::from_value(json!({
        "observedGeneration": 1,
        "jobStatus": {"jobId": JOB_ID, "state": "RUNNING"},
        "reconciliationStatus": {"state": "DEPLOYED", "lastReconciledSpec": recorded},
    }))
    .unwrap();
    job
}

#[test]
fn a_session_job_is_asked_for_at_its_cluster() {
    let mut session =
        spec(&json!({"execution.checkpointing.savepoint-dir": "file:///sp", "rest.port": 8088}));
    session.as_object_mut().unwrap().remove("job");
    let mut cluster = application(session, &json!({}));
    cluster.metadata.name = Some("cluster".to_owned());
    let cluster = Some(Arc::new(cluster));
    let job =
        within(|context| SnapshotJob::of_session_job(&session_job(), cluster, Some(job_manager()), context));
    assert_eq!((job.uid.as_str(), job.deleting, job.phase), ("job-uid", false, Phase::Running));
    assert_eq!((job.job_id.as_deref(), job.job_manager.as_deref()), (Some(JOB_ID), Some("jm-1")));
    let at =
        FlinkCluster { namespace: "ns".to_owned(), name: "cluster".to_owned(), rest_port: 8088, tls: false };
    assert_eq!((job.cluster, job.version), (at, Some(FlinkVersion::V1_20)));
    assert_eq!(job.savepoint_directory.as_deref(), Some("file:///sp"));
    assert_eq!(job.checkpoint_type, "INCREMENTAL");
}

#[test]
fn a_session_job_without_its_cluster_cannot_be_asked() {
    let job = within(|context| SnapshotJob::of_session_job(&session_job(), None, None, context));
    assert_eq!((job.job_manager, job.version), (None, None));
}

// ---- a snapshot, seen from its job ------------------------------------------------------------------------------------

#[test]
fn a_job_sees_of_its_snapshots_what_it_needs() {
    let mut resource = World::completed(savepoint()).resource;
    resource.metadata.creation_timestamp = Some(Time(Timestamp::from_second(7).unwrap()));
    resource
        .metadata
        .labels
        .as_mut()
        .unwrap()
        .insert("snapshot.trigger-type".to_owned(), "PERIODIC".to_owned());
    let seen = Snapshot {
        name: "one".to_owned(),
        uid: "uid-1".to_owned(),
        snapshot_type: Some(SnapshotType::Savepoint),
        trigger_type: SnapshotTriggerType::Periodic,
        state: SnapshotState::Completed,
        created: Some(Timestamp::from_second(7).unwrap()),
        terminating: false,
        job_uid: Some("app-uid".to_owned()),
        path: Some("file:///sp/one".to_owned()),
    };
    assert_eq!(seen_from_job(&resource), seen);
    resource.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
    resource.status.as_mut().unwrap().path = Some(String::new());
    assert_eq!(seen_from_job(&resource), Snapshot { terminating: true, path: None, ..seen });
}

#[test]
fn of_a_snapshot_that_says_nothing_nothing_is_known() {
    let mut resource: FlinkStateSnapshot = World::new(savepoint()).resource;
    resource.spec.savepoint = None;
    let labels = [("snapshot.trigger-type".to_owned(), "WHIM".to_owned())];
    resource.metadata.labels = Some(labels.into());
    let seen = seen_from_job(&resource);
    assert_eq!((seen.snapshot_type, seen.trigger_type), (None, SnapshotTriggerType::Unknown));
    assert_eq!((seen.state, seen.job_uid, seen.path), (SnapshotState::TriggerPending, None, None));
}
