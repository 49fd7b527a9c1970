//! Figures of the binary outside a pod: its size, how fast it is ready, how fast it creates a cluster.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::print;
use super::samples::Samples;
use crate::kubernetes::{Cluster, Kind};
use crate::operator_process::OperatorProcess;
use crate::scenarios::specs::basic_example;

const NAMESPACE: &str = "default";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The operator's release binary.
    #[arg(long)]
    binary: PathBuf,
    /// The operator's configuration folder.
    #[arg(long)]
    conf_dir: PathBuf,
    /// How often the process is started.
    #[arg(long, default_value_t = 10)]
    starts: usize,
    /// How many FlinkDeployments are created.
    #[arg(long, default_value_t = 30)]
    creations: usize,
}

pub(super) async fn measure(arguments: &Arguments) -> Result<()> {
    let size = std::fs::metadata(&arguments.binary).context("no binary")?.len();
    print("release binary, static", &format!("{:.1} MB", mega(size)), "");
    let cluster = Cluster::connect().await?;
    let mut starts = Vec::new();
    for _ in 0..arguments.starts {
        let began = Instant::now();
        starts.push(readiness(&mut start(arguments)?, began).await?);
    }
    let starts = Samples::new(starts).context("no starts")?;
    print("process start to ready, median", &starts.to_string(), "300 ms (Java: 2700–7000 ms)");
    let mut operator = start(arguments)?;
    readiness(&mut operator, Instant::now()).await?;
    let creations = Samples::new(creations(&cluster, arguments.creations).await?).context("no creations")?;
    print("create to JobManager Deployment created, median", &creations.to_string(), "60 ms (Java: 186 ms)");
    // Ends here, not earlier.
    drop(operator);
    remove(&cluster).await
}

#[expect(clippy::cast_precision_loss, reason = "sizes far below 2^52")]
fn mega(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn start(arguments: &Arguments) -> Result<OperatorProcess> {
    let mut command = Command::new(&arguments.binary);
    command.arg("--conf-dir").arg(&arguments.conf_dir).stdout(Stdio::null()).stderr(Stdio::null());
    OperatorProcess::start(command)
}

/// How long it takes until it is ready.
async fn readiness(operator: &mut OperatorProcess, began: Instant) -> Result<Duration> {
    while !is_ready(operator.address).await {
        operator.must_run()?;
        ensure!(began.elapsed() < Duration::from_mins(1), "the operator is not ready after a minute");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(began.elapsed())
}

/// Whether `/readyz` answers 200 now.
async fn is_ready(address: SocketAddr) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: operator\r\nConnection: close\r\n\r\n").await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        std::io::Result::Ok(answer.starts_with(b"HTTP/1.1 200"))
    };
    ask.await.unwrap_or(false)
}

/// Times from the request that creates a FlinkDeployment until its JobManager Deployment is seen.
async fn creations(cluster: &Cluster, count: usize) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    for number in 0..count {
        let name = format!("figure-{number}");
        let deployment = basic_example(&name)?;
        let began = Instant::now();
        cluster.create(Kind::FlinkDeployment, NAMESPACE, deployment).await?;
        while cluster.get(Kind::Deployment, NAMESPACE, &name).await?.is_none() {
            ensure!(began.elapsed() < Duration::from_secs(30), "no Deployment of {name} after 30 s");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        times.push(began.elapsed());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(times)
}

/// Removes what was created, with nobody left who would react: finalizers are taken off.
async fn remove(cluster: &Cluster) -> Result<()> {
    for deployment in cluster.list(Kind::FlinkDeployment, NAMESPACE, "").await? {
        let name = crate::kubernetes::name(&deployment);
        let without = serde_json::json!({"metadata": {"finalizers": null}});
        cluster.patch(Kind::FlinkDeployment, NAMESPACE, name, &without).await?;
        cluster.delete(Kind::FlinkDeployment, NAMESPACE, name).await?;
    }
    Ok(())
}
