//! Creates, changes and deletes as the API server does them (`rest.BeforeCreate`, `rest.BeforeUpdate`, `Store.Delete`).
//!
//! Not modelled: namespaces and their deletion, schemas with defaulting and pruning, RBAC, `generateName`, immutable
//! fields other than those of the metadata, and grace periods of anything but pods.

use std::collections::BTreeSet;
use std::sync::Arc;

use engine::ports::{ApiError, DeleteOptions, Kind, ObjectKey};
use jiff::Timestamp;
use lifecycle::Propagation;
use serde_json::{Value, json};

use super::apply;
use super::managed_fields::{self, Writer};
use super::merge::merge;
use super::state::{
    FOREGROUND, Id, ORPHAN, State, Stored, bad_request, finalizers, has_generation, has_status, invalid,
    is_terminating, modified, other_uid, resource, seconds, set, set_finalizers, text, uid, unset,
};

/// Seconds that a pod gets to end.
const POD_GRACE: i64 = 30;

/// Fields of the metadata that only the API server writes.
const SYSTEM: [&str; 5] =
    ["uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds"];

fn name(object: &Value) -> &str {
    text(object, "/metadata/name").unwrap_or_default()
}

fn content(object: &Value) -> Value {
    let mut content = object.clone();
    if let Some(fields) = content.as_object_mut() {
        fields.remove("metadata");
        fields.remove("status");
    }
    content
}

impl State {
    fn admit(&self, kind: Kind, name: &str) -> Result<(), ApiError> {
        let rule = self.rejections.iter().find(|rule| rule.concerns(kind, name));
        rule.map_or(Ok(()), |rule| Err(rule.error()))
    }

    pub(super) fn create(
        &mut self,
        kind: Kind,
        object: Value,
        now: Timestamp,
    ) -> Result<Arc<Value>, ApiError> {
        self.create_owned(kind, object, BTreeSet::new(), None, now)
    }

    /// The same by the operator: its fields are noted.
    pub(super) fn create_by_operator(
        &mut self,
        kind: Kind,
        object: Value,
        now: Timestamp,
    ) -> Result<Arc<Value>, ApiError> {
        let fields = object.clone();
        self.create_owned(kind, object, BTreeSet::new(), Some(&fields), now)
    }

    fn create_owned(
        &mut self,
        kind: Kind,
        mut object: Value,
        applied: BTreeSet<apply::Path>,
        fields: Option<&Value>,
        now: Timestamp,
    ) -> Result<Arc<Value>, ApiError> {
        let name = name(&object).to_owned();
        // Names of Events are not checked.
        if kind != Kind::EVENT && !is_dns_name(&name) {
            return Err(invalid(
                kind,
                &name,
                "metadata.name: Invalid value: a lowercase RFC 1123 subdomain is needed",
            ));
        }
        let namespace = text(&object, "/metadata/namespace").unwrap_or_default();
        let id: Id = (kind, ObjectKey::new(namespace, &name));
        self.admit(kind, &name)?;
        if self.objects.contains_key(&id) {
            let message = format!("{} \"{name}\" already exists", resource(kind));
            return Err(ApiError::AlreadyExists { message });
        }
        for field in SYSTEM.iter().chain(&["managedFields", "resourceVersion", "selfLink"]) {
            unset(&mut object, field);
        }
        if has_status(kind)
            && let Some(fields) = object.as_object_mut()
        {
            fields.remove("status");
        }
        let new_uid = self.new_uid();
        set(&mut object, "uid", json!(new_uid));
        set(&mut object, "creationTimestamp", seconds(now));
        if has_generation(kind) {
            set(&mut object, "generation", json!(1));
        }
        default(kind, &mut object);
        if let Some(fields) = fields {
            managed_fields::note(kind, &mut object, fields, Writer::Operator);
        }
        Ok(self.store(&id, Stored { object: Arc::new(object), applied: Arc::new(applied) }))
    }

