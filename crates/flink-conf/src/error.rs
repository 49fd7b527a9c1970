//! What can be wrong with a configuration.

use thiserror::Error;

/// A configuration that cannot be used as it is.
///
/// Every variant waits for a change: the same input gives the same error, so a retry without a new
/// custom resource or new operator configuration is pointless. The texts are meant for `status.error`
/// and Events; they name what was found and what would be accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfError {
    /// The text of an option has not the option's type.
    #[error("Could not parse value '{value}' for key '{key}': expected {expected}")]
    Value {
        /// The key under which the text was found (a deprecated spelling if that was used).
        key: String,
        /// The text.
        value: String,
        /// What Flink accepts, in words.
        expected: String,
    },
    /// A field of the custom resource cannot be translated to configuration.
    #[error("Could not parse value '{value}' of field '{field}': expected {expected}")]
    Field {
        /// Path of the field, for example `spec.jobManager.resource.memory`.
        field: String,
        /// The text.
        value: String,
        /// What is accepted, in words.
        expected: String,
    },
    /// A field that every deployment needs is not set.
    #[error("Field '{field}' must be defined")]
    Missing {
        /// Path of the field.
        field: &'static str,
    },
    /// The memory options of a process contradict each other or are incomplete.
    #[error("{component} memory configuration failed: {reason}")]
    Memory {
        /// `JobManager` or `TaskManager`.
        component: &'static str,
        /// Which rule is broken, with the numbers in bytes.
        reason: String,
    },
    /// For Flink 2.x, `key` would have to be a value and a map at once in `config.yaml`.
    #[error(
        "Overlapping key prefixes detected ({key} -> {longer}), please replace with Flink v2 compatible, non-deprecated keys."
    )]
    OverlappingKeys {
        /// The key that is a prefix.
        key: String,
        /// The key that continues after `key.`.
        longer: String,
    },
    /// A `config.yaml` that is not YAML, has a duplicate key or is not a map.
    #[error("Could not read config.yaml: {0}")]
    Yaml(String),
}

impl ConfError {
    /// A [`ConfError::Value`].
    pub fn value(key: impl Into<String>, value: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::Value { key: key.into(), value: value.into(), expected: expected.into() }
    }

    /// A [`ConfError::Field`].
    pub fn field(field: impl Into<String>, value: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::Field { field: field.into(), value: value.into(), expected: expected.into() }
    }
}
