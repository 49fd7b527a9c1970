//! The resource that is being reconciled, as effects and Events need it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::ports::{Kind, ObjectKey};

/// Identifies one state of one of our resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace and name.
    pub key: ObjectKey,
    /// Its uid: one of the same name that was created later is another resource.
    pub uid: String,
    /// The state that a decision was made from.
    pub resource_version: String,
    /// The spec that a decision was made from.
    pub generation: Option<i64>,
}

impl Resource {
    /// The resource with this metadata.
    #[must_use]
    pub fn new(kind: Kind, metadata: &ObjectMeta) -> Self {
        Self {
            kind,
            key: ObjectKey::of(metadata),
            uid: metadata.uid.clone().unwrap_or_default(),
            resource_version: metadata.resource_version.clone().unwrap_or_default(),
            generation: metadata.generation,
        }
    }

    /// Our finalizer on resources of its kind: `<plural>.flink.apache.org/finalizer`, as the Java operator's.
    #[must_use]
    pub fn finalizer(&self) -> String {
        format!("{}.{}/finalizer", self.kind.plural, self.kind.group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finalizers_are_those_of_the_java_operator() {
        let of = |kind| Resource::new(kind, &ObjectMeta::default()).finalizer();
        assert_eq!(of(Kind::FLINK_DEPLOYMENT), api::names::FINALIZER_FLINK_DEPLOYMENT);
        assert_eq!(of(Kind::FLINK_SESSION_JOB), api::names::FINALIZER_FLINK_SESSION_JOB);
        assert_eq!(of(Kind::FLINK_STATE_SNAPSHOT), api::names::FINALIZER_FLINK_STATE_SNAPSHOT);
    }
}
