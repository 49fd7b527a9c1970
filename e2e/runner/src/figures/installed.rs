//! Figures of the installed operator: its memory, and its requests for a first deployment.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;

use super::{Place, print};
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
    let pid = space.operator.process(&space.cluster).await?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(format!("{:.1} MiB", kibibytes / 1024.0))
}

fn print_requests(requests: &[Request]) {
    let writes = requests.iter().filter(|request| request.is_write()).count();
    print("API requests of a first deployment to STABLE", &requests.len().to_string(), "(Java: 33)");
    print("writes among them", &writes.to_string(), "12 (Java: 26)");
    let mut counts = BTreeMap::new();
    for request in requests {
        *counts.entry((!request.is_write(), &request.verb, &request.resource)).or_insert(0) += 1;
    }
    for ((_, verb, resource), count) in counts {
        print(&format!("    {verb} {resource}"), &count.to_string(), "");
    }
}
