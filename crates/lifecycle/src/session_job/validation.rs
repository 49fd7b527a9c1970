//! What a bad spec does: nothing to what runs.

use super::Pass;
use super::cluster::deployed_spec;
use crate::event::Reason;
use crate::job::validation::{JUDGE_AGAIN, too_large};
use crate::validate::{self, ArtifactSettings, ResolvedHost, SessionCluster};

impl Pass<'_> {
    /// Judges the spec. A bad one is reported; when something was submitted before, that spec goes on. Returns whether
    /// there is a spec to go on with.
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
        let effective = match self.job_configuration(spec) {
            Ok(conf) => conf,
            Err(error) => return Some(error.to_string()),
        };
        let deployed = self.observed.session_cluster.as_deref().map(|cluster| {
            let spec = deployed_spec(cluster).unwrap_or_else(|| cluster.spec.clone());
            (cluster.metadata.name.clone().unwrap_or_default(), spec)
        });
        let cluster =
            deployed.as_ref().map(|(name, spec)| SessionCluster { name, spec, effective: &effective });
        let last = self.last.as_ref().map(|last| &last.spec);
        let settings = ArtifactSettings::read(self.context.defaults.base()).unwrap_or_default();
        let violations = validate::session_job(spec, last, cluster, &settings, &ResolvedHost::WhenFetched);
        validate::status_message(&violations).map(str::to_owned)
    }
}
