//! Conditions of a FlinkDeployment. Source: `ConditionsUtils.java`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{JobManagerDeploymentStatus, JobStatusState};

/// Type of the condition that says whether the job, or the session cluster, runs.
pub const TYPE_RUNNING: &str = "Running";
/// Type of the condition that says why the newest generation of the spec is not what runs. It is absent otherwise. Not
/// written by the Java operator.
pub const TYPE_SPEC_ACCEPTED: &str = "SpecAccepted";
/// Type of the condition that says what a deletion waits for. Not written by the Java operator.
pub const TYPE_DELETING: &str = "Deleting";
/// `status` of a condition that holds.
pub const STATUS_TRUE: &str = "True";
/// `status` of a condition that does not hold.
pub const STATUS_FALSE: &str = "False";

/// A condition in Kubernetes' form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// When `status` last changed, as ISO 8601 instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<String>,
    /// A sentence for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// `metadata.generation` the condition was computed from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// A word for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `True`, `False` or `Unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// What the condition is about.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
}

impl Condition {
    /// A condition, with the time of its last transition taken from `previous` (the list it will be part
    /// of) if its status is unchanged there, else `now`.
    #[must_use]
    pub fn new(
        type_: &str,
        status: bool,
        reason: &str,
        message: &str,
        previous: &[Condition],
        now: Timestamp,
    ) -> Self {
        let status = if status { STATUS_TRUE } else { STATUS_FALSE };
        let unchanged = previous
            .iter()
            .find(|one| one.type_.as_deref() == Some(type_) && one.status.as_deref() == Some(status))
            .and_then(|one| one.last_transition_time.clone());
        Self {
            last_transition_time: Some(unchanged.unwrap_or_else(|| now.to_string())),
            message: Some(message.to_owned()),
            observed_generation: None,
            reason: Some(reason.to_owned()),
            status: Some(status.to_owned()),
            type_: Some(type_.to_owned()),
        }
    }
}

/// The `Running` condition of an application cluster. No job state reads as reason `Unknown` (the Java
/// operator fails there).
#[must_use]
pub fn running_for_job(state: Option<JobStatusState>, previous: &[Condition], now: Timestamp) -> Condition {
    let (reason, message) = match state {
        Some(state) => (capitalized(state.as_str()), format!("Job status {state}")),
        None => ("Unknown".to_owned(), "Job status is not known".to_owned()),
    };
    Condition::new(TYPE_RUNNING, state == Some(JobStatusState::Running), &reason, &message, previous, now)
}

/// The `Running` condition of a session cluster.
#[must_use]
pub fn running_for_session(
    state: JobManagerDeploymentStatus,
    previous: &[Condition],
    now: Timestamp,
) -> Condition {
    let (reason, message) = match state {
        JobManagerDeploymentStatus::Ready => {
            ("JobManagerReady", "JobManager is running and ready to receive REST API calls")
        }
        JobManagerDeploymentStatus::DeployedNotReady => {
            ("DeployedNotReady", "JobManager is running but not yet ready to receive REST API calls")
        }
        JobManagerDeploymentStatus::Deploying => {
            ("JobManagerIsDeploying", "JobManager process is starting up")
        }
        JobManagerDeploymentStatus::Missing => {
            ("JobManagerDeploymentMissing", "JobManager deployment not found")
        }
        JobManagerDeploymentStatus::Error => ("Error", "JobManager deployment failed"),
    };
    let ready = state == JobManagerDeploymentStatus::Ready;
    Condition::new(TYPE_RUNNING, ready, reason, message, previous, now)
}

/// `RUNNING` becomes `Running`.
fn capitalized(text: &str) -> String {
    let lower = text.to_lowercase();
    let mut letters = lower.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
