//! `chart`: renders the Helm chart with many values and looks at the objects.

mod cases;
mod render;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use render::Helm;

/// Renders the Helm chart with many values and looks at the objects; ends with `N passed, N failed`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The helm program.
    #[arg(long, default_value = "helm")]
    helm: PathBuf,
    /// The chart's directory; by default the one of this repository.
    #[arg(long)]
    chart: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../helm/flink-kubernetes-operator");
    let helm = Helm::new(&arguments.helm, arguments.chart.as_ref().unwrap_or(&own));
    let mut failed = 0;
    for (name, case) in cases::ALL {
        if let Err(error) = case(&helm) {
            failed += 1;
            println!("chart {name}: FAILED: {error:#}");
        }
    }
    println!("{} passed, {failed} failed", cases::ALL.len() - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
