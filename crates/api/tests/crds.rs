//! Our CRDs against Apache's: everything that is valid there is valid here, and every
//! difference is on purpose.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

use std::{collections::BTreeMap, fs, path::Path};

use api::crd::{Definition, definitions};
use serde_json::Value;

/// A path, keywords that differ there, and why.
type Listed = (&'static str, &'static str, &'static str);

/// Differences on purpose: (path, keyword, reason). `*` at the end of a path stands for any rest. The same
/// list is in `docs/differences.md`.
const DIFFERENCES: &[Listed] = &[
    ("*", "description", "`kubectl explain` describes our fields; Apache's definitions describe nothing"),
    (".spec.job.parallelism", "minimum maximum", "a number beyond 32 bits could be stored but not be read"),
    (
        ".spec.jobManager.replicas",
        "minimum maximum",
        "a number beyond 32 bits could be stored but not be read",
    ),
    (
        ".spec.taskManager.replicas",
        "minimum maximum",
        "a number beyond 32 bits could be stored but not be read",
    ),
    (".spec.backoffLimit", "minimum maximum", "a number beyond 32 bits could be stored but not be read"),
    (
        ".status.taskManager.replicas",
        "minimum maximum",
        "a number beyond 32 bits could be stored but not be read",
    ),
    (
        ".status.operation*",
        "added",
        "a step that was begun and must not be done twice; the Java operator ignores and drops it",
    ),
    (
        ".status.retry*",
        "added",
        "how often something has failed in a row, so that it waits before it is tried again; as above",
    ),
    (".status.conditions*", "added", "conditions of a FlinkSessionJob, as those of a FlinkDeployment"),
    (".status.failures", "minimum maximum", "a number beyond 32 bits could be stored but not be read"),
];

/// Keywords whose values are schemas: those are visited on their own.
const NESTING: &[&str] = &["properties", "items", "additionalProperties"];

fn apache_definition(definition: &Definition) -> Option<Value> {
    let file = reference::folder("crds").unwrap()?.join(&definition.file_name);
    Some(serde_saphyr::from_str(&fs::read_to_string(file).unwrap()).unwrap())
}

fn schema(object: &Value) -> &Value {
    &object["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
}

/// Every place of a schema by its path: `.name` below an object, `[]` in a list, `{}` in a map.
fn places<'a>(path: &str, schema: &'a Value, places: &mut BTreeMap<String, &'a Value>) {
    places.insert(path.to_owned(), schema);
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        self::places(&format!("{path}.{name}"), property, places);
    }
    for (keyword, step) in [("items", "[]"), ("additionalProperties", "{}")] {
        if let Some(inner) = schema.get(keyword) {
            self::places(&format!("{path}{step}"), inner, places);
        }
    }
}

/// Whether the listed difference is the one at this path.
fn lists((listed, keywords, _): &Listed, path: &str, keyword: &str) -> bool {
    let fits = listed.strip_suffix('*').map_or(*listed == path, |prefix| path.starts_with(prefix));
    fits && keywords.split(' ').any(|listed| listed == keyword)
}

#[test]
fn schemas_differ_from_apaches_on_purpose_only() {
    let mut missing = Vec::new();
    let mut differences = Vec::new();
    for definition in definitions() {
        let Some(apache) = apache_definition(&definition) else { return };
        let (mut ours, mut theirs) = (BTreeMap::new(), BTreeMap::new());
        places("", schema(&definition.object), &mut ours);
        places("", schema(&apache), &mut theirs);
        assert!(theirs.len() > 15);
        for (path, theirs) in theirs {
            match ours.remove(&path) {
                Some(ours) => {
                    let keywords = differing_keywords(ours, theirs).into_iter();
                    differences.extend(keywords.map(|keyword| (path.clone(), keyword)));
                }
                None => missing.push(format!("{} {path}", definition.file_name)),
            }
        }
        differences.extend(ours.into_keys().map(|path| (path, "added".to_owned())));
    }
    assert!(missing.is_empty(), "missing: {}", missing.join("\n"));
    let is_listed =
        |(path, keyword): &&(String, String)| DIFFERENCES.iter().any(|one| lists(one, path, keyword));
    let unlisted: Vec<_> = differences.iter().filter(|difference| !is_listed(difference)).collect();
    assert!(unlisted.is_empty(), "not listed as differences: {unlisted:#?}");
    let occurs = |one: &&Listed| differences.iter().any(|(path, keyword)| lists(one, path, keyword));
    let gone: Vec<_> = DIFFERENCES.iter().filter(|one| !occurs(one)).collect();
    assert!(gone.is_empty(), "listed, but no difference any more: {gone:#?}");
}

fn differing_keywords(ours: &Value, theirs: &Value) -> Vec<String> {
    let (ours, theirs) = (ours.as_object().unwrap(), theirs.as_object().unwrap());
    let keywords = ours.keys().chain(theirs.keys().filter(|keyword| !ours.contains_key(*keyword)));
    let keywords = keywords.filter(|keyword| !NESTING.contains(&keyword.as_str()));
    keywords.filter(|keyword| ours.get(*keyword) != theirs.get(*keyword)).cloned().collect()
}

#[test]
fn all_but_the_schema_is_as_apaches() {
    for definition in definitions() {
        let Some(apache) = apache_definition(&definition) else { return };
        let without_schema = |object: &Value| {
            let mut object = object.clone();
            object["spec"]["versions"][0].as_object_mut().unwrap().remove("schema").unwrap();
            object
        };
        similar_asserts::assert_eq!(without_schema(&definition.object), without_schema(&apache));
    }
}

/// Each listed difference is explained to users.
#[test]
fn differences_are_documented() {
    let document = fs::read_to_string(workspace().join("docs/differences.md")).unwrap();
    for (path, keywords, reason) in DIFFERENCES {
        assert!(document.contains(&format!("`{path}`")), "{path}");
        assert!(document.contains(reason), "{reason}");
        assert!(keywords.split(' ').all(|keyword| document.contains(&format!("`{keyword}`"))), "{keywords}");
    }
}

#[test]
fn committed_files_are_current() {
    for definition in definitions() {
        let file = workspace().join("crds").join(&definition.file_name);
        let found = fs::read_to_string(&file).unwrap_or_default();
        // Not compared by `assert_eq`, which would print half a megabyte.
        assert!(
            found == definition.to_yaml().unwrap(),
            "{} is not current: cargo run -p api --bin crds -- crds",
            file.display()
        );
    }
}

#[test]
fn yaml_reads_back_as_the_object() {
    for definition in definitions() {
        let read: Value = serde_saphyr::from_str(&definition.to_yaml().unwrap()).unwrap();
        assert!(read == definition.object, "{}", definition.file_name);
    }
}

/// `kubectl apply` keeps the object in an annotation, and annotations end at 256 KiB.
#[test]
fn definitions_fit_into_an_annotation() {
    for definition in definitions() {
        let size = definition.object.to_string().len();
        assert!(size < 240 * 1024, "{}: {size} bytes", definition.file_name);
    }
}

/// Our own fields say what they are for.
#[test]
fn own_fields_are_described() {
    for definition in definitions() {
        let mut all = BTreeMap::new();
        places("", schema(&definition.object), &mut all);
        for (path, schema) in all {
            let in_pod = path.contains(".podTemplate.");
            let is_field = !path.ends_with(['}', ']']) && !matches!(path.as_str(), ".spec" | ".status");
            assert!(
                in_pod || !is_field || schema["description"].is_string(),
                "{}{path}",
                definition.file_name
            );
        }
    }
}

fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
