//! What can go wrong in a call to the API server, and what to do then.

use std::time::Duration;

use thiserror::Error;

/// A call to the API server that did not do what it should.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ApiError {
    /// 404: there is no such object, namespace or kind.
    #[error("{message}")]
    NotFound {
        /// The API server's sentence.
        message: String,
    },
    /// 409 `AlreadyExists`: an object of that name exists.
    #[error("{message}")]
    AlreadyExists {
        /// The API server's sentence.
        message: String,
    },
    /// 409: the object changed since it was read (resourceVersion), or is another one (uid).
    #[error("{message}")]
    Conflict {
        /// The API server's sentence.
        message: String,
    },
    /// 410: what was asked for is no longer stored; a watch or a list must begin again.
    #[error("{message}")]
    Expired {
        /// The API server's sentence.
        message: String,
    },
    /// 401: our credentials are not accepted (at the moment).
    #[error("{message}")]
    Unauthorized {
        /// The API server's sentence.
        message: String,
    },
    /// 403: RBAC, a quota, an admission rule or a terminating namespace forbids it.
    #[error("{message}")]
    Forbidden {
        /// The API server's sentence.
        message: String,
    },
    /// 400, 413, 415 or 422: the object or patch is not acceptable.
    #[error("{message}")]
    Invalid {
        /// HTTP status code.
        code: u16,
        /// The API server's sentence.
        message: String,
    },
    /// 429: too many requests.
    #[error("{message}")]
    TooManyRequests {
        /// What the API server asks to wait.
        retry_after: Option<Duration>,
        /// The API server's sentence.
        message: String,
    },
    /// 500 and above, or any other status code. Whether the call had an effect is not known.
    #[error("{message} (HTTP {code})")]
    Server {
        /// HTTP status code.
        code: u16,
        /// The API server's sentence.
        message: String,
    },
    /// Nobody answered. Unless the connection could not even be made, the call may have had an effect.
    #[error("the Kubernetes API server cannot be reached: {message}")]
    Unreachable {
        /// Whether the request may have reached the API server.
        sent: bool,
        /// What the connection said.
        message: String,
    },
    /// No answer within our time limit. The call may have had an effect.
    #[error("the Kubernetes API server did not answer within {} s", limit.as_secs())]
    Timeout {
        /// The time limit.
        limit: Duration,
    },
    /// The answer cannot be understood. The call may have had an effect.
    #[error("the Kubernetes API server's answer cannot be read: {message}")]
    Malformed {
        /// What is wrong with it.
        message: String,
    },
}

/// What to do about an [`ApiError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// Nothing is wrong with the call: the same one, later.
    Retry,
    /// The world is not as the caller believed: read again and decide again.
    LookAgain,
    /// The same call fails until a person changes something.
    TellUser,
}

impl ApiError {
    /// What to do about it.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::TooManyRequests { .. }
            | Self::Server { .. }
            | Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::Malformed { .. }
            | Self::Unauthorized { .. } => ErrorClass::Retry,
            Self::NotFound { .. }
            | Self::AlreadyExists { .. }
            | Self::Conflict { .. }
            | Self::Expired { .. } => ErrorClass::LookAgain,
            Self::Forbidden { .. } | Self::Invalid { .. } => ErrorClass::TellUser,
        }
    }

    /// Whether the call may have had its effect although it failed.
    #[must_use]
    pub fn may_have_happened(&self) -> bool {
        match self {
            Self::Server { .. } | Self::Timeout { .. } | Self::Malformed { .. } => true,
            Self::Unreachable { sent, .. } => *sent,
            Self::NotFound { .. }
            | Self::AlreadyExists { .. }
            | Self::Conflict { .. }
            | Self::Expired { .. }
            | Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::Invalid { .. }
            | Self::TooManyRequests { .. } => false,
        }
    }

    /// A short name, used as the `result` label of metrics.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not_found",
            Self::AlreadyExists { .. } => "already_exists",
            Self::Conflict { .. } => "conflict",
            Self::Expired { .. } => "expired",
            Self::Unauthorized { .. } => "unauthorized",
            Self::Forbidden { .. } => "forbidden",
            Self::Invalid { .. } => "invalid",
            Self::TooManyRequests { .. } => "too_many_requests",
            Self::Server { .. } => "server_error",
            Self::Unreachable { .. } => "unreachable",
            Self::Timeout { .. } => "timeout",
            Self::Malformed { .. } => "malformed",
        }
    }

    /// The error that an API server's status means; `reason` is the machine-readable one, possibly empty.
    #[must_use]
    pub fn from_status(code: u16, reason: &str, message: &str, retry_after: Option<Duration>) -> Self {
        let message = if message.is_empty() { format!("HTTP {code} {reason}") } else { message.to_owned() };
        match (code, reason) {
            (404, _) => Self::NotFound { message },
            (409, "AlreadyExists") => Self::AlreadyExists { message },
            (409, _) => Self::Conflict { message },
            (410, _) => Self::Expired { message },
            (401, _) => Self::Unauthorized { message },
            (403, _) => Self::Forbidden { message },
            (429, _) => Self::TooManyRequests { retry_after, message },
            (400 | 413 | 415 | 422, _) => Self::Invalid { code, message },
            (_, _) => Self::Server { code, message },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_codes_become_classes() {
        let class = |code, reason| ApiError::from_status(code, reason, "text", None).class();
        assert_eq!(class(404, "NotFound"), ErrorClass::LookAgain);
        assert_eq!(class(409, "AlreadyExists"), ErrorClass::LookAgain);
        assert_eq!(class(409, "Conflict"), ErrorClass::LookAgain);
        assert_eq!(class(410, "Expired"), ErrorClass::LookAgain);
        assert_eq!(class(403, "Forbidden"), ErrorClass::TellUser);
        assert_eq!(class(422, "Invalid"), ErrorClass::TellUser);
        assert_eq!(class(400, "BadRequest"), ErrorClass::TellUser);
        assert_eq!(class(401, "Unauthorized"), ErrorClass::Retry);
        assert_eq!(class(429, "TooManyRequests"), ErrorClass::Retry);
        assert_eq!(class(503, "ServiceUnavailable"), ErrorClass::Retry);
        assert_eq!(class(504, "Timeout"), ErrorClass::Retry);
    }

    #[test]
    fn only_unanswered_calls_may_have_happened() {
        assert!(ApiError::Timeout { limit: Duration::from_secs(1) }.may_have_happened());
        assert!(ApiError::from_status(500, "", "", None).may_have_happened());
        assert!(!ApiError::from_status(409, "Conflict", "", None).may_have_happened());
        assert!(!ApiError::Unreachable { sent: false, message: "refused".to_owned() }.may_have_happened());
    }

    #[test]
    fn an_empty_message_still_says_something() {
        let error = ApiError::from_status(403, "Forbidden", "", None);
        assert_eq!(error.to_string(), "HTTP 403 Forbidden");
    }
}
