//! Probes and metrics of the installed operator.

use anyhow::{Context, Result, ensure};

use super::expectations::stable;
use super::space::Space;
use super::specs::{Flink, session};
use crate::kubernetes::name;

/// What there must be metrics about, by a part of their names.
const SUBJECTS: [&str; 5] = ["reconcile", "queue", "lifecycle", "flink", "memory"];

pub(super) async fn run(space: &Space) -> Result<()> {
    space.create(session("session", Flink::V1_20)).await?;
    stable(space, "session").await?;
    for path in ["/healthz", "/readyz", "/"] {
        let answer = page(space, path).await?;
        ensure!(answer.trim() == "OK", "{path} says {answer}");
    }
    let metrics = page(space, "/metrics").await?;
    let families: Vec<_> = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    for subject in SUBJECTS {
        ensure!(
            families.iter().any(|family| family.contains(subject)),
            "no metric about {subject}: {families:?}"
        );
    }
    for line in metrics.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        let value = line.rsplit(' ').next().unwrap_or_default();
        ensure!(value.parse::<f64>().is_ok(), "not a sample: {line}");
    }
    space.say(&format!("{} families of metrics", families.len()));
    Ok(())
}

async fn page(space: &Space, path: &str) -> Result<String> {
    let pod = space.operator.ready(&space.cluster).await?.context("the operator is not ready")?;
    space.cluster.ask_pod(&space.operator.namespace, name(&pod), 8085, path).await
}
