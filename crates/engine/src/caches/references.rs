//! Who refers to the files of a savepoint. Resources of other namespaces are not asked: which of them are watched is a
//! matter of configuration, and must not decide what becomes of files.

use std::collections::BTreeSet;

use api::JobStatus;
use lifecycle::snapshot::References;

use super::{Cache, Cached, Caches, Entry};

impl Caches {
    /// The resource that needs the files at `path`, if any does besides the one of the uid `except`.
    #[must_use]
    pub fn needed_by(&self, namespace: &str, except: Option<&str>, path: &str) -> Option<String> {
        self.references(namespace).find_map(|one| one.needs(except, path).map(str::to_owned))
    }

    /// What the resources of a namespace refer to.
    pub fn references(&self, namespace: &str) -> impl Iterator<Item = References> {
        let deployments = of_kind(&self.flink_deployments, namespace, References::of_deployment);
        let session_jobs = of_kind(&self.flink_session_jobs, namespace, References::of_session_job);
        let snapshots = of_kind(&self.flink_state_snapshots, namespace, References::of_snapshot);
        deployments.chain(session_jobs).chain(snapshots).filter(|one| !one.is_empty())
    }

    /// Those savepoints of the history in `status`, which is that of the resource of the uid `own`, that another one needs.
    #[must_use]
    pub fn needed_by_others(
        &self,
        namespace: &str,
        own: Option<&str>,
        status: Option<&JobStatus>,
    ) -> BTreeSet<String> {
        let info = status.and_then(|status| status.savepoint_info.as_ref());
        let history = info.and_then(|info| info.savepoint_history.as_deref()).unwrap_or_default();
        if history.is_empty() {
            return BTreeSet::new();
        }
        let others: Vec<References> = self.references(namespace).collect();
        let paths = history.iter().filter_map(|savepoint| savepoint.location.as_ref());
        let is_needed = |path: &&String| others.iter().any(|one| one.needs(own, path).is_some());
        paths.filter(is_needed).cloned().collect()
    }
}

fn of_kind<T: Cached>(
    cache: &Cache<T>,
    namespace: &str,
    references: impl Fn(&T) -> References,
) -> impl Iterator<Item = References> {
    cache.list(Some(namespace)).into_iter().map(move |entry| match entry {
        Entry::Good(resource) => references(&resource),
        Entry::Bad(undecodable) => References::of_undecodable(&undecodable.object),
    })
}
