//! Snapshots of a running job that a nonce or a schedule asks for.

mod by_status;
mod nonces;
mod pending;
mod periodic;

use std::time::Duration;

use api::{CheckpointInfo, FlinkDeployment, SavepointInfo, SnapshotState, SnapshotTriggerType, SnapshotType};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use super::world::{World, application, with};
use crate::observed::Snapshot;
use crate::{FlinkRequest, Requeue};

const BY_STATUS: (&str, &str) = ("kubernetes.operator.snapshot.resource.enabled", "false");
const EVERY_TEN_MINUTES: (&str, &str) = ("kubernetes.operator.periodic.savepoint.interval", "10 min");
const CHECKPOINTS_TOO: (&str, &str) = ("kubernetes.operator.periodic.checkpoint.interval", "10 min");

/// A job that runs, whose resource was created just now.
fn running(options: &[(&str, &str)]) -> World {
    of_version("v1_20", options)
}

fn of_version(version: &str, options: &[(&str, &str)]) -> World {
    let mut spec = with(application("savepoint"), options);
    spec["flinkVersion"] = json!(version);
    let mut world = World::new(spec);
    let is_created_now = |world: &mut World| {
        world.resource.metadata.creation_timestamp = Some(Time(world.now));
    };
    is_created_now(&mut world);
    world.becomes_stable();
    world.reasons();
    is_created_now(&mut world);
    world
}

fn created(world: &World) -> Timestamp {
    world.resource.metadata.creation_timestamp.as_ref().unwrap().0
}

/// So long after the resource was created.
fn go_to(world: &mut World, age: SignedDuration) {
    world.now = created(world) + age;
}

fn minutes(count: i64) -> SignedDuration {
    SignedDuration::from_mins(count)
}

fn after(seconds: u64) -> Requeue {
    Requeue::After(Duration::from_secs(seconds))
}

fn savepoint_nonce(nonce: i64) -> impl FnOnce(&mut FlinkDeployment) {
    move |resource| resource.spec.job.as_mut().unwrap().savepoint_trigger_nonce = Some(nonce)
}

fn checkpoint_nonce(nonce: i64) -> impl FnOnce(&mut FlinkDeployment) {
    move |resource| resource.spec.job.as_mut().unwrap().checkpoint_trigger_nonce = Some(nonce)
}

fn savepoint_info(world: &World) -> SavepointInfo {
    world.status().job_status.unwrap().savepoint_info.unwrap_or_default()
}

fn checkpoint_info(world: &World) -> CheckpointInfo {
    world.status().job_status.unwrap().checkpoint_info.unwrap_or_default()
}

/// The recorded nonces of savepoints and checkpoints.
fn handled(world: &World) -> [Value; 2] {
    let recorded = world.status().last_reconciled_spec().unwrap().to_owned();
    let recorded: Value = serde_json::from_str(&recorded).unwrap();
    ["savepointTriggerNonce", "checkpointTriggerNonce"].map(|name| recorded["spec"]["job"][name].clone())
}

/// Names of the resources that were created since the last call.
fn created_names(world: &mut World) -> Vec<String> {
    std::mem::take(&mut world.applied).into_iter().map(|object| object.metadata.name.unwrap()).collect()
}

fn trigger_id(call: &FlinkRequest) -> String {
    call.operation().unwrap().to_owned()
}

/// A savepoint of this job, created `age` after the resource.
pub(super) fn snapshot(
    world: &World,
    name: &str,
    cause: SnapshotTriggerType,
    age: SignedDuration,
) -> Snapshot {
    Snapshot {
        name: name.to_owned(),
        uid: format!("uid of {name}"),
        snapshot_type: Some(SnapshotType::Savepoint),
        trigger_type: cause,
        state: SnapshotState::Completed,
        created: Some(created(world) + age),
        terminating: false,
        job_uid: Some("uid-1".to_owned()),
        path: Some(format!("file:///sp/{name}")),
    }
}
