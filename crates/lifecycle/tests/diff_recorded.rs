//! The differences between specs, against the events `SpecChanged` that the Java operator wrote on a real cluster.
//!
//! A trace has the custom resources and patches with their times (`crs.yaml`), and what was seen (`timeline.jsonl`):
//! among it the status with the last reconciled spec, and the events.
#![allow(clippy::unwrap_used, reason = "a test may fail that way")]

use std::{collections::BTreeMap, fs, path::Path};

use api::{FlinkDeploymentSpec, FlinkSessionJobSpec, ReconciledSpec, decode};
use lifecycle::diff::{session_job_spec_diff, spec_diff};
use serde_json::Value;

/// Seconds by which a step may be noted after the event that it caused.
const NOTED_LATE: f64 = 0.2;

/// Specs by `kind/name`.
type Specs = BTreeMap<String, Value>;

/// A custom resource posted, or a merge patch sent.
struct Step {
    seconds: f64,
    name: String,
    /// The whole spec, or a patch of it.
    spec: Value,
    is_patch: bool,
}

#[test]
fn every_recorded_event_has_the_same_text() {
    let Some(traces) = reference::folder("traces").unwrap() else { return };
    let mut events = 0;
    for timeline in reference::files(&traces, "timeline.jsonl").unwrap() {
        events += check_trace(timeline.parent().unwrap());
    }
    assert_eq!(events, 33);
}

/// Checks every event of the trace, and says how many there were.
fn check_trace(trace: &Path) -> usize {
    let steps = steps(&fs::read_to_string(trace.join("crs.yaml")).unwrap());
    let mut recorded = BTreeMap::<String, String>::new();
    let mut events = 0;
    for line in fs::read_to_string(trace.join("timeline.jsonl")).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if line["source"] == "cr" {
            let name = format!("{}/{}", text(&line["kind"]), text(&line["name"]));
            if let Some(spec) = line["status"]["reconciliationStatus"]["lastReconciledSpec"].as_str() {
                recorded.insert(name, spec.to_owned());
            }
        }
        if line["reason"] == "SpecChanged" {
            events += 1;
            let resource = text(&line["involvedObject"]);
            let specs = specs_at(&steps, line["t"].as_f64().unwrap());
            let expected = without_upstreams_slip(text(&line["message"]));
            assert_eq!(
                with_upstreams_kind(&message(resource, &recorded[resource], &specs)),
                expected,
                "{} {line}",
                trace.display()
            );
        }
    }
    events
}

fn message(resource: &str, recorded: &str, specs: &Specs) -> String {
    let wanted = specs[resource].clone();
    if resource.starts_with("FlinkSessionJob/") {
        let new: FlinkSessionJobSpec = decode(wanted).unwrap();
        let cluster = &specs[&format!("FlinkDeployment/{}", new.deployment_name.as_deref().unwrap())];
        let cluster: FlinkDeploymentSpec = decode(cluster.clone()).unwrap();
        let old = ReconciledSpec::<FlinkSessionJobSpec>::decode(recorded).unwrap().spec;
        session_job_spec_diff(&old, &new, cluster.mode_or_default()).message()
    } else {
        let old = ReconciledSpec::<FlinkDeploymentSpec>::decode(recorded).unwrap().spec;
        spec_diff(&old, &decode(wanted).unwrap()).message()
    }
}

/// The Java operator lists the removal of two arguments as two removals of the first one, because it looks up the
/// steps of a patch in the list as it was before all of them.
fn without_upstreams_slip(message: &str) -> String {
    message.replace(
        "job.args.0 : --input -> null, job.args.0 : --input -> null",
        "job.args.0 : --input -> null, job.args.1 : /does/not/exist -> null",
    )
}

/// A change of nothing but the Ingress is an upgrade for the Java operator, and none for us (W-50).
fn with_upstreams_kind(message: &str) -> String {
    message.replace(
        "IGNORE change(s) detected (Diff: FlinkDeploymentSpec[ingress",
        "UPGRADE change(s) detected (Diff: FlinkDeploymentSpec[ingress",
    )
}

/// The steps of `crs.yaml`: documents headed by a line such as `# t=19.1s merge-patch`.
fn steps(crs: &str) -> Vec<Step> {
    let mut steps = Vec::<Step>::new();
    for document in crs.split("\n---\n") {
        let heading = document.lines().find_map(|line| line.strip_prefix("# t=")).unwrap();
        let (seconds, action) = heading.split_once("s ").unwrap();
        let resource: Value = serde_saphyr::from_str(document).unwrap();
        // A patch of metadata was noted without the name: it is about the only resource of its kind.
        let name = match resource["metadata"]["name"].as_str() {
            Some(name) => format!("{}/{name}", text(&resource["kind"])),
            None => steps.first().unwrap().name.clone(),
        };
        let is_patch = action == "merge-patch";
        steps.push(Step {
            seconds: seconds.parse().unwrap(),
            name,
            spec: resource["spec"].clone(),
            is_patch,
        });
    }
    steps
}

fn specs_at(steps: &[Step], seconds: f64) -> Specs {
    let mut specs = Specs::new();
    for step in steps.iter().filter(|step| step.seconds <= seconds + NOTED_LATE) {
        let spec = specs.entry(step.name.clone()).or_default();
        if step.is_patch {
            merge(spec, &step.spec);
        } else {
            *spec = step.spec.clone();
        }
    }
    specs
}

/// A JSON merge patch (RFC 7396).
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let fields = target.as_object_mut().unwrap();
    for (key, change) in changes {
        if change.is_null() {
            fields.remove(key);
        } else {
            merge(fields.entry(key).or_insert(Value::Null), change);
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
