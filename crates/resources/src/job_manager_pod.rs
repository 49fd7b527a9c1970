//! What the JobManager's pod has in both modes and TaskManagers' do not.
//!
//! Source: Flink 1.20, `InitJobManagerDecorator`.

use std::collections::BTreeMap;

use flink_conf::FlinkConf;
use serde_json::{Value, json};

use crate::component::JOB_MANAGER;
use crate::container_resources::ContainerResources;
use crate::options::{self, Ports};
use crate::pod::FlinkPod;
use crate::{BuildError, decorators, names};

const ARTIFACTS_VOLUME: &str = "user-artifacts-volume";

/// Fields of the template that Flink decides: identity, image, network, what it needs to run.
pub(crate) fn init(
    pod: &mut FlinkPod,
    conf: &FlinkConf,
    labels: &BTreeMap<String, String>,
    resources: ContainerResources,
    default_image: &str,
) -> Result<(), BuildError> {
    decorators::add_scheduling(pod, conf, &JOB_MANAGER)?;
    decorators::add_image(pod, conf, default_image)?;
    let host_network = options::host_network(conf)?;
    pod.set("hostNetwork", host_network);
    let dns_policy = match pod.text("dnsPolicy") {
        _ if host_network => "ClusterFirstWithHostNet",
        Some(of_template) => of_template,
        None => "ClusterFirst",
    };
    pod.set("dnsPolicy", dns_policy.to_owned());
    pod.add_labels(labels);
    pod.add_annotations(&JOB_MANAGER.annotations(conf)?);
    resources.write_to(pod.main());
    if !host_network {
        pod.append_main("ports", container_ports(Ports::read(conf)?))?;
    }
    pod.append_main("env", decorators::environment(conf, &JOB_MANAGER))?;
    let pod_ip = json!({"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}});
    pod.append_main("env", [json!({"name": names::ENV_POD_IP, "valueFrom": pod_ip})])?;
    pod.append_main("env", decorators::log_directory(conf))?;
    pod.append("volumes", [json!({"name": ARTIFACTS_VOLUME, "emptyDir": {}})])?;
    let mount = json!({"name": ARTIFACTS_VOLUME, "mountPath": options::artifacts_dir(conf)});
    pod.append_main("volumeMounts", [mount])
}

fn container_ports(ports: Ports) -> [Value; 3] {
    [
        // The port that the process listens on: the startup probe goes to it by this name.
        json!({"name": names::PORT_REST, "containerPort": ports.rest_bind}),
        json!({"name": names::PORT_JOB_MANAGER_RPC, "containerPort": ports.job_manager_rpc}),
        json!({"name": names::PORT_BLOB_SERVER, "containerPort": ports.blob_server}),
    ]
}
