//! The way out: what a request and an answer are, and the trait that carries them.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};
use http::Method;
use tokio::io::AsyncReadExt;

use crate::endpoint::Endpoint;

/// The calls that this crate makes, as names for metrics, logs and fault injection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Call {
    /// `GET /config`
    DashboardConfig,
    /// `GET /overview`
    Overview,
    /// `GET /jobmanager/config`
    ClusterConfig,
    /// `GET /taskmanagers`
    TaskManagers,
    /// `GET /jobmanager/metrics`
    JobManagerMetrics,
    /// `GET /jobs/overview`
    JobsOverview,
    /// `GET /jobs/:jobid`
    JobDetails,
    /// `GET /jobs/:jobid/status`
    JobStatus,
    /// `GET /jobs/:jobid/execution-result`
    JobResult,
    /// `GET /jobs/:jobid/exceptions`
    JobExceptions,
    /// `GET /jobs/:jobid/metrics`
    JobMetrics,
    /// `PATCH /jobs/:jobid?mode=cancel`
    Cancel,
    /// `POST /jobs/:jobid/stop`
    StopWithSavepoint,
    /// `POST /jobs/:jobid/savepoints`
    TriggerSavepoint,
    /// `GET /jobs/:jobid/savepoints/:triggerid`
    SavepointResult,
    /// `POST /jobs/:jobid/checkpoints`
    TriggerCheckpoint,
    /// `GET /jobs/:jobid/checkpoints/:triggerid`
    CheckpointResult,
    /// `GET /jobs/:jobid/checkpoints`
    Checkpoints,
    /// `GET /jobs/:jobid/checkpoints/details/:checkpointid`
    CheckpointDetails,
    /// `GET /jobs/:jobid/checkpoints/config`
    CheckpointConfig,
    /// `POST /savepoint-disposal`
    DisposeSavepoint,
    /// `GET /savepoint-disposal/:triggerid`
    DisposalResult,
    /// `GET /jobs/:jobid/resource-requirements`
    ResourceRequirements,
    /// `PUT /jobs/:jobid/resource-requirements`
    UpdateResourceRequirements,
    /// `POST /jars/upload`
    UploadJar,
    /// `GET /jars`
    ListJars,
    /// `POST /jars/:jarid/run`
    RunJar,
    /// `DELETE /jars/:jarid`
    DeleteJar,
}

impl Call {
    /// A short name in kebab case, stable enough for a metric label.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::DashboardConfig => "dashboard-config",
            Self::Overview => "overview",
            Self::ClusterConfig => "cluster-config",
            Self::TaskManagers => "taskmanagers",
            Self::JobManagerMetrics => "jobmanager-metrics",
            Self::JobsOverview => "jobs-overview",
            Self::JobDetails => "job-details",
            Self::JobStatus => "job-status",
            Self::JobResult => "job-result",
            Self::JobExceptions => "job-exceptions",
            Self::JobMetrics => "job-metrics",
            Self::Cancel => "cancel",
            Self::StopWithSavepoint => "stop-with-savepoint",
            Self::TriggerSavepoint => "trigger-savepoint",
            Self::SavepointResult => "savepoint-result",
            Self::TriggerCheckpoint => "trigger-checkpoint",
            Self::CheckpointResult => "checkpoint-result",
            Self::Checkpoints => "checkpoints",
            Self::CheckpointDetails => "checkpoint-details",
            Self::CheckpointConfig => "checkpoint-config",
            Self::DisposeSavepoint => "dispose-savepoint",
            Self::DisposalResult => "disposal-result",
            Self::ResourceRequirements => "resource-requirements",
            Self::UpdateResourceRequirements => "update-resource-requirements",
            Self::UploadJar => "upload-jar",
            Self::ListJars => "list-jars",
            Self::RunJar => "run-jar",
            Self::DeleteJar => "delete-jar",
        }
    }

    /// Whether the call changes something in the cluster.
    #[must_use]
    pub fn changes_the_cluster(self) -> bool {
        matches!(
            self,
            Self::Cancel
                | Self::StopWithSavepoint
                | Self::TriggerSavepoint
                | Self::TriggerCheckpoint
                | Self::DisposeSavepoint
                | Self::UpdateResourceRequirements
                | Self::UploadJar
                | Self::RunJar
                | Self::DeleteJar
        )
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One piece of a request body.
#[derive(Debug, Clone)]
pub enum BodyPart {
    /// Bytes in memory.
    Bytes(Bytes),
    /// A file that is read while it is sent, so that a large jar never is in memory as a whole.
    File {
        /// Where the file is.
        path: PathBuf,
        /// Its size in bytes when the request was made; a file that shrinks meanwhile makes the request fail.
        length: u64,
    },
}

/// A request body with a known length.
#[derive(Debug, Clone, Default)]
pub struct RequestBody {
    /// Value of `Content-Type`; `None` when there is no body.
    pub content_type: Option<String>,
    /// The pieces, in order.
    pub parts: Vec<BodyPart>,
}

impl RequestBody {
    /// A body of JSON text.
    #[must_use]
    pub fn json(text: Vec<u8>) -> Self {
        Self {
            content_type: Some("application/json".to_owned()),
            parts: vec![BodyPart::Bytes(Bytes::from(text))],
        }
    }

    /// Number of bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        let length = |part: &BodyPart| match part {
            BodyPart::Bytes(bytes) => bytes.len() as u64,
            BodyPart::File { length, .. } => *length,
        };
        self.parts.iter().map(length).sum()
    }

    /// The bytes as a stream of exactly [`RequestBody::length`] bytes; a file is read piece by piece.
    #[must_use]
    pub fn into_stream(self) -> BoxStream<'static, std::io::Result<Bytes>> {
        stream::iter(self.parts)
            .map(|part| match part {
                BodyPart::Bytes(bytes) => stream::once(async move { Ok(bytes) }).boxed(),
                BodyPart::File { path, length } => file_stream(path, length).boxed(),
            })
            .flatten()
            .boxed()
    }

    /// The bytes as one piece, for transports without a network. Files are read with blocking calls.
    pub fn read(&self) -> std::io::Result<Bytes> {
        let mut whole = BytesMut::new();
        for part in &self.parts {
            match part {
                BodyPart::Bytes(bytes) => whole.extend_from_slice(bytes),
                BodyPart::File { path, .. } => whole.extend_from_slice(&std::fs::read(path)?),
            }
        }
        Ok(whole.freeze())
    }
}

