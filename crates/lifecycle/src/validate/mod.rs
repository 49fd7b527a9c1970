//! Whether a spec may be brought to a cluster.
//!
//! A spec is refused exactly when Apache's `DefaultValidator` refuses it (where ours differs, `docs/differences.md`
//! says so). The Java operator reports the first broken rule only. Ours reports all of them, in the same order, so
//! that the first one is the same; [`status_message`] is that first one, [`report`] all of them.
//!
//! Everything is a value: what was found in caches or by DNS comes in as an argument.

mod artifact_settings;
mod autoscaler;
mod deployment;
mod excluded_periods;
mod findings;
mod hosts;
mod jar_uri;
mod job;
mod options;
mod resource_amounts;
mod session_job;
mod snapshot;
mod spec_change;
#[cfg(test)]
mod tests;
mod uri;
mod version;

pub use artifact_settings::{ArtifactSettings, ChosenBy, Refusal, plain_list};
pub use deployment::deployment;
pub use hosts::{HostList, InvalidHost};
pub use jar_uri::{ResolvedHost, host_to_resolve};
pub use session_job::{SessionCluster, session_job};
pub use snapshot::snapshot;
pub use version::{VersionGate, flink_version};

use findings::Findings;

/// Which rule is broken. The letter and number in brackets is the rule's place in the Java operator's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// An option has a text that its type does not allow. Reported before all else, as upstream throws then.
    UnparsableOption,
    /// `flinkConfiguration` is not an object. (Upstream cannot decode such a resource.)
    FlinkConfigurationForm,
    /// The name of the cluster is not one that Flink can use (D1, E1).
    ClusterName,
    /// `flinkVersion` is not set (D2).
    FlinkVersionMissing,
    /// `flinkVersion` is older than the oldest supported one (D3).
    FlinkVersionUnsupported,
    /// `flinkVersion` changes after the job was suspended with its last state (D4).
    FlinkVersionChange,
    /// An option that the operator sets itself (D5).
    ForbiddenOption,
    /// Rollback without high availability (D6).
    RollbackNeedsHighAvailability,
    /// Health check without recovery of the JobManager's Deployment (D7).
    HealthCheckNeedsRecovery,
    /// Ingress without a template (D8).
    IngressTemplateMissing,
    /// Ingress template that is no address (D9).
    IngressTemplateInvalid,
    /// Log configuration for a file that Flink does not read (D10).
    LogConfigurationKey,
    /// An upgrade mode that keeps state, without a directory for checkpoints (J1).
    CheckpointDirectoryMissing,
    /// Something that takes savepoints, without a directory for them (J2 to J5).
    SavepointDirectoryMissing,
    /// Number of TaskManagers below one (J6, D26).
    TaskManagerReplicas,
    /// Parallelism below one, and no number of TaskManagers (J7).
    Parallelism,
    /// No memory for a process (D18, D23).
    MemoryMissing,
    /// `resource` has an amount that cannot be understood (D19, D24).
    ResourceAmount,
    /// `resources` has amounts that cannot be understood or used (D20, D25).
    ResourceRequirements,
    /// Number of JobManagers below one (D21).
    JobManagerReplicas,
    /// Standby JobManagers without high availability (D22).
    StandbyNeedsHighAvailability,
    /// A job appears in a session cluster, or vanishes from an application cluster (D27, D28).
    ClusterTypeChange,
    /// The deployment mode changes (D29, D30).
    DeploymentModeChange,
    /// Redeployment from a savepoint that is not named (D31).
    InitialSavepointPathMissing,
    /// No service account (D32).
    ServiceAccountMissing,
    /// A number of the autoscaler is no number, or out of its range (S1 to S11).
    AutoscalerNumber,
    /// Excluded periods that are none (S12, S13).
    AutoscalerExcludedPeriods,
    /// The autoscaler's window is too short to hold two samples (S14).
    AutoscalerMetricsWindow,
    /// A session job without a job (E2).
    JobMissing,
    /// A session job moves to another cluster (E3).
    DeploymentNameChange,
    /// The jar of a session job is not to be fetched (E4).
    JarUri,
    /// Arguments with which Python's driver of Flink 1.x would end the JobManager of a session cluster.
    PythonArguments,
    /// The cluster of a session job is an application cluster (E5).
    NotASessionCluster,
    /// A session job is brought together with a cluster that it does not name (E6).
    OtherSessionCluster,
    /// Not exactly one of savepoint and checkpoint (F1).
    SnapshotKind,
    /// A snapshot of no job (F2).
    SnapshotJobReference,
    /// A snapshot of a job that does not exist (F3).
    SnapshotTarget,
    /// Where an existing savepoint lies.
    SnapshotPath,
}

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which rule.
    pub rule: Rule,
    /// What is wrong. The Java operator's text where one was recorded.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

/// Text for `status.error` and for the event: the first violation, alone, since it is what the Java operator
/// shows and what tools look for.
#[must_use]
pub fn status_message(violations: &[Violation]) -> Option<&str> {
    violations.first().map(|violation| violation.message.as_str())
}

/// All violations with what to do about them, a line each: for a log, or for the answer of an admission webhook.
#[must_use]
pub fn report(violations: &[Violation]) -> String {
    let lines = violations.iter().map(|violation| {
        let end = if violation.message.ends_with(['.', '!', '?']) { "" } else { "." };
        format!("{}{end} {}", violation.message, violation.remedy)
    });
    lines.collect::<Vec<_>>().join("\n")
}
