//! The operator as a process on this machine, outside any pod.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command};

use anyhow::{Context, Result, bail};

/// A running operator; ends when it is dropped.
pub(crate) struct OperatorProcess {
    child: Child,
    /// Where its pages are.
    pub(crate) address: SocketAddr,
}

impl OperatorProcess {
    /// Starts the operator, with its pages at an address that nobody else listens on.
    pub(crate) fn start(mut command: Command) -> Result<Self> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        command.arg("--listen").arg(address.to_string());
        let child = command.spawn().with_context(|| format!("{command:?}"))?;
        Ok(Self { child, address })
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Fails if it has ended by itself.
    pub(crate) fn must_run(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the operator has ended: {status}"),
        }
    }
}

impl Drop for OperatorProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
