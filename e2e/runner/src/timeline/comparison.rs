//! A recorded timeline against ours.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use serde_json::json;

use super::line::Line;
use super::listed;
use super::recording::Recording;
use super::rules;
use super::sequence::{KINDS, Sequences, sequences};
use super::snapshots::SNAPSHOT;
use crate::kubernetes::name;

/// What came of a comparison.
#[derive(Debug)]
pub(super) struct Comparison {
    /// Names of the rules that left something out on either side.
    pub(super) rules: BTreeSet<&'static str>,
    /// Names of the listed differences that occurred.
    pub(super) listed: Vec<&'static str>,
    /// The sequences that differ otherwise.
    pub(super) differing: Vec<Difference>,
}

/// A sequence that differs.
#[derive(Debug)]
pub(super) struct Difference {
    /// For instance `events of app`.
    pub(super) what: String,
    pub(super) steps: Vec<Step>,
}

/// One step of two sequences laid side by side.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Both(String),
    Recorded(String),
    Ours(String),
}

/// Compares the resources of a recording; `ours` is the whole of our timeline.
pub(super) fn compare(recording: &Recording, ours: &[Line]) -> Comparison {
    let mut recorded = sequences(&recording.lines, recording.end());
    let mut ours = sequences(ours, f64::INFINITY);
    let mut comparison = Comparison { rules: BTreeSet::new(), listed: Vec::new(), differing: Vec::new() };
    for cluster in KINDS.into_iter().flat_map(|kind| recording.of_kind(kind)) {
        let application = cluster.pointer("/spec/job").is_some();
        let mut side = |side: &mut BTreeMap<String, Sequences>| {
            let mut sequences = side.remove(name(cluster)).unwrap_or_default();
            comparison.rules.extend(rules::normalise(&mut sequences, application));
            sequences
        };
        let (mut recorded, ours) = (side(&mut recorded), side(&mut ours));
        comparison.listed.extend(listed::take_out(cluster, &mut recorded, &ours));
        comparison.differing.extend(differences(name(cluster), &recorded, &ours));
    }
    // What is left are FlinkStateSnapshots.
    let names: BTreeSet<String> = recorded.keys().chain(ours.keys()).cloned().collect();
    for name in names {
        let (recorded, ours) = (recorded.remove(&name), ours.remove(&name));
        let (mut recorded, mut ours) = (recorded.unwrap_or_default(), ours.unwrap_or_default());
        for side in [&mut recorded, &mut ours] {
            comparison.rules.extend(rules::normalise(side, false));
        }
        let snapshot = json!({"kind": SNAPSHOT, "metadata": {"name": name}});
        comparison.listed.extend(listed::take_out(&snapshot, &mut recorded, &ours));
        comparison.differing.extend(differences(&name, &recorded, &ours));
    }
    comparison
}

fn differences(cluster: &str, recorded: &Sequences, ours: &Sequences) -> Vec<Difference> {
    let all = [
        ("lifecycle states", lay(&recorded.lifecycle, &ours.lifecycle)),
        ("JobManager states", lay(&recorded.job_manager, &ours.job_manager)),
        ("job states", lay(&recorded.job, &ours.job)),
        ("Events", lay(&recorded.events, &ours.events)),
    ];
    let differing =
        all.into_iter().filter(|(_, steps)| steps.iter().any(|step| !matches!(step, Step::Both(_))));
    differing.map(|(what, steps)| Difference { what: format!("{what} of {cluster}"), steps }).collect()
}

/// Lays two sequences side by side so that as much as possible is common.
fn lay<T: Display>(recorded: &[T], ours: &[T]) -> Vec<Step> {
    let texts = |side: &[T]| side.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (recorded, ours) = (texts(recorded), texts(ours));
    let lengths = common_lengths(&recorded, &ours);
    let length = |r: usize, o: usize| lengths.get(r).and_then(|row| row.get(o)).copied().unwrap_or_default();
    let (mut r, mut o) = (0, 0);
    let mut steps = Vec::new();
    loop {
        match (recorded.get(r), ours.get(o)) {
            (Some(left), Some(right)) if left == right => {
                steps.push(Step::Both(left.clone()));
                (r, o) = (r + 1, o + 1);
            }
            (Some(left), right) if right.is_none() || length(r + 1, o) >= length(r, o + 1) => {
                steps.push(Step::Recorded(left.clone()));
                r += 1;
            }
            (_, Some(right)) => {
                steps.push(Step::Ours(right.clone()));
                o += 1;
            }
            // The arm before took what is left of the recorded side.
            (_, None) => return steps,
        }
    }
}

/// For each pair of positions how much the rests have in common.
fn common_lengths(recorded: &[String], ours: &[String]) -> Vec<Vec<usize>> {
    let mut below = vec![0; ours.len() + 1];
    let mut rows = vec![below.clone()];
    for left in recorded.iter().rev() {
        let mut row = vec![0; ours.len() + 1];
        let mut after = 0;
        for (o, right) in ours.iter().enumerate().rev() {
            let diagonal = below.get(o + 1).copied().unwrap_or_default();
            let down = below.get(o).copied().unwrap_or_default();
            let here = if left == right { diagonal + 1 } else { down.max(after) };
            if let Some(cell) = row.get_mut(o) {
                *cell = here;
            }
            after = here;
        }
        rows.push(row.clone());
        below = row;
    }
    rows.reverse();
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid(recorded: &str, ours: &str) -> String {
        let letters = |text: &str| text.chars().map(String::from).collect::<Vec<_>>();
        let steps = lay(&letters(recorded), &letters(ours));
        let mark = |step: &Step| match step {
            Step::Both(text) => text.clone(),
            Step::Recorded(text) => format!("-{text}"),
            Step::Ours(text) => format!("+{text}"),
        };
        steps.iter().map(mark).collect()
    }

    #[test]
    fn what_is_common_stays_common() {
        assert_eq!(laid("abcd", "abcd"), "abcd");
        assert_eq!(laid("abcd", "abd"), "ab-cd");
        assert_eq!(laid("abd", "abcd"), "ab+cd");
        assert_eq!(laid("abc", "axc"), "a-b+xc");
        assert_eq!(laid("", "ab"), "+a+b");
        assert_eq!(laid("ab", ""), "-a-b");
    }
}
