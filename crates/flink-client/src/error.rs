//! What can go wrong in a call, and what to do about it.

use std::time::Duration;

use crate::error_text::{Author, ErrorText};
use crate::transport::{Call, RestResponse, TransportError};

/// What the caller should do after a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// Nothing happened: the same call may be sent again later.
    Retry,
    /// The call may have had an effect, or what it was about has changed: observe before deciding.
    LookAgain,
    /// The same call will fail again until somebody changes something.
    TellUser,
}

/// What a 404 says is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Missing {
    /// No job with this id runs in the cluster or is remembered by it.
    Job,
    /// No operation with this trigger id is remembered. Flink forgets one five minutes after it ended
    /// (`rest.async.store-duration`) and with every restart of the JobManager.
    Operation,
    /// The job has no checkpointing, so there are no statistics.
    Checkpointing,
    /// Flink does not know the path: its version is too old for the call.
    Route,
    /// Something else, for example one checkpoint of the history.
    Other,
}

/// A call that did not give the answer that it should have given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlinkError {
    /// No answer because there is no connection, or it broke before the answer began.
    #[error("Flink is unreachable for {call}: {detail}")]
    Unreachable {
        /// The call.
        call: Call,
        /// Whether the request may have reached Flink all the same.
        sent: bool,
        /// The network's reason.
        detail: String,
    },
    /// TLS failed, so that nothing was sent: the certificates or cipher suites of the two sides do not fit.
    #[error("there is no trusted connection to Flink for {call}: {detail}")]
    Untrusted {
        /// The call.
        call: Call,
        /// Why, and what the operator lacks.
        detail: String,
    },
    /// No whole answer within the time limit.
    #[error("Flink did not answer {call} within {limit:?}")]
    TooLate {
        /// The call.
        call: Call,
        /// Whether the request may have reached Flink.
        sent: bool,
        /// The limit.
        limit: Duration,
    },
    /// What the call is about does not exist.
    #[error("Flink does not know what {call} is about: {text}")]
    NotFound {
        /// The call.
        call: Call,
        /// What is missing.
        missing: Missing,
        /// Flink's words.
        text: ErrorText,
    },
    /// The state of the job forbids the call: cancel of a job that ended otherwise, a job id that was used
    /// before, a concurrent change of resources.
    #[error("Flink refuses {call}: {text}")]
    Conflict {
        /// The call.
        call: Call,
        /// Flink's words.
        text: ErrorText,
    },
    /// Flink, or a proxy before it, calls the request wrong (4xx), or redirects it (3xx).
    #[error("Flink rejects {call} with {status}: {text}")]
    Client {
        /// The call.
        call: Call,
        /// HTTP status code.
        status: u16,
        /// Flink's words.
        text: ErrorText,
    },
    /// Flink failed (5xx).
    #[error("Flink failed at {call} with {status}: {text}")]
    Server {
        /// The call.
        call: Call,
        /// HTTP status code.
        status: u16,
        /// Flink's words.
        text: ErrorText,
    },
    /// The answer is not what Flink answers to this call: cut off, not JSON, a field missing, a job state
    /// that this version does not know, or written by somebody else.
    #[error("the answer to {call} (status {status}) is malformed: {detail}")]
    Malformed {
        /// The call.
        call: Call,
        /// HTTP status code.
        status: u16,
        /// Whether the answer ended early, which may pass; otherwise it will be the same next time.
        truncated: bool,
        /// What is wrong.
        detail: String,
    },
    /// The answer is larger than the limit.
    #[error("the answer to {call} is larger than {limit} bytes")]
    TooLarge {
        /// The call.
        call: Call,
        /// HTTP status code.
        status: u16,
        /// The limit in bytes.
        limit: usize,
    },
    /// The request could not be made from what the caller gave, for example a jar that cannot be read.
    #[error("{call} cannot be sent: {detail}")]
    Unsendable {
        /// The call.
        call: Call,
        /// What is wrong.
        detail: String,
    },
}

impl FlinkError {
    /// The call that failed.
    #[must_use]
    pub fn call(&self) -> Call {
        match self {
            Self::Unreachable { call, .. }
            | Self::Untrusted { call, .. }
            | Self::TooLate { call, .. }
            | Self::NotFound { call, .. }
            | Self::Conflict { call, .. }
            | Self::Client { call, .. }
            | Self::Server { call, .. }
            | Self::Malformed { call, .. }
            | Self::TooLarge { call, .. }
            | Self::Unsendable { call, .. } => *call,
        }
    }

