//! The operator's ways out, through the [`Stage`]: each call is counted, checked, and may go wrong.

use std::fmt;
use std::future::{pending, poll_fn};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use engine::ports::{
    ApiError, Artifact, ArtifactError, ArtifactRequest, Artifacts, DeleteOptions, Kind, KubernetesApi,
    NoArtifacts, ObjectKey, Scope, WatchEvent, ZooKeeper, ZooKeeperError,
};
use flink_client::{Endpoint, JarFile, RestRequest, RestResponse, Transport, TransportError};
use futures::StreamExt;
use futures::stream::BoxStream;
use kube::core::DynamicObject;
use serde_json::Value;

use crate::call::CallKind;
use crate::checks::Write;
use crate::fault::Fault;
use crate::stage::Stage;
use crate::watching::Watching;
use crate::world::WorldTransport;

/// Time limit of a call to the API server.
const LIMIT: Duration = Duration::from_secs(30);

/// The ways out of one operator.
#[derive(Clone)]
pub(crate) struct Gate {
    stage: Stage,
    operator: u32,
    flink: WorldTransport,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("operator", &self.operator).finish_non_exhaustive()
    }
}

/// What is done about a call.
enum Verdict {
    /// It is performed, and then the operator may end.
    Perform { crash: bool },
    /// It is performed, and its answer is lost.
    Lose,
    /// It is not performed.
    Refuse,
}

impl Gate {
    pub(crate) fn new(stage: Stage, operator: u32) -> Self {
        let flink = WorldTransport::new(stage.world.clone());
        Self { stage, operator, flink }
    }

