//! Tolerant in, exact out: what is accepted, and how a refusal reads.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

use api::{
    ErrorReport, FlinkDeployment, FlinkDeploymentSpec, FlinkDeploymentStatus, FlinkSessionJobSpec,
    FlinkSessionJobStatus, FlinkStateSnapshot, FlinkVersion, JobManagerDeploymentStatus, JobSpec, JobState,
    LifecycleState, ReconciledSpec, ReconciliationState, ResourceRequirements, UpgradeMode, decode,
    error::ErrorLimits, names,
};
use serde_json::{Value, json};

#[test]
fn an_object_without_spec_is_an_empty_one() {
    for object in
        [json!({"metadata": {"name": "canary"}}), json!({"metadata": {"name": "canary"}, "spec": null})]
    {
        let deployment: FlinkDeployment = decode(object).unwrap();
        assert_eq!(deployment.spec, FlinkDeploymentSpec::default());
        let expected = json!({
            "apiVersion": "flink.apache.org/v1beta1",
            "kind": "FlinkDeployment",
            "metadata": {"name": "canary"},
        });
        assert_eq!(serde_json::to_value(&deployment).unwrap(), expected);
    }
}

#[test]
fn absent_and_null_fields_have_the_same_defaults() {
    for job in [json!({}), json!({"parallelism": null, "args": null, "state": null, "upgradeMode": null})] {
        let job: JobSpec = decode(job).unwrap();
        assert_eq!(job.parallelism_or_default(), 0);
        assert!(job.args_or_default().is_empty());
        assert_eq!(job.state_or_default(), JobState::Running);
        assert_eq!(job.upgrade_mode_or_default(), UpgradeMode::Stateless);
        assert_eq!(serde_json::to_value(&job).unwrap(), json!({}));
    }
    let snapshot: FlinkStateSnapshot = decode(json!({"spec": {"savepoint": {}}})).unwrap();
    assert_eq!(snapshot.spec.backoff_limit_or_default(), -1);
    let savepoint = snapshot.spec.savepoint.unwrap();
    assert!(savepoint.dispose_on_delete_or_default());
    assert!(!savepoint.already_exists_or_default());
}

