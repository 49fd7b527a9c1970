//! The examples of this repository, applied as they are written.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::expectations::{nothing_left, stable};
use super::pages::page;
use super::space::{Look, Space, TO_NOTICE, TO_STABLE};
use super::standalone::task_managers;
use crate::kubernetes::{Kind, name, text};

/// Where the examples keep state on the node.
const DIRECTORY: &str = "/tmp/flink";

pub(super) async fn run(space: &Space) -> Result<()> {
    for example in ["basic", "basic-2x", "basic-session"] {
        let cluster = apply(space, example).await?;
        remove(space, &cluster).await?;
    }
    checkpoint_ha(space).await?;
    reactive(space).await?;
    autoscaled_pods(space).await?;
    pod_template(space).await?;
    ingress(space).await?;
    custom_logging(space).await?;
    canary(space).await
}

/// It is changed every minute, and the operator is healthy as long as that comes round.
async fn canary(space: &Space) -> Result<()> {
    let cluster = create(space, "canary").await?;
    let changes = |wanted: i64| move |now: &Value| now["spec"]["restartNonce"].as_i64() >= Some(wanted);
    space.until_deployment(&cluster, "is changed", TO_NOTICE, changes(1)).await?;
    space.until_deployment(&cluster, "is changed again", TO_NOTICE, changes(2)).await?;
    let health = page(space, "/healthz").await?;
    ensure!(health.trim() == "OK", "the operator is not healthy: {health}");
    remove(space, &cluster).await
}

/// The JobManager is replaced, and the job is still the same one.
async fn checkpoint_ha(space: &Space) -> Result<()> {
    let cluster = apply(space, "checkpoint-ha").await?;
    let job = |deployment: &Value| text(deployment, "/status/jobStatus/jobId").to_owned();
    let before = job(&space.deployment(&cluster).await?);
    // Without a checkpoint there is nothing to go on from.
    space
        .until("a checkpoint", TO_NOTICE, async || {
            let path = format!("/jobs/{before}/checkpoints");
            let counts = space.cluster.ask_flink(&space.name, &cluster, &path).await?["counts"].take();
            let done = counts["completed"].as_u64() > Some(0);
            Ok(if done { Look::Done(()) } else { Look::NotYet(counts.to_string()) })
        })
        .await?;
    space.change(&cluster, json!({"restartNonce": 1})).await?;
    ensure!(job(&stable(space, &cluster).await?) == before, "the job was not taken from HA metadata");
    remove(space, &cluster).await
}

async fn reactive(space: &Space) -> Result<()> {
    let cluster = apply(space, "reactive").await?;
    let scaled = Command::new("kubectl")
        .args(["--namespace", &space.name, "scale", "flinkdeployment", &cluster, "--replicas", "2"])
        .status()?;
    ensure!(scaled.success(), "kubectl scale: {scaled}");
    task_managers(space, &cluster, 2).await?;
    remove(space, &cluster).await
}

async fn autoscaled_pods(space: &Space) -> Result<()> {
    let cluster = apply(space, "autoscaled-pods").await?;
    task_managers(space, &cluster, 2).await?;
    let autoscaler = space.cluster.get(Kind::HorizontalPodAutoscaler, &space.name, &cluster).await?;
    let autoscaler = autoscaler.context("the autoscaler is gone")?;
    let conditions = autoscaler["status"]["conditions"].as_array();
    let able = conditions.into_iter().flatten().find(|condition| condition["type"] == "AbleToScale");
    ensure!(able.is_some_and(|able| able["status"] == "True"), "{}", autoscaler["status"]);
    space.cluster.delete(Kind::HorizontalPodAutoscaler, &space.name, &cluster).await?;
    remove(space, &cluster).await
}

