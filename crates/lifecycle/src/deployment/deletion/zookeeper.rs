//! Nodes of a deleted cluster in `ZooKeeper`: the operator deletes them when the cluster is gone, as the Java operator does.
//! It may not be able to reach `ZooKeeper`, so that they are named after a few tries, and the deletion goes on.

use flink_conf::HighAvailability;
use flink_conf::option::state;

use super::super::pass::Pass;
use crate::effect::{Effect, ZooKeeperNodes};
use crate::event::{Component, EventRecord, Reason};
use crate::job::failure::back_off;

/// Where Flink keeps its nodes unless it is told otherwise.
const DEFAULT_ROOT: &str = "/flink";

/// Tries before the nodes are left behind.
const TRIES: u32 = 3;

impl Pass<'_> {
    /// Has the nodes deleted before whatever is wanted after that. Returns whether nothing is left to wait for.
    pub(super) fn nodes_go(&mut self) -> bool {
        let Some(nodes) = self.nodes() else { return true };
        // A JobManager that may still run would write new ones.
        let is_gone = self.observed.job_manager.is_none();
        let failure = self.observed.failure.as_ref().filter(|failure| failure.action == nodes.deletion());
        match failure {
            _ if !is_gone => self.leave_nodes_behind(&nodes, "its pods had not ended in time"),
            Some(failure) if failure.attempts >= TRIES => {
                let reason = failure.message.clone();
                self.leave_nodes_behind(&nodes, &reason);
            }
            Some(failure) => {
                let wait = back_off(failure.attempts);
                let message =
                    format!("The node {} in ZooKeeper is to be deleted: {}.", nodes.path, failure.message);
                self.deletion_waits("WaitingForHaMetadata", message);
                self.look_again(wait);
                return false;
            }
            None => self.effects.push(Effect::DeleteNodes(nodes)),
        }
        true
    }

    /// None where nothing was ever deployed, or nothing of it is ours, or no servers are named.
    fn nodes(&self) -> Option<ZooKeeperNodes> {
        let conf = self.deployed_configuration()?;
        if HighAvailability::of(&conf) != HighAvailability::ZooKeeper {
            return None;
        }
        let servers = conf.text(state::HA_ZOOKEEPER_QUORUM)?.to_owned();
        let root = conf.text(state::HA_ZOOKEEPER_ROOT).unwrap_or(DEFAULT_ROOT);
        let path = format!("{}/{}", root.trim_end_matches('/'), self.name);
        Some(ZooKeeperNodes { servers, path })
    }

    fn leave_nodes_behind(&mut self, nodes: &ZooKeeperNodes, reason: &str) {
        let ZooKeeperNodes { servers, path } = nodes;
        let message = format!(
            "The node {path} in ZooKeeper stays: {reason}. Remedy: when the cluster is gone, zkCli.sh -server {servers} \
             deleteall {path}"
        );
        let event = EventRecord::warning(Reason::CleanupFailed, Component::Operator, message);
        self.event(event.once("nodes stay"));
    }
}
