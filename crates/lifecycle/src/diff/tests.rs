//! What each field asks for.

use api::{FlinkDeploymentSpec, FlinkSessionJobSpec, KubernetesDeploymentMode, decode};
use serde_json::{Value, json};

use super::DiffType::{self, Ignore, SavepointRedeploy, Scale, Upgrade};
use super::{SpecDiff, session_job_spec_diff, spec_diff};

fn diff(old: Value, new: Value) -> SpecDiff {
    let spec = |value| decode::<FlinkDeploymentSpec>(value).unwrap();
    spec_diff(&spec(old), &spec(new))
}

/// Kinds in native and in standalone mode, and the changes in native mode; `None` if there are no changes.
fn kinds(old: &Value, new: &Value) -> Option<(DiffType, DiffType, String)> {
    let in_mode = |spec: &Value, mode: &str| {
        let mut spec = spec.clone();
        spec["mode"] = mode.into();
        spec
    };
    let compare = |mode: &str| diff(in_mode(old, mode), in_mode(new, mode));
    let (native, standalone) = (compare("native"), compare("standalone"));
    assert_eq!(native.is_empty(), standalone.is_empty());
    let text: Vec<String> = native.changes.iter().map(ToString::to_string).collect();
    (!native.is_empty()).then(|| (native.kind, standalone.kind, text.join(", ")))
}

/// Each row: old, new, kind in native mode, kind in standalone mode, text.
#[track_caller]
fn check(rows: &[(Value, Value, DiffType, DiffType, &str)]) {
    for (old, new, native, standalone, text) in rows {
        assert_eq!(kinds(old, new), Some((*native, *standalone, (*text).to_owned())), "{old} {new}");
    }
}

#[track_caller]
fn check_same(rows: &[(Value, Value)]) {
    for (old, new) in rows {
        assert_eq!(kinds(old, new), None, "{old} {new}");
    }
}

#[test]
fn fields_of_the_job() {
    let job = |fields: Value| json!({ "job": fields });
    check(&[
        (job(json!({"jarURI": "a"})), job(json!({"jarURI": "b"})), Upgrade, Upgrade, "job.jarURI : a -> b"),
        (job(json!({"entryClass": "A"})), job(json!({})), Upgrade, Upgrade, "job.entryClass : A -> null"),
        (
            job(json!({})),
            job(json!({"state": "suspended"})),
            Upgrade,
            Upgrade,
            "job.state : running -> suspended",
        ),
        (
            job(json!({"args": ["a", "b"]})),
            job(json!({"args": ["b"]})),
            Upgrade,
            Upgrade,
            "job.args.0 : a -> b, job.args.1 : b -> null",
        ),
        (
            job(json!({"parallelism": 1})),
            job(json!({"parallelism": 2})),
            Upgrade,
            Scale,
            "job.parallelism : 1 -> 2",
        ),
        (
            job(json!({})),
            job(json!({"savepointTriggerNonce": 1})),
            Ignore,
            Ignore,
            "job.savepointTriggerNonce : null -> 1",
        ),
        (
            job(json!({"checkpointTriggerNonce": 1})),
            job(json!({})),
            Ignore,
            Ignore,
            "job.checkpointTriggerNonce : 1 -> null",
        ),
        (
            job(json!({})),
            job(json!({"autoscalerResetNonce": 3})),
            Ignore,
            Ignore,
            "job.autoscalerResetNonce : null -> 3",
        ),
        (
            job(json!({})),
            job(json!({"initialSavepointPath": "/s"})),
            Ignore,
            Ignore,
            "job.initialSavepointPath : null -> /s",
        ),
        (
            job(json!({})),
            job(json!({"upgradeMode": "savepoint"})),
            Ignore,
            Ignore,
            "job.upgradeMode : stateless -> savepoint",
        ),
        (
            job(json!({})),
            job(json!({"allowNonRestoredState": true})),
            Ignore,
            Ignore,
            "job.allowNonRestoredState : null -> true",
        ),
        (
            job(json!({"savepointRedeployNonce": 1, "jarURI": "a"})),
            job(json!({"savepointRedeployNonce": 2, "jarURI": "b"})),
            SavepointRedeploy,
            SavepointRedeploy,
            "job.jarURI : a -> b, job.savepointRedeployNonce : 1 -> 2",
        ),
    ]);
    check_same(&[
        (job(json!({"savepointRedeployNonce": 1})), job(json!({}))),
        (
            job(json!({"args": [], "state": "running", "upgradeMode": "stateless", "parallelism": 0})),
            job(json!({})),
        ),
    ]);
}

