//! Apply, scale and delete single objects.

use kube::core::DynamicObject;
use lifecycle::{ChangeObject, DeleteObject, ObjectReference, RemoveData, ScaleObject, ZooKeeperNodes};
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

/// The kind of an object; only those that the operator creates are known.
pub(super) fn known_kind(object: &DynamicObject) -> Result<Kind, EffectErrorKind> {
    Kind::of(object).ok_or_else(|| {
        let kube::core::TypeMeta { api_version, kind } = object.types.clone().unwrap_or_default();
        EffectErrorKind::UnknownKind { api_version, kind }
    })
}

fn key_of(reference: &ObjectReference) -> ObjectKey {
    ObjectKey::new(&reference.namespace, &reference.name)
}

impl Executor {
    /// Deletes nodes in ZooKeeper.
    pub(super) async fn delete_nodes(&self, nodes: &ZooKeeperNodes) -> Result<(), EffectError> {
        let slot = self.slots.give_back();
        let deleted = self.remotes.zookeeper.delete_all(&nodes.servers, &nodes.path).await;
        drop(slot);
        deleted.map_err(|error| EffectErrorKind::ZooKeeper(error).during(nodes.deletion()))
    }

    /// Server-side apply of one object.
    pub(super) async fn apply(&self, object: &DynamicObject) -> Result<(), EffectError> {
        let types = object.types.clone().unwrap_or_default();
        let action = format!("apply {} {}", types.kind, ObjectKey::of(&object.metadata));
        let apply = async {
            let applied = self.api.apply(known_kind(object)?, object).await?;
            self.caches.wrote(&applied);
            Ok(())
        };
        apply.await.map_err(|kind: EffectErrorKind| kind.during(action))
    }

    /// Creates an object unless it exists.
    pub(super) async fn create_owned(&self, object: &DynamicObject) -> Result<(), EffectError> {
        let types = object.types.clone().unwrap_or_default();
        let action = format!("create {} {}", types.kind, ObjectKey::of(&object.metadata));
        let create = async {
            match self.api.create(known_kind(object)?, object).await {
                Ok(created) => self.caches.wrote(&created),
                Err(ApiError::AlreadyExists { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            Ok(())
        };
        create.await.map_err(|kind: EffectErrorKind| kind.during(action))
    }

    /// Changes a part of an object. What is gone, or is another object by now, needs no change.
    pub(super) async fn change_object(&self, change: &ChangeObject) -> Result<(), EffectError> {
        let ChangeObject { object, resource_version, part } = change;
        let action = format!("change {} {}", object.kind, key_of(object));
        self.change(object, resource_version.as_deref(), part.clone())
            .await
            .map_err(|kind| kind.during(action))
    }

    /// Sets `spec.replicas`. What is gone, or is another object by now, needs no replicas.
    pub(super) async fn scale(&self, scale: &ScaleObject) -> Result<(), EffectError> {
        let ScaleObject { object, resource_version, replicas } = scale;
        let action = format!("scale {} {} to {replicas}", object.kind, key_of(object));
        let part = json!({ "spec": { "replicas": replicas } });
        self.change(object, resource_version.as_deref(), part).await.map_err(|kind| kind.during(action))
    }

    /// Takes keys out of a ConfigMap. Nothing is left to take out of what is gone, or is another object by now.
    pub(super) async fn remove_data(&self, remove: &RemoveData) -> Result<(), EffectError> {
        let RemoveData { object, resource_version, keys } = remove;
        let action = format!("remove {} from {} {}", keys.join(", "), object.kind, key_of(object));
        let nulls: Map<String, Value> = keys.iter().map(|key| (key.clone(), Value::Null)).collect();
        self.change(object, resource_version.as_deref(), json!({ "data": nulls }))
            .await
            .map_err(|kind| kind.during(action))
    }

    /// Changes a part of the object that is meant, if it is still there, and still of that version if one is named.
    async fn change(
        &self,
        object: &ObjectReference,
        resource_version: Option<&str>,
        mut part: Value,
    ) -> Result<(), EffectErrorKind> {
        let kind = kind_of(object)?;
        // A null would be a version that no object has.
        if let Some(version) = resource_version {
            part["metadata"]["resourceVersion"] = json!(version);
        }
        if let Some(uid) = &object.uid {
            part["metadata"]["uid"] = json!(uid);
        }
        match self.api.patch(kind, &key_of(object), &part).await {
            Ok(changed) => {
                self.caches.wrote(&changed);
                Ok(())
            }
            Err(error) => self.unless_gone(kind, object, error).await,
        }
    }

    /// The error of a call, unless the object that it was meant for is gone, or its name belongs to another one.
    async fn unless_gone(
        &self,
        kind: Kind,
        object: &ObjectReference,
        error: ApiError,
    ) -> Result<(), EffectErrorKind> {
        match (&error, &object.uid) {
            (ApiError::NotFound { .. }, uid) => {
                if let Some(uid) = uid {
                    self.caches.gone(kind, &key_of(object), uid);
                }
                Ok(())
            }
            (ApiError::Conflict { .. }, Some(uid)) => {
                let found = self.api.get(kind, &key_of(object)).await?;
                if let Some(same) = found.filter(|found| found.metadata.uid.as_ref() == Some(uid)) {
                    self.caches.wrote(&same);
                    return Err(error.into());
                }
                self.caches.gone(kind, &key_of(object), uid);
                Ok(())
            }
            _ => Err(error.into()),
        }
    }

    /// Deletes an object. What is gone, or is another object by now, is deleted.
    pub(super) async fn delete(&self, delete: &DeleteObject) -> Result<(), EffectError> {
        let DeleteObject { object, propagation } = delete;
        let key = key_of(object);
        let action = format!("delete {} {key}", object.kind);
        let delete = async {
            let options = DeleteOptions { uid: object.uid.clone(), propagation: *propagation };
            let kind = kind_of(object)?;
            match self.api.delete(kind, &key, &options).await {
                Ok(()) => Ok(()),
                Err(error) => self.unless_gone(kind, object, error).await,
            }
        };
        delete.await.map_err(|kind: EffectErrorKind| kind.during(action))
    }
}
