//! What is told to users as Kubernetes Events.
//!
//! Reasons, components and types are those of the Java operator, because alerts and dashboards match on them.

use std::fmt;
use std::time::Duration;

/// `type` of a Kubernetes Event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventType {
    /// Something that was expected to happen.
    Normal,
    /// Something that a user should look at.
    Warning,
}

impl EventType {
    /// The text that Kubernetes uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// `source.component` of an Event: which part of a Flink cluster it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Component {
    /// The operator itself: validation, clean-up.
    Operator,
    /// The JobManager's Deployment.
    JobManagerDeployment,
    /// The Flink job.
    Job,
    /// A savepoint or checkpoint.
    Snapshot,
}

impl Component {
    /// The text that the Java operator uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "Operator",
            Self::JobManagerDeployment => "JobManagerDeployment",
            Self::Job => "Job",
            Self::Snapshot => "Snapshot",
        }
    }
}

/// `reason` of an Event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A job is about to be stopped for an upgrade or a suspension.
    Suspended,
    /// A change of the spec was seen.
    SpecChanged,
    /// A rollback begins.
    Rollback,
    /// A cluster or job is about to be submitted.
    Submit,
    /// The job's state changed.
    JobStatusChanged,
    /// A savepoint failed.
    SavepointError,
    /// A checkpoint failed.
    CheckpointError,
    /// A snapshot is given up because its job has ended.
    SnapshotAbandoned,
    /// The newest checkpoint of a finished job cannot be found or addressed.
    CheckpointNotFound,
    /// The resource is being deleted.
    Cleanup,
    /// Stopping or deleting did not work, or is blocked.
    CleanupFailed,
    /// The JobManager Deployment or the job is gone.
    Missing,
    /// The spec is invalid.
    ValidationError,
    /// A lost JobManager Deployment is created again.
    RecoverDeployment,
    /// An unhealthy job is restarted.
    RestartUnhealthyJob,
    /// `flinkVersion` is absent or not supported.
    UnsupportedFlinkVersion,
    /// An exception of the running job.
    JobException,
    /// Any other failure.
    Error,
    /// An upgrade cannot go on.
    UpgradeFailed,
    /// State that a deployment needs cannot be found.
    RestoreFailed,
    /// The ingress is configured but the operator may not manage it.
    IngressManagement,
    /// Parallelism is changed without a restart.
    Scaling,
    /// A reason that Kubernetes gives: `ImagePullBackOff`, `CrashLoopBackOff`, `FailedMount` …
    Kubernetes(String),
}

impl Reason {
    /// The text of the reason.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Suspended => "Suspended",
            Self::SpecChanged => "SpecChanged",
            Self::Rollback => "Rollback",
            Self::Submit => "Submit",
            Self::JobStatusChanged => "JobStatusChanged",
            Self::SavepointError => "SavepointError",
            Self::CheckpointError => "CheckpointError",
            Self::SnapshotAbandoned => "SnapshotAbandoned",
            Self::CheckpointNotFound => "CheckpointNotFound",
            Self::Cleanup => "Cleanup",
            Self::CleanupFailed => "CleanupFailed",
            Self::Missing => "Missing",
            Self::ValidationError => "ValidationError",
            Self::RecoverDeployment => "RecoverDeployment",
            Self::RestartUnhealthyJob => "RestartUnhealthyJob",
            Self::UnsupportedFlinkVersion => "UnsupportedFlinkVersion",
            Self::JobException => "JobException",
            Self::Error => "Error",
            Self::UpgradeFailed => "UpgradeFailed",
            Self::RestoreFailed => "RestoreFailed",
            Self::IngressManagement => "IngressManagement",
            Self::Scaling => "Scaling",
            Self::Kubernetes(reason) => reason,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What happens when the same Event was recorded before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventMode {
    /// Its count goes up by one.
    Count,
    /// Nothing: it is told once.
    Once,
    /// Nothing until this time has passed since it was last recorded, then its count goes up.
    Interval(Duration),
}

/// One Event to record on the resource that is being reconciled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRecord {
    /// Normal or Warning.
    pub event_type: EventType,
    /// Why.
    pub reason: Reason,
    /// Which part it is about.
    pub component: Component,
    /// For a person to read: what happened and, where there is one, the remedy.
    pub message: String,
    /// What makes two Events the same; the message when `None`.
    pub key: Option<String>,
    /// What a repeat does.
    pub mode: EventMode,
    /// Annotations of the Event object (job exceptions carry `exception-timestamp`, `task-name` …).
    pub annotations: Vec<(String, String)>,
}

impl EventRecord {
    /// Annotation of a job exception's Event: when it happened, in milliseconds since 1970.
    pub const EXCEPTION_TIMESTAMP: &str = "exception-timestamp";

    /// A Normal Event that is counted when it repeats.
    #[must_use]
    pub fn normal(reason: Reason, component: Component, message: impl Into<String>) -> Self {
        Self::new(EventType::Normal, reason, component, message.into())
    }

    /// A Warning Event that is counted when it repeats.
    #[must_use]
    pub fn warning(reason: Reason, component: Component, message: impl Into<String>) -> Self {
        Self::new(EventType::Warning, reason, component, message.into())
    }

    /// When the job exception happened that this Event tells, in milliseconds since 1970.
    #[must_use]
    pub fn exception_timestamp(&self) -> Option<i64> {
        let (_, time) = self.annotations.iter().find(|(name, _)| name == Self::EXCEPTION_TIMESTAMP)?;
        time.parse().ok()
    }

    fn new(event_type: EventType, reason: Reason, component: Component, message: String) -> Self {
        Self {
            event_type,
            reason,
            component,
            message,
            key: None,
            mode: EventMode::Count,
            annotations: Vec::new(),
        }
    }

    /// The same, told once for each `key`.
    #[must_use]
    pub fn once(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self.mode = EventMode::Once;
        self
    }

    /// The same, told again at most once in `interval`.
    #[must_use]
    pub fn at_most_every(mut self, interval: Duration) -> Self {
        self.mode = EventMode::Interval(interval);
        self
    }
}
