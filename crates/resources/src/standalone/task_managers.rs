//! The Deployment of a standalone cluster's TaskManagers.
//!
//! Source: the Java operator's `InitStandaloneTaskManagerDecorator`, `StandaloneKubernetesTaskManagerParameters`.

use kube_core::DynamicObject;
use serde_json::json;

use super::arguments;
use crate::base::Base;
use crate::component::TASK_MANAGER;
use crate::pod::FlinkPod;
use crate::{BuildError, ClusterKind, decorators, names, options, templates};

pub(super) fn deployment(base: &Base<'_>) -> Result<DynamicObject, BuildError> {
    let template = templates::task_manager(base.input)?.unwrap_or_default();
    let mut pod = FlinkPod::from_template(template);
    init(&mut pod, base)?;
    base.add_secrets_and_files(&mut pod)?;
    decorators::set_command(&mut pod, &base.conf, &[arguments::TASK_MANAGER.to_owned()]);
    let name = names::task_manager_deployment(base.cluster_id());
    let replicas = options::task_manager_replicas(&base.conf, ClusterKind::of(base.input.spec))?;
    base.deployment(&TASK_MANAGER, name, replicas, pod)
}

fn init(pod: &mut FlinkPod, base: &Base<'_>) -> Result<(), BuildError> {
    let conf = &base.conf;
    decorators::add_scheduling(pod, conf, &TASK_MANAGER)?;
    decorators::add_image(pod, conf, &base.default_image)?;
    pod.add_labels(&base.labels(&TASK_MANAGER)?);
    pod.add_annotations(&TASK_MANAGER.annotations(conf)?);
    let cpu = options::task_manager_cpu(conf)?;
    TASK_MANAGER.resources(conf, cpu, base.task_manager_mebibytes)?.write_to(pod.main());
    let port = options::task_manager_rpc_port(conf)?;
    pod.append_main("ports", [json!({"name": names::PORT_TASK_MANAGER_RPC, "containerPort": port})])?;
    pod.append_main("env", decorators::environment(conf, &TASK_MANAGER))?;
    pod.append_main("env", decorators::log_directory(conf))
}