    /// A short name of the kind of error, stable enough for a metric label.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::Untrusted { .. } => "untrusted",
            Self::TooLate { .. } => "too-late",
            Self::NotFound { .. } => "not-found",
            Self::Conflict { .. } => "conflict",
            Self::Client { .. } => "client",
            Self::Server { .. } => "server",
            Self::Malformed { .. } => "malformed",
            Self::TooLarge { .. } => "too-large",
            Self::Unsendable { .. } => "unsendable",
        }
    }

    /// HTTP status code, when there was an answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Client { status, .. }
            | Self::Server { status, .. }
            | Self::Malformed { status, .. }
            | Self::TooLarge { status, .. } => Some(*status),
            Self::NotFound { .. } => Some(404),
            Self::Conflict { .. } => Some(409),
            Self::Unreachable { .. }
            | Self::Untrusted { .. }
            | Self::TooLate { .. }
            | Self::Unsendable { .. } => None,
        }
    }

    /// Flink's own words, when it said any.
    #[must_use]
    pub fn text(&self) -> Option<&ErrorText> {
        match self {
            Self::NotFound { text, .. }
            | Self::Conflict { text, .. }
            | Self::Client { text, .. }
            | Self::Server { text, .. } => Some(text),
            Self::Unreachable { .. }
            | Self::Untrusted { .. }
            | Self::TooLate { .. }
            | Self::Malformed { .. }
            | Self::TooLarge { .. }
            | Self::Unsendable { .. } => None,
        }
    }

    /// Whether the call may have had its effect although it failed. Always false for calls that only read.
    #[must_use]
    pub fn may_have_happened(&self) -> bool {
        if !self.call().changes_the_cluster() {
            return false;
        }
        match self {
            Self::Unreachable { sent, .. } | Self::TooLate { sent, .. } => *sent,
            Self::Malformed { status, .. } | Self::TooLarge { status, .. } => {
                (200..300).contains(status) || *status >= 500
            }
            // 503 is Flink's answer before a handler was chosen; every other 5xx may come from halfway.
            Self::Server { status, .. } => *status != 503,
            // 408: the request was passed on to the job, whose answer came too late.
            Self::Client { status: 408, .. } => true,
            // A job that cannot be initialized, for example because its savepoint is missing, is refused but
            // known as FAILED: its id is used up. (The adaptive scheduler accepts it first.)
            Self::Client { call, text, .. } => {
                *call == Call::RunJar && text.text().contains("JobInitializationException")
            }
            Self::Untrusted { .. }
            | Self::NotFound { .. }
            | Self::Conflict { .. }
            | Self::Unsendable { .. } => false,
        }
    }

    /// What to do next.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            // What was said is for the user, also if it left something behind.
            Self::Client { call: Call::RunJar, .. } => ErrorClass::TellUser,
            _ if self.may_have_happened() => ErrorClass::LookAgain,
            Self::Unreachable { .. }
            | Self::Untrusted { .. }
            | Self::TooLate { .. }
            | Self::Server { .. } => ErrorClass::Retry,
            Self::NotFound { missing: Missing::Route, .. } => ErrorClass::TellUser,
            Self::NotFound { .. } | Self::Conflict { .. } => ErrorClass::LookAgain,
            Self::Client { status: 408 | 425 | 429, .. } | Self::Malformed { truncated: true, .. } => {
                ErrorClass::Retry
            }
            Self::Client { .. }
            | Self::Malformed { .. }
            | Self::TooLarge { .. }
            | Self::Unsendable { .. } => ErrorClass::TellUser,
        }
    }

    /// Whether nothing of Flink answered: the JobManager may be gone, so its Deployment is worth a look.
    ///
    /// The Java client hides connection errors and 503 behind its own retries, so that its callers see a
    /// timeout for all of them; this is the same set.
    #[must_use]
    pub fn is_no_answer(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Untrusted { .. }
                | Self::TooLate { .. }
                | Self::Server { status: 503, .. }
        )
    }

    /// Whether Flink says that it does not know the job.
    #[must_use]
    pub fn is_job_not_found(&self) -> bool {
        matches!(self, Self::NotFound { missing: Missing::Job, .. })
    }

    /// Whether Flink says that it does not know the trigger id.
    #[must_use]
    pub fn is_operation_not_found(&self) -> bool {
        matches!(self, Self::NotFound { missing: Missing::Operation, .. })
    }

    pub(crate) fn of_transport(call: Call, error: TransportError, time: Duration, size: usize) -> Self {
        match error {
            TransportError::NotSent(detail) => Self::Unreachable { call, sent: false, detail },
            TransportError::Untrusted(detail) => Self::Untrusted { call, detail },
            TransportError::Lost(detail) => Self::Unreachable { call, sent: true, detail },
            TransportError::Truncated { status } => {
                Self::Malformed { call, status, truncated: true, detail: "it ended early".to_owned() }
            }
            TransportError::TimedOut { sent } => Self::TooLate { call, sent, limit: time },
            TransportError::TooLarge { status } => Self::TooLarge { call, status, limit: size },
            TransportError::Unsendable(detail) => Self::Unsendable { call, detail },
        }
    }

    /// The error of an answer whose status is not a success.
    pub(crate) fn of_answer(call: Call, answer: &RestResponse) -> Self {
        let status = answer.status;
        let (author, whole) = ErrorText::of_answer(&answer.body);
        let text = ErrorText::of_text(&whole);
        match (author, status) {
            (Author::Flink, _) => Self::of_flink(call, status, text, &whole),
            // A proxy that has nothing behind it; 503 is said before anything is passed on.
            (Author::KubernetesApi, 404 | 503) => {
                Self::Unreachable { call, sent: false, detail: text.to_string() }
            }
            (_, 502..=504) => Self::Unreachable { call, sent: true, detail: format!("{status}: {text}") },
            // Flink's 404 is a fact about a job; anybody else's is not.
            (_, 404) => Self::Malformed {
                call,
                status,
                truncated: false,
                detail: format!("not an answer of Flink: {text}"),
            },
            (_, 500..) => Self::Server { call, status, text },
            (_, _) => Self::Client { call, status, text },
        }
    }

    fn of_flink(call: Call, status: u16, text: ErrorText, whole: &str) -> Self {
        match status {
            404 => Self::NotFound { call, missing: missing(call, whole), text },
            409 => Self::Conflict { call, text },
            // Some handlers do not expect that a job is unknown: 500, and only the text says why.
            500.. if whole.contains("FlinkJobNotFoundException") => {
                Self::NotFound { call, missing: Missing::Job, text }
            }
            500.. if whole.contains("already reached another terminal state") => {
                Self::Conflict { call, text }
            }
            400..=499 if whole.contains("DuplicateJobSubmissionException") => Self::Conflict { call, text },
            500.. => Self::Server { call, status, text },
            _ => Self::Client { call, status, text },
        }
    }
}

