//! The way to the places where teams keep their jars.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use flink_client::JarFile;
use flink_conf::FlinkConf;
use thiserror::Error;

/// Fetches jars from wherever they are kept.
///
/// An implementation bounds size, time and the number of fetches by itself, and keeps no jar in memory. A fetch changes
/// nothing: it may be repeated, and given up at any moment by dropping it.
#[async_trait]
pub trait Artifacts: Send + Sync {
    /// Fetches a jar, or finds the same one among those that were fetched before.
    ///
    /// # Errors
    /// It cannot be had, or must not be fetched.
    async fn fetch(&self, request: &ArtifactRequest) -> Result<Artifact, ArtifactError>;

    /// A jar without content, for a job without `jarURI`: its classes are on the class path of the cluster.
    fn empty_jar(&self) -> JarFile;
}

/// Fetches nothing.
#[derive(Clone, Copy, Debug)]
pub struct NoArtifacts;

#[async_trait]
impl Artifacts for NoArtifacts {
    async fn fetch(&self, _: &ArtifactRequest) -> Result<Artifact, ArtifactError> {
        Err(ArtifactError { message: "jars cannot be fetched".to_owned(), needs_user: true })
    }

    fn empty_jar(&self) -> JarFile {
        JarFile::Bytes { name: "empty.jar".to_owned(), content: Bytes::new() }
    }
}

/// What to fetch.
#[derive(Clone, PartialEq)]
pub struct ArtifactRequest {
    /// `spec.job.jarURI`.
    pub uri: String,
    /// What applies to the job: the configuration of the operator, of the cluster and of the job, in this order, and the
    /// entries of the Secret that they name. Holds credentials.
    pub configuration: FlinkConf,
}

impl fmt::Debug for ArtifactRequest {
    /// Shows no configuration: credentials are in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArtifactRequest").field("uri", &self.uri).finish_non_exhaustive()
    }
}

/// A jar that can be uploaded.
pub struct Artifact {
    /// Its file name and where its bytes are.
    pub jar: JarFile,
    /// Keeps the file until it is dropped.
    pub keep: Option<Arc<dyn Any + Send + Sync>>,
}

/// Why a jar cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct ArtifactError {
    /// What happened and what to do about it, without credentials and query parameters.
    pub message: String,
    /// Whether the same fetch fails until somebody changes something.
    pub needs_user: bool,
}
