//! `figures`: measures the operator, and prints one line per figure: what, how much, what is aimed at.

mod bench;
mod installed;
mod jar_hosts;
mod jars;
mod process;
mod samples;
mod session_jobs;
mod snapshots;
mod upgrades;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;

use anyhow::{Context, Result};

use crate::audit::Request;
use crate::kubernetes::Cluster;
use crate::operator_pod::OperatorPod;
use crate::scenarios::space::Space;

/// Measures the operator; each figure is a line `NAME | VALUE | AIM`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    part: Part,
}

#[derive(Debug, clap::Subcommand)]
enum Part {
    /// Of the binary, run on this machine against the API server of KUBECONFIG, on which no other operator may act.
    Process(process::Arguments),
    /// Of many jobs on one session cluster: the binary, run on this machine against the API server of KUBECONFIG, and a
    /// stub of Flink.
    SessionJobs(session_jobs::Arguments),
    /// Of big jars and of servers that misbehave, in the same way.
    Jars(jars::Arguments),
    /// Of many FlinkStateSnapshots, in the same way.
    Snapshots(snapshots::Arguments),
    /// Of the operator that Helm has installed in the test bed of KUBECONFIG.
    Installed(installed::Arguments),
    /// Of upgrades by the operator that Helm has installed in the test bed of KUBECONFIG.
    Upgrades(upgrades::Arguments),
}

/// Where the installed operator is, and where its clusters may write.
#[derive(Debug, clap::Args)]
struct Place {
    /// Namespace of the operator.
    #[arg(long, default_value = "flink-operator")]
    operator_namespace: String,
    /// Where pods write to.
    #[arg(long, default_value = "/tmp")]
    data: PathBuf,
}

impl Place {
    /// A namespace that does not exist yet.
    async fn space(&self, name: &str) -> Result<Space> {
        let cluster = Cluster::connect().await?;
        let operator = Rc::new(OperatorPod::find(&cluster, &self.operator_namespace).await?);
        Ok(Space::new(name, &cluster, &operator, &self.data))
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match &arguments.part {
            Part::Process(arguments) => process::measure(arguments).await,
            Part::SessionJobs(arguments) => session_jobs::measure(arguments).await,
            Part::Jars(arguments) => jars::measure(arguments).await,
            Part::Snapshots(arguments) => snapshots::measure(arguments).await,
            Part::Installed(arguments) => installed::measure(arguments).await,
            Part::Upgrades(arguments) => upgrades::measure(arguments).await,
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Prints a figure.
fn print(name: &str, value: &str, aim: &str) {
    println!("{name:58} | {value:32} | {aim}");
}

/// Prints how often each verb was used on each resource, writes first.
fn print_by_resource(requests: &[Request]) {
    let mut counts = BTreeMap::new();
    for request in requests {
        *counts.entry((!request.is_write(), &request.verb, &request.resource)).or_insert(0) += 1;
    }
    for ((_, verb, resource), count) in counts {
        print(&format!("    {verb} {resource}"), &count.to_string(), "");
    }
}

/// Resident memory of a process.
fn memory(process: u32) -> Result<String> {
    Ok(mebibytes(resident(process)?))
}

/// The same, KiB.
fn resident(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

fn mebibytes(kibibytes: f64) -> String {
    format!("{:.1} MiB", kibibytes / 1024.0)
}
