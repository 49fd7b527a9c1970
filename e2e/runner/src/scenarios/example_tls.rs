//! `examples/tls` as it is written, in the operator's namespace, with certificates that cert-manager makes.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::expectations::{is_stable, nothing_left};
use super::space::{Space, TO_STABLE};
use crate::kubernetes::Kind;

/// Variable with the path of cert-manager's controller.
const PROGRAM: &str = "CERT_MANAGER";
/// The cluster of the example.
const CLUSTER: &str = "basic-secure";
/// Secrets that cert-manager leaves when its Certificates go.
const SECRETS: [&str; 3] = ["flink-ca-cert", "basic-secure-cert", "flink-operator-cert"];

pub(super) async fn run(space: &Space) -> Result<()> {
    let namespace = &space.operator.namespace;
    let here = Space::new(namespace, &space.cluster, &space.operator, &space.data);
    let _cert_manager = CertManager::start()?;
    // Flink's pods are not restricted ones.
    let level = |level: &str| {
        let label = format!("pod-security.kubernetes.io/enforce={level}");
        kubectl(&["label", "--overwrite", "namespace", namespace, &label])
    };
    level("baseline")?;
    let result = secure(&here).await;
    let removed = kubectl(&["--namespace", namespace, "delete", "--filename", &file("certificates")]);
    // The operator outlives the scenario, with the Secret for its password.
    for secret in SECRETS {
        kubectl(&["--namespace", namespace, "delete", "--ignore-not-found", "secret", secret])?;
    }
    kubectl(&[
        "--namespace",
        namespace,
        "create",
        "secret",
        "generic",
        "operator-certificate-password",
        "--from-literal=password=password1234",
    ])?;
    level("restricted")?;
    result.and(removed)
}

async fn secure(here: &Space) -> Result<()> {
    kubectl(&["--namespace", &here.name, "apply", "--filename", &file("certificates")])?;
    kubectl(&[
        "--namespace",
        &here.name,
        "wait",
        "certificate",
        "--all",
        "--for=condition=Ready",
        "--timeout=90s",
    ])?;
    here.say("cert-manager has made the certificates");
    kubectl(&["--namespace", &here.name, "apply", "--filename", &file("basic-secure")])?;
    here.until_deployment(CLUSTER, "is stable", TO_STABLE, is_stable).await?;
    // The operator speaks to it: a new job is seen to run, too.
    here.change(CLUSTER, json!({"restartNonce": 1})).await?;
    here.until_deployment(CLUSTER, "is stable again", TO_STABLE, is_stable).await?;
    here.cluster.delete(Kind::FlinkDeployment, &here.name, CLUSTER).await?;
    nothing_left(here, CLUSTER, &[]).await
}

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../examples/tls/{name}.yaml"));
    path.display().to_string()
}

fn kubectl(arguments: &[&str]) -> Result<()> {
    let status = Command::new("kubectl").args(arguments).status()?;
    ensure!(status.success(), "kubectl {}: {status}", arguments.join(" "));
    Ok(())
}

/// cert-manager's controller on this machine, outside any pod; ends when it is dropped.
struct CertManager(Child);

impl CertManager {
    fn start() -> Result<Self> {
        let program = std::env::var_os(PROGRAM).with_context(|| format!("{PROGRAM} does not name it"))?;
        let config = std::env::var("KUBECONFIG").context("KUBECONFIG is not set")?;
        let mut command = Command::new(program);
        command
            .args(["--leader-elect=false", "--metrics-listen-address=127.0.0.1:0", "--kubeconfig"])
            .arg(config)
            .args(["--controllers", "issuers,certificates-issuing,certificates-key-manager"])
            .args([
                "--controllers",
                "certificates-metrics,certificates-readiness,certificates-request-manager",
            ])
            .args(["--controllers", "certificates-revision-manager,certificates-trigger"])
            .args(["--controllers", "certificaterequests-approver,certificaterequests-issuer-ca"])
            .args(["--controllers", "certificaterequests-issuer-selfsigned"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Ok(Self(child.context("cert-manager does not start")?))
    }
}

impl Drop for CertManager {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
