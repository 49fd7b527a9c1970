//! What a cluster looks like that the Java operator was in charge of, as it was recorded (its version 1.16): only its own
//! fields in the status, specs with every field it knows, and nothing of ours on the Deployment.

use engine::ports::{Kind, ObjectKey};
use resources::names;
use serde_json::{Map, Value, json};

use crate::api_server::ApiServer;
use crate::script::{NAME, NAMESPACE, key};

/// Fields of the status that it has.
const STATUS: [&str; 10] = [
    "clusterInfo",
    "conditions",
    "error",
    "jobManagerDeploymentStatus",
    "jobStatus",
    "lifecycleState",
    "observedGeneration",
    "podTemplateSpec",
    "reconciliationStatus",
    "taskManager",
];
/// Fields that it writes although nothing is set.
const NULLS: [&str; 6] =
    ["imagePullPolicy", "ingress", "logConfiguration", "mode", "podTemplate", "restartNonce"];
const JOB_NULLS: [&str; 7] = [
    "allowNonRestoredState",
    "autoscalerResetNonce",
    "checkpointTriggerNonce",
    "entryClass",
    "initialSavepointPath",
    "savepointRedeployNonce",
    "savepointTriggerNonce",
];

/// Makes what our operator has written look as if the Java operator had.
pub(crate) fn was_in_charge(server: &ApiServer) {
    server.change(Kind::FLINK_DEPLOYMENT, &key(), |resource| {
        if let Some(status) = resource.get_mut("status").and_then(Value::as_object_mut) {
            status.retain(|name, _| STATUS.contains(&name.as_str()));
            rewrite(status);
        }
    });
    let owners = server
        .read(Kind::DEPLOYMENT, &key())
        .and_then(|deployment| deployment.pointer("/metadata/ownerReferences").cloned());
    let task_managers = ObjectKey::new(NAMESPACE, names::task_manager_deployment(NAME));
    server.change(Kind::DEPLOYMENT, &task_managers, |deployment| {
        if let (Some(metadata), Some(owners)) = (deployment.get_mut("metadata"), owners) {
            metadata["ownerReferences"] = owners;
            metadata["annotations"] = Value::Null;
        }
    });
    server.change(Kind::DEPLOYMENT, &key(), |deployment| {
        for pointer in ["/metadata/annotations", "/spec/template/metadata/annotations"] {
            if let Some(all) = deployment.pointer_mut(pointer).and_then(Value::as_object_mut) {
                all.retain(|name, _| name.ends_with("/generation"));
            }
        }
    });
}

fn rewrite(status: &mut Map<String, Value>) {
    if let Some(conditions) = status.get_mut("conditions").and_then(Value::as_array_mut) {
        conditions.retain(|condition| condition.get("type") == Some(&json!("Running")));
    }
    status.entry("clusterInfo").or_insert_with(|| json!({}));
    if let Some(job) = status.get_mut("jobStatus").and_then(Value::as_object_mut) {
        let savepoints = json!({"lastPeriodicSavepointTimestamp": 0, "savepointHistory": []});
        job.entry("savepointInfo").or_insert(savepoints);
        job.entry("checkpointInfo").or_insert_with(|| json!({"lastPeriodicCheckpointTimestamp": 0}));
    }
    let reconciled = status.get_mut("reconciliationStatus").and_then(Value::as_object_mut);
    for (_, text) in reconciled.into_iter().flatten().filter(|(name, _)| name.ends_with("Spec")) {
        let Some(mut recorded) = text.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok())
        else {
            continue;
        };
        let mut add = |pointer: &str, names: &[&str]| {
            let Some(fields) = recorded.pointer_mut(pointer).and_then(Value::as_object_mut) else { return };
            for name in names {
                fields.entry(*name).or_insert(Value::Null);
            }
        };
        add("/spec", &NULLS);
        add("/spec/job", &JOB_NULLS);
        *text = json!(recorded.to_string());
    }
}
