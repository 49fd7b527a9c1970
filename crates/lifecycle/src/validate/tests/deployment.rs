//! D1 to D32 and J1 to J7.

use api::{FlinkDeploymentSpec, FlinkVersion, decode};
use serde_json::{Value, json};

use super::super::{Rule, VersionGate, Violation, deployment, flink_version, status_message};
use super::{conf, rules, with};

fn application() -> Value {
    with(session(), json!({"job": {"jarURI": "local:///a.jar", "parallelism": 2}}))
}

fn session() -> Value {
    json!({
        "image": "flink:1.20",
        "flinkVersion": "v1_20",
        "serviceAccount": "flink",
        "jobManager": {"resource": {"cpu": 1, "memory": "2048m"}},
        "taskManager": {"resource": {"cpu": 1, "memory": "2048m"}},
    })
}

fn check(spec: Value, options: &[(&str, &str)]) -> Vec<Violation> {
    check_change(None, spec, options)
}

fn check_change(last: Option<Value>, spec: Value, options: &[(&str, &str)]) -> Vec<Violation> {
    let spec_of = |value| decode::<FlinkDeploymentSpec>(value).unwrap();
    let last = last.map(spec_of);
    deployment("my-app", "flink", &spec_of(spec), last.as_ref(), &conf(options))
}

/// The application with some fields changed breaks just this rule, with this text.
#[track_caller]
fn refused(over: Value, options: &[(&str, &str)], rule: Rule, message: &str) {
    let violations = check(with(application(), over), options);
    assert_eq!((rules(&violations), status_message(&violations)), (vec![rule], Some(message)));
}

#[track_caller]
fn accepted(over: Value, options: &[(&str, &str)]) {
    assert_eq!(check(with(application(), over), options), vec![]);
}

#[test]
fn plain_clusters_pass() {
    assert_eq!(check(application(), &[]), vec![]);
    assert_eq!(check(session(), &[]), vec![]);
}

#[test]
fn names() {
    let check = |name: &str| {
        let spec: FlinkDeploymentSpec = decode(application()).unwrap();
        deployment(name, "flink", &spec, None, &conf(&[]))
    };
    for name in ["a", "a1", "a-1", "a--b", &"a".repeat(45)] {
        assert_eq!(check(name), vec![], "{name}");
    }
    for name in ["", "1a", "-a", "a-", "A", "a.b", "a_b", "ä", &"a".repeat(46)] {
        assert_eq!(rules(&check(name)), [Rule::ClusterName], "{name}");
    }
}

#[test]
fn flink_versions() {
    refused(
        json!({"flinkVersion": null}),
        &[],
        Rule::FlinkVersionMissing,
        "spec.flinkVersion must be defined",
    );
    let message = "Flink version v1_14 is not supported by this operator version";
    refused(json!({"flinkVersion": "v1_14"}), &[], Rule::FlinkVersionUnsupported, message);
    accepted(json!({"flinkVersion": "v1_15"}), &[]);
}

#[test]
fn the_gate_before_validation() {
    let unsupported = |version: &str| {
        VersionGate::Unsupported(format!("Flink version {version} is not supported by this operator version"))
    };
    assert_eq!(flink_version(None), unsupported("null"));
    assert_eq!(flink_version(Some(FlinkVersion::V1_13)), unsupported("v1_13"));
    for version in FlinkVersion::ALL.iter().filter(|version| version.is_supported()) {
        let expected = if version.is_deprecated() { VersionGate::Deprecated } else { VersionGate::Supported };
        assert_eq!(flink_version(Some(*version)), expected, "{version}");
    }
}

#[test]
fn the_version_stays_after_a_suspension_with_last_state() {
    let dir =
        &[("execution.checkpointing.dir", "s3://c"), ("execution.checkpointing.savepoint-dir", "s3://s")];
    let last = |state: &str, mode: &str| {
        with(application(), json!({"flinkVersion": "v1_19", "job": {"state": state, "upgradeMode": mode}}))
    };
    let wanted = |mode: &str| with(application(), json!({"job": {"upgradeMode": mode}}));
    let suspended = last("suspended", "last-state");
    for mode in ["last-state", "savepoint"] {
        let violations = check_change(Some(suspended.clone()), wanted(mode), dir);
        assert_eq!(rules(&violations), [Rule::FlinkVersionChange], "{mode}");
    }
    for (last, wanted) in [
        (suspended.clone(), wanted("stateless")),
        (last("running", "last-state"), wanted("last-state")),
        (last("suspended", "savepoint"), wanted("last-state")),
        (suspended, with(wanted("last-state"), json!({"flinkVersion": "v1_19"}))),
    ] {
        assert_eq!(check_change(Some(last), wanted, dir), vec![]);
    }
}

