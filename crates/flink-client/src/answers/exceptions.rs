//! Exceptions of a job.

use std::collections::BTreeMap;

use serde::Deserialize;

/// `GET /jobs/:jobid/exceptions`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
pub struct JobExceptions {
    /// Newest first.
    pub entries: Vec<ExceptionEntry>,
    /// Whether older ones were left out.
    #[serde(default)]
    pub truncated: bool,
}

/// One failure that the job recovered from or died of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExceptionEntry {
    /// Java class.
    pub exception_name: String,
    /// Whole stack trace as Flink says it. It may hold secrets: mask it before showing it.
    pub stacktrace: String,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    /// Task that failed; absent for failures of the JobManager.
    #[serde(default)]
    pub task_name: Option<String>,
    /// Host and port of the TaskManager; Flink 1.19 and newer.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// The same before Flink 2.0; Flink 1.19 and 1.20 have both.
    #[serde(default)]
    pub location: Option<String>,
    /// Resource id of the TaskManager.
    #[serde(default)]
    pub task_manager_id: Option<String>,
    /// Labels of failure enrichers; Flink 1.18 and newer.
    #[serde(default)]
    pub failure_labels: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExceptionsAnswer {
    pub(crate) exception_history: JobExceptions,
}
