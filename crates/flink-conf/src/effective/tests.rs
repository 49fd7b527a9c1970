//! What the recordings of the Java operator do not show.

use api::FlinkSessionJobSpec;
use serde_json::json;

use super::*;

fn identity() -> ClusterIdentity {
    ClusterIdentity { name: "my-app".into(), namespace: "ns".into(), uid: "u-1".into(), generation: 3 }
}

fn spec(value: Value) -> FlinkDeploymentSpec {
    serde_json::from_value(value).unwrap()
}

fn deployed(value: Value) -> Result<FlinkConf, ConfError> {
    deploy(&OperatorDefaults::default(), &identity(), &spec(value))
}

/// The value under `key` of the configuration that a spec gives.
fn value_of(key: &str, value: Value) -> Option<String> {
    deployed(value).unwrap().get(key).map(str::to_owned)
}

#[test]
fn old_versions_have_their_own_keys() {
    let old =
        json!({"flinkVersion": "v1_16", "image": "flink:1.16", "jobManager": {"resource": {"cpu": 0.5}}});
    let conf = deployed(old).unwrap();
    assert_eq!(conf.get("kubernetes.container.image"), Some("flink:1.16"));
    assert_eq!(conf.get("kubernetes.container.image.ref"), None);
    assert_eq!(conf.get("kubernetes.jobmanager.cpu"), Some("0.5"));
    assert_eq!(conf.get("kubernetes.jobmanager.cpu.amount"), Some("0.5"));
}

#[test]
fn annotations_given_as_keys_are_kept() {
    let conf = deployed(json!({
        "flinkVersion": "v2_0",
        "flinkConfiguration": {"kubernetes.jobmanager.annotations": {"example.com/a": "x,y"}},
    }))
    .unwrap();
    let annotations = conf.map(kubernetes::JOB_MANAGER_ANNOTATIONS).unwrap().unwrap();
    assert_eq!(annotations.get("example.com/a").map(String::as_str), Some("x,y"));
    assert_eq!(annotations.get(GENERATION_ANNOTATION).map(String::as_str), Some("3"));
    crate::nested_file::check_overlaps(&conf).unwrap();
}

#[test]
fn parallelism() {
    let key = "parallelism.default";
    for (expected, value) in [
        ("2", json!({"flinkVersion": "v1_20", "job": {"parallelism": 2}})),
        ("0", json!({"flinkVersion": "v1_20", "job": {}})),
        (
            "6",
            json!({
                "flinkVersion": "v1_20",
                "flinkConfiguration": {"taskmanager.numberOfTaskSlots": 3, "parallelism.default": 9},
                "taskManager": {"replicas": 2},
                "job": {"parallelism": 4},
            }),
        ),
        (
            "5",
            json!({
                "flinkVersion": "v1_20",
                "mode": "standalone",
                "flinkConfiguration": {"pipeline.jobvertex-parallelism-overrides": "ab:5,cd:2"},
                "job": {"parallelism": 4},
            }),
        ),
        (
            "4",
            json!({
                "flinkVersion": "v1_20",
                "flinkConfiguration": {"pipeline.jobvertex-parallelism-overrides": "ab:5,cd:2"},
                "job": {"parallelism": 4},
            }),
        ),
    ] {
        assert_eq!(value_of(key, value.clone()).as_deref(), Some(expected), "{value}");
    }
}

#[test]
fn standalone_task_managers_cover_the_parallelism() {
    let key = internal::TASK_MANAGER_REPLICAS.name;
    let base = json!({
        "flinkVersion": "v1_20",
        "mode": "standalone",
        "flinkConfiguration": {"taskmanager.numberOfTaskSlots": "2"},
        "job": {"parallelism": 5},
    });
    assert_eq!(value_of(key, base.clone()).as_deref(), Some("3"));
    let mut native = base;
    native["mode"] = json!("native");
    assert_eq!(value_of(key, native), None);
}

#[test]
fn session_clusters_may_be_without_task_managers() {
    let key = internal::TASK_MANAGER_REPLICAS.name;
    let session = |replicas: i32| {
        let mode =
            json!({"flinkVersion": "v1_20", "mode": "standalone", "taskManager": {"replicas": replicas}});
        value_of(key, mode)
    };
    assert_eq!(session(0).as_deref(), Some("0"));
    assert_eq!(session(3).as_deref(), Some("3"));
    assert_eq!(session(-1), None);
}

#[test]
fn last_state_has_a_checkpoint_interval() {
    let job = |mode: &str, options: Value| json!({"flinkVersion": "v1_20", "job": {"upgradeMode": mode}, "flinkConfiguration": options});
    let key = "execution.checkpointing.interval";
    assert_eq!(value_of(key, job("last-state", json!({}))).as_deref(), Some("5 min"));
    assert_eq!(value_of(key, job("last-state", json!({key: "1 s"}))).as_deref(), Some("1 s"));
    assert_eq!(value_of(key, job("savepoint", json!({}))), None);
}

