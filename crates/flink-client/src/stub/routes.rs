//! The routes of the stub.

use http::Method;
use serde_json::{Value, json};

use super::answer::StubResponse;
use super::job::StubJob;
use super::job_json;
use super::operations::{Cache, Operations, Outcome, Raised};
use super::snapshots::Purpose;
use super::state::{FlinkState, Submission};
use crate::answers::{JobState, ResourceRequirements};
use crate::identifiers::{JobId, TriggerId};

const JOB_NOT_FOUND: &str = "org.apache.flink.runtime.messages.FlinkJobNotFoundException";
const NOT_FOUND: &str = "org.apache.flink.runtime.rest.NotFoundException";
const HANDLER: &str = "org.apache.flink.runtime.rest.handler.RestHandlerException";

/// A request taken apart.
struct Request<'a> {
    path: &'a str,
    query: &'a str,
    body: &'a [u8],
}

impl Request<'_> {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    /// The body as JSON; an empty one counts as an empty object.
    fn json(&self) -> Result<Value, Box<StubResponse>> {
        if self.body.is_empty() {
            return Ok(json!({}));
        }
        serde_json::from_slice(self.body)
            .map_err(|_| Box::new(StubResponse::handler_error(400, "Request did not match expected format.")))
    }
}

fn text<'a>(body: &'a Value, field: &str) -> Option<&'a str> {
    body.get(field).and_then(Value::as_str)
}

/// Answers a request without faults.
pub(super) fn route(flink: &mut FlinkState, method: &Method, path: &str, body: &[u8]) -> StubResponse {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let path = path.strip_prefix("/v1").filter(|rest| rest.starts_with('/')).unwrap_or(path);
    let request = Request { path, query, body };
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    match (method.as_str(), segments.as_slice()) {
        ("GET", ["config"]) => dashboard_config(flink),
        ("GET", ["overview"]) => overview(flink),
        ("GET", ["jobmanager", "config"]) => cluster_config(flink),
        ("GET", ["jobmanager", "metrics"]) => jobmanager_metrics(&request),
        ("GET", ["taskmanagers"]) => taskmanagers(flink),
        ("GET", ["jobs", "overview"]) => jobs_overview(flink),
        ("GET", ["jars"]) => list_jars(flink),
        ("POST", ["jars", "upload"]) => upload_jar(flink, &request),
        ("POST", ["jars", jar, "run"]) => run_jar(flink, jar, &request),
        ("DELETE", ["jars", jar]) => delete_jar(flink, jar),
        ("POST", ["savepoint-disposal"]) => dispose(flink, &request),
        ("GET", ["savepoint-disposal", trigger]) => disposal_result(flink, trigger),
        (_, ["jobs", job, rest @ ..]) => match job.parse() {
            Ok(job) => job_route(flink, method, &job, rest, &request),
            Err(_) => bad_parameter("jobid", job),
        },
        _ => no_route(method, path),
    }
}

/// The answer to the same question about another job.
pub(super) fn route_about(
    flink: &mut FlinkState,
    method: &Method,
    path: &str,
    body: &[u8],
    job: &JobId,
) -> StubResponse {
    if path.ends_with("/jobs/overview") {
        let (now, newer) = (flink.clock(), flink.settings.is_newer());
        let only: Vec<Value> =
            flink.jobs.get(job).iter().map(|job| job_json::overview(job, now, newer)).collect();
        return StubResponse::ok(&json!({"jobs": only}));
    }
    let asked = path.split('/').find(|segment| segment.parse::<JobId>().is_ok()).unwrap_or_default();
    route(flink, method, &path.replacen(asked, job.as_str(), 1), body)
}

fn job_route(
    flink: &mut FlinkState,
    method: &Method,
    id: &JobId,
    rest: &[&str],
    request: &Request<'_>,
) -> StubResponse {
    match (method.as_str(), rest) {
        ("PATCH", []) => cancel(flink, id, request),
        ("POST", ["stop"]) => trigger(flink, id, request, Trigger::Stop),
        ("POST", ["savepoints"]) => trigger(flink, id, request, Trigger::Savepoint),
        ("POST", ["checkpoints"]) => trigger(flink, id, request, Trigger::Checkpoint),
        ("GET", ["savepoints", trigger]) => operation(flink, Cache::Savepoints, id, trigger),
        ("GET", ["checkpoints", "config"]) => checkpoint_config(flink, id),
        ("GET", ["checkpoints", "details", checkpoint]) => checkpoint_details(flink, id, checkpoint),
        ("GET", ["checkpoints", trigger]) => operation(flink, Cache::Checkpoints, id, trigger),
        ("GET", ["metrics"]) => {
            let (names, newer) = (request.parameter("get").unwrap_or_default(), flink.settings.is_newer());
            // Flink has no metrics of a job that it does not know, and does not call that an error.
            StubResponse::ok(
                &flink.jobs.get(id).map_or(json!([]), |job| job_json::metrics(job, names, newer)),
            )
        }
        ("GET", ["resource-requirements"]) => requirements(flink, id),
        ("PUT", ["resource-requirements"]) => update_requirements(flink, id, request),
        ("GET", rest) => match flink.jobs.get(id) {
            Some(job) => about_job(flink, job, rest, request),
            None => unknown_job(id, rest, request),
        },
        _ => no_route(method, request.path),
    }
}

