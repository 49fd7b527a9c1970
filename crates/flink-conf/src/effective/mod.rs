//! The configuration that a cluster is deployed with: operator defaults, the custom resource's
//! `flinkConfiguration`, and its other fields, in that order.
//!
//! Source: `FlinkConfigManager.java` and `FlinkConfigBuilder.java` of the Java operator. Not in here is
//! what the deployment attempt decides (job id, restore path, job result store), and what Flink's
//! Kubernetes client adds (ports, entry points, the JobManager's address).

mod component;
mod job;
mod session_job;
#[cfg(test)]
mod tests;

use api::{FlinkDeploymentSpec, FlinkVersion, flink_configuration};
use serde_json::Value;

use crate::conf::FlinkConf;
use crate::error::ConfError;
use crate::high_availability::HighAvailability;
use crate::operator_defaults::OperatorDefaults;
use crate::option::{internal, kubernetes, process, state};
use crate::reading;

pub use session_job::session_job;

/// Cipher suites of REST with TLS where nobody has chosen any: Flink's default from 2.0 on. The one before,
/// `TLS_RSA_WITH_AES_128_CBC_SHA`, has no forward secrecy; our client and new Java versions do not know it.
const TLS_ALGORITHMS: &str = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384";
/// Annotation on the JobManager with the generation of the FlinkDeployment it was made for.
const GENERATION_ANNOTATION: &str = api::names::ANNOTATION_GENERATION;

/// What a FlinkDeployment's metadata contributes to the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterIdentity {
    /// `metadata.name`, which is Flink's cluster id.
    pub name: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.generation` of the spec that is deployed.
    pub generation: i64,
}

/// The configuration to deploy `spec` with, except for what the attempt decides.
///
/// # Errors
/// [`ConfError::Missing`] without `spec.flinkVersion`; [`ConfError::Field`] for a field that cannot be
/// translated; [`ConfError::Value`] for an option that is needed here and has not its type.
pub fn deploy(
    defaults: &OperatorDefaults,
    identity: &ClusterIdentity,
    spec: &FlinkDeploymentSpec,
) -> Result<FlinkConf, ConfError> {
    let mut conf = of_spec(defaults, identity, spec)?;
    set_generation(&mut conf, identity.generation)?;
    set_owner(&mut conf, identity);
    Ok(conf)
}

/// The configuration to observe a cluster with: that of the spec it was deployed with, under the
/// operator's and autoscaler's own options and the savepoint directory of the current spec, which take
/// effect without a deployment.
///
/// # Errors
/// As [`deploy`].
pub fn observe(
    defaults: &OperatorDefaults,
    identity: &ClusterIdentity,
    deployed: &FlinkDeploymentSpec,
    current: &FlinkDeploymentSpec,
) -> Result<FlinkConf, ConfError> {
    let mut conf = of_spec(defaults, identity, deployed)?;
    let current = flat(current.flink_configuration.as_ref())?;
    for prefix in [internal::OPERATOR_PREFIX, internal::AUTOSCALER_PREFIX] {
        conf.extend(current.with_prefix(prefix).map(|(rest, value)| (format!("{prefix}{rest}"), value)));
    }
    if let Some(directory) = current.text(state::SAVEPOINT_DIR) {
        conf.set(state::SAVEPOINT_DIR.name, directory);
    }
    Ok(conf)
}

/// Operator defaults for a resource of this namespace and version, and its `flinkConfiguration` over them:
/// what the user configured, before any field of the spec. Validation rules look at this.
///
/// # Errors
/// [`ConfError::Field`] if `flinkConfiguration` is not an object.
pub fn configured(
    defaults: &OperatorDefaults,
    namespace: &str,
    version: Option<FlinkVersion>,
    flink_configuration: Option<&Value>,
) -> Result<FlinkConf, ConfError> {
    let mut conf = defaults.for_resource(namespace, version);
    conf.overlay(&flat(flink_configuration)?);
    Ok(conf)
}

/// `flinkConfiguration` alone.
pub(crate) fn flat(raw: Option<&Value>) -> Result<FlinkConf, ConfError> {
    match flink_configuration::flatten(raw) {
        Ok(entries) => Ok(entries.into_iter().collect()),
        Err(error) => Err(ConfError::field("spec.flinkConfiguration", error.found, "an object of options")),
    }
}

/// Everything that follows from the spec alone, so that equal specs give equal configurations.
fn of_spec(
    defaults: &OperatorDefaults,
    identity: &ClusterIdentity,
    spec: &FlinkDeploymentSpec,
) -> Result<FlinkConf, ConfError> {
    let version = spec.flink_version.ok_or(ConfError::Missing { field: "spec.flinkVersion" })?;
    let mut conf =
        configured(defaults, &identity.namespace, Some(version), spec.flink_configuration.as_ref())?;
    conf.set_if_absent(kubernetes::REST_SERVICE_EXPOSED_TYPE, "ClusterIP");
    // Jobs are cancelled through the custom resource, not by accident in the web UI.
    conf.set_if_absent(process::WEB_CANCEL, "false");
    conf.set(internal::FLINK_VERSION.name, version.as_str());
    if version < FlinkVersion::V2_0 && reading::rest_tls(&conf)? {
        conf.set_if_absent(process::TLS_ALGORITHMS, TLS_ALGORITHMS);
    }
    job::apply_defaults(&mut conf, &identity.name, spec);
    apply_image(&mut conf, version, spec);
    component::apply_job_manager(&mut conf, version, spec)?;
    component::apply_task_manager(&mut conf, version, spec)?;
    job::apply(&mut conf, spec)?;
    conf.set(kubernetes::NAMESPACE.name, &identity.namespace);
    conf.set(kubernetes::CLUSTER_ID.name, &identity.name);
    if HighAvailability::of(&conf).is_active() {
        conf.set(state::HA_CLUSTER_ID.name, &identity.name);
    }
    Ok(conf)
}

fn apply_image(conf: &mut FlinkConf, version: FlinkVersion, spec: &FlinkDeploymentSpec) {
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
    if let Some(image) = filled(&spec.image) {
        let key = if version >= FlinkVersion::V1_17 {
            kubernetes::IMAGE.name
        } else {
            "kubernetes.container.image"
        };
        conf.set(key, image);
    }
    if let Some(policy) = filled(&spec.image_pull_policy) {
        conf.set(kubernetes::IMAGE_PULL_POLICY.name, policy);
    }
    if let Some(account) = &spec.service_account {
        conf.set(kubernetes::SERVICE_ACCOUNT.name, account);
    }
}

fn set_generation(conf: &mut FlinkConf, generation: i64) -> Result<(), ConfError> {
    let key = kubernetes::JOB_MANAGER_ANNOTATIONS;
    let mut annotations = conf.map(key)?.unwrap_or_default();
    annotations.insert(GENERATION_ANNOTATION.to_owned(), generation.to_string());
    // As Flink: writing a map replaces the entries that were given as keys of their own.
    conf.remove_prefix(&format!("{}.", key.name));
    conf.set_map(key.name, annotations.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    Ok(())
}

fn set_owner(conf: &mut FlinkConf, identity: &ClusterIdentity) {
    conf.set_map(
        kubernetes::JOB_MANAGER_OWNER_REFERENCE.name,
        [
            ("apiVersion", api::API_VERSION),
            ("blockOwnerDeletion", "true"),
            ("controller", "false"),
            ("kind", "FlinkDeployment"),
            ("name", identity.name.as_str()),
            ("uid", identity.uid.as_str()),
        ],
    );
}
