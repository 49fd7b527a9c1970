//! A pod in the making: the user's template, to which Flink's parts are added one by one.
//!
//! The rules of adding are those of Flink's client: lists grow at the end and are not searched for duplicates, maps
//! take Flink's value, scalars are decided field by field.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::object::json;
use crate::pod_template::{array_field, object_field};
use crate::{BuildError, names};

/// The main container is kept apart; it becomes the last of the pod.
#[derive(Clone, Debug, Default)]
pub(crate) struct FlinkPod {
    metadata: Map<String, Value>,
    spec: Map<String, Value>,
    main: Map<String, Value>,
}

impl FlinkPod {
    /// Starts from a template in normal form. Of several main containers the last counts, as in Flink.
    pub(crate) fn from_template(mut template: Map<String, Value>) -> Self {
        let mut pod = Self {
            metadata: std::mem::take(object_field(&mut template, "metadata")),
            spec: std::mem::take(object_field(&mut template, "spec")),
            main: Map::new(),
        };
        let containers = std::mem::take(array_field(&mut pod.spec, "containers"));
        for container in containers {
            match container {
                Value::Object(container) if is_main(&container) => pod.main = container,
                other => array_field(&mut pod.spec, "containers").push(other),
            }
        }
        pod
    }

    /// Text of a field of the pod's spec.
    pub(crate) fn text(&self, field: &str) -> Option<&str> {
        self.spec.get(field)?.as_str()
    }

    /// Text of a field of the main container.
    pub(crate) fn main_text(&self, field: &str) -> Option<&str> {
        self.main.get(field)?.as_str()
    }

    /// Elements of a list of the main container.
    pub(crate) fn main_list(&self, field: &str) -> &[Value] {
        self.main.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }

    /// Sets a field of the pod's spec.
    pub(crate) fn set(&mut self, field: &str, value: impl Into<Value>) {
        self.spec.insert(field.to_owned(), value.into());
    }

    /// Sets a field of the main container.
    pub(crate) fn set_main(&mut self, field: &str, value: impl Into<Value>) {
        self.main.insert(field.to_owned(), value.into());
    }

    /// The main container.
    pub(crate) fn main(&mut self) -> &mut Map<String, Value> {
        &mut self.main
    }

    /// Adds labels; they win over the template's.
    pub(crate) fn add_labels(&mut self, labels: &BTreeMap<String, String>) {
        merge_map(&mut self.metadata, "labels", labels);
    }

    /// Adds annotations; they win over the template's.
    pub(crate) fn add_annotations(&mut self, annotations: &BTreeMap<String, String>) {
        merge_map(&mut self.metadata, "annotations", annotations);
    }

    /// Adds to the node selector; the additions win over the template's.
    pub(crate) fn add_node_selector(&mut self, selector: &BTreeMap<String, String>) {
        merge_map(&mut self.spec, "nodeSelector", selector);
    }

    /// Appends elements to a list of the pod's spec.
    pub(crate) fn append<T: Serialize>(
        &mut self,
        field: &str,
        elements: impl IntoIterator<Item = T>,
    ) -> Result<(), BuildError> {
        append(&mut self.spec, field, elements)
    }

    /// Appends elements to a list of the main container.
    pub(crate) fn append_main<T: Serialize>(
        &mut self,
        field: &str,
        elements: impl IntoIterator<Item = T>,
    ) -> Result<(), BuildError> {
        append(&mut self.main, field, elements)
    }

    /// The finished PodTemplateSpec.
    pub(crate) fn into_template(mut self) -> Value {
        self.main.insert("name".to_owned(), Value::String(names::MAIN_CONTAINER.to_owned()));
        array_field(&mut self.spec, "containers").push(Value::Object(self.main));
        let mut template = Map::new();
        template.insert("metadata".to_owned(), Value::Object(self.metadata));
        template.insert("spec".to_owned(), Value::Object(self.spec));
        Value::Object(template)
    }
}

fn is_main(container: &Map<String, Value>) -> bool {
    container.get("name").and_then(Value::as_str) == Some(names::MAIN_CONTAINER)
}

fn merge_map(object: &mut Map<String, Value>, field: &str, entries: &BTreeMap<String, String>) {
    if entries.is_empty() {
        return;
    }
    let map = object_field(object, field);
    for (key, value) in entries {
        map.insert(key.clone(), Value::String(value.clone()));
    }
}

fn append<T: Serialize>(
    object: &mut Map<String, Value>,
    field: &str,
    elements: impl IntoIterator<Item = T>,
) -> Result<(), BuildError> {
    for element in elements {
        let element = json(&element)?;
        array_field(object, field).push(element);
    }
    Ok(())
}
