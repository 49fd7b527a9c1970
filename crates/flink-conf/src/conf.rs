//! The configuration itself: keys, texts, and typed reading.

use std::collections::BTreeMap;
use std::collections::btree_map;
use std::str::FromStr;
use std::time::Duration;

use crate::error::ConfError;
use crate::memory_size::{self, MemorySize};
use crate::option::OptionKey;
use crate::{duration, structured};

/// A Flink configuration: keys in alphabetical order and their texts, in Flink's legacy text form
/// (lists joined by `;`, maps `k:v,k:v`), whatever file format it came from or will be rendered to.
///
/// Typed getters take a key with its deprecated spellings ([`crate::option::Key`]) or a plain `&str`;
/// they return `None` when no spelling is present and [`ConfError::Value`] when the text has not the
/// type. Rules of reading: `Configuration` and `ConfigurationUtils` in flink-core 1.20.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FlinkConf {
    entries: BTreeMap<String, String>,
}

impl FlinkConf {
    /// An empty configuration.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The text under exactly this key, without regard to deprecated spellings.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.entries.get(key).map(String::as_str)
    }

    /// Sets a text. Deprecated spellings of the same option stay; the newer key wins when reading.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.entries.insert(key.into(), value.into());
    }

    /// Sets a text unless the option is present under any of its spellings. True if it was set.
    pub fn set_if_absent(&mut self, key: impl OptionKey, value: impl Into<String>) -> bool {
        let absent = !self.contains(key);
        if absent {
            self.set(key.name(), value);
        }
        absent
    }

    /// Sets a list option.
    pub fn set_list<S: AsRef<str>>(&mut self, key: impl Into<String>, elements: &[S]) {
        self.set(key, structured::join_list(elements));
    }

    /// Sets a map option.
    pub fn set_map<'a>(
        &mut self,
        key: impl Into<String>,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) {
        self.set(key, structured::join_map(pairs));
    }

    /// Removes an option under all its spellings.
    pub fn remove(&mut self, key: impl OptionKey) {
        self.entries.remove(key.name());
        for fallback in key.fallbacks() {
            self.entries.remove(*fallback);
        }
    }

    /// Removes every key that starts with `prefix`.
    pub fn remove_prefix(&mut self, prefix: &str) {
        self.entries.retain(|key, _| !key.starts_with(prefix));
    }

    /// Copies every entry of `over` into this configuration; `over` wins.
    pub fn overlay(&mut self, over: &Self) {
        self.entries.extend(over.iter().map(|(k, v)| (k.to_owned(), v.to_owned())));
    }

    /// True if the option is present under any of its spellings.
    #[must_use]
    pub fn contains(&self, key: impl OptionKey) -> bool {
        self.entry(&key).is_some()
    }

    /// Entries in alphabetical order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }

    /// Entries whose key starts with `prefix`, as `(rest of the key, text)`, in alphabetical order.
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.entries
            .range(prefix.to_owned()..)
            .map_while(move |(key, value)| Some((key.strip_prefix(prefix)?, value.as_str())))
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True without entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The spelling that is in use and its text: the key itself, else the first present fallback.
    fn entry<'a>(&'a self, key: &impl OptionKey) -> Option<(&'a str, &'a str)> {
        let exact = |name: &str| self.entries.get_key_value(name).map(|(k, v)| (k.as_str(), v.as_str()));
        exact(key.name()).or_else(|| key.fallbacks().iter().find_map(|name| exact(name)))
    }

    fn typed<T>(
        &self,
        key: &impl OptionKey,
        parse: impl Fn(&str) -> Option<T>,
        expected: &str,
    ) -> Result<Option<T>, ConfError> {
        match self.entry(key) {
            None => Ok(None),
            Some((name, text)) => parse(text).map(Some).ok_or_else(|| ConfError::value(name, text, expected)),
        }
    }

    /// The text of an option.
    #[must_use]
    pub fn text(&self, key: impl OptionKey) -> Option<&str> {
        self.entry(&key).map(|(_, text)| text)
    }

    /// A duration (see [`duration::parse`]).
    pub fn duration(&self, key: impl OptionKey) -> Result<Option<Duration>, ConfError> {
        self.typed(&key, duration::parse, duration::ACCEPTED)
    }

    /// A memory size (see [`MemorySize::parse`]).
    pub fn memory(&self, key: impl OptionKey) -> Result<Option<MemorySize>, ConfError> {
        self.typed(&key, MemorySize::parse, memory_size::ACCEPTED)
    }

    /// `true` or `false`, in any case; nothing else is a boolean to Flink.
    pub fn boolean(&self, key: impl OptionKey) -> Result<Option<bool>, ConfError> {
        let parse = |text: &str| match text.to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        };
        self.typed(&key, parse, "true or false")
    }

    /// A 32-bit integer.
    pub fn int(&self, key: impl OptionKey) -> Result<Option<i32>, ConfError> {
        self.typed(&key, |text| text.parse().ok(), "a whole number from -2147483648 to 2147483647")
    }

    /// A TCP port option: a 16-bit number; `0` lets Flink choose.
    pub fn port(&self, key: impl OptionKey) -> Result<Option<u16>, ConfError> {
        self.typed(&key, |text| text.parse().ok(), "a port number from 0 to 65535")
    }

    /// A 64-bit integer.
    pub fn long(&self, key: impl OptionKey) -> Result<Option<i64>, ConfError> {
        self.typed(&key, |text| text.parse().ok(), "a whole number of 64 bits")
    }

    /// A 64-bit floating point number.
    pub fn double(&self, key: impl OptionKey) -> Result<Option<f64>, ConfError> {
        self.typed(&key, floating::<f64>, "a number")
    }

    /// A 32-bit floating point number (Flink's type for most fractions).
    pub fn float(&self, key: impl OptionKey) -> Result<Option<f32>, ConfError> {
        self.typed(&key, floating::<f32>, "a number")
    }

    /// An enumeration, in any case.
    pub fn choice<E: Choice>(&self, key: impl OptionKey) -> Result<Option<E>, ConfError> {
        let parse = |text: &str| {
            E::VALUES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, value)| value.clone())
        };
        let names: Vec<&str> = E::VALUES.iter().map(|(name, _)| *name).collect();
        self.typed(&key, parse, &format!("one of {}", names.join(", ")))
    }

    /// A list, elements separated by `;` with Flink's quoting.
    pub fn list(&self, key: impl OptionKey) -> Result<Option<Vec<String>>, ConfError> {
        self.typed(
            &key,
            structured::split_list,
            "a list: elements separated by ';', quoted with ' where they contain ; or '",
        )
    }

    /// A map: one text `k:v,k:v`, or one entry per pair under `key.`. The exact key wins, as in Flink.
    /// The result is sorted; a key that stands twice in the one text is an error.
    pub fn map(&self, key: impl OptionKey) -> Result<Option<BTreeMap<String, String>>, ConfError> {
        if let Some(pairs) = self.typed(&key, structured::split_map, MAP)? {
            return Ok(Some(pairs.into_iter().collect()));
        }
        let names = std::iter::once(key.name()).chain(key.fallbacks().iter().copied());
        for name in names {
            let prefix = format!("{name}.");
            let pairs: BTreeMap<String, String> =
                self.with_prefix(&prefix).map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
            if !pairs.is_empty() {
                return Ok(Some(pairs));
            }
        }
        Ok(None)
    }

    /// A list of maps (`k:v,k:v;k:v`), such as tolerations and environment variables from Secrets.
    pub fn map_list(&self, key: impl OptionKey) -> Result<Option<Vec<BTreeMap<String, String>>>, ConfError> {
        let parse = |text: &str| {
            structured::split_list(text)?
                .iter()
                .map(|element| structured::split_map(element).map(|pairs| pairs.into_iter().collect()))
                .collect()
        };
        self.typed(&key, parse, "maps k:v,k:v separated by ';'")
    }
}

