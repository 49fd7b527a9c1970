//! Files of the Helm chart that are copies are equal to what they are copies of.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// File name to content.
fn files(folder: &str) -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    let entries = fs::read_dir(&folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap()))
        .collect()
}

#[test]
fn crds_are_those_of_the_repository() {
    let (ours, charts) = (files("crds"), files("helm/flink-kubernetes-operator/crds"));
    assert!(ours.len() >= 3);
    assert_eq!(ours.keys().collect::<Vec<_>>(), charts.keys().collect::<Vec<_>>());
    for (name, text) in ours {
        assert!(charts[&name] == text, "helm/…/crds/{name} is old: `just crds` copies it");
    }
}

#[test]
fn log_files_are_those_of_the_operator() {
    let charts = files("helm/flink-kubernetes-operator/conf");
    for (name, text) in files("crates/resources/src/logging") {
        assert!(charts[&name] == text, "helm/…/conf/{name} is not crates/resources/src/logging/{name}");
    }
}
