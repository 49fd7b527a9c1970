//! An image that does not exist.

use anyhow::{Result, ensure};
use serde_json::json;

use super::expectations::{condition, error_message, event, stable};
use super::ledger::counts;
use super::space::{Space, TO_NOTICE};
use super::specs::{Flink, application};
use crate::kubernetes::text;

/// What Kubernetes calls it, first and later.
const REASONS: [&str; 2] = ["ErrImagePull", "ImagePullBackOff"];

pub(super) async fn run(space: &Space) -> Result<()> {
    let mut deployment = application(space, "app", Flink::V1_20);
    deployment["spec"]["image"] = "flink:does-not-exist".into();
    space.create(deployment).await?;
    let broken = space
        .until_deployment("app", "says that its image cannot be pulled", TO_NOTICE, |deployment| {
            error_message(deployment).contains("flink:does-not-exist")
                && text(deployment, "/status/jobManagerDeploymentStatus") == "ERROR"
        })
        .await?;
    let told = event(space, "app", "Warning", &REASONS).await?;
    ensure!(text(&told, "/message").contains("flink:does-not-exist"), "{told}");
    let running = condition(&broken, "Running").cloned().unwrap_or_default();
    ensure!(running["status"] == "False", "condition Running: {running}");

    space.change("app", json!({"image": "flink:1.20"})).await?;
    stable(space, "app").await?;
    counts(space, "app", 1).await
}
