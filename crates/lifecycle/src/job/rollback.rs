//! The way back to the last stable spec, and what a user may do about it.

use api::{JobState, ReconciliationState};

use super::pass::Pass;
use super::resource::JobResource;
use crate::diff::DiffType;

impl<R: JobResource> Pass<'_, R> {
    /// In a rollback the stable spec is deployed, unless the user has changed the spec meanwhile: then that is.
    pub(crate) fn take_the_spec_of_a_rollback(&mut self) {
        if self.reconciliation_state() != ReconciliationState::RollingBack {
            return;
        }
        let Some(failed) = self.last.as_ref().map(|last| last.spec.clone()) else { return };
        if R::diff(self, &failed, &self.spec).kind == DiffType::Ignore {
            if let Some(stable) = self.last_stable() {
                self.spec = stable.spec;
                if let Some(job) = R::job_mut(&mut self.spec) {
                    job.state = Some(JobState::Running);
                }
            }
            return;
        }
        self.reconciliation().state = Some(ReconciliationState::Upgrading);
        self.change_recorded_job(|job| job.state = Some(JobState::Suspended));
    }

    /// After a rollback the user asks for exactly what runs.
    pub(crate) fn is_back_to_stable_spec(&self) -> bool {
        self.reconciliation_state() == ReconciliationState::RolledBack
            && self
                .last_stable()
                .is_some_and(|stable| R::diff(self, &stable.spec, &self.spec).kind == DiffType::Ignore)
    }
}
