//! The configuration of every recorded cluster, against what the Java operator wrote for the same
//! custom resource. Recordings: folder `golden` of the reference; its README has the operator
//! configuration that was in force, and how the recordings are normalised.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use api::{FlinkDeployment, FlinkDeploymentSpec, FlinkVersion};
use flink_conf::operator_defaults::ConfFolder;
use flink_conf::option::{Key, internal, job, kubernetes, process, state};
use flink_conf::{ClusterIdentity, FlinkConf, OperatorDefaults, cluster_side, effective, structured};
use serde_json::Value;

/// Keys that a recorded file may have and the effective configuration not: who adds them.
const ADDED_LATER: [(Key, &str); 13] = [
    (process::BLOB_SERVER_PORT, "Flink's client: a fixed port"),
    (process::TASK_MANAGER_RPC_PORT, "Flink's client: a fixed port"),
    (process::JOB_MANAGER_RPC_ADDRESS, "Flink's client: the internal Service"),
    (state::HA_JOB_MANAGER_PORT, "Flink's client: a fixed port"),
    (internal::EXECUTION_MODE, "Flink's client, native mode"),
    (internal::JOB_MANAGER_ENTRYPOINT, "Flink's client, native mode"),
    (internal::JOB_ID, "the deployment attempt"),
    (state::SAVEPOINT_PATH, "the deployment attempt: initialSavepointPath"),
    (state::JOB_RESULT_STORE_PATH, "the deployment attempt"),
    (state::JOB_RESULT_STORE_DELETE, "the deployment attempt"),
    (kubernetes::JOB_MANAGER_POD_TEMPLATE, "a temporary file of the Java operator; ours has none"),
    (kubernetes::TASK_MANAGER_POD_TEMPLATE, "a temporary file of the Java operator; ours has none"),
    (job::PARALLELISM_OVERRIDES, "the autoscaler"),
];

fn yaml(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    documents
        .into_iter()
        .flat_map(|document| match document {
            Value::Array(objects) => objects,
            object => vec![object],
        })
        .collect()
}

/// The block of text in the README that says which operator configuration was in force.
fn operator_defaults(golden: &Path) -> OperatorDefaults {
    let readme = fs::read_to_string(golden.join("README.md")).unwrap();
    let block = readme.split("```").nth(1).expect("a block with the configuration");
    let folder = ConfFolder { flink_conf_yaml: Some(block), config_yaml: None };
    let (defaults, skipped) = OperatorDefaults::read(folder, ConfFolder::default()).unwrap();
    assert_eq!(skipped, vec![], "every line of the README's configuration is read");
    assert!(defaults.base().len() >= 9);
    defaults
}

/// The text of the recorded configuration file of a cluster, if it was deployed.
fn recorded(objects: &[Value], name: &str) -> Option<(String, String)> {
    let map = objects.iter().find(|object| {
        object["kind"] == "ConfigMap" && object["metadata"]["name"] == format!("flink-config-{name}")
    })?;
    let data = map["data"].as_object()?;
    ["flink-conf.yaml", "config.yaml"]
        .into_iter()
        .find_map(|file| Some((file.to_owned(), data.get(file)?.as_str()?.to_owned())))
}

/// Lines of a flat file as `(key, rest)`. Not read as Flink does, because the recordings also have
/// values that Flink cannot read back; lines of multi-line values are keys without a value.
fn flat_lines(text: &str) -> BTreeMap<String, String> {
    let split = |line: &str| {
        let (key, value) = line.split_once(": ").unwrap_or((line, ""));
        (key.to_owned(), value.to_owned())
    };
    text.split('\n').filter(|line| !line.is_empty()).map(split).collect()
}

/// Leaves of a nested file; a list is its JSON text.
fn leaves(value: &Value, prefix: &str, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(children) => {
            for (key, child) in children {
                let dot = if prefix.is_empty() { "" } else { "." };
                leaves(child, &format!("{prefix}{dot}{key}"), into);
            }
        }
        Value::String(text) => {
            into.insert(prefix.to_owned(), text.clone());
        }
        other => {
            into.insert(prefix.to_owned(), other.to_string());
        }
    }
}

