//! Native clusters: a JobManager that asks Kubernetes for its TaskManagers itself.
//!
//! Source: Flink 1.20, `KubernetesJobManagerFactory`, `CmdJobManagerDecorator`, `PodTemplateMountDecorator`.

use std::collections::BTreeMap;

use flink_conf::FlinkConf;
use flink_conf::option::kubernetes;
use serde_json::json;

use crate::base::Base;
use crate::cluster::ClusterObjects;
use crate::input::{ClusterInput, ClusterKind};
use crate::pod::FlinkPod;
use crate::{BuildError, decorators, names, pod_template, templates};

const POD_TEMPLATE_VOLUME: &str = "pod-template-volume";

/// The class that the JobManager's container starts.
pub(crate) fn entry_point_class(kind: ClusterKind) -> &'static str {
    match kind {
        ClusterKind::Application => {
            "org.apache.flink.kubernetes.entrypoint.KubernetesApplicationClusterEntrypoint"
        }
        ClusterKind::Session => "org.apache.flink.kubernetes.entrypoint.KubernetesSessionClusterEntrypoint",
    }
}

/// The objects of a native cluster.
pub(crate) fn objects(input: &ClusterInput<'_>) -> Result<ClusterObjects, BuildError> {
    let base = Base::new(input)?;
    let task_manager_template = templates::task_manager(input)?;
    let mut pod = base.job_manager_pod()?;
    decorators::set_command(&mut pod, &base.conf, &command(&base.conf, ClusterKind::of(input.spec)));
    let mut dependents = base.dependents()?;
    if let Some(template) = task_manager_template {
        add_pod_template_volume(&mut pod, base.cluster_id())?;
        let text = pod_template::render(&template);
        let data = BTreeMap::from([(names::TASK_MANAGER_TEMPLATE_FILE.to_owned(), text)]);
        dependents.push(base.config_map(names::pod_template_config_map(base.cluster_id()), data)?);
    }
    Ok(ClusterObjects { deployment: base.job_manager_deployment(pod)?, task_managers: None, dependents })
}

/// Flink's script with its entry point and what `kubernetes.jobmanager.entrypoint.args` adds.
fn command(conf: &FlinkConf, kind: ClusterKind) -> [String; 3] {
    let entry_point = match kind {
        ClusterKind::Application => "kubernetes-application",
        ClusterKind::Session => "kubernetes-session",
    };
    let arguments = conf.text(kubernetes::JOB_MANAGER_ENTRYPOINT_ARGS).unwrap_or_default();
    let script = format!("kubernetes-jobmanager.sh {entry_point} {arguments}");
    ["bash".to_owned(), "-c".to_owned(), script]
}

/// Mounts the TaskManagers' pod template where the JobManager looks for it when it makes TaskManager pods.
fn add_pod_template_volume(pod: &mut FlinkPod, cluster_id: &str) -> Result<(), BuildError> {
    let file = names::TASK_MANAGER_TEMPLATE_FILE;
    let config_map =
        json!({"name": names::pod_template_config_map(cluster_id), "items": [{"key": file, "path": file}]});
    pod.append("volumes", [json!({"name": POD_TEMPLATE_VOLUME, "configMap": config_map})])?;
    pod.append_main(
        "volumeMounts",
        [json!({"name": POD_TEMPLATE_VOLUME, "mountPath": names::POD_TEMPLATE_DIR})],
    )
}
