//! Asynchronous operations and what Flink remembers of them.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::answer::stack_trace;
use crate::identifiers::{JobId, TriggerId};

/// Operations of one kind share a cache: stop-with-savepoint is in the same one as savepoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cache {
    Savepoints,
    Checkpoints,
    Disposals,
}

/// What an operation is about. Disposals have no job.
pub(super) type Key = (Cache, Option<JobId>, TriggerId);

/// A Java exception: class, message and causes, outermost first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Raised {
    pub(super) class: String,
    pub(super) trace: String,
}

impl Raised {
    pub(super) fn new(class: &str, message: &str, causes: &[&str]) -> Self {
        Self { class: class.to_owned(), trace: stack_trace(class, message, causes) }
    }

    /// As an asynchronous operation reports it: wrapped by the future that it passed through.
    pub(super) fn in_future(class: &str, message: &str) -> Self {
        let cause = format!("{class}: {message}");
        Self::new("java.util.concurrent.CompletionException", &cause, &[&cause])
    }

    pub(super) fn job_not_found(job: &JobId) -> Self {
        let class = "org.apache.flink.runtime.messages.FlinkJobNotFoundException";
        Self::in_future(class, &format!("Could not find Flink job ({job})"))
    }

    pub(super) fn json(&self) -> Value {
        json!({"class": self.class, "stack-trace": self.trace, "serialized-throwable": "rO0ABQ=="})
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Location(String),
    Checkpoint(u64),
    Disposed,
    Failed(Raised),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Record {
    outcome: Option<Outcome>,
    ended: Option<Timestamp>,
}

/// What the JobManager remembers of operations. A restart forgets all of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Operations {
    records: BTreeMap<Key, Record>,
}

impl Operations {
    /// Forgets what ended longer ago than `keep` (`rest.async.store-duration`).
    pub(super) fn forget(&mut self, now: Timestamp, keep: Duration) {
        self.records.retain(|_, record| record.ended.is_none_or(|ended| now < ended + keep));
    }

    /// Registers an operation; false when it is known already, which makes a repeat the same operation.
    pub(super) fn begin(&mut self, key: Key) -> bool {
        if self.records.contains_key(&key) {
            return false;
        }
        self.records.insert(key, Record { outcome: None, ended: None });
        true
    }

    pub(super) fn end(&mut self, key: &Key, outcome: Outcome, now: Timestamp) {
        if let Some(record) = self.records.get_mut(key)
            && record.outcome.is_none()
        {
            *record = Record { outcome: Some(outcome), ended: Some(now) };
        }
    }

    /// Fails every operation of a job that has not ended, as the end of the job does.
    pub(super) fn fail_open(&mut self, job: &JobId, reason: &Raised, now: Timestamp) {
        for ((_, of, _), record) in &mut self.records {
            if of.as_ref() == Some(job) && record.outcome.is_none() {
                *record = Record { outcome: Some(Outcome::Failed(reason.clone())), ended: Some(now) };
            }
        }
    }

    /// The answer to a question about an operation; `None` when it is unknown.
    pub(super) fn json(&self, key: &Key) -> Option<Value> {
        let record = self.records.get(key)?;
        let (state, operation) = match &record.outcome {
            None => ("IN_PROGRESS", Value::Null),
            Some(Outcome::Location(path)) => ("COMPLETED", json!({"location": path})),
            Some(Outcome::Checkpoint(id)) => ("COMPLETED", json!({"checkpointId": id})),
            Some(Outcome::Disposed) => ("COMPLETED", json!({})),
            Some(Outcome::Failed(raised)) => {
                let field = if key.0 == Cache::Checkpoints { "failureCause" } else { "failure-cause" };
                ("COMPLETED", json!({field: raised.json()}))
            }
        };
        Some(json!({"status": {"id": state}, "operation": operation}))
    }
}
