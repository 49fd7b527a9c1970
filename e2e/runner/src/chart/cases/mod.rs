//! What must hold of the chart.

mod configuration;
mod rights;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::render::{Helm, NAMESPACE, Objects, text};

type Case = fn(&Helm) -> Result<()>;

/// All cases by name.
pub(super) const ALL: &[(&str, Case)] = &[
    ("lint", Helm::lint),
    ("objects by default", default_objects),
    ("objects of watched namespaces", watched_namespaces),
    ("roles can be left out", rights::left_out),
    ("service accounts and roles by other names", other_names),
    ("restricted pod", restricted_pod),
    ("probes and metrics", probes_and_metrics),
    ("image", image),
    ("pod options", pod_options),
    ("files of the pod", configuration::mounted_files),
    ("default configuration", configuration::by_default),
    ("configuration of the user", configuration::of_the_user),
    ("nested configuration of the user", configuration::nested),
    ("log configuration", configuration::of_logs),
    ("rights that must be asked for", rights::to_be_asked_for),
    ("no rights beyond the operator's own", rights::least),
    ("values of Apache's chart", values_of_apaches_chart),
    ("certificates", certificates),
    ("refused values", refused_values),
];

/// `equal` with both values in the message.
fn equal(found: &impl serde::Serialize, expected: &Value, what: &str) -> Result<()> {
    let found = serde_json::to_value(found)?;
    ensure!(found == *expected, "{what}: found {found}, expected {expected}");
    Ok(())
}

fn default_objects(helm: &Helm) -> Result<()> {
    let objects = helm.render("")?;
    equal(&objects.places("ClusterRole"), &json!(["flink-operator"]), "cluster role")?;
    equal(&objects.places("ClusterRoleBinding"), &json!(["flink-operator-role-binding"]), "binding")?;
    equal(&objects.places("Role"), &json!([format!("{NAMESPACE}/flink")]), "job role")?;
    equal(
        &objects.places("RoleBinding"),
        &json!([format!("{NAMESPACE}/flink-role-binding")]),
        "job binding",
    )?;
    let accounts = [format!("{NAMESPACE}/flink"), format!("{NAMESPACE}/flink-operator")];
    equal(&objects.places("ServiceAccount"), &json!(accounts), "service accounts")?;
    ensure!(objects.places("ConfigMap") == [format!("{NAMESPACE}/flink-operator-config")]);
    equal(&objects.pod()?["serviceAccountName"], &json!("flink-operator"), "account of the pod")?;
    let selector = json!({"app.kubernetes.io/name": "flink-kubernetes-operator"});
    equal(&objects.deployment()?["spec"]["selector"]["matchLabels"], &selector, "selector")?;
    equal(&objects.deployment()?["spec"]["strategy"], &json!({"type": "Recreate"}), "strategy")?;
    ensure!(objects.len() == 9, "{} objects", objects.len());
    bindings_are_whole(&objects)
}

/// Every binding names a role and accounts that exist.
fn bindings_are_whole(objects: &Objects) -> Result<()> {
    for (binding, role) in [("ClusterRoleBinding", "ClusterRole"), ("RoleBinding", "Role")] {
        for object in objects.all(binding) {
            let namespace = text(&object["metadata"]["namespace"]);
            let place = |namespace: &str, name: &Value| match namespace {
                "" => text(name).to_owned(),
                _ => format!("{namespace}/{}", text(name)),
            };
            ensure!(object["roleRef"]["kind"] == role, "{object}");
            let role_place = place(namespace, &object["roleRef"]["name"]);
            ensure!(objects.places(role).contains(&role_place), "no {role} {role_place}");
            let subject = &object["subjects"][0];
            let account = place(text(&subject["namespace"]), &subject["name"]);
            ensure!(objects.places("ServiceAccount").contains(&account), "no account {account}");
        }
    }
    Ok(())
}

