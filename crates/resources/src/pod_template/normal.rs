//! Templates as users write them, brought into the form that Kubernetes itself would give back.

use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::{Map, Value};

use crate::BuildError;

/// Quantities may be written as numbers; fields that hold them directly.
const QUANTITIES: [&str; 2] = ["sizeLimit", "divisor"];
/// Fields that hold maps of quantities.
const QUANTITY_MAPS: [&str; 4] = ["requests", "limits", "overhead", "capacity"];

/// Drops nulls, writes quantities as strings, and checks all fields that our Kubernetes types know.
pub(super) fn form(template: &Value, path: &'static str) -> Result<Value, BuildError> {
    let Value::Object(template) = template else {
        return Err(BuildError::PodTemplate { template: path, reason: "it is not an object".to_owned() });
    };
    let template = object(template, false);
    check(&template, path)?;
    Ok(Value::Object(template))
}

fn object(fields: &Map<String, Value>, quantities: bool) -> Map<String, Value> {
    fields
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(field, value)| (field.clone(), normal(value, field, quantities)))
        .collect()
}

fn normal(value: &Value, field: &str, is_quantity: bool) -> Value {
    match value {
        Value::Object(fields) => Value::Object(object(fields, QUANTITY_MAPS.contains(&field))),
        Value::Array(elements) => {
            let elements = elements.iter().filter(|element| !element.is_null());
            Value::Array(elements.map(|element| normal(element, "", false)).collect())
        }
        Value::Number(number) if is_quantity || QUANTITIES.contains(&field) => {
            Value::String(number.to_string())
        }
        other => other.clone(),
    }
}

fn check(template: &Map<String, Value>, path: &'static str) -> Result<(), BuildError> {
    let result: Result<PodTemplateSpec, _> =
        serde_path_to_error::deserialize(Value::Object(template.clone()));
    match result {
        Ok(_) => Ok(()),
        Err(error) => {
            let reason = format!("{}: {}", error.path(), error.inner());
            Err(BuildError::PodTemplate { template: path, reason })
        }
    }
}