fn about_job(flink: &FlinkState, job: &StubJob, rest: &[&str], request: &Request<'_>) -> StubResponse {
    let (now, newer) = (flink.clock(), flink.settings.is_newer());
    let limit = request.parameter("maxExceptions").and_then(|it| it.parse().ok()).unwrap_or(20);
    match rest {
        [] => StubResponse::ok(&job_json::details(job, now)),
        ["status"] => StubResponse::ok(&json!({"status": job.state.as_str()})),
        ["execution-result"] => StubResponse::ok(&job_json::result(job, now)),
        ["exceptions"] => StubResponse::ok(&job_json::exceptions(job, limit, newer)),
        ["checkpoints"] => match &job.log {
            Some(log) => StubResponse::ok(&log.json()),
            None => no_checkpointing(),
        },
        _ => no_route(&Method::GET, request.path),
    }
}

fn no_checkpointing() -> StubResponse {
    StubResponse::handler_error(404, "Checkpointing has not been enabled.")
}

/// Handlers differ in what they say about an unknown job.
fn unknown_job(id: &JobId, rest: &[&str], request: &Request<'_>) -> StubResponse {
    let message = format!("Could not find Flink job ({id})");
    match rest {
        ["status"] => StubResponse::internal(JOB_NOT_FOUND, &message),
        ["execution-result"] => StubResponse::handler_error(404, &format!("{JOB_NOT_FOUND}: {message}")),
        [] | ["exceptions"] | ["checkpoints", ..] => {
            StubResponse::raised(404, NOT_FOUND, &format!("Job {id} not found"))
        }
        _ => no_route(&Method::GET, request.path),
    }
}

fn bad_parameter(name: &str, value: &str) -> StubResponse {
    let message = format!(
        "Bad request, could not parse parameters: Cannot resolve path parameter ({name}) from value \"{value}\"."
    );
    StubResponse::handler_error(400, &message)
}

/// GET of an unknown path is taken for a file of the web dashboard.
fn no_route(method: &Method, path: &str) -> StubResponse {
    let text = if method == Method::GET {
        format!("Unable to load requested file {path}.")
    } else {
        format!("Not found: {path}")
    };
    StubResponse::plain_error(404, &text)
}

fn dashboard_config(flink: &FlinkState) -> StubResponse {
    StubResponse::ok(&json!({
        "refresh-interval": 3000,
        "timezone-name": "Coordinated Universal Time",
        "timezone-offset": 0,
        "flink-version": flink.settings.version,
        "flink-revision": "0000000 @ 1970-01-01T00:00:00+00:00",
        "features": {"web-submit": true, "web-cancel": true, "web-rescale": false, "web-history": false},
    }))
}

