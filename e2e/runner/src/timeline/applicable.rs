//! Which recordings can be replayed, and which steps of them are left out.

use serde_json::Value;

use super::recording::Recording;
use super::step::{Act, Observation, Step};
use crate::kubernetes::text;

/// Kinds that the operator has no controller of yet.
const NOT_BUILT: [&str; 1] = ["FlinkStateSnapshot"];

/// Why a recording is not replayed; `None` if it is.
pub(super) fn reason_to_skip(recording: &Recording) -> Option<String> {
    let kinds = || recording.created.iter().map(|object| text(object, "/kind"));
    if kinds().any(|kind| kind == "FlinkBlueGreenDeployment") {
        return Some("FlinkBlueGreenDeployments are not built".to_owned());
    }
    if !matches!(kinds().next(), Some("FlinkDeployment" | "FlinkSessionJob")) {
        return Some(format!("it begins with a {}", kinds().next().unwrap_or("nothing")));
    }
    None
}

/// Why the steps of a recording cannot be done; `None` if they can.
pub(super) fn step_to_skip_for(recording: &Recording, steps: &[Step]) -> Option<String> {
    let needs = |kind: &str| NOT_BUILT.contains(&kind).then(|| format!("{kind}s are not built"));
    steps.iter().find_map(|step| match &step.what {
        // A savepoint that only shall exist is taken without a FlinkStateSnapshot.
        Act::Create(object) if text(object, "/kind") == "FlinkStateSnapshot" => {
            if is_plain_savepoint(object) { None } else { needs("FlinkStateSnapshot") }
        }
        Act::Patch { kind, .. } | Act::Delete { kind, .. } => needs(kind),
        Act::Await(Observation::Other { kind, name }) => {
            let named = recording.created.iter().any(|object| crate::kubernetes::name(object) == name);
            if named { None } else { needs(kind) }
        }
        _ => None,
    })
}

fn is_plain_savepoint(snapshot: &Value) -> bool {
    let savepoint = snapshot.pointer("/spec/savepoint");
    savepoint
        .is_some_and(|savepoint| savepoint["disposeOnDelete"] == false && savepoint.get("path").is_none())
}

/// Whether a step is about a kind that the operator does not handle, and is left out.
pub(super) fn is_left_out(step: &Step) -> bool {
    let left_out = |kind: &str| NOT_BUILT.contains(&kind);
    match &step.what {
        Act::Create(object) => left_out(text(object, "/kind")),
        Act::Await(
            Observation::Other { kind, .. }
            | Observation::Lifecycle { kind, .. }
            | Observation::Gone { kind, .. },
        ) => left_out(kind),
        _ => false,
    }
}
