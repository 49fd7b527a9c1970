//! The routes of the stub.

mod cluster;
mod jars;
mod requirements;
mod snapshots;

use cluster::{cluster_config, dashboard_config, jobmanager_metrics, jobs_overview, overview, taskmanagers};
use http::Method;
use jars::{delete_jar, list_jars, run_jar, upload_jar};
use requirements::{requirements, update_requirements};
use serde_json::{Value, json};
use snapshots::{
    Trigger, checkpoint_config, checkpoint_details, disposal_result, dispose, operation, trigger,
};

use super::answer::StubResponse;
use super::job_json;
use super::operations::Cache;
use super::state::{FlinkState, View};
use crate::identifiers::JobId;

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
        ("GET", rest) => about_job(flink, id, rest, request),
        _ => no_route(method, request.path),
    }
}

fn about_job(flink: &mut FlinkState, id: &JobId, rest: &[&str], request: &Request<'_>) -> StubResponse {
    let (now, newer) = (flink.clock(), flink.settings.is_newer());
    let limit = request.parameter("maxExceptions").and_then(|it| it.parse().ok()).unwrap_or(20);
    let view = match rest {
        ["checkpoints"] => View::Statistics,
        [] | ["exceptions"] => View::Graph,
        _ => View::Live,
    };
    let Some(job) = flink.view(id, view) else { return unknown_job(id, rest, request) };
    match rest {
        [] => StubResponse::ok(&job_json::details(&job, now)),
        ["status"] => StubResponse::ok(&json!({"status": job.state.as_str()})),
        ["execution-result"] => StubResponse::ok(&job_json::result(&job, now)),
        ["exceptions"] => StubResponse::ok(&job_json::exceptions(&job, limit, newer)),
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
