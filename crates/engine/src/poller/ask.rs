//! One poll: the list of jobs, and then each question of the plan.

use std::collections::BTreeMap;

use api::JobStatusState;
use flink_client::answers::{self, JobState, Operation};
use flink_client::{FlinkCluster, FlinkError, JobId, TriggerId};
use jiff::Timestamp;
use lifecycle::observed::{
    Checkpoints, CompletedCheckpoint, FailureCause, FlinkAnswer, FlinkFailure, JobException, JobMetrics,
    JobOverview, OperationResult,
};
use lifecycle::{PollPlan, Question};

/// How many exceptions of a job are read at most.
const EXCEPTIONS: u32 = 20;

/// Asks everything. Without the list of jobs there is no answer; any other question may stay open.
pub(super) async fn ask(
    cluster: &FlinkCluster,
    plan: &PollPlan,
    began: Timestamp,
) -> Result<FlinkAnswer, FlinkFailure> {
    let jobs = cluster.jobs_overview().await.map_err(|error| FlinkFailure {
        since: began,
        unreachable: error.is_no_answer(),
        message: error.to_string(),
    })?;
    let mut answer = FlinkAnswer {
        at: began,
        cluster: plan.deployment_uid.clone(),
        jobs: jobs.iter().map(overview).collect(),
        task_managers: None,
        cluster_info: BTreeMap::new(),
        checkpoints: None,
        operations: BTreeMap::new(),
        failure_cause: None,
        exceptions: Vec::new(),
        metrics: None,
    };
    for question in &plan.questions {
        put(cluster, question, &mut answer).await;
    }
    Ok(answer)
}

async fn put(cluster: &FlinkCluster, question: &Question, answer: &mut FlinkAnswer) {
    match question {
        Question::ClusterInfo => put_cluster_info(cluster, answer).await,
        Question::Checkpoints { job_id } => {
            if let (Some(job), Some(_)) = (id::<JobId>(job_id), state(answer, job_id)) {
                put_checkpoints(cluster, &job, answer).await;
            }
        }
        Question::Savepoint { job_id, trigger_id } => {
            if let (Some(job), Some(trigger)) = (id::<JobId>(job_id), id::<TriggerId>(trigger_id)) {
                let result = cluster.savepoint_result(&job, &trigger).await;
                let result = operation(result, |path| path, answers::FailureCause::savepoint_before_failure);
                put_operation(answer, trigger_id, result);
            }
        }
        Question::Checkpoint { job_id, trigger_id } => {
            if let (Some(job), Some(trigger)) = (id::<JobId>(job_id), id::<TriggerId>(trigger_id)) {
                let result = cluster.checkpoint_result(&job, &trigger).await;
                put_operation(answer, trigger_id, operation(result, |id| id.to_string(), |_| None));
            }
        }
        Question::FailureCause { job_id } => {
            let failed = state(answer, job_id) == Some(JobStatusState::Failed);
            if let Some(job) = id::<JobId>(job_id).filter(|_| failed) {
                put_failure_cause(cluster, &job, answer).await;
            }
        }
        Question::Exceptions { job_id } => {
            // A job that never restarted has none; one that was never seen to run may have failed at once.
            if let (Some(job), Some(_)) = (id::<JobId>(job_id), state(answer, job_id)) {
                put_exceptions(cluster, &job, answer).await;
            }
        }
        Question::Metrics { job_id } => {
            if let (Some(job), Some(_)) = (id::<JobId>(job_id), state(answer, job_id)) {
                put_metrics(cluster, &job, answer).await;
            }
        }
    }
}

/// An id of our own form; a foreign one in a status cannot be asked about.
fn id<I: std::str::FromStr>(text: &str) -> Option<I> {
    text.parse().ok()
}

fn state(answer: &FlinkAnswer, job_id: &str) -> Option<JobStatusState> {
    answer.jobs.iter().find(|job| job.job_id == job_id).map(|job| job.state)
}

fn overview(job: &answers::JobOverview) -> JobOverview {
    let count = |tasks: u64| i64::try_from(tasks).unwrap_or(i64::MAX);
    JobOverview {
        job_id: job.id.to_string(),
        name: job.name.clone(),
        state: job_state(job.state),
        start_time: job.start_time,
        tasks_total: count(job.tasks.total),
        tasks_running: count(job.tasks.running),
        tasks_finished: count(job.tasks.finished),
    }
}

fn job_state(state: JobState) -> JobStatusState {
    match state {
        JobState::Initializing => JobStatusState::Initializing,
        JobState::Created => JobStatusState::Created,
        JobState::Running => JobStatusState::Running,
        JobState::Failing => JobStatusState::Failing,
        JobState::Failed => JobStatusState::Failed,
        JobState::Cancelling => JobStatusState::Cancelling,
        JobState::Canceled => JobStatusState::Canceled,
        JobState::Finished => JobStatusState::Finished,
        JobState::Restarting => JobStatusState::Restarting,
        JobState::Suspended => JobStatusState::Suspended,
        JobState::Reconciling => JobStatusState::Reconciling,
    }
}

async fn put_cluster_info(cluster: &FlinkCluster, answer: &mut FlinkAnswer) {
    if let Ok(config) = cluster.dashboard_config().await {
        answer.cluster_info.insert("flink-version".to_owned(), config.flink_version);
        answer.cluster_info.insert("flink-revision".to_owned(), config.flink_revision);
    }
    if let Ok(task_managers) = cluster.taskmanagers().await {
        answer.task_managers = u32::try_from(task_managers.len()).ok();
    }
}

