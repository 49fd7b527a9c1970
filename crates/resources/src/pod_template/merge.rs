//! How two pod templates become one.
//!
//! Source: the Java operator's `FlinkUtils.mergePodTemplates`. These rules differ from every merge that Kubernetes
//! itself knows, and users' templates depend on them.

use serde_json::{Map, Value};

/// What happens where both templates have a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArrayMerge {
    /// The i-th element is merged into the i-th; surplus elements are appended. Elements that are not objects stay
    /// as the base has them.
    ByPosition,
    /// Elements are matched by their `name` if all of them have one, else by position.
    /// Option `kubernetes.operator.pod-template.merge-arrays-by-name`.
    ByName,
}

/// Merges `over` into `base`: objects field by field, lists by `arrays`, and where the base has a scalar or nothing,
/// `over` wins. If one is absent, the result is the other.
#[must_use]
pub fn merge(base: Option<Value>, over: Option<Value>, arrays: ArrayMerge) -> Option<Value> {
    match (base, over) {
        (Some(Value::Object(mut base)), Some(Value::Object(over))) => {
            merge_object(&mut base, over, arrays);
            Some(Value::Object(base))
        }
        (Some(base), _) => Some(base),
        (None, over) => over,
    }
}

fn merge_object(base: &mut Map<String, Value>, over: Map<String, Value>, arrays: ArrayMerge) {
    for (field, over) in over {
        match (base.get_mut(&field), over) {
            (Some(Value::Array(base)), Value::Array(over)) => merge_array(base, over, arrays),
            (Some(Value::Object(base)), Value::Object(over)) => merge_object(base, over, arrays),
            // An object is never replaced by something else: Jackson finds no fields to merge in a scalar.
            (Some(Value::Object(_)), _) => {}
            (_, over) => {
                base.insert(field, over);
            }
        }
    }
}

fn merge_array(base: &mut Vec<Value>, over: Vec<Value>, arrays: ArrayMerge) {
    if arrays == ArrayMerge::ByName && all_named(base) && all_named(&over) {
        *base = merge_named(std::mem::take(base), over);
        return;
    }
    for (index, over) in over.into_iter().enumerate() {
        match (base.get_mut(index), over) {
            (Some(Value::Object(base)), Value::Object(over)) => merge_object(base, over, arrays),
            (Some(_), _) => {}
            (None, over) => base.push(over),
        }
    }
}

fn merge_named(base: Vec<Value>, over: Vec<Value>) -> Vec<Value> {
    // A Map keeps the order of first insertion, and a repeated name replaces the earlier element, as in Java.
    let mut merged: Map<String, Value> = group_by_name(base);
    for (name, over) in group_by_name(over) {
        match (merged.get_mut(&name), over) {
            (Some(Value::Object(base)), Value::Object(over)) => merge_object(base, over, ArrayMerge::ByName),
            (_, over) => {
                merged.insert(name, over);
            }
        }
    }
    merged.into_iter().map(|(_, element)| element).collect()
}

fn group_by_name(elements: Vec<Value>) -> Map<String, Value> {
    elements.into_iter().map(|element| (name_of(&element).unwrap_or_default(), element)).collect()
}

fn all_named(elements: &[Value]) -> bool {
    elements.iter().all(|element| name_of(element).is_some())
}

fn name_of(element: &Value) -> Option<String> {
    match element.get("name")? {
        Value::String(name) => Some(name.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}
