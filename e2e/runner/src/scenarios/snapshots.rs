//! FlinkStateSnapshots: taken by hand and on schedule, restored into other jobs, disposed of, and deleted in any order.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::expectations::{nothing_left, stable};
use super::ledger::{Ledger, goes_on};
use super::space::{Look, Space, TO_NOTICE, nothing};
use super::specs::Flink;
use super::stateful::{Mode, counting};
use crate::kubernetes::{Kind, name, text};

/// Label of whatever asked for a snapshot.
const CAUSE: &str = "/metadata/labels/snapshot.trigger-type";
/// At each tenth second.
const EVERY_TENTH_SECOND: &str = "0/10 * * * * ?";

/// By hand, on schedule, disposed of, and what stays when the job goes first.
pub(super) async fn run(space: &Space) -> Result<()> {
    counts(space, "app", Flink::V1_20).await?;
    create(space, savepoint("canonical", &json!({"disposeOnDelete": false}))).await?;
    create(space, savepoint("native", &json!({"formatType": "NATIVE"}))).await?;
    create(space, snapshot("checkpoint", "checkpoint", &json!({}))).await?;
    let canonical = completed(space, "canonical").await?;
    let native = completed(space, "native").await?;
    let checkpoint = completed(space, "checkpoint").await?;
    for files in [&canonical, &native, &checkpoint] {
        ensure!(files.join("_metadata").is_file(), "{} has no _metadata", files.display());
    }
    delete(space, "native").await?;
    ensure!(!native.exists(), "{} is still there", native.display());
    delete(space, "canonical").await?;
    delete(space, "checkpoint").await?;
    ensure!(canonical.exists(), "{} is gone", canonical.display());

    refused_by_flink(space).await?;
    on_schedule(space).await?;

    create(space, savepoint("orphan", &json!({}))).await?;
    let orphan = completed(space, "orphan").await?;
    space.cluster.delete(Kind::FlinkDeployment, &space.name, "app").await?;
    nothing_left(space, "app", &[]).await?;
    delete(space, "orphan").await?;
    ensure!(orphan.exists(), "nobody was there to delete {}", orphan.display());
    let events = space.cluster.list(Kind::Event, &space.name, "").await?;
    let told = events.iter().find(|event| text(event, "/reason") == "CleanupFailed");
    let told = told.context("nobody was told of the files that stay")?;
    ensure!(text(told, "/message").contains("/ledger/savepoints/savepoint-"), "{told}");
    Ok(())
}

/// What Flink refuses is told with Flink's words, and the job goes on.
async fn refused_by_flink(space: &Space) -> Result<()> {
    let mut refused = savepoint("refused", &json!({"path": "file:///proc/nowhere"}));
    refused["spec"]["backoffLimit"] = 0.into();
    create(space, refused).await?;
    let failed = until(space, "refused", "FAILED").await?;
    let error = text(&failed, "/status/error");
    ensure!(error.contains("/proc/nowhere"), "{error}");
    delete(space, "refused").await
}

/// Cron; the history holds two.
async fn on_schedule(space: &Space) -> Result<()> {
    let interval = |text: &str| {
        json!({"flinkConfiguration": {
            "kubernetes.operator.periodic.savepoint.interval": text,
            "kubernetes.operator.savepoint.history.max.count": "2",
            "kubernetes.operator.savepoint.dispose-on-delete": "true",
        }})
    };
    space.change("app", interval(EVERY_TENTH_SECOND)).await?;
    let newest = space
        .until("the third periodic savepoint is complete", TO_NOTICE, async || {
            let all = periodic(space).await?;
            let moments: Vec<_> = all.iter().filter_map(moment).collect();
            let (Some(first), Some(last)) = (moments.iter().min(), moments.iter().max()) else {
                return Ok(Look::NotYet("none".to_owned()));
            };
            ensure!(moments.iter().all(|moment| moment % 10_000 == 0), "not on time: {moments:?}");
            // The first ones are gone already.
            let third = first % 10_000 == 0 && all.len() >= 2 && last - first >= 10_000;
            let complete = all.iter().all(|it| text(it, "/status/state") == "COMPLETED");
            let seen = format!("{} snapshots, {} s", all.len(), (last - first) / 1000);
            Ok(if third && complete { Look::Done(*last) } else { Look::NotYet(seen) })
        })
        .await?;
    space
        .until("old ones are removed", TO_NOTICE, async || {
            let all = periodic(space).await?;
            let newer = all.iter().filter_map(moment).any(|moment| moment > newest + 10_000);
            Ok(if newer && all.len() <= 3 { Look::Done(()) } else { Look::NotYet(format!("{}", all.len())) })
        })
        .await?;
    space.change("app", interval("0")).await?;
    space
        .until("two are left, and their files", TO_NOTICE, async || {
            let all = periodic(space).await?;
            let files = all.iter().map(|it| files(space, it)).collect::<Result<Vec<_>>>();
            let there = files.is_ok_and(|files| files.iter().all(|path| path.exists()));
            // And the one that was kept above.
            let written = std::fs::read_dir(space.data.join("savepoints"))?.count();
            let seen = format!("{} snapshots, {written} savepoints", all.len());
            Ok(if all.len() == 2 && there && written == 3 { Look::Done(()) } else { Look::NotYet(seen) })
        })
        .await
}

