//! Rules of a `FlinkStateSnapshot`.
//!
//! Upstream: `DefaultValidator.validateStateSnapshot`.

use api::{FlinkStateSnapshotSpec, FlinkStateSnapshotStatus, JobReference, SavepointSpec, SnapshotState};

use super::{Findings, Rule, Violation};

/// Checks the spec of a `FlinkStateSnapshot`. No violations: it may be taken.
///
/// - `namespace`: of the resource, and so of the job.
/// - `target_found`: whether the resource that `jobReference` names exists. A reference without kind or name names
///   none.
#[must_use]
pub fn snapshot(
    namespace: &str,
    spec: &FlinkStateSnapshotSpec,
    status: Option<&FlinkStateSnapshotStatus>,
    target_found: bool,
) -> Vec<Violation> {
    let mut findings = Findings::default();
    if spec.savepoint.is_some() == spec.checkpoint.is_some() {
        findings.add(
            Rule::SnapshotKind,
            "Exactly one of checkpoint or savepoint configurations has to be set.",
            "Set spec.savepoint or spec.checkpoint; {} will do.",
        );
    }
    let existing = spec.savepoint.as_ref().filter(|it| it.already_exists_or_default());
    match existing.filter(|_| spec.checkpoint.is_none()) {
        None => check_job(namespace, spec.job_reference.as_ref(), status, target_found, &mut findings),
        Some(SavepointSpec { path: Some(path), .. }) if !path.is_empty() => {}
        // Upstream: COMPLETED, without a path.
        Some(_) => findings.add(
            Rule::SnapshotPath,
            "A savepoint that already exists needs a path",
            "Set spec.savepoint.path to where it lies.",
        ),
    }
    findings.into_violations()
}

/// F2 and F3. Once the snapshot was triggered, its job may be gone.
fn check_job(
    namespace: &str,
    job: Option<&JobReference>,
    status: Option<&FlinkStateSnapshotStatus>,
    target_found: bool,
    findings: &mut Findings,
) {
    let Some(job) = job else {
        return findings.add(
            Rule::SnapshotJobReference,
            "Job reference must be supplied for this snapshot",
            "Set kind and name in spec.jobReference.",
        );
    };
    let pending = status.is_none_or(|status| status.state == Some(SnapshotState::TriggerPending));
    if pending && !target_found {
        let name = job.name.as_deref().unwrap_or("null");
        findings.add(
            Rule::SnapshotTarget,
            format!("Target for snapshot {namespace}/{name} was not found"),
            "Set spec.jobReference to a FlinkDeployment or FlinkSessionJob of this namespace, or create it.",
        );
    }
}
