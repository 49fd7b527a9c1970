//! Ending a job before a change: recorded first, asked for next, followed until Flink says how it ended.

use api::{
    JobManagerDeploymentStatus as Jm, JobState, JobStatusState, Operation, OperationKind,
    ReconciliationState, UpgradeMode,
};

use super::failure::class;
use super::identity::{self, Purpose};
use super::pass::Pass;
use super::upgrade::{Restore, Stop};
use crate::effect::{Effect, FlinkCall, FlinkRequest};
use crate::event::{Component, EventRecord, Reason};
use crate::observed::OperationResult;

impl Pass<'_> {
    /// Ends the job as the decision table says.
    pub(super) fn stop_job(&mut self, stop: Stop, restore: Restore) {
        if stop != Stop::Nothing {
            let event = EventRecord::normal(
                Reason::Suspended,
                Component::JobManagerDeployment,
                "Suspending existing deployment.",
            );
            self.event(event.once(format!("Suspended {}", self.generation)));
        }
        match stop {
            Stop::Nothing | Stop::KeepHaMetadata => self.record_stopped(restore.upgrade_mode()),
            Stop::Stateless => {
                self.cancel_quietly();
                self.record_stopped(restore.upgrade_mode());
            }
            Stop::Savepoint => self.begin_savepoint(),
            Stop::Cancel => self.begin_cancel(restore.upgrade_mode()),
        }
    }

    /// The job counts as ended, and what the next one starts from is in the status: the cluster may go.
    pub(super) fn record_stopped(&mut self, mode: UpgradeMode) {
        self.status.operation = None;
        self.mark_job_ended();
        if let Some(info) = &mut self.status.cluster_info {
            info.remove("ClusterHealthInfo");
        }
        let suspend = self.spec.job.as_ref().is_some_and(|job| job.state_or_default() == JobState::Suspended);
        let mut spec = self.spec.clone();
        if let Some(job) = &mut spec.job {
            job.upgrade_mode = Some(mode);
        }
        let rolling_back = self.reconciliation_state() == ReconciliationState::RollingBack;
        if rolling_back {
            self.record_rolling_back(mode);
        } else if suspend {
            self.record_suspended(mode);
        } else {
            self.record_spec(spec, ReconciliationState::Upgrading, JobState::Suspended);
        }
        match self.observed.job_manager.clone() {
            Some(job_manager) if job_manager.owned => self.delete_deployment(&job_manager),
            Some(_) | None => self.again_at_once(),
        }
    }

    /// Lets a job go in an orderly way before its cluster is deleted; a failure does not matter.
    pub(super) fn cancel_quietly(&mut self) {
        let reachable = self.job_manager_status() == Jm::Ready;
        let alive = self.job_state().is_some_and(|state| {
            !state.is_terminal() && !matches!(state, JobStatusState::Reconciling | JobStatusState::Cancelling)
        });
        if let Some(job_id) = self.job_id().map(str::to_owned).filter(|_| reachable && alive) {
            self.call_flink(FlinkRequest::Cancel { job_id }, true);
        }
    }

    fn call_flink(&mut self, request: FlinkRequest, tolerate_failure: bool) {
        let cluster = self.flink_cluster();
        self.effects.push(Effect::Flink(FlinkCall { cluster, request, tolerate_failure }));
    }

    // ---- stop with savepoint ------------------------------------------------------------------------------------

    fn begin_savepoint(&mut self) {
        let Some(job_id) = self.job_id().map(str::to_owned) else { return };
        let trigger_id = identity::new(Purpose::Trigger, self.uid, self.generation, self.now());
        self.begin(Operation {
            kind: Some(OperationKind::Stopping),
            trigger_id: Some(trigger_id),
            job_id: Some(job_id),
            generation: Some(self.generation),
            ..Operation::default()
        });
        self.ask_for_savepoint();
    }

    /// Asks with the recorded trigger id: Flink recognises a repeat and takes no second savepoint.
    fn ask_for_savepoint(&mut self) {
        let Operation { job_id: Some(job_id), trigger_id: Some(trigger_id), .. } = self.operation() else {
            return;
        };
        let conf = self.deployed_spec().and_then(|spec| super::build::configuration(self, &spec).ok());
        let target_directory = conf.as_ref().and_then(flink_conf::savepoint_directory).map(str::to_owned);
        let request = FlinkRequest::StopWithSavepoint {
            job_id,
            trigger_id,
            target_directory,
            drain: self.settings.drain_on_savepoint,
            format_type: self.settings.savepoint_format.clone(),
        };
        self.call_flink(request, false);
    }

    /// The arm of a stop with savepoint that is under way.
    pub(super) fn follow_savepoint(&mut self) {
        let operation = self.operation();
        let (Some(trigger_id), Some(job_id)) = (operation.trigger_id.clone(), operation.job_id.clone())
        else {
            self.status.operation = None;
            self.again_at_once();
            return;
        };
        let result = self.answer().and_then(|answer| answer.operations.get(&trigger_id)).cloned();
        let same_job = self.job_id() == Some(job_id.as_str());
        match result {
            Some(OperationResult::Completed(path)) if same_job => self.savepoint_is_there(path),
            Some(OperationResult::Failed(message)) => self.savepoint_failed(&message),
            Some(OperationResult::Unknown) => self.savepoint_is_unknown(),
            Some(OperationResult::Completed(_)) => self.savepoint_failed("it belongs to another job"),
            Some(OperationResult::InProgress) | None => self.wait_for_savepoint(),
        }
    }

    fn savepoint_is_there(&mut self, path: String) {
        let job = self.job();
        job.upgrade_savepoint_path = Some(path);
        job.state = Some(JobStatusState::Finished);
        self.record_stopped(UpgradeMode::Savepoint);
    }

    /// Flink knows nothing of the trigger: the call never arrived, or the JobManager was restarted.
    fn savepoint_is_unknown(&mut self) {
        match self.job_state() {
            Some(JobStatusState::Running) => self.ask_for_savepoint(),
            Some(state) if state.is_terminal() => {
                self.status.operation = None;
                self.again_at_once();
            }
            _ => self.wait_for_savepoint(),
        }
    }

    /// The job goes on with its old spec. The next look tries again, after a while.
    fn savepoint_failed(&mut self, message: &str) {
        self.status.operation = None;
        let message = format!("Stopping the job with a savepoint failed: {message}");
        self.fail_once(class::UPGRADE, Reason::SavepointError, &message);
        self.look_again(self.settings.reconcile_interval);
    }

    fn wait_for_savepoint(&mut self) {
        let gone = self.job_manager_status() == Jm::Missing;
        let start = self.operation().start_timestamp.unwrap_or_default();
        let limit = i64::try_from(self.settings.savepoint_timeout.as_millis()).unwrap_or(i64::MAX);
        if gone || self.now().as_millisecond() - start > limit {
            self.savepoint_failed(if gone { "the JobManager is gone" } else { "it took too long" });
            return;
        }
        self.look_again(self.settings.progress_check_interval);
    }

    // ---- cancel -------------------------------------------------------------------------------------------------

    /// Recorded in the Java operator's form, so that it could follow the cancel too.
    fn begin_cancel(&mut self, mode: UpgradeMode) {
        let Some(job_id) = self.job_id().map(str::to_owned) else { return };
        if let Some(mut last) = self.last.clone() {
            if let Some(job) = &mut last.spec.job {
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
            job_id: Some(job_id.clone()),
            generation: Some(self.generation),
            ..Operation::default()
        });
        self.call_flink(FlinkRequest::Cancel { job_id }, false);
    }

    /// The arm of a cancel that is under way; its end carries the newest checkpoint (see `observation`).
    pub(super) fn follow_cancel(&mut self) {
        match self.job_state() {
            Some(state) if state.is_terminal() => {
                let mode = self.recorded_mode();
                self.record_stopped(if mode == UpgradeMode::LastState {
                    UpgradeMode::Savepoint
                } else {
                    mode
                });
            }
            Some(JobStatusState::Running | JobStatusState::Created | JobStatusState::Restarting) => {
                // The cancel never arrived: its call was lost with the operator that recorded it.
                if let Some(job_id) = self.job_id().map(str::to_owned) {
                    self.call_flink(FlinkRequest::Cancel { job_id }, false);
                }
                self.look_again(self.settings.progress_check_interval);
            }
            _ => self.look_again(self.settings.progress_check_interval),
        }
    }
}
