//! Standalone clusters, whose TaskManagers are a Deployment of the operator's.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::expectations::{jobmanager, nothing_left, stable};
use super::ledger::goes_on;
use super::space::{Look, Space, TO_NOTICE, TO_STABLE};
use super::specs::{Flink, session};
use super::stateful::{Mode, counting, suspended_and_resumed, upgraded};
use crate::kubernetes::{Kind, uid};

/// For how long nobody may change what is somebody else's.
const ALONE: Duration = Duration::from_secs(20);

pub(super) fn standalone(mut deployment: Value) -> Value {
    deployment["spec"]["mode"] = "standalone".into();
    deployment
}

async fn lives(space: &Space, flink: Flink, mode: Mode) -> Result<()> {
    space.create(standalone(counting(space, "app", flink, mode))).await?;
    stable(space, "app").await?;
    goes_on(space, "app", 1, 0, 0).await?;
    upgraded(space, "app", 1).await?;
    suspended_and_resumed(space, "app", 2).await?;
    space.cluster.delete(Kind::FlinkDeployment, &space.name, "app").await?;
    nothing_left(space, "app", &[]).await
}

/// The jar lies in `/opt/flink/usrlib` of the image.
pub(super) async fn savepoint(space: &Space) -> Result<()> {
    lives(space, Flink::V1_20, Mode::Savepoint).await
}

pub(super) async fn last_state(space: &Space) -> Result<()> {
    lives(space, Flink::V2_2, Mode::LastState).await
}

/// A job that takes all slots that there are gets more of them, and goes on with its state.
pub(super) async fn reactive(space: &Space) -> Result<()> {
    let mut deployment = standalone(counting(space, "app", Flink::V1_20, Mode::Savepoint));
    let conf = &mut deployment["spec"]["flinkConfiguration"];
    conf["scheduler-mode"] = "reactive".into();
    conf["taskmanager.numberOfTaskSlots"] = "1".into();
    space.create(deployment).await?;
    stable(space, "app").await?;
    goes_on(space, "app", 1, 0, 0).await?;
    let before = jobmanager(space, "app").await?;
    space.change("app", json!({"job": {"parallelism": 2}})).await?;
    let scaled = |now: &Value| now["status"]["taskManager"]["replicas"] == 2;
    space.until_deployment("app", "is to have two TaskManagers", TO_NOTICE, scaled).await?;
    task_managers(space, "app", 2).await?;
    stable(space, "app").await?;
    goes_on(space, "app", 2, 1, 0).await?;
    ensure!(uid(&before) == uid(&jobmanager(space, "app").await?), "the cluster was replaced");
    Ok(())
}

/// `kubectl scale` changes the number of TaskManagers, and nothing else; those that somebody deletes come back.
pub(super) async fn session_cluster(space: &Space) -> Result<()> {
    let mut deployment = standalone(session("session", Flink::V2_2));
    deployment["spec"]["taskManager"]["replicas"] = 1.into();
    space.create(deployment).await?;
    stable(space, "session").await?;
    task_managers(space, "session", 1).await?;
    let before = jobmanager(space, "session").await?;
    scale(space, "session", 0)?;
    task_managers(space, "session", 0).await?;
    scale(space, "session", 2)?;
    task_managers(space, "session", 2).await?;
    stable(space, "session").await?;
    task_managers_come_back(space, "session").await?;
    task_managers(space, "session", 2).await?;
    task_managers_are_scaled_back(space, "session", 2).await?;
    autoscaler_of_the_deployment_is_left_alone(space, "session", 3).await?;
    ensure!(uid(&before) == uid(&jobmanager(space, "session").await?), "the cluster was replaced");
    space.cluster.delete(Kind::FlinkDeployment, &space.name, "session").await?;
    nothing_left(space, "session", &[]).await
}