#[test]
fn forbidden_options() {
    for key in ["kubernetes.namespace", "kubernetes.cluster-id", "high-availability.cluster-id"] {
        refused(
            json!({}),
            &[(key, "x")],
            Rule::ForbiddenOption,
            &format!("Forbidden Flink config key: {key}"),
        );
    }
    accepted(json!({}), &[("high-availability.zookeeper.path.namespace", "x")]);
}

#[test]
fn rollback_needs_high_availability() {
    let rollback = ("kubernetes.operator.deployment.rollback.enabled", "true");
    let message = "HA must be enabled for rollback support.";
    refused(json!({}), &[rollback], Rule::RollbackNeedsHighAvailability, message);
    let none = ("high-availability.type", "none");
    refused(json!({}), &[rollback, none], Rule::RollbackNeedsHighAvailability, message);
    for ha in [("high-availability.type", "kubernetes"), ("high-availability", "org.example.Factory")] {
        accepted(json!({}), &[rollback, ha]);
    }
    accepted(json!({}), &[("kubernetes.operator.deployment.rollback.enabled", "FALSE")]);
}

#[test]
fn health_check_needs_recovery() {
    let check_on = ("kubernetes.operator.cluster.health-check.enabled", "true");
    let recovery_off = ("kubernetes.operator.jm-deployment-recovery.enabled", "false");
    let old_spelling = ("kubernetes.operator.reconciler.jm-deployment-recovery.enabled", "false");
    for off in [recovery_off, old_spelling] {
        let violations = check(application(), &[check_on, off]);
        assert_eq!(rules(&violations), [Rule::HealthCheckNeedsRecovery]);
        for key in [check_on.0, recovery_off.0] {
            assert!(violations[0].message.contains(key));
        }
    }
    accepted(json!({}), &[check_on]);
    accepted(json!({}), &[recovery_off]);
}

#[test]
fn ingress() {
    let message = "Ingress template must be defined";
    refused(json!({"ingress": {"className": "nginx"}}), &[], Rule::IngressTemplateMissing, message);
    for template in ["{{name}}:http", "/{{name}}", "[::1"] {
        let violations = check(with(application(), json!({"ingress": {"template": template}})), &[]);
        let expected: &[Rule] = if template.starts_with('/') { &[] } else { &[Rule::IngressTemplateInvalid] };
        assert_eq!(rules(&violations), expected, "{template}");
    }
    accepted(
        json!({"ingress": {"template": "https://{{NAME}}.{{namespace}}.example.com:8443/a(/|$)(.*)"}}),
        &[],
    );
}

#[test]
fn log_configuration() {
    accepted(json!({"logConfiguration": {"log4j-console.properties": "", "logback-console.xml": ""}}), &[]);
    refused(
        json!({"logConfiguration": {"log4j.properties": ""}}),
        &[],
        Rule::LogConfigurationKey,
        "Invalid log config key: log4j.properties. Allowed keys are [log4j-console.properties, logback-console.xml]",
    );
}

#[test]
fn directories_of_state() {
    let mode = |mode: &str| json!({"job": {"upgradeMode": mode}});
    let checkpoints = "Checkpoint directory[execution.checkpointing.dir] must be defined for last-state and savepoint upgrade modes";
    refused(mode("last-state"), &[], Rule::CheckpointDirectoryMissing, checkpoints);
    let blank = [("execution.checkpointing.dir", " ")];
    refused(mode("last-state"), &blank, Rule::CheckpointDirectoryMissing, checkpoints);
    let violations = check(with(application(), mode("savepoint")), &[]);
    assert_eq!(rules(&violations), [Rule::CheckpointDirectoryMissing, Rule::SavepointDirectoryMissing]);
    let savepoints = "Job could not be upgraded with savepoint while config key[execution.checkpointing.savepoint-dir] is not set";
    let old_key = ("state.checkpoints.dir", "s3://c");
    refused(mode("savepoint"), &[old_key], Rule::SavepointDirectoryMissing, savepoints);
    accepted(mode("last-state"), &[old_key]);
    accepted(mode("savepoint"), &[old_key, ("state.savepoints.dir", "s3://s")]);
}

