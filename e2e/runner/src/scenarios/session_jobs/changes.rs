//! What can be done to one job on a session cluster while others on it, with the same jar, go on.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::{super::rescaling, until_job};
use super::{
    CLUSTER, Web, change, cluster, create, delete, found, job, job_id, job_is_stable, restored_from,
};
use crate::kubernetes::{Kind, text};
use crate::scenarios::expectations::{event_on, stable};
use crate::scenarios::ledger::{Ledger, goes_on};
use crate::scenarios::space::Space;

const RESCALED: &str = "rescaled";
const ROLLED_BACK: &str = "rolled-back";
const REDEPLOYED: &str = "redeployed";
const ALL: [&str; 3] = [RESCALED, ROLLED_BACK, REDEPLOYED];

pub(crate) async fn run(space: &Space) -> Result<()> {
    let web = Web::serve(&space.data, 18081)?;
    let mut cluster = cluster(space);
    let configuration = &mut cluster["spec"]["flinkConfiguration"];
    configuration["jobmanager.scheduler"] = "adaptive".into();
    // By default the scheduler leaves a job alone for half a minute after it has begun.
    configuration[rescaling::COOL_DOWN] = "1 s".into();
    configuration["taskmanager.numberOfTaskSlots"] = "6".into();
    space.create(cluster).await?;
    for name in ALL {
        let mut job = job(name, &web.uri(), "savepoint");
        if name == ROLLED_BACK {
            job["spec"]["flinkConfiguration"] = json!({
                "kubernetes.operator.deployment.rollback.enabled": "true",
                "kubernetes.operator.deployment.readiness.timeout": "30 s",
            });
        }
        create(space, job).await?;
    }
    stable(space, CLUSTER).await?;
    for name in ALL {
        job_is_stable(space, name).await?;
        goes_on(space, name, 1, 0, 0).await?;
    }
    // Waits longest.
    change(space, ROLLED_BACK, json!({"job": {"entryClass": "there.is.no.such.Job"}})).await?;
    rescaled_in_place(space).await?;
    redeployed(space).await?;
    rolled_back(space).await?;
    for name in ALL {
        delete(space, name).await?;
    }
    Ok(())
}

/// The same job goes on with more subtasks.
async fn rescaled_in_place(space: &Space) -> Result<()> {
    let id = job_id(space, RESCALED).await?;
    let vertex = rescaling::widest(&rescaling::vertices(space, CLUSTER, &id).await?)?;
    let counted = Ledger::read(space, RESCALED)?.number("sequence")?;
    let began = Instant::now();
    let wanted = json!({"flinkConfiguration": {rescaling::OVERRIDES: format!("{vertex}:2")}});
    change(space, RESCALED, wanted).await?;
    job_is_stable(space, RESCALED).await?;
    space.say(&format!("rescaled in place in {:.1} s", began.elapsed().as_secs_f64()));
    ensure!(job_id(space, RESCALED).await? == id, "another job was submitted");
    let vertices = rescaling::vertices(space, CLUSTER, &id).await?;
    let now = vertices.iter().find(|it| it["id"] == vertex.as_str()).context("the vertex is gone")?;
    ensure!(now["parallelism"] == 2, "STABLE with {now}");
    event_on(space, Kind::FlinkSessionJob, RESCALED, "Normal", &["Scaling"]).await?;
    goes_on(space, RESCALED, 2, 1, counted).await?;
    Ok(())
}

/// What the job has counted since the savepoint is given up, because its user says so.
async fn redeployed(space: &Space) -> Result<()> {
    let counted = Ledger::read(space, REDEPLOYED)?.number("completed")?;
    change(space, REDEPLOYED, json!({"restartNonce": 1})).await?;
    let job = job_is_stable(space, REDEPLOYED).await?;
    goes_on(space, REDEPLOYED, 2, 1, counted).await?;
    let savepoint = text(&job, "/status/jobStatus/upgradeSavepointPath").to_owned();
    let wanted = json!({"job": {"initialSavepointPath": savepoint, "savepointRedeployNonce": 1}});
    let before = job_id(space, REDEPLOYED).await?;
    change(space, REDEPLOYED, wanted).await?;
    job_is_stable(space, REDEPLOYED).await?;
    ensure!(job_id(space, REDEPLOYED).await? != before, "the old job goes on");
    let restored = restored_from(space, CLUSTER, REDEPLOYED).await?;
    ensure!(restored == savepoint, "started from {restored:?}, not from {savepoint}");
    space.say(&format!("redeployed from {restored}"));
    Ok(())
}

/// Flink does not accept the spec: what ran before goes on with its state, and then a good spec from there.
async fn rolled_back(space: &Space) -> Result<()> {
    until_job(space, ROLLED_BACK, "is rolled back", |job| {
        text(job, "/status/lifecycleState") == "ROLLED_BACK"
            && text(job, "/status/jobStatus/state") == "RUNNING"
    })
    .await?;
    event_on(space, Kind::FlinkSessionJob, ROLLED_BACK, "Normal", &["Rollback"]).await?;
    let counted = Ledger::read(space, ROLLED_BACK)?.number("completed")?;
    goes_on(space, ROLLED_BACK, 2, 1, counted).await?;
    let counted = Ledger::read(space, ROLLED_BACK)?.number("completed")?;
    change(space, ROLLED_BACK, json!({"job": {"entryClass": null, "parallelism": 2}})).await?;
    job_is_stable(space, ROLLED_BACK).await?;
    goes_on(space, ROLLED_BACK, 3, 2, counted).await?;
    let state = found(space, ROLLED_BACK).await?;
    ensure!(text(&state, "/status/reconciliationStatus/state") == "DEPLOYED", "{state}");
    Ok(())
}
