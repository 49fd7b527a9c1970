//! Every recorded status of the Java operator is adopted by a decision that does nothing, as far as one can tell without
//! a cluster.

use std::fs;
use std::path::Path;

use api::FlinkDeployment;
use flink_conf::OperatorDefaults;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use lifecycle::observed::{HaMetadata, JobManager, Observed};
use lifecycle::{Context, Effect, Requeue};
use resources::OperatorFiles;
use serde_json::{Value, json};

use crate::kubernetes::{name, text};
use crate::timeline::recording::yaml_documents;

const UID: &str = "6f1c7f0e-0000-4000-8000-000000000000";
/// More rounds than it takes to come to rest.
const ROUNDS: usize = 4;

/// A FlinkDeployment with a status that the Java operator wrote, and the moment at which it did.
struct Adopted {
    of: String,
    resource: Value,
    deployment: Value,
    at: Timestamp,
}

impl Adopted {
    /// What of it our operator would do, in words; empty if it does nothing but tell.
    fn done_to_it(&self) -> Vec<String> {
        let defaults = OperatorDefaults::default();
        let files = OperatorFiles::default();
        let deployment: Deployment = serde_json::from_value(self.deployment.clone()).unwrap();
        let observed = Observed {
            job_manager: Some(JobManager::from_deployment(&deployment, UID)),
            ha: Some(HaMetadata::default()),
            ..Observed::default()
        };
        let mut resource: FlinkDeployment = serde_json::from_value(self.resource.clone()).unwrap();
        let recorded = |resource: &FlinkDeployment| {
            let status = resource.status.as_ref().unwrap();
            [status.last_reconciled_spec().map(str::to_owned), status.last_stable_spec().map(str::to_owned)]
        };
        let before = recorded(&resource);
        let mut done = Vec::new();
        for _ in 0..ROUNDS {
            let context =
                Context { now: self.at, zone: &jiff::tz::TimeZone::UTC, defaults: &defaults, files: &files };
            let decision = lifecycle::decide(&resource, &observed, &context);
            resource.status = Some(decision.status);
            let writes = decision.effects.iter().filter(|effect| !matches!(effect, Effect::Event(_)));
            let texts: Vec<String> =
                writes.map(|effect| format!("{effect:?}").chars().take(200).collect()).collect();
            if !texts.is_empty() {
                let told = decision.effects.iter().filter(|effect| matches!(effect, Effect::Event(_)));
                done.extend(told.map(|event| format!("{event:?}")));
            }
            done.extend(texts);
            if decision.requeue != Requeue::AtOnce {
                break;
            }
        }
        if recorded(&resource) != before {
            done.push(format!("recorded specs became {:?}", recorded(&resource)));
        }
        done
    }
}

/// The resource with what the API server adds. It is as young as its status, so that no periodic snapshot is due.
fn stored(mut resource: Value, generation: i64, status: Value) -> Value {
    resource["metadata"]["uid"] = UID.into();
    resource["metadata"]["creationTimestamp"] = moment(&status).to_string().into();
    resource["metadata"]["generation"] = generation.into();
    resource["metadata"]["finalizers"] = json!([api::names::FINALIZER_FLINK_DEPLOYMENT]);
    resource["status"] = status;
    resource
}

/// A JobManager Deployment with the annotation that the Java operator writes, and none of ours.
fn deployment(of: &Value, generation: i64, available: bool) -> Value {
    let replicas = i32::from(available);
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name(of),
            "uid": "deployment",
            "annotations": {"flinkdeployment.flink.apache.org/generation": generation.to_string()},
            "ownerReferences": [{"apiVersion": "flink.apache.org/v1beta1", "kind": "FlinkDeployment",
                "name": name(of), "uid": UID}],
        },
        "spec": {"replicas": 1, "selector": {}, "template": {}},
        "status": {"replicas": 1, "availableReplicas": replicas, "readyReplicas": replicas},
    })
}

fn is_deployment(resource: &Value) -> bool {
    resource["kind"] == "FlinkDeployment"
}

/// The moment of a status: nothing that it speaks of lies in the future.
fn moment(status: &Value) -> Timestamp {
    let reconciled = status.pointer("/reconciliationStatus/reconciliationTimestamp").and_then(Value::as_i64);
    let updated = text(status, "/jobStatus/updateTime").parse().unwrap_or_default();
    Timestamp::from_millisecond(reconciled.unwrap_or_default().max(updated) + 1000).unwrap()
}

