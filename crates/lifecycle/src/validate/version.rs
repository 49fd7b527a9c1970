//! The gate before validation: a Flink version that the operator cannot deal with.
//!
//! Upstream: `ValidatorUtils.validateSupportedVersion`.

use api::FlinkVersion;

/// Whether the operator deals with a resource of that Flink version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionGate {
    /// Go on.
    Supported,
    /// Go on, and say in the log that support will end.
    Deprecated,
    /// Do nothing but emit a warning event of reason `UnsupportedFlinkVersion` with this text.
    Unsupported(String),
}

/// Judges the version of a cluster; for a session job, that of its session cluster. `None`: the spec does not say, or
/// there is no cluster.
#[must_use]
pub fn flink_version(version: Option<FlinkVersion>) -> VersionGate {
    match version {
        Some(version) if version.is_deprecated() => VersionGate::Deprecated,
        Some(version) if version.is_supported() => VersionGate::Supported,
        unsupported => VersionGate::Unsupported(unsupported_message(unsupported)),
    }
}

pub(super) fn unsupported_message(version: Option<FlinkVersion>) -> String {
    let version = version.map_or("null", FlinkVersion::as_str);
    format!("Flink version {version} is not supported by this operator version")
}
