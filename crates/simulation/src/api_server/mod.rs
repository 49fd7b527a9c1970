//! A Kubernetes API server in memory, with the owner garbage collector.
//!
//! It keeps to the rules that the operator's safety rests on: one counter of versions, optimistic locking, the status
//! apart from the rest, generations, uids and their preconditions, finalizers, the three ways of deleting, server-side
//! apply, label selectors, and watches with a history that can be forgotten. `e2e/conformance` holds the same calls
//! against a real API server. What is left out is said in [`request`] and [`apply`].

mod apply;
mod garbage;
mod labels;
mod managed_fields;
mod merge;
mod rejection;
mod request;
mod state;
#[cfg(test)]
mod tests;
mod watch;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use engine::ports::{ApiError, Clock, DeleteOptions, Kind, KubernetesApi, ObjectKey, Scope, WatchEvent};
use futures::StreamExt;
use futures::stream::BoxStream;
use kube::core::DynamicObject;
use serde_json::Value;

use managed_fields::Writer;
use state::{State, Stored, read, written};

pub(crate) use merge::merge;
pub use rejection::Rejection;

struct Shared {
    state: Mutex<State>,
}

fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    shared.state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The API server. Clones are the same one.
#[derive(Clone)]
pub struct ApiServer {
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for ApiServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.state();
        let objects = state.objects.len();
        f.debug_struct("ApiServer")
            .field("version", &state.version)
            .field("objects", &objects)
            .finish_non_exhaustive()
    }
}

/// What one object was, and became, by one change.
#[derive(Clone, Debug)]
pub struct StoredChange {
    /// Counter of all changes.
    pub version: u64,
    /// Its kind.
    pub kind: Kind,
    /// Its namespace and name.
    pub key: ObjectKey,
    /// `None`: it is new.
    pub before: Option<Arc<Value>>,
    /// `None`: it is gone.
    pub after: Option<Arc<Value>>,
}

