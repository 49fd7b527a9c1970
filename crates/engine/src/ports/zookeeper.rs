//! The way to `ZooKeeper`.

use async_trait::async_trait;
use thiserror::Error;

/// Deletes what Flink leaves in `ZooKeeper`.
#[async_trait]
pub trait ZooKeeper: Send + Sync {
    /// Deletes the node at `path` and all below it; what is not there is gone. `servers`: `host:port`, separated by commas.
    /// An implementation bounds its time by itself.
    ///
    /// # Errors
    /// The servers do not answer, or do not allow it.
    async fn delete_all(&self, servers: &str, path: &str) -> Result<(), ZooKeeperError>;
}

/// Why nodes were not deleted.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct ZooKeeperError(pub String);

/// Knows of no `ZooKeeper`.
#[derive(Clone, Copy, Debug)]
pub struct NoZooKeeper;

#[async_trait]
impl ZooKeeper for NoZooKeeper {
    async fn delete_all(&self, _: &str, _: &str) -> Result<(), ZooKeeperError> {
        Err(ZooKeeperError("ZooKeeper cannot be reached".to_owned()))
    }
}
