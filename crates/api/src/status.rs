//! Status of FlinkDeployment and FlinkSessionJob. Serialised as the Java operator sends it: absent fields
//! are omitted; empty maps and lists and zeros are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Condition, JobState, JobStatus, JobStatusState, names, reconciled::recorded_job_state,
    text_enum::text_enum,
};

text_enum! {
    /// How far a spec has been brought to the cluster.
    pub enum ReconciliationState {
        /// A spec is about to be deployed, or nothing has been deployed yet.
        Upgrading = "UPGRADING",
        /// The last reconciled spec is deployed.
        Deployed = "DEPLOYED",
        /// On the way back to the last stable spec.
        RollingBack = "ROLLING_BACK",
        /// The last stable spec is deployed; the last reconciled spec is the one that failed.
        RolledBack = "ROLLED_BACK",
    }
}

text_enum! {
    /// The life of a resource in one word, a function of the rest of its status.
    pub enum LifecycleState {
        /// Seen; nothing is recorded.
        Created = "CREATED",
        /// The job is suspended.
        Suspended = "SUSPENDED",
        /// A spec is on its way.
        Upgrading = "UPGRADING",
        /// Submitted, not yet known to be stable.
        Deployed = "DEPLOYED",
        /// The last reconciled spec is known to work.
        Stable = "STABLE",
        /// On the way back to the last stable spec.
        RollingBack = "ROLLING_BACK",
        /// The last stable spec runs again.
        RolledBack = "ROLLED_BACK",
        /// Failed; does not continue by itself.
        Failed = "FAILED",
        /// Being deleted.
        Deleting = "DELETING",
        /// Deleted.
        Deleted = "DELETED",
    }
}

impl LifecycleState {
    /// Whether a resource rests in this state. Used by the lifecycle metrics.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Suspended | Self::Stable | Self::RolledBack | Self::Failed | Self::Deleted => true,
            Self::Created | Self::Upgrading | Self::Deployed | Self::RollingBack | Self::Deleting => false,
        }
    }
}

text_enum! {
    /// State of the JobManager Deployment.
    pub enum JobManagerDeploymentStatus {
        /// REST answers.
        Ready = "READY",
        /// The port is open; REST is given a moment.
        DeployedNotReady = "DEPLOYED_NOT_READY",
        /// The process is starting.
        Deploying = "DEPLOYING",
        /// There is no Deployment; normal before the first one and while suspended.
        Missing = "MISSING",
        /// The Deployment cannot come up without a change.
        Error = "ERROR",
    }
}

/// Observed state of a FlinkDeployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlinkDeploymentStatus {
    /// What is known of the Flink job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_status: Option<JobStatus>,
    /// Last error, as JSON with `type`, `message` and more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// `metadata.generation` of the spec that was last looked at in full.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The life of the resource in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifecycle_state: Option<LifecycleState>,
    /// Facts about the running cluster: Flink's version, CPUs, memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_info: Option<BTreeMap<String, String>>,
    /// State of the JobManager Deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_manager_deployment_status: Option<JobManagerDeploymentStatus>,
    /// Which spec was brought to the cluster, and how far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconciliation_status: Option<ReconciliationStatus>,
    /// TaskManagers, for the scale subresource. Application clusters only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_manager: Option<TaskManagerInfo>,
    /// What the operator is in the middle of; absent when nothing is under way. Not in Apache's CRD.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<crate::Operation>,
    /// What failed and is tried again; absent when nothing is. Not in Apache's CRD.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<crate::Retry>,
    /// Conditions; `Running` says whether the job (or the session cluster) runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Vec<Condition>>,
}

impl FlinkDeploymentStatus {
    /// The first status of a new resource, all but the lifecycle state.
    #[must_use]
    pub fn initial() -> Self {
        Self {
            job_status: Some(JobStatus::initial()),
            cluster_info: Some(BTreeMap::new()),
            job_manager_deployment_status: Some(JobManagerDeploymentStatus::Missing),
            reconciliation_status: Some(ReconciliationStatus::initial()),
            conditions: Some(Vec::new()),
            ..Self::default()
        }
    }

    /// State of the JobManager Deployment, `MISSING` when absent.
    #[must_use]
    pub fn job_manager_deployment_status_or_default(&self) -> JobManagerDeploymentStatus {
        self.job_manager_deployment_status.unwrap_or(JobManagerDeploymentStatus::Missing)
    }

    /// Lifecycle state that follows from the other fields. The stored value counts only if it is
    /// `DELETING` or `DELETED`. Source: `CommonStatus.java`.
    #[must_use]
    pub fn lifecycle_state(&self) -> LifecycleState {
        let lost = matches!(
            self.job_manager_deployment_status_or_default(),
            JobManagerDeploymentStatus::Missing | JobManagerDeploymentStatus::Error
        ) && self.error.as_deref().is_some_and(names::is_terminal_deployment_error);
        derive_lifecycle_state(
            self.lifecycle_state,
            self.error.as_deref(),
            self.reconciliation_status.as_ref(),
            self.job_state(),
            lost,
        )
    }
}

/// Observed state of a FlinkSessionJob.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlinkSessionJobStatus {
    /// What is known of the Flink job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_status: Option<JobStatus>,
    /// Last error, as JSON with `type`, `message` and more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// `metadata.generation` of the spec that was last looked at in full.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The life of the resource in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifecycle_state: Option<LifecycleState>,
    /// Which spec was brought to the cluster, and how far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconciliation_status: Option<ReconciliationStatus>,
    /// What the operator is in the middle of; absent when nothing is under way. Not in Apache's CRD.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<crate::Operation>,
    /// What failed and is tried again; absent when nothing is. Not in Apache's CRD.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<crate::Retry>,
    /// Conditions, as of a FlinkDeployment. Not in Apache's CRD.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Vec<Condition>>,
}

