//! The operator as a process on this machine, with the configuration, account and rights that the chart gives it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::api_bench::call;
use crate::kubernetes::{Cluster, Kind, name, text};
use crate::operator_process::OperatorProcess;

/// An operator with all namespaces; ends when it is dropped.
pub(crate) struct ChartOperator {
    /// As the API server's audit log names it.
    pub(crate) account: String,
    process: OperatorProcess,
    folder: PathBuf,
}

impl ChartOperator {
    /// Applies what the chart renders except for the Deployment, and starts `binary` instead of that. `options` are lines
    /// that are added to its configuration.
    pub(crate) async fn start(
        cluster: &Cluster,
        binary: &Path,
        namespace: &str,
        options: &str,
    ) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("{namespace}-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        if cluster.get(Kind::Namespace, "", namespace).await?.is_none() {
            let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
            cluster.create(Kind::Namespace, "", object).await?;
        }
        let account = install(&folder, namespace)?;
        let file = folder.join("flink-conf.yaml");
        let configured = fs::read_to_string(&file)?;
        fs::write(file, format!("{configured}\n{options}"))?;
        fs::write(folder.join("kubeconfig"), kubeconfig(namespace, &account)?.to_string())?;
        let process = start(binary, &folder, namespace)?;
        let account = format!("system:serviceaccount:{namespace}:{account}");
        Ok(Self { account, process, folder })
    }

    /// Fails if it has ended by itself.
    pub(crate) fn must_run(&mut self) -> Result<()> {
        self.process.must_run()
    }

    /// Lines of its log that contain a text.
    pub(crate) fn log(&self, with: &str) -> Vec<String> {
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        log.lines().filter(|line| line.contains(with)).map(str::to_owned).collect()
    }
}

impl Drop for ChartOperator {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Applies the chart's objects, and writes its configuration files. Returns the name of the service account.
fn install(folder: &Path, namespace: &str) -> Result<String> {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../helm/flink-kubernetes-operator");
    let chart = chart.to_str().context("the path of the chart is not UTF-8")?;
    let options = ["template", "release", chart, "--namespace", namespace, "--kube-version", "1.34.0"];
    let rendered = call("helm", &options, "")?;
    let objects: Vec<Value> = serde_saphyr::from_multiple(&rendered)?;
    let of_kind = |kind: &'static str| objects.iter().filter(move |object| object["kind"] == kind);
    let deployment = of_kind("Deployment").next().context("no Deployment")?;
    let account = text(deployment, "/spec/template/spec/serviceAccountName").to_owned();
    let others: Vec<_> = objects.iter().filter(|object| object["kind"] != "Deployment").collect();
    call(
        "kubectl",
        &["apply", "-f", "-"],
        &json!({"apiVersion": "v1", "kind": "List", "items": others}).to_string(),
    )?;
    let files = of_kind("ConfigMap").find(|map| map["data"].get("flink-conf.yaml").is_some());
    let files = files.with_context(|| {
        format!("no configuration among {:?}", objects.iter().map(name).collect::<Vec<_>>())
    })?;
    for (file, content) in files["data"].as_object().into_iter().flatten() {
        fs::write(folder.join(file), content.as_str().unwrap_or_default())?;
    }
    Ok(account)
}

/// The kubeconfig in use, with a token of the service account in place of the user.
fn kubeconfig(namespace: &str, account: &str) -> Result<Value> {
    let current = call("kubectl", &["config", "view", "--raw", "--minify", "--output", "json"], "")?;
    let mut config: Value = serde_json::from_str(&current)?;
    let token = ["--namespace", namespace, "create", "token", account, "--duration", "24h"];
    config["users"][0]["user"] = json!({"token": call("kubectl", &token, "")?.trim()});
    Ok(config)
}

fn start(binary: &Path, folder: &Path, namespace: &str) -> Result<OperatorProcess> {
    let log = fs::File::create(folder.join("log"))?;
    let mut command = Command::new(binary);
    command
        .args(["--operator-namespace", namespace, "--flink-address", "service-dns", "--conf-dir"])
        .arg(folder)
        .env("KUBECONFIG", folder.join("kubeconfig"))
        .stdout(log.try_clone()?)
        .stderr(log);
    OperatorProcess::start(command)
}
