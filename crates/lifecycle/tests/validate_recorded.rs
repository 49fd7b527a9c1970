//! Validation against the golden cases: what the Java operator refuses is refused with its text, and what it deploys
//! is accepted.

#![allow(clippy::unwrap_used, reason = "a test may fail that way")]

use std::{collections::BTreeMap, fs, path::Path};

use api::{
    FlinkDeploymentSpec, FlinkSessionJobSpec, FlinkStateSnapshotSpec, ReconciledSpec, decode,
    flink_configuration,
};
use flink_conf::FlinkConf;
use lifecycle::validate::{
    ArtifactSettings, ResolvedHost, SessionCluster, VersionGate, Violation, deployment, flink_version,
    host_to_resolve, session_job, snapshot, status_message,
};
use serde_json::Value;

/// Cases that the Java operator's validator lets through, and that fail while it deploys: that is not for us.
const FAIL_LATER: [&str; 5] = [
    "invalid-pod-template-duplicate-port-name",
    "invalid-pod-template-env-value-and-valuefrom",
    "invalid-resources-hides-resource-memory",
    "invalid-resources-lowercase-g",
    "invalid-rest-nodeport-without-nodes-permission",
];

/// Cases recorded with a wider allow-list than the default.
const ANY_JAR: [&str; 3] = [
    "invalid-session-job-on-app-cluster",
    "invalid-session-job-parallelism-zero",
    "session-job-waits-for-cluster",
];

/// A golden case: resources by `kind/name`, before and after an update, and what was seen of them.
struct Case {
    name: String,
    created: BTreeMap<String, Value>,
    updated: BTreeMap<String, Value>,
    seen: Value,
}

impl Case {
    fn read(folder: &Path) -> Self {
        let resources = |file: &str| {
            let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
            documents(&text).map(|resource| (name_of(&resource), resource)).collect()
        };
        Self {
            name: folder.file_name().unwrap().to_string_lossy().into_owned(),
            created: resources("cr.yaml"),
            updated: resources("cr-update.yaml"),
            seen: serde_json::from_str(&fs::read_to_string(folder.join("status.json")).unwrap()).unwrap(),
        }
    }

    fn settings(&self) -> ArtifactSettings {
        if ANY_JAR.contains(&self.name.as_str()) {
            let allowed_schemes = ["https", "http", "local"].map(str::to_owned).to_vec();
            let disallow_restricted_hosts = false;
            return ArtifactSettings {
                allowed_schemes,
                disallow_restricted_hosts,
                ..ArtifactSettings::default()
            };
        }
        ArtifactSettings::default()
    }

    /// `error` of a status, as the Java operator wrote it.
    fn error(&self, when: &str, name: &str) -> Option<Value> {
        let error = self.seen[when][name]["error"].as_str()?;
        Some(serde_json::from_str(error).unwrap())
    }

    /// Texts of the warnings about a resource with that reason.
    fn warnings(&self, name: &str, reason: &str) -> Vec<&str> {
        let events = self.seen["events"].as_array().unwrap().iter();
        let matching = events.filter(|event| event["object"] == name && event["reason"] == reason);
        matching.map(|event| event["message"].as_str().unwrap()).collect()
    }

    fn check(&self) -> Checked {
        let mut checked = Checked::default();
        for (name, resource) in &self.created {
            if self.seen["apiRejected"][name].is_object() {
                checked.rejected += 1;
                continue;
            }
            self.check_one("afterFirstReconcile", name, resource, None, &mut checked);
        }
        for (name, resource) in &self.updated {
            let status = &self.seen["afterFirstReconcile"][name]["reconciliationStatus"];
            let last = status["lastReconciledSpec"].as_str();
            self.check_one("afterUpdate", name, resource, last, &mut checked);
        }
        checked
    }

    fn check_one(&self, when: &str, name: &str, resource: &Value, last: Option<&str>, checked: &mut Checked) {
        let context = format!("{} {when} {name}", self.name);
        if name.starts_with("FlinkStateSnapshot/") {
            let expected = self.warnings(name, "ValidationError");
            let violations = self.violations_of_snapshot(resource);
            assert_eq!(status_message(&violations), expected.first().copied(), "{context}");
            checked.count(&violations);
            return;
        }
        let unsupported = self.warnings(name, "UnsupportedFlinkVersion");
        if let [message] = unsupported[..] {
            let gate = flink_version(self.flink_version(resource));
            assert_eq!(gate, VersionGate::Unsupported(message.to_owned()), "{context}");
            checked.unsupported += 1;
            return;
        }
        assert!(
            !matches!(flink_version(self.flink_version(resource)), VersionGate::Unsupported(_)),
            "{context}"
        );
        let violations = if resource["kind"] == "FlinkDeployment" {
            violations_of_deployment(resource, last)
        } else {
            self.violations_of_session_job(resource)
        };
        let error = if FAIL_LATER.contains(&self.name.as_str()) { None } else { self.error(when, name) };
        let expected = error.as_ref().map(|error| error["message"].as_str().unwrap());
        assert_eq!(status_message(&violations), expected, "{context}: {violations:#?}");
        checked.count(&violations);
    }