    async fn enter(&self, kind: CallKind, text: String) -> (usize, Option<Fault>, Verdict) {
        if self.stage.old_leader_goes_first(self.operator) {
            let mut waited = false;
            poll_fn(|_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending })
                .await;
        }
        let (index, fault) = self.stage.enter(self.operator, kind, text);
        let verdict = match fault {
            Some(Fault::CrashBefore) => pending().await,
            Some(Fault::OldLeader | Fault::OldLeaderAfter(_)) => {
                poll_fn(
                    |_| if self.stage.is_asleep(self.operator) { Poll::Pending } else { Poll::Ready(()) },
                )
                .await;
                Verdict::Perform { crash: false }
            }
            Some(Fault::CrashAfter | Fault::Rewind(_)) => Verdict::Perform { crash: true },
            Some(Fault::Timeout | Fault::Truncated) => Verdict::Lose,
            Some(Fault::Conflict | Fault::TooMany | Fault::ServerError | Fault::Reset | Fault::NotFound) => {
                Verdict::Refuse
            }
            Some(
                Fault::Touch
                | Fault::Stale(_)
                | Fault::Late
                | Fault::OldJob
                | Fault::EventLost
                | Fault::EventTwice
                | Fault::EventSwapped,
            )
            | None => Verdict::Perform { crash: false },
        };
        (index, fault, verdict)
    }

    async fn kubernetes<T>(
        &self,
        kind: CallKind,
        text: String,
        write: Option<(Kind, &ObjectKey, Write<'_>)>,
        call: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<T, ApiError> {
        let (index, fault, verdict) = self.enter(kind, text).await;
        let performed = async {
            if let Some((kind, key, write)) = write {
                self.stage.check_write(kind, key, write);
            }
            call.await
        };
        let answer = match verdict {
            Verdict::Perform { crash } => {
                let answer = performed.await;
                if crash {
                    self.stage.leave(index, "nobody is there to hear".to_owned());
                    self.stage.crash(self.operator);
                    pending::<()>().await;
                }
                answer
            }
            Verdict::Lose => {
                let _lost = performed.await;
                self.stage.pass(LIMIT);
                Err(ApiError::Timeout { limit: LIMIT })
            }
            Verdict::Refuse => Err(api_error(fault)),
        };
        let outcome = match &answer {
            Ok(_) => "ok".to_owned(),
            Err(error) => format!("{}: {error}", error.label()),
        };
        self.stage.leave(index, outcome);
        answer
    }
}

fn api_error(fault: Option<Fault>) -> ApiError {
    let message = "injected".to_owned();
    match fault {
        Some(Fault::Conflict) => ApiError::Conflict { message },
        Some(Fault::TooMany) => {
            ApiError::TooManyRequests { retry_after: Some(Duration::from_secs(1)), message }
        }
        Some(Fault::ServerError) => ApiError::Server { code: 500, message },
        _ => ApiError::Unreachable { sent: true, message: "connection reset".to_owned() },
    }
}

fn name(kind: Kind, key: &ObjectKey) -> String {
    format!("{kind} {}", key.name)
}

#[async_trait]
impl KubernetesApi for Gate {
    async fn get(&self, kind: Kind, key: &ObjectKey) -> Result<Option<DynamicObject>, ApiError> {
        self.kubernetes(CallKind::Get(kind), name(kind, key), None, self.stage.server.get(kind, key)).await
    }

    async fn list(&self, kind: Kind, scope: &Scope) -> Result<Vec<DynamicObject>, ApiError> {
        let text = format!("{kind} {}", scope.labels.as_deref().unwrap_or_default());
        self.kubernetes(CallKind::List(kind), text, None, self.stage.server.list(kind, scope)).await
    }

    async fn create(&self, kind: Kind, object: &DynamicObject) -> Result<DynamicObject, ApiError> {
        let key = ObjectKey::of(&object.metadata);
        let write = (kind, &key, Write::Create(object));
        let call = self.stage.server.create(kind, object);
        self.kubernetes(CallKind::Create(kind), name(kind, &key), Some(write), call).await
    }

    async fn apply(&self, kind: Kind, object: &DynamicObject) -> Result<DynamicObject, ApiError> {
        let key = ObjectKey::of(&object.metadata);
        let write = (kind, &key, Write::Apply);
        let call = self.stage.server.apply(kind, object);
        self.kubernetes(CallKind::Apply(kind), name(kind, &key), Some(write), call).await
    }

    async fn replace_status(&self, kind: Kind, object: &DynamicObject) -> Result<DynamicObject, ApiError> {
        let key = ObjectKey::of(&object.metadata);
        let state = object.data.pointer("/status/lifecycleState").and_then(Value::as_str).unwrap_or_default();
        let operation =
            object.data.pointer("/status/operation/kind").and_then(Value::as_str).unwrap_or_default();
        let text = format!("{} {state} {operation}", name(kind, &key));
        let write = (kind, &key, Write::Status);
        let call = self.stage.server.replace_status(kind, object);
        self.kubernetes(CallKind::Status(kind), text, Some(write), call).await
    }

    async fn patch(&self, kind: Kind, key: &ObjectKey, part: &Value) -> Result<DynamicObject, ApiError> {
        let write = (kind, key, Write::Patch(part));
        let call = self.stage.server.patch(kind, key, part);
        self.kubernetes(CallKind::Patch(kind), name(kind, key), Some(write), call).await
    }

    async fn delete(&self, kind: Kind, key: &ObjectKey, options: &DeleteOptions) -> Result<(), ApiError> {
        let write = (kind, key, Write::Delete(options));
        let call = self.stage.server.delete(kind, key, options);
        self.kubernetes(CallKind::Delete(kind), name(kind, key), Some(write), call).await
    }

    fn watch(&self, kind: Kind, scope: &Scope) -> BoxStream<'static, WatchEvent> {
        Watching::new(self.stage.clone(), kind, scope.clone()).boxed()
    }
}

