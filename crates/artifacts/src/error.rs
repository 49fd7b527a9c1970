//! Short ways to an [`ArtifactError`].

use engine::ports::ArtifactError;

/// An error that lasts until somebody changes something.
pub(crate) fn needs_user(message: impl Into<String>) -> ArtifactError {
    ArtifactError { message: message.into(), needs_user: true }
}

/// An error that may pass by itself.
pub(crate) fn passing(message: impl Into<String>) -> ArtifactError {
    ArtifactError { message: message.into(), needs_user: false }
}
