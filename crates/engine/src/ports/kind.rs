//! Names of things in Kubernetes: kinds, keys of objects, and where to look for them.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};

/// A kind of namespaced objects that the engine reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kind {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Version within the group.
    pub version: &'static str,
    /// As written in `kind`.
    pub name: &'static str,
    /// As written in URLs.
    pub plural: &'static str,
}

const fn kind(group: &'static str, version: &'static str, name: &'static str, plural: &'static str) -> Kind {
    Kind { group, version, name, plural }
}

impl Kind {
    /// `flink.apache.org/v1beta1` FlinkDeployment.
    pub const FLINK_DEPLOYMENT: Self =
        kind(api::GROUP, api::VERSION, api::FlinkDeployment::KIND, api::FlinkDeployment::PLURAL);
    /// `flink.apache.org/v1beta1` FlinkSessionJob.
    pub const FLINK_SESSION_JOB: Self =
        kind(api::GROUP, api::VERSION, api::FlinkSessionJob::KIND, api::FlinkSessionJob::PLURAL);
    /// `flink.apache.org/v1beta1` FlinkStateSnapshot.
    pub const FLINK_STATE_SNAPSHOT: Self =
        kind(api::GROUP, api::VERSION, api::FlinkStateSnapshot::KIND, api::FlinkStateSnapshot::PLURAL);
    /// `apps/v1` Deployment.
    pub const DEPLOYMENT: Self = kind("apps", "v1", "Deployment", "deployments");
    /// `v1` Service.
    pub const SERVICE: Self = kind("", "v1", "Service", "services");
    /// `v1` ConfigMap.
    pub const CONFIG_MAP: Self = kind("", "v1", "ConfigMap", "configmaps");
    /// `v1` Secret.
    pub const SECRET: Self = kind("", "v1", "Secret", "secrets");
    /// `v1` Pod.
    pub const POD: Self = kind("", "v1", "Pod", "pods");
    /// `v1` Event.
    pub const EVENT: Self = kind("", "v1", "Event", "events");
    /// `networking.k8s.io/v1` Ingress.
    pub const INGRESS: Self = kind("networking.k8s.io", "v1", "Ingress", "ingresses");
    /// `coordination.k8s.io/v1` Lease.
    pub const LEASE: Self = kind("coordination.k8s.io", "v1", "Lease", "leases");

    /// Every kind that the operator may touch; its RBAC rules name no other.
    pub const ALL: [Self; 11] = [
        Self::FLINK_DEPLOYMENT,
        Self::FLINK_SESSION_JOB,
        Self::FLINK_STATE_SNAPSHOT,
        Self::DEPLOYMENT,
        Self::SERVICE,
        Self::CONFIG_MAP,
        Self::SECRET,
        Self::POD,
        Self::EVENT,
        Self::INGRESS,
        Self::LEASE,
    ];

    /// The kind of that `apiVersion` and `kind`, if the operator knows it.
    #[must_use]
    pub fn find(api_version: &str, name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name == name && kind.is_api_version(api_version))
    }

    /// The kind that an object says it has, if the operator knows it.
    #[must_use]
    pub fn of(object: &DynamicObject) -> Option<Self> {
        let types = object.types.as_ref()?;
        Self::find(&types.api_version, &types.kind)
    }

    /// `group/version`, or only the version in the core group.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    fn is_api_version(&self, text: &str) -> bool {
        match text.split_once('/') {
            None => self.group.is_empty() && text == self.version,
            Some((group, version)) => group == self.group && version == self.version,
        }
    }

    /// The same for kube's client.
    #[must_use]
    pub fn api_resource(&self) -> ApiResource {
        let gvk = GroupVersionKind::gvk(self.group, self.version, self.name);
        ApiResource::from_gvk_with_plural(&gvk, self.plural)
    }

    /// An object of this kind that has nothing but a name.
    #[must_use]
    pub fn object(&self, key: &ObjectKey) -> DynamicObject {
        DynamicObject::new(&key.name, &self.api_resource()).within(&key.namespace)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Namespace and name of an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey {
    /// Namespace; empty for objects that have none.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl ObjectKey {
    /// The key of that namespace and name.
    #[must_use]
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The key of an object with this metadata.
    #[must_use]
    pub fn of(metadata: &ObjectMeta) -> Self {
        Self::new(metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default())
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            f.write_str(&self.name)
        } else {
            write!(f, "{}/{}", self.namespace, self.name)
        }
    }
}

/// Which objects of a kind a list or watch returns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scope {
    /// Only those of this namespace; those of all namespaces when `None`.
    pub namespace: Option<String>,
    /// Only those that this label selector matches; all when `None`.
    pub labels: Option<String>,
}

impl Scope {
    /// Everything.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// One namespace.
    #[must_use]
    pub fn namespace(namespace: impl Into<String>) -> Self {
        Self { namespace: Some(namespace.into()), labels: None }
    }

    /// The same, restricted to objects that `selector` matches.
    #[must_use]
    pub fn labelled(mut self, selector: impl Into<String>) -> Self {
        self.labels = Some(selector.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_found_by_what_objects_say_of_themselves() {
        assert_eq!(Kind::find("apps/v1", "Deployment"), Some(Kind::DEPLOYMENT));
        assert_eq!(Kind::find("v1", "Event"), Some(Kind::EVENT));
        assert_eq!(Kind::find("events.k8s.io/v1", "Event"), None);
        assert_eq!(Kind::find("v1", "Deployment"), None);
        for kind in Kind::ALL {
            assert_eq!(Kind::find(&kind.api_version(), kind.name), Some(kind));
            let object = kind.object(&ObjectKey::new("a", "b"));
            assert_eq!(Kind::of(&object), Some(kind));
            assert_eq!(ObjectKey::of(&object.metadata), ObjectKey::new("a", "b"));
        }
    }

    #[test]
    fn keys_print_as_kubectl_does() {
        assert_eq!(ObjectKey::new("ns", "name").to_string(), "ns/name");
        assert_eq!(ObjectKey::new("", "name").to_string(), "name");
    }
}
