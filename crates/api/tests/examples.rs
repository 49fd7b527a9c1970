//! Example resources, Apache's and ours, are read without loss.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use api::{FlinkDeployment, FlinkSessionJob, FlinkStateSnapshot, decode};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

fn documents(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap();
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    documents.into_iter().filter(|document| !document.is_null()).collect()
}

/// Decodes and encodes what is of our kinds; returns how many objects of which kind there were.
fn round_trip(files: &[PathBuf]) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for file in files {
        for document in documents(file) {
            let kind = document["kind"].as_str().unwrap().to_owned();
            match kind.as_str() {
                "FlinkDeployment" => assert_survives::<FlinkDeployment>(&document, file),
                "FlinkSessionJob" => assert_survives::<FlinkSessionJob>(&document, file),
                "FlinkStateSnapshot" => assert_survives::<FlinkStateSnapshot>(&document, file),
                _ => continue,
            }
            *kinds.entry(kind).or_default() += 1;
        }
    }
    kinds
}

fn assert_survives<K: DeserializeOwned + Serialize>(document: &Value, file: &Path) {
    let object: K = decode(document.clone()).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let encoded = serde_json::to_value(object).unwrap();
    similar_asserts::assert_eq!(with_floating_cpu(encoded), with_floating_cpu(document.clone()));
}

/// `resource.cpu` is a floating number: `1` and `1.0` are the same.
fn with_floating_cpu(mut object: Value) -> Value {
    for component in ["jobManager", "taskManager"] {
        if let Some(cpu) = object.pointer_mut(&format!("/spec/{component}/resource/cpu")) {
            *cpu = cpu.as_f64().unwrap().into();
        }
    }
    object
}

#[test]
fn apaches_examples_survive_decoding_and_encoding() {
    let Some(folder) = reference::folder("examples").unwrap() else { return };
    let kinds = round_trip(&reference::files(&folder, ".yaml").unwrap());
    assert!(kinds["FlinkDeployment"] >= 12 && kinds["FlinkSessionJob"] >= 3, "{kinds:?}");
    assert!(kinds["FlinkStateSnapshot"] >= 4, "{kinds:?}");
}

#[test]
fn resources_of_golden_objects_survive_decoding_and_encoding() {
    let Some(folder) = reference::folder("golden").unwrap() else { return };
    // Some cases hold what must not decode; their messages are tested elsewhere.
    let undecodable = ["invalid-unknown-version", "invalid-mode-case", "invalid-upgrade-mode-case"];
    let mut files = reference::files(&folder, "cr.yaml").unwrap();
    files.retain(|file| !undecodable.iter().any(|case| file.parent().unwrap().ends_with(case)));
    let kinds = round_trip(&files);
    assert!(kinds["FlinkDeployment"] > 50, "{kinds:?}");
    for case in undecodable {
        let document = documents(&folder.join(case).join("cr.yaml")).remove(0);
        let error = decode::<FlinkDeployment>(document).unwrap_err();
        assert!(error.to_string().contains("allowed: "), "{error}");
    }
}

#[test]
fn own_examples_survive_decoding_and_encoding() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples"));
    let kinds = round_trip(&reference::files(folder, ".yaml").unwrap());
    assert!(kinds["FlinkDeployment"] >= 3 && kinds["FlinkSessionJob"] >= 1, "{kinds:?}");
    assert!(kinds["FlinkStateSnapshot"] >= 1, "{kinds:?}");
}
