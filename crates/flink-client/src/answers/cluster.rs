//! The cluster as a whole: version, configuration, TaskManagers, metrics.

use serde::Deserialize;

/// `GET /config`: what the web dashboard needs. The operator reads the version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DashboardConfig {
    /// `web.refresh-interval` in milliseconds: for so long Flink repeats answers about a job's details,
    /// exceptions and checkpoints, see [`crate::FlinkCluster::checkpoints`].
    #[serde(default)]
    pub refresh_interval: u64,
    /// For example `1.20.3`.
    pub flink_version: String,
    /// Commit and date that Flink was built from.
    pub flink_revision: String,
    /// What is switched on.
    #[serde(default)]
    pub features: DashboardFeatures,
}

/// Features in `GET /config`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct DashboardFeatures {
    /// `web.submit.enable`: without it there are no jar calls.
    pub web_submit: bool,
    /// `web.cancel.enable`: only hides the dashboard's button, the REST call stays.
    pub web_cancel: bool,
}

/// `GET /overview`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ClusterOverview {
    /// Registered TaskManagers.
    pub taskmanagers: u32,
    /// Slots of all TaskManagers.
    pub slots_total: u32,
    /// Free slots.
    pub slots_available: u32,
    /// Jobs that have not ended.
    pub jobs_running: u32,
    /// Remembered jobs that finished.
    pub jobs_finished: u32,
    /// Remembered jobs that were cancelled.
    pub jobs_cancelled: u32,
    /// Remembered jobs that failed.
    pub jobs_failed: u32,
    /// For example `1.20.3`.
    pub flink_version: String,
}

/// An entry of `GET /jobmanager/config`. Flink masks sensitive values itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
pub struct ConfigEntry {
    /// Option.
    pub key: String,
    /// Value.
    pub value: String,
}

/// A TaskManager in `GET /taskmanagers`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskManager {
    /// Resource id; the pod's name in native mode.
    pub id: String,
    /// Slots.
    pub slots_number: u32,
    /// Slots without a task.
    pub free_slots: u32,
    /// Milliseconds since the epoch of its last heartbeat.
    #[serde(default)]
    pub time_since_last_heartbeat: i64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct TaskManagers {
    pub(crate) taskmanagers: Vec<TaskManager>,
}

/// A metric that is one value. Flink writes all values as text and leaves unknown metrics out.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
pub struct Metric {
    /// Name.
    pub id: String,
    /// Value; absent when only names were asked for.
    #[serde(default)]
    pub value: Option<String>,
}

impl Metric {
    /// The value as a number; `None` when there is none or it is no number (Flink may say `NaN`).
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        self.value.as_deref()?.parse().ok().filter(|number: &f64| number.is_finite())
    }
}