fn watched_namespaces(helm: &Helm) -> Result<()> {
    let objects = helm.render("watchNamespaces: [b, a]")?;
    ensure!(objects.places("ClusterRole").is_empty() && objects.places("ClusterRoleBinding").is_empty());
    let mut roles = objects.places("Role");
    roles.sort();
    equal(&roles, &json!(["a/flink", "a/flink-operator", "b/flink", "b/flink-operator"]), "roles")?;
    let accounts = objects.places("ServiceAccount");
    equal(&accounts, &json!(["b/flink", "a/flink", format!("{NAMESPACE}/flink-operator")]), "accounts")?;
    let line = "kubernetes.operator.watched.namespaces: b,a";
    for file in ["flink-conf.yaml", "config.yaml"] {
        ensure!(objects.file(file)?.lines().any(|found| found == line), "{file} does not say: {line}");
    }
    bindings_are_whole(&objects)
}

fn other_names(helm: &Helm) -> Result<()> {
    let objects = helm.render(
        "nameOverride: other
rbac: {operatorRole: {name: r1}, operatorRoleBinding: {name: b1}, jobRole: {name: r2}, jobRoleBinding: {name: b2}}
operatorServiceAccount: {name: a1, annotations: {k: v1}}
jobServiceAccount: {name: a2, annotations: {k: v2}}",
    )?;
    let deployment = objects.one("Deployment", "other")?;
    equal(
        &deployment["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"],
        &json!("other"),
        "label",
    )?;
    equal(&objects.places("ClusterRoleBinding"), &json!(["b1"]), "binding")?;
    equal(&objects.one("ServiceAccount", "a1")?["metadata"]["annotations"], &json!({"k": "v1"}), "a1")?;
    let kept = json!({"k": "v2", "helm.sh/resource-policy": "keep"});
    equal(&objects.one("ServiceAccount", "a2")?["metadata"]["annotations"], &kept, "a2")?;
    bindings_are_whole(&objects)
}

/// The conditions of the Pod Security Standard "restricted", and a root file system that cannot be written.
fn restricted_pod(helm: &Helm) -> Result<()> {
    let objects = helm.render("")?;
    let (pod, container) = (objects.pod()?, objects.container()?);
    equal(&pod["securityContext"]["runAsNonRoot"], &json!(true), "runAsNonRoot")?;
    equal(&pod["securityContext"]["seccompProfile"]["type"], &json!("RuntimeDefault"), "seccomp")?;
    equal(&container["securityContext"]["allowPrivilegeEscalation"], &json!(false), "escalation")?;
    equal(&container["securityContext"]["capabilities"], &json!({"drop": ["ALL"]}), "capabilities")?;
    equal(&container["securityContext"]["readOnlyRootFilesystem"], &json!(true), "root file system")?;
    ensure!(pod["containers"].as_array().is_some_and(|containers| containers.len() == 1));
    for field in ["hostNetwork", "hostPID", "hostIPC", "initContainers"] {
        ensure!(pod.get(field).is_none(), "{field} is set");
    }
    let mut volumes = pod["volumes"].as_array().into_iter().flatten();
    let allowed = |volume: &Value| volume.get("configMap").is_some() || volume.get("emptyDir").is_some();
    ensure!(volumes.all(allowed), "{}", pod["volumes"]);
    Ok(())
}

fn probes_and_metrics(helm: &Helm) -> Result<()> {
    let objects = helm.render("")?;
    let container = objects.container()?;
    equal(&container["ports"], &json!([{"name": "metrics", "containerPort": 8085}]), "ports")?;
    for (probe, path) in
        [("livenessProbe", "/healthz"), ("readinessProbe", "/readyz"), ("startupProbe", "/readyz")]
    {
        equal(&container[probe]["httpGet"], &json!({"path": path, "port": "metrics"}), probe)?;
    }
    let service = objects.one("Service", "flink-kubernetes-operator-metrics")?;
    let port = json!([{"name": "metrics", "port": 8085, "targetPort": "metrics"}]);
    equal(&service["spec"]["ports"], &port, "ports of the Service")?;
    let labels = &objects.deployment()?["spec"]["template"]["metadata"]["labels"];
    equal(&service["spec"]["selector"], labels, "selector of the Service")?;

    let objects = helm.render("operatorHealth: {port: 9000, livenessProbe: null}")?;
    equal(&objects.container()?["ports"][0]["containerPort"], &json!(9000), "port")?;
    ensure!(objects.container()?.get("livenessProbe").is_none());
    ensure!(objects.file("flink-conf.yaml")?.contains("kubernetes.operator.health.probe.port: 9000\n"));

    let objects = helm.render("operatorHealth: null")?;
    ensure!(objects.container()?.get("ports").is_none() && objects.places("Service").is_empty());
    ensure!(helm.render("metrics: {service: {create: false}}")?.places("Service").is_empty());
    Ok(())
}