#[test]
fn savepoints_need_a_directory() {
    let dir = ("execution.checkpointing.savepoint-dir", "s3://s");
    let nonce = json!({"job": {"savepointTriggerNonce": 1}});
    let violations = check(with(application(), nonce.clone()), &[]);
    assert_eq!(rules(&violations), [Rule::SavepointDirectoryMissing]);
    assert!(violations[0].message.contains(dir.0));
    accepted(nonce, &[dir]);

    let message = "Periodic savepoints cannot be enabled when config key[execution.checkpointing.savepoint-dir] is not set";
    for interval in ["1h", ""] {
        let periodic = ("kubernetes.operator.periodic.savepoint.interval", interval);
        refused(json!({}), &[periodic], Rule::SavepointDirectoryMissing, message);
        accepted(json!({}), &[periodic, dir]);
    }

    let age = ("kubernetes.operator.job.upgrade.last-state.max.allowed.checkpoint.age", "1 h");
    assert_eq!(rules(&check(application(), &[age])), [Rule::SavepointDirectoryMissing]);
    accepted(json!({}), &[age, dir]);
    assert_eq!(check(session(), &[age]), vec![]);
}

#[test]
fn width_of_the_job() {
    let parallelism = "Job parallelism must be larger than 0";
    for none in [json!(0), json!(-1), json!(null)] {
        refused(json!({"job": {"parallelism": none}}), &[], Rule::Parallelism, parallelism);
        accepted(json!({"job": {"parallelism": none}, "taskManager": {"replicas": 1}}), &[]);
    }
    let replicas = "TaskManager replicas must be larger than 0";
    refused(json!({"taskManager": {"replicas": 0}}), &[], Rule::TaskManagerReplicas, replicas);
}

#[test]
fn a_session_cluster_may_be_without_task_managers() {
    for mode in ["native", "standalone"] {
        let session = |replicas: i32| {
            check(with(session(), json!({"mode": mode, "taskManager": {"replicas": replicas}})), &[])
        };
        assert_eq!(session(1), vec![]);
        assert_eq!(session(0), vec![], "kubectl scale --replicas=0");
        let violations = session(-1);
        assert_eq!(rules(&violations), [Rule::TaskManagerReplicas]);
        assert_eq!(violations[0].message, "spec.taskManager.replicas must be at least 0, found -1");
        let application = with(application(), json!({"mode": mode, "taskManager": {"replicas": 0}}));
        assert_eq!(rules(&check(application, &[])), [Rule::TaskManagerReplicas], "a job needs slots");
    }
}

#[test]
fn memory_must_come_from_somewhere() {
    let message = |name: &str, field: &str| {
        format!(
            "{name} resource memory must be defined using `spec.{field}.resource.memory` or \
             `spec.{field}.resources.requests.memory`"
        )
    };
    for (name, field, option) in [
        ("JobManager", "jobManager", ("jobmanager.memory.process.size", "1600m")),
        ("TaskManager", "taskManager", ("taskmanager.memory.process.size", "1728m")),
    ] {
        let message = message(name, field);
        for absent in [json!(null), json!({"resource": {"memory": null}})] {
            refused(json!({ field: absent }), &[], Rule::MemoryMissing, &message);
            accepted(json!({ field: absent }), &[option]);
        }
        // Blank counts as absent, and is not an amount either.
        let violations = check(with(application(), json!({ field: {"resource": {"memory": " "}} })), &[]);
        assert_eq!(rules(&violations), [Rule::MemoryMissing, Rule::ResourceAmount]);
        for section in ["requests", "limits"] {
            let resources = json!({ section: {"memory": "2Gi"} });
            accepted(json!({ field: {"resource": null, "resources": resources} }), &[]);
        }
    }
    let violations = check(with(application(), json!({"jobManager": null, "taskManager": null})), &[]);
    assert_eq!(rules(&violations), [Rule::MemoryMissing, Rule::MemoryMissing]);
    assert_eq!(status_message(&violations), Some(message("JobManager", "jobManager").as_str()));
}

