//! Web servers that misbehave, each in its own way.

use std::io;
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::bench::END_OF_ZIP;

/// What a server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conduct {
    /// Sends a jar of so many MiB, that many MiB a second.
    Jar { size: usize, rate: usize },
    /// Sends a byte a second.
    Drip,
    /// Accepts, and says nothing.
    Silent,
    /// Stops after the head.
    HeadOnly,
    /// Sends without end.
    Endless,
    /// Sends a head without end.
    EndlessHead,
    /// Promises 100 GB.
    Huge,
    /// Promises one byte more than it sends.
    Short,
    /// Promises fewer bytes than it has.
    Long,
    /// Two lengths.
    TwoLengths,
    /// A page for signing in.
    Page,
    /// Another protocol.
    NotHttp,
    /// This status.
    Status(u16),
    /// Sends on to this place.
    Redirect(&'static str),
}

/// A server; it ends when it is dropped.
pub(super) struct JarHost {
    url: String,
    task: JoinHandle<()>,
}

impl Drop for JarHost {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl JarHost {
    pub(super) async fn start(address: &str, conduct: Conduct) -> Result<Self> {
        let listener = TcpListener::bind((address, 0)).await?;
        let url = format!("http://{}/job.jar", listener.local_addr()?);
        let task = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                // Whoever asks may hang up.
                tokio::spawn(async move { drop(serve(connection, conduct).await) });
            }
        });
        Ok(Self { url, task })
    }

    /// Where its jar is.
    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

async fn serve(mut connection: TcpStream, conduct: Conduct) -> io::Result<()> {
    let mut request = [0; 4096];
    let _length = connection.read(&mut request).await?;
    let mut send = async |text: &str| connection.write_all(text.as_bytes()).await;
    match conduct {
        Conduct::Jar { size, rate } => return send_jar(&mut connection, size, rate).await,
        Conduct::Drip => {
            send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n").await?;
            loop {
                send("x").await?;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        Conduct::Silent => {}
        Conduct::HeadOnly => send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n").await?,
        Conduct::Endless => {
            send("HTTP/1.1 200 OK\r\n\r\n").await?;
            let chunk = "x".repeat(64 << 10);
            loop {
                send(&chunk).await?;
            }
        }
        Conduct::EndlessHead => {
            send("HTTP/1.1 200 OK\r\n").await?;
            loop {
                send("X: y\r\n").await?;
            }
        }
        Conduct::Huge => send("HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n").await?,
        Conduct::Short => return send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcd").await,
        Conduct::Long => return send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd").await,
        Conduct::TwoLengths => {
            return send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd").await;
        }
        Conduct::Page => {
            return send("HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n<!DOCTYPE html>Sign in").await;
        }
        Conduct::NotHttp => return send("SSH-2.0-OpenSSH_9.2\r\n").await,
        Conduct::Status(status) => {
            return send(&format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n")).await;
        }
        Conduct::Redirect(location) => {
            let head = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
            return send(&head).await;
        }
    }
    // Until the other side has had enough.
    while connection.read(&mut request).await? > 0 {}
    Ok(())
}

async fn send_jar(connection: &mut TcpStream, size: usize, rate: usize) -> io::Result<()> {
    let length = (size << 20) + END_OF_ZIP.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
    connection.write_all(head.as_bytes()).await?;
    let piece = vec![0; 1 << 20];
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / u32::try_from(rate).unwrap_or(u32::MAX));
    for _ in 0..size {
        ticks.tick().await;
        connection.write_all(&piece).await?;
    }
    connection.write_all(&END_OF_ZIP).await
}
