//! Jobs on a session cluster: one jar comes by HTTP, the other one from S3 with credentials of a Secret.

pub(super) mod changes;
mod jars;
pub(super) mod lost;
pub(super) mod many;
pub(super) mod python_and_sql;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::expectations::{nothing_left, stable};
use super::ledger::{Ledger, goes_on};
use super::space::{Look, Space, TO_NOTICE, TO_STABLE, nothing, state};
use super::specs::{Flink, session};
use crate::kubernetes::{Kind, text};
use jars::{Jars, Web};

const CLUSTER: &str = "cluster";
/// The Secret with the keys of the S3 server.
const SECRET: &str = "jars";

pub(super) async fn run(space: &Space) -> Result<()> {
    let jars = Jars::serve(&space.data, 18080)?;
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET},
        "stringData": {"s3.access-key": jars::S3_KEY, "s3.secret-key": jars::S3_SECRET},
    });
    space.cluster.create(Kind::Secret, &space.name, secret).await?;
    space.create(cluster(space)).await?;
    // Before the cluster is ready.
    create(space, job("http", &jars.web.uri(), "savepoint")).await?;
    let mut from_s3 = job("s3", jars::S3_URI, "last-state");
    from_s3["spec"]["flinkConfiguration"] = json!({"kubernetes.operator.user.artifacts.secret": SECRET});
    create(space, from_s3).await?;
    stable(space, CLUSTER).await?;
    for name in ["http", "s3"] {
        job_is_stable(space, name).await?;
        goes_on(space, name, 1, 0, 0).await?;
    }

    for (runs, name) in [(1, "http"), (1, "s3")] {
        let counted = Ledger::read(space, name)?.number("completed")?;
        change(space, name, json!({"restartNonce": 1})).await?;
        job_is_stable(space, name).await?;
        goes_on(space, name, runs + 1, runs, counted).await?;
    }

    let counted = Ledger::read(space, "http")?.number("completed")?;
    change(space, "http", json!({"job": {"state": "suspended"}})).await?;
    until_job(space, "http", "is suspended", |job| text(job, "/status/lifecycleState") == "SUSPENDED")
        .await?;
    change(space, "http", json!({"job": {"state": "running"}})).await?;
    job_is_stable(space, "http").await?;
    goes_on(space, "http", 3, 2, counted).await?;

    cluster_is_replaced(space).await?;

    delete(space, "http").await?;
    goes_on(space, "s3", 3, 2, Ledger::read(space, "s3")?.number("completed")?).await?;
    delete(space, "s3").await?;
    space.cluster.delete(Kind::FlinkDeployment, &space.name, CLUSTER).await?;
    nothing_left(space, CLUSTER, &[]).await
}

/// A change of the cluster waits until its jobs have stopped with their state, and they come back on the next one.
async fn cluster_is_replaced(space: &Space) -> Result<()> {
    let mut counted = Vec::new();
    for name in ["http", "s3"] {
        counted.push((name, Ledger::read(space, name)?.number("completed")?));
    }
    space.change(CLUSTER, json!({"flinkConfiguration": {"taskmanager.numberOfTaskSlots": "3"}})).await?;
    stable(space, CLUSTER).await?;
    for (name, counted) in counted {
        job_is_stable(space, name).await?;
        let ledger = Ledger::read(space, name)?;
        let restored = ledger.number("starts")? - 1;
        goes_on(space, name, restored + 1, restored, counted).await?;
    }
    let http = found(space, "http").await?;
    ensure!(text(&http, "/status/jobStatus/upgradeSavepointPath").contains("/savepoint-"), "{http}");
    Ok(())
}

/// A session cluster whose jobs keep their state and their ledgers on the node.
fn cluster(space: &Space) -> Value {
    let mut cluster = session(CLUSTER, Flink::V1_20);
    let spec = &mut cluster["spec"];
    let conf = &mut spec["flinkConfiguration"];
    conf["execution.checkpointing.dir"] = "file:///ledger/checkpoints".into();
    conf["execution.checkpointing.savepoint-dir"] = "file:///ledger/savepoints".into();
    spec["podTemplate"] = json!({"spec": {
        "containers": [{
            "name": "flink-main-container",
            "volumeMounts": [{"name": "ledger", "mountPath": "/ledger"}],
        }],
        "volumes": [{"name": "ledger", "hostPath": {"path": space.data}}],
    }});
    cluster
}

/// The counting job.
fn job(name: &str, jar: &str, mode: &str) -> Value {
    let arguments = ["--ledger", "/ledger", "--name", name, "--rate", "100", "--checkpoint-interval", "1000"];
    json!({
        "apiVersion": "flink.apache.org/v1beta1",
        "kind": "FlinkSessionJob",
        "metadata": {"name": name},
        "spec": {
            "deploymentName": CLUSTER,
            "job": {"jarURI": jar, "args": arguments, "parallelism": 1, "upgradeMode": mode},
        },
    })
}

async fn create(space: &Space, job: Value) -> Result<()> {
    let created = space.cluster.create(Kind::FlinkSessionJob, &space.name, job).await?;
    space.say(&format!("created session job {}", crate::kubernetes::name(&created)));
    Ok(())
}

async fn change(space: &Space, name: &str, spec: Value) -> Result<()> {
    space.say(&format!("changing session job {name}: {spec}"));
    space.cluster.patch(Kind::FlinkSessionJob, &space.name, name, &json!({"spec": spec})).await?;
    Ok(())
}

/// Flink's id of the job that runs.
async fn job_id(space: &Space, name: &str) -> Result<String> {
    Ok(text(&found(space, name).await?, "/status/jobStatus/jobId").to_owned())
}

/// The snapshot that Flink says the job has started from; empty if it was none.
async fn restored_from(space: &Space, cluster: &str, name: &str) -> Result<String> {
    let path = format!("/jobs/{}/checkpoints", job_id(space, name).await?);
    let checkpoints = space.cluster.ask_flink(&space.name, cluster, &path).await?;
    Ok(text(&checkpoints, "/latest/restored/external_path").to_owned())
}

async fn delete(space: &Space, name: &str) -> Result<()> {
    space.cluster.delete(Kind::FlinkSessionJob, &space.name, name).await?;
    space
        .until(&format!("session job {name} is gone"), TO_NOTICE, async || {
            let left = space.cluster.get(Kind::FlinkSessionJob, &space.name, name).await?;
            Ok(nothing(usize::from(left.is_some())))
        })
        .await?;
    space.say(&format!("session job {name} is gone"));
    Ok(())
}

async fn found(space: &Space, name: &str) -> Result<Value> {
    let found = space.cluster.get(Kind::FlinkSessionJob, &space.name, name).await?;
    found.with_context(|| format!("FlinkSessionJob {name} does not exist"))
}

async fn until_job(
    space: &Space,
    name: &str,
    what: &str,
    condition: impl Fn(&Value) -> bool,
) -> Result<Value> {
    let job = space
        .until(&format!("session job {name} {what}"), TO_STABLE, async || {
            let job = found(space, name).await?;
            Ok(if condition(&job) { Look::Done(job) } else { Look::NotYet(state(&job)) })
        })
        .await?;
    space.say(&format!("session job {name} {what}"));
    Ok(job)
}

async fn job_is_stable(space: &Space, name: &str) -> Result<Value> {
    until_job(space, name, "is stable", |job| {
        text(job, "/status/lifecycleState") == "STABLE"
            && text(job, "/status/jobStatus/state") == "RUNNING"
            && job["status"]["observedGeneration"] == job["metadata"]["generation"]
            && text(job, "/status/error").is_empty()
    })
    .await
}
