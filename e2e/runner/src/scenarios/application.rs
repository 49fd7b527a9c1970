//! An application cluster from its creation until it is stable.

use anyhow::{Result, ensure};

use super::expectations::{event, stable, stays_untouched};
use super::ledger::counts;
use super::space::Space;
use super::specs::{Flink, application};
use crate::kubernetes::text;

pub(super) async fn on_1_20(space: &Space) -> Result<()> {
    run(space, Flink::V1_20).await
}

pub(super) async fn on_2_2(space: &Space) -> Result<()> {
    run(space, Flink::V2_2).await
}

async fn run(space: &Space, flink: Flink) -> Result<()> {
    space.create(application(space, "app", flink)).await?;
    let deployment = stable(space, "app").await?;
    let finalizers = &deployment["metadata"]["finalizers"];
    ensure!(finalizers[0] == "flinkdeployments.flink.apache.org/finalizer", "finalizers {finalizers}");
    let version = text(&deployment, "/status/clusterInfo/flink-version");
    ensure!(version.starts_with(flink.reported()), "Flink's version in the status: {version:?}");
    let recorded = text(&deployment, "/status/reconciliationStatus/lastReconciledSpec");
    let stable_spec = text(&deployment, "/status/reconciliationStatus/lastStableSpec");
    ensure!(
        !recorded.is_empty() && recorded == stable_spec,
        "{recorded} is not recorded as stable: {stable_spec}"
    );
    ensure!(
        deployment["status"].get("operation").is_none(),
        "an operation is left: {}",
        deployment["status"]
    );
    event(space, "app", "Normal", &["Submit"]).await?;
    event(space, "app", "Normal", &["JobStatusChanged"]).await?;
    counts(space, "app", 1).await?;
    // Longer than the reconcile interval of the chart.
    stays_untouched(space, "app", 20).await
}
