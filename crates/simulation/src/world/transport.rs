//! The way to Flink: a Service's name leads to a ready pod that it selects.

use std::fmt;

use async_trait::async_trait;
use engine::ports::{Clock, Kind, ObjectKey};
use flink_client::stub::{FlinkState, StubResponse};
use flink_client::{Call, Endpoint, JobId, RestRequest, RestResponse, Transport, TransportError};
use jiff::Timestamp;
use serde_json::Value;

use super::boot::text;
use super::kubelet::Phase;
use super::{Inner, Run, World};

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
        let Some(pod) = pod else { return Err(refused("connection refused")) };
        let (pod_uid, deployment) = (pod.uid.clone(), pod.deployment.clone());
        let Phase::Running(manager) = &mut pod.phase else { return Err(refused("connection refused")) };
        // One that it knows is refused.
        let before = Submitted::read(body, &manager.flink).is_some();
        let answer = manager.flink.handle(&request.method, &request.path, body, now);
        if request.call == Call::RunJar
            && !before
            && let Some(submitted) = Submitted::read(body, &manager.flink)
        {
            let (cluster, pod) = (manager.boot.cluster.clone(), (pod_uid, deployment));
            if manager.boot.ha {
                manager.boot.accept(&server, &submitted.job);
            }
            inner.remember_session_job(cluster, pod, submitted, now);
        }
        Ok(answer)
    }
}

/// A job that was submitted with a jar.
struct Submitted {
    job: JobId,
    restored: Option<String>,
    allows_non_restored_state: bool,
}

impl Submitted {
    /// `None` when Flink has not taken it.
    fn read(body: &[u8], flink: &FlinkState) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let job: JobId = text(&body, "/jobId").parse().ok()?;
        flink.job(&job)?;
        let restored = Some(text(&body, "/savepointPath")).filter(|path| !path.is_empty()).map(str::to_owned);
        let allowed = body.pointer("/allowNonRestoredState").and_then(Value::as_bool);
        Some(Self { job, restored, allows_non_restored_state: allowed.unwrap_or(false) })
    }
}

impl Inner {
    /// A job that Flink has taken for the first time is a start of the FlinkSessionJob that has recorded its id.
    fn remember_session_job(
        &mut self,
        cluster: ObjectKey,
        (pod, deployment): (String, String),
        submitted: Submitted,
        now: Timestamp,
    ) {
        let Submitted { job, restored, allows_non_restored_state } = submitted;
        if self.runs.iter().any(|run| run.pod == pod && run.job == job) {
            return;
        }
        let all = self.server.all(Kind::FLINK_SESSION_JOB);
        let resource = all.iter().find(|it| text(it, "/status/jobStatus/jobId") == job.as_str());
        let at = |pointer: &str| resource.map(|it| text(it, pointer).to_owned()).unwrap_or_default();
        let generation = resource.and_then(|it| it.pointer("/status/observedGeneration")?.as_i64());
        self.runs.push(Run {
            resource: ObjectKey::new(&cluster.namespace, at("/metadata/name")),
            cluster,
            owner: at("/metadata/uid"),
            deployment,
            generation,
            pod,
            is_restart: false,
            job,
            configured: restored.clone(),
            allows_non_restored_state,
            restored,
            old_program: false,
            began: now,
            ended: None,
        });
    }
}

fn selects(selector: &Value, pod: &Value) -> bool {
    let Some(wanted) = selector.as_object().filter(|wanted| !wanted.is_empty()) else { return false };
    wanted.iter().all(|(key, value)| {
        pod.pointer("/metadata/labels").and_then(|labels| labels.get(key)).is_some_and(|it| it == value)
    }) && !text(pod, "/metadata/name").is_empty()
}
