//! Changes of a `FlinkDeployment` that are not possible.
//!
//! Upstream: `DefaultValidator.validateSpecChange`.

use api::{FlinkDeploymentSpec, KubernetesDeploymentMode};

use super::{Findings, Rule};

/// D27 to D31: compares with the last reconciled spec, which is what runs, not with the previous resource.
pub(super) fn check(last: &FlinkDeploymentSpec, spec: &FlinkDeploymentSpec, findings: &mut Findings) {
    let remedy = "Undo the change, or delete the resource and create it anew.";
    let switch = match (&last.job, &spec.job) {
        (None, Some(_)) => Some("session to job"),
        (Some(_), None) => Some("job to session"),
        (None, None) | (Some(_), Some(_)) => None,
    };
    if let Some(switch) = switch {
        findings.add(Rule::ClusterTypeChange, format!("Cannot switch from {switch} cluster"), remedy);
    }
    let (old, new) = (last.mode_or_default(), spec.mode_or_default());
    if old != new {
        let words = |mode| match mode {
            KubernetesDeploymentMode::Native => "native kubernetes",
            KubernetesDeploymentMode::Standalone => "standalone kubernetes",
        };
        let message = format!("Cannot switch from {} to {} cluster", words(old), words(new));
        findings.add(Rule::DeploymentModeChange, message, remedy);
    }
    if let (Some(last), Some(job)) = (&last.job, &spec.job) {
        let asked_for = job.savepoint_redeploy_nonce.is_some();
        let new = job.savepoint_redeploy_nonce != last.savepoint_redeploy_nonce;
        let path = job.initial_savepoint_path.as_deref().unwrap_or_default();
        if asked_for && new && path.trim().is_empty() {
            findings.add(
                Rule::InitialSavepointPathMissing,
                "spec.job.initialSavepointPath must not be empty when savepointRedeployNonce asks for a redeployment",
                "Set it to the savepoint or checkpoint to start from.",
            );
        }
    }
}
