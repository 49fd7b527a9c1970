//! The parallelism of a running native job.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::expectations::{event, is_stable, jobmanager, stable};
use super::ledger::{Ledger, goes_on};
use super::space::{Look, Space, TO_STABLE};
use super::specs::Flink;
use super::stateful::{Mode, counting};
use crate::kubernetes::{Kind, name as name_of, text, uid};

pub(super) const OVERRIDES: &str = "pipeline.jobvertex-parallelism-overrides";

/// The time between two rescalings, as Flink 1.20 and 2 call it.
pub(super) const COOL_DOWN: &str = "jobmanager.adaptive-scheduler.scaling-interval.min";

/// Told to change while it runs, a job of the adaptive scheduler goes on with its state; the same change by a restart
/// is timed for comparison. A parallelism that there are no slots for is told, and the job runs on.
pub(super) async fn run(space: &Space) -> Result<()> {
    for (name, flink) in [("older", Flink::V1_20), ("newer", Flink::V2_2)] {
        in_place(space, name, flink).await?;
    }
    Ok(())
}

async fn in_place(space: &Space, name: &str, flink: Flink) -> Result<()> {
    let mut deployment = counting(space, name, flink, Mode::Savepoint);
    let configuration = &mut deployment["spec"]["flinkConfiguration"];
    configuration["jobmanager.scheduler"] = "adaptive".into();
    // By default the scheduler leaves a job alone for half a minute after it has begun.
    configuration[COOL_DOWN] = "1 s".into();
    configuration["slotmanager.number-of-slots.max"] = "4".into();
    space.create(deployment).await?;
    stable(space, name).await?;
    goes_on(space, name, 1, 0, 0).await?;
    let before = jobmanager(space, name).await?;
    let id = widest(&vertices_of_application(space, name).await?)?;
    let counted = Ledger::read(space, name)?.number("sequence")?;

    let began = Instant::now();
    space.change(name, json!({"flinkConfiguration": {OVERRIDES: format!("{id}:2")}})).await?;
    stable(space, name).await?;
    space.say(&format!("{name} rescaled in place in {:.1} s", began.elapsed().as_secs_f64()));
    ensure!(uid(&before) == uid(&jobmanager(space, name).await?), "the cluster was replaced");
    let vertices = vertices_of_application(space, name).await?;
    let now = vertices.iter().find(|vertex| vertex["id"] == id.as_str()).context("the vertex is gone")?;
    ensure!(now["parallelism"] == 2, "STABLE with {now}");
    event(space, name, "Normal", &["Scaling"]).await?;
    goes_on(space, name, 2, 1, counted).await?;

    let counted = Ledger::read(space, name)?.number("sequence")?;
    let began = Instant::now();
    space.change(name, json!({"flinkConfiguration": {OVERRIDES: null}})).await?;
    stable(space, name).await?;
    space.say(&format!("{name} rescaled by a restart in {:.1} s", began.elapsed().as_secs_f64()));
    ensure!(uid(&before) != uid(&jobmanager(space, name).await?), "an override that is gone needs a restart");
    goes_on(space, name, 3, 2, counted).await?;
    begun_anew(space, name, &id).await?;
    if flink == Flink::V1_20 {
        beyond_the_slots(space, name, &id).await?;
    }
    Ok(())
}

/// Without high availability a JobManager that comes up again knows nothing of a rescaling: neither of the state, which
/// is why nobody counts here, nor of the parallelism, which the job gets nevertheless.
async fn begun_anew(space: &Space, name: &str, id: &str) -> Result<()> {
    space.change(name, json!({"flinkConfiguration": {OVERRIDES: format!("{id}:2")}})).await?;
    stable(space, name).await?;
    let before = jobmanager(space, name).await?;
    let start = |deployment: &Value| text(deployment, "/status/jobStatus/startTime").to_owned();
    let started = start(&space.deployment(name).await?);
    let pods =
        space.cluster.list(Kind::Pod, &space.name, &format!("app={name},component=jobmanager")).await?;
    for pod in &pods {
        space.cluster.delete(Kind::Pod, &space.name, name_of(pod)).await?;
    }
    space.say("deleted the JobManager's pod");
    let again = |now: &Value| is_stable(now) && start(now) != started;
    space.until_deployment(name, "has begun its job anew", TO_STABLE, again).await?;
    space
        .until("the job has its parallelism again", TO_STABLE, async || {
            let vertices = vertices_of_application(space, name).await?;
            let now = vertices.iter().find(|vertex| vertex["id"] == id).context("the vertex is gone")?;
            let parallelism = &now["parallelism"];
            Ok(if *parallelism == 2 { Look::Done(()) } else { Look::NotYet(parallelism.to_string()) })
        })
        .await?;
    stable(space, name).await?;
    ensure!(uid(&before) == uid(&jobmanager(space, name).await?), "the cluster was replaced");
    Ok(())
}

/// More subtasks than there may be slots: the job has what it can get, and somebody says so.
async fn beyond_the_slots(space: &Space, name: &str, id: &str) -> Result<()> {
    let configuration = json!({
        OVERRIDES: format!("{id}:8"),
        "kubernetes.operator.deployment.readiness.timeout": "45 s",
    });
    space.change(name, json!({"flinkConfiguration": configuration})).await?;
    let told = |now: &Value| {
        text(now, "/status/lifecycleState") == "STABLE"
            && now["status"]["observedGeneration"] == now["metadata"]["generation"]
    };
    space.until_deployment(name, "runs with what there is", TO_STABLE, told).await?;
    let event = event(space, name, "Warning", &["Error"]).await?;
    ensure!(text(&event, "/message").contains("4 of 8"), "{event}");
    Ok(())
}

async fn vertices_of_application(space: &Space, name: &str) -> Result<Vec<Value>> {
    let status = space.deployment(name).await?;
    vertices(space, name, text(&status, "/status/jobStatus/jobId")).await
}

/// The vertices of a job on a cluster, as Flink tells them.
pub(super) async fn vertices(space: &Space, cluster: &str, job: &str) -> Result<Vec<Value>> {
    let job = space.cluster.ask_flink(&space.name, cluster, &format!("/jobs/{job}")).await?;
    job["vertices"].as_array().cloned().context("a job without vertices")
}

/// The id of the vertex that can have the most subtasks: a source of numbered elements has one.
pub(super) fn widest(vertices: &[Value]) -> Result<String> {
    let widest = vertices.iter().max_by_key(|vertex| vertex["maxParallelism"].as_u64());
    Ok(text(widest.context("no vertex")?, "/id").to_owned())
}
