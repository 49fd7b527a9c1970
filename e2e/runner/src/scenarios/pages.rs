//! Probes and metrics of the installed operator.

use anyhow::{Context, Result, ensure};

use super::expectations::stable;
use super::space::Space;
use super::specs::{Flink, session};
use crate::kubernetes::name;

/// Families of metrics that dashboards and alerts need.
const FAMILIES: [&str; 6] = [
    "flink_operator_reconcile_total",
    "flink_operator_reconcile_duration_seconds",
    "flink_operator_queue_due",
    "flink_operator_resources",
    "flink_operator_flink_call_duration_seconds",
    "process_resident_memory_bytes",
];

pub(super) async fn run(space: &Space) -> Result<()> {
    space.create(session("session", Flink::V1_20)).await?;
    stable(space, "session").await?;
    for path in ["/healthz", "/readyz", "/"] {
        let answer = page(space, path).await?;
        ensure!(answer.trim() == "OK", "{path} says {answer}");
    }
    let metrics = page(space, "/metrics").await?;
    for family in FAMILIES {
        ensure!(metrics.contains(&format!("\n# TYPE {family} ")), "no metric {family}: {metrics}");
    }
    let stable = sample(&metrics, r#"flink_operator_resources{kind="FlinkDeployment",state="STABLE"}"#)?;
    ensure!(stable >= 1.0, "{stable} stable FlinkDeployments, although there is one");
    ensure!(sample(&metrics, "process_resident_memory_bytes")? > 1e6, "no memory in use");
    for line in metrics.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        let value = line.rsplit(' ').next().unwrap_or_default();
        ensure!(value.parse::<f64>().is_ok(), "not a sample: {line}");
    }
    Ok(())
}

/// The value of one series.
fn sample(metrics: &str, series: &str) -> Result<f64> {
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    Ok(line.with_context(|| format!("no sample of {series}: {metrics}"))?.parse()?)
}

pub(super) async fn page(space: &Space, path: &str) -> Result<String> {
    let pod = space.operator.ready(&space.cluster).await?.context("the operator is not ready")?;
    space.cluster.ask_pod(&space.operator.namespace, name(&pod), 8085, path).await
}
