//! `spec.job`: the job of an application cluster or of a session job.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text_enum::text_enum;

text_enum! {
    /// Desired state of a job.
    pub enum JobState {
        /// The job shall run.
        Running = "running",
        /// The job shall be stopped; its state is kept as `upgradeMode` says.
        Suspended = "suspended",
    }
}

text_enum! {
    /// How the state of a job survives a change.
    pub enum UpgradeMode {
        /// Stop with a savepoint and start from it.
        Savepoint = "savepoint",
        /// Start from the last checkpoint that is known to Flink's HA data or to the operator.
        LastState = "last-state",
        /// Start from empty state.
        Stateless = "stateless",
    }
}

/// A Flink job: which program runs, how wide, and how its state survives changes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobSpec {
    /// Jar of the job. For an application a path inside the image (`local:///…`), for a session job a URI
    /// from which the operator fetches it.
    #[serde(rename = "jarURI", skip_serializing_if = "Option::is_none")]
    pub jar_uri: Option<String>,
    /// Parallelism of the job; at least 1 unless `taskManager.replicas` is set. Default: 0, which is
    /// refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallelism: Option<i32>,
    /// Fully qualified name of the main class. Default: the jar's manifest says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry_class: Option<String>,
    /// Arguments of the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<String>>,
    /// Desired state: `running` (default) or `suspended`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<JobState>,
    /// Deprecated, use a FlinkStateSnapshot: a new number takes a savepoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub savepoint_trigger_nonce: Option<i64>,
    /// Savepoint of the first deployment, and of a redeployment by `savepointRedeployNonce`. Ignored
    /// otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_savepoint_path: Option<String>,
    /// Deprecated, use a FlinkStateSnapshot: a new number takes a checkpoint (Flink 1.17 and later).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_trigger_nonce: Option<i64>,
    /// How state survives a change: `savepoint`, `last-state` or `stateless` (default).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upgrade_mode: Option<UpgradeMode>,
    /// Whether state that belongs to no operator of the job any more may be dropped on restore.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_non_restored_state: Option<bool>,
    /// A new number redeploys the job from `initialSavepointPath`, without keeping its present state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub savepoint_redeploy_nonce: Option<i64>,
    /// A new number forgets what the autoscaler has learnt about the job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoscaler_reset_nonce: Option<i64>,
}

impl JobSpec {
    /// Parallelism, 0 when absent (as the Java operator's field initialiser).
    #[must_use]
    pub fn parallelism_or_default(&self) -> i32 {
        self.parallelism.unwrap_or(0)
    }

    /// Program arguments, none when absent.
    #[must_use]
    pub fn args_or_default(&self) -> &[String] {
        self.args.as_deref().unwrap_or_default()
    }

    /// Desired state, `running` when absent.
    #[must_use]
    pub fn state_or_default(&self) -> JobState {
        self.state.unwrap_or(JobState::Running)
    }

    /// Upgrade mode, `stateless` when absent.
    #[must_use]
    pub fn upgrade_mode_or_default(&self) -> UpgradeMode {
        self.upgrade_mode.unwrap_or(UpgradeMode::Stateless)
    }
}
