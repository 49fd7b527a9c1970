//! Pod templates are kept as raw JSON: Flink merges them by its own rules before they are typed, and
//! users' templates lack what Kubernetes requires of a pod (containers, for instance).

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};

use crate::deployment::quantity_text;

/// Keyword by which the CRD writer finds the places of the pod schema.
pub(crate) const POD_PLACEHOLDER: &str = "x-pod-template";

/// Stands for the schema of a Pod, which the CRD writer puts there.
pub(crate) fn schema(_: &mut SchemaGenerator) -> Schema {
    let mut schema = json_schema!({ "type": "object" });
    schema.insert(POD_PLACEHOLDER.to_owned(), true.into());
    schema
}

/// A map from resource name to quantity, which is a string or an integer.
pub(crate) fn quantities_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "additionalProperties": {
            "anyOf": [{ "type": "integer" }, { "type": "string" }],
            "x-kubernetes-int-or-string": true,
        },
    })
}

/// Fields of a pod (and of resource requirements) that are maps, not objects: empty ones are not
/// recorded. Checked against the schema of Pod by a test.
const MAPS: &[&str] = &[
    "allocatedResources",
    "annotations",
    "labels",
    "limits",
    "matchLabels",
    "nodeSelector",
    "options",
    "overhead",
    "requests",
    "volumeAttributes",
];
/// Maps whose values are quantities.
const QUANTITY_MAPS: &[&str] = &["allocatedResources", "limits", "overhead", "requests"];
/// Fields that are quantities.
const QUANTITIES: &[&str] = &["divisor", "sizeLimit"];

/// A pod template (or resource requirements) as the Java operator records it, the form of its Kubernetes
/// model classes: no nulls, no empty lists and maps, quantities as strings, `metadata` and `spec` before
/// all else. Keys below keep their order; the API server sends them sorted, as the model has them.
pub(crate) fn as_recorded(template: Value) -> Value {
    let Value::Object(mut fields) = template else { return template };
    let mut recorded = Map::new();
    for key in ["metadata", "spec"] {
        if let Some(value) = fields.remove(key) {
            insert_recorded(key.to_owned(), value, &mut recorded);
        }
    }
    for (key, value) in fields {
        insert_recorded(key, value, &mut recorded);
    }
    Value::Object(recorded)
}

fn insert_recorded(key: String, value: Value, fields: &mut Map<String, Value>) {
    let value = match value {
        Value::Null => return,
        Value::Array(elements) if elements.is_empty() => return,
        Value::Array(elements) => elements.into_iter().map(below).collect(),
        Value::Object(map) if MAPS.contains(&key.as_str()) => {
            if map.is_empty() {
                return;
            }
            let quantities = QUANTITY_MAPS.contains(&key.as_str());
            map.into_iter()
                .map(|(name, value)| (name, if quantities { quantity(value) } else { value }))
                .collect()
        }
        Value::Number(_) if QUANTITIES.contains(&key.as_str()) => quantity(value),
        Value::Object(_) | Value::Bool(_) | Value::Number(_) | Value::String(_) => below(value),
    };
    fields.insert(key, value);
}

fn below(value: Value) -> Value {
    let Value::Object(fields) = value else { return value };
    let mut recorded = Map::new();
    for (key, value) in fields {
        insert_recorded(key, value, &mut recorded);
    }
    Value::Object(recorded)
}

fn quantity(value: Value) -> Value {
    quantity_text(&value).map_or(value, Value::String)
}

/// The object without its nulls and empty lists.
pub(crate) fn without_empty_lists(object: Value) -> Value {
    below(object)
}
