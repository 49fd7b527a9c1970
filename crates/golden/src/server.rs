//! What the API server makes of an object: fields that it fills in, and empty ones that it leaves out.
//!
//! Recordings were read back from a Kubernetes 1.34 API server. The tables here are its defaults
//! (`pkg/apis/{core,apps}/v1/defaults.go`) for the kinds that a cluster consists of; they are applied to our objects,
//! so that no field has to be ignored in the comparison.

use flink_conf::Quantity;
use k8s_openapi::api::apps::v1::Deployment;
use serde_json::{Map, Value, json};

type Object = Map<String, Value>;

/// The object as it would be read back.
#[must_use]
pub fn read_back(mut object: Value) -> Value {
    match object["kind"].as_str().unwrap_or_default() {
        "Deployment" => object = deployment(object),
        "Service" => with_object(&mut object, "spec", service),
        "Secret" => default(&mut object, "type", json!("Opaque")),
        _ => {}
    }
    quantities(&mut object);
    object
}

/// What the recordings' normalising does to an object of a real API server: it drops what differs between any two
/// servers, and puts placeholders for addresses and ports that it chose.
#[must_use]
pub fn placeholders(mut object: Value) -> Value {
    if let Value::Object(fields) = &mut object {
        fields.remove("status");
        with_field(fields, "metadata", |metadata| {
            for field in ["uid", "resourceVersion", "generation", "managedFields", "creationTimestamp"] {
                metadata.remove(field);
            }
        });
    }
    if object["kind"] == "Service" {
        with_object(&mut object, "spec", |spec| {
            if spec.get("clusterIP") != Some(&json!("None")) {
                spec.insert("clusterIP".to_owned(), json!("<CLUSTER_IP>"));
                spec.insert("clusterIPs".to_owned(), json!(["<CLUSTER_IP>"]));
            }
            each(spec, "ports", |port| {
                if port.contains_key("nodePort") {
                    port.insert("nodePort".to_owned(), json!("<NODE_PORT>"));
                }
            });
        });
    }
    quantities(&mut object);
    object
}

/// Quantities are compared by value: `1.0` is `1`, `2048Mi` is `2Gi`. They become their value in whole units, or in
/// billionths if that is not a whole number.
pub fn quantities(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                match field.as_str() {
                    "requests" | "limits" | "overhead" => each_quantity(value),
                    "sizeLimit" | "divisor" => quantity(value),
                    _ => quantities(value),
                }
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(quantities),
        _ => {}
    }
}

fn each_quantity(value: &mut Value) {
    if let Value::Object(quantities) = value {
        quantities.values_mut().for_each(quantity);
    }
}

fn quantity(value: &mut Value) {
    let text = match &*value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return,
    };
    if let Some(quantity) = Quantity::parse(&text) {
        *value = match quantity.to_integer() {
            Some(integer) => json!(integer.to_string()),
            None => json!(format!("{:.9}", quantity.to_f64())),
        };
    }
}

fn deployment(object: Value) -> Value {
    // The server drops fields that it does not know; a round trip through the types does the same.
    let typed: Result<Deployment, _> = serde_json::from_value(object.clone());
    let mut object = typed.ok().and_then(|typed| serde_json::to_value(typed).ok()).unwrap_or(object);
    with_object(&mut object, "spec", |spec| {
        set_default(spec, "progressDeadlineSeconds", json!(600));
        set_default(spec, "revisionHistoryLimit", json!(10));
        set_default(spec, "replicas", json!(1));
        let strategy =
            json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}});
        set_default(spec, "strategy", strategy);
        with_field(spec, "template", |template| {
            drop_empty(template, &["metadata"]);
            with_field(template, "spec", pod);
        });
    });
    object
}

fn pod(spec: &mut Object) {
    for (field, value) in [
        ("dnsPolicy", json!("ClusterFirst")),
        ("restartPolicy", json!("Always")),
        ("schedulerName", json!("default-scheduler")),
        ("securityContext", json!({})),
        ("terminationGracePeriodSeconds", json!(30)),
    ] {
        set_default(spec, field, value);
    }
    mirror(spec, "serviceAccount", "serviceAccountName");
    drop_false(spec, &["hostNetwork", "hostPID", "hostIPC"]);
    let host_network = spec.get("hostNetwork") == Some(&json!(true));
    for containers in ["containers", "initContainers"] {
        each(spec, containers, |fields| container(fields, host_network));
    }
    each(spec, "volumes", volume);
    drop_empty(
        spec,
        &["initContainers", "volumes", "imagePullSecrets", "tolerations", "nodeSelector", "hostAliases"],
    );
}

fn container(container: &mut Object, host_network: bool) {
    set_default(container, "terminationMessagePath", json!("/dev/termination-log"));
    set_default(container, "terminationMessagePolicy", json!("File"));
    set_default(container, "resources", json!({}));
    let policy = pull_policy(container.get("image").and_then(Value::as_str).unwrap_or_default());
    set_default(container, "imagePullPolicy", json!(policy));
    each(container, "ports", |port| {
        set_default(port, "protocol", json!("TCP"));
        if host_network && let Some(number) = port.get("containerPort").cloned() {
            set_default(port, "hostPort", number);
        }
    });
    each(container, "env", |variable| {
        with_field(variable, "valueFrom", |source| {
            with_field(source, "fieldRef", |field| set_default(field, "apiVersion", json!("v1")));
        });
        if variable.get("value") == Some(&json!("")) {
            variable.remove("value");
        }
    });
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        with_field(container, name, probe);
    }
    with_field(container, "lifecycle", |lifecycle| {
        for hook in ["postStart", "preStop"] {
            with_field(lifecycle, hook, handler);
        }
    });
    each(container, "volumeMounts", |mount| {
        drop_false(mount, &["readOnly"]);
        drop_empty_text(mount, "subPath");
    });
    drop_false(container, &["stdin", "stdinOnce", "tty"]);
    drop_empty(container, &["args", "command", "env", "envFrom", "ports", "volumeMounts", "volumeDevices"]);
}

