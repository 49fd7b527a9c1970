//! Figures of the installed operator: its memory, and its requests for a first deployment.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;

use super::{Place, print, print_by_resource};
use crate::audit::{self, Request};
use crate::scenarios::expectations::is_stable;
use crate::scenarios::space::{Space, TO_STABLE};
use crate::scenarios::specs::basic_example;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// The API server's audit log.
    #[arg(long, env = "TESTBED_AUDIT_LOG")]
    audit_log: PathBuf,
}

pub(super) async fn measure(arguments: &Arguments) -> Result<()> {
    let space = arguments.place.space("figures").await?;
    space.open().await?;
    let measured = in_space(&space, arguments).await;
    space.close().await?;
    measured
}

async fn in_space(space: &Space, arguments: &Arguments) -> Result<()> {
    tokio::time::sleep(Duration::from_secs(10)).await;
    print("resident memory, idle", &memory(space).await?, "25 MiB (Java: 350 MiB)");
    let began = Timestamp::now();
    space.create(basic_example("app")?).await?;
    space.until_deployment("app", "is stable", TO_STABLE, is_stable).await?;
    let ended = Timestamp::now();
    // The API server writes its log with a delay.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let account = format!("system:serviceaccount:{}:flink-operator", arguments.place.operator_namespace);
    let mut requests = audit::read(&arguments.audit_log)?;
    requests
        .retain(|request| request.user == account && request.received >= began && request.received < ended);
    print_requests(&requests);
    tokio::time::sleep(Duration::from_secs(10)).await;
    print("resident memory, one deployment", &memory(space).await?, "25 MiB");
    let began = Timestamp::now();
    tokio::time::sleep(Duration::from_mins(1)).await;
    let mut requests = audit::read(&arguments.audit_log)?;
    requests.retain(|request| request.user == account && request.received >= began);
    let writes = requests.iter().filter(|request| request.is_write()).count();
    print(
        "requests in a minute of a stable deployment",
        &format!("{} ({writes} writes)", requests.len()),
        "0 writes",
    );
    Ok(())
}

/// Resident memory of the operator's process.
async fn memory(space: &Space) -> Result<String> {
    super::memory(space.operator.process(&space.cluster).await?)
}

fn print_requests(requests: &[Request]) {
    let writes = requests.iter().filter(|request| request.is_write()).count();
    print("API requests of a first deployment to STABLE", &requests.len().to_string(), "(Java: 33)");
    print("writes among them", &writes.to_string(), "12 (Java: 26)");
    print_by_resource(requests);
}
