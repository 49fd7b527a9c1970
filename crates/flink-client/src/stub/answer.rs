//! Answers of the stub, and how they travel.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

const JSON: &str = "application/json; charset=UTF-8";

/// How an answer reaches the caller.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Delivery {
    /// Whole and at once.
    #[default]
    Now,
    /// Whole, after a while.
    After(Duration),
    /// Only this many bytes of the body, then the connection ends.
    Truncated(usize),
    /// In pieces of this many bytes with a pause before each.
    Drip {
        /// Bytes of a piece.
        piece: usize,
        /// Pause before each piece.
        pause: Duration,
    },
    /// The connection is reset instead of an answer.
    Reset,
    /// No answer, the connection stays open.
    Never,
    /// The connection is refused: the request has not reached Flink.
    Refused,
}

/// An answer of the stub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StubResponse {
    /// HTTP status code.
    pub status: u16,
    /// Value of `Content-Type`.
    pub content_type: String,
    /// Body.
    pub body: Bytes,
    /// How it travels.
    pub delivery: Delivery,
}

impl StubResponse {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::text(status, JSON, body.to_string())
    }

    pub(super) fn ok(body: &Value) -> Self {
        Self::json(200, body)
    }

    pub(super) fn text(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self { status, content_type: content_type.to_owned(), body: body.into(), delivery: Delivery::Now }
    }

    /// An error that a handler reports: one text, a stack trace that begins with the handler's exception.
    pub(super) fn handler_error(status: u16, message: &str) -> Self {
        Self::raised(status, "org.apache.flink.runtime.rest.handler.RestHandlerException", message)
    }

    /// A handler error of another class.
    pub(super) fn raised(status: u16, class: &str, message: &str) -> Self {
        Self::json(status, &json!({"errors": [stack_trace(class, message, &[])]}))
    }

    /// A handler error with causes, outermost first, each `class: message`.
    pub(super) fn caused(status: u16, message: &str, causes: &[&str]) -> Self {
        let class = "org.apache.flink.runtime.rest.handler.RestHandlerException";
        Self::json(status, &json!({"errors": [stack_trace(class, message, causes)]}))
    }

    /// An error that no handler expected.
    pub(super) fn internal(class: &str, message: &str) -> Self {
        let trace = stack_trace(class, message, &[]);
        let wrapped = format!("<Exception on server side:\n{trace}\nEnd of exception on server side>");
        Self::json(500, &json!({"errors": ["Internal server error.", wrapped]}))
    }

    /// An error that the router reports, without an exception.
    pub(super) fn plain_error(status: u16, message: &str) -> Self {
        Self::json(status, &json!({"errors": [message]}))
    }
}

/// A stack trace as Java prints it; frames are few because nobody reads them.
pub(super) fn stack_trace(class: &str, message: &str, causes: &[&str]) -> String {
    const FRAME: &str = "\n\tat org.apache.flink.runtime.stub.Frame.run(Frame.java:1)";
    let mut trace = format!("{class}: {message}{FRAME}");
    for cause in causes {
        trace.push_str("\nCaused by: ");
        trace.push_str(cause);
        trace.push_str(FRAME);
        trace.push_str("\n\t... 1 more");
    }
    trace.push('\n');
    trace
}
