//! An API server in memory that is just enough for this crate's unit tests: versions, uids, merge patches, faults.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use futures::channel::mpsc;
use futures::stream::{BoxStream, StreamExt};
use jiff::Timestamp;
use kube::core::DynamicObject;
use serde_json::{Value, json};

use crate::ports::{ApiError, Clock, DeleteOptions, Kind, KubernetesApi, ObjectKey, Scope, WatchEvent};
use crate::resource::Resource;

#[derive(Debug, Default)]
pub(crate) struct TestClock {
    passed: Mutex<Duration>,
}

impl TestClock {
    pub(crate) fn pass(&self, time: Duration) {
        *self.passed.lock().unwrap() += time;
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH + self.monotonic()
    }

    fn monotonic(&self) -> Duration {
        *self.passed.lock().unwrap()
    }
}

pub(crate) fn resource(name: &str, uid: &str) -> Resource {
    Resource {
        kind: Kind::FLINK_DEPLOYMENT,
        key: ObjectKey::new("ns", name),
        uid: uid.to_owned(),
        resource_version: "1".to_owned(),
        generation: Some(1),
    }
}

type Id = (&'static str, ObjectKey);

#[derive(Default)]
struct State {
    objects: BTreeMap<Id, DynamicObject>,
    version: u64,
    calls: Vec<String>,
    failures: Vec<(String, ApiError, bool)>,
    watchers: Vec<(Kind, mpsc::UnboundedSender<WatchEvent>)>,
    bodies: VecDeque<Value>,
    broken_watches: BTreeMap<&'static str, ApiError>,
}

/// The API server.
#[derive(Default)]
pub(crate) struct Cluster {
    state: Mutex<State>,
}

fn not_found() -> ApiError {
    ApiError::from_status(404, "NotFound", "not found", None)
}

fn conflict() -> ApiError {
    ApiError::from_status(409, "Conflict", "the object has been modified", None)
}

impl State {
    fn store(&mut self, kind: Kind, key: &ObjectKey, mut object: DynamicObject) -> DynamicObject {
        self.version += 1;
        object.metadata.resource_version = Some(self.version.to_string());
        self.objects.insert((kind.name, key.clone()), object.clone());
        self.tell(kind, &WatchEvent::Applied(object.clone()));
        object
    }

    fn tell(&mut self, kind: Kind, event: &WatchEvent) {
        self.watchers
            .retain(|(watched, sender)| *watched != kind || sender.unbounded_send(event.clone()).is_ok());
    }

    fn get(&self, kind: Kind, key: &ObjectKey) -> Result<DynamicObject, ApiError> {
        self.objects.get(&(kind.name, key.clone())).cloned().ok_or_else(not_found)
    }
}

impl Cluster {
    /// The next call of that name fails before it has an effect.
    pub(crate) fn fail_next(&self, call: &str, error: ApiError) {
        self.state.lock().unwrap().failures.push((call.to_owned(), error, false));
    }

    /// The next call of that name has its effect, but its answer is this error.
    pub(crate) fn lose_answer_of_next(&self, call: &str, error: ApiError) {
        self.state.lock().unwrap().failures.push((call.to_owned(), error, true));
    }

    /// Watches over a kind only say this.
    pub(crate) fn break_watch(&self, kind: Kind, error: ApiError) {
        self.state.lock().unwrap().broken_watches.insert(kind.name, error);
    }

    /// The calls so far, as `verb Kind`.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.state.lock().unwrap().calls.clone()
    }

    /// What was sent with them, newest last.
    pub(crate) fn bodies(&self) -> Vec<Value> {
        self.state.lock().unwrap().bodies.iter().cloned().collect()
    }

    pub(crate) fn forget_calls(&self) {
        let mut state = self.state.lock().unwrap();
        state.calls.clear();
        state.bodies.clear();
    }

    pub(crate) fn objects(&self, kind: Kind) -> Vec<DynamicObject> {
        let state = self.state.lock().unwrap();
        state
            .objects
            .iter()
            .filter(|((name, _), _)| *name == kind.name)
            .map(|(_, object)| object.clone())
            .collect()
    }

    pub(crate) fn clear(&self, kind: Kind) {
        self.state.lock().unwrap().objects.retain(|(name, _), _| *name != kind.name);
    }

    /// Somebody else creates or changes an object.
    pub(crate) fn put(
        &self,
        kind: Kind,
        name: &str,
        change: impl FnOnce(&mut DynamicObject),
    ) -> DynamicObject {
        let mut state = self.state.lock().unwrap();
        let key = ObjectKey::new("ns", name);
        let mut object = state.get(kind, &key).unwrap_or_else(|_| {
            let mut object = kind.object(&key);
            object.metadata.uid = Some(format!("uid-of-{name}"));
            object.metadata.generation = Some(1);
            object.data = json!({});
            object
        });
        change(&mut object);
        state.store(kind, &key, object)
    }

    /// Somebody else deletes an object at once.
    pub(crate) fn remove(&self, kind: Kind, name: &str) {
        let mut state = self.state.lock().unwrap();
        if let Some(object) = state.objects.remove(&(kind.name, ObjectKey::new("ns", name))) {
            state.tell(kind, &WatchEvent::Deleted(object));
        }
    }

    fn call<T>(
        &self,
        verb: &str,
        kind: Kind,
        body: Option<Value>,
        act: impl FnOnce(&mut State) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let mut state = self.state.lock().unwrap();
        let name = format!("{verb} {kind}");
        state.calls.push(name.clone());
        state.bodies.extend(body);
        let failure = state.failures.iter().position(|(call, _, _)| *call == name);
        match failure.map(|index| state.failures.remove(index)) {
            None => act(&mut state),
            Some((_, error, false)) => Err(error),
            Some((_, error, true)) => {
                act(&mut state)?;
                Err(error)
            }
        }
    }
}

