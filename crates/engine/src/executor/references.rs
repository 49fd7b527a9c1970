//! The last look before files are deleted: what the caches do not know may refer to them all the same, because a watch has
//! fallen behind, or because the resource is another operator's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use lifecycle::snapshot::References;

use super::Executor;
use crate::caches::Caches;
use crate::ports::{ApiError, Kind, Scope, WatchEvent};
use crate::resource::Resource;

/// Kinds of resources that refer to savepoints.
const KINDS: [Kind; 3] = [Kind::FLINK_DEPLOYMENT, Kind::FLINK_SESSION_JOB, Kind::FLINK_STATE_SNAPSHOT];

/// For how long what was read counts: snapshots are often deleted by the hundred.
const FRESH: SignedDuration = SignedDuration::from_secs(5);

/// What was read of each namespace. Who comes while it is read waits for it.
#[derive(Debug, Default)]
pub(super) struct Looks(Mutex<HashMap<String, Arc<tokio::sync::Mutex<Option<Look>>>>>);

#[derive(Debug)]
struct Look {
    at: Timestamp,
    references: Vec<References>,
}

impl Looks {
    /// Those that nobody uses are forgotten.
    fn of(&self, namespace: &str, now: Timestamp) -> Arc<tokio::sync::Mutex<Option<Look>>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, look| match look.try_lock() {
            Ok(look) => look.as_ref().is_some_and(|look| look.is_fresh(now)),
            Err(_) => true,
        });
        Arc::clone(all.entry(namespace.to_owned()).or_default())
    }
}

impl Look {
    fn is_fresh(&self, now: Timestamp) -> bool {
        now.duration_since(self.at) < FRESH
    }

    fn needed_by(&self, resource: &Resource, path: &str) -> Option<&str> {
        self.references.iter().find_map(|one| one.needs(Some(&resource.uid), path))
    }
}

impl Executor {
    /// The resource of the namespace that needs the files at `path`, if any does besides `resource`, as the API server
    /// says now, or said a moment ago.
    pub(super) async fn needed_by(
        &self,
        resource: &Resource,
        path: &str,
    ) -> Result<Option<String>, ApiError> {
        let namespace = &resource.key.namespace;
        let look = self.looks.of(namespace, self.clock.now());
        let mut look = look.lock().await;
        let now = self.clock.now();
        // What needed the files a moment ago may be gone by now, and nobody would come back to delete them.
        let is_free = |look: &Look| look.is_fresh(now) && look.needed_by(resource, path).is_none();
        if look.as_ref().is_some_and(is_free) {
            return Ok(None);
        }
        let new = Look { at: now, references: self.read_references(namespace).await? };
        let by = new.needed_by(resource, path).map(str::to_owned);
        *look = Some(new);
        Ok(by)
    }

    async fn read_references(&self, namespace: &str) -> Result<Vec<References>, ApiError> {
        let stored = Caches::default();
        for kind in KINDS {
            let objects = match self.api.list(kind, &Scope::namespace(namespace)).await {
                // The kind is not installed.
                Err(ApiError::NotFound { .. }) => Vec::new(),
                listed => listed?,
            };
            stored.apply(kind, Some(namespace), WatchEvent::Restarted(objects));
        }
        Ok(stored.references(namespace).collect())
    }
}
