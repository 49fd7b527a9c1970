//! Our objects for a recorded case.

use api::{FlinkDeployment, JobState, decode};
use flink_conf::operator_defaults::ConfFolder;
use flink_conf::{ClusterIdentity, OperatorDefaults, effective};
use kube_core::DynamicObject;
use resources::{ClusterInput, ClusterObjects, OperatorFiles};
use serde_json::Value;

/// The operator's configuration while the recordings were made: the Helm chart's.
pub const OPERATOR_CONFIGURATION: &str = include_str!("operator-configuration.yaml");

/// Random ids are put in as the recordings' normalising writes them.
const UID: &str = "<UID>";
const JOB_ID: &str = "<JOB_ID>";
pub(crate) const ATTEMPT: &str = "<UUID>";

/// Why there are no objects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoObjects {
    /// The resource does not fit its type.
    #[error(transparent)]
    Decode(#[from] api::DecodeError),
    /// Its configuration cannot be used.
    #[error(transparent)]
    Configuration(#[from] flink_conf::ConfError),
    /// The builders refuse it.
    #[error(transparent)]
    Build(#[from] resources::BuildError),
}

/// The operator's defaults while the recordings were made.
///
/// # Errors
/// The file of this crate is broken.
pub fn operator_defaults() -> Result<OperatorDefaults, flink_conf::ConfError> {
    let folder = ConfFolder { flink_conf_yaml: Some(OPERATOR_CONFIGURATION), config_yaml: None };
    Ok(OperatorDefaults::read(folder, ConfFolder::default())?.0)
}

/// The objects of a FlinkDeployment when it is first deployed.
///
/// # Errors
/// See [`NoObjects`].
pub fn objects(resource: &Value, generation: i64) -> Result<Vec<Value>, NoObjects> {
    let resource: FlinkDeployment = decode(resource.clone())?;
    let spec = resource.spec.clone();
    if spec.job.as_ref().is_some_and(|job| job.state_or_default() == JobState::Suspended) {
        return Ok(Vec::new());
    }
    let identity = ClusterIdentity {
        name: resource.metadata.name.clone().unwrap_or_default(),
        namespace: resource.metadata.namespace.clone().unwrap_or_default(),
        uid: UID.to_owned(),
        generation,
    };
    let conf = effective::deploy(&operator_defaults()?, &identity, &spec)?;
    let own_job_id = conf.text(flink_conf::option::internal::JOB_ID);
    let files = OperatorFiles::default();
    let input = ClusterInput {
        identity: &identity,
        spec: &spec,
        conf: &conf,
        attempt: ATTEMPT,
        job_id: own_job_id.or(Some(JOB_ID)),
        restore_path: spec.job.as_ref().and_then(|job| job.initial_savepoint_path.as_deref()),
        files: &files,
    };
    let cluster = ClusterObjects::of(&input)?;
    let mut objects = cluster.dependents_owned_by(UID);
    objects.push(cluster.deployment);
    if let Some(ingress) = &spec.ingress {
        let port = resources::options::Ports::read(&conf)?.rest;
        objects.push(resources::ingress(&identity, ingress, port)?);
    }
    Ok(objects.iter().map(json).collect())
}

fn json(object: &DynamicObject) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}
