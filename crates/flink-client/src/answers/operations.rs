//! Results of asynchronous operations and of jobs.

use serde::Deserialize;

use crate::error_text::ErrorText;
use crate::identifiers::{JobId, TriggerId};

/// State of an asynchronous operation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Operation<T> {
    /// It goes on.
    InProgress,
    /// It succeeded.
    Completed(T),
    /// It failed.
    Failed(FailureCause),
}

/// A Java exception. Its serialised form, which only a JVM can read, is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FailureCause {
    /// Java class.
    pub class: String,
    /// Whole stack trace as Flink says it. It may hold secrets: mask it before showing it.
    pub stack_trace: String,
}

impl FailureCause {
    /// One line fit for a status or an event: first line and innermost cause, secrets masked.
    #[must_use]
    pub fn summary(&self) -> String {
        ErrorText::of_text(&self.stack_trace).summary().to_owned()
    }

    /// Whether the operation failed because Flink does not know the job, or the job has ended. Flink accepts
    /// triggers for any job id and says only in the result that there is no such job.
    #[must_use]
    pub fn is_job_not_found(&self) -> bool {
        self.stack_trace.contains("FlinkJobNotFoundException")
    }

    /// The path of a savepoint that was completed before stopping the job failed.
    ///
    /// `StopWithSavepointStoppingException` holds the path in its message: `A savepoint has been created at:
    /// <path>, but the corresponding job …`. The savepoint is whole and consistent, but the job restarted
    /// after it, so it goes on processing.
    #[must_use]
    pub fn savepoint_before_failure(&self) -> Option<&str> {
        const BEFORE: &str = "savepoint has been created at: ";
        const AFTER: &str = ", but the corresponding job";
        if !self.stack_trace.contains("StopWithSavepointStoppingException") {
            return None;
        }
        let (_, from_path) = self.stack_trace.split_once(BEFORE)?;
        let (path, _) = from_path.split_once(AFTER)?;
        (!path.is_empty() && !path.contains('\n')).then_some(path)
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Requested {
    pub(crate) request_id: TriggerId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum QueueState {
    InProgress,
    Completed,
}

#[derive(Debug, Deserialize)]
struct QueueStatus {
    id: QueueState,
}

#[derive(Debug, Deserialize)]
pub(crate) struct AsyncAnswer<T> {
    status: QueueStatus,
    operation: Option<T>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct SavepointOutcome {
    location: Option<String>,
    #[serde(rename = "failure-cause")]
    failure_cause: Option<FailureCause>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CheckpointOutcome {
    checkpoint_id: Option<u64>,
    failure_cause: Option<FailureCause>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct DisposalOutcome {
    #[serde(rename = "failure-cause")]
    failure_cause: Option<FailureCause>,
}

/// An answer that says COMPLETED and neither result nor cause is no success: `Err` with the reason.
type Reading<T> = Result<Operation<T>, &'static str>;

fn read<T>(state: QueueState, value: Option<T>, cause: Option<FailureCause>) -> Reading<T> {
    match (state, value, cause) {
        // A failure counts also when the operation is still marked as going on.
        (_, _, Some(cause)) => Ok(Operation::Failed(cause)),
        (QueueState::InProgress, _, None) => Ok(Operation::InProgress),
        (QueueState::Completed, Some(value), None) => Ok(Operation::Completed(value)),
        (QueueState::Completed, None, None) => Err("completed without result or failure"),
    }
}

impl AsyncAnswer<SavepointOutcome> {
    pub(crate) fn read(self) -> Reading<String> {
        let (location, cause) = self.operation.map_or((None, None), |it| (it.location, it.failure_cause));
        read(self.status.id, location, cause)
    }
}

impl AsyncAnswer<CheckpointOutcome> {
    pub(crate) fn read(self) -> Reading<u64> {
        let (id, cause) = self.operation.map_or((None, None), |it| (it.checkpoint_id, it.failure_cause));
        read(self.status.id, id, cause)
    }
}

impl AsyncAnswer<DisposalOutcome> {
    pub(crate) fn read(self) -> Reading<()> {
        read(self.status.id, Some(()), self.operation.and_then(|it| it.failure_cause))
    }
}

/// How a job ended (`org.apache.flink.runtime.clusterframework.ApplicationStatus`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ApplicationStatus {
    /// By itself or by stop-with-savepoint.
    Succeeded,
    /// By a failure.
    Failed,
    /// On request.
    Canceled,
    /// Flink cannot tell.
    Unknown,
}

/// Final result of a job: `GET /jobs/:jobid/execution-result`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct JobResult {
    /// Id.
    pub id: JobId,
    /// How it ended.
    pub application_status: ApplicationStatus,
    /// Why it failed.
    #[serde(default)]
    pub failure_cause: Option<FailureCause>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct JobResultAnswer {
    status: QueueStatus,
    job_execution_result: Option<JobResult>,
}

impl JobResultAnswer {
    /// `None` while the job has not ended.
    pub(crate) fn read(self) -> Result<Option<JobResult>, &'static str> {
        match (self.status.id, self.job_execution_result) {
            (QueueState::InProgress, _) => Ok(None),
            (QueueState::Completed, Some(result)) => Ok(Some(result)),
            (QueueState::Completed, None) => Err("completed without a result"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn savepoint(text: &str) -> Reading<String> {
        serde_json::from_str::<AsyncAnswer<SavepointOutcome>>(text).unwrap().read()
    }

    #[test]
    fn a_savepoint_result_is_one_of_three() {
        assert_eq!(
            savepoint(r#"{"status":{"id":"IN_PROGRESS"},"operation":null}"#),
            Ok(Operation::InProgress)
        );
        assert_eq!(savepoint(r#"{"status":{"id":"IN_PROGRESS"}}"#), Ok(Operation::InProgress));
        assert_eq!(
            savepoint(r#"{"status":{"id":"COMPLETED"},"operation":{"location":"s3://a/b"}}"#),
            Ok(Operation::Completed("s3://a/b".to_owned()))
        );
        let failed = savepoint(
            r#"{"status":{"id":"COMPLETED"},"operation":{"failure-cause":{"class":"a.B","stack-trace":"a.B: c\n\tat d","serialized-throwable":"rO0="}}}"#,
        );
        let Ok(Operation::Failed(cause)) = failed else { panic!("{failed:?}") };
        assert_eq!((cause.class.as_str(), cause.summary().as_str()), ("a.B", "a.B: c"));
        assert!(savepoint(r#"{"status":{"id":"COMPLETED"},"operation":{}}"#).is_err());
    }

    #[test]
    fn the_path_of_a_savepoint_that_preceded_a_failed_stop_is_found() {
        let cause =
            |stack_trace: &str| FailureCause { class: String::new(), stack_trace: stack_trace.to_owned() };
        let trace = "java.util.concurrent.CompletionException: org.apache.flink.runtime.scheduler.stopwithsavepoint.StopWithSavepointStoppingException: A savepoint has been created at: file:/s/savepoint-1, but the corresponding job 0a didn't terminate successfully.";
        assert_eq!(cause(trace).savepoint_before_failure(), Some("file:/s/savepoint-1"));
        assert_eq!(
            cause("a.B: A savepoint has been created at: x, but the corresponding job")
                .savepoint_before_failure(),
            None
        );
        assert_eq!(cause("StopWithSavepointStoppingException: gone").savepoint_before_failure(), None);
    }
}
