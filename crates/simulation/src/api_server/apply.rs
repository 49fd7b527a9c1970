//! Server-side apply by one field manager.
//!
//! Simplified: only fields that were applied are owned (by the one manager that the port has), the rest belongs to
//! nobody in particular; `force` is always on, so there are no conflicts. Lists whose elements have an identity are
//! merged by it ([`LISTS`]); all others are one value. That is right for objects that only we apply and to which
//! controllers add fields of their own.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// One step from an object to a field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Field(String),
    /// An element of a list, by its identity.
    Item(String),
}

/// Where a field is.
pub(super) type Path = Vec<Step>;

/// Lists that are merged by the identity of their elements: name of the list and fields that make the identity; none:
/// a set of texts.
const LISTS: [(&str, &[&str]); 10] = [
    ("ownerReferences", &["uid"]),
    ("finalizers", &[]),
    ("containers", &["name"]),
    ("initContainers", &["name"]),
    ("volumes", &["name"]),
    ("volumeMounts", &["mountPath"]),
    ("env", &["name"]),
    ("ports", &["containerPort", "port", "protocol"]),
    ("conditions", &["type"]),
    ("imagePullSecrets", &["name"]),
];

/// Merges what is applied into the live object, and removes what was applied before and is not any more. Answers with
/// the fields that are owned from now on.
pub(super) fn apply(live: &mut Value, applied: &Value, owned: &BTreeSet<Path>) -> BTreeSet<Path> {
    let mut now = BTreeSet::new();
    merge(live, applied, &mut Vec::new(), &mut now);
    for path in owned.difference(&now) {
        // A map that has become a value, or a value that has become a map, is replaced already.
        if !now.iter().any(|kept| kept.starts_with(path)) {
            remove(live, path, "");
        }
    }
    now
}

fn merge(live: &mut Value, applied: &Value, path: &mut Path, owned: &mut BTreeSet<Path>) {
    match (live, applied) {
        (live, Value::Object(fields)) => merge_fields(live, fields, path, owned),
        (live, Value::Array(items)) => match list_identity(path) {
            Some(identity) => merge_items(live, items, identity, path, owned),
            None => {
                *live = applied.clone();
                owned.insert(path.clone());
            }
        },
        (live, scalar) => {
            *live = scalar.clone();
            owned.insert(path.clone());
        }
    }
}

fn merge_fields(live: &mut Value, fields: &Map<String, Value>, path: &mut Path, owned: &mut BTreeSet<Path>) {
    if fields.is_empty() {
        owned.insert(path.clone());
    }
    if !live.is_object() {
        *live = Value::Object(Map::new());
    }
    let Value::Object(live) = live else { return };
    for (name, value) in fields {
        path.push(Step::Field(name.clone()));
        merge(live.entry(name.clone()).or_insert(Value::Null), value, path, owned);
        path.pop();
    }
}

fn merge_items(
    live: &mut Value,
    items: &[Value],
    identity: &[&str],
    path: &mut Path,
    owned: &mut BTreeSet<Path>,
) {
    if !live.is_array() {
        *live = Value::Array(Vec::new());
    }
    let Value::Array(live) = live else { return };
    for item in items {
        let key = key(item, identity);
        path.push(Step::Item(key.clone()));
        owned.insert(path.clone());
        let index = live.iter().position(|one| self::key(one, identity) == key).unwrap_or_else(|| {
            live.push(Value::Null);
            live.len() - 1
        });
        if let Some(slot) = live.get_mut(index) {
            merge(slot, item, path, owned);
        }
        path.pop();
    }
}

fn list_identity(path: &Path) -> Option<&'static [&'static str]> {
    let Some(Step::Field(name)) = path.last() else { return None };
    LISTS.iter().find(|(list, _)| list == name).map(|(_, identity)| *identity)
}

fn key(item: &Value, identity: &[&str]) -> String {
    if identity.is_empty() {
        return item.to_string();
    }
    let part = |name: &&str| item.get(name).map_or_else(String::new, Value::to_string);
    identity.iter().map(part).collect::<Vec<_>>().join(" ")
}

fn remove(live: &mut Value, path: &[Step], list: &str) {
    let Some((first, rest)) = path.split_first() else { return };
    match (first, live) {
        (Step::Field(name), Value::Object(fields)) => {
            if rest.is_empty() {
                fields.remove(name);
            } else if let Some(next) = fields.get_mut(name) {
                remove(next, rest, name);
                // A list that has lost its last element goes, as a map that nobody gave explicitly.
                if next.as_array().is_some_and(Vec::is_empty) || next.as_object().is_some_and(Map::is_empty) {
                    fields.remove(name);
                }
            }
        }
        (Step::Item(wanted), Value::Array(items)) => {
            let identity = LISTS.iter().find(|(name, _)| *name == list).map_or(&[] as &[&str], |it| it.1);
            if rest.is_empty() {
                items.retain(|item| key(item, identity) != *wanted);
            } else if let Some(item) = items.iter_mut().find(|item| key(item, identity) == *wanted) {
                remove(item, rest, "");
            }
        }
        (Step::Field(_) | Step::Item(_), _) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keeps_what_others_wrote_and_removes_what_is_applied_no_longer() {
        let mut live = json!({"data": {"theirs": "1"}, "metadata": {"finalizers": ["x"]}});
        let first = apply(&mut live, &json!({"data": {"a": "1", "b": "2"}}), &BTreeSet::new());
        assert_eq!(live["data"], json!({"theirs": "1", "a": "1", "b": "2"}));
        let second = apply(&mut live, &json!({"data": {"a": "3"}}), &first);
        assert_eq!(live["data"], json!({"theirs": "1", "a": "3"}));
        apply(&mut live, &json!({}), &second);
        assert_eq!(live, json!({"data": {"theirs": "1"}, "metadata": {"finalizers": ["x"]}}));
    }

    #[test]
    fn merges_lists_by_the_identity_of_their_elements() {
        let mut live = json!({"metadata": {"ownerReferences": [{"uid": "1", "name": "theirs"}]}});
        let ours = json!({"metadata": {"ownerReferences": [{"uid": "2", "name": "ours"}]}});
        let owned = apply(&mut live, &ours, &BTreeSet::new());
        assert_eq!(live["metadata"]["ownerReferences"].as_array().unwrap().len(), 2);
        apply(&mut live, &json!({"metadata": {"labels": {"a": "b"}}}), &owned);
        assert_eq!(live["metadata"]["ownerReferences"], json!([{"uid": "1", "name": "theirs"}]));
        let mut live = json!({"spec": {"ports": [{"port": 1, "nodePort": 7}], "args": ["x", "y"]}});
        apply(
            &mut live,
            &json!({"spec": {"ports": [{"port": 1, "name": "a"}], "args": ["z"]}}),
            &BTreeSet::new(),
        );
        assert_eq!(
            live,
            json!({"spec": {"ports": [{"port": 1, "nodePort": 7, "name": "a"}], "args": ["z"]}})
        );
    }

    #[test]
    fn a_value_may_become_a_map() {
        let mut live = json!({});
        let owned = apply(&mut live, &json!({"spec": {"a": 1}}), &BTreeSet::new());
        apply(&mut live, &json!({"spec": {"a": {"b": 2}}}), &owned);
        assert_eq!(live, json!({"spec": {"a": {"b": 2}}}));
    }
}
