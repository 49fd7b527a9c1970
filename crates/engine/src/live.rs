//! Reads that go to the API server because no cache answers them. They are few, and only while something changes.

use api::{FlinkDeployment, KubernetesDeploymentMode};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Pod};
use k8s_openapi::api::networking::v1::Ingress;
use kube::core::DynamicObject;
use lifecycle::observed::{HaMetadata, IngressView, JobManager, PodProblem, TaskManagers, TaskManagersView};
use lifecycle::{EventRecord, Reason};
use resources::names;
use serde::de::DeserializeOwned;

use crate::caches::Entry;
use crate::engine::Engine;
use crate::ports::{ApiError, Kind, KubernetesApi, ObjectKey, Scope};

/// How many pods the JobManager has, and why they do not run.
///
/// # Errors
/// Those of the API server.
pub async fn pods(
    api: &dyn KubernetesApi,
    key: &ObjectKey,
    mode: KubernetesDeploymentMode,
) -> Result<(usize, Vec<PodProblem>), ApiError> {
    let selector = names::label_selector(&names::job_manager_selector(mode, &key.name));
    let scope = Scope::namespace(&key.namespace).labelled(selector);
    let pods: Vec<Pod> = typed(api.list(Kind::POD, &scope).await?);
    let mut problems: Vec<PodProblem> = pods.iter().flat_map(PodProblem::of_containers).collect();
    let waiting: Vec<&str> = pods
        .iter()
        .filter(|pod| PodProblem::waits_for_volumes(pod))
        .filter_map(|pod| pod.metadata.uid.as_deref())
        .collect();
    if problems.is_empty() && !waiting.is_empty() {
        problems.extend(failed_mounts(api, key, &waiting).await?);
    }
    Ok((pods.len(), problems))
}

/// Events of reason `FailedMount` on these pods, the newest first.
async fn failed_mounts(
    api: &dyn KubernetesApi,
    key: &ObjectKey,
    pods: &[&str],
) -> Result<Vec<PodProblem>, ApiError> {
    const REASON: &str = "FailedMount";
    let mut events: Vec<Event> = typed(api.list(Kind::EVENT, &Scope::namespace(&key.namespace)).await?);
    events.retain(|event| {
        event.reason.as_deref() == Some(REASON)
            && event.involved_object.uid.as_deref().is_some_and(|uid| pods.contains(&uid))
    });
    events.sort_by(|one, other| other.last_timestamp.cmp(&one.last_timestamp));
    let problem = |event: Event| PodProblem {
        reason: REASON.to_owned(),
        message: event.message.unwrap_or_else(|| "a volume cannot be mounted".to_owned()),
    };
    Ok(events.into_iter().map(problem).collect())
}

/// A FlinkDeployment, if there is one, and if it can be decoded.
///
/// # Errors
/// Those of the API server.
pub async fn flink_deployment(
    api: &dyn KubernetesApi,
    key: &ObjectKey,
) -> Result<Option<Option<FlinkDeployment>>, ApiError> {
    let found = api.get(Kind::FLINK_DEPLOYMENT, key).await?;
    Ok(found.map(|object| typed(vec![object]).pop()))
}

/// The JobManager Deployment: what no cache knows may still be there, hidden by a changed label, or too new.
///
/// # Errors
/// Those of the API server.
pub async fn job_manager(
    api: &dyn KubernetesApi,
    key: &ObjectKey,
    owner: &str,
) -> Result<Option<JobManager>, ApiError> {
    let Some(object) = api.get(Kind::DEPLOYMENT, key).await? else { return Ok(None) };
    let deployment: Option<Deployment> = typed(vec![object]).pop();
    Ok(deployment.map(|deployment| JobManager::from_deployment(&deployment, owner)))
}

/// The same as far as the cache knows it, and otherwise read: what is hidden from the cache is not gone.
///
/// # Errors
/// Those of the API server.
pub async fn known_job_manager(
    engine: &Engine,
    cluster: &FlinkDeployment,
) -> Result<Option<JobManager>, ApiError> {
    let key = ObjectKey::of(&cluster.metadata);
    let uid = cluster.metadata.uid.as_deref().unwrap_or_default();
    let cached = engine.caches.deployments.get(&key);
    if let Some(deployment) = cached.as_ref().and_then(Entry::good) {
        return Ok(Some(JobManager::from_deployment(deployment, uid)));
    }
    job_manager(engine.api.as_ref(), &key, uid).await
}