#[test]
fn a_refusal_names_path_value_and_what_is_allowed() {
    for (spec, expected) in [
        (
            json!({"flinkVersion": "v9_9"}),
            "spec.flinkVersion: unknown FlinkVersion \"v9_9\", allowed: v1_13, v1_14, v1_15, v1_16, v1_17, v1_18, \
             v1_19, v1_20, v2_0, v2_1, v2_2, v2_3, v2_4",
        ),
        (
            json!({"job": {"upgradeMode": "LAST_STATE"}}),
            "spec.job.upgradeMode: unknown UpgradeMode \"LAST_STATE\", allowed: savepoint, last-state, stateless",
        ),
        (
            json!({"mode": ""}),
            "spec.mode: unknown KubernetesDeploymentMode \"\", allowed: native, standalone",
        ),
        (
            json!({"job": {"parallelism": 9_999_999_999_i64}}),
            "spec.job.parallelism: invalid value: integer `9999999999`, expected i32",
        ),
        (
            json!({"ingress": {"tls": [{"hosts": ["a", 1]}]}}),
            "spec.ingress.tls[0].hosts[1]: invalid type: integer `1`, expected a string",
        ),
    ] {
        let error = decode::<FlinkDeployment>(json!({"spec": spec})).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let error = ReconciledSpec::<FlinkDeploymentSpec>::decode(r#"{"spec":{"mode":"NATIVE"}}"#).unwrap_err();
    assert_eq!(error.path, "spec.mode");
    assert!(ReconciledSpec::<FlinkDeploymentSpec>::decode("not JSON").is_err());
}

#[test]
fn enums_are_texts_in_both_directions() {
    for version in FlinkVersion::ALL {
        assert_eq!(version.to_string().parse(), Ok(*version));
        let (major, minor) = version.major_minor();
        assert_eq!(version.as_str(), format!("v{major}_{minor}"));
    }
    assert!(FlinkVersion::ALL.is_sorted_by_key(|version| version.major_minor()));
    assert!(!FlinkVersion::V1_14.is_supported() && FlinkVersion::V1_15.is_deprecated());
    assert!(!FlinkVersion::V1_20.uses_config_yaml() && FlinkVersion::V2_0.uses_config_yaml());
}

#[test]
fn quantities_may_be_integers() {
    let resources: ResourceRequirements = decode(json!({"requests": {"cpu": 1, "memory": "2Gi"}})).unwrap();
    assert_eq!(resources.request("cpu").as_deref(), Some("1"));
    assert_eq!(resources.request("memory").as_deref(), Some("2Gi"));
    assert_eq!(resources.limit("cpu"), None);
    assert!(resources.is_set());
    assert!(!decode::<ResourceRequirements>(json!({"requests": {}})).unwrap().is_set());
}

fn recorded(spec: Value) -> Value {
    let spec: FlinkDeploymentSpec = decode(spec).unwrap();
    serde_json::from_str(&ReconciledSpec::new(spec, true).encode()).unwrap()
}

#[test]
fn recording_fills_in_defaults_and_nulls() {
    let empty: FlinkDeploymentSpec = decode(json!({"job": {}, "jobManager": {}, "taskManager": {}})).unwrap();
    let text = ReconciledSpec::new(empty, true).encode();
    assert_eq!(
        text,
        r#"{"spec":{"job":{"jarURI":null,"parallelism":0,"entryClass":null,"args":[],"state":"running","savepointTriggerNonce":null,"initialSavepointPath":null,"checkpointTriggerNonce":null,"upgradeMode":"stateless","allowNonRestoredState":null,"savepointRedeployNonce":null,"autoscalerResetNonce":null},"restartNonce":null,"flinkConfiguration":{},"image":null,"imagePullPolicy":null,"serviceAccount":null,"flinkVersion":null,"ingress":null,"podTemplate":null,"jobManager":{"resource":null,"resources":null,"replicas":1,"podTemplate":null},"taskManager":{"resource":null,"resources":null,"replicas":null,"podTemplate":null},"logConfiguration":null,"mode":null},"resource_metadata":{"apiVersion":"flink.apache.org/v1beta1","firstDeployment":true}}"#
    );
    let job = ReconciledSpec::new(FlinkSessionJobSpec::default(), false).encode();
    assert_eq!(
        job,
        r#"{"spec":{"job":null,"restartNonce":null,"flinkConfiguration":{},"deploymentName":null},"resource_metadata":{"apiVersion":"flink.apache.org/v1beta1","firstDeployment":false}}"#
    );
}

#[test]
fn recorded_pod_templates_have_the_form_of_kubernetes_models() {
    let spec = json!({"podTemplate": {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"labels": {}, "annotations": {"a": "b"}, "creationTimestamp": null},
        "spec": {
            "volumes": [{"name": "v", "emptyDir": {"sizeLimit": 1024}}, {"name": "w", "emptyDir": {}}],
            "tolerations": [],
            "nodeSelector": {},
            "securityContext": {},
            "containers": [{"name": "flink-main-container", "env": null, "resources": {"limits": {"cpu": 2}},
                "ports": [{"containerPort": 80}]}],
        },
    }});
    let text = recorded(spec)["spec"]["podTemplate"].to_string();
    assert_eq!(
        text,
        r#"{"metadata":{"annotations":{"a":"b"}},"spec":{"volumes":[{"name":"v","emptyDir":{"sizeLimit":"1024"}},{"name":"w","emptyDir":{}}],"securityContext":{},"containers":[{"name":"flink-main-container","resources":{"limits":{"cpu":"2"}},"ports":[{"containerPort":80}]}]},"apiVersion":"v1","kind":"Pod"}"#
    );
}

#[test]
fn recorded_resources_and_ingress() {
    let spec = recorded(json!({
        "ingress": {"template": "{{name}}", "tls": [{"secretName": "s", "hosts": null}, {"hosts": []}]},
        "jobManager": {"resource": {"cpu": 1}, "resources": {"requests": {"cpu": 1}, "limits": {}}},
        "taskManager": {"resources": {}},
    }));
    assert_eq!(
        spec["spec"]["ingress"].to_string(),
        r#"{"template":"{{name}}","className":null,"annotations":null,"labels":null,"tls":[{"secretName":"s"},{}]}"#
    );
    assert_eq!(
        spec["spec"]["jobManager"].to_string(),
        r#"{"resource":{"cpu":1.0,"memory":null,"ephemeralStorage":null},"resources":{"requests":{"cpu":"1"}},"replicas":1,"podTemplate":null}"#
    );
    assert_eq!(spec["spec"]["taskManager"]["resources"], json!({}));
}

#[test]
fn older_recorded_forms_are_read() {
    let flat = r#"{"apiVersion":"flink.apache.org/v1beta1","flinkVersion":"v1_15","job":{"state":"suspended"},"gone":1}"#;
    let read = ReconciledSpec::<FlinkDeploymentSpec>::decode(flat).unwrap();
    assert_eq!(read.metadata, None);
    assert!(!read.first_deployment());
    assert_eq!(read.spec.flink_version, Some(FlinkVersion::V1_15));
    assert!(read.encode().ends_with(r#"{"apiVersion":"flink.apache.org/v1beta1","firstDeployment":false}}"#));

    let with_metadata = r#"{"spec":{"mode":"native"},"resource_metadata":{"apiVersion":"flink.apache.org/v1beta1","metadata":{"generation":2},"firstDeployment":true}}"#;
    let read = ReconciledSpec::<FlinkDeploymentSpec>::decode(with_metadata).unwrap();
    assert!(read.first_deployment());

    let mut status = FlinkDeploymentStatus::initial();
    let reconciliation = status.reconciliation_status_mut();
    reconciliation.last_reconciled_spec = Some(flat.to_owned());
    reconciliation.state = Some(ReconciliationState::Deployed);
    assert_eq!(status.lifecycle_state(), LifecycleState::Suspended);
}

#[test]
fn a_recorded_text_that_says_the_same_is_kept() {
    let foreign = r#"{"resource_metadata": {"firstDeployment": true, "apiVersion": "flink.apache.org/v1beta1"}, "spec": {"job": {"parallelism": 2}}}"#;
    let mut read = ReconciledSpec::<FlinkDeploymentSpec>::decode(foreign).unwrap();
    assert_eq!(read.encode_keeping(foreign), foreign);
    assert_eq!(read.encode_keeping("not JSON"), read.encode());
    read.spec.restart_nonce = Some(1);
    assert_eq!(read.encode_keeping(foreign), read.encode());
}

#[test]
fn errors_are_cut_to_their_limits() {
    let report = ErrorReport::new("T", "message").with_metadata("reason", "BackOff").with_cause("A", "a");
    let report = report.with_cause("B", "b").with_cause("C", "c");
    let text = report.to_text(ErrorLimits { field_length: 4, throwables: 2, ..ErrorLimits::default() });
    assert_eq!(
        text,
        r#"{"type":"T","message":"mess","additionalMetadata":{"reason":"Back"},"throwableList":[{"type":"A","message":"a","additionalMetadata":{}},{"type":"B","message":"b","additionalMetadata":{}}]}"#
    );
    let traced = ErrorReport { stack_trace: Some("at x".to_owned()), ..ErrorReport::new("T", "m") };
    assert!(!traced.to_text(ErrorLimits::default()).contains("stackTrace"));
    let limits = ErrorLimits { stack_trace: true, stack_trace_length: 2, ..ErrorLimits::default() };
    assert_eq!(
        traced.to_text(limits),
        r#"{"type":"T","message":"m","stackTrace":"at","additionalMetadata":{},"throwableList":[]}"#
    );
}

#[test]
fn markers_in_error_make_a_lost_deployment_failed() {
    let mut status = FlinkDeploymentStatus::initial();
    status.error = Some("anything".to_owned());
    assert_eq!(status.lifecycle_state(), LifecycleState::Failed, "nothing recorded, but an error");
    status.reconciliation_status_mut().last_reconciled_spec = Some(r#"{"spec":{"job":{}}}"#.to_owned());
    assert_eq!(status.lifecycle_state(), LifecycleState::Upgrading);
    status.reconciliation_status_mut().state = Some(ReconciliationState::Deployed);
    assert_eq!(status.lifecycle_state(), LifecycleState::Deployed);
    for marker in [
        names::MSG_MANUAL_RESTORE_REQUIRED,
        names::MSG_HA_METADATA_NOT_AVAILABLE,
        names::MSG_JOB_FINISHED_OR_CONFIGMAPS_DELETED,
    ] {
        status.error = Some(format!("before {marker} after"));
        status.job_manager_deployment_status = Some(JobManagerDeploymentStatus::Error);
        assert_eq!(status.lifecycle_state(), LifecycleState::Failed);
        status.job_manager_deployment_status = Some(JobManagerDeploymentStatus::Ready);
        assert_eq!(status.lifecycle_state(), LifecycleState::Deployed);
    }
    status.lifecycle_state = Some(LifecycleState::Deleting);
    assert_eq!(status.lifecycle_state(), LifecycleState::Deleting);
}

#[test]
fn first_statuses_are_as_the_java_operator_sends_them() {
    let mut status = FlinkDeploymentStatus::initial();
    status.lifecycle_state = Some(status.lifecycle_state());
    let job_status = json!({
        "savepointInfo": {"savepointHistory": [], "lastPeriodicSavepointTimestamp": 0},
        "checkpointInfo": {"lastPeriodicCheckpointTimestamp": 0},
    });
    let expected = json!({
        "jobStatus": job_status,
        "lifecycleState": "CREATED",
        "clusterInfo": {},
        "jobManagerDeploymentStatus": "MISSING",
        "reconciliationStatus": {"reconciliationTimestamp": 0, "state": "UPGRADING"},
        "conditions": [],
    });
    assert_eq!(serde_json::to_value(&status).unwrap(), expected);

    let mut status = FlinkSessionJobStatus::initial();
    status.lifecycle_state = Some(status.lifecycle_state());
    let expected = json!({
        "jobStatus": job_status,
        "lifecycleState": "CREATED",
        "reconciliationStatus": {"reconciliationTimestamp": 0, "state": "UPGRADING"},
    });
    assert_eq!(serde_json::to_value(&status).unwrap(), expected);
}
