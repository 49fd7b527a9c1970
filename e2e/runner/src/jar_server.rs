//! A web server on this machine with the jars of session jobs.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

const PORT: &str = "18080";
/// Where it is.
pub(crate) const URL: &str = "http://127.0.0.1:18080";

/// Options with which the operator fetches from there, into `folder`.
pub(crate) fn options(folder: &str) -> String {
    format!(
        "kubernetes.operator.user.artifacts.allowed-schemes: http\n\
         kubernetes.operator.user.artifacts.allowed-hosts: 127.0.0.0/8\n\
         kubernetes.operator.user.artifacts.base.dir: {folder}\n"
    )
}

/// The running server; it ends when this is dropped.
pub(crate) struct JarServer(Child);

impl JarServer {
    /// Serves what is in the folder.
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        let mut command = Command::new("python3");
        command.args(["-m", "http.server", "--bind", "127.0.0.1", "--directory"]).arg(folder).arg(PORT);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Ok(Self(child.with_context(|| format!("{command:?}"))?))
    }
}

impl Drop for JarServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
