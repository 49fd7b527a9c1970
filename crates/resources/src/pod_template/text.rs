//! The YAML text of a pod template, as the JobManager reads it when it makes TaskManager pods.
//!
//! Text and order of keys are those of the Java operator (Jackson and SnakeYAML over fabric8's model), so that a
//! takeover changes no byte: keys of Kubernetes types in alphabetical order, keys of free maps as merged, all
//! strings in double quotes, lines folded at blanks after column 80.

use serde_json::{Map, Value};

const FOLD_AFTER_COLUMN: usize = 80;
const INDENT: usize = 2;

/// Fields of pod templates that hold free maps: their keys keep their order, and they are left out when empty.
const FREE_MAPS: [&str; 10] = [
    "annotations",
    "labels",
    "limits",
    "matchLabels",
    "nodeSelector",
    "options",
    "overhead",
    "requests",
    "volumeAttributes",
    "capacity",
];

/// Top-level fields of a PodTemplateSpec. A template may carry more (`apiVersion`, `kind`), which come last.
const TOP_LEVEL: [&str; 2] = ["metadata", "spec"];

/// Renders a template. The result ends with a line break and parses to exactly the same values.
#[must_use]
pub fn render(template: &Map<String, Value>) -> String {
    let mut writer = Writer { text: "---".to_owned(), column: 3 };
    let declared = TOP_LEVEL.iter().filter_map(|field| template.get_key_value(*field));
    let others = template.iter().filter(|(field, _)| !TOP_LEVEL.contains(&field.as_str()));
    let entries: Vec<_> = declared.chain(others).filter(|(field, value)| is_written(field, value)).collect();
    if entries.is_empty() {
        writer.push(" {}");
    } else {
        writer.line(0);
        writer.entries(&entries, 0);
    }
    writer.text.push('\n');
    writer.text
}

fn is_written(field: &str, value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(elements) => !elements.is_empty(),
        Value::Object(object) => !(object.is_empty() && FREE_MAPS.contains(&field)),
        _ => true,
    }
}

fn ordered<'a>(field: &str, object: &'a Map<String, Value>) -> Vec<(&'a String, &'a Value)> {
    let mut entries: Vec<_> = object.iter().filter(|(field, value)| is_written(field, value)).collect();
    if !FREE_MAPS.contains(&field) {
        entries.sort_by_key(|(field, _)| (declaration_rank(field), *field));
    }
    entries
}

/// fabric8 declares these three before the others, which are in alphabetical order.
fn declaration_rank(field: &str) -> u8 {
    match field {
        "apiVersion" => 0,
        "kind" => 1,
        "metadata" => 2,
        _ => 3,
    }
}

struct Writer {
    text: String,
    column: usize,
}

impl Writer {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += text.chars().count();
    }

    /// Ends the line and indents the next one.
    fn line(&mut self, indent: usize) {
        self.text.push('\n');
        self.text.extend(std::iter::repeat_n(' ', indent));
        self.column = indent;
    }

    /// Entries of an object whose first key starts where the writer stands; the others at `indent`.
    fn entries(&mut self, entries: &[(&String, &Value)], indent: usize) {
        for (index, (field, value)) in entries.iter().enumerate() {
            if index > 0 {
                self.line(indent);
            }
            self.key(field);
            self.push(":");
            self.value(field, value, indent);
        }
    }

    fn key(&mut self, key: &str) {
        if needs_quotes(key) {
            self.push(&format!("\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\"")));
        } else {
            self.push(key);
        }
    }

    fn value(&mut self, field: &str, value: &Value, indent: usize) {
        match value {
            Value::Object(object) => {
                let entries = ordered(field, object);
                if entries.is_empty() {
                    self.push(" {}");
                } else {
                    self.line(indent + INDENT);
                    self.entries(&entries, indent + INDENT);
                }
            }
            Value::Array(elements) => {
                for element in elements {
                    self.line(indent);
                    self.element(element, indent);
                }
            }
            scalar => {
                self.push(" ");
                self.scalar(scalar, indent);
            }
        }
    }

    fn element(&mut self, element: &Value, indent: usize) {
        self.push("-");
        match element {
            Value::Object(object) => {
                let entries = ordered("", object);
                if entries.is_empty() {
                    self.push(" {}");
                } else {
                    self.push(" ");
                    self.entries(&entries, indent + INDENT);
                }
            }
            Value::Array(elements) if elements.is_empty() => self.push(" []"),
            Value::Array(elements) => {
                // Kubernetes has no lists of lists in a pod; written so that it parses back all the same.
                self.push(" ");
                for (index, inner) in elements.iter().enumerate() {
                    if index > 0 {
                        self.line(indent + INDENT);
                    }
                    self.element(inner, indent + INDENT);
                }
            }
            scalar => {
                self.push(" ");
                self.scalar(scalar, indent);
            }
        }
    }

    fn scalar(&mut self, scalar: &Value, indent: usize) {
        match scalar {
            Value::String(text) => self.quoted(text, indent + INDENT),
            other => self.push(&other.to_string()),
        }
    }

    /// A string in double quotes. Folds like SnakeYAML: at a blank, or after an escape, once the column is passed;
    /// a leading blank on the next line is escaped.
    fn quoted(&mut self, text: &str, indent: usize) {
        let chars: Vec<char> = text.chars().collect();
        self.push("\"");
        let mut pending = String::new();
        for (index, &char) in chars.iter().enumerate() {
            let foldable = index > 0 && index + 1 < chars.len();
            if let Some(escaped) = escape(char) {
                self.push(&std::mem::take(&mut pending));
                self.push(&escaped);
                if foldable && self.column > FOLD_AFTER_COLUMN + 1 {
                    self.fold(indent, chars.get(index + 1) == Some(&' '));
                }
                continue;
            }
            let column = self.column + pending.chars().count();
            if foldable && (char == ' ' || pending.is_empty()) && column > FOLD_AFTER_COLUMN {
                self.push(&std::mem::take(&mut pending));
                self.fold(indent, char == ' ');
            }
            pending.push(char);
        }
        self.push(&pending);
        self.push("\"");
    }

    fn fold(&mut self, indent: usize, blank_follows: bool) {
        self.push("\\");
        self.line(indent);
        if blank_follows {
            self.push("\\");
        }
    }
}

