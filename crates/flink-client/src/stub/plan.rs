//! How a job of the stub behaves.

use std::time::Duration;

use crate::identifiers::VertexId;

/// A vertex of a job of the stub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StubVertex {
    /// Id.
    pub id: VertexId,
    /// Names of its operators.
    pub name: String,
    /// Parallelism; the number of its tasks.
    pub parallelism: u32,
    /// Key groups.
    pub max_parallelism: u32,
    /// Least parallelism that the adaptive scheduler may choose.
    pub lower_bound: u32,
}

impl StubVertex {
    /// A vertex with a parallelism.
    #[must_use]
    pub fn new(number: u128, name: &str, parallelism: u32) -> Self {
        let id = VertexId::from_u128(number);
        Self { id, name: name.to_owned(), parallelism, max_parallelism: 128, lower_bound: 1 }
    }
}

/// How a job ends when nobody stops it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobEnd {
    /// It runs on.
    Never,
    /// It finishes by itself this long after its tasks began to run.
    Finishes(Duration),
    /// It fails this long after its tasks began to run, is restarted as often as said, and then is FAILED.
    Fails {
        /// Time from the start of the tasks to each failure.
        after: Duration,
        /// Text of the exception.
        text: String,
        /// Restarts before the job is given up.
        restarts: u32,
        /// Pause before each restart.
        delay: Duration,
    },
}

/// How savepoints and stop-with-savepoint go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SavepointBehaviour {
    /// They work.
    #[default]
    Works,
    /// They fail with this text.
    Fails(String),
    /// The savepoint of a stop is completed, then the job fails to stop and is restarted.
    FailsAfterCompletion,
    /// They never end.
    Hangs,
}

/// How a job behaves. Times count from the step before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobPlan {
    /// `pipeline.name`.
    pub name: String,
    /// Vertices.
    pub vertices: Vec<StubVertex>,
    /// INITIALIZING to CREATED.
    pub initializing: Duration,
    /// CREATED to RUNNING.
    pub scheduling: Duration,
    /// RUNNING to all tasks running.
    pub deploying: Duration,
    /// CANCELLING to CANCELED.
    pub cancelling: Duration,
    /// How long a savepoint or checkpoint takes.
    pub snapshot: Duration,
    /// Time between checkpoints; `None`: no periodic checkpoints.
    pub checkpoint_interval: Option<Duration>,
    /// Whether checkpoints can be restored from (file system) or not (JobManager's memory).
    pub addressable_checkpoints: bool,
    /// Whether checkpoints stay when the job is cancelled (`RETAIN_ON_CANCELLATION`).
    pub retain_on_cancellation: bool,
    /// How savepoints go.
    pub savepoints: SavepointBehaviour,
    /// How it ends.
    pub end: JobEnd,
    /// Whether it fails for good when it loses TaskManagers, as without a restart strategy.
    pub ends_without_slots: bool,
    /// Records per second and job.
    pub records_per_second: u64,
}

impl Default for JobPlan {
    /// A job that starts in under a second, takes a checkpoint every 5 s and runs on.
    fn default() -> Self {
        Self {
            name: "job".to_owned(),
            vertices: vec![StubVertex::new(1, "Source", 1), StubVertex::new(2, "Sink", 1)],
            initializing: Duration::from_millis(100),
            scheduling: Duration::from_millis(100),
            deploying: Duration::from_millis(500),
            cancelling: Duration::from_millis(200),
            snapshot: Duration::from_millis(100),
            checkpoint_interval: Some(Duration::from_secs(5)),
            addressable_checkpoints: true,
            retain_on_cancellation: true,
            savepoints: SavepointBehaviour::Works,
            end: JobEnd::Never,
            ends_without_slots: false,
            records_per_second: 1000,
        }
    }
}

impl JobPlan {
    /// The default plan under another name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    pub(super) fn tasks(&self) -> u64 {
        self.vertices.iter().map(|vertex| u64::from(vertex.parallelism)).sum()
    }
}
