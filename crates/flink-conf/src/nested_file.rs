//! `config.yaml`, the file of Flink 2.x: YAML with keys nested at every dot.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::conf::FlinkConf;
use crate::error::ConfError;
use crate::option::internal;
use crate::{java_text, structured};

/// Reads a `config.yaml`: nested maps become keys joined with `.`, scalars their text, lists Flink's
/// legacy list text (so that the result can be written for Flink 1.x as well).
///
/// # Errors
/// [`ConfError::Yaml`] if the text is not YAML, a key stands twice in one map, or the root is not a map.
/// An empty file is an empty configuration.
pub fn parse(file: &str) -> Result<FlinkConf, ConfError> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        with_snippet: false,
        non_finite_float_policy: serde_saphyr::options::NonFiniteFloatPolicy::PassThrough,
    };
    let root: Option<Node> = serde_saphyr::from_str_with_options(file, options)
        .map_err(|error| ConfError::Yaml(error.to_string()))?;
    let mut conf = FlinkConf::new();
    match root {
        None | Some(Node::Null) => {}
        Some(Node::Map(entries)) => flatten(&mut conf, "", entries)?,
        Some(_) => return Err(ConfError::Yaml("the file is not a map of keys to values".to_owned())),
    }
    Ok(conf)
}

fn flatten(conf: &mut FlinkConf, prefix: &str, entries: Vec<(String, Node)>) -> Result<(), ConfError> {
    for (key, node) in entries {
        let key = format!("{prefix}{key}");
        match node {
            Node::Map(children) => flatten(conf, &format!("{key}."), children)?,
            // Java refuses a null value with an exception that names nothing.
            Node::Null => return Err(ConfError::Yaml(format!("key {key} has no value"))),
            Node::Scalar(text) => conf.set(key, text),
            Node::List(elements) => {
                let texts: Vec<String> = elements.iter().map(Node::element_text).collect();
                conf.set_list(key, &texts);
            }
        }
    }
    Ok(())
}