#[test]
fn what_cannot_be_translated_names_the_field() {
    for (field, value) in [
        ("spec.flinkVersion", json!({})),
        ("spec.flinkConfiguration", json!({"flinkVersion": "v1_20", "flinkConfiguration": "a: b"})),
        (
            "spec.jobManager.resource.memory",
            json!({"flinkVersion": "v1_20", "jobManager": {"resource": {"memory": "1.5Gi"}}}),
        ),
        (
            "spec.taskManager.resources.requests.memory",
            json!({"flinkVersion": "v1_20", "taskManager": {"resources": {"requests": {"memory": "abc"}}}}),
        ),
        (
            "spec.taskManager.resources.limits.cpu",
            json!({"flinkVersion": "v1_20", "taskManager": {"resources": {"limits": {"cpu": "two"}}}}),
        ),
        // Flink reads 2g, but the limit factor needs a Kubernetes quantity.
        (
            "spec.jobManager.resources.requests.memory",
            json!({"flinkVersion": "v1_20", "jobManager":
                {"resources": {"requests": {"memory": "2g"}, "limits": {"memory": "4g"}}}}),
        ),
        (
            "spec.job.jarURI",
            json!({"flinkVersion": "v1_20", "mode": "standalone", "job": {"jarURI": "/a.jar"}}),
        ),
        (
            "taskmanager.numberOfTaskSlots",
            json!({"flinkVersion": "v1_20", "flinkConfiguration": {"taskmanager.numberOfTaskSlots": "many"}}),
        ),
    ] {
        let error = deployed(value.clone()).expect_err(field).to_string();
        assert!(error.contains(&format!("'{field}'")), "{error}");
    }
}

#[test]
fn observing_sees_the_deployed_options_and_the_operators_current_ones() {
    let deployed = spec(json!({
        "flinkVersion": "v1_20",
        "flinkConfiguration": {
            "rest.port": "8081",
            "state.savepoints.dir": "s3://old",
            "kubernetes.operator.job.restart.failed": "false",
            "kubernetes.operator.deployment.rollback.enabled": "true",
        },
    }));
    let current = spec(json!({
        "flinkVersion": "v2_0",
        "flinkConfiguration": {
            "rest.port": "9091",
            "execution.checkpointing.savepoint-dir": "s3://new",
            "kubernetes.operator.job.restart.failed": "true",
            "job.autoscaler.enabled": "true",
        },
    }));
    let conf = observe(&OperatorDefaults::default(), &identity(), &deployed, &current).unwrap();
    for (key, expected) in [
        ("rest.port", Some("8081")),
        ("$internal.flink.version", Some("v1_20")),
        ("kubernetes.operator.job.restart.failed", Some("true")),
        ("kubernetes.operator.deployment.rollback.enabled", Some("true")),
        ("job.autoscaler.enabled", Some("true")),
        ("kubernetes.jobmanager.annotations", None),
    ] {
        assert_eq!(conf.get(key), expected, "{key}");
    }
    assert_eq!(crate::savepoint_directory(&conf), Some("s3://new"));
}

#[test]
fn session_jobs_stand_on_their_cluster() {
    let cluster =
        deployed(json!({"flinkVersion": "v1_20", "flinkConfiguration": {"a": "1", "b": "1"}})).unwrap();
    let job: FlinkSessionJobSpec = serde_json::from_value(json!({
        "deploymentName": "my-app",
        "flinkConfiguration": {"b": 2},
        "job": {"entryClass": "com.example.Main", "args": ["x;y"], "allowNonRestoredState": true, "parallelism": 3},
    }))
    .unwrap();
    let conf = session_job(&cluster, "my-job", &job).unwrap();
    for (key, expected) in [
        ("a", Some("1")),
        ("b", Some("2")),
        ("pipeline.name", Some("my-job")),
        ("execution.checkpointing.externalized-checkpoint-retention", Some("RETAIN_ON_CANCELLATION")),
        ("$internal.application.main", Some("com.example.Main")),
        ("$internal.application.program-args", Some("'x;y'")),
        ("execution.savepoint.ignore-unclaimed-state", Some("true")),
        ("kubernetes.cluster-id", Some("my-app")),
        ("parallelism.default", None),
        ("execution.shutdown-on-application-finish", None),
    ] {
        assert_eq!(conf.get(key), expected, "{key}");
    }
}

#[test]
fn names_are_forced() {
    let conf = deployed(json!({
        "flinkVersion": "v1_20",
        "flinkConfiguration": {
            "kubernetes.cluster-id": "other",
            "kubernetes.namespace": "other",
            "high-availability": "zookeeper",
            "high-availability.cluster-id": "other",
            "execution.shutdown-on-application-finish": "true",
            "web.cancel.enable": "true",
        },
        "job": {},
    }))
    .unwrap();
    for (key, expected) in [
        ("kubernetes.cluster-id", "my-app"),
        ("kubernetes.namespace", "ns"),
        ("high-availability.cluster-id", "my-app"),
        ("execution.shutdown-on-application-finish", "false"),
        ("web.cancel.enable", "true"),
    ] {
        assert_eq!(conf.get(key), Some(expected), "{key}");
    }
}

#[test]
fn old_flink_with_tls_gets_cipher_suites_that_our_client_knows() {
    let algorithms = |version: &str, options: Value| {
        value_of("security.ssl.algorithms", json!({"flinkVersion": version, "flinkConfiguration": options}))
    };
    let tls = json!({"security.ssl.rest.enabled": "true"});
    assert!(algorithms("v1_20", tls.clone()).unwrap().starts_with("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,"));
    assert_eq!(algorithms("v2_0", tls), None);
    assert_eq!(algorithms("v1_20", json!({})), None);
    let chosen = json!({"security.ssl.enabled": true, "security.ssl.algorithms": "X"});
    assert_eq!(algorithms("v1_20", chosen).as_deref(), Some("X"));
}
