//! Calls about the cluster as a whole.

use crate::answers::{ClusterOverview, ConfigEntry, DashboardConfig, Metric, TaskManager, TaskManagers};
use crate::calls::metrics_query;
use crate::client::FlinkCluster;
use crate::error::FlinkError;
use crate::transport::Call;

impl FlinkCluster {
    /// `GET /config`: Flink's version. The cheapest sign of a working JobManager.
    pub async fn dashboard_config(&self) -> Result<DashboardConfig, FlinkError> {
        self.get(Call::DashboardConfig, "/config".to_owned()).await
    }

    /// `GET /overview`: counts of TaskManagers, slots and jobs.
    pub async fn overview(&self) -> Result<ClusterOverview, FlinkError> {
        self.get(Call::Overview, "/overview".to_owned()).await
    }

    /// `GET /jobmanager/config`: the JobManager's effective configuration, secrets masked by Flink.
    pub async fn cluster_config(&self) -> Result<Vec<ConfigEntry>, FlinkError> {
        self.get(Call::ClusterConfig, "/jobmanager/config".to_owned()).await
    }

    /// `GET /taskmanagers`: the registered TaskManagers.
    pub async fn taskmanagers(&self) -> Result<Vec<TaskManager>, FlinkError> {
        let answer: TaskManagers = self.get(Call::TaskManagers, "/taskmanagers".to_owned()).await?;
        Ok(answer.taskmanagers)
    }

    /// `GET /jobmanager/metrics`: the named metrics; unknown ones are left out of the answer.
    pub async fn jobmanager_metrics(&self, names: &[&str]) -> Result<Vec<Metric>, FlinkError> {
        let path = format!("/jobmanager/metrics?get={}", metrics_query(names));
        self.get(Call::JobManagerMetrics, path).await
    }
}
