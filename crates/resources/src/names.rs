//! Names, labels and paths that Flink's Kubernetes client uses, and that users' tools select by.
//!
//! Source: Flink, `flink-kubernetes`, `utils/Constants.java` and `utils/KubernetesUtils.java`.

use std::collections::BTreeMap;

/// The container that runs Flink; pod templates address it by this name.
pub const MAIN_CONTAINER: &str = "flink-main-container";
/// Value of label `component` on JobManagers.
pub const COMPONENT_JOB_MANAGER: &str = "jobmanager";
/// Value of label `component` on TaskManagers.
pub const COMPONENT_TASK_MANAGER: &str = "taskmanager";
/// Value of label `type` on objects of native clusters.
pub const TYPE_NATIVE: &str = "flink-native-kubernetes";
/// Value of label `type` on objects of standalone clusters.
pub const TYPE_STANDALONE: &str = "flink-standalone-kubernetes";
/// Annotation that carries the FlinkDeployment's generation.
pub const GENERATION_ANNOTATION: &str = "flinkdeployment.flink.apache.org/generation";

/// Name of the port of the REST API.
pub const PORT_REST: &str = "rest";
/// Name of the port of the JobManager's RPC.
pub const PORT_JOB_MANAGER_RPC: &str = "jobmanager-rpc";
/// Name of the port of the blob server.
pub const PORT_BLOB_SERVER: &str = "blobserver";

/// File name of the log4j configuration, in the ConfigMap and in the container.
pub const LOG4J_FILE: &str = "log4j-console.properties";
/// File name of the logback configuration.
pub const LOGBACK_FILE: &str = "logback-console.xml";
/// Key in the pod-template ConfigMap and name of the file that the JobManager reads for its TaskManagers.
pub const TASK_MANAGER_TEMPLATE_FILE: &str = "taskmanager-pod-template.yaml";
/// Where the JobManager looks for [`TASK_MANAGER_TEMPLATE_FILE`].
pub const POD_TEMPLATE_DIR: &str = "/opt/flink/pod-template";

/// Name of the REST Service of a cluster.
#[must_use]
pub fn rest_service(cluster_id: &str) -> String {
    format!("{cluster_id}-rest")
}

/// Name of the ConfigMap with the configuration and log files.
#[must_use]
pub fn config_map(cluster_id: &str) -> String {
    format!("flink-config-{cluster_id}")
}

/// Name of the ConfigMap with the TaskManagers' pod template.
#[must_use]
pub fn pod_template_config_map(cluster_id: &str) -> String {
    format!("pod-template-{cluster_id}")
}

/// Name of the ConfigMap with Hadoop's configuration files.
#[must_use]
pub fn hadoop_config_map(cluster_id: &str) -> String {
    format!("hadoop-config-{cluster_id}")
}

/// Labels of every object of a native cluster. The HA ConfigMaps that Flink writes carry them too.
#[must_use]
pub fn native_labels(cluster_id: &str) -> BTreeMap<String, String> {
    labels([("app", cluster_id), ("type", TYPE_NATIVE)])
}

/// Labels by which a native cluster's JobManager pods are selected.
#[must_use]
pub fn native_job_manager_selector(cluster_id: &str) -> BTreeMap<String, String> {
    labels([("app", cluster_id), ("component", COMPONENT_JOB_MANAGER), ("type", TYPE_NATIVE)])
}

fn labels<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}
