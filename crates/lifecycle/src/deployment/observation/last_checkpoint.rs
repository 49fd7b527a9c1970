//! What a job that has ended can be restored from.

use std::time::Duration;

use api::UpgradeMode;

use super::super::pass::Pass;
use super::super::restore::LAST_STATE_MARKER;
use crate::event::{Component, EventRecord, Reason};
use crate::observed::{CompletedCheckpoint, FlinkAnswer, JobOverview};

/// What Flink says instead of the path of a checkpoint that nobody else can read.
const NOT_ADDRESSABLE: &str = "<checkpoint-not-externally-addressable>";

/// How long a JobManager may keep to itself what the last checkpoint of an ended job is. It then counts as unknown, so
/// that the job's end does not stay hidden.
const PATIENCE: Duration = Duration::from_mins(1);

impl Pass<'_> {
    /// Records what an ended job can be restored from. Returns whether that is settled: a job counts as ended only then,
    /// because the next deployment could start from something older otherwise.
    pub(super) fn record_last_checkpoint(&mut self, job: &JobOverview, answer: &FlinkAnswer) -> bool {
        let checkpoints = answer.checkpoints.as_ref().filter(|checkpoints| checkpoints.job_id == job.job_id);
        let Some(checkpoints) = checkpoints else {
            let waited = job.ended_since.map(|since| answer.at.duration_since(since).unsigned_abs());
            if waited.is_none_or(|waited| waited < PATIENCE) {
                return false;
            }
            self.state_is_out_of_reach("its JobManager does not say which checkpoint was its last");
            return true;
        };
        // If it took none, and was not restored from anything that its JobManager knows of, then what it was started from
        // is still the newest.
        if let Some(newest) = checkpoints.newest() {
            self.record_path(newest);
        }
        true
    }

    fn record_path(&mut self, newest: &CompletedCheckpoint) {
        if newest.external_path == NOT_ADDRESSABLE {
            self.state_is_out_of_reach("its last checkpoint is not externally addressable");
        } else if newest.discarded {
            // A job that finished needs no state: only a restart would, and is told then.
            self.job().upgrade_savepoint_path = Some(LAST_STATE_MARKER.to_owned());
        } else {
            self.job().upgrade_savepoint_path = Some(newest.external_path.clone());
        }
    }

    /// There is state, and nobody can be told where. The marker stands for that: neither this operator nor the Java one
    /// starts the job again without being told from what.
    fn state_is_out_of_reach(&mut self, why: &str) {
        self.job().upgrade_savepoint_path = Some(LAST_STATE_MARKER.to_owned());
        if self.wanted_mode() == UpgradeMode::Stateless {
            return;
        }
        let message = format!(
            "The job has ended and {why}, so nothing can be restored. Remedy: set execution.checkpointing.dir to storage \
             that outlives the JobManager, and for the next start spec.job.initialSavepointPath with a new \
             spec.job.savepointRedeployNonce, or upgradeMode stateless."
        );
        self.event(EventRecord::warning(
            Reason::CheckpointNotFound,
            Component::JobManagerDeployment,
            message,
        ));
    }
}
