//! The leading JobManager is killed at every stage of an upgrade.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::super::expectations::{condition, is_stable, nothing_left, stable};
use super::super::ledger::{Ledger, goes_on};
use super::super::space::{Look, Space, TO_STABLE, state};
use super::super::specs::Flink;
use super::super::stateful::Mode;
use super::leader::{self, JobManager};
use super::table::{Row, Table};
use super::{Store, with_ha};
use crate::kubernetes::{Kind, text, uid};

/// How often a stage that passes quickly is looked for.
const CLOSELY: Duration = Duration::from_millis(10);

/// When the leader is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    BeforeTheChange,
    ChangeWritten,
    /// The job is being stopped with a savepoint or cancelled.
    JobStops,
    OldClusterGoes,
    NewClusterComes,
    JobStarts,
    Stable,
}

impl Moment {
    const ALL: [Self; 7] = [
        Self::BeforeTheChange,
        Self::ChangeWritten,
        Self::JobStops,
        Self::OldClusterGoes,
        Self::NewClusterComes,
        Self::JobStarts,
        Self::Stable,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::BeforeTheChange => "before the change",
            Self::ChangeWritten => "change written",
            Self::JobStops => "job stops",
            Self::OldClusterGoes => "old cluster goes",
            Self::NewClusterComes => "new cluster comes",
            Self::JobStarts => "job starts",
            Self::Stable => "just STABLE",
        }
    }
}

pub(in super::super) async fn kubernetes_1_20(space: &Space) -> Result<()> {
    matrix(space, Flink::V1_20, Store::Kubernetes, 1).await
}

pub(in super::super) async fn kubernetes_2_2(space: &Space) -> Result<()> {
    matrix(space, Flink::V2_2, Store::Kubernetes, 2).await
}

pub(in super::super) async fn zookeeper_1_20(space: &Space) -> Result<()> {
    matrix(space, Flink::V1_20, Store::ZooKeeper, 2).await
}

pub(in super::super) async fn zookeeper_2_2(space: &Space) -> Result<()> {
    matrix(space, Flink::V2_2, Store::ZooKeeper, 1).await
}

/// All moments, from the last state and with savepoints, on a cluster of its own for each.
async fn matrix(space: &Space, flink: Flink, store: Store, job_managers: u32) -> Result<()> {
    let mut table = Table::new(flink, store, job_managers);
    let mut broken = None;
    for mode in [Mode::LastState, Mode::Savepoint] {
        let result = kills(space, flink, store, job_managers, mode, &mut table).await;
        if let Err(error) = result {
            broken = Some(error.context(format!("upgradeMode {}", mode.upgrade_mode())));
            break;
        }
    }
    println!("{}", table.text);
    if let Some(error) = broken {
        return Err(error);
    }
    ensure!(table.wrong == 0, "{} kills did harm", table.wrong);
    Ok(())
}

async fn kills(
    space: &Space,
    flink: Flink,
    store: Store,
    job_managers: u32,
    mode: Mode,
    table: &mut Table,
) -> Result<()> {
    let name = mode.upgrade_mode();
    space.create(with_ha(space, name, flink, mode, store, job_managers)?).await?;
    stable(space, name).await?;
    goes_on(space, name, 1, 0, 0).await?;
    // From its HA metadata a job goes on without being stopped: its JobManager just goes.
    let stops = mode == Mode::Savepoint;
    let moments = Moment::ALL.into_iter().filter(|moment| stops || *moment != Moment::JobStops);
    for (n, moment) in (1..).zip(moments) {
        let row = kill(space, name, mode, moment, n).await?;
        table.add(space, &row);
    }
    space.cluster.delete(Kind::FlinkDeployment, &space.name, name).await?;
    nothing_left(space, name, &[]).await
}

