//! What the stub says about a job.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::job::{ExceptionRecord, StubJob};
use super::operations::Raised;
use crate::answers::JobState;

const STATES: [JobState; 11] = [
    JobState::Initializing,
    JobState::Created,
    JobState::Running,
    JobState::Failing,
    JobState::Failed,
    JobState::Cancelling,
    JobState::Canceled,
    JobState::Finished,
    JobState::Restarting,
    JobState::Suspended,
    JobState::Reconciling,
];

/// State of every task, in Flink's words; all tasks of the stub are in one state.
fn task_state(job: &StubJob) -> &'static str {
    match job.state {
        JobState::Initializing | JobState::Created | JobState::Suspended => "CREATED",
        JobState::Running if job.tasks_running => "RUNNING",
        JobState::Running if job.waits_for_slots => "SCHEDULED",
        JobState::Running => "DEPLOYING",
        JobState::Failing | JobState::Cancelling | JobState::Restarting => "CANCELING",
        JobState::Canceled => "CANCELED",
        JobState::Failed => "FAILED",
        JobState::Finished => "FINISHED",
        JobState::Reconciling => "RECONCILING",
    }
}

const TASK_STATES: [&str; 10] = [
    "CREATED",
    "SCHEDULED",
    "DEPLOYING",
    "RUNNING",
    "FINISHED",
    "CANCELING",
    "CANCELED",
    "FAILED",
    "RECONCILING",
    "INITIALIZING",
];

fn task_counts(job: &StubJob, count: u64, name: impl Fn(&str) -> String) -> Map<String, Value> {
    let current = task_state(job);
    TASK_STATES.iter().map(|state| (name(state), json!(if *state == current { count } else { 0 }))).collect()
}

fn end_time(job: &StubJob) -> i64 {
    job.ended.unwrap_or(-1)
}

fn duration(job: &StubJob, now: Timestamp) -> i64 {
    job.ended.unwrap_or(now.as_millisecond()) - job.started
}

/// An entry of `GET /jobs/overview`. `newer` adds what Flink 2 says.
pub(super) fn overview(job: &StubJob, now: Timestamp, newer: bool) -> Value {
    // While a job initializes Flink knows no tasks of it.
    let total = if job.state == JobState::Initializing { 0 } else { job.plan.tasks() };
    let mut tasks = task_counts(job, total, str::to_lowercase);
    tasks.insert("total".to_owned(), json!(total));
    let mut entry = json!({
        "jid": job.id.as_str(),
        "name": job.plan.name,
        "start-time": job.started,
        "end-time": end_time(job),
        "duration": duration(job, now),
        "state": job.state.as_str(),
        "last-modification": job.entered.get(&job.state).copied().unwrap_or(job.started),
        "tasks": tasks,
    });
    if let (true, Value::Object(entry)) = (newer, &mut entry) {
        entry.insert("pending-operators".to_owned(), json!(0));
    }
    entry
}

/// `GET /jobs/:jobid`.
pub(super) fn details(job: &StubJob, now: Timestamp) -> Value {
    let timestamps: Map<String, Value> = STATES
        .iter()
        .map(|state| (state.as_str().to_owned(), json!(job.entered.get(state).copied().unwrap_or(0))))
        .collect();
    let vertices: Vec<Value> = job
        .plan
        .vertices
        .iter()
        .map(|vertex| {
            json!({
                "id": vertex.id.as_str(),
                "slotSharingGroupId": "00000000000000000000000000005107",
                "name": vertex.name,
                "maxParallelism": vertex.max_parallelism,
                "parallelism": vertex.parallelism,
                "status": task_state(job),
                "start-time": job.started,
                "end-time": end_time(job),
                "duration": duration(job, now),
                "tasks": task_counts(job, u64::from(vertex.parallelism), str::to_owned),
                "metrics": {"read-records": job.records(now), "read-records-complete": true},
            })
        })
        .collect();
    json!({
        "jid": job.id.as_str(),
        "name": job.plan.name,
        "isStoppable": false,
        "state": job.state.as_str(),
        "job-type": "STREAMING",
        "start-time": job.started,
        "end-time": end_time(job),
        "duration": duration(job, now),
        "maxParallelism": -1,
        "now": now.as_millisecond(),
        "timestamps": timestamps,
        "vertices": vertices,
        "status-counts": task_counts(job, job.plan.vertices.len() as u64, str::to_owned),
        "plan": {"jid": job.id.as_str(), "name": job.plan.name, "type": "STREAMING", "nodes": []},
    })
}

/// `GET /jobs/:jobid/exceptions`. `newer`: without what Flink 2 dropped.
pub(super) fn exceptions(job: &StubJob, limit: usize, newer: bool) -> Value {
    let entry = |record: &ExceptionRecord| {
        let endpoint = record.task.as_ref().map(|_| "taskmanager-1:6122");
        let mut entry = json!({
            "exceptionName": record.raised.class,
            "stacktrace": record.raised.trace,
            "timestamp": record.at,
            "failureLabels": {},
            "taskName": record.task,
            "endpoint": endpoint,
            "taskManagerId": record.task.as_ref().map(|_| "taskmanager-1"),
            "concurrentExceptions": [],
        });
        if let (false, Value::Object(entry)) = (newer, &mut entry) {
            entry.insert("location".to_owned(), json!(endpoint));
        }
        entry
    };
    let entries: Vec<Value> = job.exceptions.iter().take(limit).map(entry).collect();
    let history = json!({"entries": entries, "truncated": job.exceptions.len() > limit});
    if newer {
        return json!({"exceptionHistory": history});
    }
    let newest = job.exceptions.first();
    json!({
        "root-exception": newest.map(|it| it.raised.trace.clone()),
        "timestamp": newest.map(|it| it.at),
        "all-exceptions": [],
        "truncated": false,
        "exceptionHistory": history,
    })
}

/// `GET /jobs/:jobid/execution-result`.
pub(super) fn result(job: &StubJob, now: Timestamp) -> Value {
    let status = match job.state {
        JobState::Finished => "SUCCEEDED",
        JobState::Canceled => "CANCELED",
        JobState::Failed => "FAILED",
        JobState::Initializing
        | JobState::Created
        | JobState::Running
        | JobState::Failing
        | JobState::Cancelling
        | JobState::Restarting
        | JobState::Suspended
        | JobState::Reconciling => return json!({"status": {"id": "IN_PROGRESS"}}),
    };
    let mut result = json!({
        "id": job.id.as_str(),
        "application-status": status,
        "accumulator-results": {},
        "net-runtime": duration(job, now),
    });
    if let (Some(failure), Value::Object(result)) = (&job.failure, &mut result) {
        result.insert("failure-cause".to_owned(), Raised::json(failure));
    }
    json!({"status": {"id": "COMPLETED"}, "job-execution-result": result})
}

/// `GET /jobs/:jobid/metrics`: only a running job has any.
pub(super) fn metrics(job: &StubJob, names: &str, newer: bool) -> Value {
    if job.state.is_globally_terminal() {
        return json!([]);
    }
    let completed = job.log.as_ref().map_or(0, |log| log.completed() as u64);
    let value = |name: &str| match name {
        "numRestarts" => Some(job.restarts),
        "fullRestarts" if !newer => Some(job.restarts),
        "numberOfCompletedCheckpoints" => Some(completed),
        _ => None,
    };
    let known =
        names.split(',').filter_map(|name| Some(json!({"id": name, "value": value(name)?.to_string()})));
    Value::Array(known.collect())
}