async fn periodic(space: &Space) -> Result<Vec<Value>> {
    let all = space.cluster.list(Kind::FlinkStateSnapshot, &space.name, "").await?;
    Ok(all.into_iter().filter(|snapshot| text(snapshot, CAUSE) == "PERIODIC").collect())
}

/// Milliseconds since 1970 at the end of a name.
fn moment(snapshot: &Value) -> Option<i64> {
    name(snapshot).rsplit_once('-')?.1.parse().ok()
}

/// Each kind of snapshot restored into a job of its own, on both versions.
pub(super) async fn restored(space: &Space) -> Result<()> {
    for (flink, version) in [(Flink::V1_20, "1"), (Flink::V2_2, "2")] {
        let source = format!("app{version}");
        counts(space, &source, flink).await?;
        let kinds = [
            (format!("canonical{version}"), savepoint("", &json!({}))),
            (format!("native{version}"), savepoint("", &json!({"formatType": "NATIVE"}))),
            (format!("checkpoint{version}"), snapshot("", "checkpoint", &json!({}))),
        ];
        let mut paths = Vec::new();
        for (name, mut resource) in kinds {
            let counted = Ledger::read(space, &source)?.number("completed")?;
            resource["metadata"]["name"] = name.as_str().into();
            resource["spec"]["jobReference"]["name"] = source.as_str().into();
            create(space, resource).await?;
            completed(space, &name).await?;
            let path = text(&found(space, &name).await?, "/status/path").to_owned();
            paths.push((name, path, counted));
        }
        for (name, path, counted) in paths {
            let mut job = counting(space, &name, flink, Mode::Savepoint);
            job["spec"]["job"]["initialSavepointPath"] = path.as_str().into();
            space.create(job).await?;
            stable(space, &name).await?;
            goes_on(space, &name, 1, 1, counted).await?;
            space.cluster.delete(Kind::FlinkDeployment, &space.name, &name).await?;
            nothing_left(space, &name, &[]).await?;
        }
        for name in ["canonical", "native", "checkpoint"] {
            delete(space, &format!("{name}{version}")).await?;
        }
        incremental(space, &source).await?;
        space.cluster.delete(Kind::FlinkDeployment, &space.name, &source).await?;
        nothing_left(space, &source, &[]).await?;
    }
    Ok(())
}

/// Flink refuses these on demand (FLINK-33723); its words stand in the status.
async fn incremental(space: &Space, source: &str) -> Result<()> {
    let option = json!({"flinkConfiguration": {"kubernetes.operator.checkpoint.type": "INCREMENTAL"}});
    space.change(source, option).await?;
    stable(space, source).await?;
    let name = format!("incremental-{source}");
    let mut checkpoint = snapshot(&name, "checkpoint", &json!({}));
    checkpoint["spec"]["jobReference"]["name"] = source.into();
    checkpoint["spec"]["backoffLimit"] = 0.into();
    create(space, checkpoint).await?;
    let failed = until(space, &name, "FAILED").await?;
    let error = text(&failed, "/status/error");
    space.say(error);
    ensure!(error.to_lowercase().contains("incremental"), "{error}");
    delete(space, &name).await
}

