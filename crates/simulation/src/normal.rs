//! The end of a run, without what differs between two runs that end alike: times, uids, versions, identities.

use std::collections::BTreeMap;

use engine::ports::Kind;
use serde_json::{Map, Value, json};

use crate::api_server::ApiServer;

/// Fields of the metadata that say nothing about the end.
const METADATA: [&str; 6] =
    ["uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "managedFields", "namespace"];

/// How names of ConfigMaps with HA metadata end.
pub(crate) const HA_SUFFIX: &str = "-config-map";

/// Objects by kind and name.
pub type EndState = BTreeMap<String, Value>;

/// Everything that exists. Events and pods are not part of it: what was told and how often may differ
/// after a crash, and pods follow from the rest.
#[must_use]
pub(crate) fn end_state(server: &ApiServer) -> EndState {
    server
        .everything()
        .into_iter()
        .filter(|(kind, _, _)| !matches!(*kind, Kind::EVENT | Kind::POD))
        .map(|(kind, key, object)| {
            (format!("{kind} {}", mask(&key.name)), normal(kind, object.as_ref().clone()))
        })
        .collect()
}

/// Where two ends differ.
pub(crate) fn differences(wanted: &EndState, found: &EndState) -> Vec<String> {
    let mut differences = Vec::new();
    for name in wanted.keys().chain(found.keys().filter(|name| !wanted.contains_key(*name))) {
        differ(name, wanted.get(name), found.get(name), &mut differences);
    }
    differences
}

fn differ(place: &str, wanted: Option<&Value>, found: Option<&Value>, differences: &mut Vec<String>) {
    match (wanted, found) {
        (wanted, found) if wanted == found => {}
        (Some(Value::Object(wanted)), Some(Value::Object(found))) => {
            for name in wanted.keys().chain(found.keys().filter(|name| !wanted.contains_key(*name))) {
                differ(&format!("{place}/{name}"), wanted.get(name), found.get(name), differences);
            }
        }
        (wanted, found) => {
            let shown = |value: Option<&Value>| {
                let text = value.map_or_else(|| "nothing".to_owned(), Value::to_string);
                text.chars().take(300).collect::<String>()
            };
            differences.push(format!("{place} is {} instead of {}", shown(found), shown(wanted)));
        }
    }
}

fn normal(kind: Kind, object: Value) -> Value {
    let Value::Object(mut fields) = object else { return object };
    if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in METADATA {
            metadata.remove(field);
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(crate::fault::TOUCHED);
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
    }
    if kind == Kind::DEPLOYMENT {
        fields.remove("status");
    }
    if kind == Kind::FLINK_STATE_SNAPSHOT
        && let Some(status) = fields.get_mut("status").and_then(Value::as_object_mut)
    {
        // Each fault may cost one try.
        status.remove("failures");
    }
    let of_ha = |fields: &Map<String, Value>| {
        let name = fields.get("metadata").and_then(|it| it.get("name")).and_then(Value::as_str);
        name.is_some_and(|name| name.ends_with(HA_SUFFIX))
    };
    if kind == Kind::CONFIG_MAP && of_ha(&fields) {
        // Flink's own: how far it has come depends on the moment.
        let data = fields.get("data").and_then(Value::as_object).cloned().unwrap_or_default();
        let keys: Vec<&str> = data.keys().map(|key| key.split('-').next().unwrap_or(key)).collect();
        fields.insert("data".to_owned(), json!(keys));
    }
    masked("", Value::Object(fields))
}

fn masked(name: &str, value: Value) -> Value {
    match value {
        Value::Object(mut fields) => {
            // How much a job has done depends on the moment.
            fields.remove("state-size");
            fields.remove("ClusterHealthInfo");
            // After a crash the first cluster may be made from a later spec already.
            fields.remove("firstDeployment");
            let mut fields: Vec<(String, Value)> =
                fields.into_iter().map(|(name, value)| (mask(&name), masked(&name, value))).collect();
            fields.sort_by(|one, other| one.0.cmp(&other.0));
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(|item| masked(name, item)).collect()),
        Value::String(text) => masked_text(name, &text),
        Value::Number(number) if number.as_i64().is_some_and(|it| it > 100_000_000_000) => json!("<time>"),
        other => other,
    }
}

fn masked_text(name: &str, text: &str) -> Value {
    match name {
        "lastReconciledSpec" | "lastStableSpec" => {
            if let Ok(spec) = serde_json::from_str::<Value>(text) {
                return masked("", spec);
            }
        }
        "error" => {
            if let Ok(error @ Value::Object(_)) = serde_json::from_str::<Value>(text) {
                return masked("", error);
            }
        }
        _ => {}
    }
    if text.parse::<jiff::Timestamp>().is_ok() {
        return json!("<time>");
    }
    // YAML puts quotes around an identity that could be a number.
    json!(mask(text).replace("'<id>'", "<id>"))
}

/// Replaces what looks like an identity, a time in milliseconds, or the number of a checkpoint or savepoint.
fn mask(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        let (run, after) = rest.split_at(digits);
        if masked.ends_with("chk-") && digits > 0 {
            masked.push_str("<n>");
        } else if masked.ends_with("savepoint-") && digits == 6 {
            masked.push_str("<job>");
        } else if digits >= 11 {
            masked.push_str("<id>");
        } else {
            masked.push_str(run);
        }
        let mut rest_chars = after.chars();
        masked.extend(rest_chars.next());
        rest = rest_chars.as_str();
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_between_equal_ends_is_masked() {
        assert_eq!(mask("0123456789abcdef0123456789abcdef"), "<id>");
        assert_eq!(mask("s3://c/0123456789abcdef0123456789abcdef/chk-17"), "s3://c/<id>/chk-<n>");
        assert_eq!(mask("s3://s/savepoint-0a1b2c-00000000001f"), "s3://s/savepoint-<job>-<id>");
        assert_eq!(mask("app-rest"), "app-rest");
        assert_eq!(mask("1730000000000"), "<id>");
        assert_eq!(masked_text("x", "2026-01-01T00:00:00Z"), json!("<time>"));
        assert_eq!(masked("n", json!(1_730_000_000_000_i64)), json!("<time>"));
        assert_eq!(masked("n", json!({"b": 1, "a": "deadbeef"})), json!({"a": "deadbeef", "b": 1}));
    }
}
