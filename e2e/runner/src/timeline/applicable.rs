//! Which recordings can be replayed.

use super::recording::Recording;
use crate::kubernetes::text;

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