fn json_of(object: &DynamicObject) -> Value {
    serde_json::to_value(object).unwrap()
}

fn merge(target: &mut Value, part: &Value) {
    match (target, part) {
        (Value::Object(target), Value::Object(part)) => {
            for (name, value) in part {
                if value.is_null() {
                    target.remove(name);
                } else {
                    merge(target.entry(name.clone()).or_insert(Value::Null), value);
                }
            }
        }
        (target, Value::Object(_)) => {
            *target = json!({});
            merge(target, part);
        }
        (target, part) => *target = part.clone(),
    }
}

#[async_trait]
impl KubernetesApi for Cluster {
    async fn get(&self, kind: Kind, key: &ObjectKey) -> Result<Option<DynamicObject>, ApiError> {
        self.call("get", kind, None, |state| Ok(state.get(kind, key).ok()))
    }

    async fn list(&self, kind: Kind, scope: &Scope) -> Result<Vec<DynamicObject>, ApiError> {
        self.call("list", kind, None, |state| {
            let matches = |key: &ObjectKey| {
                scope.namespace.as_ref().is_none_or(|namespace| *namespace == key.namespace)
            };
            let of_kind = state.objects.iter().filter(|((name, key), _)| *name == kind.name && matches(key));
            Ok(of_kind.map(|(_, object)| object.clone()).collect())
        })
    }

    async fn create(&self, kind: Kind, object: &DynamicObject) -> Result<DynamicObject, ApiError> {
        self.call("create", kind, Some(json_of(object)), |state| {
            let key = ObjectKey::of(&object.metadata);
            if state.get(kind, &key).is_ok() {
                return Err(ApiError::from_status(409, "AlreadyExists", "already exists", None));
            }
            let mut object = object.clone();
            object.metadata.uid = Some(format!("uid-{}", state.version + 1));
            Ok(state.store(kind, &key, object))
        })
    }

    async fn apply(&self, kind: Kind, object: &DynamicObject) -> Result<DynamicObject, ApiError> {
        self.call("apply", kind, Some(json_of(object)), |state| {
            let key = ObjectKey::of(&object.metadata);
            let mut applied = object.clone();
            let known = state.get(kind, &key).ok().and_then(|known| known.metadata.uid);
            applied.metadata.uid = known.or_else(|| Some(format!("uid-{}", state.version + 1)));
            Ok(state.store(kind, &key, applied))
        })
    }

    async fn replace_status(&self, kind: Kind, object: &DynamicObject) -> Result<DynamicObject, ApiError> {
        self.call("replace_status", kind, Some(json_of(object)), |state| {
            let key = ObjectKey::of(&object.metadata);
            let mut stored = state.get(kind, &key)?;
            if stored.metadata.resource_version != object.metadata.resource_version
                || stored.metadata.uid != object.metadata.uid
            {
                return Err(conflict());
            }
            let status = object.data.get("status").cloned().unwrap_or_default();
            merge(&mut stored.data, &json!({ "status": null }));
            merge(&mut stored.data, &json!({ "status": status }));
            Ok(state.store(kind, &key, stored))
        })
    }

    async fn patch(&self, kind: Kind, key: &ObjectKey, part: &Value) -> Result<DynamicObject, ApiError> {
        self.call("patch", kind, Some(part.clone()), |state| {
            let stored = state.get(kind, key)?;
            let differs = |field: &str, stored: &Option<String>| {
                let wanted = part.pointer(field).and_then(Value::as_str);
                wanted.is_some() && wanted != stored.as_deref()
            };
            if differs("/metadata/resourceVersion", &stored.metadata.resource_version)
                || differs("/metadata/uid", &stored.metadata.uid)
            {
                return Err(conflict());
            }
            let mut patched = json_of(&stored);
            merge(&mut patched, part);
            let patched: DynamicObject = serde_json::from_value(patched).unwrap();
            let finalizers = patched.metadata.finalizers.as_ref().is_none_or(Vec::is_empty);
            if patched.metadata.deletion_timestamp.is_some() && finalizers {
                state.objects.remove(&(kind.name, key.clone()));
                state.tell(kind, &WatchEvent::Deleted(patched.clone()));
                return Ok(patched);
            }
            Ok(state.store(kind, key, patched))
        })
    }

    async fn delete(&self, kind: Kind, key: &ObjectKey, options: &DeleteOptions) -> Result<(), ApiError> {
        let body = json!({ "uid": options.uid, "propagation": options.propagation.as_str() });
        self.call("delete", kind, Some(body), |state| {
            let stored = state.get(kind, key)?;
            if options.uid.is_some() && options.uid != stored.metadata.uid {
                return Err(conflict());
            }
            state.objects.remove(&(kind.name, key.clone()));
            state.tell(kind, &WatchEvent::Deleted(stored));
            Ok(())
        })
    }

    fn watch(&self, kind: Kind, _scope: &Scope) -> BoxStream<'static, WatchEvent> {
        let mut state = self.state.lock().unwrap();
        let (sender, receiver) = mpsc::unbounded();
        if let Some(error) = state.broken_watches.get(kind.name).cloned() {
            sender.unbounded_send(WatchEvent::Failed(error)).unwrap();
            state.watchers.push((kind, sender));
            return receiver.boxed();
        }
        let all = state.objects.iter().filter(|((name, _), _)| *name == kind.name);
        let first = WatchEvent::Restarted(all.map(|(_, object)| object.clone()).collect());
        sender.unbounded_send(first).unwrap();
        state.watchers.push((kind, sender));
        receiver.boxed()
    }
}
