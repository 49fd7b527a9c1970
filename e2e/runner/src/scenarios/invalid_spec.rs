//! Specs that cannot be deployed.

use anyhow::{Result, ensure};
use serde_json::json;

use super::expectations::{error_message, event, is_stable, jobmanager, stable};
use super::ledger::counts;
use super::space::{Space, TO_NOTICE};
use super::specs::{Flink, application};
use crate::kubernetes::{Kind, text, uid};

/// Before anything was deployed: nothing is created until the spec is valid.
pub(super) async fn first(space: &Space) -> Result<()> {
    let mut deployment = application(space, "app", Flink::V1_20);
    deployment["spec"]["job"]["parallelism"] = 0.into();
    space.create(deployment).await?;
    refused(space, "Job parallelism must be larger than 0").await?;
    let objects = space.cluster.list(Kind::Deployment, &space.name, "app=app").await?;
    ensure!(objects.is_empty(), "{} Deployments of an invalid spec", objects.len());

    // Another mistake: the message must be the new one.
    space
        .change("app", json!({"job": {"parallelism": 1}, "jobManager": {"resource": {"memory": "lots"}}}))
        .await?;
    refused(space, "JobManager resource memory parse error").await?;

    space.change("app", json!({"jobManager": {"resource": {"memory": "1024m"}}})).await?;
    stable(space, "app").await?;
    counts(space, "app", 1).await
}

/// While a job runs: it goes on as it is.
pub(super) async fn change(space: &Space) -> Result<()> {
    space.create(application(space, "app", Flink::V1_20)).await?;
    let before = stable(space, "app").await?;
    let jobmanager_before = jobmanager(space, "app").await?;
    // Without a directory for savepoints.
    space.change("app", json!({"job": {"upgradeMode": "savepoint"}})).await?;
    refused(space, "savepoint").await?;
    let now = space.deployment("app").await?;
    ensure!(text(&now, "/status/lifecycleState") == "STABLE", "{}", now["status"]);
    counts(space, "app", 1).await?;

    space.change("app", json!({"job": {"upgradeMode": "stateless"}})).await?;
    let after = space.until_deployment("app", "is stable again", TO_NOTICE, is_stable).await?;
    let job = |deployment| text(deployment, "/status/jobStatus/jobId").to_owned();
    ensure!(job(&before) == job(&after), "the job was restarted");
    ensure!(uid(&jobmanager_before) == uid(&jobmanager(space, "app").await?), "the JobManager was replaced");
    counts(space, "app", 1).await
}

/// Waits until status and an Event say why the spec is refused.
async fn refused(space: &Space, why: &str) -> Result<()> {
    let what = format!("is refused because of {why:?}");
    space
        .until_deployment("app", &what, TO_NOTICE, |deployment| error_message(deployment).contains(why))
        .await?;
    event(space, "app", "Warning", &["ValidationError"]).await?;
    Ok(())
}
