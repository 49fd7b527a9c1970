//! Names, labels and paths that Flink's Kubernetes client uses, and that users' tools select by.
//!
//! Source: Flink, `flink-kubernetes`, `utils/Constants.java` and `utils/KubernetesUtils.java`.

use std::collections::BTreeMap;

use api::KubernetesDeploymentMode;

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
/// Name of the port of a TaskManager's RPC.
pub const PORT_TASK_MANAGER_RPC: &str = "taskmanager-rpc";
/// Environment variable of JobManagers with the address of their pod.
pub(crate) const ENV_POD_IP: &str = "_POD_IP_ADDRESS";

/// File name of the log4j configuration, in the ConfigMap and in the container.
pub const LOG4J_FILE: &str = "log4j-console.properties";
/// File name of the logback configuration.
pub const LOGBACK_FILE: &str = "logback-console.xml";
/// Key in the pod-template ConfigMap and name of the file that the JobManager reads for its TaskManagers.
pub const TASK_MANAGER_TEMPLATE_FILE: &str = "taskmanager-pod-template.yaml";
/// Where the JobManager looks for [`TASK_MANAGER_TEMPLATE_FILE`].
pub const POD_TEMPLATE_DIR: &str = "/opt/flink/pod-template";

/// Name of the Deployment that runs the TaskManagers of a standalone cluster. A FlinkDeployment of that very name has
/// a JobManager Deployment of the same name: whoever touches one must look at its owner.
#[must_use]
pub fn task_manager_deployment(cluster_id: &str) -> String {
    format!("{cluster_id}-taskmanager")
}

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

/// Labels of the Services and ConfigMaps of a cluster.
///
/// Those that Flink's high availability writes are not among them: see [`ha_metadata_labels`].
#[must_use]
pub fn labels(mode: KubernetesDeploymentMode, cluster_id: &str) -> BTreeMap<String, String> {
    let type_of_mode = match mode {
        KubernetesDeploymentMode::Native => TYPE_NATIVE,
        KubernetesDeploymentMode::Standalone => TYPE_STANDALONE,
    };
    [("app", cluster_id), ("type", type_of_mode)]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// Labels by which a cluster's JobManager pods are selected.
#[must_use]
pub fn job_manager_selector(mode: KubernetesDeploymentMode, cluster_id: &str) -> BTreeMap<String, String> {
    selector(mode, COMPONENT_JOB_MANAGER, cluster_id)
}

/// Labels by which a cluster's TaskManager pods are selected. Flink gives them to those that it makes, too.
#[must_use]
pub fn task_manager_selector(mode: KubernetesDeploymentMode, cluster_id: &str) -> BTreeMap<String, String> {
    selector(mode, COMPONENT_TASK_MANAGER, cluster_id)
}

pub(crate) fn selector(
    mode: KubernetesDeploymentMode,
    component: &str,
    cluster_id: &str,
) -> BTreeMap<String, String> {
    let mut selector = labels(mode, cluster_id);
    selector.insert("component".to_owned(), component.to_owned());
    selector
}

/// Labels of the ConfigMaps that Flink's high availability writes. Flink knows no other type than the native one, so
/// standalone clusters have it on these ConfigMaps, too, and only on these; in native mode the cluster's own ConfigMaps
/// carry the same labels.
///
/// Source: Flink, `KubernetesUtils.getConfigMapLabels`; the Java operator's `FlinkUtils.deleteKubernetesHAMetadata`.
#[must_use]
pub fn ha_metadata_labels(cluster_id: &str) -> BTreeMap<String, String> {
    labels(KubernetesDeploymentMode::Native, cluster_id)
}

/// Labels in the form in which the API server takes them as a selector of a list: `app=a,type=b`.
#[must_use]
pub fn label_selector(labels: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standalone_clusters_have_a_type_of_their_own_but_for_what_flink_writes() {
        let standalone = KubernetesDeploymentMode::Standalone;
        let native = KubernetesDeploymentMode::Native;
        for (labels, expected) in [
            (labels(standalone, "a"), "app=a,type=flink-standalone-kubernetes"),
            (
                task_manager_selector(standalone, "a"),
                "app=a,component=taskmanager,type=flink-standalone-kubernetes",
            ),
            (job_manager_selector(native, "a"), "app=a,component=jobmanager,type=flink-native-kubernetes"),
            (ha_metadata_labels("a"), "app=a,type=flink-native-kubernetes"),
        ] {
            assert_eq!(label_selector(&labels), expected);
        }
    }
}
