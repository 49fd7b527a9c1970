//! A session cluster: no job of its own.

use anyhow::{Result, ensure};
use serde_json::json;

use super::expectations::{event, jobmanager, nothing_left, stable, stays_untouched};
use super::space::Space;
use super::specs::{Flink, session};
use crate::kubernetes::{Kind, uid};

pub(super) async fn run(space: &Space) -> Result<()> {
    space.create(session("session", Flink::V1_20)).await?;
    let deployment = stable(space, "session").await?;
    ensure!(deployment["status"]["jobStatus"].get("jobId").is_none(), "{}", deployment["status"]);
    let before = jobmanager(space, "session").await?;
    stays_untouched(space, "session", 20).await?;

    space.change("session", json!({"flinkConfiguration": {"taskmanager.numberOfTaskSlots": "1"}})).await?;
    let changed = stable(space, "session").await?;
    ensure!(changed["status"]["observedGeneration"] == 2, "{}", changed["status"]);
    ensure!(uid(&before) != uid(&jobmanager(space, "session").await?), "the JobManager is the old one");
    event(space, "session", "Normal", &["SpecChanged"]).await?;

    space.cluster.delete(Kind::FlinkDeployment, &space.name, "session").await?;
    nothing_left(space, "session", &[]).await
}