impl FlinkSessionJobStatus {
    /// The first status of a new resource, all but the lifecycle state.
    #[must_use]
    pub fn initial() -> Self {
        Self {
            job_status: Some(JobStatus::initial()),
            reconciliation_status: Some(ReconciliationStatus::initial()),
            ..Self::default()
        }
    }

    /// Lifecycle state that follows from the other fields, as for a FlinkDeployment.
    #[must_use]
    pub fn lifecycle_state(&self) -> LifecycleState {
        derive_lifecycle_state(
            self.lifecycle_state,
            self.error.as_deref(),
            self.reconciliation_status.as_ref(),
            self.job_state(),
            false,
        )
    }
}

/// Accessors that both kinds of status share.
macro_rules! common_status {
    ($status:ty) => {
        impl $status {
            /// State of the job, if one is known.
            #[must_use]
            pub fn job_state(&self) -> Option<JobStatusState> {
                self.job_status.as_ref().and_then(|job| job.state)
            }

            /// Flink's id of the job, if one is known.
            #[must_use]
            pub fn job_id(&self) -> Option<&str> {
                self.job_status.as_ref().and_then(|job| job.job_id.as_deref())
            }

            /// Job status to be changed; created in its first form when absent.
            pub fn job_status_mut(&mut self) -> &mut JobStatus {
                self.job_status.get_or_insert_with(JobStatus::initial)
            }

            /// Reconciliation status to be changed; created in its first form when absent.
            pub fn reconciliation_status_mut(&mut self) -> &mut ReconciliationStatus {
                self.reconciliation_status.get_or_insert_with(ReconciliationStatus::initial)
            }

            /// Reconciliation state, `UPGRADING` when absent.
            #[must_use]
            pub fn reconciliation_state(&self) -> ReconciliationState {
                self.reconciliation_status
                    .as_ref()
                    .map_or(ReconciliationState::Upgrading, ReconciliationStatus::state_or_default)
            }

            /// Text of the last reconciled spec, if one is recorded.
            #[must_use]
            pub fn last_reconciled_spec(&self) -> Option<&str> {
                self.reconciliation_status.as_ref().and_then(|status| status.last_reconciled_spec.as_deref())
            }

            /// Text of the last stable spec, if one is recorded.
            #[must_use]
            pub fn last_stable_spec(&self) -> Option<&str> {
                self.reconciliation_status.as_ref().and_then(|status| status.last_stable_spec.as_deref())
            }

            /// Whether the last reconciled spec is known to be stable: plain equality of the two texts.
            #[must_use]
            pub fn is_last_reconciled_spec_stable(&self) -> bool {
                self.last_reconciled_spec().is_some()
                    && self.last_reconciled_spec() == self.last_stable_spec()
            }
        }
    };
}

common_status!(FlinkDeploymentStatus);
common_status!(FlinkSessionJobStatus);

/// First match wins; the order is part of the API. Source: `CommonStatus.getLifecycleState`.
fn derive_lifecycle_state(
    stored: Option<LifecycleState>,
    error: Option<&str>,
    reconciliation: Option<&ReconciliationStatus>,
    job: Option<JobStatusState>,
    deployment_lost: bool,
) -> LifecycleState {
    if let Some(state @ (LifecycleState::Deleting | LifecycleState::Deleted)) = stored {
        return state;
    }
    let Some((status, recorded)) = reconciliation
        .and_then(|status| status.last_reconciled_spec.as_deref().map(|recorded| (status, recorded)))
    else {
        let failed = error.is_some_and(|error| !error.is_empty());
        return if failed { LifecycleState::Failed } else { LifecycleState::Created };
    };
    let state = status.state_or_default();
    match state {
        ReconciliationState::Upgrading => return LifecycleState::Upgrading,
        ReconciliationState::RollingBack => return LifecycleState::RollingBack,
        ReconciliationState::Deployed | ReconciliationState::RolledBack => {}
    }
    if recorded_job_state(recorded) == Some(JobState::Suspended) {
        LifecycleState::Suspended
    } else if job == Some(JobStatusState::Failed) || deployment_lost {
        LifecycleState::Failed
    } else if state == ReconciliationState::RolledBack {
        LifecycleState::RolledBack
    } else if status.last_stable_spec.as_deref() == Some(recorded) {
        LifecycleState::Stable
    } else {
        LifecycleState::Deployed
    }
}

/// Which spec was brought to the cluster, and how far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReconciliationStatus {
    /// When a spec was last recorded, in milliseconds since 1970; 0 for never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconciliation_timestamp: Option<i64>,
    /// The spec that was last brought to the cluster, as JSON text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_reconciled_spec: Option<String>,
    /// Copy of `lastReconciledSpec` from the moment it was known to work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_stable_spec: Option<String>,
    /// How far the last reconciled spec is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<ReconciliationState>,
}

impl ReconciliationStatus {
    /// The first form: nothing recorded, `UPGRADING`.
    #[must_use]
    pub fn initial() -> Self {
        Self {
            reconciliation_timestamp: Some(0),
            state: Some(ReconciliationState::Upgrading),
            ..Self::default()
        }
    }

    /// State, `UPGRADING` when absent.
    #[must_use]
    pub fn state_or_default(&self) -> ReconciliationState {
        self.state.unwrap_or(ReconciliationState::Upgrading)
    }
}

/// TaskManagers as the scale subresource reports them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskManagerInfo {
    /// Label selector of the TaskManager pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_selector: Option<String>,
    /// Number of TaskManagers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
}
