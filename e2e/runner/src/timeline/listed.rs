//! Differences that we want, or that come with a part that is not built yet. `docs/differences.md`, section
//! "Timelines", says why.
//!
//! Each changes a recorded sequence into what it would be with us, as narrowly as it can be stated, and only if our
//! sequence is that.

use serde_json::Value;

use super::sequence::Sequences;

/// A listed difference.
pub(super) struct Listed {
    /// Its name in `docs/differences.md`.
    pub(super) id: &'static str,
    /// Changes the recorded side; true if there was something to change.
    apply: fn(&Value, &mut Sequences, &Sequences) -> bool,
}

/// All of them.
pub(super) const LISTED: &[Listed] = &[];

/// Takes what is listed out of the recorded side, and names what occurred.
pub(super) fn take_out(cluster: &Value, recorded: &mut Sequences, ours: &Sequences) -> Vec<&'static str> {
    LISTED.iter().filter(|listed| (listed.apply)(cluster, recorded, ours)).map(|listed| listed.id).collect()
}