/// One upgrade, one kill.
async fn kill(space: &Space, name: &str, mode: Mode, moment: Moment, n: u64) -> Result<Row> {
    let before = judged(space, name)?;
    let by_flink = doubled_by_flink(&space.data.join(format!("{name}.jsonl")), mode)?;
    let old = Old::of(space, name).await?;
    let parallelism = 1 + n % 2;
    let change = json!({"job": {"parallelism": parallelism}});
    space.say(&format!("{name}: {}", moment.name()));
    if moment == Moment::BeforeTheChange {
        killed(space, name, |_| true).await?;
    }
    let began = Instant::now();
    space.change(name, change).await?;
    match moment {
        Moment::BeforeTheChange => {}
        Moment::ChangeWritten => killed(space, name, |_| true).await?,
        Moment::JobStops => {
            let stops =
                |now: &Value| ["STOPPING", "CANCELLING"].contains(&text(now, "/status/operation/kind"));
            closely(space, name, "stops its job", stops).await?;
            killed(space, name, |_| true).await?;
        }
        Moment::OldClusterGoes => {
            old.goes(space, name).await?;
            // It may have been faster.
            let leader = leader::find(space, name, |pod| old.has(pod)).await?;
            if !leader.map_or(Ok(false), |leader| leader.kill())? {
                space.say("its JobManager has ended");
            }
        }
        Moment::NewClusterComes => killed(space, name, |pod| !old.has(pod)).await?,
        Moment::JobStarts => {
            old.job_of_next(space, name).await?;
            killed(space, name, |pod| !old.has(pod)).await?;
        }
        Moment::Stable => {
            space.until_deployment(name, "is stable", TO_STABLE, is_stable).await?;
            killed(space, name, |_| true).await?;
        }
    }
    let counted = judged(space, name)?.number("completed")?;
    let by_hand = settled(space, name, parallelism, counted).await?;
    let after = judged(space, name)?;
    let grown = |key: &str| Ok::<_, anyhow::Error>(after.number(key)? - before.number(key)?);
    Ok(Row {
        mode,
        moment,
        starts: grown("starts")?,
        // A start from nothing loses all that was counted before.
        empty: grown("starts")? - grown("restored")?,
        lost: grown("lost")?,
        doubled: grown("doubled")?,
        by_flink: doubled_by_flink(&space.data.join(format!("{name}.jsonl")), mode)? - by_flink,
        by_hand,
        took: began.elapsed(),
    })
}

/// Kills the leader as soon as there is one in pods whose uid fits.
pub(super) async fn killed(space: &Space, name: &str, fits: impl Fn(&str) -> bool) -> Result<()> {
    let found: JobManager = space
        .until_every(CLOSELY, &format!("{name} has a JobManager"), TO_STABLE, async || {
            Ok(match leader::find(space, name, &fits).await? {
                Some(found) if found.kill()? => Look::Done(found),
                Some(_) | None => Look::NotYet("none".to_owned()),
            })
        })
        .await?;
    space.say(&format!("{name}: killed the JobManager in {}", found.pod));
    Ok(())
}

async fn closely(space: &Space, name: &str, what: &str, condition: impl Fn(&Value) -> bool) -> Result<()> {
    space
        .until_every(CLOSELY, &format!("{name} {what}"), TO_STABLE, async || {
            let now = space.deployment(name).await?;
            Ok(if condition(&now) { Look::Done(()) } else { Look::NotYet(state(&now)) })
        })
        .await
}

/// The numbers, whatever they say.
fn judged(space: &Space, name: &str) -> Result<Ledger> {
    let (ledger, finding) = Ledger::judge(&space.data.join(format!("{name}.jsonl")))?;
    if let Some(finding) = finding {
        space.say(&finding);
    }
    Ok(ledger)
}

/// Elements that Flink counts again without the operator: a JobManager that ends right after a savepoint that stops the
/// job has confirmed it leaves a job that the next JobManager recovers from the checkpoint before, since savepoints are
/// not in HA metadata. Each deployment of a savepoint upgrade has a job id of its own, so a start under the same id is
/// Flink's own.
fn doubled_by_flink(ledger: &Path, mode: Mode) -> Result<u64> {
    let (mut job, mut completed, mut doubled) = (String::new(), 0, 0);
    if mode != Mode::Savepoint {
        return Ok(0);
    }
    for line in std::fs::read_to_string(ledger)?.lines() {
        // The last line may be half written.
        let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
        let count = line["count"].as_u64().unwrap_or_default();
        match text(&line, "/event") {
            "complete" => completed = count,
            "start" => {
                if text(&line, "/job") == job {
                    doubled += u64::saturating_sub(completed, count);
                }
                text(&line, "/job").clone_into(&mut job);
                completed = count;
            }
            _ => {}
        }
    }
    Ok(doubled)
}

/// Waits until the change is there: stable, the job as wanted, and counting on from where it was. Where the JobManager
/// that was killed alone knew the newest state, the operator asks for it, and gets it. Returns whether it did.
async fn settled(space: &Space, name: &str, parallelism: u64, counted: u64) -> Result<bool> {
    let what = format!("{name} is stable, with parallelism {parallelism}, and counts");
    let asked = std::cell::Cell::new(false);
    space
        .until(&what, TO_STABLE, async || {
            let now = space.deployment(name).await?;
            if !asked.get() && asks_for_path(&now) {
                asked.set(true);
                let path = newest_snapshot(space)?;
                let nonce = now["metadata"]["generation"].clone();
                let job = json!({"initialSavepointPath": path, "savepointRedeployNonce": nonce});
                space.change(name, json!({"job": job})).await?;
            }
            if !is_stable(&now) {
                return Ok(Look::NotYet(state(&now)));
            }
            job_as_wanted(space, name, &now, parallelism, counted).await
        })
        .await?;
    Ok(asked.get())
}

