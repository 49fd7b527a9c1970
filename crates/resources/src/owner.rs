//! Whom the objects of a cluster belong to.

use flink_conf::ClusterIdentity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

/// A reference to the FlinkDeployment that blocks its deletion in the foreground until the object is gone.
///
/// Deployments carry `controller: false`, as Flink's client writes it; Ingresses `true`.
pub(crate) fn reference(owner: &ClusterIdentity, controller: bool) -> OwnerReference {
    OwnerReference {
        api_version: api::API_VERSION.to_owned(),
        kind: "FlinkDeployment".to_owned(),
        name: owner.name.clone(),
        uid: owner.uid.clone(),
        controller: Some(controller),
        block_owner_deletion: Some(true),
    }
}