fn scale(space: &Space, cluster: &str, replicas: usize) -> Result<()> {
    let replicas = replicas.to_string();
    let scaled = Command::new("kubectl")
        .args(["--namespace", &space.name, "scale", "flinkdeployment", cluster, "--replicas", &replicas])
        .stdout(Stdio::null())
        .status()?;
    ensure!(scaled.success(), "kubectl scale: {scaled}");
    space.say(&format!("scaled {cluster} to {replicas}"));
    Ok(())
}

/// Scales the Deployment of the TaskManagers by hand, and waits until it has its number again.
async fn task_managers_are_scaled_back(space: &Space, cluster: &str, replicas: i64) -> Result<()> {
    let deployment = format!("{cluster}-taskmanager");
    for wrong in [0, 3] {
        let wrong = json!({"spec": {"replicas": wrong}});
        space.cluster.patch(Kind::Deployment, &space.name, &deployment, &wrong).await?;
        space.say(&format!("Deployment {deployment} by hand: {wrong}"));
        space
            .until("it is scaled back", TO_NOTICE, async || {
                let now = space.cluster.get(Kind::Deployment, &space.name, &deployment).await?;
                let found = now.unwrap_or_default()["spec"]["replicas"].clone();
                Ok(if found == replicas { Look::Done(()) } else { Look::NotYet(found.to_string()) })
            })
            .await?;
        space.say(&format!("{replicas} replicas again"));
    }
    Ok(())
}

/// A HorizontalPodAutoscaler of the TaskManagers' Deployment, as users of the Java operator have it, sets the number.
async fn autoscaler_of_the_deployment_is_left_alone(
    space: &Space,
    cluster: &str,
    replicas: usize,
) -> Result<()> {
    let target =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": format!("{cluster}-taskmanager")});
    let autoscaler = json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": cluster},
        "spec": {"scaleTargetRef": target, "minReplicas": replicas, "maxReplicas": replicas},
    });
    space.cluster.create(Kind::HorizontalPodAutoscaler, &space.name, autoscaler).await?;
    task_managers(space, cluster, replicas).await?;
    let before = space.cluster.get(Kind::Deployment, &space.name, &format!("{cluster}-taskmanager")).await?;
    tokio::time::sleep(ALONE).await;
    let after = space.cluster.get(Kind::Deployment, &space.name, &format!("{cluster}-taskmanager")).await?;
    let generation = |deployment: Option<Value>| deployment.map(|it| it["metadata"]["generation"].clone());
    let (before, after) = (generation(before), generation(after));
    ensure!(before == after, "the Deployment was changed: generation {before:?}, then {after:?}");
    space.cluster.delete(Kind::HorizontalPodAutoscaler, &space.name, cluster).await
}

/// Deletes the Deployment of the TaskManagers, and waits for another one.
async fn task_managers_come_back(space: &Space, cluster: &str) -> Result<()> {
    let deployment = format!("{cluster}-taskmanager");
    let before = space.cluster.get(Kind::Deployment, &space.name, &deployment).await?.unwrap_or_default();
    space.cluster.delete(Kind::Deployment, &space.name, &deployment).await?;
    space.say(&format!("deleted Deployment {deployment}"));
    space
        .until("there is another Deployment", TO_STABLE, async || {
            let now = space.cluster.get(Kind::Deployment, &space.name, &deployment).await?;
            let again = now.filter(|now| uid(now) != uid(&before));
            Ok(again.map_or_else(|| Look::NotYet("none".to_owned()), |_| Look::Done(())))
        })
        .await?;
    space.say("there is another one");
    Ok(())
}

/// Waits until so many TaskManagers have registered with the JobManager.
pub(super) async fn task_managers(space: &Space, cluster: &str, number: usize) -> Result<()> {
    space
        .until(&format!("{cluster} has {number} TaskManagers"), TO_STABLE, async || {
            let answer = space.cluster.ask_flink(&space.name, cluster, "/taskmanagers").await?;
            let found = answer["taskmanagers"].as_array().map_or(0, Vec::len);
            Ok(if found == number { Look::Done(()) } else { Look::NotYet(found.to_string()) })
        })
        .await?;
    space.say(&format!("{cluster} has {number} TaskManagers"));
    Ok(())
}
