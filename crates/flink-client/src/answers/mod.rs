//! Flink's answers. Fields that Flink may add are ignored; a missing field that decisions need is an error.

mod checkpoints;
mod cluster;
mod exceptions;
mod jars;
mod jobs;
mod operations;
mod requirements;

pub use checkpoints::{
    Checkpoint, CheckpointConfig, CheckpointCounts, CheckpointStatistics, CheckpointStatus, Externalization,
    LatestCheckpoints, NON_ADDRESSABLE, RestorePoint, Restored, STATISTICS_LAG,
};
pub use cluster::{ClusterOverview, ConfigEntry, DashboardConfig, DashboardFeatures, Metric, TaskManager};
pub use exceptions::{ExceptionEntry, JobExceptions};
pub use jars::{Jar, JarEntry};
pub use jobs::{JobDetails, JobOverview, JobState, TaskCounts, Vertex};
pub use operations::{ApplicationStatus, FailureCause, JobResult, Operation};
pub use requirements::{ParallelismBounds, ResourceRequirements, VertexRequirements};

pub(crate) use cluster::TaskManagers;
pub(crate) use exceptions::ExceptionsAnswer;
pub(crate) use jars::{Jars, StartedJob, UploadedJar};
pub(crate) use jobs::{JobStatusAnswer, JobsOverview};
pub(crate) use operations::{
    AsyncAnswer, CheckpointOutcome, DisposalOutcome, JobResultAnswer, Requested, SavepointOutcome,
};
