//! What the API server refuses by the schema of our CRDs.

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde_json::Value;

/// The CRDs of this repository.
#[derive(Debug)]
pub(super) struct Schema {
    definitions: Vec<Value>,
}

impl Schema {
    pub(super) fn read() -> anyhow::Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crds");
        let mut definitions = Vec::new();
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "yml") {
                let text = fs::read_to_string(&path)?;
                definitions.push(serde_saphyr::from_str(&text).with_context(|| path.display().to_string())?);
            }
        }
        Ok(Self { definitions })
    }

    /// The API server's message, if a value is not one of an enumeration. Types are not looked at: the recorded
    /// resources have none that our schema would refuse.
    pub(super) fn refusal(&self, resource: &Value) -> Option<String> {
        let definition =
            self.definitions.iter().find(|it| it["spec"]["names"]["kind"] == resource["kind"])?;
        let schema = definition.pointer("/spec/versions/0/schema/openAPIV3Schema")?;
        let mut violations = Vec::new();
        check(schema, resource, "", &mut violations);
        let (kind, name) = (resource["kind"].as_str()?, resource["metadata"]["name"].as_str()?);
        let group = definition["spec"]["group"].as_str()?;
        let reason = match violations.as_slice() {
            [] => return None,
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        Some(format!("{kind}.{group} \"{name}\" is invalid: {reason}"))
    }
}

fn check(schema: &Value, value: &Value, path: &str, violations: &mut Vec<String>) {
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        let mut allowed: Vec<String> = allowed.iter().map(Value::to_string).collect();
        allowed.sort_unstable();
        let supported = allowed.join(", ");
        violations.push(format!("{path}: Unsupported value: {value}: supported values: {supported}"));
    }
    for (field, value) in value.as_object().into_iter().flatten() {
        let below = if path.is_empty() { field.clone() } else { format!("{path}.{field}") };
        check(&schema["properties"][field], value, &below, violations);
    }
    for (index, value) in value.as_array().into_iter().flatten().enumerate() {
        check(&schema["items"], value, &format!("{path}[{index}]"), violations);
    }
}
