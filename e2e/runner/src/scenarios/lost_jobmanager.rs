//! JobManagers that somebody deletes by hand. The job is stateless and without high availability: it starts anew.

use anyhow::{Result, ensure};

use super::expectations::{event, is_stable, jobmanager, one_attempt, stable};
use super::ledger::counts;
use super::space::{Look, Space, TO_NOTICE, TO_STABLE};
use super::specs::{Flink, application};
use crate::kubernetes::{Kind, name, uid};

/// Kubernetes brings the pod back; the operator notices and does not interfere.
pub(super) async fn pod(space: &Space) -> Result<()> {
    space.create(application(space, "app", Flink::V1_20)).await?;
    stable(space, "app").await?;
    counts(space, "app", 1).await?;
    let before = jobmanager(space, "app").await?;
    let pods = space.cluster.list(Kind::Pod, &space.name, "app=app,component=jobmanager").await?;
    ensure!(pods.len() == 1, "{} JobManager pods", pods.len());
    space.cluster.delete(Kind::Pod, &space.name, name(&pods[0])).await?;
    space.say("deleted the JobManager's pod");
    space.until_deployment("app", "is noticed to be down", TO_NOTICE, |now| !is_up(now)).await?;
    space.until_deployment("app", "is stable again", TO_STABLE, is_stable).await?;
    ensure!(uid(&before) == uid(&jobmanager(space, "app").await?), "the Deployment was replaced");
    counts(space, "app", 2).await
}

/// The operator creates the Deployment again.
pub(super) async fn deployment(space: &Space) -> Result<()> {
    space.create(application(space, "app", Flink::V1_20)).await?;
    stable(space, "app").await?;
    counts(space, "app", 1).await?;
    let before = jobmanager(space, "app").await?;
    space.cluster.delete(Kind::Deployment, &space.name, "app").await?;
    space.say("deleted the JobManager's Deployment");
    space
        .until("there is another Deployment", TO_NOTICE, async || {
            let now = space.cluster.get(Kind::Deployment, &space.name, "app").await?;
            let again = now.filter(|now| uid(now) != uid(&before));
            Ok(again.map_or_else(|| Look::NotYet("none".to_owned()), |_| Look::Done(())))
        })
        .await?;
    event(space, "app", "Warning", &["Missing"]).await?;
    event(space, "app", "Warning", &["RecoverDeployment"]).await?;
    space.until_deployment("app", "is stable again", TO_STABLE, is_stable).await?;
    one_attempt(space, "app").await?;
    counts(space, "app", 2).await
}

/// Whether the status says that the job runs.
fn is_up(deployment: &serde_json::Value) -> bool {
    let status = &deployment["status"];
    status["jobManagerDeploymentStatus"] == "READY" && status["jobStatus"]["state"] == "RUNNING"
}
