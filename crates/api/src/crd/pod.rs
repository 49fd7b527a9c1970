//! Fields of a Pod that came with Kubernetes 1.34 and later. The typed API that we build against is no
//! newer than the oldest API server we support and does not have them; users' templates may, and
//! Apache's definitions do.

use serde_json::{Map, Value, json};

/// Adds the fields.
pub(super) fn add_later_fields(pod: &mut Value) {
    for containers in ["containers", "initContainers", "ephemeralContainers"] {
        let container = ["spec", containers, "[]"];
        add(pod, &container, "restartPolicyRules", &list(&restart_policy_rule()));
        add(pod, &[&container[..], &["env", "[]", "valueFrom"]].concat(), "fileKeyRef", &file_key_ref());
    }
    add(pod, &["spec"], "hostnameOverride", &string());
    add(pod, &["spec"], "schedulingGroup", &object(&[("podGroupName", string())]));
    let sources = ["spec", "volumes", "[]", "projected", "sources", "[]"];
    add(pod, &sources, "podCertificate", &pod_certificate());
    add_later_status_fields(pod);
}

/// A template's status means nothing, but may be written.
fn add_later_status_fields(pod: &mut Value) {
    for statuses in ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"] {
        let status = ["status", statuses, "[]"];
        let resources = [&status[..], &["allocatedResourcesStatus", "[]", "resources", "[]"]].concat();
        add(pod, &resources, "message", &string());
        let image = object(&[("imageRef", string())]);
        let mounts = [&status[..], &["volumeMounts", "[]"]].concat();
        add(pod, &mounts, "volumeStatus", &object(&[("image", image)]));
    }
    let requirements = object(&[
        ("claims", list(&object(&[("name", string()), ("request", string())]))),
        ("limits", quantities()),
        ("requests", quantities()),
    ]);
    let mapping =
        object(&[("containerName", string()), ("requestName", string()), ("resourceName", string())]);
    let claim = object(&[
        ("containers", list(&string())),
        ("resourceClaimName", string()),
        ("resources", quantities()),
    ]);
    for (name, schema) in [
        ("allocatedResources", quantities()),
        ("resources", requirements),
        (
            "extendedResourceClaimStatus",
            object(&[("requestMappings", list(&mapping)), ("resourceClaimName", string())]),
        ),
        ("nodeAllocatableResourceClaimStatuses", list(&claim)),
    ] {
        add(pod, &["status"], name, &schema);
    }
}

fn restart_policy_rule() -> Value {
    let exit_codes = object(&[("operator", string()), ("values", list(&integer()))]);
    object(&[("action", string()), ("exitCodes", exit_codes)])
}

fn file_key_ref() -> Value {
    object(&[
        ("key", string()),
        ("optional", json!({ "type": "boolean" })),
        ("path", string()),
        ("volumeName", string()),
    ])
}

fn pod_certificate() -> Value {
    object(&[
        ("certificateChainPath", string()),
        ("credentialBundlePath", string()),
        ("keyPath", string()),
        ("keyType", string()),
        ("maxExpirationSeconds", integer()),
        ("signerName", string()),
        ("userAnnotations", json!({ "type": "object", "additionalProperties": string() })),
    ])
}

/// Adds a property to the object at `path` (`[]` for the items of a list), unless it is there already or
/// the path leads nowhere.
fn add(pod: &mut Value, path: &[&str], name: &str, schema: &Value) {
    let mut place = Some(pod);
    for step in path {
        place = place.and_then(|place| match *step {
            "[]" => place.get_mut("items"),
            property => place.get_mut("properties")?.get_mut(property),
        });
    }
    let properties = place.and_then(|place| place.get_mut("properties")).and_then(Value::as_object_mut);
    if let Some(properties) = properties {
        properties.entry(name).or_insert_with(|| schema.clone());
        properties.sort_keys();
    }
}

fn string() -> Value {
    json!({ "type": "string" })
}

fn integer() -> Value {
    json!({ "type": "integer" })
}

fn list(items: &Value) -> Value {
    json!({ "type": "array", "items": items })
}

/// An object with these properties, which are given in alphabetical order.
fn object(properties: &[(&str, Value)]) -> Value {
    let properties: Map<_, _> =
        properties.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({ "type": "object", "properties": properties })
}

fn quantities() -> Value {
    json!({
        "type": "object",
        "additionalProperties": {
            "anyOf": [{ "type": "integer" }, { "type": "string" }],
            "x-kubernetes-int-or-string": true,
        },
    })
}
