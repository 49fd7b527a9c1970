//! High availability: jobs whose metadata is in ConfigMaps or in ZooKeeper.

pub(super) mod kills;
mod leader;
mod table;
pub(super) mod zookeeper;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::space::Space;
use super::specs::Flink;
use super::stateful::{Mode, counting};

/// Where Flink keeps its HA metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Store {
    Kubernetes,
    ZooKeeper,
}

impl Store {
    fn name(self) -> &'static str {
        match self {
            Self::Kubernetes => "Kubernetes",
            Self::ZooKeeper => "ZooKeeper",
        }
    }

    /// Options of Flink. A JobManager that is killed is missed after seconds: a standby takes its place only then.
    fn options(self, space: &Space) -> Result<Value> {
        let mut options = json!({"high-availability.storageDir": "file:///ledger/ha"});
        match self {
            Self::Kubernetes => {
                options["high-availability.type"] = "kubernetes".into();
                options["high-availability.kubernetes.leader-election.lease-duration"] = "6 s".into();
                options["high-availability.kubernetes.leader-election.renew-deadline"] = "5 s".into();
                options["high-availability.kubernetes.leader-election.retry-period"] = "1 s".into();
            }
            Self::ZooKeeper => {
                let quorum = std::env::var("TESTBED_ZOOKEEPER").context("TESTBED_ZOOKEEPER is not set")?;
                options["high-availability.type"] = "zookeeper".into();
                options["high-availability.zookeeper.quorum"] = quorum.into();
                // Not of an earlier run: clusters of one name share what is below.
                let root = space.data.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                options["high-availability.zookeeper.path.root"] = format!("/{root}").into();
                options["high-availability.zookeeper.client.session-timeout"] = "6 s".into();
            }
        }
        Ok(options)
    }
}

/// The counting job with HA and so many JobManagers.
fn with_ha(
    space: &Space,
    name: &str,
    flink: Flink,
    mode: Mode,
    store: Store,
    job_managers: u32,
) -> Result<Value> {
    let mut deployment = counting(space, name, flink, mode);
    let spec = &mut deployment["spec"];
    spec["jobManager"]["replicas"] = job_managers.into();
    if let Value::Object(options) = store.options(space)? {
        for (key, value) in options {
            spec["flinkConfiguration"][key] = value;
        }
    }
    Ok(deployment)
}
