//! `scenarios`: the operator, installed by Helm, with real Flink clusters on a real Kubernetes.

pub(crate) mod access;
mod application;
mod broken_image;
mod certificates;
mod deletion;
mod example_tls;
mod examples;
pub(crate) mod expectations;
mod ha;
mod ingress;
mod invalid_spec;
pub(crate) mod ledger;
mod lost_jobmanager;
mod operator_killed;
mod pages;
mod report;
mod rescaling;
mod rights;
mod session;
mod session_jobs;
mod snapshots;
pub(crate) mod space;
pub(crate) mod specs;
mod standalone;
pub(crate) mod stateful;
mod tls;
mod upgrade;

use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;

use anyhow::{Result, bail};
use futures::StreamExt as _;
use futures::future::LocalBoxFuture;

use crate::kubernetes::Cluster;
use crate::operator_pod::OperatorPod;
use space::Space;

/// Runs scenarios on the cluster of `KUBECONFIG`, a test bed; ends with `N passed, N failed`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Scenarios to run; all but the long ones without.
    names: Vec<String>,
    /// The long ones too.
    #[arg(long)]
    long: bool,
    /// Only lists the scenarios.
    #[arg(long)]
    list: bool,
    /// How many run at a time.
    #[arg(long, default_value_t = 2)]
    parallel: usize,
    /// Namespace of the operator.
    #[arg(long, default_value = "flink-operator")]
    operator_namespace: String,
    /// Where scenarios put the directories that their pods write to.
    #[arg(long, default_value = "/tmp")]
    data: PathBuf,
    /// The API server's audit log, to see whether the operator has all the rights it needs.
    #[arg(long, env = "TESTBED_AUDIT_LOG")]
    audit_log: Option<PathBuf>,
}

struct Scenario {
    name: &'static str,
    about: &'static str,
    /// Runs alone, because it disturbs the operator.
    alone: bool,
    /// Runs only when it is named, or with `--long`.
    long: bool,
    run: for<'a> fn(&'a Space) -> LocalBoxFuture<'a, Result<()>>,
}

macro_rules! scenario {
    ($name:literal, $run:path, $about:literal) => {
        Scenario { name: $name, about: $about, alone: false, long: false, run: |space| Box::pin($run(space)) }
    };
    (long $name:literal, $run:path, $about:literal) => {
        Scenario { long: true, ..scenario!($name, $run, $about) }
    };
    (alone $name:literal, $run:path, $about:literal) => {
        Scenario { alone: true, ..scenario!($name, $run, $about) }
    };
    (alone long $name:literal, $run:path, $about:literal) => {
        Scenario { alone: true, long: true, ..scenario!($name, $run, $about) }
    };
}