#[test]
fn a_job_that_comes_or_goes() {
    assert_eq!(diff(json!({"job": {"jarURI": "a"}}), json!({})).changes[0].to_string(), "job : {..} -> null");
    let appeared = diff(json!({}), json!({"job": {"jarURI": "a"}}));
    assert_eq!((appeared.kind, appeared.changes.len()), (Upgrade, 1));
    assert!(appeared.changes[0].new.as_deref().unwrap().starts_with(r#"{"jarURI":"a","parallelism":0"#));
}

#[test]
fn restart_nonce_counts_when_it_is_new() {
    check(&[(
        json!({"restartNonce": 1}),
        json!({"restartNonce": 2}),
        Upgrade,
        Upgrade,
        "restartNonce : 1 -> 2",
    )]);
    check_same(&[
        (json!({"restartNonce": 1}), json!({})),
        (json!({"restartNonce": 1}), json!({"restartNonce": 1})),
    ]);
}

#[test]
fn fields_of_the_cluster() {
    for field in ["image", "serviceAccount"] {
        let (old, new) = (json!({ field: "a" }), json!({ field: "b" }));
        assert_eq!(kinds(&old, &new), Some((Upgrade, Upgrade, format!("{field} : a -> b"))));
    }
    check(&[
        (
            json!({"imagePullPolicy": "Always"}),
            json!({"imagePullPolicy": "Never"}),
            Ignore,
            Ignore,
            "imagePullPolicy : Always -> Never",
        ),
        (
            json!({"flinkVersion": "v1_20"}),
            json!({"flinkVersion": "v2_0"}),
            Upgrade,
            Upgrade,
            "flinkVersion : v1_20 -> v2_0",
        ),
        (json!({}), json!({"logConfiguration": {}}), Upgrade, Upgrade, "logConfiguration : null -> {}"),
        (
            json!({"logConfiguration": {"a": "1", "b": "2"}}),
            json!({"logConfiguration": {"b": "3", "c": ""}}),
            Upgrade,
            Upgrade,
            r#"logConfiguration.a : 1 -> null, logConfiguration.b : 2 -> 3, logConfiguration.c : null -> """#,
        ),
        (
            json!({"ingress": {"template": "a", "annotations": {"x/y": "1"}}}),
            json!({"ingress": {"template": "b", "annotations": {"x/y": "2"}}}),
            Ignore,
            Ignore,
            "ingress.template : a -> b, ingress.annotations.x/y : 1 -> 2",
        ),
        (
            json!({"ingress": {"template": "a"}}),
            json!({"ingress": {"template": "a", "labels": {}}}),
            Ignore,
            Ignore,
            "ingress.labels : null -> {}",
        ),
    ]);
}

#[test]
fn mode_null_is_not_native() {
    let changed = diff(json!({}), json!({"mode": "native"}));
    assert_eq!((changed.kind, changed.changes[0].to_string()), (Upgrade, "mode : null -> native".to_owned()));
}

#[test]
fn pod_templates_are_compared_as_kubernetes_means_them() {
    let template = |spec: Value| json!({"podTemplate": {"spec": spec}});
    let container = |memory: Value| {
        template(json!({"containers": [{"name": "c", "resources": {"limits": {"memory": memory}}}]}))
    };
    check_same(&[
        (
            json!({"podTemplate": {"kind": "Pod", "apiVersion": "v1", "spec": {}}}),
            json!({"podTemplate": {"spec": {}}}),
        ),
        (template(json!({"containers": [], "nodeSelector": {}})), template(json!({}))),
        (container(json!("1Gi")), container(json!("1024Mi"))),
        (container(json!(1)), container(json!("1000m"))),
        (
            template(json!({"volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}]})),
            template(json!({"volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1024Mi"}}]})),
        ),
    ]);
    check(&[
        (
            template(json!({"hostname": "a"})),
            template(json!({"hostname": "b"})),
            Upgrade,
            Upgrade,
            "podTemplate.spec.hostname : a -> b",
        ),
        (json!({}), json!({"podTemplate": {}}), Upgrade, Upgrade, "podTemplate : null -> {}"),
        (
            template(json!({})),
            template(json!({"securityContext": {}})),
            Upgrade,
            Upgrade,
            "podTemplate.spec.securityContext : null -> {}",
        ),
        (
            container(json!("lots")),
            container(json!("more")),
            Upgrade,
            Upgrade,
            "podTemplate.spec.containers.0.resources.limits.memory : lots -> more",
        ),
        // Not a place for quantities.
        (
            json!({"podTemplate": {"metadata": {"labels": {"size": "1Gi"}}}}),
            json!({"podTemplate": {"metadata": {"labels": {"size": "1024Mi"}}}}),
            Upgrade,
            Upgrade,
            "podTemplate.metadata.labels.size : 1Gi -> 1024Mi",
        ),
    ]);
}

#[test]
fn fields_of_job_managers() {
    let with = |fields: Value| json!({ "jobManager": fields });
    check_same(&[
        (with(json!({"replicas": 1})), with(json!({}))),
        (with(json!({"resource": {"cpu": 1}})), with(json!({"resource": {"cpu": 1.0}}))),
        (
            with(json!({"resources": {"requests": {"cpu": 1}}})),
            with(json!({"resources": {"requests": {"cpu": "1000m"}}})),
        ),
        (with(json!({"podTemplate": {"kind": "Pod"}})), with(json!({"podTemplate": {}}))),
    ]);
    check(&[
        (
            with(json!({"replicas": 1})),
            with(json!({"replicas": 2})),
            Upgrade,
            Upgrade,
            "jobManager.replicas : 1 -> 2",
        ),
        (
            with(json!({"resource": {"cpu": 1, "memory": "1g"}})),
            with(json!({"resource": {"cpu": 2, "memory": "1024m"}})),
            Upgrade,
            Upgrade,
            "jobManager.resource.cpu : 1.0 -> 2.0, jobManager.resource.memory : 1g -> 1024m",
        ),
        (with(json!({"resource": {"cpu": 1}})), json!({}), Upgrade, Upgrade, "jobManager : {..} -> null"),
    ]);
    assert!(kinds(&json!({}), &with(json!({}))).is_some());
}

#[test]
fn fields_of_task_managers() {
    let with = |fields: Value| json!({ "taskManager": fields });
    check(&[
        (
            with(json!({"replicas": 1})),
            with(json!({"replicas": 2})),
            Upgrade,
            Scale,
            "taskManager.replicas : 1 -> 2",
        ),
        (with(json!({})), with(json!({"replicas": 2})), Upgrade, Scale, "taskManager.replicas : null -> 2"),
        (
            with(json!({"replicas": 1, "resource": {"memory": "1g"}})),
            with(json!({"replicas": 2, "resource": {"memory": "2g"}})),
            Upgrade,
            Upgrade,
            "taskManager.resource.memory : 1g -> 2g, taskManager.replicas : 1 -> 2",
        ),
        (with(json!({"replicas": 1})), json!({}), Upgrade, Upgrade, "taskManager : {..} -> null"),
        (
            with(json!({})),
            with(json!({"resources": {}})),
            Upgrade,
            Upgrade,
            "taskManager.resources : null -> {}",
        ),
    ]);
    check_same(&[
        (
            with(json!({"resources": {"limits": {"memory": "1Gi"}}})),
            with(json!({"resources": {"limits": {"memory": "1024Mi"}}})),
        ),
        (with(json!({"resources": {"limits": {}}})), with(json!({"resources": {}}))),
    ]);
}

#[test]
fn options_by_prefix() {
    let conf = |options: Value| json!({ "flinkConfiguration": options });
    for (key, native, standalone) in [
        ("job.autoscaler.enabled", Ignore, Ignore),
        ("job.autoscalerFoo", Ignore, Ignore),
        ("parallelism.default", Ignore, Ignore),
        ("parallelism.defaultX", Ignore, Ignore),
        ("kubernetes.operator.reconcile.interval", Ignore, Ignore),
        ("pipeline.jobvertex-parallelism-overrides", Scale, Upgrade),
        ("kubernetes.jobmanager.cpu", Upgrade, Upgrade),
        ("taskmanager.numberOfTaskSlots", Upgrade, Upgrade),
    ] {
        for (old, new, text) in [
            (conf(json!({ key: "1" })), conf(json!({ key: "2" })), "1 -> 2"),
            (conf(json!({})), conf(json!({ key: "2" })), "null -> 2"),
            (conf(json!({ key: "1" })), json!({}), "1 -> null"),
        ] {
            let expected = Some((native, standalone, format!("flinkConfiguration.{key} : {text}")));
            assert_eq!(kinds(&old, &new), expected, "{old} {new}");
        }
    }
}

#[test]
fn options_are_compared_flat() {
    let conf = |options: Value| json!({ "flinkConfiguration": options });
    check_same(&[
        (conf(json!({"a.b": "2"})), conf(json!({"a": {"b": 2}}))),
        (conf(json!({"a": ["x", "y"]})), conf(json!({"a": "x;y"}))),
        (conf(json!({"a": true})), conf(json!({"a": "true"}))),
        (json!({}), conf(json!({}))),
        (json!({}), conf(json!({"a": {}, "b": []}))),
    ]);
    check(&[(
        conf(json!({"z": "1", "a": "1", "job.autoscaler.x": "1"})),
        conf(json!({"z": "2", "a": "2", "job.autoscaler.x": "2"})),
        Upgrade,
        Upgrade,
        "flinkConfiguration.a : 1 -> 2, flinkConfiguration.job.autoscaler.x : 1 -> 2, flinkConfiguration.z : 1 -> 2",
    )]);
}

#[test]
fn session_jobs_use_the_mode_of_their_cluster() {
    let spec = |value| decode::<FlinkSessionJobSpec>(value).unwrap();
    let (old, new) = (spec(json!({"job": {"parallelism": 1}})), spec(json!({"job": {"parallelism": 2}})));
    let kind = |mode| session_job_spec_diff(&old, &new, mode).kind;
    assert_eq!(
        (kind(KubernetesDeploymentMode::Native), kind(KubernetesDeploymentMode::Standalone)),
        (Upgrade, Scale)
    );
    let moved = session_job_spec_diff(
        &spec(json!({"deploymentName": "a", "restartNonce": 1})),
        &spec(json!({"deploymentName": "b", "restartNonce": 2})),
        KubernetesDeploymentMode::Native,
    );
    assert_eq!(
        moved.message(),
        "UPGRADE change(s) detected (Diff: FlinkSessionJobSpec[deploymentName : a -> b, restartNonce : 1 -> 2]), starting reconciliation."
    );
}

#[test]
fn the_last_reconciled_spec_may_have_suspended_while_the_wanted_mode_decides() {
    let old = json!({"mode": "native", "job": {"parallelism": 1}});
    let changed = diff(old, json!({"mode": "standalone", "job": {"parallelism": 2}}));
    let of = |path: &str| changed.changes.iter().find(|change| change.path == path).map(|change| change.kind);
    assert_eq!((of("mode"), of("job.parallelism")), (Some(Upgrade), Some(Scale)));
}

#[test]
fn long_values_are_shortened() {
    let old = json!({"logConfiguration": {"log4j-console.properties": "ä".repeat(5000)}});
    let changed = diff(old, json!({"logConfiguration": {"log4j-console.properties": "b"}}));
    let text = changed.changes[0].old.clone().unwrap();
    assert_eq!((text.chars().count(), text.ends_with('…')), (1025, true));
    assert!(changed.message().len() < 4096);
}
