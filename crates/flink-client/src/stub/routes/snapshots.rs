//! Savepoints and checkpoints: triggers, results, statistics.

use serde_json::json;

use super::{NOT_FOUND, Request, bad_parameter, no_checkpointing, text};
use crate::identifiers::{JobId, TriggerId};
use crate::stub::answer::StubResponse;
use crate::stub::operations::{Cache, Operations, Outcome, Raised};
use crate::stub::snapshots::Purpose;
use crate::stub::state::{FlinkState, View};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Trigger {
    Stop,
    Savepoint,
    Checkpoint,
}

/// Accepts a trigger. What is wrong with the job only shows in the result of the operation: an unknown job is
/// accepted like any other.
pub(super) fn trigger(
    flink: &mut FlinkState,
    id: &JobId,
    request: &Request<'_>,
    kind: Trigger,
) -> StubResponse {
    let body = match request.json() {
        Ok(body) => body,
        Err(answer) => return *answer,
    };
    let trigger = match text(&body, "triggerId").map(str::parse::<TriggerId>) {
        Some(Ok(trigger)) => trigger,
        Some(Err(_)) => return StubResponse::handler_error(400, "Request did not match expected format."),
        None => TriggerId::from_u128(u128::from(flink.storage.next_number()) << 64),
    };
    let field = match kind {
        Trigger::Stop => Some("targetDirectory"),
        Trigger::Savepoint => Some("target-directory"),
        Trigger::Checkpoint => None,
    };
    let default = flink.settings.savepoint_directory.clone();
    let directory = field.and_then(|field| text(&body, field)).map(normalised).or(default);
    if let (Some(field), None) = (field, &directory) {
        let text = format!(
            "Config key [execution.checkpointing.savepoint-dir] is not set. Property [{field}] must be provided."
        );
        return StubResponse::handler_error(400, &text);
    }
    if kind == Trigger::Checkpoint && text(&body, "checkpointType") == Some("INCREMENTAL") {
        let text = "Flink does not support triggering incremental checkpoint explicitly. See FLINK-33723.";
        return StubResponse::internal("java.lang.IllegalStateException", text);
    }
    let cache = if kind == Trigger::Checkpoint { Cache::Checkpoints } else { Cache::Savepoints };
    let key = (cache, Some(id.clone()), trigger.clone());
    let answer = StubResponse::json(202, &json!({"request-id": trigger.as_str()}));
    if !flink.operations.begin(key.clone()) {
        return answer;
    }
    let directory = directory.unwrap_or_default();
    let purpose = match kind {
        Trigger::Stop => Purpose::Stop(key.clone(), directory),
        Trigger::Savepoint => Purpose::Savepoint(key.clone(), directory),
        Trigger::Checkpoint => Purpose::Checkpoint(key.clone()),
    };
    let now = flink.clock();
    let live = flink.jobs.get(id).is_some_and(|job| !job.state.is_globally_terminal());
    if live {
        flink.with_job(id, |job, around| job.begin_snapshot(&purpose, now, around));
    } else {
        flink.operations.end(&key, Outcome::Failed(Raised::job_not_found(id)), now);
    }
    answer
}

/// Flink writes `file:/a` for `file:///a`.
pub(super) fn normalised(directory: &str) -> String {
    match directory.strip_prefix("file:///") {
        Some(rest) => format!("file:/{rest}"),
        None => directory.to_owned(),
    }
}

pub(super) fn operation(flink: &FlinkState, cache: Cache, id: &JobId, trigger: &str) -> StubResponse {
    let Ok(trigger) = trigger.parse::<TriggerId>() else { return bad_parameter("triggerid", trigger) };
    let what = if cache == Cache::Checkpoints { "checkpoint" } else { "savepoint" };
    let text = format!("There is no {what} operation with triggerId={trigger} for job {id}.");
    match flink.operations.json(&(cache, Some(id.clone()), trigger)) {
        Some(answer) => StubResponse::ok(&answer),
        None => StubResponse::handler_error(404, &text),
    }
}

pub(super) fn checkpoint_config(flink: &mut FlinkState, id: &JobId) -> StubResponse {
    let Some(job) = flink.view(id, View::Graph) else {
        return StubResponse::raised(404, NOT_FOUND, &format!("Job {id} not found"));
    };
    if job.log.is_none() {
        return no_checkpointing();
    }
    let interval = job.plan.checkpoint_interval.and_then(|it| i64::try_from(it.as_millis()).ok());
    StubResponse::ok(&json!({
        "mode": "exactly_once",
        "interval": interval.unwrap_or(i64::MAX),
        "timeout": 600_000,
        "min_pause": 0,
        "max_concurrent": 1,
        "externalization": {"enabled": true, "delete_on_cancellation": !job.plan.retain_on_cancellation},
        "state_backend": "HashMapStateBackend",
        "checkpoint_storage": "FileSystemCheckpointStorage",
        "unaligned_checkpoints": false,
        "tolerable_failed_checkpoints": 0,
        "aligned_checkpoint_timeout": 0,
        "checkpoints_after_tasks_finish": true,
        "state_changelog_enabled": false,
    }))
}

pub(super) fn checkpoint_details(flink: &mut FlinkState, id: &JobId, checkpoint: &str) -> StubResponse {
    let Ok(number) = checkpoint.parse::<u64>() else { return bad_parameter("checkpointid", checkpoint) };
    let Some(job) = flink.view(id, View::Statistics) else {
        return StubResponse::raised(404, NOT_FOUND, &format!("Job {id} not found"));
    };
    let Some(log) = &job.log else { return no_checkpointing() };
    match log.details(number) {
        Some(entry) => StubResponse::ok(&entry),
        None => StubResponse::handler_error(
            404,
            &format!("Could not find checkpointing statistics for checkpoint {number}."),
        ),
    }
}

pub(super) fn dispose(flink: &mut FlinkState, request: &Request<'_>) -> StubResponse {
    let body = match request.json() {
        Ok(body) => body,
        Err(answer) => return *answer,
    };
    let Some(path) = text(&body, "savepoint-path") else {
        return StubResponse::handler_error(400, "Field savepoint-path must not be omitted or be null.");
    };
    let trigger = TriggerId::from_u128(u128::from(flink.storage.next_number()) << 64 | 1);
    let key = (Cache::Disposals, None, trigger.clone());
    let outcome = if flink.storage.dispose(path) {
        Outcome::Disposed
    } else {
        let cause = format!(
            "java.io.FileNotFoundException: Cannot find checkpoint or savepoint file/directory '{path}' on file system 'file'."
        );
        let message = format!("Could not dispose savepoint {path}.");
        Outcome::Failed(Raised::new("org.apache.flink.util.FlinkException", &message, &[&cause]))
    };
    let now = flink.clock();
    let operations: &mut Operations = &mut flink.operations;
    operations.begin(key.clone());
    operations.end(&key, outcome, now);
    StubResponse::ok(&json!({"request-id": trigger.as_str()}))
}

pub(super) fn disposal_result(flink: &FlinkState, trigger: &str) -> StubResponse {
    let Ok(trigger) = trigger.parse::<TriggerId>() else { return bad_parameter("triggerid", trigger) };
    match flink.operations.json(&(Cache::Disposals, None, trigger)) {
        Some(answer) => StubResponse::ok(&answer),
        None => StubResponse::raised(404, NOT_FOUND, "Operation not found under key: OperationKey"),
    }
}
