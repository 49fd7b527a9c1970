//! A cluster that never came up makes room for another one.
//!
//! That nothing ran is what makes it right to start from the state that it was to be started from. It is true of the
//! moment in which it was seen, so the cluster is stopped in exactly that state, and only then counts as ended.

use api::{JobStatusState, Operation, OperationKind, ReconciliationState};

use super::pass::Pass;
use super::upgrade::{Restore, Stop};
use crate::effect::{Effect, ObjectReference, ScaleObject};
use crate::observed::JobManager;

impl Pass<'_> {
    /// Records that the cluster goes.
    pub(super) fn withdraw(&mut self) {
        self.begin(Operation {
            kind: Some(OperationKind::Withdrawing),
            generation: Some(self.generation),
            ..Operation::default()
        });
        self.again_at_once();
    }

    /// The arm of a cluster that never came up.
    pub(super) fn follow_withdrawal(&mut self) {
        let Some(job_manager) = self.observed.job_manager.clone().filter(|job_manager| job_manager.owned)
        else {
            self.status.operation = None;
            self.job().state = Some(JobStatusState::Failed);
            self.stop_job(Stop::Nothing, Restore::Savepoint);
            return;
        };
        if job_manager.never_started || job_manager.terminating || job_manager.desired_replicas == 0 {
            self.delete_unstarted(&job_manager);
        } else {
            self.stay_after_all();
        }
    }

    /// Deletes a Deployment that has not started, if it still is as it was seen.
    pub(super) fn delete_unstarted(&mut self, job_manager: &JobManager) {
        if job_manager.terminating || job_manager.desired_replicas == 0 {
            self.delete_deployment(job_manager);
            return;
        }
        let object = ObjectReference::deployment(self.namespace, self.name, Some(&job_manager.uid));
        let resource_version = job_manager.resource_version.clone();
        self.effects.push(Effect::Scale(ScaleObject { object, resource_version, replicas: 0 }));
        self.again_at_once();
    }

    /// It came up meanwhile: what to do with a cluster that runs is decided anew.
    fn stay_after_all(&mut self) {
        self.status.operation = None;
        if self.reconciliation_state() == ReconciliationState::RollingBack {
            self.reconciliation().state = Some(ReconciliationState::Deployed);
        }
        self.again_at_once();
    }
}
