//! The ways out of the process. Nothing else in this crate, or in a crate that uses it, reaches Kubernetes or
//! reads a clock; the way to Flink is [`flink_client::Transport`].
//!
//! A test replaces exactly these traits. Their methods never sleep, never repeat a call and never hide an error:
//! one call of a method is one request, so that a fault can be put before and after each of them.

mod api_error;
mod artifacts;
mod kind;
mod zookeeper;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use kube::core::DynamicObject;
use serde_json::Value;

pub use api_error::{ApiError, ErrorClass};
pub use artifacts::{Artifact, ArtifactError, ArtifactRequest, Artifacts, NoArtifacts};
pub use kind::{Kind, ObjectKey, Scope};
pub use lifecycle::{FIELD_MANAGER, Propagation};
pub use zookeeper::{NoZooKeeper, ZooKeeper, ZooKeeperError};

/// The Kubernetes API server.
///
/// Objects are untyped: they carry fields that this program does not know through unchanged.
#[async_trait]
pub trait KubernetesApi: Send + Sync {
    /// Reads one object (a quorum read, never older than a write that was answered); `None` when there is none.
    async fn get(&self, kind: Kind, key: &ObjectKey) -> Result<Option<DynamicObject>, ApiError>;

    /// Reads all objects of a scope (a quorum read).
    async fn list(&self, kind: Kind, scope: &Scope) -> Result<Vec<DynamicObject>, ApiError>;

    /// Creates an object; [`ApiError::AlreadyExists`] when there is one of its name.
    async fn create(&self, kind: Kind, object: &DynamicObject) -> Result<DynamicObject, ApiError>;

    /// Server-side apply under [`FIELD_MANAGER`], taking over fields that others own.
    ///
    /// With a uid in the metadata it fails with [`ApiError::Conflict`] when the object is another one or gone.
    async fn apply(&self, kind: Kind, object: &DynamicObject) -> Result<DynamicObject, ApiError>;

    /// Replaces `status`, and nothing else, of the object with that `metadata.resourceVersion` (and uid).
    ///
    /// [`ApiError::Conflict`] when the object has another resourceVersion by now; an object without a
    /// resourceVersion is refused as [`ApiError::Invalid`], because such a write would land on anything.
    async fn replace_status(&self, kind: Kind, object: &DynamicObject) -> Result<DynamicObject, ApiError>;

    /// Changes an object by a merge patch (RFC 7386): a part of the object, in which null removes.
    ///
    /// With `metadata.resourceVersion` in it, it changes only that state, and with `metadata.uid` only that object;
    /// otherwise it fails with [`ApiError::Conflict`].
    async fn patch(&self, kind: Kind, key: &ObjectKey, part: &Value) -> Result<DynamicObject, ApiError>;

    /// Asks for the deletion of an object. It may stay for a while, with a deletionTimestamp.
    ///
    /// [`ApiError::Conflict`] when its uid is another one than the precondition's.
    async fn delete(&self, kind: Kind, key: &ObjectKey, options: &DeleteOptions) -> Result<(), ApiError>;

    /// All objects of a scope, and then every change. The stream lists and watches again by itself after
    /// failures, with a back-off, and ends only when it is dropped.
    fn watch(&self, kind: Kind, scope: &Scope) -> BoxStream<'static, WatchEvent>;
}

/// Conditions and manner of a deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Delete only the object with this uid.
    pub uid: Option<String>,
    /// What happens to the objects that it owns.
    pub propagation: Propagation,
}

/// What a watch says.
#[derive(Clone, Debug)]
pub enum WatchEvent {
    /// The whole content of the scope: at the beginning, and again whenever events may have been missed.
    Restarted(Vec<DynamicObject>),
    /// An object is new or has changed.
    Applied(DynamicObject),
    /// An object is gone; this is its last state.
    Deleted(DynamicObject),
    /// The connection broke or was refused. The content stays as it was; the watch goes on by itself.
    Failed(ApiError),
}

/// The time.
pub trait Clock: Send + Sync {
    /// What clocks on the wall show. May jump; used for what is written down.
    fn now(&self) -> Timestamp;

    /// What cron expressions are about. UTC unless told otherwise.
    fn zone(&self) -> TimeZone {
        TimeZone::UTC
    }

    /// Time since some moment in the past. Never goes back and never jumps; used for scheduling and durations.
    fn monotonic(&self) -> Duration;
}

/// The clock of the machine.
#[derive(Debug)]
pub struct SystemClock {
    start: std::time::Instant,
    zone: TimeZone,
}

impl SystemClock {
    /// A clock whose monotonic time begins now.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self { start: std::time::Instant::now(), zone: TimeZone::system() })
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// That of the process: `TZ`, or `/etc/localtime`, or UTC.
    fn zone(&self) -> TimeZone {
        self.zone.clone()
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

#[cfg(test)]
mod tests {
    /// The operator's image has no files besides the operator.
    #[test]
    fn zones_are_known_without_files_of_the_system() {
        let zones = jiff::tz::TimeZoneDatabase::bundled();
        assert!(zones.get("Europe/Berlin").is_ok());
    }
}
