//! `figures`: measures the operator, and prints one line per figure: what, how much, what is aimed at.

mod installed;
mod process;
mod samples;
mod upgrades;

use std::process::ExitCode;

use anyhow::Result;

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
