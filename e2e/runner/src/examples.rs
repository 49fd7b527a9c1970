//! `examples`: whether a real API server accepts example resources under our CRDs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::kubernetes::{Cluster, Kind, name};

/// Sends example resources to the API server of KUBECONFIG, without storing them; ends with `N passed, N failed`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Folders with YAML files; by default those of this repository and of the reference.
    folders: Vec<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let folders = if arguments.folders.is_empty() { known_folders()? } else { arguments.folders.clone() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(send_all(&folders))
}

fn known_folders() -> Result<Vec<PathBuf>> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let reference = reference::folder("examples").map_err(anyhow::Error::msg)?;
    Ok([Some(own), reference].into_iter().flatten().collect())
}

async fn send_all(folders: &[PathBuf]) -> Result<ExitCode> {
    let cluster = Cluster::connect().await?;
    let (mut passed, mut failed) = (0, 0);
    for folder in folders {
        for file in reference::files(folder, ".yaml")? {
            let text = fs::read_to_string(&file)?;
            let documents: Vec<Value> =
                serde_saphyr::from_multiple(&text).with_context(|| file.display().to_string())?;
            for document in documents {
                match send(&cluster, &document).await {
                    Ok(sent) => passed += usize::from(sent),
                    Err(error) => {
                        failed += 1;
                        println!("{} {}: FAILED: {error:#}", file.display(), name(&document));
                    }
                }
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Sends one resource; `false` if it is of a kind that is not ours. What the API server would store must be what was
/// sent: a field that a schema does not know is dropped without an error.
async fn send(cluster: &Cluster, document: &Value) -> Result<bool> {
    let kind = match document["kind"].as_str() {
        Some("FlinkDeployment") => Kind::FlinkDeployment,
        Some("FlinkSessionJob") => Kind::FlinkSessionJob,
        Some("FlinkStateSnapshot") => Kind::FlinkStateSnapshot,
        _ => return Ok(false),
    };
    let stored = cluster.create_dry(kind, "default", document.clone()).await?;
    ensure!(stored["spec"] == document["spec"], "stored as {}, not as {}", stored["spec"], document["spec"]);
    Ok(true)
}
