//! What a bad spec does: nothing to what runs.

use api::FlinkDeploymentSpec;
use flink_conf::effective;

use super::pass::Pass;
use crate::event::Reason;
use crate::job::validation::{JUDGE_AGAIN, too_large};
use crate::validate::{self, VersionGate};

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
        self.go_on_with_recorded_spec()
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
}
