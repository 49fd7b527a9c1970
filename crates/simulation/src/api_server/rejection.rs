//! Admission rules, quotas and the like: what makes the API server refuse a create or an apply.

use engine::ports::{ApiError, Kind};

/// Refuses objects of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Which kind.
    pub kind: Kind,
    /// Only names that contain this text.
    pub name_contains: String,
    /// HTTP status code, such as 422 or 403.
    pub code: u16,
    /// The sentence.
    pub message: String,
}

impl Rejection {
    pub(super) fn error(&self) -> ApiError {
        let reason = if self.code == 403 { "Forbidden" } else { "Invalid" };
        ApiError::from_status(self.code, reason, &self.message, None)
    }

    pub(super) fn concerns(&self, kind: Kind, name: &str) -> bool {
        self.kind == kind && name.contains(&self.name_contains)
    }
}