fn asks_for_path(deployment: &Value) -> bool {
    condition(deployment, "SpecAccepted").is_some_and(|one| one["reason"] == "ManualRestoreRequired")
}

/// What a person would do: the newest directory of a checkpoint or savepoint that is complete.
fn newest_snapshot(space: &Space) -> Result<String> {
    let mut found = Vec::new();
    let mut directories = vec![space.data.join("savepoints"), space.data.join("checkpoints")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).into_iter().flatten() {
            let path = entry?.path();
            if path.is_dir() {
                directories.push(path);
            } else if path.file_name().is_some_and(|file| file == "_metadata") {
                found.push((path.metadata()?.modified()?, directory.clone()));
            }
        }
    }
    let (_, newest) = found.into_iter().max().context("there is no checkpoint")?;
    Ok(format!("file:///ledger/{}", newest.strip_prefix(&space.data)?.display()))
}

/// Whether Flink runs the one job of the status, with this parallelism, and has completed a checkpoint since.
async fn job_as_wanted(
    space: &Space,
    name: &str,
    deployment: &Value,
    parallelism: u64,
    counted: u64,
) -> Result<Look<()>> {
    let job = text(deployment, "/status/jobStatus/jobId");
    let overview = space.cluster.ask_flink(&space.name, name, "/jobs/overview").await?;
    let running: Vec<_> = overview["jobs"].as_array().into_iter().flatten().collect();
    if running.len() != 1 || running[0]["jid"] != job {
        return Ok(Look::NotYet(format!("job {job}, but Flink has {running:?}")));
    }
    let details = space.cluster.ask_flink(&space.name, name, &format!("/jobs/{job}")).await?;
    let source = &details["vertices"][0]["parallelism"];
    let ledger = judged(space, name)?;
    let goes_on = ledger.number("completed")? > counted;
    Ok(if goes_on && *source == parallelism {
        Look::Done(())
    } else {
        Look::NotYet(format!("parallelism {source}, {ledger}, counted {counted}"))
    })
}

/// The cluster that is to be replaced.
struct Old {
    deployment: String,
    /// uids.
    pods: Vec<String>,
}

impl Old {
    async fn of(space: &Space, name: &str) -> Result<Self> {
        let deployment = space.cluster.get(Kind::Deployment, &space.name, name).await?;
        let pods = leader::pods(space, name).await?;
        Ok(Self {
            deployment: uid(&deployment.unwrap_or_default()).to_owned(),
            pods: pods.iter().map(|pod| uid(pod).to_owned()).collect(),
        })
    }

    fn has(&self, pod: &str) -> bool {
        self.pods.iter().any(|old| old == pod)
    }

    /// Waits until the operator takes it down.
    async fn goes(&self, space: &Space, name: &str) -> Result<()> {
        space
            .until_every(CLOSELY, &format!("the old cluster {name} goes"), TO_STABLE, async || {
                let now = space.cluster.get(Kind::Deployment, &space.name, name).await?.unwrap_or_default();
                let scaled = now["spec"]["replicas"] == 0;
                let goes = uid(&now) != self.deployment
                    || scaled
                    || !text(&now, "/metadata/deletionTimestamp").is_empty();
                Ok(if goes { Look::Done(()) } else { Look::NotYet("it is there".to_owned()) })
            })
            .await
    }

    /// Waits until the next cluster says that it has a job.
    async fn job_of_next(&self, space: &Space, name: &str) -> Result<()> {
        space
            .until_every(CLOSELY, &format!("the next cluster {name} has a job"), TO_STABLE, async || {
                let now = space.cluster.get(Kind::Deployment, &space.name, name).await?.unwrap_or_default();
                if uid(&now) == self.deployment || uid(&now).is_empty() {
                    return Ok(Look::NotYet("the old cluster".to_owned()));
                }
                let overview = space.cluster.ask_flink(&space.name, name, "/jobs/overview").await?;
                let jobs = overview["jobs"].as_array().map_or(0, Vec::len);
                Ok(if jobs > 0 { Look::Done(()) } else { Look::NotYet("no job".to_owned()) })
            })
            .await
    }
}
