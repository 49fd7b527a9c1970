//! Where jars are kept: a web server and an S3 server on the node, which pods reach.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

/// Variables with the path of the counting job's jar, with that of the S3 server, and with the node's address.
const JAR: &str = "COUNTING_JAR";
const S3_SERVER: &str = "S3_SERVER";
const NODE: &str = "TESTBED_NODE_ADDRESS";

/// Ports, in the network of the test bed. That of S3 stands in the operator's configuration as well.
const HTTP_PORT: u16 = 18080;
const S3_PORT: u16 = 18090;

pub(super) const S3_KEY: &str = "jobs";
pub(super) const S3_SECRET: &str = "a-secret-of-the-test";
pub(super) const S3_URI: &str = "s3://jars/team/counting-job.jar";

/// Running servers; they end when this is dropped.
pub(super) struct Jars {
    node: String,
    _http: Server,
    _s3: Server,
}

struct Server(Child);

impl Server {
    fn start(command: &mut Command) -> Result<Self> {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Ok(Self(child.with_context(|| format!("{command:?}"))?))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Jars {
    /// Serves the counting job. `scratch` is a directory for what is served.
    pub(super) fn serve(scratch: &Path) -> Result<Self> {
        let variable = |name: &str| std::env::var(name).with_context(|| format!("{name} is not set"));
        let (jar, s3, node) = (variable(JAR)?, variable(S3_SERVER)?, variable(NODE)?);
        let (web, store) = (scratch.join("web"), scratch.join("store"));
        for folder in [&web, &store.join("jars/team")] {
            fs::create_dir_all(folder)?;
            fs::copy(&jar, folder.join("counting-job.jar")).with_context(|| jar.clone())?;
        }
        let mut command = Command::new("python3");
        command
            .args(["-m", "http.server", "--bind", &node, "--directory"])
            .arg(&web)
            .arg(HTTP_PORT.to_string());
        let http = Server::start(&mut command)?;
        let mut command = Command::new(s3);
        command
            .env("ROOT_ACCESS_KEY", S3_KEY)
            .env("ROOT_SECRET_KEY", S3_SECRET)
            .current_dir(scratch)
            .args(["--port", &format!("{node}:{S3_PORT}"), "posix"])
            .arg(&store);
        Ok(Self { node, _http: http, _s3: Server::start(&mut command)? })
    }

    pub(super) fn http_uri(&self) -> String {
        format!("http://{}:{HTTP_PORT}/counting-job.jar", self.node)
    }
}
