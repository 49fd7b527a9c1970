//! The operator as it runs in the test bed: its pod, and its process on this machine.

use std::path::Path;
use std::{fs, process};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::kubernetes::{Cluster, Kind, name, uid};

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

    /// The operator's process: the one in a cgroup of its pod that is not the pod's sandbox.
    pub(crate) async fn process(&self, cluster: &Cluster) -> Result<u32> {
        let pod = self.ready(cluster).await?.context("the operator is not ready")?;
        let group = format!("pod{}", uid(&pod));
        for entry in fs::read_dir("/proc")? {
            let path = entry?.path();
            let pid = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
            if let Some(pid) = pid
                && runs_operator(&path, &group)
            {
                return Ok(pid);
            }
        }
        bail!("no process of pod {}: does it run on this machine?", name(&pod))
    }

    /// Ends the operator as a crash does.
    pub(crate) async fn kill(&self, cluster: &Cluster) -> Result<()> {
        let pid = self.process(cluster).await?;
        let status = process::Command::new("kill").args(["-KILL", &pid.to_string()]).status()?;
        if status.success() { Ok(()) } else { bail!("kill {pid}: {status}") }
    }
}

/// A process may end while it is looked at: then it is not the one.
fn runs_operator(process: &Path, group: &str) -> bool {
    let in_pod = fs::read_to_string(process.join("cgroup")).is_ok_and(|groups| groups.contains(group));
    in_pod && fs::read(process.join("cmdline")).is_ok_and(|command| command.starts_with(b"/flink-operator"))
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    pod["metadata"].get("deletionTimestamp").is_none()
        && conditions.into_iter().any(|one| one["type"] == "Ready" && one["status"] == "True")
}
