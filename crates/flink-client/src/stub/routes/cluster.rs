//! The cluster as a whole.

use serde_json::{Value, json};

use super::Request;
use crate::answers::JobState;
use crate::stub::answer::StubResponse;
use crate::stub::job::StubJob;
use crate::stub::job_json;
use crate::stub::state::FlinkState;

pub(super) fn dashboard_config(flink: &FlinkState) -> StubResponse {
    StubResponse::ok(&json!({
        "refresh-interval": u64::try_from(flink.settings.statistics_memory.as_millis()).unwrap_or(u64::MAX),
        "timezone-name": "Coordinated Universal Time",
        "timezone-offset": 0,
        "flink-version": flink.settings.version,
        "flink-revision": "0000000 @ 1970-01-01T00:00:00+00:00",
        "features": {"web-submit": true, "web-cancel": true, "web-rescale": false, "web-history": false},
    }))
}

pub(super) fn overview(flink: &FlinkState) -> StubResponse {
    let count = |wanted: fn(JobState) -> bool| flink.jobs.values().filter(|job| wanted(job.state)).count();
    let used: u64 = flink.jobs.values().filter(|job| job.tasks_running).map(slots_of).sum();
    let slots = u64::from(flink.settings.taskmanagers * flink.settings.slots);
    StubResponse::ok(&json!({
        "taskmanagers": flink.settings.taskmanagers,
        "slots-total": slots,
        "slots-available": slots.saturating_sub(used),
        "jobs-running": count(|state| !state.is_globally_terminal()),
        "jobs-finished": count(|state| state == JobState::Finished),
        "jobs-cancelled": count(|state| state == JobState::Canceled),
        "jobs-failed": count(|state| state == JobState::Failed),
        "flink-version": flink.settings.version,
        "flink-commit": "0000000",
    }))
}

/// Tasks of different vertices share slots, so that the widest vertex counts.
pub(super) fn slots_of(job: &StubJob) -> u64 {
    job.plan.vertices.iter().map(|vertex| u64::from(vertex.parallelism)).max().unwrap_or(0)
}

pub(super) fn cluster_config(flink: &FlinkState) -> StubResponse {
    let entries: Vec<Value> =
        flink.settings.configuration.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
    StubResponse::ok(&Value::Array(entries))
}

pub(super) fn jobmanager_metrics(request: &Request<'_>) -> StubResponse {
    let known = |name: &str| name.starts_with("Status.");
    let metrics = request
        .parameter("get")
        .unwrap_or_default()
        .split(',')
        .filter(|name| known(name))
        .map(|name| json!({"id": name, "value": "1"}));
    StubResponse::ok(&Value::Array(metrics.collect()))
}

pub(super) fn taskmanagers(flink: &FlinkState) -> StubResponse {
    let one = |number: u32| {
        json!({
            "id": format!("taskmanager-{number}"),
            "path": format!("pekko.tcp://flink@taskmanager-{number}:6122/user/rpc/taskmanager_0"),
            "dataPort": 6121,
            "jmxPort": -1,
            "timeSinceLastHeartbeat": flink.clock().as_millisecond(),
            "slotsNumber": flink.settings.slots,
            "freeSlots": flink.settings.slots,
        })
    };
    let all: Vec<Value> = (1..=flink.settings.taskmanagers).map(one).collect();
    StubResponse::ok(&json!({"taskmanagers": all}))
}

pub(super) fn jobs_overview(flink: &FlinkState) -> StubResponse {
    let (now, newer) = (flink.clock(), flink.settings.is_newer());
    let jobs: Vec<Value> = flink.jobs.values().map(|job| job_json::overview(job, now, newer)).collect();
    StubResponse::ok(&json!({"jobs": jobs}))
}
