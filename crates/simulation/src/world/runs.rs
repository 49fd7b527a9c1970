//! Every start of a job there ever was, for the checks.

use engine::ports::ObjectKey;
use flink_client::JobId;
use jiff::Timestamp;

/// A job in one JobManager process.
#[derive(Clone, Debug)]
pub struct Run {
    /// The cluster: namespace and `kubernetes.cluster-id`.
    pub cluster: ObjectKey,
    /// The resource whose job it is: the FlinkDeployment, or the FlinkSessionJob.
    pub resource: ObjectKey,
    /// Its uid; empty without.
    pub owner: String,
    /// uid of the JobManager Deployment.
    pub deployment: String,
    /// `metadata.generation` of the FlinkDeployment that the Deployment was made from.
    pub generation: Option<i64>,
    /// uid of the pod.
    pub pod: String,
    /// The job.
    pub job: JobId,
    /// What the configuration, or the arguments, say to restore from.
    pub configured: Option<String>,
    /// Whether state may be left that no operator of the job takes: `allowNonRestoredState`.
    pub allows_non_restored_state: bool,
    /// What it was restored from: a checkpoint of the HA metadata goes first.
    pub restored: Option<String>,
    /// Whether an earlier process of the same Deployment ran the same job: the start is Flink's, not the operator's.
    pub is_restart: bool,
    /// Whether the program came from HA metadata of an earlier Deployment, instead of from the image.
    pub old_program: bool,
    /// When it began.
    pub began: Timestamp,
    /// When its process ended, or the job did; `None` while it is alive.
    pub ended: Option<Timestamp>,
}
