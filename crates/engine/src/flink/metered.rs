//! Counts and times calls to Flink.

use std::sync::Arc;

use async_trait::async_trait;
use flink_client::{Endpoint, RestRequest, RestResponse, Transport, TransportError};

use crate::metrics::Metrics;
use crate::ports::Clock;

/// Another transport, measured.
pub struct MeteredTransport {
    inner: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
}

impl MeteredTransport {
    /// Measures `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn Transport>, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Self {
        Self { inner, clock, metrics }
    }
}

fn result(answer: &Result<RestResponse, TransportError>) -> &'static str {
    match answer {
        Ok(answer) => match answer.status {
            200..300 => "ok",
            404 => "not_found",
            409 => "conflict",
            300..500 => "client_error",
            _ => "server_error",
        },
        Err(TransportError::NotSent(_) | TransportError::Lost(_)) => "unreachable",
        Err(TransportError::Untrusted(_)) => "untrusted",
        Err(TransportError::TimedOut { .. }) => "timeout",
        Err(TransportError::Truncated { .. } | TransportError::TooLarge { .. }) => "malformed",
        Err(TransportError::Unsendable(_)) => "unsendable",
    }
}

#[async_trait]
impl Transport for MeteredTransport {
    async fn send(&self, target: &Endpoint, request: RestRequest) -> Result<RestResponse, TransportError> {
        let call = request.call;
        let begin = self.clock.monotonic();
        let answer = self.inner.send(target, request).await;
        let time = self.clock.monotonic().saturating_sub(begin);
        self.metrics.flink_call(call.name(), result(&answer), time);
        answer
    }
}

impl std::fmt::Debug for MeteredTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MeteredTransport").field("inner", &self.inner).finish_non_exhaustive()
    }
}
