//! `flink-conf.yaml`, the file of Flink 1.x: one `key: value` per line, which only looks like YAML.
//!
//! Flink's reader (`GlobalConfiguration`) cuts every line at the first `#`, trims it and splits it at the
//! first `: `. Nothing can be quoted or escaped, so some values cannot be expressed: see [`losses`].

use crate::conf::FlinkConf;
use crate::option::internal;

/// A line that Flink skips with a warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedLine {
    /// Number of the line, from 1.
    pub number: usize,
    /// The line without its comment (values may be secret: log with care).
    pub text: String,
}

/// Reads the file as Flink does, and never fails: what is not `key: value` is skipped and reported. Of
/// duplicate keys the last wins.
#[must_use]
pub fn parse(file: &str) -> (FlinkConf, Vec<SkippedLine>) {
    let mut conf = FlinkConf::new();
    let mut skipped = Vec::new();
    for (index, line) in lines(file).enumerate() {
        let code = line.split_once('#').map_or(line, |(code, _comment)| code);
        let code = java_trim(code);
        if code.is_empty() {
            continue;
        }
        let entry = code.split_once(": ").map(|(key, value)| (java_trim(key), java_trim(value)));
        match entry {
            Some((key, value)) if !key.is_empty() && !value.is_empty() => conf.set(key, value),
            _ => skipped.push(SkippedLine { number: index + 1, text: code.to_owned() }),
        }
    }
    (conf, skipped)
}

/// Lines as Java's `BufferedReader` sees them: ended by `\n`, `\r` or `\r\n`.
fn lines(file: &str) -> impl Iterator<Item = &str> {
    file.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

/// Java's `String.trim`: everything up to the blank, no Unicode spaces.
fn java_trim(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

/// Writes the file as the Java operator does, one `key: value` per line, in alphabetical order so that
/// equal configurations give equal ConfigMaps.
///
/// Values are written as they are, also those of [`losses`], because the Java operator does so.
#[must_use]
pub fn render(conf: &FlinkConf) -> String {
    conf.iter().flat_map(|(key, value)| [key, ": ", value, "\n"]).collect()
}

/// Why Flink 1.x will not read a value as it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The value is empty: the line is skipped, and the option has its default.
    Empty,
    /// The value (or key) contains `#`: the rest of the line is a comment.
    Comment,
    /// The value (or key) contains a line break: the lines after it are read as lines of their own.
    LineBreak,
    /// Blanks around the value are trimmed.
    Trimmed,
    /// The key contains `: ` or is surrounded by blanks: the line is read as a different key.
    Key,
}

impl Loss {
    /// What happens to the value, for messages.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Empty => "an empty value is ignored",
            Self::Comment => "everything from '#' on is a comment",
            Self::LineBreak => "a line break ends the value",
            Self::Trimmed => "blanks around the value are removed",
            Self::Key => "the key cannot be written",
        }
    }
}

/// Entries that a cluster with Flink 1.x reads differently than they stand in the configuration, with
/// the first reason. Flink offers no way to write them; users should be told. (No program arguments are
/// an empty value too, and read as none; that is no loss.)
#[must_use]
pub fn losses(conf: &FlinkConf) -> Vec<(&str, Loss)> {
    conf.iter().filter_map(|(key, value)| loss(key, value).map(|loss| (key, loss))).collect()
}

fn loss(key: &str, value: &str) -> Option<Loss> {
    let line_break = |text: &str| text.contains(['\n', '\r']);
    if line_break(key) || line_break(value) {
        Some(Loss::LineBreak)
    } else if key.contains('#') || value.contains('#') {
        Some(Loss::Comment)
    } else if key.is_empty() || key.contains(": ") || java_trim(key) != key {
        Some(Loss::Key)
    } else if java_trim(value).is_empty() {
        (key != internal::APPLICATION_ARGS.name || !value.is_empty()).then_some(Loss::Empty)
    } else if java_trim(value) != value {
        Some(Loss::Trimmed)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_lines_as_flink_does() {
        let (conf, skipped) = parse(
            "# comment\na: b\n  spaced.key :  v 1  # note\nx: y: z\nlist: [a, b]\nnested:\n  child: c\nempty: \n\
             no colon\n:\r\nwin: dows\r\nmac: 1\rmac2: 2\na: last\ntab:\tno\n",
        );
        let expected: FlinkConf = [
            ("a", "last"),
            ("spaced.key", "v 1"),
            ("x", "y: z"),
            ("list", "[a, b]"),
            ("child", "c"),
            ("win", "dows"),
            ("mac", "1"),
            ("mac2", "2"),
        ]
        .into_iter()
        .collect();
        assert_eq!(conf, expected);
        let skipped: Vec<&str> = skipped.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(skipped, ["nested:", "empty:", "no colon", ":", "tab:\tno"]);
    }

    #[test]
    fn losses_name_the_reason() {
        let conf: FlinkConf = [
            ("$internal.application.program-args", ""),
            ("args", ""),
            ("hash", "x # y"),
            ("multi", "l1\nl2"),
            ("trail", "  v "),
            ("we: ird", "v"),
            ("good", "x: y 'z' \"q\" ünï {[*&!"),
        ]
        .into_iter()
        .collect();
        assert_eq!(
            losses(&conf),
            [
                ("args", Loss::Empty),
                ("hash", Loss::Comment),
                ("multi", Loss::LineBreak),
                ("trail", Loss::Trimmed),
                ("we: ird", Loss::Key),
            ]
        );
    }

    proptest! {
        /// Whatever is not reported as lost is read back as it was.
        #[test]
        fn lossless_entries_come_back(
            entries in prop::collection::btree_map("[a-c$.: #\u{a0}]{0,5}", "[a-c:#'\"{\\[ \t\n\r\u{a0}é-]{0,8}", 0..8)
        ) {
            let all: FlinkConf = entries.into_iter().collect();
            let lost: Vec<String> = losses(&all).iter().map(|(key, _)| (*key).to_owned()).collect();
            let kept: FlinkConf = all.into_iter().filter(|(key, _)| !lost.contains(key)).collect();
            let (read, skipped) = parse(&render(&kept));
            prop_assert_eq!(skipped, vec![]);
            prop_assert_eq!(read, kept);
        }

        /// Every reported loss is real: alone in a file, the entry does not come back.
        #[test]
        fn losses_are_real(key in "[a-b:# ]{0,3}", value in "[a-b:# \n]{0,4}") {
            let one: FlinkConf = [(key, value)].into_iter().collect();
            let (read, _) = parse(&render(&one));
            prop_assert_eq!(losses(&one).is_empty(), read == one);
        }
    }
}
