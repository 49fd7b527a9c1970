//! What scenarios expect of a FlinkDeployment and of the objects that belong to it.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::space::{Look, Space, TO_NOTICE, TO_STABLE, nothing};
use crate::kubernetes::{Kind, name, text, uid};

/// Annotation that names the attempt a JobManager Deployment was created by.
const ATTEMPT: &str = "/metadata/annotations/flinkdeployment.flink.apache.org~1attempt";

/// Whether the newest spec is deployed and known to work.
pub(crate) fn is_stable(deployment: &Value) -> bool {
    let session = deployment["spec"].get("job").is_none();
    text(deployment, "/status/lifecycleState") == "STABLE"
        && text(deployment, "/status/jobManagerDeploymentStatus") == "READY"
        && (session || text(deployment, "/status/jobStatus/state") == "RUNNING")
        && deployment["status"]["observedGeneration"] == deployment["metadata"]["generation"]
        && text(deployment, "/status/error").is_empty()
}

/// Waits until a FlinkDeployment is stable, and looks whether everything fits together: status, Kubernetes' objects,
/// and what Flink itself says.
pub(crate) async fn stable(space: &Space, cluster: &str) -> Result<Value> {
    let deployment = space.until_deployment(cluster, "is stable", TO_STABLE, is_stable).await?;
    ensure!(text(&deployment, "/status/reconciliationStatus/state") == "DEPLOYED", "not DEPLOYED");
    let running = condition(&deployment, "Running").context("no condition Running")?;
    ensure!(running["status"] == "True", "condition {running}");
    one_attempt(space, cluster).await?;
    flink_agrees(space, &deployment).await?;
    Ok(deployment)
}

/// A condition of a status.
pub(crate) fn condition<'a>(deployment: &'a Value, kind: &str) -> Option<&'a Value> {
    deployment.pointer("/status/conditions")?.as_array()?.iter().find(|one| one["type"] == kind)
}

/// `message` of `status.error`; empty if there is no error.
pub(crate) fn error_message(deployment: &Value) -> String {
    let error = text(deployment, "/status/error");
    let error: Value = serde_json::from_str(error).unwrap_or_else(|_| error.into());
    let message = error.get("message").and_then(Value::as_str);
    message.or(error.as_str()).unwrap_or_default().to_owned()
}

/// The JobManager Deployment of a cluster, if there is exactly one.
pub(crate) async fn jobmanager(space: &Space, cluster: &str) -> Result<Value> {
    let found = space
        .cluster
        .list(Kind::Deployment, &space.name, &format!("app={cluster},component=jobmanager"))
        .await?;
    match <[Value; 1]>::try_from(found) {
        Ok([deployment]) => Ok(deployment),
        Err(found) => bail!("{} Deployments of {cluster}, not one", found.len()),
    }
}

/// That the objects of a cluster are those of one attempt: one Deployment with one ReplicaSet, and everything that
/// the operator made besides belongs to it.
pub(crate) async fn one_attempt(space: &Space, cluster: &str) -> Result<()> {
    let jobmanager = jobmanager(space, cluster).await?;
    ensure!(name(&jobmanager) == cluster, "the Deployment is named {}", name(&jobmanager));
    ensure!(!text(&jobmanager, ATTEMPT).is_empty(), "the Deployment names no attempt");
    let selector = format!("app={cluster},component=jobmanager");
    let replica_sets = space.cluster.list(Kind::ReplicaSet, &space.name, &selector).await?;
    ensure!(replica_sets.len() == 1, "{} ReplicaSets of {cluster}", replica_sets.len());
    let mut names = BTreeSet::new();
    // Users' own objects may have the first label, too.
    let of_cluster = format!("app={cluster},type in (flink-native-kubernetes,flink-standalone-kubernetes)");
    for kind in [Kind::Service, Kind::ConfigMap] {
        for object in space.cluster.list(kind, &space.name, &of_cluster).await? {
            // HA metadata is Flink's own, and outlives every Deployment.
            if kind == Kind::ConfigMap && name(&object).ends_with("-config-map") {
                continue;
            }
            let owner = text(&object, "/metadata/ownerReferences/0/uid");
            ensure!(owner == uid(&jobmanager), "{kind:?} {} belongs to {owner:?}", name(&object));
            names.insert(name(&object).to_owned());
        }
    }
    for needed in [format!("flink-config-{cluster}"), format!("{cluster}-rest")] {
        ensure!(names.contains(&needed), "{needed} is missing: {names:?}");
    }
    Ok(())
}

