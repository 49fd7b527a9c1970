//! What a change of a spec means.
//!
//! The spec that was deployed last is compared with the spec of the custom resource, field by field. Every
//! difference has a [`DiffType`]; the strongest one decides what has to happen to the cluster.
//! Upstream: the annotations in `api/spec/*.java`, and `reconciler/diff/ReflectiveDiffBuilder.java`.
//!
//! Nothing here fails: a value that cannot be understood (a quantity such as `"lots"`) is compared by its text.

mod fields;
mod leaf;
mod pod_template;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::fmt;

use api::{FlinkDeploymentSpec, FlinkSessionJobSpec, KubernetesDeploymentMode};

/// How much has to be done to put a difference into effect, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiffType {
    /// Takes effect without touching the cluster.
    Ignore,
    /// May be done by rescaling in place; where that is impossible it is an upgrade.
    Scale,
    /// The job (or the session cluster) is stopped and started again with the new spec.
    Upgrade,
    /// The job is thrown away and started from `job.initialSavepointPath`.
    SavepointRedeploy,
}

impl DiffType {
    /// The name that the Java operator prints.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ignore => "IGNORE",
            Self::Scale => "SCALE",
            Self::Upgrade => "UPGRADE",
            Self::SavepointRedeploy => "SAVEPOINT_REDEPLOY",
        }
    }
}

impl fmt::Display for DiffType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where it is, below `spec`: `job.parallelism`, `ingress.annotations.a`, `job.args.0`.
    pub path: String,
    /// Text of the old value; `None` if there was none. An object that vanished as a whole is `{..}`.
    pub old: Option<String>,
    /// Text of the new value; `None` if there is none.
    pub new: Option<String>,
    /// What this difference alone would ask for.
    pub kind: DiffType,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let old = self.old.as_deref().unwrap_or("null");
        let new = self.new.as_deref().unwrap_or("null");
        write!(f, "{} : {old} -> {new}", self.path)
    }
}

/// All differences of two specs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecDiff {
    /// The strongest kind among [`changes`](Self::changes); [`DiffType::Ignore`] if there are none.
    pub kind: DiffType,
    /// The differences, in the order in which the Java operator lists them; configuration keys are sorted.
    pub changes: Vec<Change>,
    /// Simple name of the Java class of the spec, which the event names.
    spec_class: &'static str,
}

impl SpecDiff {
    fn of(spec_class: &'static str, changes: Vec<Change>) -> Self {
        let kind = changes.iter().map(|change| change.kind).max().unwrap_or(DiffType::Ignore);
        Self { kind, changes, spec_class }
    }

    /// Whether anything at all differs, also if it is of no consequence.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Text of the event `SpecChanged`.
    #[must_use]
    pub fn message(&self) -> String {
        let changes: Vec<String> = self.changes.iter().map(ToString::to_string).collect();
        format!(
            "{} change(s) detected (Diff: {}[{}]), starting reconciliation.",
            self.kind,
            self.spec_class,
            changes.join(", ")
        )
    }
}

/// Compares the deployed spec of a `FlinkDeployment` with the wanted one.
///
/// The deployment mode, on which some rules depend, is the wanted one (null means native).
#[must_use]
pub fn spec_diff(old: &FlinkDeploymentSpec, new: &FlinkDeploymentSpec) -> SpecDiff {
    SpecDiff::of("FlinkDeploymentSpec", fields::deployment(old, new, new.mode_or_default()))
}

/// Compares the deployed spec of a `FlinkSessionJob` with the wanted one. `mode` is that of its session cluster.
#[must_use]
pub fn session_job_spec_diff(
    old: &FlinkSessionJobSpec,
    new: &FlinkSessionJobSpec,
    mode: KubernetesDeploymentMode,
) -> SpecDiff {
    SpecDiff::of("FlinkSessionJobSpec", fields::session_job(old, new, mode))
}
