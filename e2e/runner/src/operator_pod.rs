//! The operator as it runs in the test bed: its pod, and its process on this machine.

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::kubernetes::{Cluster, Kind, name};
use crate::pod_process;

const SELECTOR: &str = "app.kubernetes.io/name=flink-kubernetes-operator";

/// The installed operator.
pub(crate) struct OperatorPod {
    /// Where it is installed.
    pub(crate) namespace: String,
}

impl OperatorPod {
    /// The operator of a namespace, which must be ready.
    pub(crate) async fn find(cluster: &Cluster, namespace: &str) -> Result<Self> {
        let operator = Self { namespace: namespace.to_owned() };
        if operator.ready(cluster).await?.is_none() {
            bail!("no operator is ready in namespace {namespace}: e2e/scenarios installs it");
        }
        Ok(operator)
    }

    /// The operator's pod if it is ready.
    pub(crate) async fn ready(&self, cluster: &Cluster) -> Result<Option<Value>> {
        let pods = cluster.list(Kind::Pod, &self.namespace, SELECTOR).await?;
        Ok(pods.into_iter().find(is_ready))
    }

    /// The last lines of the operator's log; of the container before the last restart with `previous`.
    pub(crate) async fn log(&self, cluster: &Cluster, lines: i64, previous: bool) -> Result<String> {
        let pods = cluster.list(Kind::Pod, &self.namespace, SELECTOR).await?;
        let pod = pods.first().context("the operator has no pod")?;
        cluster.log(&self.namespace, name(pod), lines, previous).await
    }

    /// The operator's process.
    pub(crate) async fn process(&self, cluster: &Cluster) -> Result<u32> {
        let pod = self.ready(cluster).await?.context("the operator is not ready")?;
        let found = pod_process::find(&pod, |command| command.starts_with(b"/flink-operator"))?;
        found.with_context(|| format!("no process of pod {}: does it run on this machine?", name(&pod)))
    }

    /// Ends the operator as a crash does.
    pub(crate) async fn kill(&self, cluster: &Cluster) -> Result<()> {
        let there = pod_process::kill(self.process(cluster).await?)?;
        if there { Ok(()) } else { bail!("the operator has ended by itself") }
    }
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    pod["metadata"].get("deletionTimestamp").is_none()
        && conditions.into_iter().any(|one| one["type"] == "Ready" && one["status"] == "True")
}
