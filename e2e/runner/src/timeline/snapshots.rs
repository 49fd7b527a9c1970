//! The orders of states of FlinkStateSnapshots. Those that an operator creates have names that end with a moment; they
//! are compared by the rest of their name, one after the other.

use std::collections::BTreeMap;

use super::line::Resource;
use super::sequence::Sequences;
use crate::kubernetes::text;

/// The kind.
pub(super) const SNAPSHOT: &str = "FlinkStateSnapshot";
/// States that last.
const FINAL: [&str; 3] = ["COMPLETED", "FAILED", "ABANDONED"];

/// The states of each of them, by name: as names end with moments, in the order in which they were created.
#[derive(Debug, Default)]
pub(super) struct Snapshots(BTreeMap<String, Vec<String>>);

impl Snapshots {
    pub(super) fn add(&mut self, cr: &Resource) {
        let states = self.0.entry(cr.name.clone()).or_default();
        let state = match (&cr.status, cr.change.as_str()) {
            (_, "DELETED") => "(deleted)",
            (Some(seen), _) => text(seen, "/state"),
            (None, _) => "",
        };
        if !state.is_empty() && states.last().is_none_or(|last| last != state) {
            states.push(state.to_owned());
        }
    }

    /// Adds them to the other sequences. How many periodic ones there are depends on how long one takes: of those that have
    /// ended, each different life counts once.
    pub(super) fn finish(self, all: &mut BTreeMap<String, Sequences>) {
        let mut lives: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
        for (name, states) in self.0 {
            let group = group(&name);
            let periodic = group.ends_with("-periodic");
            let of_group = lives.entry(group.to_owned()).or_default();
            let ended = states.iter().any(|state| FINAL.contains(&state.as_str()));
            if !periodic || ended && !of_group.contains(&states) {
                of_group.push(states);
            }
        }
        for (name, lives) in lives {
            all.entry(name).or_default().lifecycle = lives.concat();
        }
    }
}

/// A name without the moment at its end.
pub(super) fn group(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((rest, moment)) if moment.len() > 9 && moment.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        Some(_) | None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn seen(name: &str, change: &str, state: &str) -> Resource {
        Resource {
            change: change.to_owned(),
            kind: SNAPSHOT.to_owned(),
            name: name.to_owned(),
            generation: Some(1),
            deleting: false,
            status: Some(json!({ "state": state })),
        }
    }

    #[test]
    fn generated_names_are_grouped() {
        assert_eq!(group("app-savepoint-manual-1795228341733"), "app-savepoint-manual");
        assert_eq!(group("sp1"), "sp1");
        assert_eq!(group("app-1"), "app-1");
        let mut snapshots = Snapshots::default();
        for second in ["1795228341733", "1795228351733"] {
            for cause in ["manual", "periodic"] {
                for state in ["IN_PROGRESS", "IN_PROGRESS", "COMPLETED"] {
                    snapshots.add(&seen(&format!("app-savepoint-{cause}-{second}"), "MODIFIED", state));
                }
            }
        }
        snapshots.add(&seen("app-savepoint-periodic-1795228361733", "MODIFIED", "IN_PROGRESS"));
        snapshots.add(&seen("app-savepoint-manual-1795228351733", "DELETED", ""));
        let mut all = BTreeMap::new();
        snapshots.finish(&mut all);
        let once = ["IN_PROGRESS", "COMPLETED"].map(str::to_owned).to_vec();
        assert_eq!(all["app-savepoint-periodic"].lifecycle, once);
        let manual = [once.clone(), once, vec!["(deleted)".to_owned()]].concat();
        assert_eq!(all["app-savepoint-manual"].lifecycle, manual);
    }
}
