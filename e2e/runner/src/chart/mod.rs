//! `chart`: renders the Helm chart with many values and looks at the objects.

use std::path::PathBuf;
use std::process::ExitCode;

/// What to render, and with which Helm.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The helm program.
    #[arg(long, default_value = "helm")]
    helm: PathBuf,
    /// The chart's directory.
    #[arg(long, default_value = "helm/flink-kubernetes-operator")]
    chart: PathBuf,
}

/// Runs all cases.
pub(crate) fn run(_arguments: &Arguments) -> anyhow::Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