fn image(helm: &Helm) -> Result<()> {
    let digest = format!("sha256:{:064}", 7);
    for (values, expected) in [
        (String::new(), format!("flink-operator:{}", env!("CARGO_PKG_VERSION"))),
        ("image: {repository: r.example.com/f, tag: '1'}".to_owned(), "r.example.com/f:1".to_owned()),
        (format!("image: {{tag: '1', digest: '{digest}'}}"), format!("flink-operator@{digest}")),
    ] {
        equal(&helm.render(&values)?.container()?["image"], &json!(expected), &values)?;
    }
    let objects = helm.render("image: {pullPolicy: Never}\nimagePullSecrets: [{name: s}]")?;
    equal(&objects.container()?["imagePullPolicy"], &json!("Never"), "pull policy")?;
    equal(&objects.pod()?["imagePullSecrets"], &json!([{"name": "s"}]), "pull secrets")
}

fn pod_options(helm: &Helm) -> Result<()> {
    let pod = json!({
        "priorityClassName": "p", "dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.0.0.1"]},
        "nodeSelector": {"a": "b"}, "affinity": {"nodeAffinity": {}}, "tolerations": [{"operator": "Exists"}],
        "topologySpreadConstraints": [{"maxSkew": 1}], "initContainers": [{"name": "first"}],
    });
    let container = json!({
        "env": [{"name": "A", "value": "1"}], "envFrom": [{"secretRef": {"name": "s"}}],
        "resources": {"limits": {"cpu": "2"}},
    });
    let mut values = json!({
        "labels": {"l": "1"}, "annotations": {"a": "2"}, "sidecarContainers": [{"name": "second"}],
    });
    for part in [&pod, &container] {
        for (key, value) in part.as_object().into_iter().flatten() {
            values[key] = value.clone();
        }
    }
    let objects = helm.render(&json!({"operatorPod": values, "replicas": 0}).to_string())?;
    for (key, value) in pod.as_object().into_iter().flatten() {
        equal(&objects.pod()?[key], value, key)?;
    }
    equal(&objects.container()?["envFrom"], &container["envFrom"], "envFrom")?;
    equal(&objects.container()?["resources"]["limits"]["cpu"], &json!("2"), "resources")?;
    let env = objects.container()?["env"].as_array().cloned().unwrap_or_default();
    ensure!(env.last() == Some(&container["env"][0]) && env.len() == 4, "{env:?}");
    equal(&objects.pod()?["containers"][1]["name"], &json!("second"), "sidecar")?;
    let deployment = objects.deployment()?;
    equal(&deployment["spec"]["replicas"], &json!(0), "replicas")?;
    equal(&deployment["metadata"]["labels"]["l"], &json!("1"), "label")?;
    let template = &deployment["spec"]["template"]["metadata"];
    equal(&template["labels"]["l"], &json!("1"), "label of pods")?;
    equal(&template["annotations"]["a"], &json!("2"), "annotation of pods")
}

/// The Secret with the stores, the password, and where the operator finds them: as in Apache's chart.
fn certificates(helm: &Helm) -> Result<()> {
    let named = |container: &Value, list: &str, name: &str| {
        let found = container[list].as_array().and_then(|all| all.iter().find(|one| one["name"] == name));
        found.cloned().unwrap_or_default()
    };
    let volume = "flink-operator-cert-secret";
    let without = helm.render("tls: {create: false, secretName: mine}")?;
    equal(&named(without.pod()?, "volumes", volume), &json!(null), "volume without TLS")?;
    let objects =
        helm.render("tls: {create: true, secretName: mine, secretKeyRef: {name: theirs, key: word}}")?;
    let container = objects.container()?;
    for (variable, file) in
        [("OPERATOR_KEYSTORE_PATH", "keystore"), ("OPERATOR_TRUSTSTORE_PATH", "truststore")]
    {
        let path = format!("/opt/flink/tls-cert/{file}.jks");
        equal(&named(container, "env", variable)["value"], &json!(path), variable)?;
    }
    let password = json!({"secretKeyRef": {"name": "theirs", "key": "word", "optional": true}});
    equal(&named(container, "env", "OPERATOR_KEYSTORE_PASSWORD")["valueFrom"], &password, "password")?;
    let mount = json!({"name": volume, "mountPath": "/opt/flink/tls-cert", "readOnly": true});
    equal(&named(container, "volumeMounts", volume), &mount, "mount")?;
    let secret = json!({"secretName": "mine", "optional": true});
    equal(&named(objects.pod()?, "volumes", volume)["secret"], &secret, "Secret")
}

