//! The way to Flink: a Service's name leads to a ready pod that it selects.

use std::fmt;

use async_trait::async_trait;
use engine::ports::{Clock, Kind, ObjectKey};
use flink_client::stub::StubResponse;
use flink_client::{Endpoint, RestRequest, RestResponse, Transport, TransportError};
use serde_json::Value;

use super::World;
use super::boot::text;
use super::kubelet::Phase;

/// Requests to the Flink clusters of a [`World`], without faults.
#[derive(Clone)]
pub struct WorldTransport {
    world: World,
}

impl WorldTransport {
    /// The way to the clusters of that world.
    #[must_use]
    pub fn new(world: World) -> Self {
        Self { world }
    }

    /// The answer of the last process that ended, as of its last moment.
    pub(crate) fn ask_older(&self, request: &RestRequest) -> Option<Result<RestResponse, TransportError>> {
        let (mut flink, at) = self.world.inner().older.clone()?;
        let answer = flink.handle(&request.method, &request.path, &[], at);
        Some(answer.arrive(request.time_limit, request.answer_limit))
    }
}

impl fmt::Debug for WorldTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WorldTransport")
    }
}

fn refused(message: &str) -> TransportError {
    TransportError::NotSent(message.to_owned())
}

#[async_trait]
impl Transport for WorldTransport {
    async fn send(&self, target: &Endpoint, request: RestRequest) -> Result<RestResponse, TransportError> {
        let body = request.body.read().map_err(|error| TransportError::Unsendable(error.to_string()))?;
        self.world.step();
        let answer = self.world.ask(target, &request, &body)?;
        if request.method != http::Method::GET {
            // What the request began may be due at once.
            self.world.step_now();
        }
        answer.arrive(request.time_limit, request.answer_limit)
    }
}

impl World {
    fn ask(
        &self,
        target: &Endpoint,
        request: &RestRequest,
        body: &[u8],
    ) -> Result<StubResponse, TransportError> {
        let (name, namespace) = target.host().split_once('.').ok_or_else(|| refused("no such host"))?;
        let key = ObjectKey::new(namespace, name);
        let mut inner = self.inner();
        if inner.settings.silent {
            return Err(TransportError::TimedOut { sent: true });
        }
        let service = inner.server.read(Kind::SERVICE, &key).ok_or_else(|| refused("no such host"))?;
        let ports = service.pointer("/spec/ports").and_then(Value::as_array);
        let has_port =
            |port: &Value| port.get("port").and_then(Value::as_u64) == Some(u64::from(target.port()));
        if !ports.is_some_and(|ports| ports.iter().any(has_port)) {
            return Err(refused("connection refused"));
        }
        let selector = service.pointer("/spec/selector").cloned().unwrap_or_default();
        let server = inner.server.clone();
        let now = self.clock().now();
        let pod = inner.pods.values_mut().find(|pod| {
            matches!(&pod.phase, Phase::Running(manager) if manager.is_ready)
                && pod.ends.is_none()
                && pod.key.namespace == namespace
                && server.read(Kind::POD, &pod.key).is_some_and(|object| selects(&selector, &object))
        });
        let Some(Phase::Running(manager)) = pod.map(|pod| &mut pod.phase) else {
            return Err(refused("connection refused"));
        };
        Ok(manager.flink.handle(&request.method, &request.path, body, now))
    }
}

fn selects(selector: &Value, pod: &Value) -> bool {
    let Some(wanted) = selector.as_object().filter(|wanted| !wanted.is_empty()) else { return false };
    wanted.iter().all(|(key, value)| {
        pod.pointer("/metadata/labels").and_then(|labels| labels.get(key)).is_some_and(|it| it == value)
    }) && !text(pod, "/metadata/name").is_empty()
}
