//! Calls of the operator, as they are counted and told.

use std::time::Duration;

use engine::ports::Kind;

use crate::fault::Fault;

/// Which call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKind {
    /// Read one object.
    Get(Kind),
    /// Read objects.
    List(Kind),
    /// Create an object.
    Create(Kind),
    /// Server-side apply.
    Apply(Kind),
    /// Replace a status.
    Status(Kind),
    /// Merge patch.
    Patch(Kind),
    /// Delete an object.
    Delete(Kind),
    /// Ask Flink.
    Flink(flink_client::Call),
    /// Fetch a jar.
    Fetch,
    /// Delete nodes in `ZooKeeper`.
    DeleteNodes,
}

impl CallKind {
    /// Whether it changes something.
    #[must_use]
    pub fn is_write(self) -> bool {
        match self {
            Self::Get(_) | Self::List(_) | Self::Fetch => false,
            Self::Create(_)
            | Self::Apply(_)
            | Self::Status(_)
            | Self::Patch(_)
            | Self::Delete(_)
            | Self::DeleteNodes => true,
            Self::Flink(call) => call.changes_the_cluster(),
        }
    }

    /// Whether it only tells users.
    #[must_use]
    pub fn is_event(self) -> bool {
        matches!(self, Self::Get(Kind::EVENT) | Self::Create(Kind::EVENT) | Self::Patch(Kind::EVENT))
    }

    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::Get(_) => "get",
            Self::List(_) => "list",
            Self::Create(_) => "create",
            Self::Apply(_) => "apply",
            Self::Status(_) => "status",
            Self::Patch(_) => "patch",
            Self::Delete(_) => "delete",
            Self::Flink(call) => call.name(),
            Self::Fetch => "fetch",
            Self::DeleteNodes => "delete-nodes",
        }
    }
}

/// One call of a run.
#[derive(Clone, Debug)]
pub struct CallRecord {
    /// Which call.
    pub kind: CallKind,
    /// What it was about.
    pub text: String,
    /// Which operator of the run made it, from 1.
    pub operator: u32,
    /// When.
    pub at: Duration,
    /// Whether a JobManager process has ended before, which could answer instead of the one that runs.
    pub had_older: bool,
    /// What went wrong.
    pub fault: Option<Fault>,
    /// What came back; empty when nothing did.
    pub outcome: String,
}

impl CallRecord {
    /// What was done; empty when it was not.
    pub(crate) fn succeeded(&self) -> String {
        if self.outcome == "ok" { format!("{} {}", self.kind.verb(), self.text) } else { String::new() }
    }
}

impl std::fmt::Display for CallRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.at.as_secs_f64();
        write!(
            f,
            "{seconds:9.3} s  operator {}  {} {} -> {}",
            self.operator,
            self.kind.verb(),
            self.text,
            self.outcome
        )?;
        match self.fault {
            Some(fault) => write!(f, "  [{fault}]"),
            None => Ok(()),
        }
    }
}
