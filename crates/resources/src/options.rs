//! Options of Flink's Kubernetes client, with its defaults and its checks.
//!
//! Source: Flink 1.20, `KubernetesConfigOptions.java`, `KubernetesJobManagerParameters.java`, `KubernetesUtils.java`; the
//! Java operator's `StandaloneKubernetesTaskManagerParameters.java`.

use std::collections::BTreeMap;

use flink_conf::option::{Key, OptionKey, internal, kubernetes, process, state};
use flink_conf::{Choice, FlinkConf, HighAvailability, structured};

use crate::{BuildError, ClusterKind, hash_order};

/// Default of `kubernetes.flink.conf.dir`: where images have their configuration.
pub const DEFAULT_CONF_DIR: &str = "/opt/flink/conf";
/// Default of `kubernetes.entry.path`.
pub(crate) const DEFAULT_ENTRY_PATH: &str = "/docker-entrypoint.sh";
/// Default of `user.artifacts.base-dir`.
pub(crate) const DEFAULT_ARTIFACTS_DIR: &str = "/opt/flink/artifacts";

const ARTIFACTS_DIR: Key = Key::new("user.artifacts.base-dir");

/// How the REST Service can be reached: `kubernetes.rest-service.exposed.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExposedType {
    /// By a virtual address in the cluster.
    ClusterIp,
    /// By a port of every node.
    NodePort,
    /// By a load balancer of the cloud.
    LoadBalancer,
    /// By the addresses of the pods.
    HeadlessClusterIp,
}

impl Choice for ExposedType {
    const VALUES: &'static [(&'static str, Self)] = &[
        ("ClusterIP", Self::ClusterIp),
        ("NodePort", Self::NodePort),
        ("LoadBalancer", Self::LoadBalancer),
        ("Headless_ClusterIP", Self::HeadlessClusterIp),
    ];
}

/// When the kubelet pulls the image: `kubernetes.container.image.pull-policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullPolicy {
    /// Unless the node has it.
    IfNotPresent,
    /// For every container that starts.
    Always,
    /// Not at all: the node must have it.
    Never,
}

impl PullPolicy {
    /// The text that Kubernetes uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IfNotPresent => "IfNotPresent",
            Self::Always => "Always",
            Self::Never => "Never",
        }
    }
}

impl Choice for PullPolicy {
    const VALUES: &'static [(&'static str, Self)] =
        &[("IfNotPresent", Self::IfNotPresent), ("Always", Self::Always), ("Never", Self::Never)];
}

/// Ports of a JobManager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// `rest.port`: of the REST Service. Default 8081.
    pub rest: u16,
    /// `rest.bind-port`: that the JobManager listens on. Default `rest.port`.
    pub rest_bind: u16,
    /// `jobmanager.rpc.port`. Default 6123.
    pub job_manager_rpc: u16,
    /// `blob.server.port`. Default 6124 on Kubernetes.
    pub blob_server: u16,
}

impl Ports {
    /// Reads the ports; those that Flink would choose itself must have been fixed before.
    ///
    /// # Errors
    /// A text that is no port.
    pub fn read(conf: &FlinkConf) -> Result<Self, BuildError> {
        Ok(Self {
            rest: conf.port(process::REST_PORT)?.unwrap_or(8081),
            rest_bind: fixed_port(conf, process::REST_BIND_PORT)?.unwrap_or(8081),
            job_manager_rpc: conf.port(process::JOB_MANAGER_RPC_PORT)?.unwrap_or(6123),
            blob_server: fixed_port(conf, process::BLOB_SERVER_PORT)?.unwrap_or(0),
        })
    }
}

/// Gives fixed numbers to ports that Flink would choose itself, because Services need to know them.
///
/// # Errors
/// A range of ports, or a text that is no port.
pub(crate) fn fix_ports(conf: &mut FlinkConf) -> Result<(), BuildError> {
    fix_port(conf, process::BLOB_SERVER_PORT, 0, 6124)?;
    fix_port(conf, process::TASK_MANAGER_RPC_PORT, 0, 6122)?;
    fix_port(conf, process::REST_BIND_PORT, 8081, 8081)?;
    if is_ha(conf) {
        let rpc_port = conf.port(process::JOB_MANAGER_RPC_PORT)?.unwrap_or(6123);
        fix_port(conf, state::HA_JOB_MANAGER_PORT, 0, rpc_port)?;
    }
    Ok(())
}

fn fix_port(conf: &mut FlinkConf, key: Key, default: u16, fixed: u16) -> Result<(), BuildError> {
    if fixed_port(conf, key)?.unwrap_or(default) == 0 {
        conf.set(key.name, fixed.to_string());
    }
    Ok(())
}

/// These options may be ranges (`50100-50200`), which Services cannot express.
fn fixed_port(conf: &FlinkConf, key: Key) -> Result<Option<u16>, BuildError> {
    let Some(text) = conf.text(key) else { return Ok(None) };
    match text.trim().parse() {
        Ok(port) => Ok(Some(port)),
        Err(_) => Err(BuildError::Rule(format!(
            "{} should be specified to a fixed port. Do not support a range of ports.",
            key.name
        ))),
    }
}

