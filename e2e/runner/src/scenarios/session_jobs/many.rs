//! As many jobs on one real cluster as two cores carry.

use std::time::Instant;

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use serde_json::json;

use super::{CLUSTER, Web, cluster, create, delete, job, job_is_stable};
use crate::kubernetes::Kind;
use crate::scenarios::expectations::stable;
use crate::scenarios::space::Space;

const JOBS: usize = 15;

/// The jobs are created when the cluster is there; its TaskManager comes with the first one.
pub(crate) async fn run(space: &Space) -> Result<()> {
    let web = Web::serve(&space.data, 18083)?;
    let mut cluster = cluster(space);
    let spec = &mut cluster["spec"];
    spec["flinkConfiguration"]["taskmanager.numberOfTaskSlots"] = JOBS.to_string().into();
    // The counting job keeps its state on the heap.
    spec["flinkConfiguration"]["taskmanager.memory.managed.size"] = "0".into();
    spec["taskManager"]["resource"]["memory"] = "1536m".into();
    space.create(cluster).await?;
    stable(space, CLUSTER).await?;
    let names: Vec<_> = (1..=JOBS).map(|number| format!("job-{number}")).collect();
    let began = Instant::now();
    for name in &names {
        let mut job = job(name, &web.uri(), "stateless");
        job["spec"]["job"]["args"] =
            json!(["--ledger", "/ledger", "--name", name, "--rate", "10", "--checkpoint-interval", "10000",]);
        create(space, job).await?;
    }
    try_join_all(names.iter().map(|name| job_is_stable(space, name))).await?;
    space.say(&format!("{JOBS} jobs run {:.1} s after the first create", began.elapsed().as_secs_f64()));
    let overview = space.cluster.ask_flink(&space.name, CLUSTER, "/jobs/overview").await?;
    let running = overview["jobs"].as_array().into_iter().flatten().filter(|job| job["state"] == "RUNNING");
    let running = running.count();
    ensure!(running == JOBS, "Flink runs {running} jobs");
    let began = Instant::now();
    for name in &names {
        space.cluster.delete(Kind::FlinkSessionJob, &space.name, name).await?;
    }
    try_join_all(names.iter().map(|name| delete(space, name))).await?;
    space.say(&format!("all are gone {:.1} s after the first deletion", began.elapsed().as_secs_f64()));
    Ok(())
}
