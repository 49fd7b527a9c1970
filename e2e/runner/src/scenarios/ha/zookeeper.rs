//! A job whose HA metadata is in ZooKeeper, which the operator touches only when it deletes the cluster: its whole life.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use zookeeper_client::{Acls, Client, CreateMode};

use super::super::expectations::{event, is_stable, nothing_left, stable};
use super::super::ledger::{Ledger, goes_on};
use super::super::space::{Space, TO_STABLE};
use super::super::specs::Flink;
use super::super::standalone::standalone;
use super::super::stateful::{Mode, suspended_and_resumed, upgraded};
use super::kills::killed;
use super::{Store, with_ha};
use crate::kubernetes::{Kind, text};

/// A cluster whose nodes lie next to ours.
const NEIGHBOUR: &str = "app-2";

pub(in super::super) async fn on_1_20(space: &Space) -> Result<()> {
    lives(space, with_zookeeper(space, Flink::V1_20)?).await
}

pub(in super::super) async fn on_2_2(space: &Space) -> Result<()> {
    lives(space, with_zookeeper(space, Flink::V2_2)?).await
}

pub(in super::super) async fn standalone_on_1_20(space: &Space) -> Result<()> {
    lives(space, standalone(with_zookeeper(space, Flink::V1_20)?)).await
}

pub(in super::super) async fn standalone_on_2_2(space: &Space) -> Result<()> {
    lives(space, standalone(with_zookeeper(space, Flink::V2_2)?)).await
}

fn with_zookeeper(space: &Space, flink: Flink) -> Result<Value> {
    with_ha(space, "app", flink, Mode::LastState, Store::ZooKeeper, 1)
}

async fn lives(space: &Space, deployment: Value) -> Result<()> {
    neighbour(&deployment).await?;
    space.create(deployment.clone()).await?;
    stable(space, "app").await?;
    goes_on(space, "app", 1, 0, 0).await?;
    // Two upgrades: from its checkpoint, and with a savepoint.
    upgraded(space, "app", 1).await?;
    space.change("app", json!({"job": {"upgradeMode": "savepoint"}})).await?;
    upgraded(space, "app", 2).await?;
    suspended_and_resumed(space, "app", 3).await?;
    space.change("app", json!({"job": {"upgradeMode": "last-state"}})).await?;
    suspended_and_resumed(space, "app", 4).await?;
    recovered(space, 5).await?;
    restarted(space, 6).await?;
    space.cluster.delete(Kind::FlinkDeployment, &space.name, "app").await?;
    nothing_left(space, "app", &[]).await?;
    leaves_no_nodes(space, &deployment).await
}

/// The JobManager's Deployment is deleted by hand: Flink finds the last checkpoint in ZooKeeper.
async fn recovered(space: &Space, runs: u64) -> Result<()> {
    let counted = Ledger::read(space, "app")?.number("completed")?;
    space.cluster.delete(Kind::Deployment, &space.name, "app").await?;
    space.say("deleted the JobManager's Deployment");
    event(space, "app", "Warning", &["RecoverDeployment"]).await?;
    space.until_deployment("app", "is stable again", TO_STABLE, is_stable).await?;
    goes_on(space, "app", runs + 1, runs, counted).await?;
    Ok(())
}

/// The JobManager's process is killed: Kubernetes starts another one in the same pod, which finds its job in ZooKeeper.
async fn restarted(space: &Space, runs: u64) -> Result<()> {
    let counted = Ledger::read(space, "app")?.number("completed")?;
    killed(space, "app", |_| true).await?;
    goes_on(space, "app", runs + 1, runs, counted).await?;
    stable(space, "app").await?;
    Ok(())
}

/// The operator deletes the nodes of its cluster, and nobody else's, and names the directory for HA that stays.
async fn leaves_no_nodes(space: &Space, deployment: &Value) -> Result<()> {
    let told: Value = event(space, "app", "Normal", &["Cleanup"]).await?;
    let message = text(&told, "/message");
    ensure!(message.contains("/ledger/ha/app"), "the directory is not named: {message}");
    space.say(message);
    let (servers, root) = place(deployment);
    let client = Client::connect(servers).await?;
    let left = client.list_children(root).await?;
    ensure!(left == [NEIGHBOUR], "left in {root}: {left:?}");
    Ok(())
}

/// A node that belongs to somebody else.
async fn neighbour(deployment: &Value) -> Result<()> {
    let (servers, root) = place(deployment);
    let client = Client::connect(servers).await?;
    let path = format!("{root}/{NEIGHBOUR}");
    client.mkdir(&path, &CreateMode::Persistent.with_acls(Acls::anyone_all())).await?;
    Ok(())
}

/// The servers, and the node below which each cluster has its own.
fn place(deployment: &Value) -> (&str, &str) {
    let option = |name: &str| text(deployment, &format!("/spec/flinkConfiguration/{name}"));
    (option("high-availability.zookeeper.quorum"), option("high-availability.zookeeper.path.root"))
}
