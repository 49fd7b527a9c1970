//! The YAML text of a pod template, as the JobManager reads it when it makes TaskManager pods.
//!
//! Text and order of keys are those of the Java operator (SnakeYAML Engine over fabric8's model), so that a takeover
//! changes no byte: keys of Kubernetes types in alphabetical order, keys of free maps as merged, strings in double
//! quotes and folded at blanks after column 80, strings of several lines as literal blocks where YAML allows it.

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
    let mut writer = Writer { text: "---".to_owned(), column: 3, line_ended: false };
    let declared = TOP_LEVEL.iter().filter_map(|field| template.get_key_value(*field));
    let others = template.iter().filter(|(field, _)| !TOP_LEVEL.contains(&field.as_str()));
    let entries: Vec<_> = declared.chain(others).filter(|(field, value)| is_written(field, value)).collect();
    if entries.is_empty() {
        writer.push(" {}");
    } else {
        writer.line(0);
        writer.entries(&entries, 0);
    }
    writer.end_line();
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
    /// In UTF-16 units, as Java counts.
    column: usize,
    /// A literal block has ended its last line already.
    line_ended: bool,
}

impl Writer {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += width(text);
        self.line_ended = false;
    }

    fn end_line(&mut self) {
        if !self.line_ended {
            self.text.push('\n');
        }
        self.line_ended = true;
    }

    /// Ends the line and indents the next one.
    fn line(&mut self, indent: usize) {
        self.end_line();
        self.line_ended = false;
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
        match KeyStyle::of(key) {
            KeyStyle::Plain => self.push(key),
            KeyStyle::DoubleQuoted => self.push(&format!("\"{key}\"")),
            KeyStyle::SingleQuoted => self.push(&format!("'{}'", key.replace('\'', "''"))),
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
            Value::String(text) if is_literal(text) => self.literal(text, indent + INDENT),
            Value::String(text) => self.quoted(text, indent + INDENT),
            other => self.push(&other.to_string()),
        }
    }

    /// A literal block. The header says how much the lines are indented if the first one does not show it, and what
    /// becomes of line breaks at the end.
    fn literal(&mut self, text: &str, indent: usize) {
        self.push("|");
        if text.starts_with([' ', '\n']) {
            self.push(&INDENT.to_string());
        }
        match text.strip_suffix('\n') {
            None => self.push("-"),
            Some(rest) if rest.is_empty() || rest.ends_with('\n') => self.push("+"),
            Some(_) => {}
        }
        for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
            self.text.push('\n');
            if !line.is_empty() {
                self.text.extend(std::iter::repeat_n(' ', indent));
                self.text.push_str(line);
            }
        }
        self.end_line();
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
            let column = self.column + width(&pending);
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

/// In UTF-16 units.
fn width(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Whether a string is written as a literal block: it has several lines, and nothing that blocks cannot hold, which is
/// a blank at the end of a line and characters that have to be escaped (tabs among them).
fn is_literal(text: &str) -> bool {
    let can_be_in_block = |char: char| matches!(char, '\n' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.contains('\n') && !text.contains(" \n") && !text.ends_with(' ') && text.chars().all(can_be_in_block)
}

/// What is not written as a plain part of a double-quoted string; non-ASCII text stays as it is, but is treated like
/// an escape for folding.
fn escape(char: char) -> Option<String> {
    let escaped = match char {
        ' '..='~' if char != '"' && char != '\\' => return None,
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
        control if control.is_control() => format!("\\x{:02x}", u32::from(control)),
        printable => printable.to_string(),
    };
    Some(escaped)
}

/// How a key is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyStyle {
    Plain,
    DoubleQuoted,
    SingleQuoted,
}

impl KeyStyle {
    /// Keys that YAML 1.2 would not take for text are quoted, and the two letters that YAML 1.1 takes for booleans.
    fn of(key: &str) -> Self {
        let plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '.' | '/' | '-');
        if matches!(key, "y" | "Y" | "n" | "N") {
            Self::DoubleQuoted
        } else if key.is_empty() || !key.chars().all(plain) || is_yaml_value(key) {
            Self::SingleQuoted
        } else {
            Self::Plain
        }
    }
}

fn is_yaml_value(key: &str) -> bool {
    let unsigned = key.strip_prefix('-').unwrap_or(key);
    matches!(key, "true" | "false" | "null" | ".nan" | "---" | "...")
        || unsigned == ".inf"
        || is_number(unsigned)
}

/// A number of JSON, which may also end with its point.
fn is_number(text: &str) -> bool {
    let (mantissa, exponent) = text.split_once(['e', 'E']).map_or((text, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.chars().all(|char| char.is_ascii_digit());
    let is_whole = !whole.is_empty() && digits(whole) && (whole.len() == 1 || !whole.starts_with('0'));
    let is_exponent = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    is_whole && digits(fraction) && is_exponent
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
    fn strings_of_several_lines_are_literal_blocks() {
        let env = |value: &str| {
            text(&json!({"spec": {"containers": [{"env": [{"value": value}, {"name": "z"}]}]}}))
        };
        let block = |header: &str, lines: &str| {
            format!("---\nspec:\n  containers:\n  - env:\n    - value: {header}\n{lines}    - name: \"z\"\n")
        };
        for (value, header, lines) in [
            ("a\nb", "|-", "        a\n        b\n"),
            ("a\nb\n", "|", "        a\n        b\n"),
            ("a\n\n", "|+", "        a\n\n"),
            (" a\nb", "|2-", "         a\n        b\n"),
            ("\na", "|2-", "\n        a\n"),
            ("q\"\\\né", "|-", "        q\"\\\n        é\n"),
        ] {
            assert_eq!(env(value), block(header, lines), "{value:?}");
        }
        for (value, quoted) in
            [("a \nb", r#""a \nb""#), ("a\tb\nc", r#""a\tb\nc""#), ("a\r\nb", r#""a\r\nb""#)]
        {
            assert_eq!(env(value), block(quoted, ""), "{value:?}");
        }
    }

    #[test]
    fn keys_that_yaml_would_misread_are_quoted() {
        let keys = ["y", "on", "true", "null", "1.5", "1e3", "01", "0x1f", "-a", "a.b/c"];
        let labels: serde_json::Map<_, _> = keys.iter().map(|key| ((*key).to_owned(), json!("v"))).collect();
        let text = text(&json!({"metadata": {"labels": labels}}));
        let written: Vec<&str> =
            text.lines().skip(3).map(|line| line.trim().split(':').next().unwrap()).collect();
        let expected = ["\"y\"", "on", "'true'", "'null'", "'1.5'", "'1e3'", "01", "0x1f", "-a", "a.b/c"];
        assert_eq!(written, expected);
    }
}