    pub(super) fn apply(
        &mut self,
        kind: Kind,
        mut object: Value,
        now: Timestamp,
    ) -> Result<Arc<Value>, ApiError> {
        let name = name(&object).to_owned();
        let key = ObjectKey::new(text(&object, "/metadata/namespace").unwrap_or_default(), &name);
        let wanted = text(&object, "/metadata/uid").map(str::to_owned);
        let wanted_version = text(&object, "/metadata/resourceVersion").map(str::to_owned);
        if has_status(kind)
            && let Some(fields) = object.as_object_mut()
        {
            fields.remove("status");
        }
        for field in SYSTEM.iter().chain(&["resourceVersion"]) {
            unset(&mut object, field);
        }
        let Some(stored) = self.objects.get(&(kind, key.clone())).cloned() else {
            if let Some(wanted) = wanted {
                let message = format!(
                    "Operation cannot be fulfilled on {} \"{name}\": uid mismatch: the provided object specified uid \
                     {wanted}, and no existing object was found",
                    resource(kind)
                );
                return Err(ApiError::Conflict { message });
            }
            let mut merged = json!({});
            let owned = apply::apply(&mut merged, &object, &BTreeSet::new());
            return self.create_owned(kind, merged, owned, None, now);
        };
        if let Some(wanted) = wanted.filter(|wanted| wanted != uid(&stored.object)) {
            return Err(other_uid(kind, &name, &wanted, uid(&stored.object)));
        }
        if wanted_version
            .is_some_and(|wanted| Some(wanted.as_str()) != text(&stored.object, "/metadata/resourceVersion"))
        {
            return Err(modified(kind, &name));
        }
        let mut merged = stored.object.as_ref().clone();
        let applied = apply::apply(&mut merged, &object, &stored.applied);
        self.update(kind, &key, merged, Some(applied))
    }

    /// Everything but the status.
    fn update(
        &mut self,
        kind: Kind,
        key: &ObjectKey,
        mut object: Value,
        applied: Option<BTreeSet<apply::Path>>,
    ) -> Result<Arc<Value>, ApiError> {
        let live = self.live(kind, key)?.clone();
        self.admit(kind, &key.name)?;
        let wanted = text(&object, "/metadata/uid").unwrap_or_default();
        if !wanted.is_empty() && wanted != uid(&live.object) {
            return Err(other_uid(kind, &key.name, wanted, uid(&live.object)));
        }
        for field in SYSTEM {
            match live.object.pointer("/metadata").and_then(|metadata| metadata.get(field)) {
                Some(value) => set(&mut object, field, value.clone()),
                None => unset(&mut object, field),
            }
        }
        if has_status(kind)
            && let Some(fields) = object.as_object_mut()
        {
            match live.object.get("status") {
                Some(status) => fields.insert("status".to_owned(), status.clone()),
                None => fields.remove("status"),
            };
        }
        if is_terminating(&live.object) {
            let before = finalizers(&live.object);
            if finalizers(&object).iter().any(|finalizer| !before.contains(finalizer)) {
                let what = "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted";
                return Err(invalid(kind, &key.name, what));
            }
        }
        if finalizers(&object).is_empty() {
            unset(&mut object, "finalizers");
        }
        if has_generation(kind) && content(&object) != content(&live.object) {
            bump_generation(&mut object);
        }
        let applied = applied.map_or(live.applied, Arc::new);
        let object = Arc::new(object);
        Ok(self.store(&(kind, key.clone()), Stored { object, applied }))
    }

    pub(super) fn replace_status(&mut self, kind: Kind, object: &Value) -> Result<Arc<Value>, ApiError> {
        let key = ObjectKey::new(text(object, "/metadata/namespace").unwrap_or_default(), name(object));
        let mut stored = self.live(kind, &key)?.clone();
        let wanted = text(object, "/metadata/uid").filter(|wanted| *wanted != uid(&stored.object));
        if let Some(wanted) = wanted {
            return Err(other_uid(kind, &key.name, wanted, uid(&stored.object)));
        }
        if text(object, "/metadata/resourceVersion") != text(&stored.object, "/metadata/resourceVersion") {
            return Err(modified(kind, &key.name));
        }
        if let Some(fields) = Arc::make_mut(&mut stored.object).as_object_mut() {
            match object.get("status") {
                Some(status) => fields.insert("status".to_owned(), self.pruned(kind, without_nulls(status))),
                None => fields.remove("status"),
            };
        }
        Ok(self.store(&(kind, key), stored))
    }

