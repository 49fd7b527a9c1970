//! `status.error`: an error as JSON text. Source: `FlinkResourceException.java`,
//! `FlinkResourceExceptionUtils.java`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::json_text;

/// Java class names by which tools recognise errors in `type`.
pub mod types {
    /// A rule for the spec is violated.
    pub const VALIDATION: &str = "org.apache.flink.kubernetes.operator.exception.ValidationException";
    /// The JobManager Deployment cannot come up.
    pub const DEPLOYMENT_FAILED: &str =
        "org.apache.flink.kubernetes.operator.exception.DeploymentFailedException";
    /// Anything that went wrong while a spec was brought to the cluster.
    pub const RECONCILIATION: &str = "org.apache.flink.kubernetes.operator.exception.ReconciliationException";
    /// A rule of the upgrade forbids to go on.
    pub const UPGRADE_FAILURE: &str =
        "org.apache.flink.kubernetes.operator.exception.UpgradeFailureException";
    /// The JobManager Deployment that should be there is gone.
    pub const MISSING_JOB_MANAGER: &str =
        "org.apache.flink.kubernetes.operator.exception.MissingJobManagerException";
    /// Somebody else wrote the status in between.
    pub const STATUS_CONFLICT: &str =
        "org.apache.flink.kubernetes.operator.exception.StatusConflictException";
    /// An exception of the job itself, as Flink reports it.
    pub const SERIALIZED_THROWABLE: &str = "org.apache.flink.util.SerializedThrowable";
    /// Flink did not answer as expected.
    pub const REST_CLIENT: &str = "org.apache.flink.runtime.rest.util.RestClientException";
}

/// Sizes of an error text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorLimits {
    /// `kubernetes.operator.exception.field.max.length`: characters of a text; default 2048.
    pub field_length: usize,
    /// `kubernetes.operator.exception.stacktrace.enabled`; default false.
    pub stack_trace: bool,
    /// `kubernetes.operator.exception.stacktrace.max.length`: characters; default 2048.
    pub stack_trace_length: usize,
    /// `kubernetes.operator.exception.throwable.list.max.count`: causes that are listed; default 2.
    pub throwables: usize,
}

impl Default for ErrorLimits {
    fn default() -> Self {
        Self { field_length: 2048, stack_trace: false, stack_trace_length: 2048, throwables: 2 }
    }
}

/// An error with its causes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ErrorReport {
    /// Java class name, one of [`types`] where tools may look at it.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// What is wrong, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Where it happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack_trace: Option<String>,
    /// Further facts, as `httpResponseCode` or `reason`.
    #[serde(deserialize_with = "crate::decode::null_as_default")]
    pub additional_metadata: Map<String, Value>,
    /// Causes, nearest first; absent in a cause itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throwable_list: Option<Vec<ErrorReport>>,
}

impl ErrorReport {
    /// An error without causes.
    #[must_use]
    pub fn new(type_: &str, message: impl Into<String>) -> Self {
        Self {
            type_: Some(type_.to_owned()),
            message: Some(message.into()),
            throwable_list: Some(Vec::new()),
            ..Self::default()
        }
    }

    /// The same with a further fact.
    #[must_use]
    pub fn with_metadata(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.additional_metadata.insert(key.to_owned(), value.into());
        self
    }

    /// The same with one more cause, the nearest first.
    #[must_use]
    pub fn with_cause(mut self, type_: &str, message: impl Into<String>) -> Self {
        let cause = Self { throwable_list: None, ..Self::new(type_, message) };
        self.throwable_list.get_or_insert_default().push(cause);
        self
    }

    /// The text for `status.error`, cut to the limits.
    #[must_use]
    pub fn to_text(&self, limits: ErrorLimits) -> String {
        let mut report = self.cut(limits);
        if let Some(causes) = &mut report.throwable_list {
            causes.truncate(limits.throwables);
            for cause in causes {
                *cause = Self { throwable_list: None, ..cause.cut(limits) };
            }
        }
        serde_json::to_value(report).map_or_else(|_| String::new(), |json| json_text::write(&json))
    }

    /// Reads the text of `status.error`. Plain text, as upstream writes it in a few places, is an error
    /// without type.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        serde_json::from_str(text)
            .unwrap_or_else(|_| Self { message: Some(text.to_owned()), ..Self::default() })
    }

    fn cut(&self, limits: ErrorLimits) -> Self {
        let metadata = self.additional_metadata.iter().map(|(key, value)| match value {
            Value::String(text) => (key.clone(), prefix(text, limits.field_length).into()),
            other => (key.clone(), other.clone()),
        });
        Self {
            type_: self.type_.as_deref().map(|text| prefix(text, limits.field_length)),
            message: self.message.as_deref().map(|text| prefix(text, limits.field_length)),
            stack_trace: self
                .stack_trace
                .as_deref()
                .filter(|_| limits.stack_trace)
                .map(|text| prefix(text, limits.stack_trace_length)),
            additional_metadata: metadata.collect(),
            throwable_list: self.throwable_list.clone(),
        }
    }
}

/// At most `length` characters from the start.
fn prefix(text: &str, length: usize) -> String {
    text.chars().take(length).collect()
}
