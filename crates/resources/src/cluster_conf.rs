//! The configuration that a cluster's pods read: the deploy configuration, completed by what the deployment
//! attempt decides and by what Flink's Kubernetes client adds.
//!
//! Source: Flink 1.20, `KubernetesClusterDescriptor` and `InternalServiceDecorator`; the Java operator's
//! `KubernetesStandaloneClusterDescriptor`, `ApplicationReconciler` and `AbstractFlinkService`.

use std::collections::BTreeMap;

use api::{FlinkVersion, JobSpec, KubernetesDeploymentMode};
use flink_conf::cluster_side::{self, ConfigFile};
use flink_conf::option::{internal, job, process, state};
use flink_conf::{FlinkConf, HighAvailability};

use crate::input::{ClusterInput, ClusterKind};
use crate::{BuildError, base, native, options, standalone};

const PYTHON_MAIN_CLASSES: [&str; 2] =
    ["org.apache.flink.client.python.PythonDriver", "org.apache.flink.client.python.PythonGatewayServer"];
/// Flink's default node of job graphs, and the option in the spelling that Flink 1.x and 2.x read.
const JOB_GRAPHS_NODE: &str = "/jobgraphs";
const JOB_GRAPHS_OPTION: &str = "high-availability.zookeeper.path.jobgraphs";
const PYTHON_ARGUMENTS: [&str; 4] = ["-py", "--python", "-pym", "--pyModule"];

/// Completes the deploy configuration. The operator's own options are not in the result.
///
/// # Errors
/// Options that Flink's client refuses.
pub(crate) fn complete(
    input: &ClusterInput<'_>,
    mode: KubernetesDeploymentMode,
    kind: ClusterKind,
) -> Result<FlinkConf, BuildError> {
    let identity = input.identity;
    let mut conf = cluster_side::strip(input.conf);
    if kind == ClusterKind::Application {
        add_attempt(&mut conf, input);
    }
    match mode {
        KubernetesDeploymentMode::Native => add_entry_point(&mut conf, input, kind)?,
        KubernetesDeploymentMode::Standalone => standalone::leave_to_flink(&mut conf)?,
    }
    options::fix_ports(&mut conf)?;
    if options::is_ha(&conf) {
        conf.set(state::HA_CLUSTER_ID.name, &identity.name);
    }
    if base::has_internal_service(&conf, mode) {
        let address = format!("{}.{}", identity.name, identity.namespace);
        conf.set(process::JOB_MANAGER_RPC_ADDRESS.name, address);
    }
    Ok(conf)
}

/// What a native JobManager starts.
fn add_entry_point(
    conf: &mut FlinkConf,
    input: &ClusterInput<'_>,
    kind: ClusterKind,
) -> Result<(), BuildError> {
    if let Some(job) = &input.spec.job {
        check_program(conf, job, input.spec.flink_version)?;
    }
    conf.set(internal::EXECUTION_MODE.name, "NORMAL");
    conf.set(internal::JOB_MANAGER_ENTRYPOINT.name, native::entry_point_class(kind));
    Ok(())
}

/// Job, state and place of results of this attempt.
fn add_attempt(conf: &mut FlinkConf, input: &ClusterInput<'_>) {
    if let Some(job_id) = input.job_id {
        conf.set(internal::JOB_ID.name, job_id);
    }
    // Under all its names: Flink prefers the newer one, and a path left from the user would win over the state that
    // was recorded for this attempt.
    conf.remove(state::RESTORE_PATH);
    if let Some(path) = input.restore_path {
        conf.set(state::SAVEPOINT_PATH.name, path);
    }
    if let Some(directory) = conf.text(state::HA_STORAGE_DIR).map(str::to_owned) {
        conf.set_if_absent(state::JOB_RESULT_STORE_DELETE, "false");
        // A directory of its own, or a job that is deployed again under its old id would count as finished.
        let name = &input.identity.name;
        let path = format!("{}/job-result-store/{name}/{}", directory.trim_end_matches('/'), input.attempt);
        conf.set(state::JOB_RESULT_STORE_PATH.name, path);
    }
    if HighAvailability::of(conf) == HighAvailability::ZooKeeper {
        add_job_graph_node(conf, input.attempt);
    }
}

/// A node for the programs of this attempt alone. A JobManager recovers what it finds there instead of running the new
/// program, and nobody removes what an earlier attempt left in `ZooKeeper`. The name is understood by every version.
fn add_job_graph_node(conf: &mut FlinkConf, attempt: &str) {
    let node = conf.text(state::HA_ZOOKEEPER_JOB_GRAPHS).unwrap_or(JOB_GRAPHS_NODE);
    let node = format!("{}-{attempt}", node.trim_end_matches('/'));
    conf.remove(state::HA_ZOOKEEPER_JOB_GRAPHS);
    conf.set(JOB_GRAPHS_OPTION, node);
}

fn check_program(conf: &FlinkConf, job: &JobSpec, version: Option<FlinkVersion>) -> Result<(), BuildError> {
    if is_python(job) { Ok(()) } else { check_jar(conf, version) }
}

fn is_python(job: &JobSpec) -> bool {
    let by_class = job.entry_class.as_deref().is_some_and(|class| PYTHON_MAIN_CLASSES.contains(&class));
    let mut arguments = job.args_or_default().iter();
    by_class || arguments.any(|argument| PYTHON_ARGUMENTS.contains(&argument.as_str()))
}

/// An application runs exactly one jar; from Flink 2.1 on it may also be on the image's class path.
fn check_jar(conf: &FlinkConf, version: Option<FlinkVersion>) -> Result<(), BuildError> {
    let jars = conf.list(job::JARS)?.unwrap_or_default();
    match jars.as_slice() {
        [] if version >= Some(FlinkVersion::V2_1) => Ok(()),
        [] => Err(BuildError::Rule("spec.job.jarURI must be set: Flink before 2.1 needs a jar".to_owned())),
        [jar] if jar.contains(|char: char| char.is_whitespace() || char.is_control()) => {
            Err(BuildError::Rule(format!("spec.job.jarURI is not a URI: '{jar}' contains blanks")))
        }
        [_] => Ok(()),
        _ => Err(BuildError::Rule("Should only have one jar".to_owned())),
    }
}

/// The data of ConfigMap `flink-config-<name>`: log files and the configuration file.
pub(crate) fn data(logs: &[(&'static str, &str)], file: &ConfigFile) -> BTreeMap<String, String> {
    let logs = logs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    logs.chain([(file.name.to_owned(), file.text.clone())]).collect()
}
