//! Who refers to the files of a savepoint. Resources of other namespaces are not asked: which of them are watched is a
//! matter of configuration, and must not decide what becomes of files.

use std::collections::BTreeSet;

use api::JobStatus;
use lifecycle::snapshot::{deployment_needs, session_job_needs, snapshot_needs, undecodable_needs};

use super::{Cache, Cached, Caches, Entry};

impl Caches {
    /// The resource that needs the files at `path`, if any does besides the one of the uid `except`.
    #[must_use]
    pub fn needed_by(&self, namespace: &str, except: Option<&str>, path: &str) -> Option<String> {
        let by_deployment = || first(&self.flink_deployments, namespace, except, path, deployment_needs);
        let by_session_job = || first(&self.flink_session_jobs, namespace, except, path, session_job_needs);
        let by_snapshot = || first(&self.flink_state_snapshots, namespace, except, path, snapshot_needs);
        by_deployment().or_else(by_session_job).or_else(by_snapshot)
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
        let history = info.and_then(|info| info.savepoint_history.as_ref()).into_iter().flatten();
        let paths = history.filter_map(|savepoint| savepoint.location.as_ref());
        paths.filter(|path| self.needed_by(namespace, own, path).is_some()).cloned().collect()
    }
}

/// The first resource of a cache that needs the files.
fn first<T: Cached>(
    cache: &Cache<T>,
    namespace: &str,
    except: Option<&str>,
    path: &str,
    needs: impl Fn(&T, Option<&str>, &str) -> Option<String>,
) -> Option<String> {
    cache.list(Some(namespace)).iter().find_map(|entry| match entry {
        Entry::Good(resource) => needs(resource, except, path),
        Entry::Bad(undecodable) => undecodable_needs(&undecodable.object, except, path),
    })
}
