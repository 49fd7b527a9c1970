//! From the recorded state to the objects of a cluster. The same state gives the same objects, so that a create whose
//! answer was lost can be repeated.

use api::FlinkDeploymentSpec;
use flink_conf::{ClusterIdentity, ConfError, FlinkConf, effective};
use kube::core::DynamicObject;
use resources::{BuildError, ClusterInput, ClusterObjects};

use super::pass::Pass;
use crate::observed::JobManager;

/// The configuration that a spec is deployed with, without what the attempt decides.
///
/// A recorded spec has the upgrade mode that was really used, `stateless` at first. What the configuration derives
/// from the mode (checkpoints every five minutes for `last-state`) follows the one that the user wrote.
pub(super) fn configuration(pass: &Pass<'_>, spec: &FlinkDeploymentSpec) -> Result<FlinkConf, ConfError> {
    let mut spec = spec.clone();
    let wished = pass.resource.spec.job.as_ref().and_then(|job| job.upgrade_mode);
    if let (Some(job), Some(wished)) = (&mut spec.job, wished) {
        job.upgrade_mode = Some(wished);
    }
    effective::deploy(pass.context.defaults, &identity(pass), &spec)
}

fn identity(pass: &Pass<'_>) -> ClusterIdentity {
    ClusterIdentity {
        name: pass.name.to_owned(),
        namespace: pass.namespace.to_owned(),
        uid: pass.uid.to_owned(),
        generation: pass.operation().generation.unwrap_or(pass.generation),
    }
}

/// The objects of the cluster that the recorded operation is about to create.
pub(super) fn cluster(pass: &Pass<'_>) -> Result<ClusterObjects, BuildError> {
    let spec = pass.deployed_spec().unwrap_or_else(|| pass.spec.clone());
    let operation = pass.operation();
    let attempt = operation.attempt.unwrap_or_default();
    objects(pass, &spec, &attempt, pass.job_id(), operation.restore_path.as_deref())
}

/// What belongs to the JobManager Deployment of the cluster that runs, of the same attempt; nothing of a spec that cannot
/// be built any more. What a job is restored from, which only its JobManager reads, is left out.
pub(super) fn dependents(pass: &Pass<'_>, job_manager: &JobManager) -> Vec<DynamicObject> {
    let spec = pass.deployed_spec().unwrap_or_else(|| pass.spec.clone());
    let attempt = job_manager.attempt.as_deref().unwrap_or_default();
    objects(pass, &spec, attempt, pass.job_id(), None)
        .map_or_else(|_| Vec::new(), |objects| objects.dependents_owned_by(&job_manager.uid))
}

/// Whether a cluster could be built from `spec`: asked before anything that runs is stopped for it.
pub(super) fn rehearse(pass: &Pass<'_>, spec: &FlinkDeploymentSpec) -> Result<(), BuildError> {
    const ANY_ID: &str = "00000000000000000000000000000000";
    objects(pass, spec, ANY_ID, Some(ANY_ID), None).map(|_| ())
}

fn objects(
    pass: &Pass<'_>,
    spec: &FlinkDeploymentSpec,
    attempt: &str,
    job_id: Option<&str>,
    restore_path: Option<&str>,
) -> Result<ClusterObjects, BuildError> {
    let conf = configuration(pass, spec)?;
    let identity = identity(pass);
    let files = pass.context.files;
    let input = ClusterInput { identity: &identity, spec, conf: &conf, attempt, job_id, restore_path, files };
    ClusterObjects::of(&input)
}

/// The Ingress of the cluster that runs.
pub(super) fn ingress(pass: &Pass<'_>, wanted: &api::IngressSpec) -> Result<DynamicObject, BuildError> {
    resources::ingress(&identity(pass), wanted, pass.flink_cluster().rest_port)
}
