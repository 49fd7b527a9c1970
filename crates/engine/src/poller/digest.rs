//! What counts as news in an answer.

use std::hash::{DefaultHasher, Hash, Hasher};

use lifecycle::observed::{FlinkAnswer, FlinkView, OperationResult};

use super::ask::STATE_SIZE;

/// A number that changes with everything that a decision at this moment could depend on.
///
/// Left out is what changes in every healthy job: the time, checkpoints, counters, the size of the state, and the number
/// of running tasks as long as the job counts as equally far. They are used when a decision is made for another reason.
pub(super) fn of(view: &FlinkView) -> u64 {
    let mut hasher = DefaultHasher::new();
    let failing = view.failure.as_ref().map(|failure| (failure.unreachable, failure.untrusted));
    failing.hash(&mut hasher);
    // While nobody answers, the last answer is the old one.
    if failing.is_none()
        && let Some(answer) = &view.answer
    {
        hash_answer(answer, &mut hasher);
    }
    hasher.finish()
}

fn hash_answer(answer: &FlinkAnswer, hasher: &mut DefaultHasher) {
    let FlinkAnswer {
        at: _,
        cluster,
        jobs,
        absent,
        task_managers,
        cluster_info,
        checkpoints,
        operations,
        failure_cause,
        exceptions,
        metrics,
        parallelism,
    } = answer;
    cluster.hash(hasher);
    task_managers.hash(hasher);
    for job in jobs {
        (&job.job_id, job.state, job.effective_state(), job.start_time).hash(hasher);
    }
    for id in absent.keys() {
        id.hash(hasher);
    }
    for (key, value) in cluster_info.iter().filter(|(key, _)| key.as_str() != STATE_SIZE) {
        (key, value).hash(hasher);
    }
    checkpoints.is_some().hash(hasher);
    if let Some(checkpoints) = checkpoints
        && jobs.iter().any(|job| job.job_id == checkpoints.job_id && job.state.is_terminal())
    {
        // What an ended job can be restored from does not change any more, but may be told late.
        for one in &checkpoints.completed {
            (one.id, &one.external_path, one.discarded).hash(hasher);
        }
    }
    for (id, result) in operations {
        id.hash(hasher);
        match result {
            OperationResult::InProgress => 0.hash(hasher),
            OperationResult::Completed(text) => (1, text).hash(hasher),
            OperationResult::Failed(text) => (2, text).hash(hasher),
            OperationResult::Unknown => 3.hash(hasher),
        }
    }
    failure_cause.as_ref().map(|cause| (&cause.job_id, &cause.chain)).hash(hasher);
    for exception in exceptions {
        (exception.timestamp, &exception.exception).hash(hasher);
    }
    metrics.is_some().hash(hasher);
    if let Some(parallelism) = parallelism {
        parallelism.refusal.is_some().hash(hasher);
        for (id, vertex) in &parallelism.vertices {
            (id, vertex.bounds.lower, vertex.bounds.upper, vertex.current).hash(hasher);
        }
    }
}