/// The key of a standalone cluster's TaskManager Deployment.
#[must_use]
pub fn task_manager_deployment(cluster: &ObjectKey) -> ObjectKey {
    ObjectKey::new(&cluster.namespace, names::task_manager_deployment(&cluster.name))
}

/// The TaskManager Deployment of a standalone cluster.
///
/// # Errors
/// Those of the API server.
pub async fn task_managers(
    api: &dyn KubernetesApi,
    key: &ObjectKey,
    owner: &str,
) -> Result<TaskManagersView, ApiError> {
    let key = task_manager_deployment(key);
    let Some(object) = api.get(Kind::DEPLOYMENT, &key).await? else { return Ok(TaskManagersView::Absent) };
    let deployment: Option<Deployment> = typed(vec![object]).pop();
    Ok(deployment.map_or(TaskManagersView::Unknown, |deployment| {
        TaskManagersView::There(TaskManagers::from_deployment(&deployment, owner))
    }))
}

/// HA metadata in Kubernetes.
///
/// # Errors
/// Those of the API server.
pub async fn ha_metadata(api: &dyn KubernetesApi, key: &ObjectKey) -> Result<HaMetadata, ApiError> {
    let scope = Scope::namespace(&key.namespace).labelled(HaMetadata::selector(&key.name));
    let maps: Vec<ConfigMap> = typed(api.list(Kind::CONFIG_MAP, &scope).await?);
    Ok(HaMetadata::from_config_maps(&maps))
}

/// Time of the newest job exception that the Events of the resource with that uid tell, milliseconds since 1970: what an
/// earlier operator told is not told again.
///
/// # Errors
/// Those of the API server.
pub async fn told_exception(
    api: &dyn KubernetesApi,
    key: &ObjectKey,
    uid: &str,
) -> Result<Option<i64>, ApiError> {
    let events: Vec<Event> = typed(api.list(Kind::EVENT, &Scope::namespace(&key.namespace)).await?);
    let told = events.into_iter().filter(|event| {
        event.reason.as_deref() == Some(Reason::JobException.as_str())
            && event.involved_object.uid.as_deref() == Some(uid)
    });
    let time = |event: Event| {
        let annotations = event.metadata.annotations.unwrap_or_default();
        let told = annotations.get(EventRecord::EXCEPTION_TIMESTAMP).and_then(|time| time.parse().ok());
        told.or_else(|| event.metadata.creation_timestamp.map(|time| time.0.as_millisecond()))
    };
    Ok(told.filter_map(time).max())
}

/// The Ingress of the cluster's name, and whether `owner` owns it.
///
/// # Errors
/// Those of the API server.
pub async fn ingress(api: &dyn KubernetesApi, key: &ObjectKey, owner: &str) -> Result<IngressView, ApiError> {
    let Some(object) = api.get(Kind::INGRESS, key).await? else { return Ok(IngressView::Absent) };
    let ingress: Option<Ingress> = typed(vec![object]).pop();
    Ok(ingress.map_or(IngressView::Unread, |ingress| IngressView::from_ingress(&ingress, owner)))
}

/// Whether the Service of the REST API exists.
///
/// # Errors
/// Those of the API server.
pub async fn rest_service(api: &dyn KubernetesApi, key: &ObjectKey) -> Result<bool, ApiError> {
    let service = ObjectKey::new(&key.namespace, names::rest_service(&key.name));
    Ok(api.get(Kind::SERVICE, &service).await?.is_some())
}

/// Those objects that are what they ought to be; the API server sends no others.
fn typed<K: DeserializeOwned>(objects: Vec<DynamicObject>) -> Vec<K> {
    objects
        .into_iter()
        .filter_map(|object| serde_json::to_value(object).ok())
        .filter_map(|value| serde_json::from_value(value).ok())
        .collect()
}
