//! The Ingress of a cluster, and what has to be changed about it.

use k8s_openapi::api::networking::v1::Ingress;
use kube::core::{DynamicObject, ObjectMeta};
use serde_json::{Map, Value, json};

use crate::FIELD_MANAGER;

/// Field managers that wrote what the spec of a FlinkDeployment said: this operator, and the Java operator, whose client
/// gives itself this name.
pub const SPEAKERS: [&str; 2] = [FIELD_MANAGER, "fabric8-kubernetes-client"];

/// The Ingress of a cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum IngressView {
    /// It is unknown.
    #[default]
    Unread,
    /// There is none.
    Absent,
    /// There is one that the FlinkDeployment does not own.
    Foreign,
    /// The FlinkDeployment owns it.
    Owned(OwnedIngress),
}

/// An Ingress that the FlinkDeployment owns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnedIngress {
    /// Its uid.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: Option<String>,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// Its labels, annotations and spec, as in the object.
    content: Value,
    /// The fields that [`SPEAKERS`] have set and nobody else has changed since (`fieldsV1`).
    written: Vec<Value>,
}

impl IngressView {
    /// Reads what matters; `owner_uid` is the uid of the FlinkDeployment.
    #[must_use]
    pub fn from_ingress(ingress: &Ingress, owner_uid: &str) -> Self {
        let meta = &ingress.metadata;
        if !meta.owner_references.iter().flatten().any(|owner| owner.uid == owner_uid) {
            return Self::Foreign;
        }
        Self::Owned(OwnedIngress {
            uid: meta.uid.clone().unwrap_or_default(),
            resource_version: meta.resource_version.clone(),
            terminating: meta.deletion_timestamp.is_some(),
            content: content(meta, &json!(ingress.spec)),
            written: written(meta),
        })
    }
}

impl OwnedIngress {
    /// What a JSON merge patch has to say so that it is as `wanted`; `None` if it is. What others have added stays: labels
    /// and annotations of controllers, a class by default.
    #[must_use]
    pub fn correction(&self, wanted: &DynamicObject) -> Option<Value> {
        let wanted = content(&wanted.metadata, &wanted.data["spec"]);
        let mut part = lacking(&wanted, &self.content);
        for fields in &self.written {
            merge(&mut part, unwanted(fields, &wanted, &self.content));
        }
        (!part.is_empty()).then_some(Value::Object(part))
    }
}

fn content(meta: &ObjectMeta, spec: &Value) -> Value {
    let metadata = json!({"labels": meta.labels, "annotations": meta.annotations});
    without_nothing(json!({"metadata": metadata, "spec": spec}))
}

/// The API server keeps no empty lists and maps.
fn without_nothing(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().map(|(name, value)| (name, without_nothing(value)));
            Value::Object(kept.filter(|(_, value)| !is_empty(value)).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nothing).collect()),
        other => other,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// What of `wanted` is missing or different in `found`. Lists are one value, as for the API server.
fn lacking(wanted: &Value, found: &Value) -> Map<String, Value> {
    let mut lacking = Map::new();
    for (name, value) in wanted.as_object().into_iter().flatten() {
        let found = &found[name];
        if !value.is_object() {
            if value != found {
                lacking.insert(name.clone(), value.clone());
            }
            continue;
        }
        let inner = self::lacking(value, found);
        if !inner.is_empty() {
            lacking.insert(name.clone(), Value::Object(inner));
        }
    }
    lacking
}

/// A null for each of the `fields` that is there and not wanted.
fn unwanted(fields: &Value, wanted: &Value, found: &Value) -> Map<String, Value> {
    let mut unwanted = Map::new();
    for (key, fields) in fields.as_object().into_iter().flatten() {
        // Other keys are elements of lists, and `.` is the map itself.
        let Some(name) = key.strip_prefix("f:").filter(|name| found.get(name).is_some()) else { continue };
        let is_map = fields.as_object().is_some_and(|all| all.keys().any(|key| key.starts_with("f:")));
        if is_map {
            let inner = self::unwanted(fields, &wanted[name], &found[name]);
            if !inner.is_empty() {
                unwanted.insert(name.to_owned(), Value::Object(inner));
            }
        } else if wanted.get(name).is_none() {
            unwanted.insert(name.to_owned(), Value::Null);
        }
    }
    unwanted
}

/// Puts the fields of `other` into `part`.
fn merge(part: &mut Map<String, Value>, other: Map<String, Value>) {
    for (name, value) in other {
        match (part.get_mut(&name), value) {
            (Some(Value::Object(fields)), Value::Object(others)) => merge(fields, others),
            (_, value) => drop(part.insert(name, value)),
        }
    }
}

/// The `fieldsV1` of [`SPEAKERS`] that are about labels, annotations and spec.
fn written(meta: &ObjectMeta) -> Vec<Value> {
    let entries = meta.managed_fields.iter().flatten();
    let of_speakers = entries.filter(|entry| {
        let manager = entry.manager.as_deref().unwrap_or_default();
        SPEAKERS.contains(&manager) && entry.subresource.is_none()
    });
    of_speakers.filter_map(|entry| relevant(&entry.fields_v1.as_ref()?.0)).collect()
}

/// Labels, annotations and spec, as far as they are among the fields.
fn relevant(fields: &Value) -> Option<Value> {
    let mut relevant = Map::new();
    if let Some(Value::Object(metadata)) = fields.get("f:metadata") {
        let kept = metadata.iter().filter(|(name, _)| matches!(name.as_str(), "f:labels" | "f:annotations"));
        let kept = kept.map(|(name, fields)| (name.clone(), fields.clone()));
        relevant.insert("f:metadata".to_owned(), Value::Object(kept.collect()));
    }
    if let Some(spec) = fields.get("f:spec") {
        relevant.insert("f:spec".to_owned(), spec.clone());
    }
    (!relevant.is_empty()).then_some(Value::Object(relevant))
}
