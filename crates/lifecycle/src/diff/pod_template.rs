//! Comparison of pod templates and resource requirements.

use flink_conf::quantity::Quantity;
use serde_json::Value;

/// A recorded pod template without fields besides `metadata` and `spec`, which do not count: the schema of the CRD is
/// that of a Pod, but the operator reads a template.
pub(super) fn template_only(recorded: &Value) -> Value {
    let Value::Object(fields) = recorded else { return recorded.clone() };
    let kept = fields.iter().filter(|(key, _)| matches!(key.as_str(), "metadata" | "spec"));
    Value::Object(kept.map(|(key, value)| (key.clone(), value.clone())).collect())
}

/// `jobManager` or `taskManager`, as recorded, with [`template_only`] done to its pod template.
pub(super) fn with_template_only(component: &Value) -> Value {
    let mut component = component.clone();
    if let Some(template) = component.get_mut("podTemplate") {
        *template = template_only(template);
    }
    component
}

/// Whether two scalars are the same quantity, written differently (`1` and `1000m`), at a place for quantities.
pub(super) fn same_quantity(path: &[&str], old: &Value, new: &Value) -> bool {
    is_quantity(path) && matches!((quantity(old), quantity(new)), (Some(old), Some(new)) if old == new)
}

fn is_quantity(path: &[&str]) -> bool {
    matches!(
        path,
        [.., "requests" | "limits" | "overhead", _]
            | [.., "emptyDir", "sizeLimit"]
            | [.., "resourceFieldRef", "divisor"]
    )
}

fn quantity(value: &Value) -> Option<Quantity> {
    match value {
        Value::String(text) => Quantity::parse(text),
        Value::Number(number) => Quantity::parse(&number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
