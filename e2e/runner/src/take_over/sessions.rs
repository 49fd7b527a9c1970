//! Session clusters as the Java operator left them. A job that somebody has submitted by hand runs on each, as a
//! FlinkSessionJob's does.

use std::fs::File;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::cases::{Case, counted, until, wait_for_job};
use super::java_state::{CLUSTER, JavaState};
use super::world::World;
use crate::api_bench::call;
use crate::kubernetes::{Kind, text, uid};
use crate::timeline::place::Place;

/// The jar in the image.
const JAR: &str = "/opt/flink/usrlib/counting-job.jar";
/// Where the recorded cluster with HA mounts its volume.
const MOUNTED: &str = "/flink-data";

/// Makes the state real, up to the status that the Java operator wrote last.
pub(super) async fn prepare(case: Case, state: &JavaState<'_>) -> Result<()> {
    let place = state.place;
    state.create().await?;
    until("the JobManager answers", async || {
        let answer = place.cluster.ask_flink(&place.namespace, CLUSTER, "/overview").await;
        Ok(answer.map_err(|error| format!("{error:#}")))
    })
    .await?;
    let id = submit(case, place).await?;
    wait_for_job(place, &id, "RUNNING").await?;
    if case == Case::SessionWithHa {
        counted(place, "first", 1).await?;
    }
    let mut status = state.session_status()?;
    if !text(&status, "/clusterInfo/flink-version").is_empty() {
        let answer = place.cluster.ask_flink(&place.namespace, CLUSTER, "/config").await?;
        for key in ["flink-version", "flink-revision"] {
            status["clusterInfo"][key] = answer[key].clone();
        }
    }
    let status = json!({"status": status});
    place.cluster.patch_status(Kind::FlinkDeployment, &place.namespace, CLUSTER, &status).await?;
    Ok(())
}

/// Uploads the jar of the image and runs it, as a person does. Returns the job's id.
async fn submit(case: Case, place: &Place) -> Result<String> {
    let namespace = place.namespace.as_str();
    let jar = place.data.join("counting-job.jar");
    let copied = Command::new("kubectl")
        .args(["--namespace", namespace, "exec", &format!("deployment/{CLUSTER}"), "--", "cat", JAR])
        .stdout(File::create(&jar)?)
        .stderr(Stdio::null())
        .status()?;
    ensure!(copied.success(), "kubectl exec: {copied}");
    let form = format!("jarfile=@{}", jar.display());
    let answer = call("curl", &["-sS", "--fail", "-F", &form, &rest(place, "/jars/upload")], "")?;
    let uploaded: Value = serde_json::from_str(&answer)?;
    let jar = text(&uploaded, "/filename").rsplit('/').next().context("no jar")?;
    let ledger = if case == Case::SessionWithHa { MOUNTED } else { "/tmp" };
    let arguments = ["--ledger", ledger, "--name", "first", "--rate", "100", "--checkpoint-interval", "1000"];
    let run = json!({"programArgsList": arguments, "parallelism": 1});
    let answer = place.cluster.tell_flink(namespace, CLUSTER, &format!("/jars/{jar}/run"), &run).await?;
    Ok(text(&answer, "/jobid").to_owned())
}

fn rest(place: &Place, path: &str) -> String {
    format!("http://{CLUSTER}-rest.{}:8081{path}", place.namespace)
}

/// Changes the spec. Returns what became of the cluster and its job, which is then cancelled: a session cluster that is
/// deleted waits for its jobs.
pub(super) async fn go_on(case: Case, place: &Place) -> Result<String> {
    let became = changed(case, place).await?;
    cancel(place).await?;
    Ok(became)
}

async fn changed(case: Case, place: &Place) -> Result<String> {
    let before = World::look(place).await?;
    let job_manager = deployment(place).await?;
    if case == Case::StandaloneSession {
        change(place, &json!({"taskManager": {"replicas": 2}})).await?;
        stable(place).await?;
        until("there are two TaskManagers", async || {
            let answer = place.cluster.ask_flink(&place.namespace, CLUSTER, "/overview").await?;
            Ok(if answer["taskmanagers"] == 2 { Ok(()) } else { Err(answer.to_string()) })
        })
        .await?;
        World::look(place).await?.has_the_jobs_of(&before)?;
        ensure!(deployment(place).await? == job_manager, "the JobManager was replaced");
        return Ok("two TaskManagers, the same JobManager and job".to_owned());
    }
    change(place, &json!({"flinkConfiguration": {"taskmanager.numberOfTaskSlots": "4"}})).await?;
    let what = if case == Case::SessionWithHa {
        stable(place).await?;
        let ledger = counted(place, "first", 2).await?;
        ensure!(ledger.number("restored")? == 1, "the job did not start from its state: {ledger}");
        format!("the job went on: {ledger}")
    } else {
        waits_for_the_job(place, &before).await?;
        cancel(place).await?;
        stable(place).await?;
        "it waited for the job".to_owned()
    };
    ensure!(deployment(place).await? != job_manager, "the JobManager is the old one");
    Ok(what)
}

async fn change(place: &Place, spec: &Value) -> Result<()> {
    let change = json!({ "spec": spec });
    place.cluster.patch(Kind::FlinkDeployment, &place.namespace, CLUSTER, &change).await.map(drop)
}

/// The uid of the JobManager's Deployment.
async fn deployment(place: &Place) -> Result<String> {
    let found = place.cluster.get(Kind::Deployment, &place.namespace, CLUSTER).await?;
    Ok(uid(&found.context("no JobManager")?).to_owned())
}

async fn stable(place: &Place) -> Result<()> {
    until("the changed cluster is STABLE", async || {
        let resource = place.cluster.get(Kind::FlinkDeployment, &place.namespace, CLUSTER).await?;
        let resource = resource.unwrap_or_default();
        let status = &resource["status"];
        let done = text(status, "/lifecycleState") == "STABLE"
            && text(status, "/jobManagerDeploymentStatus") == "READY"
            && status["observedGeneration"] == resource["metadata"]["generation"];
        Ok(if done { Ok(()) } else { Err(status.to_string()) })
    })
    .await
}

/// Without HA the job would be lost: nothing happens to the cluster before it has ended.
async fn waits_for_the_job(place: &Place, before: &World) -> Result<()> {
    until("the operator says that it waits", async || {
        let resource = place.cluster.get(Kind::FlinkDeployment, &place.namespace, CLUSTER).await?;
        let conditions = resource.unwrap_or_default()["status"]["conditions"].clone();
        let waits = conditions.as_array().is_some_and(|all| {
            all.iter().any(|one| one["type"] == "SpecAccepted" && one["status"] == "False")
        });
        Ok(if waits { Ok(()) } else { Err(conditions.to_string()) })
    })
    .await?;
    World::look(place).await?.must_equal(before)
}

async fn cancel(place: &Place) -> Result<()> {
    let overview = place.cluster.ask_flink(&place.namespace, CLUSTER, "/jobs/overview").await?;
    for job in overview["jobs"].as_array().into_iter().flatten() {
        let path = format!("/jobs/{}?mode=cancel", text(job, "/jid"));
        call("curl", &["-sS", "--fail", "-X", "PATCH", &rest(place, &path)], "")?;
    }
    Ok(())
}