/// A YAML node with scalars as Java prints them.
enum Node {
    Null,
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    /// The text of a list element. Maps in lists (tolerations, for example) have Flink's map text.
    fn element_text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Scalar(text) => text.clone(),
            Self::List(elements) => {
                structured::join_list(&elements.iter().map(Self::element_text).collect::<Vec<_>>())
            }
            Self::Map(entries) => {
                let pairs: Vec<(&str, String)> =
                    entries.iter().map(|(key, node)| (key.as_str(), node.element_text())).collect();
                structured::join_map(pairs.iter().map(|(key, value)| (*key, value.as_str())))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Scalar(java_text::double(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            list.push(element);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut map = Vec::new();
        while let Some((key, value)) = entries.next_entry::<Node, Node>()? {
            let Node::Scalar(key) = key else {
                return Err(A::Error::custom("a key is not a text"));
            };
            map.push((key, value));
        }
        Ok(Node::Map(map))
    }
}

/// Refuses configurations that cannot be nested: a key that is also the prefix of another one.
///
/// # Errors
/// [`ConfError::OverlappingKeys`] with the first such pair. The Java operator has the same rule and text.
pub fn check_overlaps(conf: &FlinkConf) -> Result<(), ConfError> {
    for (key, _) in conf.iter() {
        let prefix = format!("{key}.");
        if let Some((rest, _)) = conf.with_prefix(&prefix).next() {
            return Err(ConfError::OverlappingKeys {
                key: key.to_owned(),
                longer: format!("{prefix}{rest}"),
            });
        }
    }
    Ok(())
}

/// Keys that Flink's client holds as real lists when it writes the file, and which therefore are YAML
/// lists in it. All other lists are legacy list text, which Flink 2.x reads as well.
const LIST_KEYS: [&str; 1] = [internal::APPLICATION_ARGS.name];

/// Writes the file as the Java operator does for Flink 2.x: keys nested at every dot, every scalar a
/// string, alphabetical order.
///
/// # Errors
/// [`ConfError::OverlappingKeys`] as [`check_overlaps`]; [`ConfError::Value`] if the program arguments are
/// not list text.
pub fn render(conf: &FlinkConf) -> Result<String, ConfError> {
    check_overlaps(conf)?;
    let mut root = Tree::default();
    for (key, value) in conf.iter() {
        let leaf = if LIST_KEYS.contains(&key) {
            Leaf::List(conf.list(key)?.unwrap_or_default())
        } else {
            Leaf::Text(value.to_owned())
        };
        root.insert(&mut key.split('.'), leaf);
    }
    let mut out = String::new();
    root.write(&mut out, 0);
    Ok(out)
}

#[derive(Default)]
struct Tree {
    children: BTreeMap<String, Tree>,
    leaf: Option<Leaf>,
}

enum Leaf {
    Text(String),
    List(Vec<String>),
}

impl Tree {
    fn insert<'a>(&mut self, path: &mut impl Iterator<Item = &'a str>, leaf: Leaf) {
        match path.next() {
            None => self.leaf = Some(leaf),
            Some(part) => self.children.entry(part.to_owned()).or_default().insert(path, leaf),
        }
    }

    fn write(&self, out: &mut String, depth: usize) {
        let indent = "  ".repeat(depth);
        for (key, child) in &self.children {
            out.push_str(&indent);
            out.push_str(&scalar(key));
            out.push(':');
            match &child.leaf {
                None => {
                    out.push('\n');
                    child.write(out, depth + 1);
                }
                Some(Leaf::Text(text)) => {
                    out.push(' ');
                    out.push_str(&scalar(text));
                    out.push('\n');
                }
                Some(Leaf::List(elements)) if elements.is_empty() => out.push_str(" []\n"),
                Some(Leaf::List(elements)) => {
                    out.push('\n');
                    for element in elements {
                        out.extend([indent.as_str(), "- ", &scalar(element), "\n"]);
                    }
                }
            }
        }
    }
}

/// A YAML scalar that every reader takes for this string: plain where that is safe in YAML 1.1 and 1.2,
/// else in single quotes, and in double quotes if it has characters that need an escape.
fn scalar(text: &str) -> String {
    if text.chars().any(needs_escape) {
        double_quoted(text)
    } else if is_plain(text) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

fn needs_escape(c: char) -> bool {
    // Besides control characters: line separators, the byte order mark and noncharacters, which
    // readers either fold or refuse.
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

fn double_quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if needs_escape(c) => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Texts that YAML 1.1 readers take for something else than a string, besides numbers.
const WORDS: [&str; 12] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "~", "<<", "="];

fn is_plain(text: &str) -> bool {
    let Some(first) = text.chars().next() else { return false };
    let starts_well = first.is_alphabetic() || matches!(first, '$' | '/' | '_' | '(') || is_safe_dash(text);
    let ends_well = !text.ends_with([' ', ':']);
    let resolves = WORDS.iter().any(|word| word.eq_ignore_ascii_case(text));
    starts_well
        && ends_well
        && !resolves
        && !text.contains(": ")
        && !text.contains(" #")
        && !looks_numeric(text)
}

/// `--flag` and `-flag` are plain in block context, `-` alone, `- x` and `---` are not.
fn is_safe_dash(text: &str) -> bool {
    let rest = text.trim_start_matches('-');
    rest.len() < text.len()
        && text.len() - rest.len() <= 2
        && rest.chars().next().is_some_and(char::is_alphabetic)
        && !rest.to_ascii_lowercase().starts_with(".inf")
}

/// Digits first, possibly signed: numbers of any base, dates, sexagesimals, and much that is harmless.
/// Those that begin with a letter or are harmless words never come here.
fn looks_numeric(text: &str) -> bool {
    let rest = text.trim_start_matches(['+', '-', '.']);
    rest.starts_with(|c: char| c.is_ascii_digit())
        || matches!(rest.to_ascii_lowercase().as_str(), "inf" | "nan")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn conf(entries: &[(&str, &str)]) -> FlinkConf {
        entries.iter().copied().collect()
    }

    #[test]
    fn reads_yaml_as_flink_does() -> Result<(), ConfError> {
        let file = "
# comment
taskmanager:
  numberOfTaskSlots: 2
  memory: {process.size: 1g}
parallelism.default: 4
a: true
b: 1.50
c: 1e3
yes: no
quoted: '0x10'
list: [a, 'b;c', 3]
tolerations:
- {key: k, operator: Exists}
- key: k2
text: |
  l1
  l2
";
        let expected = conf(&[
            ("taskmanager.numberOfTaskSlots", "2"),
            ("taskmanager.memory.process.size", "1g"),
            ("parallelism.default", "4"),
            ("a", "true"),
            ("b", "1.5"),
            ("c", "1000.0"),
            ("yes", "no"),
            ("quoted", "0x10"),
            ("list", "a;'b;c';3"),
            ("tolerations", "key:k,operator:Exists;key:k2"),
            ("text", "l1\nl2\n"),
        ]);
        assert_eq!(parse(file)?, expected);
        assert_eq!(parse("")?, FlinkConf::new());
        assert_eq!(parse("# only a comment\n")?, FlinkConf::new());
        Ok(())
    }

    #[test]
    fn refuses_what_flink_refuses() {
        for file in ["a: 1\na: 2\n", "- a\n", "a: [", "text", "a:\n  b: 1\n  b: 2\n", "a:\n"] {
            assert!(matches!(parse(file), Err(ConfError::Yaml(_))), "{file}");
        }
    }

    #[test]
    fn overlapping_keys_are_refused() {
        let error = render(&conf(&[
            ("a-b", "0"),
            ("high-availability", "kubernetes"),
            ("high-availability.storageDir", "s3"),
        ]));
        assert_eq!(
            error.expect_err("overlap").to_string(),
            "Overlapping key prefixes detected (high-availability -> high-availability.storageDir), please replace with \
             Flink v2 compatible, non-deprecated keys."
        );
        assert_eq!(check_overlaps(&conf(&[("a", "1"), ("a-b.c", "2"), ("ab.c", "3")])), Ok(()));
    }

    #[test]
    fn writes_what_people_expect() -> Result<(), ConfError> {
        let rendered = render(&conf(&[
            ("$internal.application.program-args", "--a;'b;c';;1"),
            ("blob.server.port", "6124"),
            ("execution.checkpointing.interval", "10 s"),
            ("pipeline.jars", "local:///x.jar"),
            ("s", "x: y # z"),
            ("multi", "l1\nl2"),
            ("web.cancel.enable", "false"),
        ]))?;
        let expected = "\
$internal:
  application:
    program-args:
    - --a
    - b;c
    - ''
    - '1'
blob:
  server:
    port: '6124'
execution:
  checkpointing:
    interval: '10 s'
multi: \"l1\\nl2\"
pipeline:
  jars: local:///x.jar
s: 'x: y # z'
web:
  cancel:
    enable: 'false'
";
        similar_asserts::assert_eq!(rendered, expected);
        assert_eq!(
            render(&conf(&[("$internal.application.program-args", "")]))?,
            "$internal:\n  application:\n    program-args: []\n"
        );
        Ok(())
    }

    const ODD: &str =
        "[a-cTFyn0-9.:#'\"{}\\[\\]&*!|>%@`,?~=<+_$/ \t\n\r\\\\é\u{a0}\u{85}\u{2028}\u{feff}\u{7f}😀-]{0,8}";

    proptest! {
        #[test]
        fn everything_comes_back(entries in prop::collection::btree_map("[a-c$#: '\"é0.-]{1,6}", ODD, 0..8)) {
            let all: FlinkConf = entries.into_iter().collect();
            prop_assume!(check_overlaps(&all).is_ok());
            let file = render(&all).expect("no overlaps");
            prop_assert_eq!(parse(&file), Ok(all), "{}", file);
        }

        #[test]
        fn arguments_come_back(args in prop::collection::vec(ODD, 0..6)) {
            let mut all = FlinkConf::new();
            all.set_list(internal::APPLICATION_ARGS.name, &args);
            let file = render(&all).expect("a list");
            prop_assert_eq!(parse(&file).expect("yaml").list(internal::APPLICATION_ARGS), Ok(Some(args)), "{}", file);
        }

        #[test]
        fn words_and_numbers_stay_strings(
            text in prop::sample::select(vec![
                "yes", "NO", "on", "Off", "y", "n", "True", "~", "null", "NULL", ".inf", "-.INF", ".NaN", "0x1F", "0o17",
                "017", "1_000", "1e3", "12:30:45", "2001-12-14", "+1", "-1", ".5", "1.", "<<", "=", "---", "...", "-", "- a",
                "?", ": a", "a:", "!!str", "&a", "*a", "%d", "@a", "`a", "inf", "nan", "0b1", "-- a",
            ])
        ) {
            let one: FlinkConf = [("k", text)].into_iter().collect();
            let file = render(&one).expect("one key");
            prop_assert_eq!(parse(&file), Ok(one), "{}", &file);
            prop_assert!(file.starts_with("k: '"), "{}", file);
        }
    }
}