const MAP: &str = "a map k:v,k:v, quoted with ' where a key or value contains : , or ', each key once";

/// A number as Java's `parseDouble` reads it, without hexadecimal.
fn floating<F: FromStr>(text: &str) -> Option<F> {
    let text = text.trim();
    if !matches!(text, "NaN" | "+NaN" | "-NaN" | "Infinity" | "+Infinity" | "-Infinity") {
        let number = text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text);
        let numeric = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
        return number.chars().all(numeric).then(|| number.parse().ok()).flatten();
    }
    text.parse().ok()
}

/// An enumeration that can be an option's type.
pub trait Choice: Clone + 'static {
    /// The names as Flink prints them, and the values. Reading ignores case.
    const VALUES: &'static [(&'static str, Self)];
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for FlinkConf {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        Self { entries: entries.into_iter().map(|(k, v)| (k.into(), v.into())).collect() }
    }
}

impl<K: Into<String>, V: Into<String>> Extend<(K, V)> for FlinkConf {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        self.entries.extend(entries.into_iter().map(|(k, v)| (k.into(), v.into())));
    }
}

impl IntoIterator for FlinkConf {
    type Item = (String, String);
    type IntoIter = btree_map::IntoIter<String, String>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::option::Key;

    const RENAMED: Key = Key { name: "new", fallbacks: &["old", "older"] };