async fn pod_template(space: &Space) -> Result<()> {
    let cluster = apply(space, "pod-template").await?;
    for component in ["jobmanager", "taskmanager"] {
        let pod = pod(space, &cluster, component).await?;
        let containers = pod["spec"]["containers"].as_array().context("no containers")?;
        let names: BTreeSet<_> = containers.iter().map(|container| text(container, "/name")).collect();
        ensure!(names == BTreeSet::from(["flink-main-container", "log-reader"]), "{component}: {names:?}");
        let prepared = pod["spec"]["initContainers"].as_array().is_some_and(|all| all.len() == 1);
        ensure!(prepared == (component == "jobmanager"), "{component}: {}", pod["spec"]["initContainers"]);
    }
    logged(space, &cluster, "log-reader", "starting").await?;
    remove(space, &cluster).await
}

async fn ingress(space: &Space) -> Result<()> {
    let cluster = apply(space, "ingress").await?;
    let ingress = space.cluster.get(Kind::Ingress, &space.name, &cluster).await?.context("no Ingress")?;
    let host = format!("{cluster}.{}.flink.example.com", space.name);
    ensure!(text(&ingress, "/spec/rules/0/host") == host, "{}", ingress["spec"]);
    remove(space, &cluster).await
}

async fn custom_logging(space: &Space) -> Result<()> {
    let cluster = apply(space, "custom-logging").await?;
    logged(space, &cluster, "flink-main-container", "custom INFO").await?;
    remove(space, &cluster).await
}

/// Creates what is in the file, and waits until its FlinkDeployment, whose name it returns, is stable.
async fn apply(space: &Space, example: &str) -> Result<String> {
    let cluster = create(space, example).await?;
    stable(space, &cluster).await?;
    Ok(cluster)
}

async fn create(space: &Space, example: &str) -> Result<String> {
    let mut cluster = None;
    for document in documents(space, example)? {
        if document["kind"] == "FlinkDeployment" {
            cluster = Some(name(&space.create(document).await?).to_owned());
        } else {
            ensure!(document["kind"] == "HorizontalPodAutoscaler", "{example} has a {}", document["kind"]);
            space.cluster.create(Kind::HorizontalPodAutoscaler, &space.name, document).await?;
        }
    }
    cluster.with_context(|| format!("{example} has no FlinkDeployment"))
}

/// What is in an example, with state in the scenario's directory.
pub(super) fn documents(space: &Space, example: &str) -> Result<Vec<Value>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../examples/{example}.yaml"));
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let text = text.replace(DIRECTORY, &space.data.display().to_string());
    serde_saphyr::from_multiple(&text).with_context(|| file.display().to_string())
}

async fn remove(space: &Space, cluster: &str) -> Result<()> {
    space.cluster.delete(Kind::FlinkDeployment, &space.name, cluster).await?;
    nothing_left(space, cluster, &[]).await
}

async fn pod(space: &Space, cluster: &str, component: &str) -> Result<Value> {
    let selector = format!("app={cluster},component={component}");
    space
        .until(&format!("a {component} of {cluster}"), TO_STABLE, async || {
            let mut pods = space.cluster.list(Kind::Pod, &space.name, &selector).await?;
            Ok(pods.pop().map_or(Look::NotYet("none".to_owned()), Look::Done))
        })
        .await
}

/// Waits until a container of the JobManager has logged a text.
async fn logged(space: &Space, cluster: &str, container: &str, wanted: &str) -> Result<()> {
    let pod = pod(space, cluster, "jobmanager").await?;
    space
        .until(&format!("{container} logs {wanted:?}"), TO_NOTICE, async || {
            let command = ["--namespace", &space.name, "logs", name(&pod), "--container", container];
            let logs = Command::new("kubectl").args(command).output()?;
            let text = String::from_utf8_lossy(&logs.stdout).to_lowercase();
            let found = text.contains(&wanted.to_lowercase());
            Ok(if found { Look::Done(()) } else { Look::NotYet(format!("{} bytes", text.len())) })
        })
        .await
}
