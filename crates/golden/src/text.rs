//! ConfigMap data in a form that can be compared.

use serde_json::{Map, Value, json};

/// The flat configuration file.
pub const FLAT: &str = "flink-conf.yaml";
/// The nested configuration file.
pub const NESTED: &str = "config.yaml";

/// Turns the data of a ConfigMap into comparable values: the flat configuration into its sorted lines, the nested one
/// into its tree. Everything else stays text.
pub fn comparable(object: &mut Value) {
    let Some(Value::Object(data)) = object.get_mut("data") else { return };
    for (file, content) in data {
        let Some(text) = content.as_str() else { continue };
        match file.as_str() {
            FLAT => *content = json!(sorted_lines(text)),
            NESTED => {
                if let Ok(tree) = serde_saphyr::from_str::<Value>(text) {
                    *content = tree;
                }
            }
            _ => {}
        }
    }
}

/// The lines of a file, sorted, as the recordings' normalising does it.
#[must_use]
pub fn sorted_lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> =
        text.strip_suffix('\n').unwrap_or(text).split('\n').map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

/// Lines that continue the value of the line before, with that line. Only these are told apart from options by
/// sorting, so they are looked up in the text as the peer wrote it.
#[must_use]
pub fn continued_lines(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let pairs = lines.windows(2).filter(|pair| !pair[1].contains(": "));
    pairs.map(|pair| pair.join("\n")).collect()
}

/// Changes the value of one option in comparable data, flat or nested; `None` removes it.
pub fn edit_option(data: &mut Map<String, Value>, key: &str, mut edit: impl FnMut(&str) -> Option<String>) {
    if let Some(Value::Array(lines)) = data.get_mut(FLAT) {
        edit_line(lines, key, &mut edit);
    }
    if let Some(tree) = data.get_mut(NESTED) {
        edit_leaf(tree, key, &mut edit);
    }
}

fn edit_line(lines: &mut Vec<Value>, key: &str, edit: &mut impl FnMut(&str) -> Option<String>) {
    let prefix = format!("{key}: ");
    let position = lines.iter().position(|line| line.as_str().is_some_and(|line| line.starts_with(&prefix)));
    let Some(position) = position else { return };
    let edited = lines[position].as_str().and_then(|line| edit(&line[prefix.len()..]));
    match edited {
        Some(value) => lines[position] = json!(format!("{prefix}{value}")),
        None => drop(lines.remove(position)),
    }
}

/// Nested keys are split at every dot, so there is one way down. Maps that become empty go.
fn edit_leaf(tree: &mut Value, key: &str, edit: &mut impl FnMut(&str) -> Option<String>) {
    let Value::Object(fields) = tree else { return };
    match key.split_once('.') {
        Some((first, rest)) => {
            if let Some(inner) = fields.get_mut(first) {
                edit_leaf(inner, rest, edit);
                if inner.as_object().is_some_and(Map::is_empty) {
                    fields.remove(first);
                }
            }
        }
        None => match fields.get(key).and_then(Value::as_str).map(edit) {
            Some(Some(value)) => drop(fields.insert(key.to_owned(), json!(value))),
            Some(None) => drop(fields.remove(key)),
            None => {}
        },
    }
}

/// The value of one option in comparable data.
#[must_use]
pub fn option(data: &Map<String, Value>, key: &str) -> Option<String> {
    if let Some(Value::Array(lines)) = data.get(FLAT) {
        let prefix = format!("{key}: ");
        return lines.iter().find_map(|line| line.as_str()?.strip_prefix(&prefix).map(str::to_owned));
    }
    let mut node = data.get(NESTED)?;
    for part in key.split('.') {
        node = node.get(part)?;
    }
    node.as_str().map(str::to_owned)
}