    fn pruned(&self, kind: Kind, mut status: Value) -> Value {
        if let Some(fields) = status.as_object_mut().filter(|_| self.prunes && kind == Kind::FLINK_DEPLOYMENT)
        {
            fields.remove("operation");
            fields.remove("retry");
        }
        status
    }

    pub(super) fn patch(
        &mut self,
        kind: Kind,
        key: &ObjectKey,
        part: &Value,
        writer: Writer,
    ) -> Result<Arc<Value>, ApiError> {
        let live = self.live(kind, key)?.object.as_ref().clone();
        // As the API server says it of custom resources.
        if part.pointer("/metadata/resourceVersion").is_some_and(Value::is_null) {
            let what = "metadata.resourceVersion: Invalid value: 0: must be specified for an update";
            return Err(invalid(kind, &key.name, what));
        }
        let wanted = text(part, "/metadata/resourceVersion");
        if wanted.is_some_and(|wanted| Some(wanted) != text(&live, "/metadata/resourceVersion")) {
            return Err(modified(kind, &key.name));
        }
        let mut object = live;
        merge(&mut object, part);
        managed_fields::note(kind, &mut object, part, writer);
        self.update(kind, key, object, None)
    }

    pub(super) fn delete(
        &mut self,
        kind: Kind,
        key: &ObjectKey,
        options: &DeleteOptions,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        let stored = self.live(kind, key)?.clone();
        let id = (kind, key.clone());
        if let Some(wanted) = options.uid.as_deref().filter(|wanted| *wanted != uid(&stored.object)) {
            return Err(other_uid(kind, &key.name, wanted, uid(&stored.object)));
        }
        let mut object = stored.object.as_ref().clone();
        let mut kept = finalizers(&object);
        kept.retain(|finalizer| finalizer != FOREGROUND && finalizer != ORPHAN);
        match options.propagation {
            Propagation::Foreground => kept.push(FOREGROUND.to_owned()),
            Propagation::Orphan => kept.push(ORPHAN.to_owned()),
            Propagation::Background => {}
        }
        set_finalizers(&mut object, &kept);
        let scheduled = text(&object, "/spec/nodeName").is_some();
        let graceful = kind == Kind::POD && scheduled;
        if kept.is_empty() && !graceful {
            self.end(&id, Arc::new(object));
            return Ok(());
        }
        if !is_terminating(&object) {
            set(&mut object, "deletionTimestamp", seconds(now));
            let grace = if graceful { POD_GRACE } else { 0 };
            set(&mut object, "deletionGracePeriodSeconds", json!(grace));
            if has_generation(kind) {
                bump_generation(&mut object);
            }
        }
        self.store(&id, Stored { object: Arc::new(object), ..stored });
        Ok(())
    }
}

fn bump_generation(object: &mut Value) {
    let generation = object.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default();
    set(object, "generation", json!(generation + 1));
}

/// A custom resource's schema without `nullable` drops nulls.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name.clone(), without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}

/// The few defaults that something here reads.
fn default(kind: Kind, object: &mut Value) {
    if kind == Kind::DEPLOYMENT
        && let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut)
    {
        spec.entry("replicas").or_insert(json!(1));
    }
}

/// Whether a text is a lowercase RFC 1123 subdomain.
fn is_dns_name(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// Refuses what an API server refuses before it looks at the object.
pub(super) fn check_status_request(object: &Value) -> Result<(), ApiError> {
    match text(object, "/metadata/resourceVersion") {
        Some(_) => Ok(()),
        None => Err(bad_request(
            "a status is never written without the resourceVersion it was computed from".to_owned(),
        )),
    }
}
