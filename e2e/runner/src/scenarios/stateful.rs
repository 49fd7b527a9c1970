//! Jobs that keep their state: whatever happens, no element is lost and none counted twice.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::expectations::{event, is_stable, stable};
use super::ledger::{Ledger, goes_on};
use super::operator_killed::kill;
use super::space::{Space, TO_STABLE};
use super::specs::{Flink, application};
use crate::kubernetes::{Kind, text};

/// How a job keeps its state when its spec changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It does not.
    Stateless,
    /// It is stopped with a savepoint.
    Savepoint,
    /// High availability in Kubernetes knows the last checkpoint.
    LastState,
    /// Flink is asked for the last checkpoint, and the job cancelled.
    LastStateWithoutHa,
}

impl Mode {
    pub(crate) const ALL: [Self; 4] =
        [Self::Stateless, Self::Savepoint, Self::LastState, Self::LastStateWithoutHa];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Stateless => "stateless",
            Self::Savepoint => "savepoint",
            Self::LastState => "last-state",
            Self::LastStateWithoutHa => "last-state without HA",
        }
    }

    pub(crate) fn upgrade_mode(self) -> &'static str {
        match self {
            Self::Stateless => "stateless",
            Self::Savepoint => "savepoint",
            Self::LastState | Self::LastStateWithoutHa => "last-state",
        }
    }

    pub(crate) fn keeps_state(self) -> bool {
        self != Self::Stateless
    }
}

/// The counting job with directories for its state on the node.
pub(crate) fn counting(space: &Space, name: &str, flink: Flink, mode: Mode) -> Value {
    let mut deployment = application(space, name, flink);
    let spec = &mut deployment["spec"];
    spec["job"]["upgradeMode"] = mode.upgrade_mode().into();
    let conf = &mut spec["flinkConfiguration"];
    conf["execution.checkpointing.dir"] = "file:///ledger/checkpoints".into();
    conf["execution.checkpointing.savepoint-dir"] = "file:///ledger/savepoints".into();
    if mode == Mode::LastState {
        conf["high-availability.type"] = "kubernetes".into();
        conf["high-availability.storageDir"] = "file:///ledger/ha".into();
    }
    deployment
}

/// A job that has counted for a while.
pub(crate) async fn running(space: &Space, name: &str, flink: Flink, mode: Mode) -> Result<()> {
    space.create(counting(space, name, flink, mode)).await?;
    stable(space, name).await?;
    goes_on(space, name, 1, 0, 0).await?;
    Ok(())
}

/// A spec that differs in the `n`th way and needs another cluster.
pub(crate) fn difference(n: u64) -> Value {
    json!({"flinkConfiguration": {"restart-strategy.fixed-delay.attempts": (100 + n).to_string()}})
}

/// Changes the spec and waits until the next run goes on where the one before ended.
pub(super) async fn upgraded(space: &Space, name: &str, n: u64) -> Result<Ledger> {
    let counted = Ledger::read(space, name)?.number("sequence")?;
    space.change(name, difference(n)).await?;
    stable(space, name).await?;
    goes_on(space, name, n + 1, n, counted).await
}

pub(super) async fn savepoint(space: &Space) -> Result<()> {
    running(space, "app", Flink::V1_20, Mode::Savepoint).await?;
    upgraded(space, "app", 1).await?;
    let status = space.deployment("app").await?;
    let path = text(&status, "/status/jobStatus/upgradeSavepointPath");
    ensure!(path.starts_with("file:/ledger/savepoints/savepoint-"), "upgradeSavepointPath: {path:?}");
    suspended_and_resumed(space, "app", 2).await
}

/// Suspends, changes while nothing runs, and resumes.
pub(super) async fn suspended_and_resumed(space: &Space, name: &str, runs: u64) -> Result<()> {
    let counted = Ledger::read(space, name)?.number("sequence")?;
    space.change(name, json!({"job": {"state": "suspended"}})).await?;
    let suspended = |now: &Value| text(now, "/status/lifecycleState") == "SUSPENDED";
    space.until_deployment(name, "is suspended", TO_STABLE, suspended).await?;
    space.change(name, json!({"job": {"parallelism": 2}})).await?;
    space.change(name, json!({"job": {"state": "running"}})).await?;
    stable(space, name).await?;
    goes_on(space, name, runs + 1, runs, counted).await?;
    Ok(())
}

pub(super) async fn last_state(space: &Space) -> Result<()> {
    running(space, "app", Flink::V2_2, Mode::LastState).await?;
    upgraded(space, "app", 1).await?;
    suspended_and_resumed(space, "app", 2).await
}