    fn cluster_of(&self, job: &Value) -> Option<(FlinkDeploymentSpec, &str)> {
        let name = job["spec"]["deploymentName"].as_str()?;
        let cluster = self.created.get(&format!("FlinkDeployment/{name}"))?;
        Some((decode(cluster["spec"].clone()).unwrap(), cluster["metadata"]["name"].as_str().unwrap()))
    }

    fn flink_version(&self, resource: &Value) -> Option<api::FlinkVersion> {
        if resource["kind"] == "FlinkSessionJob" {
            return self.cluster_of(resource)?.0.flink_version;
        }
        Some(resource["spec"]["flinkVersion"].as_str()?.parse().unwrap())
    }

    fn violations_of_session_job(&self, resource: &Value) -> Vec<Violation> {
        let spec: FlinkSessionJobSpec = decode(resource["spec"].clone()).unwrap();
        let (cluster, name) = self.cluster_of(resource).unwrap();
        let effective = effective(&[cluster.flink_configuration.as_ref(), spec.flink_configuration.as_ref()]);
        let cluster = SessionCluster { name, spec: &cluster, effective: &effective };
        let jar = spec.job.as_ref().and_then(|job| job.jar_uri.as_deref());
        assert_eq!(host_to_resolve(jar, &self.settings()), None, "no case needs DNS");
        session_job(&spec, None, Some(cluster), &self.settings(), &ResolvedHost::NotAsked)
    }

    fn violations_of_snapshot(&self, resource: &Value) -> Vec<Violation> {
        let spec: FlinkStateSnapshotSpec = decode(resource["spec"].clone()).unwrap();
        let target =
            spec.job_reference.as_ref().and_then(|job| Some(format!("{}/{}", job.kind?, job.name.as_ref()?)));
        let found = target.is_some_and(|target| self.created.contains_key(&target));
        snapshot(resource["metadata"]["namespace"].as_str().unwrap(), &spec, None, found)
    }
}

/// How many resources went which way.
#[derive(Debug, Default, PartialEq, Eq)]
struct Checked {
    accepted: usize,
    refused: usize,
    unsupported: usize,
    rejected: usize,
}

impl Checked {
    fn count(&mut self, violations: &[Violation]) {
        if violations.is_empty() {
            self.accepted += 1;
        } else {
            self.refused += 1;
        }
    }
}

#[test]
fn every_golden_case_ends_as_with_the_java_operator() {
    let Some(golden) = reference::folder("golden").unwrap() else { return };
    let mut total = Checked::default();
    for status in reference::files(&golden, "status.json").unwrap() {
        let checked = Case::read(status.parent().unwrap()).check();
        total.accepted += checked.accepted;
        total.refused += checked.refused;
        total.unsupported += checked.unsupported;
        total.rejected += checked.rejected;
    }
    assert_eq!(total, Checked { accepted: 71, refused: 33, unsupported: 3, rejected: 3 });
}

fn violations_of_deployment(resource: &Value, last: Option<&str>) -> Vec<Violation> {
    let spec: FlinkDeploymentSpec = decode(resource["spec"].clone()).unwrap();
    let last = last.map(|last| ReconciledSpec::<FlinkDeploymentSpec>::decode(last).unwrap().spec);
    let name = |field: &str| resource["metadata"][field].as_str().unwrap();
    let effective = effective(&[spec.flink_configuration.as_ref()]);
    deployment(name("name"), name("namespace"), &spec, last.as_ref(), &effective)
}

/// The options of the operator with which the cases were recorded (the chart's defaults), and those of the resources.
fn effective(layers: &[Option<&Value>]) -> FlinkConf {
    let mut conf: FlinkConf = [
        ("kubernetes.operator.health.probe.enabled", "true"),
        ("kubernetes.operator.observer.progress-check.interval", "5 s"),
        ("kubernetes.operator.reconcile.interval", "15 s"),
        ("parallelism.default", "1"),
        ("taskmanager.numberOfTaskSlots", "1"),
    ]
    .into_iter()
    .collect();
    for layer in layers {
        conf.extend(flink_configuration::flatten(*layer).unwrap());
    }
    conf
}

fn documents(text: &str) -> impl Iterator<Item = Value> {
    let documents = text.split("---\n").filter(|document| !document.trim().is_empty());
    documents.map(|document| serde_saphyr::from_str(document).unwrap())
}

fn name_of(resource: &Value) -> String {
    format!("{}/{}", resource["kind"].as_str().unwrap(), resource["metadata"]["name"].as_str().unwrap())
}
