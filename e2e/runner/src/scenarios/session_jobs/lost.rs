//! Jobs that end without the operator.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{
    CLUSTER, Web, change, cluster, create, delete, job, job_id, job_is_stable, restored_from, until_job,
};
use crate::kubernetes::{Kind, name, text};
use crate::scenarios::expectations::{condition, stable};
use crate::scenarios::ledger::{Ledger, goes_on};
use crate::scenarios::space::Space;

const STATELESS: &str = "stateless";
const STATEFUL: &str = "stateful";

/// One job keeps state and one does not; the JobManager has no HA.
pub(crate) async fn run(space: &Space) -> Result<()> {
    let web = Web::serve(&space.data, 18082)?;
    space.create(cluster(space)).await?;
    for (name, mode) in [(STATELESS, "stateless"), (STATEFUL, "last-state")] {
        create(space, job(name, &web.uri(), mode)).await?;
    }
    stable(space, CLUSTER).await?;
    for name in [STATELESS, STATEFUL] {
        job_is_stable(space, name).await?;
        goes_on(space, name, 1, 0, 0).await?;
    }
    cancelled_by_hand(space).await?;
    jobmanager_restarted(space).await?;
    for name in [STATELESS, STATEFUL] {
        delete(space, name).await?;
    }
    Ok(())
}

/// The spec wants it to run, so it comes back from its last checkpoint.
async fn cancelled_by_hand(space: &Space) -> Result<()> {
    let counted = Ledger::read(space, STATEFUL)?.number("completed")?;
    let before = job_id(space, STATEFUL).await?;
    // The form of a cancel that is a GET.
    let path = format!("/jobs/{before}/yarn-cancel");
    space.cluster.ask_flink(&space.name, CLUSTER, &path).await?;
    space.say("cancelled by hand");
    goes_on(space, STATEFUL, 2, 1, counted).await?;
    job_is_stable(space, STATEFUL).await?;
    ensure!(job_id(space, STATEFUL).await? != before, "Flink runs a job that it has cancelled");
    Ok(())
}

/// The next JobManager knows no job. What has no state is submitted again; of the other one a condition says what is
/// known, and its user decides.
async fn jobmanager_restarted(space: &Space) -> Result<()> {
    let lost = [job_id(space, STATELESS).await?, job_id(space, STATEFUL).await?];
    let pods = space.cluster.list(Kind::Pod, &space.name, "component=jobmanager").await?;
    space.cluster.delete(Kind::Pod, &space.name, name(pods.first().context("no JobManager")?)).await?;
    space.say("deleted the JobManager's pod");
    until_job(space, STATEFUL, "asks what to go on from", |job| {
        held(job).is_some_and(|held| held.contains("spec.job.initialSavepointPath"))
    })
    .await?;
    let again = until_job(space, STATELESS, "runs again", |job| {
        text(job, "/status/lifecycleState") == "STABLE"
            && text(job, "/status/jobStatus/state") == "RUNNING"
            && text(job, "/status/jobStatus/jobId") != lost[0]
    })
    .await?;
    ensure!(text(&again, "/status/jobStatus/upgradeSavepointPath").is_empty(), "{again}");

    let counted = Ledger::read(space, STATEFUL)?.number("completed")?;
    let checkpoint = newest_checkpoint(space, &lost[1])?;
    let wanted = json!({"job": {"initialSavepointPath": checkpoint, "savepointRedeployNonce": 1}});
    change(space, STATEFUL, wanted).await?;
    job_is_stable(space, STATEFUL).await?;
    let restored = restored_from(space, CLUSTER, STATEFUL).await?;
    ensure!(restored.ends_with(&checkpoint["file://".len()..]), "started from {restored:?}");
    goes_on(space, STATEFUL, 3, 2, counted).await?;
    Ok(())
}

/// Why the newest spec is not what runs.
fn held(job: &Value) -> Option<&str> {
    condition(job, "SpecAccepted")?["message"].as_str()
}

/// What a user finds beside the checkpoint that the condition names.
fn newest_checkpoint(space: &Space, job: &str) -> Result<String> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(space.data.join("checkpoints").join(job))? {
        let entry = entry?;
        let name = entry.file_name().into_string().unwrap_or_default();
        let number = name.strip_prefix("chk-").and_then(|number| number.parse::<u64>().ok());
        numbers.extend(number.filter(|_| entry.path().join("_metadata").exists()));
    }
    let newest = numbers.into_iter().max().context("there is no checkpoint")?;
    Ok(format!("file:///ledger/checkpoints/{job}/chk-{newest}"))
}
