//! Figures of upgrades: for each mode what was lost or doubled, how long nothing ran, and how much of that the operator
//! itself took.

use std::cell::RefCell;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use serde_json::Value;

use super::samples::Samples;
use super::{Place, print};
use crate::kubernetes::{Change, Kind, text, uid};
use crate::scenarios::expectations::stable;
use crate::scenarios::ledger::{self, Ledger};
use crate::scenarios::space::Space;
use crate::scenarios::specs::Flink;
use crate::scenarios::stateful::{Mode, difference, running};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// Upgrades in each mode.
    #[arg(long, default_value_t = 5)]
    upgrades: u64,
}

pub(super) async fn measure(arguments: &Arguments) -> Result<()> {
    for mode in Mode::ALL {
        let space = arguments.place.space("upgrades").await?;
        space.open().await?;
        let measured = of_mode(&space, mode, arguments.upgrades).await;
        space.close().await?;
        measured?;
    }
    Ok(())
}

async fn of_mode(space: &Space, mode: Mode, upgrades: u64) -> Result<()> {
    running(space, "app", Flink::V1_20, mode).await?;
    let (mut downtimes, mut shares) = (Vec::new(), Vec::new());
    for n in 1..=upgrades {
        let seen = RefCell::new(Seen::default());
        tokio::select! {
            result = follow(space, &seen) => result?,
            result = upgrade(space, mode, n) => result?,
        }
        let seen = seen.into_inner();
        let (ended, began) = gap(space)?;
        downtimes.push(between(ended, began));
        shares.push(seen.share(ended)?);
    }
    let ledger = Ledger::read(space, "app")?;
    let counts = format!("{} / {}", ledger.number("lost")?, ledger.number("doubled")?);
    let name = mode.name();
    print(&format!("{name}: elements lost / doubled in {upgrades} upgrades"), &counts, "0 / 0");
    for (what, samples, aim) in
        [("downtime", downtimes, ""), ("the operator's share of it", shares, "1000 ms")]
    {
        let samples = Samples::new(samples).context("no upgrades")?;
        print(&format!("{name}: {what}"), &samples.to_string(), aim);
    }
    Ok(())
}

async fn upgrade(space: &Space, mode: Mode, n: u64) -> Result<()> {
    let counted = Ledger::read(space, "app")?.number("sequence")?;
    space.change("app", difference(n)).await?;
    stable(space, "app").await?;
    if mode.keeps_state() {
        ledger::goes_on(space, "app", n + 1, n, counted).await?;
    } else {
        ledger::goes_on(space, "app", n + 1, 0, 0).await?;
    }
    Ok(())
}

/// When the run before the last wrote its last line, and the last run its first.
fn gap(space: &Space) -> Result<(Timestamp, Timestamp)> {
    let lines = fs::read_to_string(space.data.join("app.jsonl"))?;
    let lines: Vec<Value> = lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let start = lines.iter().rposition(|line| line["event"] == "start").context("no start")?;
    ensure!(start > 0, "there was no run before");
    let time = |line: &Value| {
        Ok::<_, anyhow::Error>(Timestamp::from_millisecond(line["time"].as_i64().context("no time")?)?)
    };
    Ok((time(&lines[start - 1])?, time(&lines[start])?))
}

/// When something was seen for the first or the last time.
#[derive(Default)]
struct Seen {
    /// The JobManager Deployment that was there before.
    old: Option<String>,
    deleted: Option<Timestamp>,
    created: Option<Timestamp>,
    released: Option<Timestamp>,
    /// The last pod of the old cluster.
    last_pod: Option<Timestamp>,
}

impl Seen {
    fn deployment(&mut self, change: Change, deployment: &Value) {
        let now = Timestamp::now();
        let going = change == Change::Deleted || !text(deployment, "/metadata/deletionTimestamp").is_empty();
        if going {
            self.old.get_or_insert_with(|| uid(deployment).to_owned());
            self.deleted.get_or_insert(now);
            return;
        }
        if self.deleted.is_none() || self.old.as_deref() == Some(uid(deployment)) {
            return;
        }
        self.created.get_or_insert(now);
        if deployment["spec"]["paused"] != true {
            self.released.get_or_insert(now);
        }
    }

    fn pod(&mut self, change: Change) {
        if change == Change::Deleted && self.created.is_none() {
            self.last_pod = Some(Timestamp::now());
        }
    }

    /// How long nothing ran only because the operator had not acted yet: from the job's end until the old cluster is
    /// told to go, from the end of its last pod until the new one exists, and until that may start.
    fn share(&self, ended: Timestamp) -> Result<Duration> {
        let deleted = self.deleted.context("no Deployment was deleted")?;
        let created = self.created.context("no Deployment was created")?;
        let released = self.released.context("no Deployment was released")?;
        let gone = self.last_pod.context("no pod ended")?.max(deleted).max(ended);
        Ok(between(ended, deleted) + between(gone, created) + between(created, released))
    }
}

/// Zero if `to` is not later.
fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

async fn follow(space: &Space, seen: &RefCell<Seen>) -> Result<()> {
    let follow = async |kind: Kind, see: &dyn Fn(Change, Value)| {
        let version = space.cluster.version(kind, &space.name).await?;
        space.cluster.follow(kind, &space.name, version, see).await
    };
    let deployments = |change, object: Value| seen.borrow_mut().deployment(change, &object);
    let pods = |change, _| seen.borrow_mut().pod(change);
    tokio::try_join!(follow(Kind::Deployment, &deployments), follow(Kind::Pod, &pods))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(uid: &str, paused: bool, deleted: bool) -> Value {
        let mut metadata = json!({"uid": uid});
        if deleted {
            metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        }
        json!({"metadata": metadata, "spec": {"paused": paused}})
    }

    #[test]
    fn the_share_begins_with_the_end_of_the_job_and_leaves_out_the_end_of_the_pods() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let seen = Seen {
            old: None,
            deleted: Some(at(12)),
            last_pod: Some(at(20)),
            created: Some(at(21)),
            released: Some(at(24)),
        };
        assert_eq!(seen.share(at(10)).unwrap(), Duration::from_secs(2 + 1 + 3));
        assert_eq!(
            seen.share(at(15)).unwrap(),
            Duration::from_secs(1 + 3),
            "the job ended after the deletion"
        );
    }

    #[test]
    fn the_new_deployment_is_told_from_the_old_one() {
        let mut seen = Seen::default();
        seen.deployment(Change::Modified, &deployment("old", false, false));
        assert!(seen.created.is_none());
        seen.deployment(Change::Modified, &deployment("old", false, true));
        seen.pod(Change::Deleted);
        seen.deployment(Change::Deleted, &deployment("old", false, true));
        seen.deployment(Change::Added, &deployment("new", true, false));
        assert!(seen.created.is_some() && seen.released.is_none());
        seen.deployment(Change::Modified, &deployment("new", false, false));
        assert!(seen.released.is_some() && seen.last_pod.is_some());
    }
}
