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
    Rule { id: "JobManager of a job that never ran", apply: never_ran },
    Rule { id: "jobs that start", apply: starting },
    Rule { id: "image cannot be pulled", apply: image_pull },
    Rule { id: "repeated warnings", apply: repeated_warnings },
    Rule { id: "overtaken upgrade", apply: overtaken_upgrade },
    Rule { id: "repeated failures", apply: repeated_failures },
];

/// Applies all rules, and names those that left something out.
pub(super) fn normalise(sequences: &mut Sequences, application: bool) -> Vec<&'static str> {
    if !application {
        sequences.job.clear();
        sequences.job_manager.iter_mut().for_each(|state| state.job_ran = true);
    }
    let mut applied = Vec::new();
    for rule in RULES {
        let before = sequences.clone();
        (rule.apply)(sequences);
        if *sequences != before {
            applied.push(rule.id);
        }
    }
    applied
}

fn deployed_not_ready(sequences: &mut Sequences) {
    sequences.job_manager.retain(|state| state.name != "DEPLOYED_NOT_READY");
    sequences.job_manager.dedup_by(|next, before| next.name == before.name);
}

/// A JobManager that is replaced before its job runs: whether it answered until then is chance.
fn never_ran(sequences: &mut Sequences) {
    let last = sequences.job_manager.len().saturating_sub(1);
    let mut index = 0;
    sequences.job_manager.retain(|state| {
        let replaced = index < last;
        index += 1;
        !(replaced && state.name == "READY" && !state.job_ran)
    });
    sequences.job_manager.dedup_by(|next, before| next.name == before.name);
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
    sequences.job_manager.retain(|state| !(state.name == "ERROR" && state.reason == "FailedMount"));
    sequences.job_manager.dedup_by(|next, before| next.name == before.name);
}

/// The kubelet alternates between two reasons for the same.
fn image_pull(sequences: &mut Sequences) {
    for event in &mut sequences.events {
        if event.reason == "ImagePullBackOff" {
            "ErrImagePull".clone_into(&mut event.reason);
        }
    }
}

/// How often something wrong is told depends on how often the operator looks.
fn repeated_warnings(sequences: &mut Sequences) {
    sequences.events.dedup_by(|next, before| next.severity == "Warning" && next == before);
}

/// An upgrade that the next change of the spec overtakes before its job runs is one upgrade with that: whether the
/// change came before or after the first of both clusters was submitted, or even before anybody looked, is chance.
fn overtaken_upgrade(sequences: &mut Sequences) {
    let upgrade = ["SpecChanged", "Suspended", "Submit"];
    let both = [upgrade, upgrade].concat();
    while let Some(at) = find(&sequences.events, &both) {
        sequences.events.drain(at..at + upgrade.len());
        sequences.overtaken += 1;
        let states = |what: &[&str]| what.iter().map(ToString::to_string).collect::<Vec<_>>();
        remove_repeat(&mut sequences.lifecycle, &states(&["UPGRADING", "DEPLOYED"]), ToString::to_string);
        remove_repeat(&mut sequences.job_manager, &states(&["MISSING", "DEPLOYING"]), ToString::to_string);
        remove_repeat(&mut sequences.job, &states(&["FINISHED", "RECONCILING"]), ToString::to_string);
    }
    // The same Events tell of a job that was suspended and resumed.
    if sequences.lifecycle.iter().any(|state| state == "SUSPENDED") {
        return;
    }
    while let Some(at) = find(&sequences.events, &["SpecChanged", "Suspended", "SpecChanged", "Submit"]) {
        sequences.events.remove(at + 2);
        sequences.overtaken += 1;
    }
}

/// How often a failed job fails again before what it lacks is there depends on how fast it starts.
fn repeated_failures(sequences: &mut Sequences) {
    let states = |what: &[&str]| what.iter().map(ToString::to_string).collect::<Vec<_>>();
    let round = ["Error", "JobStatusChanged", "JobException", "Submit"];
    while let Some(at) = find(&sequences.events, &[round, round].concat()) {
        sequences.events.drain(at..at + round.len());
        remove_repeat(&mut sequences.lifecycle, &states(&["FAILED", "DEPLOYED"]), ToString::to_string);
        let cluster = states(&["MISSING", "DEPLOYING", "READY"]);
        remove_repeat(&mut sequences.job_manager, &cluster, ToString::to_string);
        remove_repeat(&mut sequences.job, &states(&["FAILED", "RECONCILING"]), ToString::to_string);
    }
}

/// Where Events with these reasons follow each other.
fn find(events: &[Event], reasons: &[&str]) -> Option<usize> {
    let fits =
        |window: &[Event]| window.iter().map(|event| event.reason.as_str()).eq(reasons.iter().copied());
    events.windows(reasons.len()).position(fits)
}

/// Removes the first occurrence of `what` that is followed by itself.
fn remove_repeat<T>(sequence: &mut Vec<T>, what: &[String], text: impl Fn(&T) -> String) {
    let twice = [what, what].concat();
    let matches = |window: &[T]| window.iter().map(&text).collect::<Vec<_>>() == twice;
    if let Some(at) = sequence.windows(twice.len()).position(matches) {
        sequence.drain(at..at + what.len());
    }
}