fn missing(call: Call, text: &str) -> Missing {
    // GET of an unknown path is taken for a file of the web dashboard.
    if text.starts_with("Not found: ") || text.starts_with("Unable to load requested file ") {
        return Missing::Route;
    }
    match call {
        Call::SavepointResult | Call::CheckpointResult | Call::DisposalResult => Missing::Operation,
        Call::Checkpoints | Call::CheckpointConfig | Call::CheckpointDetails
            if text.contains("Checkpointing has not been enabled") =>
        {
            Missing::Checkpointing
        }
        Call::CheckpointDetails if text.contains("Could not find checkpointing statistics") => Missing::Other,
        Call::DashboardConfig
        | Call::Overview
        | Call::ClusterConfig
        | Call::TaskManagers
        | Call::JobManagerMetrics
        | Call::JobsOverview
        | Call::DisposeSavepoint
        | Call::UploadJar
        | Call::ListJars
        | Call::RunJar
        | Call::DeleteJar => Missing::Other,
        Call::JobDetails
        | Call::JobStatus
        | Call::JobResult
        | Call::JobExceptions
        | Call::JobMetrics
        | Call::Cancel
        | Call::StopWithSavepoint
        | Call::TriggerSavepoint
        | Call::TriggerCheckpoint
        | Call::Checkpoints
        | Call::CheckpointDetails
        | Call::CheckpointConfig
        | Call::ResourceRequirements
        | Call::UpdateResourceRequirements => Missing::Job,
    }
}
