//! Jobs: list, details, state.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::identifiers::{JobId, VertexId};

/// State of a job, in Flink's words (`org.apache.flink.api.common.JobStatus`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum JobState {
    /// The JobManager prepares the job.
    Initializing,
    /// Known, no task runs yet.
    Created,
    /// Scheduled; single tasks may still be starting.
    Running,
    /// Tasks are being cancelled after a failure.
    Failing,
    /// Ended by a failure. Globally terminal.
    Failed,
    /// Tasks are being cancelled on request.
    Cancelling,
    /// Ended on request. Globally terminal.
    Canceled,
    /// Ended by itself or by stop-with-savepoint. Globally terminal.
    Finished,
    /// Waits to start again after a failure.
    Restarting,
    /// Ended here without being over, because another JobManager takes over. Only locally terminal.
    Suspended,
    /// Waits for TaskManagers to report after a JobManager failure.
    Reconciling,
}

impl JobState {
    /// Whether the job has ended for good and no JobManager will run it again.
    #[must_use]
    pub fn is_globally_terminal(self) -> bool {
        match self {
            Self::Failed | Self::Canceled | Self::Finished => true,
            Self::Initializing
            | Self::Created
            | Self::Running
            | Self::Failing
            | Self::Cancelling
            | Self::Restarting
            | Self::Suspended
            | Self::Reconciling => false,
        }
    }

    /// The word that Flink uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Initializing => "INITIALIZING",
            Self::Created => "CREATED",
            Self::Running => "RUNNING",
            Self::Failing => "FAILING",
            Self::Failed => "FAILED",
            Self::Cancelling => "CANCELLING",
            Self::Canceled => "CANCELED",
            Self::Finished => "FINISHED",
            Self::Restarting => "RESTARTING",
            Self::Suspended => "SUSPENDED",
            Self::Reconciling => "RECONCILING",
        }
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Number of tasks of a job by state.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
pub struct TaskCounts {
    /// All tasks.
    pub total: u64,
    /// Running tasks.
    #[serde(default)]
    pub running: u64,
    /// Tasks that ended by themselves.
    #[serde(default)]
    pub finished: u64,
    /// Tasks that failed.
    #[serde(default)]
    pub failed: u64,
    /// Cancelled tasks.
    #[serde(default)]
    pub canceled: u64,
}

/// A job in `GET /jobs/overview`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct JobOverview {
    /// Id.
    #[serde(rename = "jid")]
    pub id: JobId,
    /// `pipeline.name`.
    pub name: String,
    /// State as Flink reports it.
    pub state: JobState,
    /// Milliseconds since the epoch.
    pub start_time: i64,
    /// Milliseconds since the epoch, -1 while the job has not ended.
    pub end_time: i64,
    /// Milliseconds since the epoch of the last change of state.
    #[serde(default)]
    pub last_modification: i64,
    /// Tasks by state.
    pub tasks: TaskCounts,
}

impl JobOverview {
    /// Whether every task runs or has finished. A job is RUNNING for Flink as soon as it is scheduled; the
    /// Java operator shows CREATED until this holds.
    #[must_use]
    pub fn all_tasks_running(&self) -> bool {
        self.tasks.running + self.tasks.finished == self.tasks.total
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct JobsOverview {
    pub(crate) jobs: Vec<JobOverview>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct JobStatusAnswer {
    pub(crate) status: JobState,
}

/// `GET /jobs/:jobid`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct JobDetails {
    /// Id.
    #[serde(rename = "jid")]
    pub id: JobId,
    /// `pipeline.name`.
    pub name: String,
    /// State as Flink reports it.
    pub state: JobState,
    /// Milliseconds since the epoch.
    pub start_time: i64,
    /// Milliseconds since the epoch, -1 while the job has not ended.
    pub end_time: i64,
    /// `BATCH` or `STREAMING`; Flink 1.20 and newer.
    #[serde(default)]
    pub job_type: Option<String>,
    /// When each state was entered, milliseconds since the epoch; 0 for states never entered.
    #[serde(default)]
    pub timestamps: BTreeMap<String, i64>,
    /// Vertices in topological order.
    #[serde(default)]
    pub vertices: Vec<Vertex>,
    /// The execution plan, as Flink writes it.
    #[serde(default)]
    pub plan: serde_json::Value,
}

/// A vertex of a job graph.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Vertex {
    /// Id.
    pub id: VertexId,
    /// Names of its operators.
    pub name: String,
    /// Slot sharing group; Flink 1.20 and newer.
    #[serde(rename = "slotSharingGroupId", default)]
    pub slot_sharing_group_id: Option<String>,
    /// Current parallelism.
    pub parallelism: u32,
    /// Key groups of its state: the most that the parallelism may become.
    #[serde(rename = "maxParallelism", default)]
    pub max_parallelism: Option<u32>,
    /// State of its tasks together.
    pub status: String,
    /// Number of tasks by state.
    #[serde(default)]
    pub tasks: BTreeMap<String, u64>,
    /// Accumulated numbers, as Flink writes them.
    #[serde(default)]
    pub metrics: BTreeMap<String, serde_json::Value>,
}