/// Images without a tag, or with `latest`, are pulled always, unless a digest fixes them.
fn pull_policy(image: &str) -> &'static str {
    let name = image.rsplit('/').next().unwrap_or(image);
    let moves = !name.contains('@') && (!name.contains(':') || name.ends_with(":latest"));
    if moves { "Always" } else { "IfNotPresent" }
}

fn probe(probe: &mut Object) {
    for (field, value) in
        [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
    {
        set_default(probe, field, json!(value));
    }
    handler(probe);
    with_field(probe, "grpc", |grpc| set_default(grpc, "service", json!("")));
}

fn handler(handler: &mut Object) {
    with_field(handler, "httpGet", |http| {
        set_default(http, "path", json!("/"));
        set_default(http, "scheme", json!("HTTP"));
    });
}

fn volume(volume: &mut Object) {
    if volume.keys().all(|field| field == "name") {
        volume.insert("emptyDir".to_owned(), json!({}));
    }
    for source in ["configMap", "secret", "projected", "downwardAPI"] {
        with_field(volume, source, |source| set_default(source, "defaultMode", json!(420)));
    }
    with_field(volume, "hostPath", |path| set_default(path, "type", json!("")));
    with_field(volume, "emptyDir", |directory| drop_empty_text(directory, "medium"));
    with_field(volume, "downwardAPI", downward_items);
    with_field(volume, "projected", |projected| {
        each(projected, "sources", |source| {
            with_field(source, "downwardAPI", downward_items);
            with_field(source, "serviceAccountToken", |token| {
                set_default(token, "expirationSeconds", json!(3600));
            });
        });
    });
    with_field(volume, "ephemeral", |ephemeral| {
        with_field(ephemeral, "volumeClaimTemplate", |template| {
            set_default(template, "metadata", json!({}));
            with_field(template, "spec", |spec| set_default(spec, "volumeMode", json!("Filesystem")));
        });
    });
    for source in ["persistentVolumeClaim", "nfs"] {
        with_field(volume, source, |source| drop_false(source, &["readOnly"]));
    }
}

fn downward_items(source: &mut Object) {
    each(source, "items", |item| {
        with_field(item, "fieldRef", |field| set_default(field, "apiVersion", json!("v1")));
    });
}

fn service(spec: &mut Object) {
    set_default(spec, "type", json!("ClusterIP"));
    let address = spec.get("clusterIP").cloned().unwrap_or_else(|| json!("<CLUSTER_IP>"));
    for (field, value) in [
        ("clusterIPs", json!([address])),
        ("clusterIP", address),
        ("internalTrafficPolicy", json!("Cluster")),
        ("ipFamilies", json!(["IPv4"])),
        ("ipFamilyPolicy", json!("SingleStack")),
        ("sessionAffinity", json!("None")),
    ] {
        set_default(spec, field, value);
    }
    let service_type = spec["type"].as_str().unwrap_or_default().to_owned();
    let outside = service_type == "NodePort" || service_type == "LoadBalancer";
    if outside {
        set_default(spec, "externalTrafficPolicy", json!("Cluster"));
    }
    if service_type == "LoadBalancer" {
        set_default(spec, "allocateLoadBalancerNodePorts", json!(true));
    }
    each(spec, "ports", |port| {
        set_default(port, "protocol", json!("TCP"));
        if let Some(number) = port.get("port").cloned() {
            set_default(port, "targetPort", number);
        }
        if outside {
            set_default(port, "nodePort", json!("<NODE_PORT>"));
        }
    });
}

/// Two names of one thing: whichever is there fills the other.
fn mirror(object: &mut Object, one: &str, other: &str) {
    for (from, to) in [(one, other), (other, one)] {
        if let Some(value) = object.get(from).cloned() {
            set_default(object, to, value);
        }
    }
}

fn default(value: &mut Value, field: &str, default: Value) {
    if let Value::Object(object) = value {
        set_default(object, field, default);
    }
}

fn set_default(object: &mut Object, field: &str, default: Value) {
    object.entry(field).or_insert(default);
}

fn with_object(value: &mut Value, field: &str, change: impl FnOnce(&mut Object)) {
    if let Value::Object(object) = value {
        with_field(object, field, change);
    }
}

fn with_field(object: &mut Object, field: &str, change: impl FnOnce(&mut Object)) {
    if let Some(Value::Object(inner)) = object.get_mut(field) {
        change(inner);
    }
}

fn each(object: &mut Object, field: &str, mut change: impl FnMut(&mut Object)) {
    if let Some(Value::Array(elements)) = object.get_mut(field) {
        elements.iter_mut().filter_map(Value::as_object_mut).for_each(&mut change);
    }
}

fn drop_false(object: &mut Object, fields: &[&str]) {
    object.retain(|field, value| !(fields.contains(&field.as_str()) && *value == json!(false)));
}

fn drop_empty_text(object: &mut Object, field: &str) {
    if object.get(field) == Some(&json!("")) {
        object.remove(field);
    }
}

fn drop_empty(object: &mut Object, fields: &[&str]) {
    let is_empty = |value: &Value| match value {
        Value::Array(elements) => elements.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    object.retain(|field, value| !(fields.contains(&field.as_str()) && is_empty(value)));
}