/// Whether the Java operator was at rest, so that there is nothing to go on with.
fn is_at_rest(status: &Value, generation: i64) -> bool {
    let state = text(status, "/reconciliationStatus/state");
    let job_manager = text(status, "/jobManagerDeploymentStatus");
    ["DEPLOYED", "ROLLED_BACK"].contains(&state)
        && ["DEPLOYING", "DEPLOYED_NOT_READY", "READY"].contains(&job_manager)
        && text(status, "/lifecycleState") != "FAILED"
        && text(status, "/error").is_empty()
        && status["observedGeneration"] == generation
}

fn merge(into: &mut Value, patch: &Value) {
    let Some(fields) = patch.as_object() else {
        *into = patch.clone();
        return;
    };
    for (key, value) in fields {
        if value.is_null() {
            into.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut into[key.as_str()], value);
        }
    }
}

/// All statuses of a timeline at which the Java operator was at rest.
fn of_timeline(folder: &Path) -> Vec<Adopted> {
    let documents = yaml_documents(&fs::read_to_string(folder.join("crs.yaml")).unwrap()).unwrap();
    let mut resources: Vec<_> =
        documents.iter().filter(|document| is_deployment(document)).cloned().collect();
    resources.retain(|resource| resource.get("apiVersion").is_some());
    let mut patches = documents.iter().filter(|document| document.get("apiVersion").is_none());
    let mut found = Vec::new();
    for line in fs::read_to_string(folder.join("timeline.jsonl")).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if line.get("patch").is_some() {
            let target = patches.next().map(name).filter(|name| !name.is_empty());
            let only = resources.len() == 1;
            for resource in &mut resources {
                if target.map_or(only, |target| target == name(resource)) {
                    merge(resource, &line["patch"]);
                }
            }
        }
        let resource = resources.iter().find(|resource| name(resource) == text(&line, "/name"));
        let (Some(resource), Some(generation)) = (resource, line["generation"].as_i64()) else { continue };
        let status = &line["status"];
        if line["source"] != "cr" || line["deletionTimestamp"] != false || !is_at_rest(status, generation) {
            continue;
        }
        let available = text(status, "/jobManagerDeploymentStatus") != "DEPLOYING";
        found.push(Adopted {
            of: format!("{} at {}", folder.display(), line["t"]),
            resource: stored(resource.clone(), generation, status.clone()),
            deployment: deployment(resource, generation, available),
            at: moment(status),
        });
    }
    found
}

/// The status of a golden case after its first deployment.
fn of_golden(folder: &Path) -> Option<Adopted> {
    let documents = yaml_documents(&fs::read_to_string(folder.join("cr.yaml")).unwrap()).unwrap();
    let resource = documents.into_iter().find(is_deployment)?;
    let status: Value =
        serde_json::from_str(&fs::read_to_string(folder.join("status.json")).unwrap()).unwrap();
    let key = format!("FlinkDeployment/{}", name(&resource));
    let mut status = status.get("afterFirstReconcile")?.get(&key)?.clone();
    // Left out of the recording, as all times.
    status["reconciliationStatus"]["reconciliationTimestamp"] = 1_795_228_667_108_i64.into();
    if !is_at_rest(&status, 1) {
        return None;
    }
    Some(Adopted {
        of: folder.display().to_string(),
        deployment: deployment(&resource, 1, false),
        at: moment(&status),
        resource: stored(resource, 1, status),
    })
}

fn folders(of: &str) -> Vec<std::path::PathBuf> {
    let Some(folder) = reference::folder(of).unwrap() else { return Vec::new() };
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

#[test]
fn every_recorded_status_is_adopted_without_doing_anything() {
    let mut adopted: Vec<_> = folders("traces").iter().flat_map(|folder| of_timeline(folder)).collect();
    if adopted.is_empty() {
        return;
    }
    let of_timelines = adopted.len();
    adopted.extend(folders("golden").iter().filter_map(|folder| of_golden(folder)));
    assert!(of_timelines > 100 && adopted.len() > of_timelines + 30, "{of_timelines} {}", adopted.len());
    let acts: Vec<_> = adopted
        .iter()
        .map(|adopted| (&adopted.of, adopted.done_to_it()))
        .filter(|(_, done)| !done.is_empty())
        .collect();
    assert!(acts.is_empty(), "{} of {}: {acts:#?}", acts.len(), adopted.len());
}
