//! The stub behind a real HTTP server on loopback.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use http::{Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::answer::{Delivery, StubResponse};
use super::state::FlinkState;
use crate::endpoint::{Endpoint, EndpointError, Scheme};

type Body = StreamBody<BoxStream<'static, Result<Frame<Bytes>, std::io::Error>>>;

/// A cluster of the stub that listens on loopback, on a port of the system's choice, under the real clock. It
/// ends when it is dropped.
#[derive(Debug)]
pub struct StubServer {
    state: Arc<Mutex<FlinkState>>,
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl StubServer {
    /// Listens. Needs a tokio runtime.
    pub async fn start(state: FlinkState) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(state));
        let connections = Arc::new(AtomicUsize::new(0));
        let accepting = tokio::spawn(accept(listener, state.clone(), connections.clone()));
        Ok(Self { state, address, connections, accepting })
    }

    /// Where it listens.
    pub fn endpoint(&self) -> Result<Endpoint, EndpointError> {
        Endpoint::new(Scheme::Http, &self.address.ip().to_string(), self.address.port())
    }

    /// Connections that were accepted so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// The cluster, to change or to look at it. Requests wait meanwhile.
    pub fn state(&self) -> MutexGuard<'_, FlinkState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for StubServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, state: Arc<Mutex<FlinkState>>, accepted: Arc<AtomicUsize>) {
    // Connections end with this task, because the set is dropped with it.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        accepted.fetch_add(1, Ordering::Relaxed);
        connections.spawn(serve(socket, state.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(socket: TcpStream, state: Arc<Mutex<FlinkState>>) {
    let Ok(socket) = socket.into_std() else { return };
    // A second handle on the socket, to make the kernel send a reset when it is closed.
    let Ok(handle) = socket.try_clone().map(Arc::new) else { return };
    let Ok(socket) = TcpStream::from_std(socket) else { return };
    let service = service_fn(move |request| answer(request, state.clone(), handle.clone()));
    // An error here is a connection that broke, often on purpose.
    let _broken = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<Mutex<FlinkState>>,
    socket: Arc<std::net::TcpStream>,
) -> Result<Response<Body>, std::io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let path = head.uri.path_and_query().map_or("/", |it| it.as_str());
    let answer = state.lock().unwrap_or_else(PoisonError::into_inner).handle(
        &head.method,
        path,
        &body,
        Timestamp::now(),
    );
    match answer.delivery {
        Delivery::Reset | Delivery::Refused => {
            let _best_effort = socket2::SockRef::from(&*socket).set_linger(Some(Duration::ZERO));
            Err(std::io::ErrorKind::ConnectionReset.into())
        }
        Delivery::Never => {
            let never: Infallible = std::future::pending().await;
            match never {}
        }
        Delivery::After(time) => {
            tokio::time::sleep(time).await;
            response(answer)
        }
        Delivery::Now | Delivery::Truncated(_) | Delivery::Drip { .. } => response(answer),
    }
}

fn response(answer: StubResponse) -> Result<Response<Body>, std::io::Error> {
    let StubResponse { status, content_type, body, delivery } = answer;
    let length = body.len();
    let frames = match delivery {
        Delivery::Truncated(after) => {
            let part = body.slice(..after.min(length));
            // The body must wait once, or else the server gives up before it has sent the head.
            let end = stream::once(async {
                tokio::task::yield_now().await;
                Err(std::io::ErrorKind::ConnectionAborted.into())
            });
            stream::iter([Ok(Frame::data(part))]).chain(end).boxed()
        }
        Delivery::Drip { piece, pause } => drip(body, piece.max(1), pause),
        Delivery::Now | Delivery::After(_) | Delivery::Reset | Delivery::Never | Delivery::Refused => {
            stream::iter([Ok(Frame::data(body))]).boxed()
        }
    };
    Response::builder()
        .status(status)
        .header(http::header::CONTENT_TYPE, content_type)
        .header(http::header::CONTENT_LENGTH, length)
        .body(StreamBody::new(frames))
        .map_err(std::io::Error::other)
}

fn drip(
    body: Bytes,
    piece: usize,
    pause: Duration,
) -> BoxStream<'static, Result<Frame<Bytes>, std::io::Error>> {
    stream::unfold(body, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let part = rest.split_to(piece.min(rest.len()));
        Some((Ok(Frame::data(part)), rest))
    })
    .boxed()
}
