//! A suspended job, and its resumption.

use api::{FlinkDeploymentSpec, JobState, ReconciliationState, UpgradeMode};

use super::pass::Pass;
use crate::diff::{self, DiffType};

impl Pass<'_> {
    /// The arm of a suspended job. Edits are applied when it resumes.
    pub(super) fn stay_suspended_or_resume(&mut self) {
        if !self.wants_suspended() {
            self.resume();
            return;
        }
        self.acknowledge_generation();
        // What went wrong on the way here does not matter any more.
        self.status.error = None;
        let ours = self.observed.job_manager.clone().filter(|job_manager| job_manager.attempt.is_some());
        if let Some(job_manager) = ours {
            self.delete_deployment(&job_manager);
        } else if self.recorded_mode() != UpgradeMode::LastState {
            self.remove_finished_cluster();
        }
    }

    fn resume(&mut self) {
        let Some(recorded) = self.last.as_ref().map(|last| last.spec.clone()) else { return };
        let change = diff::spec_diff(&recorded, &self.spec);
        if self.reconciliation_state() == ReconciliationState::RolledBack
            && differs_in_state_only(&recorded, &self.spec)
        {
            // The job of the stable spec was cancelled by somebody: that spec comes back, not the one that failed.
            self.reconciliation().state = Some(ReconciliationState::RollingBack);
            if let Some(mut last) = self.last.clone() {
                if let Some(job) = &mut last.spec.job {
                    job.state = Some(JobState::Running);
                }
                self.set_last(last);
            }
        } else if change.kind != DiffType::Ignore {
            self.tell_change(&change);
        }
        if super::build::rehearse(self, &self.spec).is_err() {
            self.refuse_what_cannot_be_built();
            return;
        }
        self.replace_cluster();
    }
}

fn differs_in_state_only(recorded: &FlinkDeploymentSpec, wanted: &FlinkDeploymentSpec) -> bool {
    let mut recorded = recorded.clone();
    if let Some(job) = &mut recorded.job {
        job.state = Some(JobState::Running);
    }
    diff::spec_diff(&recorded, wanted).kind == DiffType::Ignore
}
