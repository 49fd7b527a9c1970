//! What is stored, and every change there ever was.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::task::Waker;

use engine::ports::{ApiError, Kind, ObjectKey, Scope};
use jiff::{Timestamp, Unit};
use kube::core::DynamicObject;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::apply::Path;
use super::labels::Selector;
use super::rejection::Rejection;

/// Kinds whose `metadata.generation` counts changes of the spec.
const WITH_GENERATION: [Kind; 5] = [
    Kind::FLINK_DEPLOYMENT,
    Kind::FLINK_SESSION_JOB,
    Kind::FLINK_STATE_SNAPSHOT,
    Kind::DEPLOYMENT,
    Kind::INGRESS,
];

/// Kinds whose status can be written only through the subresource.
const WITH_STATUS: [Kind; 7] = [
    Kind::FLINK_DEPLOYMENT,
    Kind::FLINK_SESSION_JOB,
    Kind::FLINK_STATE_SNAPSHOT,
    Kind::DEPLOYMENT,
    Kind::INGRESS,
    Kind::SERVICE,
    Kind::POD,
];

pub(super) const FOREGROUND: &str = "foregroundDeletion";
pub(super) const ORPHAN: &str = "orphan";

pub(super) type Id = (Kind, ObjectKey);

/// An object as it is stored.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) object: Arc<Value>,
    /// Fields that were set by server-side apply.
    pub(super) applied: Arc<BTreeSet<Path>>,
}

/// One change of one object.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) version: u64,
    pub(super) id: Id,
    pub(super) before: Option<Arc<Value>>,
    /// `None`: it is gone.
    pub(super) after: Option<Arc<Value>>,
    /// The last state of an object that is gone, with the version of its end.
    pub(super) last: Option<Arc<Value>>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) objects: BTreeMap<Id, Stored>,
    pub(super) version: u64,
    uids: u64,
    pub(super) history: Vec<Change>,
    /// Changes up to this version are forgotten.
    pub(super) compacted: u64,
    pub(super) rejections: Vec<Rejection>,
    pub(super) wakers: Vec<Waker>,
    /// Whether Apache's CRDs are installed.
    pub(super) prunes: bool,
}

pub(super) fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer).and_then(Value::as_str)
}

pub(super) fn uid(object: &Value) -> &str {
    text(object, "/metadata/uid").unwrap_or_default()
}

pub(super) fn is_terminating(object: &Value) -> bool {
    text(object, "/metadata/deletionTimestamp").is_some()
}

