//! The operator as a process on an API server alone, with the rights that the chart gives it in single namespaces.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::kubernetes::{Cluster, Kind, text};
use crate::operator_process::OperatorProcess;

/// The chart, installed without pods, and the operator in place of its pod.
pub(crate) struct ApiBench {
    pub(crate) cluster: Cluster,
    /// Configuration, kubeconfig and log of the operator.
    folder: PathBuf,
    /// Namespaces that were made.
    namespaces: Vec<String>,
}

impl ApiBench {
    /// Makes the namespaces, the first of them the operator's, and installs the chart for `watched`.
    pub(crate) async fn install(namespaces: &[&str], watched: &str) -> Result<Self> {
        let cluster = Cluster::connect().await?;
        let folder = std::env::temp_dir().join(format!("{watched}-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let namespaces: Vec<_> = namespaces.iter().map(|name| (*name).to_owned()).collect();
        let bench = Self { cluster, folder, namespaces };
        for namespace in &bench.namespaces {
            let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
            bench.cluster.create(Kind::Namespace, "", object).await?;
        }
        let rendered = render(bench.operator_namespace(), watched)?;
        call("kubectl", &["apply", "-f", "-"], &rendered)?;
        let objects: Vec<Value> = serde_saphyr::from_multiple(&rendered)?;
        let files = objects.iter().find(|object| object["kind"] == "ConfigMap").context("no ConfigMap")?;
        fs::write(bench.folder.join("flink-conf.yaml"), text(files, "/data/flink-conf.yaml"))?;
        let kubeconfig = kubeconfig(bench.operator_namespace())?.to_string();
        fs::write(bench.folder.join("kubeconfig"), kubeconfig)?;
        Ok(bench)
    }

    fn operator_namespace(&self) -> &str {
        self.namespaces.first().map(String::as_str).unwrap_or_default()
    }

    /// The operator's user name.
    pub(crate) fn account(&self) -> String {
        format!("system:serviceaccount:{}:flink-operator", self.operator_namespace())
    }

    /// Starts the operator.
    pub(crate) fn start(&self, binary: &Path) -> Result<OperatorProcess> {
        let log = fs::File::create(self.folder.join("log"))?;
        let mut command = Command::new(binary);
        command
            .args(["--operator-namespace", self.operator_namespace(), "--conf-dir"])
            .arg(&self.folder)
            .env("KUBECONFIG", self.folder.join("kubeconfig"))
            .stdout(log.try_clone()?)
            .stderr(log);
        OperatorProcess::start(command)
    }

    /// Prints what the operator logged.
    pub(crate) fn print_log(&self) {
        println!("{}", fs::read_to_string(self.folder.join("log")).unwrap_or_default());
    }

    /// Removes what was made.
    pub(crate) async fn remove(self) -> Result<()> {
        fs::remove_dir_all(&self.folder)?;
        for namespace in &self.namespaces {
            self.cluster.delete(Kind::Namespace, "", namespace).await?;
        }
        Ok(())
    }
}

/// The chart's directory.
pub(crate) fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../helm/flink-kubernetes-operator")
}

fn render(namespace: &str, watched: &str) -> Result<String> {
    let chart = chart();
    let chart = chart.to_str().context("the path of the chart is not UTF-8")?;
    let watched = format!("watchNamespaces={{{watched}}}");
    let options = ["--namespace", namespace, "--kube-version", "1.34.0", "--set", &watched];
    call("helm", &[&["template", "release", chart], &options[..]].concat(), "")
}

/// The kubeconfig in use, with a token of the operator's service account in place of the user.
fn kubeconfig(namespace: &str) -> Result<Value> {
    let current = call("kubectl", &["config", "view", "--raw", "--minify", "--output", "json"], "")?;
    let mut config: Value = serde_json::from_str(&current)?;
    let token = call("kubectl", &["--namespace", namespace, "create", "token", "flink-operator"], "")?;
    config["users"][0]["user"] = json!({"token": token.trim()});
    Ok(config)
}

/// Runs a program with an input, and returns what it prints.
pub(crate) fn call(program: &str, arguments: &[&str], input: &str) -> Result<String> {
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

/// Looks several times a second, for at most a minute.
pub(crate) async fn until(what: &str, there: impl AsyncFn() -> Result<bool>) -> Result<()> {
    let began = Instant::now();
    while !there().await? {
        if began.elapsed() > Duration::from_mins(1) {
            bail!("not within a minute: {what}");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