const ALL: &[Scenario] = &[
    scenario!("application-1-20", application::on_1_20, "Flink 1.20 from create to STABLE; the job counts"),
    scenario!("application-2-2", application::on_2_2, "the same on Flink 2.2"),
    scenario!("stateless-upgrade", upgrade::stateless, "a changed spec: a new job, nothing of the old one"),
    scenario!("savepoint-upgrade", stateful::savepoint, "upgrade, suspend and resume with savepoints"),
    scenario!("last-state-upgrade", stateful::last_state, "the same with HA metadata, on Flink 2.2"),
    scenario!(
        long "last-state-without-ha",
        stateful::last_state_without_ha,
        "the last checkpoint without HA metadata"
    ),
    scenario!(
        "standalone-savepoint",
        standalone::savepoint,
        "a standalone application: upgrade, suspend and resume"
    ),
    scenario!(
        long "standalone-session",
        standalone::session_cluster,
        "a standalone session cluster, kubectl scale, and lost TaskManagers"
    ),
    scenario!(long "standalone-last-state", standalone::last_state, "a standalone application with HA, on Flink 2.2"),
    scenario!(long "standalone-reactive", standalone::reactive, "a standalone application that takes all slots"),
    scenario!(long "examples", examples::run, "every FlinkDeployment of examples/, as it is written"),
    scenario!(long "rescaling", rescaling::run, "another parallelism in place, and by a restart; both versions"),
    scenario!(long "rollback", stateful::rollback, "a change that never gets ready is taken back"),
    scenario!(long "lost-jobmanager-with-state", stateful::lost_jobmanager, "its Deployment deleted; HA metadata"),
    scenario!(long "savepoint-on-deletion", stateful::savepoint_on_deletion, "another job starts from it"),
    scenario!(long "session-cluster", session::run, "a session cluster, changed and deleted"),
    scenario!(
        "session-jobs",
        session_jobs::run,
        "two jobs on a session cluster, their jars by HTTP and from S3"
    ),
    scenario!(
        "snapshots",
        snapshots::run,
        "savepoints and checkpoints by hand and by cron, and their disposal"
    ),
    scenario!(long "snapshots-restored", snapshots::restored, "each kind of snapshot restored into another job; both versions"),
    scenario!(
        long "snapshots-with-namespace",
        snapshots::with_their_namespace,
        "a namespace deleted with snapshots in every state"
    ),
    scenario!(
        long "session-job-changes",
        session_jobs::changes::run,
        "jobs with the same jar: one rescaled in place, one rolled back, one redeployed from a savepoint"
    ),
    scenario!(
        long "session-jobs-lost",
        session_jobs::lost::run,
        "jobs that were cancelled by hand, or whose JobManager was restarted without HA"
    ),
    scenario!(long "session-jobs-many", session_jobs::many::run, "time until fifteen jobs of one cluster run"),
    scenario!(
        long "session-job-python-and-sql",
        session_jobs::python_and_sql::on_1_20,
        "jobs in Python and SQL, upgraded with savepoints, and two Python programs at the same time"
    ),
    scenario!(long "session-job-python-and-sql-2-2", session_jobs::python_and_sql::on_2_2, "the same on Flink 2.2"),
    scenario!(long "ingress", ingress::run, "an Ingress changed in place, and requests through a controller"),
    scenario!("probes-and-metrics", pages::run, "what the operator's own pages say"),
    scenario!("broken-image", broken_image::run, "an image that does not exist, then one that does"),
    scenario!("invalid-first-spec", invalid_spec::first, "an invalid spec, then a valid one"),
    scenario!("invalid-change", invalid_spec::change, "an invalid change leaves the job alone"),
    scenario!("jobmanager-pod-deleted", lost_jobmanager::pod, "the JobManager's pod deleted by hand"),
    scenario!("jobmanager-deployment-deleted", lost_jobmanager::deployment, "its Deployment deleted by hand"),
    scenario!("deletion", deletion::of_a_running_job, "what belongs to the cluster goes, nothing else"),
    scenario!("early-deletion", deletion::before_stable, "deleted while starting, broken, invalid"),
    scenario!(alone long "tls", tls::run, "TLS with and without client certificates; new certificates; both versions"),
    scenario!(alone long "example-tls", example_tls::run, "examples/tls as it is written; certificates of cert-manager"),
    scenario!(alone long "tls-formats", tls::formats, "PKCS#12 stores; the operator's are PKCS#12, then PEM"),
    scenario!(long "ha-zookeeper-1-20", ha::zookeeper::on_1_20, "a whole life with HA metadata in ZooKeeper"),
    scenario!(long "ha-zookeeper-2-2", ha::zookeeper::on_2_2, "the same on Flink 2.2"),
    scenario!(
        long "ha-zookeeper-standalone-1-20",
        ha::zookeeper::standalone_on_1_20,
        "the same of a standalone application"
    ),
    scenario!(
        long "ha-zookeeper-standalone-2-2",
        ha::zookeeper::standalone_on_2_2,
        "the same of a standalone application on Flink 2.2"
    ),
    scenario!(
        long "ha-kills-kubernetes-1-20",
        ha::kills::kubernetes_1_20,
        "the leading JobManager killed at each stage of an upgrade"
    ),
    scenario!(long "ha-kills-kubernetes-2-2", ha::kills::kubernetes_2_2, "the same on Flink 2.2, with a standby"),
    scenario!(long "ha-kills-zookeeper-1-20", ha::kills::zookeeper_1_20, "the same in ZooKeeper, with a standby"),
    scenario!(long "ha-kills-zookeeper-2-2", ha::kills::zookeeper_2_2, "the same in ZooKeeper, on Flink 2.2"),
    scenario!(alone "operator-killed", operator_killed::run, "SIGKILL in the middle of deployments"),
    scenario!(alone long "operator-killed-in-upgrades", stateful::operator_killed, "SIGKILL in ten upgrades with state"),
];

