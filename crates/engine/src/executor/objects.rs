//! Apply, scale and delete single objects.

use kube::core::DynamicObject;
use lifecycle::{DeleteObject, ObjectReference, RemoveData, ScaleObject};
use serde_json::{Map, Value, json};

use super::Executor;
use super::error::{EffectError, EffectErrorKind};
use crate::ports::{ApiError, DeleteOptions, Kind, ObjectKey};

fn kind_of(reference: &ObjectReference) -> Result<Kind, EffectErrorKind> {
    Kind::find(&reference.api_version, &reference.kind).ok_or_else(|| EffectErrorKind::UnknownKind {
        api_version: reference.api_version.clone(),
        kind: reference.kind.clone(),
    })
}

fn key_of(reference: &ObjectReference) -> ObjectKey {
    ObjectKey::new(&reference.namespace, &reference.name)
}

impl Executor {
    /// Server-side apply of one object.
    pub(super) async fn apply(&self, object: &DynamicObject) -> Result<(), EffectError> {
        let types = object.types.clone().unwrap_or_default();
        let action = format!("apply {} {}", types.kind, ObjectKey::of(&object.metadata));
        let apply = async {
            let Some(kind) = Kind::of(object) else {
                let kube::core::TypeMeta { api_version, kind } = types;
                return Err(EffectErrorKind::UnknownKind { api_version, kind });
            };
            let applied = self.api.apply(kind, object).await?;
            self.caches.wrote(&applied);
            Ok(())
        };
        apply.await.map_err(|kind| kind.during(action))
    }

    /// Sets `spec.replicas`. What is gone, or is another object by now, needs no replicas.
    pub(super) async fn scale(&self, scale: &ScaleObject) -> Result<(), EffectError> {
        let ScaleObject { object, replicas } = scale;
        let action = format!("scale {} {} to {replicas}", object.kind, key_of(object));
        let part = json!({ "spec": { "replicas": replicas } });
        self.change(object, part).await.map_err(|kind| kind.during(action))
    }

    /// Takes keys out of a ConfigMap. Nothing is left to take out of what is gone, or is another object by now.
    pub(super) async fn remove_data(&self, remove: &RemoveData) -> Result<(), EffectError> {
        let RemoveData { object, keys } = remove;
        let action = format!("remove {} from {} {}", keys.join(", "), object.kind, key_of(object));
        let nulls: Map<String, Value> = keys.iter().map(|key| (key.clone(), Value::Null)).collect();
        self.change(object, json!({ "data": nulls })).await.map_err(|kind| kind.during(action))
    }

    /// Changes a part of the object that is meant, if it is still there.
    async fn change(&self, object: &ObjectReference, mut part: Value) -> Result<(), EffectErrorKind> {
        if let (Some(uid), Some(part)) = (&object.uid, part.as_object_mut()) {
            part.insert("metadata".to_owned(), json!({ "uid": uid }));
        }
        match self.api.patch(kind_of(object)?, &key_of(object), &part).await {
            Ok(changed) => self.caches.wrote(&changed),
            Err(ApiError::NotFound { .. }) => {}
            Err(ApiError::Conflict { .. }) if object.uid.is_some() => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Deletes an object. What is gone, or is another object by now, is deleted.
    pub(super) async fn delete(&self, delete: &DeleteObject) -> Result<(), EffectError> {
        let DeleteObject { object, propagation } = delete;
        let key = key_of(object);
        let action = format!("delete {} {key}", object.kind);
        let delete = async {
            let options = DeleteOptions { uid: object.uid.clone(), propagation: *propagation };
            match self.api.delete(kind_of(object)?, &key, &options).await {
                Ok(()) | Err(ApiError::NotFound { .. }) => Ok(()),
                Err(ApiError::Conflict { .. }) if object.uid.is_some() => Ok(()),
                Err(error) => Err(error.into()),
            }
        };
        delete.await.map_err(|kind: EffectErrorKind| kind.during(action))
    }
}
