//! Probes and metrics over HTTP, on a thread and runtime of their own: a busy operator still answers its probes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

/// What the pages show.
pub(crate) trait Pages: Send + Sync + 'static {
    /// Why the process is not healthy, if it is not.
    fn unhealthy(&self) -> Option<String>;
    /// Why the process is not ready, if it is not.
    fn not_ready(&self) -> Option<String>;
    /// All metrics in Prometheus' text format.
    fn metrics(&self) -> String;
}

/// Serves `/healthz`, `/readyz` and `/metrics` until the process ends. Any other path answers like `/healthz`, because
/// the Java operator's probes may name any.
///
/// # Errors
/// The address cannot be listened on, or no thread can be started.
pub(crate) fn serve(address: SocketAddr, pages: Arc<dyn Pages>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .context("no runtime for probes and metrics")?;
    let listener =
        listen(address).with_context(|| format!("{address} cannot be listened on for probes and metrics"))?;
    let router = Router::new()
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .fallback(healthz)
        .with_state(pages);
    thread::Builder::new()
        .name("http".to_owned())
        .spawn(move || {
            let served =
                runtime.block_on(async { axum::serve(TcpListener::from_std(listener)?, router).await });
            if let Err(error) = served {
                tracing::error!(%error, "probes and metrics are no longer served");
            }
        })
        .context("no thread for probes and metrics")?;
    tracing::info!(%address, "probes and metrics are served");
    Ok(())
}

fn listen(address: SocketAddr) -> std::io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

async fn healthz(State(pages): State<Arc<dyn Pages>>) -> Response {
    verdict(pages.unhealthy())
}

async fn readyz(State(pages): State<Arc<dyn Pages>>) -> Response {
    verdict(pages.not_ready())
}

fn verdict(problem: Option<String>) -> Response {
    match problem {
        None => (StatusCode::OK, "OK").into_response(),
        Some(problem) => (StatusCode::INTERNAL_SERVER_ERROR, problem).into_response(),
    }
}

async fn metrics(State(pages): State<Arc<dyn Pages>>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], pages.metrics()).into_response()
}
