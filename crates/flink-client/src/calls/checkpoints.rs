//! Calls that read checkpoint statistics and settings.

use crate::answers::{Checkpoint, CheckpointConfig, CheckpointStatistics};
use crate::client::FlinkCluster;
use crate::error::FlinkError;
use crate::identifiers::JobId;
use crate::transport::Call;

impl FlinkCluster {
    /// `GET /jobs/:jobid/checkpoints`. [`crate::Missing::Checkpointing`] when the job has none.
    ///
    /// **May be out of date**: Flink repeats an answer for `web.refresh-interval` (3 s), or for
    /// `rest.cache.checkpoint-statistics.timeout` where that is set, also when the job has ended meanwhile. The
    /// newest checkpoint of a job that has just been cancelled may therefore be missing. What is read
    /// [`crate::answers::STATISTICS_LAG`] or more after the job was first seen to have ended is final; a
    /// savepoint is safer known by [`FlinkCluster::savepoint_result`], which is never out of date.
    pub async fn checkpoints(&self, job: &JobId) -> Result<CheckpointStatistics, FlinkError> {
        self.get(Call::Checkpoints, format!("/jobs/{job}/checkpoints")).await
    }

    /// `GET /jobs/:jobid/checkpoints/details/:checkpointid`: one checkpoint of the history.
    pub async fn checkpoint_details(&self, job: &JobId, checkpoint: u64) -> Result<Checkpoint, FlinkError> {
        self.get(Call::CheckpointDetails, format!("/jobs/{job}/checkpoints/details/{checkpoint}")).await
    }

    /// `GET /jobs/:jobid/checkpoints/config`.
    pub async fn checkpoint_config(&self, job: &JobId) -> Result<CheckpointConfig, FlinkError> {
        self.get(Call::CheckpointConfig, format!("/jobs/{job}/checkpoints/config")).await
    }
}
