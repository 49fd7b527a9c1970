//! What does not count in a comparison: steps that are seen or not depending on when somebody looks.
//!
//! Each rule applies to both sides. `docs/differences.md`, section "Timelines", says why.

use super::sequence::{Event, Sequences};

/// A rule.
pub(super) struct Rule {
    /// Its name in `docs/differences.md`.
    pub(super) id: &'static str,
    apply: fn(&mut Sequences),
}

/// All of them, in the order in which they apply.
pub(super) const RULES: &[Rule] = &[
    Rule { id: "FailedMount", apply: failed_mount },
    Rule { id: "DEPLOYED_NOT_READY", apply: deployed_not_ready },
    Rule { id: "jobs that start", apply: starting },
    Rule { id: "image cannot be pulled", apply: image_pull },
    Rule { id: "repeated warnings", apply: repeated_warnings },
];

/// Applies all rules.
pub(super) fn normalise(sequences: &mut Sequences, application: bool) {
    for rule in RULES {
        (rule.apply)(sequences);
    }
    if !application {
        sequences.job.clear();
    }
}

fn deployed_not_ready(sequences: &mut Sequences) {
    sequences.job_manager.retain(|state| state.state != "DEPLOYED_NOT_READY");
    sequences.job_manager.dedup_by(|next, before| next.state == before.state);
}

/// INITIALIZING and CREATED on the way from RECONCILING to what follows.
fn starting(sequences: &mut Sequences) {
    let passing = |state: &str| ["INITIALIZING", "CREATED"].contains(&state);
    sequences.job.retain(|state| !passing(state));
    sequences.job.dedup();
    let mut events: Vec<Event> = Vec::new();
    // The state that a change passed over: it goes on from here.
    let mut from: Option<String> = None;
    for mut event in std::mem::take(&mut sequences.events) {
        if let Some(change) = &mut event.change {
            if let Some(from) = from.take().filter(|_| passing(&change.0)) {
                change.0 = from;
            }
            if passing(&change.1) {
                from = Some(change.0.clone());
                continue;
            }
        }
        events.push(event);
    }
    sequences.events = events;
}

/// The kubelet mounts ConfigMaps before they exist.
fn failed_mount(sequences: &mut Sequences) {
    sequences.events.retain(|event| event.reason != "FailedMount");
    sequences.job_manager.retain(|state| !(state.state == "ERROR" && state.reason == "FailedMount"));
    sequences.job_manager.dedup_by(|next, before| next.state == before.state);
}

/// The kubelet alternates between two reasons for the same.
fn image_pull(sequences: &mut Sequences) {
    for event in &mut sequences.events {
        if event.reason == "ImagePullBackOff" {
            event.reason = "ErrImagePull".to_owned();
        }
    }
}

/// How often something wrong is told depends on how often the operator looks.
fn repeated_warnings(sequences: &mut Sequences) {
    sequences.events.dedup_by(|next, before| next.severity == "Warning" && next == before);
}
