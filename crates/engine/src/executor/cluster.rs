//! Creation of a cluster's objects.

use kube::core::DynamicObject;
use resources::{ATTEMPT_ANNOTATION, ClusterObjects};

use super::Executor;
use super::error::{EffectError, EffectErrorKind};
use crate::ports::{ApiError, Kind, ObjectKey};
use crate::resource::Resource;

impl Executor {
    /// Creates the JobManager Deployment and then everything that it owns. The answer is the attempt.
    ///
    /// The Deployment is created, never applied: an existing one is only taken for ours if it carries the same attempt
    /// and belongs to the same resource. It is the first object, so its uid proves which objects belong together.
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
            self.apply(&dependent).await?;
        }
        Ok(cluster.attempt().map(str::to_owned))
    }

    async fn create_deployment(
        &self,
        resource: &Resource,
        cluster: &ClusterObjects,
        key: &ObjectKey,
    ) -> Result<DynamicObject, EffectErrorKind> {
        match self.api.create(Kind::DEPLOYMENT, &cluster.deployment).await {
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