/// A namespace that is deleted with everything in it, snapshots in every state among it, is gone soon.
pub(super) async fn with_their_namespace(space: &Space) -> Result<()> {
    counts(space, "app", Flink::V1_20).await?;
    for name in ["completed-1", "completed-2"] {
        create(space, savepoint(name, &json!({}))).await?;
        completed(space, name).await?;
    }
    let mut failed = savepoint("failed", &json!({"path": "file:///proc/nowhere"}));
    failed["spec"]["backoffLimit"] = 0.into();
    create(space, failed).await?;
    until(space, "failed", "FAILED").await?;
    let mut pending = savepoint("pending", &json!({}));
    pending["spec"]["jobReference"]["name"] = "not-there".into();
    create(space, pending).await?;
    until(space, "pending", "TRIGGER_PENDING").await?;
    create(space, savepoint("begun", &json!({}))).await?;
    space.cluster.delete(Kind::Namespace, "", &space.name).await?;
    space.say("deleted the namespace");
    space
        .until("the namespace is gone", TO_NOTICE, async || {
            let left = space.cluster.get(Kind::Namespace, "", &space.name).await?;
            Ok(nothing(usize::from(left.is_some())))
        })
        .await
}

/// A job that has counted for a while. A checkpoint stays when the next ones are complete.
async fn counts(space: &Space, name: &str, flink: Flink) -> Result<()> {
    let mut job = counting(space, name, flink, Mode::Savepoint);
    job["spec"]["flinkConfiguration"]["execution.checkpointing.num-retained"] = "1000".into();
    space.create(job).await?;
    stable(space, name).await?;
    goes_on(space, name, 1, 0, 0).await.map(drop)
}

/// A savepoint of `app`.
fn savepoint(name: &str, what: &Value) -> Value {
    snapshot(name, "savepoint", what)
}

fn snapshot(name: &str, kind: &str, what: &Value) -> Value {
    json!({
        "apiVersion": "flink.apache.org/v1beta1",
        "kind": "FlinkStateSnapshot",
        "metadata": {"name": name},
        "spec": {"jobReference": {"kind": "FlinkDeployment", "name": "app"}, kind: what},
    })
}

async fn create(space: &Space, snapshot: Value) -> Result<()> {
    let created = space.cluster.create(Kind::FlinkStateSnapshot, &space.name, snapshot).await?;
    space.say(&format!("created snapshot {}", name(&created)));
    Ok(())
}

async fn found(space: &Space, name: &str) -> Result<Value> {
    let found = space.cluster.get(Kind::FlinkStateSnapshot, &space.name, name).await?;
    found.with_context(|| format!("FlinkStateSnapshot {name} does not exist"))
}

async fn until(space: &Space, name: &str, state: &str) -> Result<Value> {
    let snapshot = space
        .until(&format!("snapshot {name} is {state}"), TO_NOTICE, async || {
            let snapshot = found(space, name).await?;
            let is = text(&snapshot, "/status/state") == state;
            Ok(if is { Look::Done(snapshot) } else { Look::NotYet(snapshot["status"].to_string()) })
        })
        .await?;
    space.say(&format!("snapshot {name} is {state}"));
    Ok(snapshot)
}

/// Where the files of a snapshot lie on the node, once it is complete.
async fn completed(space: &Space, name: &str) -> Result<PathBuf> {
    files(space, &until(space, name, "COMPLETED").await?)
}

fn files(space: &Space, snapshot: &Value) -> Result<PathBuf> {
    let path = text(snapshot, "/status/path");
    let below = path.strip_prefix("file:").map(|path| path.trim_start_matches('/'));
    let below = below.and_then(|path| path.strip_prefix("ledger/"));
    Ok(space.data.join(below.with_context(|| format!("path {path:?}"))?))
}

async fn delete(space: &Space, name: &str) -> Result<()> {
    space.cluster.delete(Kind::FlinkStateSnapshot, &space.name, name).await?;
    space
        .until(&format!("snapshot {name} is gone"), TO_NOTICE, async || {
            let left = space.cluster.get(Kind::FlinkStateSnapshot, &space.name, name).await?;
            Ok(nothing(usize::from(left.is_some())))
        })
        .await?;
    space.say(&format!("snapshot {name} is gone"));
    Ok(())
}
