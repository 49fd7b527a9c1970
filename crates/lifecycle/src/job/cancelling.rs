//! Cancelling a job to take its newest checkpoint.

use api::{JobStatusState, Operation, OperationKind, ReconciliationState, UpgradeMode};

use super::pass::{Pass, Sight};
use super::resource::JobResource;
use crate::effect::FlinkRequest;

impl<R: JobResource> Pass<'_, R> {
    /// Recorded in the Java operator's form, so that it could follow the cancel too.
    pub(crate) fn begin_cancel(&mut self, mode: UpgradeMode) {
        let Some(job_id) = self.job_id().map(str::to_owned) else { return };
        if self.recorded_mode() == UpgradeMode::Stateless {
            // It was started from empty; a path that the Java operator left there is of an earlier job.
            self.job().upgrade_savepoint_path = None;
        }
        if let Some(mut last) = self.last.clone() {
            if let Some(job) = R::job_mut(&mut last.spec) {
                job.upgrade_mode = Some(mode);
            }
            if let Some(metadata) = &mut last.metadata {
                metadata.first_deployment = false;
            }
            self.set_last(last);
        }
        if self.reconciliation_state() != ReconciliationState::RollingBack {
            self.reconciliation().state = Some(ReconciliationState::Upgrading);
        }
        self.job().state = Some(JobStatusState::Cancelling);
        self.begin(Operation {
            kind: Some(OperationKind::Cancelling),
            job_start_time: self.start_time_of(&job_id),
            job_id: Some(job_id.clone()),
            generation: Some(self.generation),
            ..Operation::default()
        });
        self.call_flink(FlinkRequest::Cancel { job_id }, false);
    }

    /// The arm of a cancel that is under way; its end carries the newest checkpoint (see `observation`).
    pub(crate) fn follow_cancel(&mut self) {
        if self.job_ended() {
            self.record_stopped(self.recorded_mode());
            return;
        }
        if R::OWNS_CLUSTER && self.wanted_mode() == UpgradeMode::Stateless {
            // Nobody needs to know any more how far it came.
            self.job().upgrade_savepoint_path = None;
            self.record_stopped(UpgradeMode::Stateless);
            return;
        }
        if R::is_gone(self) {
            R::resolve_lost_job(self, "The JobManager went away while the job was being cancelled");
            return;
        }
        if self.sight == Sight::Lost {
            R::resolve_lost_job(self, "The JobManager was restarted while the job was being cancelled");
            return;
        }
        self.repeat_lost_cancel();
        self.look_again(self.settings.progress_check_interval);
    }

    /// A job that goes on was never told: the call was lost with the operator that recorded it, or with the JobManager.
    /// One that is being initialised is told when it is known what it goes on from.
    pub(crate) fn repeat_lost_cancel(&mut self) {
        match self.job_state() {
            Some(
                JobStatusState::Running
                | JobStatusState::Created
                | JobStatusState::Failing
                | JobStatusState::Restarting,
            ) if self.sight == Sight::Plain => {
                if let Some(job_id) = self.job_id().map(str::to_owned) {
                    self.call_flink(FlinkRequest::Cancel { job_id }, false);
                }
            }
            Some(_) | None => {}
        }
    }
}
