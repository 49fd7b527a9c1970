//! Changes of the spec of a running application.

use anyhow::{Result, ensure};
use serde_json::json;

use super::expectations::{event, jobmanager, stable};
use super::ledger::counts;
use super::space::Space;
use super::specs::{Flink, application};
use crate::kubernetes::{Kind, text, uid};

/// `upgradeMode: stateless`: the job starts anew, with the new spec and another job id.
pub(super) async fn stateless(space: &Space) -> Result<()> {
    space.create(application(space, "app", Flink::V1_20)).await?;
    let before = stable(space, "app").await?;
    let jobmanager_before = jobmanager(space, "app").await?;
    counts(space, "app", 1).await?;

    let parallelism = json!({"job": {"parallelism": 2}, "flinkConfiguration": {"akka.ask.timeout": "20 s"}});
    space.change("app", parallelism).await?;
    let after = stable(space, "app").await?;
    ensure!(
        after["status"]["observedGeneration"] == 2,
        "generation {}",
        after["status"]["observedGeneration"]
    );
    let job = |deployment| text(deployment, "/status/jobStatus/jobId").to_owned();
    ensure!(job(&before) != job(&after), "the job is the old one");
    let jobmanager_after = jobmanager(space, "app").await?;
    ensure!(uid(&jobmanager_before) != uid(&jobmanager_after), "the JobManager is the old one");
    event(space, "app", "Normal", &["SpecChanged"]).await?;
    event(space, "app", "Normal", &["Suspended"]).await?;
    let configuration = space.cluster.get(Kind::ConfigMap, &space.name, "flink-config-app").await?;
    let configuration = configuration.unwrap_or_default()["data"].to_string();
    ensure!(configuration.contains("akka.ask.timeout"), "the new option is missing: {configuration}");
    let vertices = space.cluster.ask_flink(&space.name, "app", &format!("/jobs/{}", job(&after))).await?;
    ensure!(vertices["vertices"][0]["parallelism"] == 2, "parallelism {}", vertices["vertices"]);
    counts(space, "app", 2).await?;

    // An option of the operator itself is taken over without touching the job.
    space
        .change("app", json!({"flinkConfiguration": {"kubernetes.operator.reconcile.interval": "20 s"}}))
        .await?;
    let last = stable(space, "app").await?;
    ensure!(last["status"]["observedGeneration"] == 3 && job(&last) == job(&after), "{}", last["status"]);
    ensure!(uid(&jobmanager(space, "app").await?) == uid(&jobmanager_after), "the JobManager was replaced");
    Ok(())
}
