//! The last look before files are deleted: what the caches do not know may refer to them all the same, because a watch has
//! fallen behind, or because the resource is another operator's.

use super::Executor;
use crate::caches::Caches;
use crate::ports::{ApiError, Kind, Scope, WatchEvent};
use crate::resource::Resource;

/// Kinds of resources that refer to savepoints.
const KINDS: [Kind; 3] = [Kind::FLINK_DEPLOYMENT, Kind::FLINK_SESSION_JOB, Kind::FLINK_STATE_SNAPSHOT];

impl Executor {
    /// The resource of the namespace that needs the files at `path`, if any does besides `resource`, as the API server
    /// says now.
    pub(super) async fn needed_by(
        &self,
        resource: &Resource,
        path: &str,
    ) -> Result<Option<String>, ApiError> {
        let namespace = &resource.key.namespace;
        let stored = Caches::default();
        for kind in KINDS {
            let objects = match self.api.list(kind, &Scope::namespace(namespace)).await {
                // The kind is not installed.
                Err(ApiError::NotFound { .. }) => Vec::new(),
                listed => listed?,
            };
            stored.apply(kind, Some(namespace), WatchEvent::Restarted(objects));
        }
        Ok(stored.needed_by(namespace, Some(&resource.uid), path))
    }
}
