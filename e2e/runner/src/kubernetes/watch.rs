//! Following what happens to objects.

use anyhow::{Context, Result, bail};
use futures::{StreamExt as _, pin_mut};
use kube::api::{ListParams, WatchEvent, WatchParams};
use serde_json::Value;

use super::{Cluster, Kind, json, text};

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Added,
    Modified,
    Deleted,
}

impl Change {
    /// The API server's word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }
}

impl Cluster {
    /// The version of all objects of a kind at this moment, to watch from.
    pub(crate) async fn version(&self, kind: Kind, namespace: &str) -> Result<String> {
        let list = self.api(kind, namespace).list(&ListParams::default()).await;
        list.with_context(|| format!("list {kind:?}"))?
            .metadata
            .resource_version
            .context("a list without version")
    }

    /// Calls `seen` with each change after `version`, none left out. Ends only with an error.
    pub(crate) async fn follow(
        &self,
        kind: Kind,
        namespace: &str,
        mut version: String,
        mut seen: impl FnMut(Change, Value),
    ) -> Result<()> {
        let api = self.api(kind, namespace);
        loop {
            let parameters = WatchParams::default().timeout(290);
            let stream = api.watch(&parameters, &version).await.with_context(|| format!("watch {kind:?}"))?;
            pin_mut!(stream);
            while let Some(event) = stream.next().await {
                let (change, object) = match event.with_context(|| format!("watch {kind:?}"))? {
                    WatchEvent::Added(object) => (Change::Added, object),
                    WatchEvent::Modified(object) => (Change::Modified, object),
                    WatchEvent::Deleted(object) => (Change::Deleted, object),
                    WatchEvent::Bookmark(bookmark) => {
                        version = bookmark.metadata.resource_version;
                        continue;
                    }
                    WatchEvent::Error(error) => bail!("watch {kind:?}: {error}"),
                };
                let object = json(object)?;
                text(&object, "/metadata/resourceVersion").clone_into(&mut version);
                seen(change, object);
            }
        }
    }
}
