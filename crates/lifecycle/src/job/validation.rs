//! What a bad spec does: nothing to what runs.

use std::time::Duration;

use api::reconciled::{ReconciledSpec, RecordedSpec};
use api::{JobState, ReconciliationState};

use super::failure::class;
use super::pass::Pass;
use super::resource::{JobResource, JobResourceStatus};
use crate::event::{Component, EventRecord, Reason};

/// When a spec that was refused is judged again: some rules depend on the operator's own configuration.
pub(crate) const JUDGE_AGAIN: Duration = Duration::from_mins(5);

impl<R: JobResource> Pass<'_, R> {
    /// When something was deployed before, that spec goes on, so that recovery and upgrades under way are not stopped by
    /// a bad one. Returns whether there is such a spec.
    pub(crate) fn go_on_with_recorded_spec(&mut self) -> bool {
        let Some(last) = &self.last else { return false };
        self.spec = last.spec.clone();
        self.generation = self.status.observed_generation().unwrap_or_default();
        let under_way = matches!(
            self.reconciliation_state(),
            ReconciliationState::Upgrading | ReconciliationState::RollingBack
        );
        if let Some(job) = R::job_mut(&mut self.spec).filter(|_| under_way) {
            job.state = Some(JobState::Running);
        }
        true
    }

    pub(crate) fn refuse(&mut self, reason: Reason, message: &str) {
        self.set_error(class::VALIDATION, message);
        let what = match reason {
            Reason::UnsupportedFlinkVersion => "UnsupportedFlinkVersion",
            _ => "ValidationError",
        };
        self.hold(what, message);
        self.explain(EventRecord::warning(reason, Component::Operator, message));
    }

    /// A spec that was repaired without a difference to what runs is never recorded anew, so its error goes here.
    pub(crate) fn forget_validation_error(&mut self) {
        if self.status.error().is_some_and(|error| error.contains(class::VALIDATION)) {
            *self.status.error_mut() = None;
        }
    }
}

/// Largest recorded form of a spec. The status holds it twice besides the spec itself, and the API server stores no
/// object of more than 1.5 MiB.
const LARGEST_RECORD: usize = 300 * 1024;

pub(crate) fn too_large<S: RecordedSpec + Clone>(spec: &S) -> Option<String> {
    let size = ReconciledSpec::new(spec.clone(), true).encode().len();
    (size > LARGEST_RECORD).then(|| {
        format!(
            "The spec is too large: {} KiB when it is recorded in the status, and at most {} KiB fit. Remedy: keep \
             large texts in ConfigMaps of their own and mount them by spec.podTemplate.",
            size / 1024,
            LARGEST_RECORD / 1024
        )
    })
}

#[cfg(test)]
mod tests {
    use api::FlinkDeploymentSpec;

    use super::*;

    fn spec(length: usize) -> FlinkDeploymentSpec {
        FlinkDeploymentSpec { image: Some("x".repeat(length)), ..FlinkDeploymentSpec::default() }
    }

    #[test]
    fn a_spec_may_be_as_large_as_its_record() {
        let rest = ReconciledSpec::new(spec(0), true).encode().len();
        assert_eq!(too_large(&spec(307_200 - rest)), None);
        let message = too_large(&spec(307_201 - rest)).unwrap();
        assert!(message.contains("300 KiB when"), "{message}");
    }
}
