//! Resource requirements of the adaptive scheduler.

use serde_json::{Value, json};

use super::{JOB_NOT_FOUND, Request};
use crate::answers::ResourceRequirements;
use crate::identifiers::JobId;
use crate::stub::answer::StubResponse;
use crate::stub::job::StubJob;
use crate::stub::state::FlinkState;

/// A running job, or the answer why there is none.
pub(super) fn adaptive_job<'a>(flink: &'a FlinkState, id: &JobId) -> Result<&'a StubJob, Box<StubResponse>> {
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

pub(super) fn requirements(flink: &FlinkState, id: &JobId) -> StubResponse {
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

pub(super) fn update_requirements(flink: &mut FlinkState, id: &JobId, request: &Request<'_>) -> StubResponse {
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
