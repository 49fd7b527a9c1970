//! Clusters of the stub behind the client, without a network.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::answer::{Delivery, StubResponse};
use super::state::FlinkState;
use crate::endpoint::Endpoint;
use crate::transport::{RestRequest, RestResponse, Transport, TransportError};

/// Carries requests to clusters of the stub in memory. The clock is an argument, nothing sleeps: an answer that
/// would come after the time limit is too late at once. Clones share their clusters.
#[derive(Clone)]
pub struct InMemoryTransport {
    clusters: Arc<Mutex<BTreeMap<Endpoint, FlinkState>>>,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl fmt::Debug for InMemoryTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InMemoryTransport").field("clusters", &self.lock().len()).finish_non_exhaustive()
    }
}

impl InMemoryTransport {
    /// No clusters yet. `clock` gives the time of each request.
    pub fn new(clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self { clusters: Arc::default(), clock: Arc::new(clock) }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Endpoint, FlinkState>> {
        self.clusters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a cluster at an endpoint, in the place of the one that was there.
    pub fn put(&self, endpoint: Endpoint, cluster: FlinkState) {
        self.lock().insert(endpoint, cluster);
    }

    /// Takes a cluster away; connections to its endpoint are refused from now on.
    #[must_use]
    pub fn take(&self, endpoint: &Endpoint) -> Option<FlinkState> {
        self.lock().remove(endpoint)
    }

    /// Runs something on the cluster at an endpoint.
    pub fn with<T>(&self, endpoint: &Endpoint, action: impl FnOnce(&mut FlinkState) -> T) -> Option<T> {
        self.lock().get_mut(endpoint).map(action)
    }
}

#[async_trait]
impl Transport for InMemoryTransport {
    async fn send(&self, target: &Endpoint, request: RestRequest) -> Result<RestResponse, TransportError> {
        let body = request.body.read().map_err(|error| TransportError::Unsendable(error.to_string()))?;
        let now = (self.clock)();
        let answer = self
            .with(target, |cluster| cluster.handle(&request.method, &request.path, &body, now))
            .ok_or_else(|| TransportError::NotSent("connection refused".to_owned()))?;
        delivered(answer, request.time_limit, request.answer_limit)
    }
}

impl StubResponse {
    /// What arrives of the answer within the limits of a request, for transports without a network.
    pub fn arrive(self, time_limit: Duration, answer_limit: usize) -> Result<RestResponse, TransportError> {
        delivered(self, time_limit, answer_limit)
    }
}

fn delivered(
    answer: StubResponse,
    time_limit: Duration,
    answer_limit: usize,
) -> Result<RestResponse, TransportError> {
    let StubResponse { status, content_type, body, delivery } = answer;
    let too_late = TransportError::TimedOut { sent: true };
    match delivery {
        Delivery::Refused => return Err(TransportError::NotSent("connection refused".to_owned())),
        Delivery::Reset => return Err(TransportError::Lost("connection reset".to_owned())),
        Delivery::Never => return Err(too_late),
        Delivery::After(time) if time >= time_limit => return Err(too_late),
        Delivery::Truncated(after) if after < body.len() => return Err(TransportError::Truncated { status }),
        Delivery::Drip { piece, pause } => {
            let pieces = body.len().div_ceil(piece.max(1));
            let takes = pause.saturating_mul(u32::try_from(pieces).unwrap_or(u32::MAX));
            if takes >= time_limit {
                return Err(too_late);
            }
        }
        Delivery::Now | Delivery::After(_) | Delivery::Truncated(_) => {}
    }
    if body.len() > answer_limit {
        return Err(TransportError::TooLarge { status });
    }
    Ok(RestResponse { status, content_type: Some(content_type), body })
}