pub(super) fn finalizers(object: &Value) -> Vec<String> {
    let list = object.pointer("/metadata/finalizers").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

pub(super) fn metadata(object: &mut Value) -> Option<&mut Map<String, Value>> {
    object.get_mut("metadata").and_then(Value::as_object_mut)
}

pub(super) fn set(object: &mut Value, field: &str, value: Value) {
    if let Some(metadata) = metadata(object) {
        metadata.insert(field.to_owned(), value);
    }
}

pub(super) fn unset(object: &mut Value, field: &str) {
    if let Some(metadata) = metadata(object) {
        metadata.remove(field);
    }
}

pub(super) fn set_finalizers(object: &mut Value, finalizers: &[String]) {
    if finalizers.is_empty() {
        unset(object, "finalizers");
    } else {
        set(object, "finalizers", json!(finalizers));
    }
}

pub(super) fn read(object: &Value) -> Result<DynamicObject, ApiError> {
    DynamicObject::deserialize(object).map_err(|error| ApiError::Malformed { message: error.to_string() })
}

pub(super) fn written(object: &DynamicObject) -> Result<Value, ApiError> {
    serde_json::to_value(object).map_err(|error| bad_request(error.to_string()))
}

pub(super) fn bad_request(message: String) -> ApiError {
    ApiError::Invalid { code: 400, message }
}

/// Name of a kind in the API server's sentences: `deployments.apps`.
pub(super) fn resource(kind: Kind) -> String {
    if kind.group.is_empty() { kind.plural.to_owned() } else { format!("{}.{}", kind.plural, kind.group) }
}

pub(super) fn not_found(kind: Kind, name: &str) -> ApiError {
    ApiError::NotFound { message: format!("{} \"{name}\" not found", resource(kind)) }
}

pub(super) fn modified(kind: Kind, name: &str) -> ApiError {
    let message = format!(
        "Operation cannot be fulfilled on {} \"{name}\": the object has been modified; please apply your changes to \
         the latest version and try again",
        resource(kind)
    );
    ApiError::Conflict { message }
}

pub(super) fn other_uid(kind: Kind, name: &str, wanted: &str, found: &str) -> ApiError {
    let message = format!(
        "Operation cannot be fulfilled on {} \"{name}\": Precondition failed: UID in precondition: {wanted}, UID in \
         object meta: {found}",
        resource(kind)
    );
    ApiError::Conflict { message }
}

pub(super) fn invalid(kind: Kind, name: &str, what: &str) -> ApiError {
    ApiError::Invalid { code: 422, message: format!("{} \"{name}\" is invalid: {what}", kind.name) }
}

pub(super) fn has_generation(kind: Kind) -> bool {
    WITH_GENERATION.contains(&kind)
}

pub(super) fn has_status(kind: Kind) -> bool {
    WITH_STATUS.contains(&kind)
}

/// Kubernetes writes whole seconds.
pub(super) fn seconds(now: Timestamp) -> Value {
    json!(now.round(Unit::Second).unwrap_or(now).to_string())
}

impl State {
    pub(super) fn live(&self, kind: Kind, key: &ObjectKey) -> Result<&Stored, ApiError> {
        self.objects.get(&(kind, key.clone())).ok_or_else(|| not_found(kind, &key.name))
    }

    pub(super) fn new_uid(&mut self) -> String {
        self.uids += 1;
        format!("00000000-0000-4000-8000-{:012x}", self.uids)
    }

    /// Stores a new state of an object, unless it is the one that is stored, and tells the watchers. An object that is
    /// being deleted and has lost its last finalizer goes.
    pub(super) fn store(&mut self, id: &Id, mut stored: Stored) -> Arc<Value> {
        let before = self.objects.get(id);
        if let Some(before) = before {
            let version = before.object.pointer("/metadata/resourceVersion").cloned();
            set(Arc::make_mut(&mut stored.object), "resourceVersion", version.unwrap_or_default());
            let ends = is_terminating(&stored.object) && finalizers(&stored.object).is_empty();
            if before.object == stored.object && !(ends && id.0 != Kind::POD) {
                let object = stored.object.clone();
                self.objects.insert(id.clone(), stored);
                return object;
            }
            if ends && id.0 != Kind::POD {
                return self.end(id, stored.object);
            }
        }
        let before = before.map(|stored| stored.object.clone());
        self.version += 1;
        set(Arc::make_mut(&mut stored.object), "resourceVersion", json!(self.version.to_string()));
        let object = stored.object.clone();
        self.objects.insert(id.clone(), stored);
        self.changed(id, before, Some(object.clone()), None);
        object
    }

    /// Removes an object; `last` is its last state.
    pub(super) fn end(&mut self, id: &Id, mut last: Arc<Value>) -> Arc<Value> {
        let before = self.objects.remove(id).map(|stored| stored.object);
        self.version += 1;
        set(Arc::make_mut(&mut last), "resourceVersion", json!(self.version.to_string()));
        self.changed(id, before, None, Some(last.clone()));
        last
    }

    fn changed(
        &mut self,
        id: &Id,
        before: Option<Arc<Value>>,
        after: Option<Arc<Value>>,
        last: Option<Arc<Value>>,
    ) {
        self.history.push(Change { version: self.version, id: id.clone(), before, after, last });
        for waker in self.wakers.drain(..) {
            waker.wake();
        }
    }

    /// Everything of a scope, as it is now.
    pub(super) fn list(&self, kind: Kind, scope: &Scope) -> Result<Vec<Arc<Value>>, ApiError> {
        let selector = selector(scope)?;
        let all = self.objects.iter().filter(|(id, _)| id.0 == kind && in_scope(&id.1, scope));
        Ok(all.map(|(_, stored)| &stored.object).filter(|object| selector.matches(object)).cloned().collect())
    }

    /// Everything of a scope, as it was at a version; `Expired` when that is forgotten.
    pub(super) fn list_at(
        &self,
        kind: Kind,
        scope: &Scope,
        version: u64,
    ) -> Result<Vec<Arc<Value>>, ApiError> {
        let selector = selector(scope)?;
        if version < self.compacted {
            return Err(expired(version, self.compacted));
        }
        let mut objects: BTreeMap<Id, Arc<Value>> =
            self.objects.iter().map(|(id, stored)| (id.clone(), stored.object.clone())).collect();
        for change in self.history.iter().rev().take_while(|change| change.version > version) {
            match &change.before {
                Some(before) => objects.insert(change.id.clone(), before.clone()),
                None => objects.remove(&change.id),
            };
        }
        let wanted = |id: &Id| id.0 == kind && in_scope(&id.1, scope);
        Ok(objects
            .into_iter()
            .filter(|(id, it)| wanted(id) && selector.matches(it))
            .map(|(_, it)| it)
            .collect())
    }
}

pub(super) fn expired(version: u64, oldest: u64) -> ApiError {
    ApiError::Expired { message: format!("too old resource version: {version} ({oldest})") }
}

pub(super) fn selector(scope: &Scope) -> Result<Selector, ApiError> {
    Selector::parse(scope.labels.as_deref().unwrap_or_default()).map_err(bad_request)
}

pub(super) fn in_scope(key: &ObjectKey, scope: &Scope) -> bool {
    scope.namespace.as_ref().is_none_or(|namespace| *namespace == key.namespace)
}
