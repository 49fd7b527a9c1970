//! Violations as they are found.

use flink_conf::ConfError;
use flink_conf::option::OptionKey;

use super::{Rule, Violation};

/// Violations, in the order of the rules; options that cannot be read apart, because they come first.
#[derive(Debug, Default)]
pub(super) struct Findings {
    unparsable: Vec<Violation>,
    violations: Vec<Violation>,
}

impl Findings {
    pub(super) fn add(&mut self, rule: Rule, message: impl Into<String>, remedy: impl Into<String>) {
        self.violations.push(Violation { rule, message: message.into(), remedy: remedy.into() });
    }

    /// The value of an option that was read; notes a text that could not be, once.
    ///
    /// The message is the one that the Java operator puts into `status.error` when an option cannot be read.
    pub(super) fn option<T>(&mut self, key: impl OptionKey, read: Result<Option<T>, ConfError>) -> Option<T> {
        let error = match read {
            Ok(value) => return value,
            Err(error) => error,
        };
        let (message, remedy) = match error {
            ConfError::Value { value, expected, .. } => (
                // Upstream names the current key also where a deprecated one was used.
                format!(
                    "java.lang.IllegalArgumentException: Could not parse value '{value}' for key '{}'.",
                    key.name()
                ),
                format!("Set it to {expected}."),
            ),
            other => (other.to_string(), format!("Correct or remove {}.", key.name())),
        };
        if self.unparsable.iter().all(|known| known.message != message) {
            self.unparsable.push(Violation { rule: Rule::UnparsableOption, message, remedy });
        }
        None
    }

    pub(super) fn into_violations(mut self) -> Vec<Violation> {
        self.unparsable.append(&mut self.violations);
        self.unparsable
    }
}