/// Runs the chosen scenarios.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    if arguments.list {
        for scenario in ALL {
            let long = if scenario.long { " (long)" } else { "" };
            println!("{:32} {}{long}", scenario.name, scenario.about);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let chosen = chosen(arguments)?;
    // One thread: the cluster is what works.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run_all(arguments, chosen))
}

fn chosen(arguments: &Arguments) -> Result<Vec<&'static Scenario>> {
    let names = &arguments.names;
    for name in names {
        if !ALL.iter().any(|scenario| scenario.name == name) {
            bail!("there is no scenario {name}: see --list");
        }
    }
    let wanted = |scenario: &&Scenario| {
        let is_named = names.iter().any(|name| name == scenario.name);
        is_named || names.is_empty() && (arguments.long || !scenario.long)
    };
    Ok(ALL.iter().filter(wanted).collect())
}

async fn run_all(arguments: &Arguments, chosen: Vec<&'static Scenario>) -> Result<ExitCode> {
    let cluster = Cluster::connect().await?;
    let operator = Rc::new(OperatorPod::find(&cluster, &arguments.operator_namespace).await?);
    let began = jiff::Timestamp::now();
    let (alone, together): (Vec<_>, Vec<_>) = chosen.into_iter().partition(|scenario| scenario.alone);
    let mut passed = 0;
    let mut failed = Vec::new();
    for (scenarios, parallel) in [(together, arguments.parallel), (alone, 1)] {
        let mut results = futures::stream::iter(scenarios)
            .map(|scenario| run_one(scenario, &cluster, &operator, arguments))
            .buffer_unordered(parallel.max(1));
        while let Some((name, succeeded)) = results.next().await {
            if succeeded { passed += 1 } else { failed.push(name) }
        }
    }
    if let Some(log) = &arguments.audit_log {
        match rights::check(log, &arguments.operator_namespace, began) {
            Ok(()) => passed += 1,
            Err(error) => {
                println!("rights: FAILED: {error:#}");
                failed.push("rights");
            }
        }
    }
    if !failed.is_empty() {
        println!("failed: {}", failed.join(", "));
    }
    println!("{passed} passed, {} failed", failed.len());
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs one scenario in a namespace of its own, which is removed whatever happens.
async fn run_one(
    scenario: &'static Scenario,
    cluster: &Cluster,
    operator: &Rc<OperatorPod>,
    arguments: &Arguments,
) -> (&'static str, bool) {
    let space = Space::new(scenario.name, cluster, operator, &arguments.data);
    space.say(scenario.about);
    let result = async {
        space.open().await?;
        (scenario.run)(&space).await
    }
    .await;
    if let Err(error) = &result {
        space.say(&format!("FAILED: {error:#}"));
        report::explain(&space).await;
    }
    let closed = space.close().await;
    if let Err(error) = &closed {
        space.say(&format!("FAILED to clean up: {error:#}"));
    }
    let succeeded = result.is_ok() && closed.is_ok();
    if succeeded {
        space.say("passed");
    }
    (scenario.name, succeeded)
}
