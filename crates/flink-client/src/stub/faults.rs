//! Answers that go wrong on purpose.

use std::time::Duration;

use bytes::Bytes;
use http::Method;

use super::answer::{Delivery, StubResponse};
use crate::identifiers::JobId;

/// What goes wrong with an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The answer is late.
    Delay(Duration),
    /// Flink answers with this status and error text instead.
    Status {
        /// HTTP status code.
        status: u16,
        /// Error text.
        text: String,
    },
    /// Something other than Flink answers.
    Foreign {
        /// HTTP status code.
        status: u16,
        /// Value of `Content-Type`.
        content_type: String,
        /// Body.
        body: String,
    },
    /// The body ends after this many bytes.
    Truncate(usize),
    /// The content type is another one; the body is right.
    ContentType(String),
    /// The body is right and followed by blanks up to this many bytes.
    Huge(usize),
    /// The body comes in pieces.
    Drip {
        /// Bytes of a piece.
        piece: usize,
        /// Pause before each piece.
        pause: Duration,
    },
    /// The connection is reset instead of an answer.
    Reset,
    /// There never is an answer.
    Hang,
    /// The connection is refused. The request has no effect, whatever the rule says.
    Refuse,
    /// The answer is about this job instead of the one that was asked for; a list has only this job.
    AboutJob(JobId),
}

/// Which requests a rule applies to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FaultFilter {
    /// Only this method; `None`: any.
    pub method: Option<Method>,
    /// Only paths that contain this text; empty: any.
    pub path_contains: String,
}

impl FaultFilter {
    fn matches(&self, method: &Method, path: &str) -> bool {
        self.method.as_ref().is_none_or(|wanted| wanted == method) && path.contains(&self.path_contains)
    }
}

/// A fault for some requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultRule {
    /// Which requests.
    pub filter: FaultFilter,
    /// What goes wrong.
    pub fault: Fault,
    /// How often; `None`: always.
    pub times: Option<u32>,
    /// Whether the request has its effect in the cluster before its answer goes wrong.
    pub applied: bool,
}

impl FaultRule {
    /// A rule for one request whose path contains a text; the request has its effect.
    #[must_use]
    pub fn once(path_contains: &str, fault: Fault) -> Self {
        let filter = FaultFilter { method: None, path_contains: path_contains.to_owned() };
        Self { filter, fault, times: Some(1), applied: true }
    }

    /// The same rule for requests that have no effect.
    #[must_use]
    pub fn before_effect(self) -> Self {
        Self { applied: false, ..self }
    }

    /// The same rule for all requests that match.
    #[must_use]
    pub fn always(self) -> Self {
        Self { times: None, ..self }
    }
}

/// The first rule that matches, counted down.
pub(super) fn take(rules: &mut Vec<FaultRule>, method: &Method, path: &str) -> Option<FaultRule> {
    let index = rules.iter().position(|rule| rule.filter.matches(method, path))?;
    let rule = rules.get_mut(index)?;
    let taken = rule.clone();
    if let Some(times) = &mut rule.times {
        *times = times.saturating_sub(1);
        if *times == 0 {
            rules.remove(index);
        }
    }
    Some(taken)
}

impl Fault {
    /// The answer with the fault. `answer` is what Flink would have said.
    pub(super) fn spoil(self, answer: StubResponse) -> StubResponse {
        let travelling = |delivery| StubResponse { delivery, ..answer.clone() };
        match self {
            Self::Delay(time) => travelling(Delivery::After(time)),
            Self::Truncate(after) => travelling(Delivery::Truncated(after)),
            Self::Drip { piece, pause } => travelling(Delivery::Drip { piece, pause }),
            Self::Reset => travelling(Delivery::Reset),
            Self::Hang => travelling(Delivery::Never),
            Self::Refuse => travelling(Delivery::Refused),
            Self::AboutJob(_) => answer,
            Self::Status { status, text } => StubResponse::plain_error(status, &text),
            Self::Foreign { status, content_type, body } => StubResponse::text(status, &content_type, body),
            Self::ContentType(content_type) => StubResponse { content_type, ..answer },
            Self::Huge(bytes) => {
                let mut body = answer.body.to_vec();
                body.resize(bytes.max(body.len()), b' ');
                StubResponse { body: Bytes::from(body), ..answer }
            }
        }
    }
}
