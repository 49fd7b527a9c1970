//! The differing leaves below two JSON values, as lines of text.

use serde_json::Value;

/// Longest text of one value. A log configuration or a pod template may be long, an event must not be.
const VALUE_LIMIT: usize = 1024;

/// A differing leaf: its path below the compared values, old text, new text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    /// Empty, or begins with a dot.
    pub(super) path: String,
    pub(super) old: Option<String>,
    pub(super) new: Option<String>,
}

/// Says whether two scalars below `path` (keys and indices) are equal although their texts differ.
pub(super) type Equal = fn(path: &[&str], old: &Value, new: &Value) -> bool;

/// For values of which only the text counts.
pub(super) fn by_text(_: &[&str], _: &Value, _: &Value) -> bool {
    false
}

/// All leaves in which `old` and `new` differ, in the order of the old value, followed by what is new.
///
/// Lists are compared position by position, so that every line is true of both values. Null and absent are the same.
pub(super) fn differences(old: &Value, new: &Value, equal: Equal) -> Vec<Leaf> {
    let mut found = Vec::new();
    collect(&mut Vec::new(), old, new, equal, &mut found);
    found
}

fn collect<'a>(path: &mut Vec<&'a str>, old: &'a Value, new: &'a Value, equal: Equal, found: &mut Vec<Leaf>) {
    match (old, new) {
        (Value::Object(before), Value::Object(after)) => {
            let removed_or_kept = before.iter().map(|(key, value)| (key, value, after.get(key)));
            for (key, value, other) in removed_or_kept {
                path.push(key);
                collect(path, value, other.unwrap_or(&Value::Null), equal, found);
                path.pop();
            }
            for (key, value) in after.iter().filter(|(key, _)| !before.contains_key(*key)) {
                path.push(key);
                collect(path, &Value::Null, value, equal, found);
                path.pop();
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            for index in 0..before.len().max(after.len()) {
                let element = |list: &'a [Value]| list.get(index).unwrap_or(&Value::Null);
                collect_element(path, index, element(before), element(after), equal, found);
            }
        }
        _ if old == new || equal(path, old, new) => {}
        _ => found.push(Leaf {
            path: path.iter().fold(String::new(), |text, part| text + "." + part),
            old: old_text(old, new),
            new: text(new),
        }),
    }
}

fn collect_element(
    path: &[&str],
    index: usize,
    old: &Value,
    new: &Value,
    equal: Equal,
    found: &mut Vec<Leaf>,
) {
    let index = index.to_string();
    let mut path: Vec<&str> = path.to_vec();
    path.push(&index);
    collect(&mut path, old, new, equal, found);
}

/// The old value; only a mark if something composite vanished, as nobody wants to read all of it again.
fn old_text(old: &Value, new: &Value) -> Option<String> {
    if new.is_null() && (old.is_object() || old.is_array()) { Some("{..}".to_owned()) } else { text(old) }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) if !text.is_empty() => Some(shortened(text.clone())),
        other => Some(shortened(other.to_string())),
    }
}

fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(VALUE_LIMIT) {
        text.truncate(end);
        text.push('…');
    }
    text
}
