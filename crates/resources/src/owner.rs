//! Whom the objects of a cluster belong to.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

/// The FlinkDeployment that a cluster is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner<'a> {
    /// `metadata.name`, which is also the cluster id.
    pub name: &'a str,
    /// `metadata.namespace`.
    pub namespace: &'a str,
    /// `metadata.uid`.
    pub uid: &'a str,
}

impl Owner<'_> {
    /// A reference to the FlinkDeployment that blocks its deletion in the foreground until the object is gone.
    ///
    /// Deployments carry `controller: false`, as Flink's client writes it; Ingresses `true`.
    #[must_use]
    pub fn reference(&self, controller: bool) -> OwnerReference {
        OwnerReference {
            api_version: api::API_VERSION.to_owned(),
            kind: "FlinkDeployment".to_owned(),
            name: self.name.to_owned(),
            uid: self.uid.to_owned(),
            controller: Some(controller),
            block_owner_deletion: Some(true),
        }
    }
}
