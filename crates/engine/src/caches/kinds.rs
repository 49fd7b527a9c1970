//! How each kind is kept.

use api::{DecodeError, FlinkDeployment, FlinkSessionJob, FlinkStateSnapshot, JobKind};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DynamicObject;
use lifecycle::observed::{SPEAKERS, TaskManagers};
use serde_json::{Value, json};

use super::store::Cached;
use super::wake::ResourceId;
use crate::ports::{Kind, ObjectKey};

/// Annotation in which kubectl keeps a second copy of the whole object.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

fn without_bookkeeping(mut object: DynamicObject) -> DynamicObject {
    object.metadata.managed_fields = None;
    if let Some(annotations) = &mut object.metadata.annotations {
        annotations.remove(LAST_APPLIED);
    }
    object
}

impl Cached for FlinkDeployment {
    fn decode(object: DynamicObject) -> Result<Self, DecodeError> {
        api::decode(without_bookkeeping(object))
    }

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }
}

impl Cached for FlinkSessionJob {
    fn decode(object: DynamicObject) -> Result<Self, DecodeError> {
        api::decode(without_bookkeeping(object))
    }

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    /// Its cluster: whether that may be deleted depends on its jobs.
    fn referred(&self) -> Option<ResourceId> {
        let name = self.spec.deployment_name.clone()?;
        Some(ResourceId::new(Kind::FLINK_DEPLOYMENT, ObjectKey { name, ..ObjectKey::of(&self.metadata) }))
    }
}

impl Cached for FlinkStateSnapshot {
    fn decode(object: DynamicObject) -> Result<Self, DecodeError> {
        api::decode(without_bookkeeping(object))
    }

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    /// Its job; the kind counts (the Java operator ignores it, W-06).
    fn referred(&self) -> Option<ResourceId> {
        let reference = self.spec.job_reference.as_ref()?;
        let kind = match reference.kind? {
            JobKind::FlinkDeployment => Kind::FLINK_DEPLOYMENT,
            JobKind::FlinkSessionJob => Kind::FLINK_SESSION_JOB,
        };
        let name = reference.name.clone()?;
        Some(ResourceId::new(kind, ObjectKey { name, ..ObjectKey::of(&self.metadata) }))
    }
}

/// Kept without its pod template and selector: metadata, `spec.replicas`, `spec.paused` and status are all that is looked
/// at; and who has scaled it.
impl Cached for Deployment {
    fn decode(mut object: DynamicObject) -> Result<Self, DecodeError> {
        let managed = object.metadata.managed_fields.take();
        let mut object = without_bookkeeping(object);
        object.metadata.managed_fields = managed.map(|mut managed| {
            managed.retain(|entry| entry.subresource.as_deref() == Some(TaskManagers::SCALE));
            managed
        });
        let part = |pointer: &str| object.data.pointer(pointer).cloned().unwrap_or(Value::Null);
        let (replicas, paused) = (part("/spec/replicas"), part("/spec/paused"));
        if let Some(data) = object.data.as_object_mut() {
            let kept = json!({"replicas": replicas, "paused": paused, "selector": {}, "template": {}});
            data.insert("spec".to_owned(), kept);
        }
        api::decode(object)
    }

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }
}

/// Kept without its status, and with the bookkeeping of those field managers that spoke for a FlinkDeployment.
impl Cached for Ingress {
    fn decode(mut object: DynamicObject) -> Result<Self, DecodeError> {
        let managed = object.metadata.managed_fields.take();
        let mut object = without_bookkeeping(object);
        object.metadata.managed_fields = managed.map(|mut managed| {
            managed
                .retain(|entry| entry.manager.as_deref().is_some_and(|manager| SPEAKERS.contains(&manager)));
            managed
        });
        if let Some(data) = object.data.as_object_mut() {
            data.remove("status");
        }
        api::decode(object)
    }

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }
}