fn overview(flink: &FlinkState) -> StubResponse {
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
fn slots_of(job: &StubJob) -> u64 {
    job.plan.vertices.iter().map(|vertex| u64::from(vertex.parallelism)).max().unwrap_or(0)
}

fn cluster_config(flink: &FlinkState) -> StubResponse {
    let entries: Vec<Value> =
        flink.settings.configuration.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
    StubResponse::ok(&Value::Array(entries))
}

fn jobmanager_metrics(request: &Request<'_>) -> StubResponse {
    let known = |name: &str| name.starts_with("Status.");
    let metrics = request
        .parameter("get")
        .unwrap_or_default()
        .split(',')
        .filter(|name| known(name))
        .map(|name| json!({"id": name, "value": "1"}));
    StubResponse::ok(&Value::Array(metrics.collect()))
}

fn taskmanagers(flink: &FlinkState) -> StubResponse {
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

fn jobs_overview(flink: &FlinkState) -> StubResponse {
    let (now, newer) = (flink.clock(), flink.settings.is_newer());
    let jobs: Vec<Value> = flink.jobs.values().map(|job| job_json::overview(job, now, newer)).collect();
    StubResponse::ok(&json!({"jobs": jobs}))
}

fn cancel(flink: &mut FlinkState, id: &JobId, request: &Request<'_>) -> StubResponse {
    match request.parameter("mode") {
        None | Some("cancel") => {}
        Some("stop") => {
            let text = "The termination mode \"stop\" has been removed. For an ungraceful shutdown, please use \
                        \"cancel\" instead. For a graceful shutdown, please use \"jobs/:jobId/stop\" instead.";
            return StubResponse::handler_error(308, text);
        }
        Some(other) => return bad_parameter("mode", other),
    }
    let now = flink.clock();
    match flink.with_job(id, |job, around| (job.cancel(now, around), job.state)) {
        None => {
            let cause = format!("{JOB_NOT_FOUND}: Could not find Flink job ({id})");
            StubResponse::caused(404, "Job could not be found.", &[&cause])
        }
        Some((true, _)) => StubResponse::json(202, &json!({})),
        Some((false, state)) => {
            let text = format!(
                "Job cancellation failed because the job has already reached another terminal state ({state})."
            );
            StubResponse::handler_error(409, &text)
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Trigger {
    Stop,
    Savepoint,
    Checkpoint,
}

/// Accepts a trigger. What is wrong with the job only shows in the result of the operation: an unknown job is
/// accepted like any other.
fn trigger(flink: &mut FlinkState, id: &JobId, request: &Request<'_>, kind: Trigger) -> StubResponse {
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
fn normalised(directory: &str) -> String {
    match directory.strip_prefix("file:///") {
        Some(rest) => format!("file:/{rest}"),
        None => directory.to_owned(),
    }
}

fn operation(flink: &FlinkState, cache: Cache, id: &JobId, trigger: &str) -> StubResponse {
    let Ok(trigger) = trigger.parse::<TriggerId>() else { return bad_parameter("triggerid", trigger) };
    let what = if cache == Cache::Checkpoints { "checkpoint" } else { "savepoint" };
    let text = format!("There is no {what} operation with triggerId={trigger} for job {id}.");
    match flink.operations.json(&(cache, Some(id.clone()), trigger)) {
        Some(answer) => StubResponse::ok(&answer),
        None => StubResponse::handler_error(404, &text),
    }
}

fn checkpoint_config(flink: &FlinkState, id: &JobId) -> StubResponse {
    let Some(job) = flink.jobs.get(id) else {
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

fn checkpoint_details(flink: &FlinkState, id: &JobId, checkpoint: &str) -> StubResponse {
    let Ok(number) = checkpoint.parse::<u64>() else { return bad_parameter("checkpointid", checkpoint) };
    let Some(job) = flink.jobs.get(id) else {
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

/// A running job, or the answer why there is none.
fn adaptive_job<'a>(flink: &'a FlinkState, id: &JobId) -> Result<&'a StubJob, Box<StubResponse>> {
    let live = flink.jobs.get(id).filter(|job| !job.state.is_globally_terminal());
    let Some(job) = live else {
        let message = format!("Could not find Flink job ({id})");
        return Err(Box::new(StubResponse::internal(JOB_NOT_FOUND, &message)));
    };
    if flink.settings.adaptive {
        return Ok(job);
    }
    let text = "The DefaultScheduler does not support changing the parallelism without a job restart. This \
                feature is currently only expected to work with the AdaptiveScheduler.";
    Err(Box::new(StubResponse::internal("java.lang.UnsupportedOperationException", text)))
}

fn requirements(flink: &FlinkState, id: &JobId) -> StubResponse {
    let job = match adaptive_job(flink, id) {
        Ok(job) => job,
        Err(answer) => return *answer,
    };
    let bounds = job.plan.vertices.iter().map(|vertex| {
        let bounds = json!({"lowerBound": vertex.lower_bound, "upperBound": vertex.parallelism});
        (vertex.id.to_string(), json!({"parallelism": bounds}))
    });
    StubResponse::ok(&Value::Object(bounds.collect()))
}

fn update_requirements(flink: &mut FlinkState, id: &JobId, request: &Request<'_>) -> StubResponse {
    let known = match adaptive_job(flink, id) {
        Ok(job) => job.plan.vertices.iter().map(|vertex| vertex.id.clone()).collect::<Vec<_>>(),
        Err(answer) => return *answer,
    };
    let Ok(wanted) = serde_json::from_slice::<ResourceRequirements>(request.body) else {
        return StubResponse::handler_error(400, "Request did not match expected format.");
    };
    let complete =
        wanted.vertices.len() == known.len() && known.iter().all(|id| wanted.vertices.contains_key(id));
    if !complete {
        let text = "Invalid job resource requirements: every vertex must be named exactly once.";
        return StubResponse::handler_error(400, text);
    }
    let now = flink.clock();
    flink.with_job(id, |job, around| {
        for vertex in &mut job.plan.vertices {
            if let Some(bounds) = wanted.vertices.get(&vertex.id) {
                vertex.parallelism = bounds.parallelism.upper_bound;
                vertex.lower_bound = bounds.parallelism.lower_bound;
            }
        }
        job.rescale(now, around);
    });
    StubResponse::ok(&json!({}))
}

fn dispose(flink: &mut FlinkState, request: &Request<'_>) -> StubResponse {
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

fn disposal_result(flink: &FlinkState, trigger: &str) -> StubResponse {
    let Ok(trigger) = trigger.parse::<TriggerId>() else { return bad_parameter("triggerid", trigger) };
    match flink.operations.json(&(Cache::Disposals, None, trigger)) {
        Some(answer) => StubResponse::ok(&answer),
        None => StubResponse::raised(404, NOT_FOUND, "Operation not found under key: OperationKey"),
    }
}

fn list_jars(flink: &FlinkState) -> StubResponse {
    let files: Vec<Value> = flink
        .jars
        .iter()
        .map(|(id, (name, uploaded))| {
            json!({"id": id, "name": name, "uploaded": uploaded, "entry": [{"name": "Main", "description": null}]})
        })
        .collect();
    StubResponse::ok(&json!({"address": "http://localhost:8081", "files": files}))
}

fn upload_jar(flink: &mut FlinkState, request: &Request<'_>) -> StubResponse {
    // Only the head of the part is text; the jar itself is not looked at.
    let head = String::from_utf8_lossy(request.body.get(..request.body.len().min(1024)).unwrap_or_default());
    let name =
        head.split_once("filename=\"").and_then(|(_, rest)| rest.split_once('"')).map(|(name, _)| name);
    match name {
        None => StubResponse::handler_error(400, "Exactly 1 file must be sent, received 0."),
        Some(name) if !name.to_ascii_lowercase().ends_with(".jar") => {
            StubResponse::handler_error(400, "Only Jar files are allowed.")
        }
        Some(name) => {
            let number = flink.storage.next_number();
            let id = format!("00000000-0000-0000-0000-{number:012x}_{name}");
            flink.jars.insert(id.clone(), (name.to_owned(), flink.clock().as_millisecond()));
            let filename = format!("/tmp/flink-web-upload/{id}");
            StubResponse::ok(&json!({"filename": filename, "status": "success"}))
        }
    }
}

fn run_jar(flink: &mut FlinkState, jar: &str, request: &Request<'_>) -> StubResponse {
    let body = match request.json() {
        Ok(body) => body,
        Err(answer) => return *answer,
    };
    if !flink.jars.contains_key(jar) {
        return StubResponse::internal(
            HANDLER,
            &format!("Jar file /tmp/flink-web-upload/{jar} does not exist"),
        );
    }
    let job = match text(&body, "jobId").map(str::parse::<JobId>) {
        Some(Ok(job)) => job,
        Some(Err(_)) => return StubResponse::handler_error(400, "Request did not match expected format."),
        None => JobId::from_u128(u128::from(flink.storage.next_number()) << 64 | 2),
    };
    let restore_path = text(&body, "savepointPath").map(ToOwned::to_owned);
    let mut plan = flink.settings.jar_plan.clone();
    if let Some(parallelism) =
        body.get("parallelism").and_then(Value::as_u64).and_then(|it| u32::try_from(it).ok())
    {
        plan.vertices.iter_mut().for_each(|vertex| vertex.parallelism = parallelism);
    }
    let now = flink.clock();
    let missing = restore_path.clone().filter(|path| flink.storage.get(path).is_none());
    if flink.submit(Submission { job: job.clone(), plan, restore_path }, now).is_err() {
        let causes = [
            "org.apache.flink.util.FlinkException: Failed to execute job 'job'.",
            "org.apache.flink.runtime.client.DuplicateJobSubmissionException: Job has already been submitted.",
        ];
        return StubResponse::caused(400, "Could not execute application.", &causes);
    }
    if let Some(path) = missing {
        // The answer waits for the job to be initialized; it is FAILED then and its id is used up.
        let initialized = now + flink.settings.jar_plan.initializing;
        flink.advance(initialized);
        let cause = format!(
            "java.io.FileNotFoundException: Cannot find checkpoint or savepoint file/directory '{path}' on file system 'file'."
        );
        let causes = [
            "org.apache.flink.runtime.client.JobInitializationException: Could not start the JobMaster.",
            &cause,
        ];
        return StubResponse::caused(400, "Could not execute application.", &causes);
    }
    StubResponse::ok(&json!({"jobid": job.as_str()}))
}

fn delete_jar(flink: &mut FlinkState, jar: &str) -> StubResponse {
    if flink.jars.remove(jar).is_some() {
        return StubResponse::ok(&json!({}));
    }
    StubResponse::handler_error(400, &format!("File {jar} does not exist in /tmp/flink-web-upload."))
}