/// That Flink runs the one job that the status names, or answers at all as a session cluster.
async fn flink_agrees(space: &Space, deployment: &Value) -> Result<()> {
    let cluster = name(deployment);
    let overview = space.cluster.ask_flink(&space.name, cluster, "/jobs/overview").await?;
    let jobs = overview["jobs"].as_array().context("no list of jobs")?;
    if deployment["spec"].get("job").is_none() {
        return Ok(());
    }
    let id = text(deployment, "/status/jobStatus/jobId");
    ensure!(id.len() == 32, "the status names no job: {id:?}");
    ensure!(
        jobs.len() == 1 && jobs[..].iter().all(|job| job["jid"] == id),
        "job {id}, but Flink has {jobs:?}"
    );
    Ok(())
}

/// Waits for an Event on a FlinkDeployment.
pub(crate) async fn event(space: &Space, cluster: &str, kind: &str, reasons: &[&str]) -> Result<Value> {
    event_on(space, Kind::FlinkDeployment, cluster, kind, reasons).await
}

/// Waits for an Event on an object.
pub(crate) async fn event_on(
    space: &Space,
    object: Kind,
    name: &str,
    kind: &str,
    reasons: &[&str],
) -> Result<Value> {
    let what = format!("Event {kind} {} on {name}", reasons.join(" or "));
    space
        .until(&what, TO_NOTICE, async || {
            let events = space.cluster.list(Kind::Event, &space.name, "").await?;
            let mut on_object: Vec<_> = events
                .into_iter()
                .filter(|event| event["involvedObject"]["kind"] == format!("{object:?}"))
                .filter(|event| event["involvedObject"]["name"] == name)
                .collect();
            let fits = |event: &Value| {
                event["type"] == kind && reasons.contains(&event["reason"].as_str().unwrap_or_default())
            };
            Ok(match on_object.iter().position(fits) {
                Some(index) => Look::Done(on_object.swap_remove(index)),
                None => Look::NotYet(
                    on_object.iter().map(|event| text(event, "/reason")).collect::<Vec<_>>().join(" "),
                ),
            })
        })
        .await
}

/// Waits until nothing of a cluster is left but the objects with these names.
pub(crate) async fn nothing_left(space: &Space, cluster: &str, except: &[&str]) -> Result<()> {
    space
        .until(&format!("FlinkDeployment {cluster} is gone"), TO_NOTICE, async || {
            let found = space.cluster.get(Kind::FlinkDeployment, &space.name, cluster).await?;
            Ok(nothing(usize::from(found.is_some())))
        })
        .await?;
    let selector = format!("app={cluster}");
    space
        .until(&format!("nothing of {cluster} is left"), TO_NOTICE, async || {
            let mut left = Vec::new();
            for kind in [Kind::Deployment, Kind::ReplicaSet, Kind::Pod, Kind::Service, Kind::ConfigMap] {
                for object in space.cluster.list(kind, &space.name, &selector).await? {
                    if !except.contains(&name(&object)) {
                        left.push(format!("{kind:?} {}", name(&object)));
                    }
                }
            }
            Ok(if left.is_empty() { Look::Done(()) } else { Look::NotYet(left.join(", ")) })
        })
        .await?;
    space.say(&format!("nothing of {cluster} is left"));
    Ok(())
}

/// That nobody writes to a healthy resource for a while.
pub(crate) async fn stays_untouched(space: &Space, cluster: &str, seconds: u64) -> Result<()> {
    let version = |deployment: &Value| text(deployment, "/metadata/resourceVersion").to_owned();
    let before = version(&space.deployment(cluster).await?);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let after = space.deployment(cluster).await?;
    ensure!(version(&after) == before, "written to although nothing changed: {}", after["status"]);
    space.say(&format!("{cluster} was left alone for {seconds} s"));
    Ok(())
}