/// What SnakeYAML does not write as a plain part of a double-quoted string; non-ASCII text stays as it is, but is
/// treated like an escape for folding.
fn escape(char: char) -> Option<String> {
    let escaped = match char {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        '\0' => "\\0".to_owned(),
        '\u{7}' => "\\a".to_owned(),
        '\u{8}' => "\\b".to_owned(),
        '\t' => "\\t".to_owned(),
        '\n' => "\\n".to_owned(),
        '\u{b}' => "\\v".to_owned(),
        '\u{c}' => "\\f".to_owned(),
        '\r' => "\\r".to_owned(),
        '\u{1b}' => "\\e".to_owned(),
        '\u{85}' => "\\N".to_owned(),
        '\u{a0}' => "\\_".to_owned(),
        '\u{2028}' => "\\L".to_owned(),
        '\u{2029}' => "\\P".to_owned(),
        ' '..='~' => return None,
        '\u{feff}' => "\\uFEFF".to_owned(),
        control if control.is_control() => format!("\\x{:02X}", u32::from(control)),
        printable => printable.to_string(),
    };
    Some(escaped)
}

/// Keys that a YAML 1.1 reader would not take for text, and keys with characters that mean something in YAML.
fn needs_quotes(key: &str) -> bool {
    const RESERVED: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '.' | '/' | '-');
    key.is_empty()
        || key.starts_with('-')
        || !key.chars().all(plain)
        || RESERVED.contains(&key.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::render;

    fn text(template: &serde_json::Value) -> String {
        render(template.as_object().unwrap())
    }

    #[test]
    fn kubernetes_keys_are_sorted_and_map_keys_are_not() {
        let template = json!({
            "kind": "Pod",
            "spec": {"containers": [{"name": "c", "env": [], "args": ["1"]}], "nodeSelector": {"b": "1", "a": "2"}},
            "metadata": {"labels": {}, "name": "n"},
        });
        assert_eq!(
            text(&template),
            "---\nmetadata:\n  name: \"n\"\nspec:\n  containers:\n  - args:\n    - \"1\"\n    name: \"c\"\n  \
             nodeSelector:\n    b: \"1\"\n    a: \"2\"\nkind: \"Pod\"\n"
        );
    }

    #[test]
    fn empty_templates_and_empty_structures() {
        assert_eq!(text(&json!({})), "--- {}\n");
        assert_eq!(
            text(&json!({"spec": {"volumes": [{"emptyDir": {}, "name": "v"}]}})),
            "---\nspec:\n  volumes:\n  - emptyDir: {}\n    name: \"v\"\n"
        );
    }

    #[test]
    fn long_strings_are_folded_and_read_back() {
        let long = "word ".repeat(40) + "\"q\" \\ \n\t ünï end";
        let template = json!({"spec": {"containers": [{"command": ["sh", long], "name": "yes"}]}});
        let text = text(&template);
        assert!(text.lines().all(|line| line.chars().count() <= 90), "{text}");
        let read: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(read, template);
    }

    #[test]
    fn keys_that_yaml_would_misread_are_quoted() {
        let template = json!({"metadata": {"labels": {"on": "x", "a.b/c": "y"}}});
        assert_eq!(text(&template), "---\nmetadata:\n  labels:\n    \"on\": \"x\"\n    a.b/c: \"y\"\n");
    }
}