pub(super) async fn last_state_without_ha(space: &Space) -> Result<()> {
    running(space, "app", Flink::V1_20, Mode::LastStateWithoutHa).await?;
    upgraded(space, "app", 1).await?;
    Ok(())
}

/// A change that never gets ready is taken back with the state, and a good one goes on from there.
pub(super) async fn rollback(space: &Space) -> Result<()> {
    let mut deployment = counting(space, "app", Flink::V1_20, Mode::LastState);
    let conf = &mut deployment["spec"]["flinkConfiguration"];
    conf["kubernetes.operator.deployment.rollback.enabled"] = "true".into();
    // Long enough for what is good, on a slow machine too.
    conf["kubernetes.operator.deployment.readiness.timeout"] = "60 s".into();
    space.create(deployment).await?;
    stable(space, "app").await?;
    goes_on(space, "app", 1, 0, 0).await?;
    let counted = Ledger::read(space, "app")?.number("sequence")?;
    space.change("app", json!({"image": "there-is-no-such-image:1"})).await?;
    let rolled_back = |now: &Value| text(now, "/status/lifecycleState") == "ROLLED_BACK";
    space.until_deployment("app", "is rolled back", TO_STABLE, rolled_back).await?;
    event(space, "app", "Normal", &["Rollback"]).await?;
    goes_on(space, "app", 2, 1, counted).await?;
    let counted = Ledger::read(space, "app")?.number("sequence")?;
    let good = json!({"image": "flink:1.20", "job": {"parallelism": 2}});
    space.change("app", good).await?;
    stable(space, "app").await?;
    goes_on(space, "app", 3, 2, counted).await?;
    Ok(())
}

/// The JobManager's Deployment is deleted by hand: the job goes on from its last checkpoint.
pub(super) async fn lost_jobmanager(space: &Space) -> Result<()> {
    running(space, "app", Flink::V2_2, Mode::LastState).await?;
    let counted = Ledger::read(space, "app")?.number("completed")?;
    space.cluster.delete(Kind::Deployment, &space.name, "app").await?;
    space.say("deleted the JobManager's Deployment");
    event(space, "app", "Warning", &["RecoverDeployment"]).await?;
    space.until_deployment("app", "is stable again", TO_STABLE, is_stable).await?;
    goes_on(space, "app", 2, 1, counted).await?;
    Ok(())
}

/// A savepoint is taken before a job is deleted, and another job starts from it.
pub(super) async fn savepoint_on_deletion(space: &Space) -> Result<()> {
    let mut deployment = counting(space, "app", Flink::V2_2, Mode::Savepoint);
    deployment["spec"]["flinkConfiguration"]["kubernetes.operator.job.savepoint-on-deletion"] = "true".into();
    space.create(deployment.clone()).await?;
    stable(space, "app").await?;
    goes_on(space, "app", 1, 0, 0).await?;
    space.cluster.delete(Kind::FlinkDeployment, &space.name, "app").await?;
    super::expectations::nothing_left(space, "app", &[]).await?;
    let counted = Ledger::read(space, "app")?.number("sequence")?;
    deployment["spec"]["job"]["initialSavepointPath"] = newest_savepoint(space)?.into();
    space.create(deployment).await?;
    stable(space, "app").await?;
    goes_on(space, "app", 2, 1, counted).await?;
    Ok(())
}

fn newest_savepoint(space: &Space) -> Result<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(space.data.join("savepoints"))? {
        let entry = entry?;
        found.push((entry.metadata()?.modified()?, entry.file_name().into_string().unwrap_or_default()));
    }
    let newest = found.into_iter().max().context("there is no savepoint")?;
    Ok(format!("file:///ledger/savepoints/{}", newest.1))
}

/// SIGKILL at different moments of upgrades.
pub(super) async fn operator_killed(space: &Space) -> Result<()> {
    running(space, "app", Flink::V1_20, Mode::Savepoint).await?;
    running(space, "ha", Flink::V2_2, Mode::LastState).await?;
    for (n, pause) in [0, 150, 700, 1800, 4000].into_iter().enumerate() {
        let n = n as u64 + 1;
        let mut counted = Vec::new();
        for name in ["app", "ha"] {
            counted.push((name, Ledger::read(space, name)?.number("sequence")?));
            space.change(name, difference(n)).await?;
        }
        tokio::time::sleep(Duration::from_millis(pause)).await;
        kill(space, &format!("{pause} ms after a change")).await?;
        for (name, counted) in counted {
            stable(space, name).await?;
            goes_on(space, name, n + 1, n, counted).await?;
        }
    }
    ensure!(space.operator.ready(&space.cluster).await?.is_some(), "the operator is gone");
    Ok(())
}
