//! Custom resource types of group `flink.apache.org/v1beta1`: spec, status, schema. No IO.
//!
//! *Tolerant in, exact out*: every field is optional and unknown fields are ignored when an object is
//! read; defaults are functions of the type that owns the field (`JobSpec::state_or_default`), never
//! part of decoding, so a stored object round-trips. What is written back (status, `lastReconciledSpec`,
//! `error`) has the form of Apache's Java operator, because tools and that operator itself read it.

mod text_enum;

pub mod condition;
#[cfg(feature = "crds")]
pub mod crd;
pub mod decode;
mod deployment;
pub mod error;
pub mod flink_configuration;
mod flink_version;
mod ingress;
mod job;
mod job_status;
mod json_text;
mod kind;
pub mod names;
mod operation;
pub mod pod_template;
pub mod reconciled;
mod session_job;
mod snapshot;
pub mod status;

pub use condition::Condition;
pub use decode::{DecodeError, decode};
pub use deployment::{
    FlinkDeployment, FlinkDeploymentSpec, JobManagerSpec, KubernetesDeploymentMode, Resource, ResourceClaim,
    ResourceRequirements, TaskManagerSpec,
};
pub use error::ErrorReport;
pub use flink_version::FlinkVersion;
pub use ingress::{IngressSpec, IngressTls};
pub use job::{JobSpec, JobState, UpgradeMode};
pub use job_status::{
    Checkpoint, CheckpointInfo, CheckpointType, JobStatus, JobStatusState, Savepoint, SavepointFormatType,
    SavepointInfo, SnapshotTriggerType,
};
pub use operation::{Operation, OperationKind, Retry, RetryKind};
pub use reconciled::{ReconciledSpec, ReconciliationMetadata};
pub use session_job::{FlinkSessionJob, FlinkSessionJobSpec};
pub use snapshot::{
    CheckpointSpec, FlinkStateSnapshot, FlinkStateSnapshotSpec, FlinkStateSnapshotStatus, JobKind,
    JobReference, SavepointSpec, SnapshotState, SnapshotType,
};
pub use status::{
    FlinkDeploymentStatus, FlinkSessionJobStatus, JobManagerDeploymentStatus, LifecycleState,
    ReconciliationState, ReconciliationStatus, TaskManagerInfo,
};
pub use text_enum::UnknownText;

/// API group of all kinds of this crate.
pub const GROUP: &str = "flink.apache.org";
/// The only served and stored version.
pub const VERSION: &str = "v1beta1";
/// `GROUP/VERSION`, as written in `apiVersion`.
pub const API_VERSION: &str = "flink.apache.org/v1beta1";
