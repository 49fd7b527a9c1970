//! `flinkConfiguration`: kept as written, flattened when options are needed. Source:
//! `ConfigObjectNode.java`.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::Value;
use thiserror::Error;

use crate::json_text::number_text;

/// `flinkConfiguration` is not an object.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("flinkConfiguration must be an object of options, found {found}")]
pub struct NotAnObject {
    /// What was found instead, in JSON's words.
    pub found: &'static str,
}

/// Flattens the tree: `{a: {b: 1, "c.d": true}}` is `a.b=1`, `a.c.d=true`. Lists are joined with `;`; an
/// empty list or object gives no key; null gives the text `null`. If a key comes twice, the later value in
/// document order wins, at the place of the first. No tree, no options.
///
/// # Errors
/// The root is not an object. (The API server accepts that; the Java operator cannot decode it.)
pub fn flatten(raw: Option<&Value>) -> Result<Vec<(String, String)>, NotAnObject> {
    let found = match raw {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Object(tree)) => {
            let mut options = serde_json::Map::new();
            for (key, value) in tree {
                add(key, value, &mut options);
            }
            return Ok(options.into_iter().map(|(key, value)| (key, scalar_text(&value))).collect());
        }
        Some(Value::Bool(_)) => "a boolean",
        Some(Value::Number(_)) => "a number",
        Some(Value::String(_)) => "a string",
        Some(Value::Array(_)) => "a list",
    };
    Err(NotAnObject { found })
}

fn add(key: &str, value: &Value, options: &mut serde_json::Map<String, Value>) {
    match value {
        Value::Object(tree) => {
            for (name, value) in tree {
                add(&format!("{key}.{name}"), value, options);
            }
        }
        Value::Array(elements) => {
            if !elements.is_empty() {
                let text = elements.iter().map(scalar_text).collect::<Vec<_>>().join(";");
                options.insert(key.to_owned(), text.into());
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            options.insert(key.to_owned(), scalar_text(value).into());
        }
    }
}

/// Text of a scalar; empty for lists and objects, as upstream has it for elements of a list.
fn scalar_text(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number_text(number),
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => String::new(),
    }
}

/// Untyped, so that flat, nested and mixed spellings pass the API server unchanged.
pub(crate) fn schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "x-kubernetes-preserve-unknown-fields": true })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn flat(raw: &Value) -> String {
        let options = flatten(Some(raw)).unwrap();
        options.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn flattens_as_upstream() {
        for (raw, expected) in [
            (json!({"a": {"b": 1, "c.d": true}}), "a.b=1 a.c.d=true"),
            (json!({"a": [1, 2], "b": ["1", "2"]}), "a=1;2 b=1;2"),
            (json!({"a": [], "b": {}, "c": {"d": {}}}), ""),
            (json!({"a": [{"x": 1}, [2]]}), "a=;"),
            (json!({"a": null, "b": [null]}), "a=null b=null"),
            (
                json!({"a": 1.5, "b": 0.1, "c": 10_000_000_000_i64, "d": 1e3}),
                "a=1.5 b=0.1 c=10000000000 d=1000.0",
            ),
            (json!({"a": {"b": 1}, "a.b": 2}), "a.b=2"),
            (json!({"a.b": 2, "a": {"b": 1}}), "a.b=1"),
        ] {
            assert_eq!(flat(&raw), expected, "{raw}");
        }
    }

    #[test]
    fn refuses_a_root_that_is_no_object() {
        assert_eq!(flatten(None), Ok(vec![]));
        assert_eq!(flatten(Some(&json!("a: b"))).unwrap_err().found, "a string");
        assert_eq!(flatten(Some(&json!(["a"]))).unwrap_err().found, "a list");
    }
}
