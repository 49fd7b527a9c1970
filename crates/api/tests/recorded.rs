//! What the Java operator recorded is read without loss and written back byte for byte.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

use std::{collections::BTreeSet, fs, path::Path};

use api::{
    ErrorReport, FlinkDeployment, FlinkDeploymentSpec, FlinkDeploymentStatus, FlinkSessionJob,
    FlinkSessionJobSpec, FlinkSessionJobStatus, FlinkStateSnapshotStatus, JobManagerDeploymentStatus,
    JobStatusState, ReconciledSpec, condition, decode, error::ErrorLimits, reconciled::RecordedSpec,
};
use serde_json::Value;

/// All statuses in the traces and golden objects as (kind, status).
fn statuses() -> Option<Vec<(String, Value)>> {
    let (traces, golden) = (reference::folder("traces").unwrap()?, reference::folder("golden").unwrap()?);
    let mut statuses = Vec::new();
    for file in reference::files(&traces, "timeline.jsonl").unwrap() {
        for line in lines(&file).iter().filter(|line| line["source"] == "cr" && line["status"].is_object()) {
            statuses.push((line["kind"].as_str().unwrap().to_owned(), line["status"].clone()));
        }
    }
    for file in reference::files(&golden, "status.json").unwrap() {
        // Times are replaced there, also those that are numbers.
        let text = fs::read_to_string(file).unwrap();
        let text =
            text.replace(r#""reconciliationTimestamp": "<TIMESTAMP>""#, r#""reconciliationTimestamp": 1"#);
        let case: Value = serde_json::from_str(&text).unwrap();
        for moment in ["afterFirstReconcile", "afterUpdate"] {
            for (name, status) in case.get(moment).and_then(Value::as_object).into_iter().flatten() {
                if status.is_object() {
                    statuses.push((name.split('/').next().unwrap().to_owned(), status.clone()));
                }
            }
        }
    }
    Some(statuses)
}

fn lines(file: &Path) -> Vec<Value> {
    fs::read_to_string(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Recorded spec texts of a kind, each once.
fn recorded_specs(kind: &str, statuses: &[(String, Value)]) -> BTreeSet<String> {
    let of_kind = statuses.iter().filter(|(name, _)| name == kind);
    let texts = of_kind.flat_map(|(_, status)| {
        ["lastReconciledSpec", "lastStableSpec"].map(|key| &status["reconciliationStatus"][key])
    });
    texts.filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

/// Texts of the traces are untouched; those of the golden objects have their keys sorted.
fn is_untouched(text: &str) -> bool {
    text.starts_with("{\"spec\"")
}

fn assert_reencodes<S: RecordedSpec>(texts: &BTreeSet<String>) -> usize {
    let mut untouched = 0;
    for text in texts {
        let encoded = ReconciledSpec::<S>::decode(text).unwrap().encode();
        if is_untouched(text) {
            similar_asserts::assert_eq!(encoded, *text);
            untouched += 1;
        } else {
            let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
            similar_asserts::assert_eq!(value(&encoded), value(text));
        }
    }
    untouched
}

#[test]
fn recorded_specs_are_written_back_byte_for_byte() {
    let Some(statuses) = statuses() else { return };
    let deployments = recorded_specs(FlinkDeployment::KIND, &statuses);
    let session_jobs = recorded_specs(FlinkSessionJob::KIND, &statuses);
    assert!(assert_reencodes::<FlinkDeploymentSpec>(&deployments) > 50, "{}", deployments.len());
    assert!(assert_reencodes::<FlinkSessionJobSpec>(&session_jobs) > 5, "{}", session_jobs.len());
}

#[test]
fn statuses_survive_decoding_and_encoding() {
    let Some(statuses) = statuses() else { return };
    let mut count = 0;
    for (kind, status) in &statuses {
        let encoded = match kind.as_str() {
            "FlinkDeployment" => round_trip::<FlinkDeploymentStatus>(status),
            "FlinkSessionJob" => round_trip::<FlinkSessionJobStatus>(status),
            "FlinkStateSnapshot" => round_trip::<FlinkStateSnapshotStatus>(status),
            _ => continue,
        };
        similar_asserts::assert_eq!(encoded, *status);
        count += 1;
    }
    assert!(count > 500, "{count}");
}

fn round_trip<T: serde::de::DeserializeOwned + serde::Serialize>(value: &Value) -> Value {
    serde_json::to_value(decode::<T>(value.clone()).unwrap()).unwrap()
}

#[test]
fn lifecycle_state_is_derived_as_recorded() {
    let Some(statuses) = statuses() else { return };
    let mut seen = BTreeSet::new();
    for (kind, recorded) in statuses {
        let (derived, stored) = match kind.as_str() {
            "FlinkDeployment" => {
                let status: FlinkDeploymentStatus = decode(recorded).unwrap();
                (status.lifecycle_state(), status.lifecycle_state)
            }
            "FlinkSessionJob" => {
                let status: FlinkSessionJobStatus = decode(recorded).unwrap();
                (status.lifecycle_state(), status.lifecycle_state)
            }
            _ => continue,
        };
        assert_eq!(Some(derived), stored);
        seen.insert(derived);
    }
    assert!(seen.len() >= 8, "{seen:?}");
}

/// The Java operator computes conditions at the end of a run and writes statuses before that too, so a
/// recorded condition may belong to the state before: it must be ours for some state, mostly for the
/// recorded one.
#[test]
fn running_condition_is_as_recorded() {
    let Some(statuses) = statuses() else { return };
    let (mut reasons, mut of_now, mut all) = (BTreeSet::new(), 0, 0);
    for (_, status) in statuses.into_iter().filter(|(kind, _)| kind == FlinkDeployment::KIND) {
        let status: FlinkDeploymentStatus = decode(status).unwrap();
        let (Some([recorded]), Some(text)) = (status.conditions.as_deref(), status.last_reconciled_spec())
        else {
            continue;
        };
        let (now, previous) = ("2020-01-01T00:00:00Z".parse().unwrap(), std::slice::from_ref(recorded));
        let of_job = |state| condition::running_for_job(state, previous, now);
        let of_session = |state| condition::running_for_session(state, previous, now);
        let is_job = ReconciledSpec::<FlinkDeploymentSpec>::decode(text).unwrap().spec.job.is_some();
        let (current, possible): (_, Vec<_>) = if is_job {
            let possible = JobStatusState::ALL.iter().map(|state| of_job(Some(*state)));
            (of_job(status.job_state()), possible.collect())
        } else {
            let possible = JobManagerDeploymentStatus::ALL.iter().map(|state| of_session(*state));
            (of_session(status.job_manager_deployment_status_or_default()), possible.collect())
        };
        assert!(possible.contains(recorded), "{recorded:?}");
        reasons.insert(recorded.reason.clone());
        of_now += usize::from(current == *recorded);
        all += 1;
    }
    assert!(reasons.len() >= 9, "{reasons:?}");
    assert!(of_now * 10 > all * 7, "{of_now} of {all}");
}

#[test]
fn errors_are_read_and_written_as_recorded() {
    let Some(statuses) = statuses() else { return };
    let errors: BTreeSet<_> = statuses.iter().filter_map(|(_, status)| status["error"].as_str()).collect();
    let mut structured = 0;
    for error in errors {
        let report = ErrorReport::from_text(error);
        if error.starts_with('{') {
            similar_asserts::assert_eq!(report.to_text(ErrorLimits::default()), error);
            structured += 1;
        } else {
            assert_eq!(report.message.as_deref(), Some(error));
        }
    }
    assert!(structured > 20, "{structured}");
}