/// Whether Flink's high availability is on, of whatever kind.
pub(crate) fn is_ha(conf: &FlinkConf) -> bool {
    HighAvailability::of(conf).is_active()
}

/// `kubernetes.jobmanager.replicas`, default 1.
///
/// # Errors
/// Less than one, or more than one without high availability.
pub fn job_manager_replicas(conf: &FlinkConf) -> Result<i32, BuildError> {
    let key = kubernetes::JOB_MANAGER_REPLICAS;
    let replicas = conf.int(key)?.unwrap_or(1);
    if replicas < 1 {
        return Err(BuildError::Rule(format!("'{}' should not be configured less than one.", key.name)));
    }
    if replicas > 1 && !is_ha(conf) {
        let message = "High availability should be enabled when starting standby JobManagers.";
        return Err(BuildError::Rule(message.to_owned()));
    }
    Ok(replicas)
}

/// `kubernetes.internal.taskmanager.replicas`: how many TaskManagers a standalone cluster has. The effective
/// configuration of an application always says it; the default of a session cluster is 1.
///
/// # Errors
/// Less than one for an application, less than none for a session cluster.
pub fn task_manager_replicas(conf: &FlinkConf, kind: ClusterKind) -> Result<i32, BuildError> {
    let key = internal::TASK_MANAGER_REPLICAS;
    let least = match kind {
        ClusterKind::Application => 1,
        ClusterKind::Session => 0,
    };
    let replicas = conf.int(key)?.unwrap_or(1);
    if replicas < least {
        return Err(BuildError::Rule(format!("'{}' should not be configured less than {least}.", key.name)));
    }
    Ok(replicas)
}

/// CPU of a TaskManager of a standalone cluster: `kubernetes.taskmanager.cpu.amount`; without, as for native clusters,
/// `taskmanager.cpu.cores` or one core for each slot. (The Java operator writes the option's default, -1.0, which no
/// API server accepts.)
pub(crate) fn task_manager_cpu(conf: &FlinkConf) -> Result<f64, BuildError> {
    for key in [kubernetes::TASK_MANAGER_CPU, process::TASK_MANAGER_CPU_CORES] {
        if let Some(cpu) = conf.double(key)?.filter(|cpu| *cpu > 0.0) {
            return Ok(cpu);
        }
    }
    Ok(f64::from(flink_conf::task_slots(conf)?))
}

/// `taskmanager.rpc.port`, default 6122; it must have been fixed before, as for [`Ports::read`].
pub(crate) fn task_manager_rpc_port(conf: &FlinkConf) -> Result<u16, BuildError> {
    Ok(fixed_port(conf, process::TASK_MANAGER_RPC_PORT)?.unwrap_or(6122))
}

/// A factor between a limit and a request, default 1.0.
///
/// # Errors
/// Less than one: Kubernetes refuses limits below requests.
pub(crate) fn limit_factor(conf: &FlinkConf, key: Key) -> Result<f64, BuildError> {
    let factor = conf.double(key)?.unwrap_or(1.0);
    if factor >= 1.0 {
        return Ok(factor);
    }
    Err(BuildError::Rule(format!("{} should be greater or equal to 1.", key.name)))
}

/// A map option, empty by default.
pub(crate) fn map(conf: &FlinkConf, key: Key) -> Result<BTreeMap<String, String>, BuildError> {
    Ok(conf.map(key)?.unwrap_or_default())
}

/// Secrets to mount, as pairs of name and path, in the order in which Flink mounts them: `kubernetes.secrets`.
pub(crate) fn mounted_secrets(conf: &FlinkConf) -> Result<Vec<(String, String)>, BuildError> {
    let mut secrets: Vec<(String, String)> = map(conf, kubernetes::SECRETS)?.into_iter().collect();
    // Keys of one bucket of Java's table are in the order of the text.
    let written = conf.text(kubernetes::SECRETS).and_then(structured::split_map).unwrap_or_default();
    secrets.sort_by_key(|(name, _)| written.iter().position(|(written, _)| written == name));
    hash_order::sort(&mut secrets, |(name, _)| name.as_str());
    Ok(secrets)
}

/// A flag.
pub(crate) fn flag(conf: &FlinkConf, key: impl OptionKey, default: bool) -> Result<bool, BuildError> {
    Ok(conf.boolean(key)?.unwrap_or(default))
}

/// Where the configuration is mounted: `kubernetes.flink.conf.dir`.
pub(crate) fn conf_dir(conf: &FlinkConf) -> &str {
    conf.text(kubernetes::FLINK_CONF_DIR).unwrap_or(DEFAULT_CONF_DIR)
}

/// Where the JobManager puts fetched jars: `user.artifacts.base-dir`.
pub(crate) fn artifacts_dir(conf: &FlinkConf) -> &str {
    conf.text(ARTIFACTS_DIR).unwrap_or(DEFAULT_ARTIFACTS_DIR)
}

/// Whether pods use the network of their nodes.
pub(crate) fn host_network(conf: &FlinkConf) -> Result<bool, BuildError> {
    flag(conf, kubernetes::HOST_NETWORK, false)
}
