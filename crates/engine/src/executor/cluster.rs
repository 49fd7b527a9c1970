//! Creation of a cluster's objects.

use kube::core::DynamicObject;
use resources::{ATTEMPT_ANNOTATION, ClusterObjects};
use serde_json::{Value, json};

use super::Executor;
use super::error::{EffectError, EffectErrorKind};
use super::objects::known_kind;
use crate::ports::{ApiError, DeleteOptions, Kind, ObjectKey, Propagation};
use crate::resource::Resource;

impl Executor {
    /// Creates the JobManager Deployment, then everything that it owns, and then lets it start. The answer is the attempt.
    ///
    /// All of them are created, never applied: an existing Deployment is only taken for ours if it carries the same
    /// attempt and belongs to the same resource, and an existing dependent if that Deployment owns it. So an object never
    /// changes its owner, and an operator that was away while others went on cannot take theirs.
    pub(super) async fn create_cluster(
        &self,
        resource: &Resource,
        cluster: &ClusterObjects,
    ) -> Result<Option<String>, EffectError> {
        let key = ObjectKey::of(&cluster.deployment.metadata);
        let deployment = self
            .create_deployment(resource, cluster, &key)
            .await
            .map_err(|kind| kind.during(format!("create Deployment {key}")))?;
        let uid = deployment.metadata.uid.clone().unwrap_or_default();
        self.caches.wrote(&deployment);
        for dependent in cluster.dependents_owned_by(&uid) {
            let key = ObjectKey::of(&dependent.metadata);
            let kind = dependent.types.as_ref().map_or("", |types| types.kind.as_str());
            let action = format!("create {kind} {key}");
            self.create_dependent(resource, cluster, &uid, &dependent)
                .await
                .map_err(|kind| kind.during(action))?;
        }
        self.release(resource, cluster, &deployment)
            .await
            .map_err(|kind| kind.during(format!("start Deployment {key}")))?;
        Ok(cluster.attempt().map(str::to_owned))
    }

