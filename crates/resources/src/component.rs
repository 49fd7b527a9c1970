//! Options that JobManager and TaskManagers have each for themselves.
//!
//! Source: Flink 1.20, `KubernetesJobManagerParameters`; the Java operator's `StandaloneKubernetesTaskManagerParameters`.

use std::collections::BTreeMap;

use flink_conf::FlinkConf;
use flink_conf::option::{Key, kubernetes};

use crate::container_resources::ContainerResources;
use crate::{BuildError, names, options};

/// The options of one component.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Component {
    /// Value of label `component`.
    pub(crate) label: &'static str,
    pub(crate) service_account: Key,
    pub(crate) node_selector: Key,
    pub(crate) tolerations: Key,
    /// Prefix of environment variables.
    pub(crate) env_prefix: &'static str,
    labels: Key,
    annotations: Key,
    cpu_limit_factor: Key,
    memory_limit_factor: Key,
}

pub(crate) const JOB_MANAGER: Component = Component {
    label: names::COMPONENT_JOB_MANAGER,
    service_account: kubernetes::JOB_MANAGER_SERVICE_ACCOUNT,
    node_selector: kubernetes::JOB_MANAGER_NODE_SELECTOR,
    tolerations: kubernetes::JOB_MANAGER_TOLERATIONS,
    env_prefix: "containerized.master.env.",
    labels: kubernetes::JOB_MANAGER_LABELS,
    annotations: kubernetes::JOB_MANAGER_ANNOTATIONS,
    cpu_limit_factor: kubernetes::JOB_MANAGER_CPU_LIMIT_FACTOR,
    memory_limit_factor: kubernetes::JOB_MANAGER_MEMORY_LIMIT_FACTOR,
};

pub(crate) const TASK_MANAGER: Component = Component {
    label: names::COMPONENT_TASK_MANAGER,
    service_account: kubernetes::TASK_MANAGER_SERVICE_ACCOUNT,
    node_selector: kubernetes::TASK_MANAGER_NODE_SELECTOR,
    tolerations: kubernetes::TASK_MANAGER_TOLERATIONS,
    env_prefix: "containerized.taskmanager.env.",
    labels: kubernetes::TASK_MANAGER_LABELS,
    annotations: kubernetes::TASK_MANAGER_ANNOTATIONS,
    cpu_limit_factor: kubernetes::TASK_MANAGER_CPU_LIMIT_FACTOR,
    memory_limit_factor: kubernetes::TASK_MANAGER_MEMORY_LIMIT_FACTOR,
};

impl Component {
    /// Labels of the Deployment and its pods. The selector wins over the user's, or the Deployment would not find its
    /// pods: the API server refuses such a one.
    pub(crate) fn labels(
        &self,
        conf: &FlinkConf,
        selector: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, BuildError> {
        let mut labels = options::map(conf, self.labels)?;
        labels.extend(selector.clone());
        Ok(labels)
    }

    /// Annotations of the Deployment and its pods.
    pub(crate) fn annotations(&self, conf: &FlinkConf) -> Result<BTreeMap<String, String>, BuildError> {
        options::map(conf, self.annotations)
    }

    /// What the main container gets.
    pub(crate) fn resources(
        &self,
        conf: &FlinkConf,
        cpu: f64,
        memory_mebibytes: i32,
    ) -> Result<ContainerResources, BuildError> {
        Ok(ContainerResources {
            cpu,
            cpu_limit_factor: options::limit_factor(conf, self.cpu_limit_factor)?,
            memory_mebibytes,
            memory_limit_factor: options::limit_factor(conf, self.memory_limit_factor)?,
        })
    }
}
