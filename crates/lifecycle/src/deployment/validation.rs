//! What a bad spec does: nothing to what runs.

use std::time::Duration;

use api::reconciled::ReconciledSpec;
use api::{FlinkDeploymentSpec, JobState, ReconciliationState};
use flink_conf::effective;

use super::failure::class;
use super::pass::Pass;
use crate::event::{Component, EventRecord, Reason};
use crate::validate::{self, VersionGate};

/// When a spec that was refused is judged again: some rules depend on the operator's own configuration.
const JUDGE_AGAIN: Duration = Duration::from_mins(5);

impl Pass<'_> {
    /// Whether the Flink version is one that this operator runs. Otherwise nothing at all is done, and the user told.
    pub(super) fn version_is_supported(&mut self) -> bool {
        let VersionGate::Unsupported(message) = validate::flink_version(self.resource.spec.flink_version)
        else {
            return true;
        };
        self.refuse(Reason::UnsupportedFlinkVersion, &message);
        self.look_again(JUDGE_AGAIN);
        false
    }

    /// Judges the spec. A bad one is reported; when something was deployed before, that spec goes on, so that
    /// recovery and upgrades under way are not stopped by it. Returns whether there is a spec to go on with.
    pub(super) fn use_valid_spec(&mut self, unreadable: Option<String>) -> bool {
        let Some(message) = unreadable.or_else(|| self.first_violation()) else {
            self.forget_validation_error();
            return true;
        };
        self.refuse(Reason::ValidationError, &message);
        self.look_again(JUDGE_AGAIN);
        let Some(last) = &self.last else { return false };
        self.spec = last.spec.clone();
        self.generation = self.status.observed_generation.unwrap_or_default();
        let under_way = matches!(
            self.reconciliation_state(),
            ReconciliationState::Upgrading | ReconciliationState::RollingBack
        );
        if let Some(job) = self.spec.job.as_mut().filter(|_| under_way) {
            job.state = Some(JobState::Running);
        }
        true
    }

    fn first_violation(&self) -> Option<String> {
        let spec = &self.resource.spec;
        if let Some(message) = too_large(spec) {
            return Some(message);
        }
        let raw = spec.flink_configuration.as_ref();
        let conf = match effective::configured(self.context.defaults, self.namespace, spec.flink_version, raw)
        {
            Ok(conf) => conf,
            Err(error) => return Some(error.to_string()),
        };
        let last: Option<&FlinkDeploymentSpec> = self.last.as_ref().map(|last| &last.spec);
        let violations = validate::deployment(self.name, self.namespace, spec, last, &conf);
        validate::status_message(&violations).map(str::to_owned)
    }

    pub(super) fn refuse(&mut self, reason: Reason, message: &str) {
        self.set_error(class::VALIDATION, message);
        let what = match reason {
            Reason::UnsupportedFlinkVersion => "UnsupportedFlinkVersion",
            _ => "ValidationError",
        };
        self.hold(what, message);
        self.explain(EventRecord::warning(reason, Component::Operator, message));
    }

    /// A spec that was repaired without a difference to what runs is never recorded anew, so its error goes here.
    fn forget_validation_error(&mut self) {
        if self.status.error.as_deref().is_some_and(|error| error.contains(class::VALIDATION)) {
            self.status.error = None;
        }
    }
}

/// Largest recorded form of a spec. The status holds it twice besides the spec itself, and the API server stores no
/// object of more than 1.5 MiB.
const LARGEST_RECORD: usize = 300 * 1024;

fn too_large(spec: &FlinkDeploymentSpec) -> Option<String> {
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
