//! Label selectors.

use serde_json::Value;

/// One requirement of a selector.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
}

/// A parsed label selector; the empty one matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selector(Vec<Requirement>);

impl Selector {
    /// Parses the text of a query parameter; `Err` with the API server's kind of sentence.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let parts = split(text).into_iter().filter(|part| !part.trim().is_empty());
        parts.map(|part| requirement(part.trim())).collect::<Result<_, _>>().map(Self)
    }

    /// Whether an object's labels satisfy all requirements.
    pub(super) fn matches(&self, object: &Value) -> bool {
        let labels = object.pointer("/metadata/labels");
        let value = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
        self.0.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => value(key).is_some_and(|it| values.iter().any(|one| one == it)),
            Requirement::NotIn(key, values) => value(key).is_none_or(|it| values.iter().all(|one| one != it)),
            Requirement::Exists(key) => value(key).is_some(),
            Requirement::Absent(key) => value(key).is_none(),
        })
    }
}

/// Splits at commas that are not in parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut begin) = (0_u32, 0);
    for (index, char) in text.char_indices() {
        match char {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.extend(text.get(begin..index));
                begin = index + 1;
            }
            _ => {}
        }
    }
    parts.extend(text.get(begin..));
    parts
}

fn requirement(text: &str) -> Result<Requirement, String> {
    if let Some(key) = text.strip_prefix('!') {
        return Ok(Requirement::Absent(key.trim().to_owned()));
    }
    let one = |value: &str| vec![value.trim().to_owned()];
    if let Some((key, value)) = text.split_once("!=") {
        return Ok(Requirement::NotIn(key.trim().to_owned(), one(value)));
    }
    if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return Ok(Requirement::In(key.trim().to_owned(), one(value)));
    }
    if let Some((key, set)) = text.split_once('(') {
        let Some(set) = set.strip_suffix(')') else {
            return Err(format!("unable to parse requirement: {text}"));
        };
        let values = set.split(',').map(|value| value.trim().to_owned()).collect();
        let mut words = key.split_whitespace();
        return match (words.next(), words.next()) {
            (Some(key), Some("in")) => Ok(Requirement::In(key.to_owned(), values)),
            (Some(key), Some("notin")) => Ok(Requirement::NotIn(key.to_owned(), values)),
            _ => Err(format!("unable to parse requirement: {text}")),
        };
    }
    Ok(Requirement::Exists(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn requirements_of_every_form() {
        let object = json!({"metadata": {"labels": {"app": "a", "type": "t"}}});
        let matches = |text: &str| Selector::parse(text).unwrap().matches(&object);
        assert!(matches(""));
        assert!(matches("app=a,type==t"));
        assert!(!matches("app=a,type=x"));
        assert!(matches("component!=autoscaler,app"));
        assert!(!matches("app!=a"));
        assert!(matches("app in (a, b),type notin (x)"));
        assert!(!matches("app in (b),type"));
        assert!(matches("!component"));
        assert!(!matches("!app"));
        assert!(Selector::parse("app in (a").is_err());
        assert!(!Selector::parse("app").unwrap().matches(&json!({})));
    }
}