fn entries(file: &str, text: &str) -> BTreeMap<String, String> {
    let mut entries = BTreeMap::new();
    if file == "config.yaml" {
        leaves(&serde_saphyr::from_str(text).unwrap(), "", &mut entries);
    } else {
        entries = flat_lines(text);
    }
    // Java writes maps in hash order.
    for key in [kubernetes::JOB_MANAGER_ANNOTATIONS, kubernetes::JOB_MANAGER_OWNER_REFERENCE] {
        if let Some(text) = entries.get_mut(key.name) {
            let mut pairs = structured::split_map(text).expect("a map");
            pairs.sort();
            *text = structured::join_map(pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())));
        }
    }
    entries
}

/// Differences between the recorded file and ours, as lines.
fn compare(
    defaults: &OperatorDefaults,
    identity: &ClusterIdentity,
    spec: &FlinkDeploymentSpec,
    (file, text): &(String, String),
) -> Vec<String> {
    let expected = entries(file, text);
    let conf = effective::deploy(defaults, identity, spec).unwrap();
    let conf = cluster_side::strip(&conf);
    let ours = cluster_side::config_file(&conf, spec.flink_version.unwrap()).unwrap();
    assert_eq!(ours.name, file);
    let found = entries(file, &ours.text);
    let keys: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    let later = |key: &str| ADDED_LATER.iter().any(|(added, _)| added.name == key);
    keys.into_iter()
        .filter_map(|key| match (expected.get(key), found.get(key)) {
            (Some(expected), Some(found)) if expected == found => None,
            (Some(_), None) if later(key) => None,
            (expected, found) => Some(format!("{key}: recorded {expected:?}, ours {found:?}")),
        })
        .collect()
}

#[test]
fn effective_configurations_are_those_of_the_java_operator() {
    let Some(golden) = reference::folder("golden").unwrap() else { return };
    let defaults = operator_defaults(&golden);
    let (mut compared, mut failures) = (0, Vec::new());
    for (cr, objects, generation) in
        [("cr.yaml", "objects.yaml", 1), ("cr-update.yaml", "objects-after-update.yaml", 2)]
    {
        for path in reference::files(&golden, &format!("/{cr}")).unwrap() {
            let folder = path.parent().unwrap();
            let case = folder.file_name().unwrap().to_string_lossy().into_owned();
            if !folder.join(objects).exists() {
                continue;
            }
            let objects = yaml(&folder.join(objects));
            for resource in yaml(&path) {
                if resource["kind"] != "FlinkDeployment" {
                    continue;
                }
                let name = resource["metadata"]["name"].as_str().unwrap();
                let Some(recorded) = recorded(&objects, name) else { continue };
                let namespace = resource["metadata"]["namespace"].as_str().unwrap().to_owned();
                let identity =
                    ClusterIdentity { name: name.to_owned(), namespace, uid: "<UID>".to_owned(), generation };
                let deployment: FlinkDeployment = serde_json::from_value(resource.clone()).unwrap();
                let differences = compare(&defaults, &identity, &deployment.spec, &recorded);
                compared += 1;
                if !differences.is_empty() {
                    failures.push(format!("{case} ({cr}):\n  {}", differences.join("\n  ")));
                }
            }
        }
    }
    println!("{compared} recorded configurations compared, {} differ", failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(compared >= 50, "only {compared} configurations found");
}

/// What is rendered for Flink 2.x is read back as it was; `config.yaml` of the recordings, too.
#[test]
fn recorded_nested_files_are_read_like_the_flat_ones() {
    let Some(golden) = reference::folder("golden").unwrap() else { return };
    let mut read = 0;
    for path in reference::files(&golden, "flink-conf.raw.txt").unwrap() {
        let text = fs::read_to_string(&path).unwrap();
        if text.starts_with("blob:") {
            let conf = flink_conf::nested_file::parse(&text).unwrap();
            assert_eq!(conf.get("blob.server.port"), Some("6124"), "{}", path.display());
            let version: FlinkVersion = conf.text(internal::FLINK_VERSION).unwrap().parse().unwrap();
            assert!(version.uses_config_yaml());
            let again = cluster_side::config_file(&conf, version).unwrap();
            assert_eq!(flink_conf::nested_file::parse(&again.text).unwrap(), conf, "{}", path.display());
            read += 1;
        } else {
            let (conf, _): (FlinkConf, _) = flink_conf::flat_file::parse(&text);
            assert_eq!(conf.get("blob.server.port"), Some("6124"), "{}", path.display());
        }
    }
    assert!(read >= 8, "only {read} nested files found");
}