impl ApiServer {
    /// An empty one.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { shared: Arc::new(Shared { state: Mutex::default() }), clock }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.shared)
    }

    /// From now on, what Apache's CRD of FlinkDeployment does not know is dropped from statuses.
    pub fn use_crds_of_apache(&self) {
        self.state().prunes = true;
    }

    /// An object as it is stored, with everything.
    #[must_use]
    pub fn read(&self, kind: Kind, key: &ObjectKey) -> Option<Arc<Value>> {
        self.state().objects.get(&(kind, key.clone())).map(|stored| stored.object.clone())
    }

    /// All objects of a kind.
    #[must_use]
    pub fn all(&self, kind: Kind) -> Vec<Arc<Value>> {
        self.state().list(kind, &Scope::all()).unwrap_or_default()
    }

    /// All objects of all kinds.
    #[must_use]
    pub fn everything(&self) -> Vec<(Kind, ObjectKey, Arc<Value>)> {
        let state = self.state();
        state
            .objects
            .iter()
            .map(|((kind, key), stored)| (*kind, key.clone(), stored.object.clone()))
            .collect()
    }

    /// Objects of a scope as they were at a version: a read from a server whose cache lags behind.
    pub fn list_at(&self, kind: Kind, scope: &Scope, version: u64) -> Result<Vec<DynamicObject>, ApiError> {
        let listed = self.state().list_at(kind, scope, version)?;
        listed.iter().map(|object| read(object)).collect()
    }

    /// A watch that begins with what existed at a version, and goes on from there.
    #[must_use]
    pub fn watch_from(&self, kind: Kind, scope: &Scope, version: u64) -> BoxStream<'static, WatchEvent> {
        let Ok(past) = self.list_at(kind, scope, version) else { return self.watch(kind, scope) };
        let after = watch::Watch::after(Arc::clone(&self.shared), kind, scope.clone(), version);
        futures::stream::iter([WatchEvent::Restarted(past)]).chain(after).boxed()
    }

    /// The version of the newest change.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.state().version
    }

    /// Changes after a version, oldest first.
    #[must_use]
    pub fn changes_after(&self, version: u64) -> Vec<StoredChange> {
        let state = self.state();
        let begin = state.history.partition_point(|change| change.version <= version);
        let changes = state.history.get(begin..).unwrap_or_default();
        let public = |change: &state::Change| StoredChange {
            version: change.version,
            kind: change.id.0,
            key: change.id.1.clone(),
            before: change.before.clone(),
            after: change.after.clone(),
        };
        changes.iter().map(public).collect()
    }

    /// Changes an object as a controller or the kubelet does that has its own way to it: metadata, spec and status at
    /// once, without a new generation. `false` when there is none.
    pub fn change(&self, kind: Kind, key: &ObjectKey, change: impl FnOnce(&mut Value)) -> bool {
        let mut state = self.state();
        let id = (kind, key.clone());
        let Some(stored) = state.objects.get(&id).cloned() else { return false };
        let Stored { mut object, applied } = stored;
        change(Arc::make_mut(&mut object));
        state.store(&id, Stored { object, applied });
        true
    }

    /// Creates an object for a controller, a kubelet, or Flink.
    pub fn create_object(&self, kind: Kind, object: Value) -> Result<Arc<Value>, ApiError> {
        let now = self.clock.now();
        self.state().create(kind, object, now)
    }

    /// Changes the content of an object as a user does, with a new generation if that is due.
    pub fn merge_patch(&self, kind: Kind, key: &ObjectKey, part: &Value) -> Result<Arc<Value>, ApiError> {
        self.state().patch(kind, key, part, Writer::Other)
    }

    /// Deletes an object for a user or a controller.
    pub fn delete_object(
        &self,
        kind: Kind,
        key: &ObjectKey,
        options: &DeleteOptions,
    ) -> Result<(), ApiError> {
        let now = self.clock.now();
        self.state().delete(kind, key, options, now)
    }

    /// The processes of a pod that is being deleted have ended.
    pub fn end_pod(&self, key: &ObjectKey) {
        self.state().end_pod(key);
    }

    /// Lets the garbage collector run until it has nothing to do.
    pub fn collect_garbage(&self) {
        let now = self.clock.now();
        let mut state = self.state();
        while state.collect_garbage(now) {}
    }

    /// Lets no watch go on from a version before now: those that lag behind begin again.
    pub fn compact(&self) {
        self.state().compact();
    }

    /// From now on creates and changes that a rule concerns are refused.
    pub fn reject(&self, rule: Rejection) {
        self.state().rejections.push(rule);
    }

    /// Nothing is refused any more.
    pub fn reject_nothing(&self) {
        self.state().rejections.clear();
    }
}

#[async_trait]
impl KubernetesApi for ApiServer {
    async fn get(&self, kind: Kind, key: &ObjectKey) -> Result<Option<DynamicObject>, ApiError> {
        self.read(kind, key).map(|object| read(&object)).transpose()
    }

    async fn list(&self, kind: Kind, scope: &Scope) -> Result<Vec<DynamicObject>, ApiError> {
        let listed = self.state().list(kind, scope)?;
        listed.iter().map(|object| read(object)).collect()
    }

    async fn create(&self, kind: Kind, object: &DynamicObject) -> Result<DynamicObject, ApiError> {
        let now = self.clock.now();
        let created = self.state().create_by_operator(kind, written(object)?, now)?;
        read(&created)
    }

    async fn apply(&self, kind: Kind, object: &DynamicObject) -> Result<DynamicObject, ApiError> {
        let now = self.clock.now();
        let stored = self.state().apply(kind, written(object)?, now)?;
        read(&stored)
    }

    async fn replace_status(&self, kind: Kind, object: &DynamicObject) -> Result<DynamicObject, ApiError> {
        let object = written(object)?;
        request::check_status_request(&object)?;
        let stored = self.state().replace_status(kind, &object)?;
        read(&stored)
    }

    async fn patch(&self, kind: Kind, key: &ObjectKey, part: &Value) -> Result<DynamicObject, ApiError> {
        let patched = self.state().patch(kind, key, part, Writer::Operator)?;
        read(&patched)
    }

    async fn delete(&self, kind: Kind, key: &ObjectKey, options: &DeleteOptions) -> Result<(), ApiError> {
        self.delete_object(kind, key, options)
    }

    fn watch(&self, kind: Kind, scope: &Scope) -> BoxStream<'static, WatchEvent> {
        watch::Watch::new(Arc::clone(&self.shared), kind, scope.clone()).boxed()
    }
}
