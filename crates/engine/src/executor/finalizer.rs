//! Our finalizer on our resources.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::json;

use super::Executor;
use super::error::{EffectError, EffectErrorKind};
use crate::ports::ApiError;
use crate::resource::Resource;

/// How often others may be faster than us, within one effect.
const TRIES: u32 = 4;

impl Executor {
    /// Puts our finalizer onto a resource or takes it off, and leaves those of others as they are.
    ///
    /// The list is replaced under the resourceVersion that it was read with, so that a finalizer which somebody adds
    /// at the same time is not lost.
    pub(super) async fn set_finalizer(&self, resource: &Resource, wanted: bool) -> Result<(), EffectError> {
        let action = if wanted { "add the finalizer" } else { "remove the finalizer" };
        self.try_finalizer(resource, wanted).await.map_err(|kind| kind.during(action.to_owned()))
    }

    async fn try_finalizer(&self, resource: &Resource, wanted: bool) -> Result<(), EffectErrorKind> {
        let finalizer = resource.finalizer();
        let mut known = self.caches.state(resource.kind, &resource.key).map(|state| state.metadata);
        for _ in 0..TRIES {
            let current = match known.take() {
                Some(metadata) => Some(metadata),
                None => self.read(resource).await?,
            };
            let Some(metadata) = current.filter(|it| it.uid.as_deref() == Some(resource.uid.as_str())) else {
                return if wanted { Err(EffectErrorKind::ResourceGone) } else { Ok(()) };
            };
            let present = metadata.finalizers.iter().flatten().any(|it| *it == finalizer);
            if present == wanted {
                return Ok(());
            }
            if wanted && metadata.deletion_timestamp.is_some() {
                return Err(EffectErrorKind::ResourceGone);
            }
            match self.replace_finalizers(resource, &metadata, &finalizer, wanted).await {
                Ok(()) => return Ok(()),
                Err(ApiError::NotFound { .. }) if !wanted => return Ok(()),
                Err(ApiError::Conflict { .. } | ApiError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let message = "the resource changes all the time".to_owned();
        Err(ApiError::Conflict { message }.into())
    }

    async fn read(&self, resource: &Resource) -> Result<Option<ObjectMeta>, ApiError> {
        let found = self.api.get(resource.kind, &resource.key).await?;
        let same = |object: &kube::core::DynamicObject| object.metadata.uid.as_deref() == Some(&resource.uid);
        let Some(object) = found.filter(same) else {
            self.caches.gone(resource.kind, &resource.key, &resource.uid);
            return Ok(None);
        };
        self.caches.wrote(&object);
        Ok(Some(object.metadata))
    }

    async fn replace_finalizers(
        &self,
        resource: &Resource,
        metadata: &ObjectMeta,
        finalizer: &str,
        wanted: bool,
    ) -> Result<(), ApiError> {
        let mut finalizers = metadata.finalizers.clone().unwrap_or_default();
        finalizers.retain(|it| it != finalizer);
        if wanted {
            finalizers.push(finalizer.to_owned());
        }
        let part = json!({ "metadata": {
            "uid": resource.uid,
            "resourceVersion": metadata.resource_version,
            "finalizers": finalizers,
        }});
        let changed = self.api.patch(resource.kind, &resource.key, &part).await?;
        // The API server deletes an object as soon as its last finalizer is off.
        if changed.metadata.deletion_timestamp.is_some() && finalizers.is_empty() {
            self.caches.gone(resource.kind, &resource.key, &resource.uid);
        } else {
            self.caches.wrote(&changed);
        }
        Ok(())
    }
}
