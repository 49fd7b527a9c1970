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
/// recorded.
const MAPS: &[&str] = &[
    "annotations",
    "labels",
    "limits",
    "matchLabels",
    "nodeSelector",
    "options",
    "overhead",
    "requests",
    "userAnnotations",
    "volumeAttributes",
];
/// Maps whose values are quantities.
const QUANTITY_MAPS: &[&str] = &["limits", "overhead", "requests"];
/// Fields that are quantities.
const QUANTITIES: &[&str] = &["divisor", "sizeLimit"];

/// A pod template as the Java operator records it: `metadata` and `spec` in the form of its Kubernetes
/// model classes (see [`as_model`]), then whatever else there is as it was written, because to its
/// model a template has nothing else.
pub(crate) fn as_recorded(template: Value) -> Value {
    let Value::Object(mut fields) = template else { return template };
    let mut recorded = Map::new();
    for key in ["metadata", "spec"] {
        if let Some(value) = fields.remove(key) {
            insert_as_model(key.to_owned(), value, &mut recorded);
        }
    }
    recorded.extend(fields);
    Value::Object(recorded)
}

/// The form of the Java operator's Kubernetes model classes: no nulls, no empty lists and maps,
/// quantities as strings. Keys keep their order: the API server sends them sorted, as the models have them.
pub(crate) fn as_model(value: Value) -> Value {
    let Value::Object(fields) = value else { return value };
    let mut recorded = Map::new();
    for (key, value) in fields {
        insert_as_model(key, value, &mut recorded);
    }
    Value::Object(recorded)
}

fn insert_as_model(key: String, value: Value, fields: &mut Map<String, Value>) {
    let value = match value {
        Value::Null => return,
        Value::Array(elements) if elements.is_empty() => return,
        Value::Array(elements) => elements.into_iter().map(as_model).collect(),
        Value::Object(map) if MAPS.contains(&key.as_str()) => {
            if map.is_empty() {
                return;
            }
            if QUANTITY_MAPS.contains(&key.as_str()) {
                map.into_iter().map(|(name, value)| (name, quantity(value))).collect()
            } else {
                Value::Object(map)
            }
        }
        Value::Number(_) if QUANTITIES.contains(&key.as_str()) => quantity(value),
        Value::Object(_) | Value::Bool(_) | Value::Number(_) | Value::String(_) => as_model(value),
    };
    fields.insert(key, value);
}

fn quantity(value: Value) -> Value {
    quantity_text(&value).map_or(value, Value::String)
}

#[cfg(all(test, feature = "crds"))]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::{MAPS, QUANTITIES, QUANTITY_MAPS};

    /// What the schema of Pod says of the fields by name.
    #[derive(Default)]
    struct Names<'a> {
        maps: BTreeSet<&'a str>,
        quantity_maps: BTreeSet<&'a str>,
        objects: BTreeSet<&'a str>,
        int_or_string: BTreeSet<&'a str>,
    }

    impl<'a> Names<'a> {
        fn collect(&mut self, schema: &'a Value) {
            if let Some(items) = schema.get("items") {
                self.collect(items);
            }
            for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten()
            {
                if let Some(values) = property.get("additionalProperties") {
                    self.maps.insert(name);
                    if values.get("x-kubernetes-int-or-string").is_some() {
                        self.quantity_maps.insert(name);
                    }
                } else if property["type"] == "object" {
                    self.objects.insert(name);
                }
                if property.get("x-kubernetes-int-or-string").is_some() {
                    self.int_or_string.insert(name);
                }
                self.collect(property);
            }
        }
    }

    #[test]
    fn lists_of_names_are_what_the_schema_of_pod_says() {
        let mut pod = crate::crd::pod_schema();
        // A template's status has no model, and nobody writes managed fields.
        pod["properties"].as_object_mut().unwrap().remove("status").unwrap();
        let mut names = Names::default();
        names.collect(&pod);
        let set = |names: &[&'static str]| names.iter().copied().collect::<BTreeSet<_>>();
        assert_eq!(names.maps, set(MAPS));
        assert_eq!(names.quantity_maps, set(QUANTITY_MAPS));
        assert!(names.maps.is_disjoint(&names.objects));
        // Ports are integers or names; integers among them stay integers.
        names.int_or_string.remove("port");
        assert_eq!(names.int_or_string, set(QUANTITIES));
    }
}
