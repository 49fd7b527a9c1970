//! `figures`: measures the operator, and prints one line per figure: what, how much, what is aimed at.

mod installed;
mod process;
mod samples;
mod upgrades;

use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;

use anyhow::Result;

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
