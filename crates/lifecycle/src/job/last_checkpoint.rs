//! What a job that has ended can be restored from.

use std::time::Duration;

use api::UpgradeMode;

use super::newest_state::LAST_STATE_MARKER;
use super::pass::{Pass, Stage};
use super::resource::JobResource;
use crate::event::{Component, EventRecord, Reason};
use crate::observed::{CompletedCheckpoint, FlinkAnswer, JobOverview};

/// What Flink says instead of the path of a checkpoint that nobody else can read.
const NOT_ADDRESSABLE: &str = "<checkpoint-not-externally-addressable>";

/// What that means, and what helps the next time.
const NOTHING_TO_RESTORE: &str = "so nothing can be restored. Set execution.checkpointing.dir to storage that outlives \
                                  the JobManager";

/// How long a JobManager may keep to itself what the last checkpoint of an ended job is. It then counts as unknown, so
/// that the job's end does not stay hidden.
const PATIENCE: Duration = Duration::from_mins(1);

impl<R: JobResource> Pass<'_, R> {
    /// Records what an ended job can be restored from. Returns whether that is settled: a job counts as ended only then,
    /// because the next deployment could start from something older otherwise.
    pub(crate) fn record_last_checkpoint(&mut self, job: &JobOverview, answer: &FlinkAnswer) -> bool {
        let checkpoints = answer.checkpoints.as_ref().filter(|checkpoints| checkpoints.job_id == job.job_id);
        let Some(checkpoints) = checkpoints else {
            let waited = job.ended_since.map(|since| answer.at.duration_since(since).unsigned_abs());
            if waited.is_none_or(|waited| waited < PATIENCE) {
                return false;
            }
            self.state_is_out_of_reach(&format!(
                "its JobManager does not say which checkpoint was its last, {NOTHING_TO_RESTORE}"
            ));
            return true;
        };
        if checkpoints.completed.is_empty() && self.was_run_by_another_job_manager(job) {
            self.state_is_out_of_reach(
                "so has the JobManager that ran it, which alone knew its last checkpoint or savepoint. It is the newest in \
                 the directory of checkpoints or of savepoints",
            );
            return true;
        }
        // If it took none, and was not restored from anything that its JobManager knows of, then what it was started from
        // is still the newest.
        if let Some(newest) = checkpoints.newest() {
            self.record_path(newest);
        }
        true
    }

    /// A JobManager that comes up when its job has ended finds the result of the job, and lists a job without tasks and
    /// checkpoints. So does one whose job ends before it has any; then there is no other JobManager that has run it.
    fn was_run_by_another_job_manager(&self, job: &JobOverview) -> bool {
        if job.tasks_total > 0 {
            return false;
        }
        match self.stage() {
            Stage::Stopping | Stage::Cancelling => {
                self.operation().job_start_time.is_some_and(|start| start != job.start_time)
            }
            // It was seen to run.
            Stage::Deployed => self.is_stable(),
            Stage::Fresh
            | Stage::Deploying
            | Stage::Restarting
            | Stage::Withdrawing
            | Stage::Stopped
            | Stage::Suspended => false,
        }
    }

    fn record_path(&mut self, newest: &CompletedCheckpoint) {
        if newest.external_path == NOT_ADDRESSABLE {
            self.state_is_out_of_reach(&format!(
                "its last checkpoint is not externally addressable, {NOTHING_TO_RESTORE}"
            ));
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
            "The job has ended and {why}. Remedy for the next start: spec.job.initialSavepointPath with a new \
             spec.job.savepointRedeployNonce, or upgradeMode stateless."
        );
        self.event(EventRecord::warning(
            Reason::CheckpointNotFound,
            Component::JobManagerDeployment,
            message,
        ));
    }
}
