//! An ingress controller on this machine, outside any pod: Skipper, which asks an API server that needs no credentials,
//! and `kubectl proxy`, which is one.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Variable with the path of Skipper.
const PROGRAM: &str = "INGRESS_CONTROLLER";

/// A running controller; ends when it is dropped.
pub(super) struct Controller {
    address: SocketAddr,
    _proxy: Process,
    _skipper: Process,
}

/// A process that ends when it is dropped.
struct Process(Child);

impl Process {
    fn start(command: &mut Command) -> Result<Self> {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Ok(Self(child.with_context(|| format!("{command:?}"))?))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Controller {
    pub(super) fn start() -> Result<Self> {
        let program =
            std::env::var_os(PROGRAM).with_context(|| format!("{PROGRAM} does not name Skipper"))?;
        let (address, support, api) = (free_address()?, free_address()?, free_address()?);
        let port = api.port().to_string();
        let proxy = Process::start(Command::new("kubectl").args(["proxy", "--port", port.as_str()]))?;
        let mut command = Command::new(program);
        command
            .args(["-kubernetes", "-kubernetes-https-redirect=false", "-source-poll-timeout", "500"])
            .args(["-kubernetes-ingress-class", ".*"])
            .args(["-kubernetes-url".to_owned(), format!("http://{api}")])
            .args(["-address".to_owned(), address.to_string()])
            .args(["-support-listener".to_owned(), support.to_string()]);
        Ok(Self { address, _proxy: proxy, _skipper: Process::start(&mut command)? })
    }

    /// What a host answers; `None` if no route leads to it.
    pub(super) async fn get(&self, host: &str, path: &str) -> Result<Option<String>> {
        let mut connection = TcpStream::connect(self.address).await?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n");
        connection.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
        match head.split(' ').nth(1).unwrap_or_default() {
            "200" => Ok(Some(body.to_owned())),
            "404" => Ok(None),
            _ => bail!("{host}: {head}"),
        }
    }
}

/// An address that nobody listens on.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
