//! Labels, annotations, finalizers and texts that other programs rely on, byte for byte.

/// Label of a FlinkSessionJob: its `spec.deploymentName`. Written by the mutating webhook only.
pub const LABEL_TARGET_SESSION: &str = "target.session";
/// Label of a FlinkDeployment or FlinkSessionJob that only proves that the operator is alive; its value
/// is `true` in any case.
pub const LABEL_CANARY: &str = "flink.apache.org/canary";
/// Label of a FlinkStateSnapshot: `SAVEPOINT` or `CHECKPOINT`.
pub const LABEL_SNAPSHOT_TYPE: &str = "snapshot.type";
/// Label of a FlinkStateSnapshot: what caused it, a [`crate::SnapshotTriggerType`].
pub const LABEL_SNAPSHOT_TRIGGER_TYPE: &str = "snapshot.trigger-type";
/// Label of a FlinkStateSnapshot: its [`crate::SnapshotState`].
pub const LABEL_SNAPSHOT_STATE: &str = "snapshot.state";
/// Label of a FlinkStateSnapshot: kind of its job.
pub const LABEL_JOB_REFERENCE_KIND: &str = "job-reference.kind";
/// Label of a FlinkStateSnapshot: name of its job.
pub const LABEL_JOB_REFERENCE_NAME: &str = "job-reference.name";
/// Label of a FlinkStateSnapshot: uid of the resource of its job. A resource of the same name that is created later is
/// another one. The Java operator has no such label and leaves it alone.
pub const LABEL_JOB_REFERENCE_UID: &str = "job-reference.uid";
/// Label of a FlinkDeployment that is a child of a FlinkBlueGreenDeployment: `BLUE` or `GREEN`.
pub const LABEL_BLUE_GREEN_DEPLOYMENT_TYPE: &str = "flink/blue-green-deployment-type";

/// Annotation of a JobManager Deployment: `metadata.generation` of the FlinkDeployment it was made from.
pub const ANNOTATION_GENERATION: &str = "flinkdeployment.flink.apache.org/generation";

/// Finalizer of FlinkDeployments.
pub const FINALIZER_FLINK_DEPLOYMENT: &str = "flinkdeployments.flink.apache.org/finalizer";
/// Finalizer of FlinkSessionJobs.
pub const FINALIZER_FLINK_SESSION_JOB: &str = "flinksessionjobs.flink.apache.org/finalizer";
/// Finalizer of FlinkStateSnapshots.
pub const FINALIZER_FLINK_STATE_SNAPSHOT: &str = "flinkstatesnapshots.flink.apache.org/finalizer";

/// Part of `status.error` that makes a lost deployment `FAILED`. Source: `CommonStatus.java`.
pub const MSG_MANUAL_RESTORE_REQUIRED: &str = "Manual restore required.";
/// Part of `status.error` that makes a lost deployment `FAILED`. Source: `CommonStatus.java`.
pub const MSG_HA_METADATA_NOT_AVAILABLE: &str = "HA metadata is not available";
/// Part of `status.error` that makes a lost deployment `FAILED`. Source: `CommonStatus.java`.
pub const MSG_JOB_FINISHED_OR_CONFIGMAPS_DELETED: &str =
    "It is possible that the job has finished or terminally failed, or the configmaps have been deleted.";
/// The whole `status.error` of a session job that is gone; compared during its deletion.
pub const JOB_NOT_FOUND_ERR: &str = "Job Not Found";
/// `status.jobStatus.upgradeSavepointPath` when the state is in Flink's HA data: not a path.
pub const LAST_STATE_DUMMY_SAVEPOINT_PATH: &str = "KUBERNETES_OPERATOR_LAST_STATE";

/// Name of Flink's container in pod templates and pods.
pub const MAIN_CONTAINER_NAME: &str = "flink-main-container";

/// Whether the text of `status.error` says that a lost deployment does not come back by itself.
#[must_use]
pub fn is_terminal_deployment_error(error: &str) -> bool {
    [MSG_MANUAL_RESTORE_REQUIRED, MSG_HA_METADATA_NOT_AVAILABLE, MSG_JOB_FINISHED_OR_CONFIGMAPS_DELETED]
        .iter()
        .any(|marker| error.contains(marker))
}

/// Whether the labels mark a canary resource.
#[must_use]
pub fn is_canary(labels: Option<&std::collections::BTreeMap<String, String>>) -> bool {
    labels.and_then(|labels| labels.get(LABEL_CANARY)).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// The real path in `upgradeSavepointPath`: `None` for the marker that stands for Flink's HA data.
#[must_use]
pub fn real_savepoint_path(path: Option<&str>) -> Option<&str> {
    path.filter(|path| *path != LAST_STATE_DUMMY_SAVEPOINT_PATH)
}