    #[derive(Debug, Clone, PartialEq)]
    enum Colour {
        Red,
        DarkBlue,
    }

    impl Choice for Colour {
        const VALUES: &'static [(&'static str, Self)] = &[("RED", Self::Red), ("DARK_BLUE", Self::DarkBlue)];
    }

    fn conf(entries: &[(&str, &str)]) -> FlinkConf {
        entries.iter().copied().collect()
    }

    #[test]
    fn deprecated_spellings_are_read_in_order() {
        assert_eq!(conf(&[("old", "1"), ("older", "2")]).text(RENAMED), Some("1"));
        assert_eq!(conf(&[("old", "1"), ("new", "3")]).text(RENAMED), Some("3"));
        let mut all = conf(&[("old", "1"), ("other", "x")]);
        assert!(!all.set_if_absent(RENAMED, "9"));
        all.remove(RENAMED);
        assert_eq!(all, conf(&[("other", "x")]));
        assert!(all.set_if_absent(RENAMED, "9"));
        assert_eq!(all.get("new"), Some("9"));
    }

    #[test]
    fn errors_name_key_value_and_what_is_accepted() {
        let error = conf(&[("older", "many")]).int(RENAMED).expect_err("not a number").to_string();
        assert_eq!(
            error,
            "Could not parse value 'many' for key 'older': expected a whole number from -2147483648 to 2147483647"
        );
        let error = conf(&[("c", "green")]).choice::<Colour>("c").expect_err("no such colour").to_string();
        assert_eq!(error, "Could not parse value 'green' for key 'c': expected one of RED, DARK_BLUE");
    }

    #[test]
    fn types() -> Result<(), ConfError> {
        let conf = conf(&[
            ("b", "TRUE"),
            ("c", "dark_blue"),
            ("d", "1.5"),
            ("f", "0.1f"),
            ("i", "-7"),
            ("l", "a;'b;c'"),
            ("m", "k:v,k2:v2"),
            ("p.x", "1"),
            ("p.y.z", "2"),
            ("t", "key:a,value:b;key:c"),
            ("size", "1g"),
            ("time", "90 s"),
        ]);
        assert_eq!(conf.boolean("b")?, Some(true));
        assert_eq!(conf.choice("c")?, Some(Colour::DarkBlue));
        assert_eq!(conf.double("d")?, Some(1.5));
        assert_eq!(conf.float("f")?, Some(0.1));
        assert_eq!(conf.int("i")?, Some(-7));
        assert_eq!(conf.list("l")?, Some(vec!["a".into(), "b;c".into()]));
        assert_eq!(conf.map("m")?.map(|m| m.len()), Some(2));
        assert_eq!(conf.map("p")?, Some([("x".into(), "1".into()), ("y.z".into(), "2".into())].into()));
        assert_eq!(conf.map_list("t")?.map(|l| l.len()), Some(2));
        assert_eq!(conf.memory("size")?, Some(MemorySize::from_mebibytes(1024)));
        assert_eq!(conf.duration("time")?, Some(Duration::from_secs(90)));
        assert_eq!(conf.map("absent")?, None);
        for bad in ["b", "c", "l", "m"] {
            assert!(conf.double(bad).is_err(), "{bad}");
        }
        Ok(())
    }

    #[test]
    fn booleans_are_only_true_and_false() {
        for text in ["yes", "1", " true", ""] {
            assert!(conf(&[("k", text)]).boolean("k").is_err(), "{text}");
        }
    }

    #[test]
    fn floating_numbers_as_java_reads_them() {
        assert_eq!(floating::<f64>(" 1e3 "), Some(1000.0));
        assert_eq!(floating::<f64>("Infinity"), Some(f64::INFINITY));
        assert!(floating::<f64>("NaN").is_some_and(f64::is_nan));
        for text in ["inf", "nan", "infinity", "", "1,5", "x", "f"] {
            assert_eq!(floating::<f64>(text), None, "{text}");
        }
    }
}
