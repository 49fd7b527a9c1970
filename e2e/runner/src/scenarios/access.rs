//! The service account of Flink clusters, made as `docs/install.md` tells users to make it in further namespaces.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// Makes service account, role and binding in a namespace.
pub(crate) fn grant(namespace: &str) -> Result<()> {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../helm/flink-kubernetes-operator");
    let rendered = Command::new("helm")
        .args(["template", "flink-kubernetes-operator"])
        .arg(&chart)
        .args(["--namespace", namespace, "--kube-version", "1.34.0"])
        .args(["--show-only", "templates/job/service_account.yaml", "--show-only", "templates/job/role.yaml"])
        .output()
        .context("helm does not start")?;
    ensure!(rendered.status.success(), "helm template: {}", String::from_utf8_lossy(&rendered.stderr));
    let mut kubectl = Command::new("kubectl")
        .args(["apply", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("kubectl does not start")?;
    kubectl.stdin.take().context("no standard input")?.write_all(&rendered.stdout)?;
    let applied = kubectl.wait_with_output()?;
    ensure!(applied.status.success(), "kubectl apply: {}", String::from_utf8_lossy(&applied.stderr));
    Ok(())
}