#[async_trait]
impl Transport for Gate {
    async fn send(&self, target: &Endpoint, request: RestRequest) -> Result<RestResponse, TransportError> {
        let limit = request.time_limit;
        let (index, fault, verdict) = self.enter(CallKind::Flink(request.call), request.path.clone()).await;
        let perform = async {
            self.stage.check_flink(self.operator, &request);
            if fault == Some(Fault::OldJob)
                && let Some(answer) = self.flink.ask_older(&request)
            {
                return answer;
            }
            let answer = self.flink.send(target, request.clone()).await;
            if fault == Some(Fault::Late) {
                self.stage.pass(limit.mul_f64(0.9));
            }
            answer
        };
        let answer = match verdict {
            Verdict::Perform { crash } => {
                let answer = perform.await;
                if crash {
                    self.stage.leave(index, "nobody is there to hear".to_owned());
                    self.stage.crash(self.operator);
                    pending::<()>().await;
                }
                answer
            }
            Verdict::Lose => {
                let _lost = perform.await;
                if fault == Some(Fault::Truncated) {
                    Err(TransportError::Truncated { status: 200 })
                } else {
                    self.stage.pass(limit);
                    Err(TransportError::TimedOut { sent: true })
                }
            }
            Verdict::Refuse => foreign(fault),
        };
        let outcome = match &answer {
            Ok(answer) => answer.status.to_string(),
            Err(error) => error.to_string(),
        };
        self.stage.leave(index, outcome);
        answer
    }
}

/// Every jar can be had, and its content makes no difference.
#[async_trait]
impl Artifacts for Gate {
    async fn fetch(&self, request: &ArtifactRequest) -> Result<Artifact, ArtifactError> {
        let uri = request.uri.clone();
        let (index, fault, verdict) = self.enter(CallKind::Fetch, uri.clone()).await;
        let failed = |message: &str| ArtifactError { message: message.to_owned(), needs_user: false };
        let answer = match verdict {
            Verdict::Perform { crash: true } => {
                self.stage.leave(index, "nobody is there to hear".to_owned());
                self.stage.crash(self.operator);
                pending().await
            }
            Verdict::Perform { crash: false } => {
                if fault == Some(Fault::Late) {
                    self.stage.pass(LIMIT);
                }
                if uri.contains("missing") { Err("404") } else { Ok(()) }
            }
            Verdict::Lose => {
                self.stage.pass(LIMIT);
                Err("it took too long")
            }
            Verdict::Refuse => Err("connection reset"),
        };
        self.stage.leave(index, answer.map_or_else(str::to_owned, |()| "ok".to_owned()));
        let content = bytes::Bytes::from_static(b"jar");
        let jar = JarFile::Bytes { name: "job.jar".to_owned(), content };
        answer.map(|()| Artifact { jar, keep: None }).map_err(failed)
    }

    fn empty_jar(&self) -> JarFile {
        NoArtifacts.empty_jar()
    }
}

/// Nodes are not kept; that they are to be deleted is a call as any other.
#[async_trait]
impl ZooKeeper for Gate {
    async fn delete_all(&self, _: &str, path: &str) -> Result<(), ZooKeeperError> {
        let (index, _, verdict) = self.enter(CallKind::DeleteNodes, path.to_owned()).await;
        let answer = match verdict {
            Verdict::Perform { crash: true } => {
                self.stage.leave(index, "nobody is there to hear".to_owned());
                self.stage.crash(self.operator);
                pending().await
            }
            Verdict::Perform { crash: false } => Ok(()),
            Verdict::Lose => {
                self.stage.pass(LIMIT);
                Err("it took too long")
            }
            Verdict::Refuse => Err("connection reset"),
        };
        self.stage.leave(index, answer.map_or_else(str::to_owned, |()| "ok".to_owned()));
        answer.map_err(|message| ZooKeeperError(message.to_owned()))
    }
}

/// What something between the operator and Flink answers.
fn foreign(fault: Option<Fault>) -> Result<RestResponse, TransportError> {
    let page = |status: u16, text: &'static str| {
        let content_type = Some("text/html".to_owned());
        Ok(RestResponse { status, content_type, body: bytes::Bytes::from_static(text.as_bytes()) })
    };
    match fault {
        Some(Fault::NotFound) => page(404, "<html>default backend - 404</html>"),
        Some(Fault::ServerError) => page(500, "<html>Internal Server Error</html>"),
        _ => Err(TransportError::Lost("connection reset".to_owned())),
    }
}