const FILE_PIECE: usize = 64 * 1024;

fn file_stream(path: PathBuf, length: u64) -> impl Stream<Item = std::io::Result<Bytes>> {
    let open = async move { tokio::fs::File::open(path).await.map(|file| (file, length)) };
    stream::once(open)
        .map_ok(|state| {
            stream::try_unfold(state, |(mut file, left)| async move {
                if left == 0 {
                    return Ok(None);
                }
                let mut piece = BytesMut::with_capacity(FILE_PIECE);
                file.read_buf(&mut piece).await?;
                piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                if piece.is_empty() {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
                let left = left - piece.len() as u64;
                Ok(Some((piece.freeze(), (file, left))))
            })
        })
        .try_flatten()
}

/// A request to one cluster.
#[derive(Debug, Clone)]
pub struct RestRequest {
    /// Which call it is.
    pub call: Call,
    /// HTTP method.
    pub method: Method,
    /// Path below the endpoint, starting with a slash, with its query.
    pub path: String,
    /// Body, possibly without parts.
    pub body: RequestBody,
    /// Limit of the whole exchange, from connecting to the last byte of the answer.
    pub time_limit: Duration,
    /// Most bytes that the answer's body may have.
    pub answer_limit: usize,
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct RestResponse {
    /// HTTP status code.
    pub status: u16,
    /// Value of `Content-Type`, if any.
    pub content_type: Option<String>,
    /// The body, at most [`RestRequest::answer_limit`] bytes.
    pub body: Bytes,
}

/// Why there is no (whole) answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The request never reached Flink: name not resolved, connection refused, or a
    /// proxy said that nothing is behind it.
    #[error("{0}")]
    NotSent(String),
    /// TLS failed: the request never reached Flink, because one side does not trust the other, or they have no cipher
    /// suite in common.
    #[error("{0}")]
    Untrusted(String),
    /// The connection broke after (part of) the request was sent and before an answer began.
    #[error("{0}")]
    Lost(String),
    /// The answer began and ended early.
    #[error("the answer ended early")]
    Truncated {
        /// HTTP status code of the answer.
        status: u16,
    },
    /// The time limit passed.
    #[error("no whole answer in time")]
    TimedOut {
        /// Whether the request may have reached Flink.
        sent: bool,
    },
    /// The answer is larger than allowed; the rest was not read.
    #[error("the answer is too large")]
    TooLarge {
        /// HTTP status code of the answer.
        status: u16,
    },
    /// The request itself could not be made, for example because a file is unreadable.
    #[error("{0}")]
    Unsendable(String),
}

/// Carries requests to Flink clusters and their answers back.
///
/// An implementation honours [`RestRequest::time_limit`] and [`RestRequest::answer_limit`], follows no
/// redirects, adds its credentials itself and never repeats a request on its own.
#[async_trait]
pub trait Transport: Send + Sync + fmt::Debug {
    /// Sends one request and reads the answer.
    async fn send(&self, target: &Endpoint, request: RestRequest) -> Result<RestResponse, TransportError>;
}

/// Reads an answer's body up to `limit` bytes; for implementations of [`Transport`].
///
/// `declared_length` is the answer's `Content-Length`: one beyond the limit is refused before anything is
/// read. Never holds more than `limit` bytes plus one piece of the stream.
pub async fn read_body<S, E>(
    status: u16,
    declared_length: Option<u64>,
    limit: usize,
    mut body: S,
) -> Result<Bytes, TransportError>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    if declared_length.is_some_and(|length| length > limit as u64) {
        return Err(TransportError::TooLarge { status });
    }
    let mut whole = BytesMut::new();
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|_| TransportError::Truncated { status })?;
        if whole.len() + piece.len() > limit {
            return Err(TransportError::TooLarge { status });
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}
