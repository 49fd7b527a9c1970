//! Figures of many FlinkStateSnapshots: how much each costs, what a history limit costs, and how soon a namespace with
//! snapshots in every state is gone.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use flink_client::stub::ClusterSettings;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::bench::{Bench, BenchArguments, print_per, seconds};
use super::{memory, print};
use crate::kubernetes::{Kind, text, uid};

const NAMESPACE: &str = "figures-snapshots";
const JOB: &str = "job";
/// Longest time for anything that is waited for.
const PATIENCE: Duration = Duration::from_mins(10);
/// Where nothing can be written.
const REFUSED: &str = "file:/refused";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    bench: BenchArguments,
    /// How many FlinkStateSnapshots are created.
    #[arg(long, default_value_t = 1000)]
    snapshots: usize,
    /// How many are in the namespace that is deleted.
    #[arg(long, default_value_t = 100)]
    deleted: usize,
}

pub(super) async fn measure(arguments: &Arguments) -> Result<()> {
    let settings = ClusterSettings {
        savepoint_directory: Some("file:/savepoints".to_owned()),
        ..ClusterSettings::default()
    };
    let mut bench = Bench::start(&arguments.bench, NAMESPACE, 1, settings).await?;
    bench.flink.state().storage().refuse_writes_below(REFUSED);
    bench.start_cluster().await?;
    let options = json!({"state.savepoints.dir": "file:/savepoints"});
    bench.create_job(JOB, options).await?;
    bench
        .until("the job runs", Kind::FlinkSessionJob, JOB, |job| {
            text(job, "/status/lifecycleState") == "STABLE"
        })
        .await?;
    let count = arguments.snapshots;
    let job = bench.cluster.get(Kind::FlinkSessionJob, NAMESPACE, JOB).await?.unwrap_or_default();
    print("resident memory, one job without snapshots", &memory(bench.operator.id())?, "");

    let began = (Timestamp::now(), Instant::now());
    for number in 0..count {
        let mut snapshot = snapshot(&format!("periodic-{number}"), &json!({}));
        snapshot["metadata"]["labels"] =
            json!({"snapshot.trigger-type": "PERIODIC", "job-reference.uid": uid(&job)});
        bench.cluster.create(Kind::FlinkStateSnapshot, NAMESPACE, snapshot).await?;
    }
    print(&format!("{count} snapshots: time to create them"), &seconds(began.1.elapsed()), "");
    let left = settled(&bench, began.1).await?;
    print(&format!("{count} snapshots: from the first create to the last COMPLETED"), &seconds(left), "");
    let requests = bench.requests(began.0).await?;
    print_per("snapshot, those that the history limit removes again among them", count, &requests);
    let kept = bench.cluster.list(Kind::FlinkStateSnapshot, NAMESPACE, "").await?.len();
    print("snapshots that the history limit keeps (10 by default)", &kept.to_string(), "10");

    let began = (Timestamp::now(), Instant::now());
    for number in 0..count {
        let manual = snapshot(&format!("manual-{number}"), &json!({}));
        bench.cluster.create(Kind::FlinkStateSnapshot, NAMESPACE, manual).await?;
    }
    let took = settled(&bench, began.1).await?;
    print(
        &format!("{count} snapshots by hand: from the first create to the last COMPLETED"),
        &seconds(took),
        "",
    );
    let requests = bench.requests(began.0).await?;
    print_per("snapshot by hand", count, &requests);
    print(&format!("resident memory, {} snapshots", count + kept), &memory(bench.operator.id())?, "");
    let began = Timestamp::now();
    tokio::time::sleep(Duration::from_mins(1)).await;
    let writes = bench.requests(began).await?.iter().filter(|request| request.is_write()).count();
    print("writes in a minute with all of them", &writes.to_string(), "0");
    for snapshot in bench.cluster.list(Kind::FlinkStateSnapshot, NAMESPACE, "").await? {
        let name = crate::kubernetes::name(&snapshot);
        bench.cluster.delete(Kind::FlinkStateSnapshot, NAMESPACE, name).await?;
    }
    delete_namespace(&bench, arguments.deleted).await?;
    bench.operator.must_run()
}

/// With snapshots in each state, half of them with files to be disposed of.
async fn delete_namespace(bench: &Bench, count: usize) -> Result<()> {
    for number in 0..count {
        let name = format!("last-{number}");
        let mut snapshot = snapshot(&name, &json!({"disposeOnDelete": number % 2 == 0}));
        match number % 5 {
            0 | 1 => {}
            // FAILED and, with more tries, TRIGGER_PENDING.
            2 | 3 => {
                snapshot["spec"]["savepoint"]["path"] = REFUSED.into();
                snapshot["spec"]["backoffLimit"] = if number % 5 == 2 { 0 } else { -1 }.into();
            }
            // ABANDONED: the job that it is of is not there any more.
            _ => snapshot["metadata"]["labels"] = json!({"job-reference.uid": "another"}),
        }
        bench.cluster.create(Kind::FlinkStateSnapshot, NAMESPACE, snapshot).await?;
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    // Flink goes on with these when the namespace is deleted.
    {
        let mut flink = bench.flink.state();
        let jobs = flink.live_jobs();
        for job in jobs {
            if let Some(plan) = flink.plan_mut(&job) {
                plan.snapshot = Duration::from_secs(3);
            }
        }
    }
    for number in 0..count / 5 {
        let begun = snapshot(&format!("begun-{number}"), &json!({"disposeOnDelete": true}));
        bench.cluster.create(Kind::FlinkStateSnapshot, NAMESPACE, begun).await?;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let all = bench.cluster.list(Kind::FlinkStateSnapshot, NAMESPACE, "").await?;
    let mut states: Vec<_> = all.iter().map(|it| text(it, "/status/state").to_owned()).collect();
    states.sort();
    let counts: Vec<_> = states
        .chunk_by(|one, other| one == other)
        .map(|states| format!("{} {}", states.len(), states.first().map_or("", String::as_str)))
        .collect();
    let began = Instant::now();
    bench.cluster.delete(Kind::Namespace, "", NAMESPACE).await?;
    while bench.cluster.get(Kind::Namespace, "", NAMESPACE).await?.is_some() {
        ensure!(began.elapsed() < PATIENCE, "the namespace is not gone");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    print(&format!("deletion of a namespace: {}", counts.join(", ")), &seconds(began.elapsed()), "");
    Ok(())
}

/// Waits until all snapshots there are have come to their end.
async fn settled(bench: &Bench, began: Instant) -> Result<Duration> {
    loop {
        let all = bench.cluster.list(Kind::FlinkStateSnapshot, NAMESPACE, "").await?;
        let open = all.iter().filter(|it| text(it, "/status/state") != "COMPLETED").count();
        if open == 0 {
            return Ok(began.elapsed());
        }
        ensure!(began.elapsed() < PATIENCE, "{open} snapshots are not complete");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn snapshot(name: &str, savepoint: &Value) -> Value {
    json!({
        "apiVersion": "flink.apache.org/v1beta1",
        "kind": "FlinkStateSnapshot",
        "metadata": {"name": name},
        "spec": {
            "jobReference": {"kind": "FlinkSessionJob", "name": JOB},
            "savepoint": savepoint,
        },
    })
}
