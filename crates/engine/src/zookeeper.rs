//! A real `ZooKeeper`.

use std::time::Duration;

use async_trait::async_trait;
use zookeeper_client::{Client, Error};

use crate::ports::{ZooKeeper, ZooKeeperError};

/// How long a session lives that nobody answers.
const SESSION: Duration = Duration::from_secs(6);

/// For all of a deletion.
const TIME_LIMIT: Duration = Duration::from_secs(20);

/// Speaks to `ZooKeeper` without authentication, as anybody may who reaches it.
#[derive(Clone, Copy, Debug)]
pub struct ZooKeeperClient;

#[async_trait]
impl ZooKeeper for ZooKeeperClient {
    async fn delete_all(&self, servers: &str, path: &str) -> Result<(), ZooKeeperError> {
        // A path that says less than a cluster's own node would take others with it.
        if path.trim_end_matches('/').is_empty() || !path.starts_with('/') {
            return Err(ZooKeeperError(format!("'{path}' is not the path of a node")));
        }
        let deleted = tokio::time::timeout(TIME_LIMIT, delete_all(servers, path)).await;
        let deleted =
            deleted.map_err(|_| ZooKeeperError(format!("no end within {} s", TIME_LIMIT.as_secs())))?;
        deleted.map_err(|error| ZooKeeperError(error.to_string()))
    }
}

/// Deletes a node when its children are gone.
async fn delete_all(servers: &str, path: &str) -> Result<(), Error> {
    let servers: String = servers.split_whitespace().collect();
    let connector = Client::connector().with_session_timeout(SESSION).with_fail_eagerly();
    let client = connector.connect(&servers).await?;
    let mut left = vec![(path.to_owned(), false)];
    while let Some((node, is_empty)) = left.pop() {
        let done = if is_empty {
            client.delete(&node, None).await
        } else {
            let children = client.list_children(&node).await;
            children.map(|children| {
                left.push((node.clone(), true));
                left.extend(children.into_iter().map(|child| (format!("{node}/{child}"), false)));
            })
        };
        match done {
            Ok(()) | Err(Error::NoNode) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
