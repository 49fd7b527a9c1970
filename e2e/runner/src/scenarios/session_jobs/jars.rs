//! Where jars are kept: a web server and an S3 server on the node, which pods reach.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

/// Variables with the path of the counting job's jar, with that of the S3 server, and with the node's address.
const JAR: &str = "COUNTING_JAR";
const S3_SERVER: &str = "S3_SERVER";
const NODE: &str = "TESTBED_NODE_ADDRESS";

/// In the network of the test bed. It stands in the operator's configuration as well.
const S3_PORT: u16 = 18090;

const JAR_NAME: &str = "counting-job.jar";

pub(super) const S3_KEY: &str = "jobs";
pub(super) const S3_SECRET: &str = "a-secret-of-the-test";
pub(super) const S3_URI: &str = "s3://jars/team/counting-job.jar";

/// A web server and an S3 server; they end when this is dropped.
pub(super) struct Jars {
    pub(super) web: Web,
    _s3: Server,
}

/// A web server with jars; it ends when this is dropped.
pub(super) struct Web {
    address: String,
    _server: Server,
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

fn variable(name: &str) -> Result<String> {
    std::env::var(name).with_context(|| format!("{name} is not set"))
}

/// Puts the jar there that a variable names.
fn copy_jar(variable_with_jar: &str, folder: &Path) -> Result<()> {
    let jar = variable(variable_with_jar)?;
    fs::create_dir_all(folder)?;
    fs::copy(&jar, folder.join(file_name(&jar)?)).with_context(|| jar)?;
    Ok(())
}

fn file_name(path: &str) -> Result<&str> {
    let name = Path::new(path).file_name().and_then(|name| name.to_str());
    name.with_context(|| format!("{path} is no file"))
}

impl Web {
    /// Serves the counting job at this port, which no other scenario uses. `scratch` is a directory for what is served.
    pub(super) fn serve(scratch: &Path, port: u16) -> Result<Self> {
        Self::serve_jars(scratch, port, &[JAR])
    }

    /// The same with the jars that these variables name.
    pub(super) fn serve_jars(scratch: &Path, port: u16, jars: &[&str]) -> Result<Self> {
        let (node, folder) = (variable(NODE)?, scratch.join("web"));
        for jar in jars {
            copy_jar(jar, &folder)?;
        }
        let mut command = Command::new("python3");
        command
            .args(["-m", "http.server", "--bind", &node, "--directory"])
            .arg(&folder)
            .arg(port.to_string());
        Ok(Self { address: format!("{node}:{port}"), _server: Server::start(&mut command)? })
    }

    pub(super) fn uri(&self) -> String {
        format!("http://{}/{JAR_NAME}", self.address)
    }

    /// The address of the jar that this variable names.
    pub(super) fn uri_of(&self, jar: &str) -> Result<String> {
        Ok(format!("http://{}/{}", self.address, file_name(&variable(jar)?)?))
    }
}

impl Jars {
    /// Serves the counting job both ways.
    pub(super) fn serve(scratch: &Path, http_port: u16) -> Result<Self> {
        let (s3, node, store) = (variable(S3_SERVER)?, variable(NODE)?, scratch.join("store"));
        copy_jar(JAR, &store.join("jars/team"))?;
        let mut command = Command::new(s3);
        command
            .env("ROOT_ACCESS_KEY", S3_KEY)
            .env("ROOT_SECRET_KEY", S3_SECRET)
            .current_dir(scratch)
            .args(["--port", &format!("{node}:{S3_PORT}"), "posix"])
            .arg(&store);
        Ok(Self { web: Web::serve(scratch, http_port)?, _s3: Server::start(&mut command)? })
    }
}