#[test]
fn job_managers() {
    let replicas = |number: i32| json!({"jobManager": {"replicas": number}});
    refused(
        replicas(0),
        &[],
        Rule::JobManagerReplicas,
        "spec.jobManager.replicas must be at least 1, found 0",
    );
    accepted(replicas(1), &[]);
    let message = "High availability should be enabled when starting standby JobManagers.";
    refused(replicas(2), &[], Rule::StandbyNeedsHighAvailability, message);
    accepted(replicas(2), &[("high-availability.type", "kubernetes")]);
}

#[test]
fn what_cannot_change() {
    let changed = |last: Value, spec: Value| {
        let violations = check_change(Some(last), spec, &[]);
        violations.first().map(|violation| (violation.rule, violation.message.clone()))
    };
    let refused = |rule, message: &str| Some((rule, message.to_owned()));
    let mode = |mode: &str| with(application(), json!({ "mode": mode }));
    for (last, spec, expected) in [
        (
            session(),
            application(),
            refused(Rule::ClusterTypeChange, "Cannot switch from session to job cluster"),
        ),
        (
            application(),
            session(),
            refused(Rule::ClusterTypeChange, "Cannot switch from job to session cluster"),
        ),
        (
            application(),
            mode("standalone"),
            refused(
                Rule::DeploymentModeChange,
                "Cannot switch from native kubernetes to standalone kubernetes cluster",
            ),
        ),
        (
            mode("standalone"),
            application(),
            refused(
                Rule::DeploymentModeChange,
                "Cannot switch from standalone kubernetes to native kubernetes cluster",
            ),
        ),
        (application(), mode("native"), None),
        (mode("standalone"), mode("standalone"), None),
    ] {
        assert_eq!(changed(last, spec), expected);
    }
}

#[test]
fn redeployment_needs_a_savepoint() {
    let job = |fields: Value| with(application(), json!({ "job": fields }));
    let last = job(json!({"savepointRedeployNonce": 1}));
    for path in [json!(null), json!(""), json!(" ")] {
        let spec = job(json!({"savepointRedeployNonce": 2, "initialSavepointPath": path}));
        let violations = check_change(Some(last.clone()), spec, &[]);
        assert_eq!(rules(&violations), [Rule::InitialSavepointPathMissing]);
    }
    for fields in [
        json!({"savepointRedeployNonce": 1}),
        json!({}),
        json!({"savepointRedeployNonce": 2, "initialSavepointPath": "s3://s"}),
    ] {
        assert_eq!(check_change(Some(last.clone()), job(fields), &[]), vec![]);
    }
    assert_eq!(check(job(json!({"savepointRedeployNonce": 2})), &[]), vec![], "nothing was deployed before");
}

#[test]
fn service_account() {
    let message = "spec.serviceAccount must be defined. If you use helm, its value should be the same with the name of jobServiceAccount.";
    refused(json!({"serviceAccount": null}), &[], Rule::ServiceAccountMissing, message);
    accepted(json!({"serviceAccount": ""}), &[]);
}

#[test]
fn options_that_cannot_be_read_come_first() {
    for (key, value) in [
        ("kubernetes.operator.deployment.rollback.enabled", "yes"),
        ("kubernetes.operator.cluster.health-check.enabled", "1"),
        ("kubernetes.operator.job.upgrade.last-state.max.allowed.checkpoint.age", "PT1H"),
        ("job.autoscaler.enabled", "on"),
        ("taskmanager.numberOfTaskSlots", "many"),
        ("rest.port", "http"),
    ] {
        let violations = check(with(application(), json!({"serviceAccount": null})), &[(key, value)]);
        assert_eq!(rules(&violations), [Rule::UnparsableOption, Rule::ServiceAccountMissing], "{key}");
        let message =
            format!("java.lang.IllegalArgumentException: Could not parse value '{value}' for key '{key}'.");
        assert_eq!(status_message(&violations), Some(message.as_str()));
    }
    // Not read while the health check is off.
    accepted(json!({}), &[("kubernetes.operator.jm-deployment-recovery.enabled", "maybe")]);
}

#[test]
fn configuration_that_is_no_object() {
    let violations = check(with(application(), json!({"flinkConfiguration": "a: b"})), &[]);
    assert_eq!(rules(&violations), [Rule::FlinkConfigurationForm]);
    assert_eq!(
        status_message(&violations),
        Some("spec.flinkConfiguration must be an object of options, found a string")
    );
}
