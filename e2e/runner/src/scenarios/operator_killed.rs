//! The operator ends without warning in the middle of deployments, each time a step further.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::expectations::{one_attempt, stable};
use super::ledger::counts;
use super::space::{Look, Space, TO_NOTICE};
use super::specs::{Flink, application, session};
use crate::kubernetes::{Kind, name, text};

pub(super) async fn run(space: &Space) -> Result<()> {
    killed_when(
        space,
        "first",
        application(space, "first", Flink::V1_20),
        "it has a finalizer",
        async || Ok(has(&now(space, "first").await?, "/metadata/finalizers/0")),
    )
    .await?;
    killed_when(space, "second", session("second", Flink::V1_20), "its spec is recorded", async || {
        Ok(has(&now(space, "second").await?, "/status/reconciliationStatus/lastReconciledSpec"))
    })
    .await?;
    killed_when(
        space,
        "third",
        application(space, "third", Flink::V2_2),
        "its Deployment exists",
        async || Ok(space.cluster.get(Kind::Deployment, &space.name, "third").await?.is_some()),
    )
    .await?;
    for cluster in ["first", "second", "third"] {
        stable(space, cluster).await?;
        one_attempt(space, cluster).await?;
    }
    // Each job was started once, whatever the operator remembered.
    counts(space, "first", 1).await?;
    counts(space, "third", 1).await
}

/// Creates a cluster, kills the operator as soon as something is there, and waits until the operator is back.
async fn killed_when(
    space: &Space,
    cluster: &str,
    deployment: Value,
    what: &str,
    there: impl AsyncFn() -> Result<bool>,
) -> Result<()> {
    space.create(deployment).await?;
    let seen = async || Ok(if there().await? { Look::Done(()) } else { Look::NotYet("nothing".to_owned()) });
    space.until_every(Duration::from_millis(5), &format!("{cluster}: {what}"), TO_NOTICE, seen).await?;
    let state = now(space, cluster).await?;
    ensure!(text(&state, "/status/lifecycleState") != "STABLE", "{} is stable already", name(&state));
    kill(space, &format!("when {cluster}: {what}")).await
}

/// Kills the operator and waits until it is back.
pub(super) async fn kill(space: &Space, when: &str) -> Result<()> {
    space.operator.kill(&space.cluster).await?;
    space.say(&format!("killed the operator {when}"));
    space
        .until("the operator is gone", TO_NOTICE, async || {
            let ready = space.operator.ready(&space.cluster).await?;
            Ok(if ready.is_none() { Look::Done(()) } else { Look::NotYet("ready".to_owned()) })
        })
        .await?;
    space
        .until("the operator is back", TO_NOTICE, async || {
            let ready = space.operator.ready(&space.cluster).await?;
            Ok(if ready.is_some() { Look::Done(()) } else { Look::NotYet("not ready".to_owned()) })
        })
        .await?;
    space.say("the operator is back");
    Ok(())
}

/// A FlinkDeployment, without saying anything.
async fn now(space: &Space, cluster: &str) -> Result<Value> {
    Ok(space.cluster.get(Kind::FlinkDeployment, &space.name, cluster).await?.unwrap_or_default())
}

fn has(object: &Value, pointer: &str) -> bool {
    object.pointer(pointer).is_some()
}
