//! `namespaced`: the operator with the rights in single namespaces that the chart gives it, on an API server alone.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;

use crate::api_bench::{ApiBench, until};
use crate::audit;
use crate::kubernetes::{Kind, text};
use crate::scenarios::specs::{Flink, session};

/// Where the operator lives, where it may act, and where it may not.
const OPERATOR: &str = "namespaced-operator";
const WATCHED: &str = "namespaced-watched";
const OTHER: &str = "namespaced-other";

/// Runs the binary as the chart's service account with `watchNamespaces`, and looks that it acts there and only there;
/// ends with `N passed, N failed`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The operator.
    #[arg(long)]
    binary: PathBuf,
    /// The API server's audit log.
    #[arg(long, env = "TESTBED_AUDIT_LOG")]
    audit_log: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let bench = ApiBench::install(&[OPERATOR, WATCHED, OTHER], WATCHED).await?;
        check(&bench, arguments).await.inspect_err(|_| bench.print_log())?;
        bench.remove().await
    })?;
    println!("1 passed, 0 failed");
    Ok(ExitCode::SUCCESS)
}

async fn check(bench: &ApiBench, arguments: &Arguments) -> Result<()> {
    let cluster = &bench.cluster;
    let began = Timestamp::now();
    let operator = bench.start(&arguments.binary)?;
    for namespace in [OTHER, WATCHED] {
        cluster.create(Kind::FlinkDeployment, namespace, session("cluster", Flink::V1_20)).await?;
    }
    until("there is a JobManager Deployment", async || {
        let created = cluster.get(Kind::Deployment, WATCHED, "cluster").await?.is_some();
        Ok(created && cluster.get(Kind::ConfigMap, WATCHED, "flink-config-cluster").await?.is_some())
    })
    .await?;
    cluster.delete(Kind::FlinkDeployment, WATCHED, "cluster").await?;
    until("the FlinkDeployment is gone", async || {
        Ok(cluster.get(Kind::FlinkDeployment, WATCHED, "cluster").await?.is_none())
    })
    .await?;
    let other = cluster.get(Kind::FlinkDeployment, OTHER, "cluster").await?.context("it is gone")?;
    ensure!(
        other.get("status").is_none() && text(&other, "/metadata/finalizers/0").is_empty(),
        "touched: {other}"
    );
    drop(operator);
    // The API server writes its log with a delay.
    tokio::time::sleep(Duration::from_secs(3)).await;
    nothing_forbidden(&arguments.audit_log, &bench.account(), began)
}

fn nothing_forbidden(log: &Path, account: &str, began: Timestamp) -> Result<()> {
    let mut requests = audit::read(log)?;
    requests.retain(|request| request.user == account && request.received >= began);
    ensure!(!requests.is_empty(), "the audit log has no request of {account}");
    requests.retain(|request| request.code == 403);
    ensure!(requests.is_empty(), "forbidden: {requests:?}");
    Ok(())
}