/// What only Apache's operator has: accepted, so that a values file can be kept.
fn values_of_apaches_chart(helm: &Helm) -> Result<()> {
    let objects = helm.render(
        "webhook: {create: true, keystore: {useDefaultPassword: true}, mutator: {create: false}}
webhookSecurityContext: {runAsUser: 1}
jvmArgs: {operator: -Xmx1g, webhook: ''}
operatorPod: {webhook: {resources: {}, container: {env: []}}}
podSecurityContext: {runAsUser: 9999, runAsGroup: 9999}
metrics: {port: 9999}
tls: {create: false, secretName: s}
defaultConfiguration: {log4j-operator.properties: 'rootLogger.level = DEBUG', logback-operator.xml: null}
operatorHealth: {livenessProbe: {periodSeconds: 10, initialDelaySeconds: 30}, startupProbe: {failureThreshold: 30}}",
    )?;
    ensure!(objects.len() == helm.render("")?.len());
    equal(&objects.pod()?["securityContext"]["runAsUser"], &json!(9999), "user")?;
    equal(&objects.pod()?["securityContext"]["runAsNonRoot"], &json!(true), "runAsNonRoot")?;
    equal(&objects.container()?["livenessProbe"]["initialDelaySeconds"], &json!(30), "probe")
}

fn refused_values(helm: &Helm) -> Result<()> {
    for (values, expected) in [
        ("watchNamespaces: a,b", "at '/watchNamespaces': got string, want array"),
        ("watchNamespaces: [A_b]", "at '/watchNamespaces/0'"),
        ("watchNamespaces: [a, a]", "at '/watchNamespaces'"),
        ("image: {tag: 1.20}", "at '/image/tag': got number, want string"),
        ("image: {pullPolicy: Sometimes}", "at '/image/pullPolicy': value must be one of"),
        ("image: {digest: abc}", "at '/image/digest'"),
        ("replicas: 2", "replicas: 2 is not possible yet"),
        ("replicas: -1", "at '/replicas'"),
        ("strategy: {type: RollingUpdate}", "strategy.type: RollingUpdate lets two operators run"),
        ("operatorHealth: {port: 70000}", "at '/operatorHealth/port'"),
        ("operatorHealth: {port: null}", "at '/operatorHealth': missing property 'port'"),
        (
            "operatorHealth: {livenessProbe: {httpGet: {path: /}}}",
            "at '/operatorHealth/livenessProbe/httpGet'",
        ),
        ("tls: {create: 'yes'}", "at '/tls/create': got string, want boolean"),
        ("logging: {framework: log4j}", "at '/logging/framework': value must be one of"),
        ("operatorPod: {labels: {a: true}}", "at '/operatorPod/labels/a': got boolean, want string"),
        ("defaultConfiguration: {flink-conf.yaml: {a: b}}", "got object, want null or string"),
        (
            "defaultConfiguration: {append: false, flink-conf.yaml: null}",
            "there must be a flink-conf.yaml or a config.yaml",
        ),
        ("defaultConfiguration: {config.yaml: 'a: ['}", "config.yaml cannot be read as YAML"),
        (
            "defaultConfiguration: {config.yaml: 'kubernetes.operator.health.probe.port: 1'}",
            "kubernetes.operator.health.probe.port follows from watchNamespaces or operatorHealth",
        ),
    ] {
        helm.refuses(values, expected)?;
    }
    Ok(())
}