    /// Lets a Deployment that was created paused have its pods, if it is still wanted.
    ///
    /// A create cannot be made to depend on the status of the resource, so one that was sent by an operator which others
    /// have replaced meanwhile could start a job from old state. Therefore nothing starts before the recorded attempt was
    /// read after the creation; and since a name has one Deployment at a time, whoever goes on with another attempt has
    /// to delete this one first, after which it cannot be released any more. One that is never released is removed by the
    /// next decision that finds it.
    async fn release(
        &self,
        resource: &Resource,
        cluster: &ClusterObjects,
        deployment: &DynamicObject,
    ) -> Result<(), EffectErrorKind> {
        if !is_paused(deployment) {
            return Ok(());
        }
        let key = ObjectKey::of(&deployment.metadata);
        let current = self.api.get(resource.kind, &resource.key).await?;
        let wanted = current.is_some_and(|current| {
            let attempt = current.data.get("status").and_then(lifecycle::deployment::recorded_attempt);
            current.metadata.uid.as_deref() == Some(&resource.uid)
                && current.metadata.deletion_timestamp.is_none()
                && attempt.is_some()
                && attempt.as_deref() == cluster.attempt()
        });
        if !wanted {
            return Err(EffectErrorKind::Replaced);
        }
        let uid = deployment.metadata.uid.clone();
        let part = json!({ "metadata": { "uid": uid }, "spec": { "paused": null } });
        match self.api.patch(Kind::DEPLOYMENT, &key, &part).await {
            Ok(released) => self.caches.wrote(&released),
            Err(ApiError::NotFound { .. } | ApiError::Conflict { .. }) => {
                return Err(EffectErrorKind::Replaced);
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Creates what the Deployment with `uid` owns. What another one left behind has to go first.
    pub(super) async fn create_dependent(
        &self,
        resource: &Resource,
        cluster: &ClusterObjects,
        uid: &str,
        dependent: &DynamicObject,
    ) -> Result<(), EffectErrorKind> {
        let kind = known_kind(dependent)?;
        match self.api.create(kind, dependent).await {
            Ok(created) => {
                self.caches.wrote(&created);
                return Ok(());
            }
            Err(ApiError::AlreadyExists { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let key = ObjectKey::of(&dependent.metadata);
        let Some(existing) = self.api.get(kind, &key).await? else {
            return Err(EffectErrorKind::Terminating);
        };
        if existing.metadata.deletion_timestamp.is_some() {
            return Err(EffectErrorKind::Terminating);
        }
        if existing.metadata.owner_references.iter().flatten().any(|owner| owner.uid == uid) {
            return Ok(());
        }
        if kind == Kind::DEPLOYMENT {
            return self.old_task_managers_go(resource, cluster, uid, existing).await;
        }
        self.still_exists(cluster, uid).await?;
        let options = DeleteOptions { uid: existing.metadata.uid, propagation: Propagation::Background };
        match self.api.delete(kind, &key, &options).await {
            Ok(()) | Err(ApiError::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        self.caches.wrote(&self.api.create(kind, dependent).await?);
        Ok(())
    }

    /// TaskManagers of an earlier cluster, or of one that the Java operator made, go before those of this one come: all of
    /// them, because they would serve this one. A Deployment of that name may also be somebody's JobManager.
    ///
    /// They go while this JobManager is paused. Once it runs, whatever TaskManagers are there are its own, in the eyes of
    /// whoever has released it: an operator that was away since must not take them away.
    async fn old_task_managers_go(
        &self,
        resource: &Resource,
        cluster: &ClusterObjects,
        uid: &str,
        existing: DynamicObject,
    ) -> Result<(), EffectErrorKind> {
        let job_manager = cluster.deployment.metadata.name.as_deref();
        let is_ours = existing.metadata.owner_references.iter().flatten().any(|owner| {
            owner.uid == resource.uid
                || owner.kind == "Deployment" && Some(owner.name.as_str()) == job_manager
        });
        if !is_ours {
            return Err(EffectErrorKind::Foreign { found: "it has another owner".to_owned() });
        }
        let job_manager = self.still_exists(cluster, uid).await?;
        if !is_paused(&job_manager) {
            return Err(EffectErrorKind::Replaced);
        }
        let key = ObjectKey::of(&existing.metadata);
        let options = DeleteOptions { uid: existing.metadata.uid, propagation: Propagation::Foreground };
        match self.api.delete(Kind::DEPLOYMENT, &key, &options).await {
            Ok(()) | Err(ApiError::NotFound { .. }) => Err(EffectErrorKind::Terminating),
            Err(error) => Err(error.into()),
        }
    }

    /// The Deployment with that uid, if it is the one that exists: another one's objects are not touched.
    async fn still_exists(
        &self,
        cluster: &ClusterObjects,
        uid: &str,
    ) -> Result<DynamicObject, EffectErrorKind> {
        let key = ObjectKey::of(&cluster.deployment.metadata);
        let deployment = self.api.get(Kind::DEPLOYMENT, &key).await?;
        let same = deployment.filter(|deployment| deployment.metadata.uid.as_deref() == Some(uid));
        same.ok_or(EffectErrorKind::Replaced)
    }

    async fn create_deployment(
        &self,
        resource: &Resource,
        cluster: &ClusterObjects,
        key: &ObjectKey,
    ) -> Result<DynamicObject, EffectErrorKind> {
        let mut paused = cluster.deployment.clone();
        if let Some(spec) = paused.data.pointer_mut("/spec").and_then(Value::as_object_mut) {
            spec.insert("paused".to_owned(), Value::Bool(true));
        }
        match self.api.create(Kind::DEPLOYMENT, &paused).await {
            Ok(created) => return Ok(created),
            Err(ApiError::AlreadyExists { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        // Gone again since: it was being deleted.
        let Some(existing) = self.api.get(Kind::DEPLOYMENT, key).await? else {
            return Err(EffectErrorKind::Terminating);
        };
        self.caches.wrote(&existing);
        if existing.metadata.deletion_timestamp.is_some() {
            return Err(EffectErrorKind::Terminating);
        }
        let owned =
            existing.metadata.owner_references.iter().flatten().any(|owner| owner.uid == resource.uid);
        let attempt = existing.metadata.annotations.as_ref().and_then(|all| all.get(ATTEMPT_ANNOTATION));
        if owned && attempt.is_some() && attempt.map(String::as_str) == cluster.attempt() {
            return Ok(existing);
        }
        let found = match (owned, attempt) {
            (false, _) => "it has another owner".to_owned(),
            (true, None) => "it carries no attempt".to_owned(),
            (true, Some(attempt)) => format!("it carries attempt {attempt}"),
        };
        Err(EffectErrorKind::Foreign { found })
    }
}

/// Whether a Deployment gets no pods yet.
fn is_paused(deployment: &DynamicObject) -> bool {
    deployment.data.pointer("/spec/paused") == Some(&Value::Bool(true))
}