async fn put_checkpoints(cluster: &FlinkCluster, job: &JobId, answer: &mut FlinkAnswer) {
    let statistics = match cluster.checkpoints(job).await {
        Ok(statistics) => statistics,
        // Checkpointing is not enabled: that there is nothing is known.
        Err(FlinkError::NotFound { missing: flink_client::Missing::Checkpointing, .. }) => {
            answer.checkpoints = Some(Checkpoints { job_id: job.to_string(), ..Checkpoints::default() });
            return;
        }
        Err(_) => return,
    };
    let newest = statistics.newest_restore_point().map(|point| CompletedCheckpoint {
        id: i64::try_from(point.id).unwrap_or(i64::MAX),
        external_path: point.path,
        trigger_timestamp: point.timestamp,
    });
    let state_size =
        statistics.latest.completed.as_ref().and_then(|latest| i64::try_from(latest.state_size).ok());
    if let Some(size) = state_size {
        answer.cluster_info.insert("state-size".to_owned(), size.to_string());
    }
    answer.checkpoints = Some(Checkpoints {
        job_id: job.to_string(),
        completed: newest.into_iter().collect(),
        in_progress_since: statistics.in_progress().map(|checkpoint| checkpoint.trigger_timestamp),
        state_size,
    });
}

/// The result of an operation; `None` when it cannot be known now. A stop that failed after its savepoint was complete
/// has a savepoint all the same.
fn operation<T>(
    result: Result<Operation<T>, FlinkError>,
    text: impl FnOnce(T) -> String,
    saved: impl FnOnce(&answers::FailureCause) -> Option<&str>,
) -> Option<OperationResult> {
    match result {
        Ok(Operation::InProgress) => Some(OperationResult::InProgress),
        Ok(Operation::Completed(outcome)) => Some(OperationResult::Completed(text(outcome))),
        Ok(Operation::Failed(cause)) => Some(match saved(&cause) {
            Some(path) => OperationResult::Completed(path.to_owned()),
            None => OperationResult::Failed(cause.summary()),
        }),
        Err(error) if error.is_operation_not_found() || error.is_job_not_found() => {
            Some(OperationResult::Unknown)
        }
        Err(_) => None,
    }
}

fn put_operation(answer: &mut FlinkAnswer, trigger_id: &str, result: Option<OperationResult>) {
    if let Some(result) = result {
        answer.operations.insert(trigger_id.to_owned(), result);
    }
}

async fn put_failure_cause(cluster: &FlinkCluster, job: &JobId, answer: &mut FlinkAnswer) {
    let Ok(Some(result)) = cluster.job_result(job).await else { return };
    let Some(cause) = result.failure_cause else { return };
    let chain = cause_chain(&cause.class, &cause.stack_trace);
    answer.failure_cause = Some(FailureCause { job_id: job.to_string(), chain });
}

/// The levels of a stack trace: its first line, and each `Caused by:`.
fn cause_chain(class: &str, stack_trace: &str) -> Vec<(String, String)> {
    let first = stack_trace.lines().next().map_or(class, str::trim).to_owned();
    let causes = stack_trace.lines().filter_map(|line| line.trim().strip_prefix("Caused by: "));
    let level = |text: &str| {
        let class = text.split(':').next().unwrap_or(text);
        (class.to_owned(), text.to_owned())
    };
    std::iter::once(level(&first)).chain(causes.map(level)).collect()
}

async fn put_exceptions(cluster: &FlinkCluster, job: &JobId, answer: &mut FlinkAnswer) {
    let Ok(exceptions) = cluster.job_exceptions(job, EXCEPTIONS).await else { return };
    answer.exceptions = exceptions
        .entries
        .into_iter()
        .map(|entry| JobException {
            timestamp: entry.timestamp,
            exception: entry.exception_name,
            stacktrace: entry.stacktrace,
            task_name: entry.task_name,
            endpoint: entry.endpoint,
            task_manager_id: entry.task_manager_id,
            failure_labels: entry.failure_labels,
        })
        .collect();
}

async fn put_metrics(cluster: &FlinkCluster, job: &JobId, answer: &mut FlinkAnswer) {
    const NAMES: [&str; 3] = ["numRestarts", "fullRestarts", "numberOfCompletedCheckpoints"];
    let Ok(metrics) = cluster.job_metrics(job, &NAMES).await else { return };
    let value = |name: &str| {
        let metric = metrics.iter().find(|metric| metric.id == name)?;
        #[expect(clippy::cast_possible_truncation, reason = "counters far below 2^53")]
        metric.number().map(|number| number as i64)
    };
    answer.metrics = Some(JobMetrics {
        restarts: value("numRestarts").or_else(|| value("fullRestarts")),
        completed_checkpoints: value("numberOfCompletedCheckpoints"),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_trace_is_taken_apart() {
        let trace = "org.apache.flink.A: one\n\tat x\nCaused by: org.apache.flink.B: two\n\t... 3 more\nCaused by: C\n";
        let chain = cause_chain("org.apache.flink.A", trace);
        assert_eq!(
            chain,
            [
                ("org.apache.flink.A".to_owned(), "org.apache.flink.A: one".to_owned()),
                ("org.apache.flink.B".to_owned(), "org.apache.flink.B: two".to_owned()),
                ("C".to_owned(), "C".to_owned()),
            ]
        );
    }
}
