//! One line of a `timeline.jsonl`: what was seen, and when.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Something that was done or seen.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Line {
    /// Seconds since the recording began.
    pub(crate) t: f64,
    #[serde(flatten)]
    pub(crate) what: What,
}

impl Line {
    /// The FlinkStateSnapshot that it is about.
    pub(crate) fn snapshot(&self) -> Option<&Resource> {
        match &self.what {
            What::Cr(cr) if cr.kind == "FlinkStateSnapshot" => Some(cr),
            _ => None,
        }
    }
}

/// What it was.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "source", rename_all = "kebab-case")]
pub(crate) enum What {
    /// An action or an observation of whoever recorded.
    Step {
        text: String,
        /// The merge patch that was sent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        patch: Option<Value>,
    },
    Cr(Resource),
    Event(Event),
    OperatorRequest(Request),
    /// Deployments, pods and other objects, which are not compared.
    #[serde(other)]
    Other,
}

/// A change of a resource.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Resource {
    /// `ADDED`, `MODIFIED` or `DELETED`.
    #[serde(rename = "type")]
    pub(crate) change: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) generation: Option<i64>,
    /// Whether its deletion was asked for.
    #[serde(rename = "deletionTimestamp", default)]
    pub(crate) deleting: bool,
    pub(crate) status: Option<Value>,
}

/// A Kubernetes Event that was recorded, or whose count went up.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Event {
    /// `ADDED` or `MODIFIED`.
    pub(crate) op: String,
    /// `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub(crate) severity: String,
    pub(crate) reason: String,
    pub(crate) component: Option<String>,
    /// `Kind/name`.
    #[serde(rename = "involvedObject")]
    pub(crate) on: String,
    pub(crate) message: Option<String>,
    pub(crate) count: Option<u64>,
    #[serde(rename = "eventName")]
    pub(crate) name: String,
}

/// A request of the operator that changes something.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Request {
    pub(crate) verb: String,
    pub(crate) resource: String,
    pub(crate) name: Option<String>,
    pub(crate) code: u16,
}
