//! `take-over`: our operator in place of the Java operator, over clusters in exactly the state that that one left.

mod cases;
mod java_reads;
mod java_state;
mod recorded;
mod sessions;
#[cfg(test)]
mod tests;
mod world;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use jiff::Timestamp;
use serde_json::Value;

use crate::audit;
use crate::chart_operator::ChartOperator;
use crate::kubernetes::{Cluster, Kind, text};
use crate::timeline::place::Place;
use cases::Case;
use java_state::{CLUSTER, JavaState};
use world::World;

/// Takes clusters over on the cluster of `KUBECONFIG`, a test bed; ends with `N passed, N failed`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Cases to run: running, running-with-ha, suspended, finished, created, upgrading, session,
    /// session-2-2, session-with-ha, session-deploying, standalone-session; all without.
    names: Vec<String>,
    /// The operator.
    #[arg(long)]
    binary: PathBuf,
    /// How long nothing may happen to a cluster that was taken over, seconds; several reconcile intervals.
    #[arg(long, default_value_t = 50)]
    quiet: u64,
    /// Where the directories lie that pods write to.
    #[arg(long, default_value = "/tmp")]
    data: PathBuf,
    /// The API server's audit log.
    #[arg(long, env = "TESTBED_AUDIT_LOG")]
    audit_log: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    for name in &arguments.names {
        ensure!(Case::ALL.iter().any(|case| case.name() == name), "there is no case {name}");
    }
    let wanted =
        |case: &Case| arguments.names.is_empty() || arguments.names.iter().any(|name| name == case.name());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut passed, mut failed) = (0, 0);
    for case in Case::ALL.into_iter().filter(wanted) {
        let began = Instant::now();
        let say = |what: &str| println!("{:18} {:6.1} s  {what}", case.name(), began.elapsed().as_secs_f64());
        match runtime.block_on(run_one(arguments, case, &say)) {
            Ok(()) => {
                passed += 1;
                say("passed");
            }
            Err(error) => {
                failed += 1;
                say(&format!("FAILED: {error:#}"));
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn run_one(arguments: &Arguments, case: Case, say: &dyn Fn(&str)) -> Result<()> {
    let cluster = Cluster::connect().await?;
    let place = Place::open(&cluster, &format!("take-over-{}", case.name()), &arguments.data).await?;
    let state =
        JavaState { place: &place, shape: case.shape(), moment: case.moment()?, arguments: case.arguments() };
    let prepared = case.prepare(&state).await;
    if let Err(error) = prepared {
        // Without an operator nobody takes the finalizer away.
        let free = serde_json::json!({"metadata": {"finalizers": null}});
        let _ = cluster.patch(Kind::FlinkDeployment, &place.namespace, CLUSTER, &free).await;
        place.close().await?;
        return Err(error.context("the state of the Java operator"));
    }
    say("as the Java operator left it");
    let before =
        Before { world: World::look(&place).await?, status: status(&place).await?, at: Timestamp::now() };
    let mut operator = ChartOperator::start(&cluster, &arguments.binary, "take-over-operator", "").await?;
    let result = take_over(arguments, case, &place, &before, &mut operator, say).await;
    if result.is_err() {
        let log = operator.log(&place.namespace);
        println!("{}", log.get(log.len().saturating_sub(60)..).unwrap_or_default().join("\n"));
    }
    let closed = place.close().await;
    result.and(closed)
}

/// What was there before our operator started.
struct Before {
    world: World,
    status: Value,
    at: Timestamp,
}

async fn take_over(
    arguments: &Arguments,
    case: Case,
    place: &Place,
    before: &Before,
    operator: &mut ChartOperator,
    say: &dyn Fn(&str),
) -> Result<()> {
    if case != Case::Upgrading {
        must_be_left_alone(arguments, case, place, before, operator, say).await?;
    }
    let ledger = case.go_on(place).await?;
    say(&format!("a change of the spec works: {ledger}"));
    java_reads::check(&status(place).await?, &before.status)
        .context("what the Java operator would read after the change")
}

/// Nothing happens to the cluster, and its status says the same as before, or what a running cluster says.
async fn must_be_left_alone(
    arguments: &Arguments,
    case: Case,
    place: &Place,
    before: &Before,
    operator: &mut ChartOperator,
    say: &dyn Fn(&str),
) -> Result<()> {
    let java = &before.status;
    tokio::time::sleep(Duration::from_secs(arguments.quiet)).await;
    operator.must_run()?;
    let ours = status(place).await?;
    World::look(place).await?.must_equal(&before.world)?;
    say("same objects, same pods, same jobs");
    if case.is_at_rest() {
        means_the_same(&ours, java)?;
    } else {
        let (id, lifecycle) = (text(&ours, "/jobStatus/jobId"), text(&ours, "/lifecycleState"));
        ensure!(id == text(java, "/jobStatus/jobId") && lifecycle == "STABLE", "the status became {ours}");
    }
    java_reads::check(&ours, java).context("what the Java operator would read")?;
    // The API server writes its log with a delay.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let writes = only_told(&arguments.audit_log, &operator.account, &place.namespace, before.at)?;
    say(&format!("nothing was written to in {} s but {writes}", arguments.quiet));
    told(place).await?.iter().for_each(|event| say(event));
    Ok(())
}

async fn status(place: &Place) -> Result<Value> {
    let resource = place.cluster.get(Kind::FlinkDeployment, &place.namespace, CLUSTER).await?;
    let status = resource.and_then(|mut resource| resource.get_mut("status").map(Value::take));
    status.context("no status")
}

/// The Events on the resource: the Java operator's are not made again, so all are ours.
async fn told(place: &Place) -> Result<Vec<String>> {
    let events = place.cluster.list(Kind::Event, &place.namespace, "").await?;
    let of_resource = events.iter().filter(|event| event["involvedObject"]["kind"] == "FlinkDeployment");
    let line = |event: &Value| format!("{}: {}", text(event, "/reason"), text(event, "/message"));
    Ok(of_resource.map(line).collect())
}

/// Nothing that the Java operator wrote has got another meaning.
fn means_the_same(ours: &Value, java: &Value) -> Result<()> {
    let same = [
        "/lifecycleState",
        "/jobManagerDeploymentStatus",
        "/jobStatus/jobId",
        "/jobStatus/state",
        "/jobStatus/startTime",
        "/jobStatus/upgradeSavepointPath",
        "/reconciliationStatus/state",
        "/reconciliationStatus/lastReconciledSpec",
        "/reconciliationStatus/lastStableSpec",
        "/observedGeneration",
        "/error",
        "/operation",
    ];
    for pointer in same {
        let (ours, java) = (ours.pointer(pointer), java.pointer(pointer));
        if ours != java {
            bail!("status{pointer} became {ours:?}, was {java:?}");
        }
    }
    let condition = |status: &Value| text(status, "/conditions/0/status").to_owned();
    ensure!(
        condition(ours) == condition(java),
        "conditions became {}, were {}",
        ours["conditions"],
        java["conditions"]
    );
    Ok(())
}

/// Fails if the operator wrote anything but statuses and Events; returns what it wrote.
fn only_told(log: &Path, account: &str, namespace: &str, began: Timestamp) -> Result<String> {
    let mut requests = audit::read(log)?;
    requests.retain(|request| request.user == account && request.received >= began);
    ensure!(!requests.is_empty(), "the audit log has no request of {account}");
    requests.retain(|request| request.is_write() && request.namespace == namespace);
    let told = |resource: &str| ["flinkdeployments.flink.apache.org/status", "events"].contains(&resource);
    if let Some(write) = requests.iter().find(|request| !told(&request.resource)) {
        bail!("the operator wrote to the cluster: {write:?}");
    }
    let count = |resource: &str| requests.iter().filter(|request| request.resource == resource).count();
    let statuses = count("flinkdeployments.flink.apache.org/status");
    Ok(format!("{statuses} statuses and {} Events", count("events")))
}
