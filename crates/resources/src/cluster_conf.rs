//! The configuration that a native cluster's pods read: the deploy configuration as Flink's Kubernetes client
//! completes it.
//!
//! Source: Flink 1.20, `KubernetesClusterDescriptor`, `InternalServiceDecorator`, and the Java operator's
//! `AbstractFlinkService` and `FlinkConfMountDecorator`.

use std::collections::BTreeMap;

use api::{FlinkDeploymentSpec, FlinkVersion, JobSpec};
use flink_conf::FlinkConf;
use flink_conf::option::{internal, job, kubernetes, process, state};

use crate::native::ClusterKind;
use crate::owner::Owner;
use crate::{BuildError, options};

const PYTHON_MAIN_CLASSES: [&str; 2] =
    ["org.apache.flink.client.python.PythonDriver", "org.apache.flink.client.python.PythonGatewayServer"];
const PYTHON_ARGUMENTS: [&str; 4] = ["-py", "--python", "-pym", "--pyModule"];

/// Completes the deploy configuration on the client's side.
///
/// # Errors
/// Options that Flink's client refuses.
pub(crate) fn complete(
    deploy: &FlinkConf,
    owner: &Owner<'_>,
    spec: &FlinkDeploymentSpec,
    kind: ClusterKind,
) -> Result<FlinkConf, BuildError> {
    let mut conf = deploy.clone();
    conf.remove_prefix(internal::OPERATOR_PREFIX);
    conf.remove_prefix(internal::AUTOSCALER_PREFIX);
    if let (ClusterKind::Application, Some(job)) = (kind, &spec.job) {
        add_program(&mut conf, job, spec.flink_version)?;
    }
    conf.set(internal::EXECUTION_MODE.name, "NORMAL");
    conf.set(internal::JOB_MANAGER_ENTRYPOINT.name, kind.entry_point_class());
    options::fix_ports(&mut conf)?;
    if options::is_ha(&conf) {
        conf.set(state::HA_CLUSTER_ID.name, owner.name);
    } else {
        // The name of the internal Service; with high availability the address comes from the leader election.
        conf.set(process::JOB_MANAGER_RPC_ADDRESS.name, format!("{}.{}", owner.name, owner.namespace));
    }
    Ok(conf)
}

fn add_program(conf: &mut FlinkConf, job: &JobSpec, version: Option<FlinkVersion>) -> Result<(), BuildError> {
    let arguments = job.args.as_deref().unwrap_or_default();
    conf.set_list(internal::APPLICATION_ARGS.name, arguments);
    if let Some(main) = &job.entry_class {
        conf.set(internal::APPLICATION_MAIN.name, main);
    }
    if !is_python(job) {
        check_jar(conf, version)?;
    }
    Ok(())
}

fn is_python(job: &JobSpec) -> bool {
    let by_class = job.entry_class.as_deref().is_some_and(|class| PYTHON_MAIN_CLASSES.contains(&class));
    let mut arguments = job.args.iter().flatten();
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

/// Name and text of the configuration file for the pods.
///
/// # Errors
/// For Flink 2.x, keys of which one continues another: they cannot be nested.
pub(crate) fn file(
    conf: &FlinkConf,
    version: Option<FlinkVersion>,
) -> Result<(&'static str, String), BuildError> {
    let mut conf = conf.clone();
    for client_side in [
        kubernetes::CONFIG_FILE,
        internal::CONF_DIR,
        // Images bind these to localhost; in pods they must be the defaults.
        process::REST_BIND_ADDRESS,
        process::JOB_MANAGER_BIND_HOST,
        process::TASK_MANAGER_BIND_HOST,
        process::TASK_MANAGER_HOST,
    ] {
        conf.remove(client_side);
    }
    if version.is_some_and(FlinkVersion::uses_config_yaml) {
        Ok(("config.yaml", flink_conf::nested_file::render(&conf)?))
    } else {
        Ok(("flink-conf.yaml", flink_conf::flat_file::render(&conf)))
    }
}

/// The data of ConfigMap `flink-config-<name>`: log files and the configuration file.
pub(crate) fn data(logs: &[(&'static str, &str)], file: (&'static str, String)) -> BTreeMap<String, String> {
    let logs = logs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    logs.chain([(file.0.to_owned(), file.1)]).collect()
}
