//! `namespaced`: the operator with the rights in single namespaces that the chart gives it, on an API server alone.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::audit;
use crate::kubernetes::{Cluster, Kind, text};
use crate::operator_process::OperatorProcess;
use crate::scenarios::specs::{Flink, session};

/// Where the operator lives, where it may act, and where it may not.
const OPERATOR: &str = "namespaced-operator";
const WATCHED: &str = "namespaced-watched";
const OTHER: &str = "namespaced-other";

/// Runs the binary as the chart's service account with `watchNamespaces`, and looks that it acts there and only there;
/// ends with `N passed, N failed`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The operator.
    #[arg(long)]
    binary: PathBuf,
    /// The API server's audit log.
    #[arg(long, env = "TESTBED_AUDIT_LOG")]
    audit_log: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let folder = std::env::temp_dir().join(format!("namespaced-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let result = runtime.block_on(check(arguments, &folder));
    if result.is_err() {
        println!("{}", fs::read_to_string(folder.join("log")).unwrap_or_default());
    }
    fs::remove_dir_all(&folder)?;
    result?;
    println!("1 passed, 0 failed");
    Ok(ExitCode::SUCCESS)
}

async fn check(arguments: &Arguments, folder: &Path) -> Result<()> {
    let cluster = Cluster::connect().await?;
    let began = Timestamp::now();
    for namespace in [OPERATOR, WATCHED, OTHER] {
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        cluster.create(Kind::Namespace, "", object).await?;
    }
    install(folder)?;
    let operator = start(&arguments.binary, folder)?;
    for namespace in [OTHER, WATCHED] {
        cluster.create(Kind::FlinkDeployment, namespace, session("cluster", Flink::V1_20)).await?;
    }
    until("there is a JobManager Deployment", async || {
        let created = cluster.get(Kind::Deployment, WATCHED, "cluster").await?.is_some();
        Ok(created && cluster.get(Kind::ConfigMap, WATCHED, "flink-config-cluster").await?.is_some())
    })
    .await?;
    cluster.delete(Kind::FlinkDeployment, WATCHED, "cluster").await?;
    until("the FlinkDeployment is gone", async || {
        Ok(cluster.get(Kind::FlinkDeployment, WATCHED, "cluster").await?.is_none())
    })
    .await?;
    let other = cluster.get(Kind::FlinkDeployment, OTHER, "cluster").await?.context("it is gone")?;
    ensure!(
        other.get("status").is_none() && text(&other, "/metadata/finalizers/0").is_empty(),
        "touched: {other}"
    );
    drop(operator);
    // The API server writes its log with a delay.
    tokio::time::sleep(Duration::from_secs(3)).await;
    nothing_forbidden(&arguments.audit_log, began)?;
    for namespace in [OPERATOR, WATCHED, OTHER] {
        cluster.delete(Kind::Namespace, "", namespace).await?;
    }
    Ok(())
}

fn nothing_forbidden(log: &Path, began: Timestamp) -> Result<()> {
    let account = format!("system:serviceaccount:{OPERATOR}:flink-operator");
    let mut requests = audit::read(log)?;
    requests.retain(|request| request.user == account && request.received >= began);
    ensure!(!requests.is_empty(), "the audit log has no request of {account}");
    requests.retain(|request| request.code == 403);
    ensure!(requests.is_empty(), "forbidden: {requests:?}");
    Ok(())
}

/// Applies what the chart renders, and writes the operator's configuration and kubeconfig to the folder.
fn install(folder: &Path) -> Result<()> {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../helm/flink-kubernetes-operator");
    let chart = chart.to_str().context("the path of the chart is not UTF-8")?;
    let namespaces = format!("watchNamespaces={{{WATCHED}}}");
    let options = ["--namespace", OPERATOR, "--kube-version", "1.34.0", "--set", &namespaces];
    let rendered = call("helm", &[&["template", "release", chart], &options[..]].concat(), "")?;
    call("kubectl", &["apply", "-f", "-"], &rendered)?;
    let objects: Vec<Value> = serde_saphyr::from_multiple(&rendered)?;
    let files = objects.iter().find(|object| object["kind"] == "ConfigMap").context("no ConfigMap")?;
    fs::write(folder.join("flink-conf.yaml"), text(files, "/data/flink-conf.yaml"))?;
    fs::write(folder.join("kubeconfig"), kubeconfig()?.to_string())?;
    Ok(())
}

/// The kubeconfig in use, with a token of the operator's service account in place of the user.
fn kubeconfig() -> Result<Value> {
    let current = call("kubectl", &["config", "view", "--raw", "--minify", "--output", "json"], "")?;
    let mut config: Value = serde_json::from_str(&current)?;
    let token = call("kubectl", &["--namespace", OPERATOR, "create", "token", "flink-operator"], "")?;
    config["users"][0]["user"] = json!({"token": token.trim()});
    Ok(config)
}

fn call(program: &str, arguments: &[&str], input: &str) -> Result<String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{program} does not start"))?;
    child.stdin.take().context("no standard input")?.write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn start(binary: &Path, folder: &Path) -> Result<OperatorProcess> {
    let log = fs::File::create(folder.join("log"))?;
    let mut command = Command::new(binary);
    command
        .args(["--operator-namespace", OPERATOR, "--conf-dir"])
        .arg(folder)
        .env("KUBECONFIG", folder.join("kubeconfig"))
        .stdout(log.try_clone()?)
        .stderr(log);
    OperatorProcess::start(command)
}

async fn until(what: &str, there: impl AsyncFn() -> Result<bool>) -> Result<()> {
    let began = Instant::now();
    while !there().await? {
        if began.elapsed() > Duration::from_mins(1) {
            bail!("not within a minute: {what}");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
