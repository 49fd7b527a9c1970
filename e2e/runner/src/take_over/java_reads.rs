//! Whether the Java operator could read a status that ours wrote: by its own CRD, and by the specs that it records.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::kubernetes::text;

/// The fields of the status that the Java operator does not know. It ignores and drops them.
const OURS: [&str; 2] = ["operation", "retry"];

/// Fails at the first field that Apache's CRD does not know or that has another type or value there, and if a recorded
/// spec has other fields than one that the Java operator recorded.
pub(super) fn check(status: &Value, recorded: &Value) -> Result<()> {
    let mut known = status.clone();
    if let Some(fields) = known.as_object_mut() {
        fields.retain(|name, _| !OURS.contains(&name.as_str()));
    }
    conforms("status", &known, &schema()?)?;
    for key in ["lastReconciledSpec", "lastStableSpec"] {
        let pointer = format!("/reconciliationStatus/{key}");
        if recorded.pointer(&pointer).is_none() {
            continue;
        }
        let (ours, java) = (fields(text(status, &pointer))?, fields(text(recorded, &pointer))?);
        let more: Vec<_> = ours.difference(&java).collect();
        let fewer: Vec<_> = java.difference(&ours).collect();
        ensure!(more.is_empty() && fewer.is_empty(), "{key}: more fields {more:?}, fewer fields {fewer:?}");
    }
    Ok(())
}

/// The schema of the status in Apache's CRD.
fn schema() -> Result<Value> {
    let folder = reference::folder("crds")?.context("no reference")?;
    let yaml = fs::read_to_string(folder.join("flinkdeployments.flink.apache.org-v1.yml"))?;
    let definition: Value = serde_saphyr::from_str(&yaml)?;
    let status = definition.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/status");
    status.cloned().context("the CRD has no status")
}

fn conforms(path: &str, value: &Value, schema: &Value) -> Result<()> {
    let wanted = text(schema, "/type");
    let fits = match value {
        Value::Null => true,
        Value::Bool(_) => wanted == "boolean",
        Value::Number(number) => wanted == "number" || wanted == "integer" && !number.is_f64(),
        Value::String(_) => wanted == "string",
        Value::Array(_) => wanted == "array",
        Value::Object(_) => wanted == "object",
    };
    ensure!(fits, "{path} is {value}, not {wanted}");
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array) {
        ensure!(value.is_null() || allowed.contains(value), "{path} is {value}, not one of {allowed:?}");
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        conforms(&format!("{path}[{index}]"), item, &schema["items"])?;
    }
    for (key, field) in value.as_object().into_iter().flatten() {
        let of_field = schema["properties"].get(key).or(schema.get("additionalProperties"));
        let of_field = of_field.with_context(|| format!("Apache's CRD knows no {path}.{key}"))?;
        conforms(&format!("{path}.{key}"), field, of_field)?;
    }
    Ok(())
}

/// The fields of a recorded spec, down to those that users name themselves.
fn fields(spec: &str) -> Result<BTreeSet<String>> {
    let spec: Value = serde_json::from_str(spec)?;
    let mut found = BTreeSet::new();
    for (key, value) in spec.as_object().into_iter().flatten() {
        for (field, value) in value.as_object().into_iter().flatten() {
            found.insert(format!("{key}.{field}"));
            if field == "job" || field == "jobManager" || field == "taskManager" {
                let below = value.as_object().into_iter().flatten();
                found.extend(below.map(|(name, _)| format!("{key}.{field}.{name}")));
            }
        }
    }
    Ok(found)
}
