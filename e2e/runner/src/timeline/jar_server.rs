//! A web server on this machine with the jars of session jobs.

use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

/// Variable with the folder of the jars.
const JARS: &str = "TIMELINE_JARS";
const PORT: &str = "18080";
/// Where it is.
pub(super) const URL: &str = "http://127.0.0.1:18080";

/// Options with which the operator fetches from there, into `folder`.
pub(super) fn options(folder: &str) -> String {
    format!(
        "kubernetes.operator.user.artifacts.allowed-schemes: http\n\
         kubernetes.operator.user.artifacts.allowed-hosts: 127.0.0.1\n\
         kubernetes.operator.user.artifacts.base.dir: {folder}\n"
    )
}

/// The running server; it ends when this is dropped.
pub(super) struct JarServer(Child);

impl JarServer {
    pub(super) fn start() -> Result<Self> {
        let folder =
            std::env::var(JARS).with_context(|| format!("{JARS} does not name the folder of jars"))?;
        let mut command = Command::new("python3");
        command.args(["-m", "http.server", "--bind", "127.0.0.1", "--directory", &folder, PORT]);
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
