//! Bugs that are built in between the operator and its ways out, to show that the checks can fail. The product's own
//! code is not touched.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use engine::ports::{ApiError, DeleteOptions, Kind, KubernetesApi, ObjectKey, Scope, WatchEvent};
use flink_client::stub::Storage;
use flink_client::{Call, Endpoint, RequestBody, RestRequest, RestResponse, Transport, TransportError};
use futures::StreamExt;
use futures::stream::BoxStream;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::core::DynamicObject;
use lifecycle::Propagation;
use resources::names;
use serde_json::{Map, Value, json};

use crate::world::World;

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// What is about to be done is not recorded before.
    NotRecorded,
    /// The same for one kind of operation.
    NotRecordedKind(&'static str),
    /// The savepoint of a stop is taken for an older one.
    OldSavepoint,
    /// Deletions do not say which object they mean.
    NoUid,
    /// Statuses are written over whatever is stored.
    NoFence,
    /// Whether a cluster is still wanted is not asked again before it is allowed to start.
    ForgottenFence,
    /// A cluster, or a job on one, is told nothing of the state that it is to be restored from.
    EmptyStart,
    /// HA metadata is removed together with the cluster, before anything is recorded.
    EarlyRemoval,
    /// HA metadata is removed when a deletion begins, before the last savepoint is there.
    RemovalBeforeSavepoint,
    /// Every cluster starts from `initialSavepointPath`, not only the first.
    InitialAgain,
    /// The next cluster does not wait until the pods of the old one have ended.
    NoWait,
    /// Every poll is news.
    Restless,
    /// The finalizer is never taken off.
    KeptFinalizer,
    /// A Deployment starts when it is created, whether it is still wanted or not.
    StartedAtOnce,
    /// What is created after the Deployment is forgotten when the first try is interrupted.
    ForgottenDependents,
    /// TaskManagers stay when their JobManager goes, and those of the next one are taken for created.
    KeptTaskManagers,
    /// TaskManagers go before their JobManager.
    TaskManagersFirst,
    /// Whoever has the name of the TaskManagers counts as ours.
    ForeignTaskManagers,
    /// TaskManagers that somebody deleted are not created again.
    LostTaskManagers,
    /// The number of TaskManagers stays as somebody has set it.
    ScaledTaskManagers,
    /// The id of a job on a session cluster is not recorded before the job is submitted.
    UnrecordedSubmission,
    /// A job on a session cluster is submitted with another id than the recorded one.
    FreshJobId,
    /// A job that is to be cancelled counts as ended, and nobody tells Flink.
    CancelledInWord,
    /// Where a savepoint lies is heard wrong.
    WrongPath,
    /// Files go with every deleted snapshot, whatever it says.
    AlwaysDisposed,
    /// Which savepoint a resource stands for is not looked at.
    UnseenReference,
}

/// The option that says what a job is restored from.
const RESTORE_PATH: &str = "execution.savepoint.path";

const NAMES: [(&str, Plant); 30] = [
    ("not-recorded", Plant::NotRecorded),
    ("not-recorded-deploying", Plant::NotRecordedKind("DEPLOYING")),
    ("not-recorded-stopping", Plant::NotRecordedKind("STOPPING")),
    ("not-recorded-cancelling", Plant::NotRecordedKind("CANCELLING")),
    ("not-recorded-restarting", Plant::NotRecordedKind("RESTARTING")),
    ("not-recorded-withdrawing", Plant::NotRecordedKind("WITHDRAWING")),
    ("old-savepoint", Plant::OldSavepoint),
    ("no-uid", Plant::NoUid),
    ("no-fence", Plant::NoFence),
    ("forgotten-fence", Plant::ForgottenFence),
    ("empty-start", Plant::EmptyStart),
    ("early-removal", Plant::EarlyRemoval),
    ("removal-before-savepoint", Plant::RemovalBeforeSavepoint),
    ("initial-again", Plant::InitialAgain),
    ("no-wait", Plant::NoWait),
    ("restless", Plant::Restless),
    ("kept-finalizer", Plant::KeptFinalizer),
    ("started-at-once", Plant::StartedAtOnce),
    ("forgotten-dependents", Plant::ForgottenDependents),
    ("kept-task-managers", Plant::KeptTaskManagers),
    ("task-managers-first", Plant::TaskManagersFirst),
    ("foreign-task-managers", Plant::ForeignTaskManagers),
    ("lost-task-managers", Plant::LostTaskManagers),
    ("scaled-task-managers", Plant::ScaledTaskManagers),
    ("unrecorded-submission", Plant::UnrecordedSubmission),
    ("fresh-job-id", Plant::FreshJobId),
    ("cancelled-in-word", Plant::CancelledInWord),
    ("wrong-path", Plant::WrongPath),
    ("always-disposed", Plant::AlwaysDisposed),
    ("unseen-reference", Plant::UnseenReference),
];

impl Plant {
    /// All of them.
    #[must_use]
    pub fn all() -> Vec<Self> {
        NAMES.iter().map(|(_, plant)| *plant).collect()
    }
}

impl fmt::Display for Plant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(_, plant)| plant == self).map(|(name, _)| *name);
        f.write_str(name.unwrap_or_default())
    }
}

impl FromStr for Plant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = NAMES.iter().find(|(name, _)| *name == text).map(|(_, plant)| *plant);
        found.ok_or_else(|| {
            let known: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
            format!("there is no planted bug '{text}'; there are: {}", known.join(", "))
        })
    }
}

/// How names of TaskManager Deployments end.
const TASK_MANAGERS: &str = "-taskmanager";

fn are_task_managers(kind: Kind, key: &ObjectKey) -> bool {
    kind == Kind::DEPLOYMENT && key.name.ends_with(TASK_MANAGERS)
}

/// The way to Kubernetes with the bug in it.
pub(crate) fn api(plant: Option<Plant>, inner: Arc<dyn KubernetesApi>) -> Arc<dyn KubernetesApi> {
    match plant {
        None => inner,
        Some(plant) => {
            Arc::new(PlantedApi { inner, plant, met: AtomicU64::new(0), written: Mutex::default() })
        }
    }
}

/// The way to Flink with the bug in it.
pub(crate) fn transport(
    plant: Option<Plant>,
    inner: Arc<dyn Transport>,
    world: &World,
) -> Arc<dyn Transport> {
    match plant {
        None => inner,
        Some(plant) => {
            let storage = world.storage();
            let (answers, cancelled) = (AtomicU64::new(0), Mutex::default());
            Arc::new(PlantedTransport { inner, plant, storage, answers, cancelled })
        }
    }
}

/// A path that nobody has ever named.
const ELSEWHERE: &str = "file:/elsewhere";

/// What the operator sees of an object.
fn seen(plant: Plant, mut object: DynamicObject) -> DynamicObject {
    if Kind::of(&object) == Some(Kind::FLINK_STATE_SNAPSHOT) {
        let savepoint = object.data.pointer_mut("/spec/savepoint").and_then(Value::as_object_mut);
        match (plant, savepoint) {
            (Plant::AlwaysDisposed, Some(savepoint)) => {
                savepoint.insert("disposeOnDelete".to_owned(), json!(true));
            }
            (Plant::UnseenReference, Some(savepoint)) if savepoint.contains_key("path") => {
                savepoint.insert("path".to_owned(), json!(ELSEWHERE));
            }
            _ => {}
        }
    }
    object
}

struct PlantedApi {
    inner: Arc<dyn KubernetesApi>,
    plant: Plant,
    /// How often it was met what the bug is about: Deployments that were created before this process knew of them,
    /// for instance.
    met: AtomicU64,
    /// The resource as this process has written it last.
    written: Mutex<Option<DynamicObject>>,
}

impl PlantedApi {
    fn leaves_out(&self, object: &DynamicObject) -> bool {
        let begun = object.data.pointer("/status/operation/kind").and_then(Value::as_str);
        match self.plant {
            Plant::NotRecordedKind(kind) => begun == Some(kind),
            _ => true,
        }
    }

    /// Puts `initialSavepointPath` where a configuration says what to start from.
    async fn start_from_the_beginning(&self, object: &mut DynamicObject) -> Result<(), ApiError> {
        let name = object.metadata.name.clone().unwrap_or_default();
        let namespace = object.metadata.namespace.clone().unwrap_or_default();
        let name = name.strip_prefix("flink-config-").unwrap_or(&name);
        let resource = self.inner.get(Kind::FLINK_DEPLOYMENT, &ObjectKey::new(&namespace, name)).await?;
        let initial = resource.and_then(|resource| {
            resource.data.pointer("/spec/job/initialSavepointPath")?.as_str().map(str::to_owned)
        });
        let Some(initial) = initial else { return Ok(()) };
        for (_, text) in object.data.pointer_mut("/data").and_then(Value::as_object_mut).into_iter().flatten()
        {
            let lines = text.as_str().unwrap_or_default().lines().map(|line| {
                let key = line.split_once(':').map(|(key, _)| key).filter(|key| *key == RESTORE_PATH);
                key.map_or_else(|| line.to_owned(), |key| format!("{key}: {initial}"))
            });
            *text = json!(lines.flat_map(|line| [line, "\n".to_owned()]).collect::<String>());
        }
        Ok(())
    }

    /// Gives TaskManagers the owner of their JobManager, so that they outlive it.
    async fn keep(&self, task_managers: &mut DynamicObject) -> Result<(), ApiError> {
        let owner = task_managers.metadata.owner_references.iter().flatten().next();
        let Some(owner) = owner.map(|owner| owner.name.clone()) else { return Ok(()) };
        let namespace = task_managers.metadata.namespace.clone().unwrap_or_default();
        let job_manager = self.inner.get(Kind::DEPLOYMENT, &ObjectKey::new(namespace, owner)).await?;
        task_managers.metadata.owner_references =
            job_manager.and_then(|job_manager| job_manager.metadata.owner_references);
        Ok(())
    }

    /// Deletes the TaskManagers of a JobManager, and waits for nothing.
    async fn delete_task_managers(&self, job_manager: &ObjectKey) -> Result<(), ApiError> {
        let name = names::task_manager_deployment(&job_manager.name);
        let key = ObjectKey::new(&job_manager.namespace, name);
        let Some(found) = self.inner.get(Kind::DEPLOYMENT, &key).await? else { return Ok(()) };
        let options = DeleteOptions { uid: found.metadata.uid, propagation: Propagation::Background };
        self.inner.delete(Kind::DEPLOYMENT, &key, &options).await
    }

    async fn remove_ha_metadata(&self, key: &ObjectKey) {
        let labels = format!("app={},type=flink-native-kubernetes", key.name);
        let scope = Scope::namespace(&key.namespace).labelled(labels);
        let maps = self.inner.list(Kind::CONFIG_MAP, &scope).await.unwrap_or_default();
        let of_ha = |map: &DynamicObject| {
            map.metadata.name.as_deref().is_some_and(|name| name.ends_with(crate::normal::HA_SUFFIX))
        };
        for map in maps.into_iter().filter(of_ha) {
            let options =
                DeleteOptions { uid: map.metadata.uid.clone(), propagation: Propagation::Background };
            let _gone = self.inner.delete(Kind::CONFIG_MAP, &ObjectKey::of(&map.metadata), &options).await;
        }
    }
}

#[async_trait]
impl KubernetesApi for PlantedApi {
    async fn get(&self, kind: Kind, key: &ObjectKey) -> Result<Option<DynamicObject>, ApiError> {
        let recalls = match self.plant {
            Plant::ForgottenFence => kind == Kind::FLINK_DEPLOYMENT,
            Plant::UnrecordedSubmission => kind == Kind::FLINK_SESSION_JOB,
            _ => false,
        };
        if recalls {
            let written = self.written.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if written.is_some() {
                return Ok(written);
            }
        }
        let mut found = self.inner.get(kind, key).await?;
        if self.plant == Plant::ForeignTaskManagers && are_task_managers(kind, key) {
            let owner = ObjectKey::new(&key.namespace, key.name.trim_end_matches(TASK_MANAGERS));
            let owner = self.inner.get(Kind::FLINK_DEPLOYMENT, &owner).await?;
            if let (Some(found), Some(owner)) = (&mut found, owner) {
                let uid = owner.metadata.uid.unwrap_or_default();
                let ours =
                    OwnerReference { uid, kind: "FlinkDeployment".to_owned(), ..OwnerReference::default() };
                found.metadata.owner_references = Some(vec![ours]);
            }
        }
        Ok(found.map(|found| seen(self.plant, found)))
    }

    async fn list(&self, kind: Kind, scope: &Scope) -> Result<Vec<DynamicObject>, ApiError> {
        let listed = self.inner.list(kind, scope).await?;
        Ok(listed.into_iter().map(|object| seen(self.plant, object)).collect())
    }

    async fn create(&self, kind: Kind, object: &DynamicObject) -> Result<DynamicObject, ApiError> {
        let mut object = object.clone();
        match self.plant {
            Plant::EmptyStart if kind == Kind::CONFIG_MAP => {
                for file in
                    object.data.pointer_mut("/data").and_then(Value::as_object_mut).into_iter().flatten()
                {
                    let lines = file.1.as_str().unwrap_or_default().lines();
                    let kept = lines.filter(|line| !line.starts_with(RESTORE_PATH));
                    *file.1 = json!(kept.flat_map(|line| [line, "\n"]).collect::<String>());
                }
            }
            // Standalone clusters are told by their arguments as well.
            Plant::EmptyStart if kind == Kind::DEPLOYMENT => {
                let pointer = "/spec/template/spec/containers/0/args";
                let arguments = object.data.pointer_mut(pointer).and_then(Value::as_array_mut);
                if let Some(arguments) = arguments
                    && let Some(at) = arguments.iter().position(|it| it == "--fromSavepoint")
                {
                    arguments.drain(at..(at + 2).min(arguments.len()));
                }
            }
            Plant::InitialAgain if kind == Kind::CONFIG_MAP => {
                self.start_from_the_beginning(&mut object).await?;
            }
            Plant::ForgottenDependents if kind != Kind::EVENT && self.met.load(Ordering::Relaxed) > 0 => {
                return Ok(object);
            }
            Plant::KeptTaskManagers if are_task_managers(kind, &ObjectKey::of(&object.metadata)) => {
                self.keep(&mut object).await?;
                return match self.inner.create(kind, &object).await {
                    Err(ApiError::AlreadyExists { .. }) => Ok(object),
                    created => created,
                };
            }
            // The first ones come with their cluster.
            Plant::LostTaskManagers
                if are_task_managers(kind, &ObjectKey::of(&object.metadata))
                    && self.met.fetch_add(1, Ordering::Relaxed) > 0 =>
            {
                return Ok(object);
            }
            Plant::StartedAtOnce if kind == Kind::DEPLOYMENT => {
                if let Some(spec) = object.data.pointer_mut("/spec").and_then(Value::as_object_mut) {
                    spec.remove("paused");
                }
            }
            _ => {}
        }
        let created = self.inner.create(kind, &object).await;
        if kind == Kind::DEPLOYMENT && matches!(created, Err(ApiError::AlreadyExists { .. })) {
            self.met.fetch_add(1, Ordering::Relaxed);
        }
        created
    }

    async fn apply(&self, kind: Kind, object: &DynamicObject) -> Result<DynamicObject, ApiError> {
        self.inner.apply(kind, object).await
    }

    async fn replace_status(&self, kind: Kind, object: &DynamicObject) -> Result<DynamicObject, ApiError> {
        let key = ObjectKey::of(&object.metadata);
        let is_begun = object.data.pointer("/status/operation/kind").is_some();
        match self.plant {
            Plant::NotRecordedKind(_) | Plant::NotRecorded if is_begun && self.leaves_out(object) => {
                let mut stored = self.inner.get(kind, &key).await?.unwrap_or_else(|| object.clone());
                if let (Some(fields), Some(status)) = (stored.data.as_object_mut(), object.data.get("status"))
                {
                    fields.insert("status".to_owned(), status.clone());
                }
                Ok(stored)
            }
            // Once: jobs that nobody knows would pile up.
            Plant::UnrecordedSubmission
                if kind == Kind::FLINK_SESSION_JOB
                    && object.data.pointer("/status/operation/kind") == Some(&json!("DEPLOYING"))
                    && self.met.fetch_add(1, Ordering::Relaxed) == 0 =>
            {
                *self.written.lock().unwrap_or_else(PoisonError::into_inner) = Some(object.clone());
                Ok(object.clone())
            }
            Plant::UnrecordedSubmission if kind == Kind::FLINK_SESSION_JOB => {
                *self.written.lock().unwrap_or_else(PoisonError::into_inner) = None;
                self.inner.replace_status(kind, object).await
            }
            Plant::NoFence => {
                let mut object = object.clone();
                let Some(stored) = self.inner.get(kind, &key).await? else {
                    return self.inner.replace_status(kind, &object).await;
                };
                object.metadata.resource_version = stored.metadata.resource_version;
                object.metadata.uid = stored.metadata.uid;
                self.inner.replace_status(kind, &object).await
            }
            Plant::RemovalBeforeSavepoint
                if object.data.pointer("/status/lifecycleState") == Some(&json!("DELETING")) =>
            {
                let written = self.inner.replace_status(kind, object).await;
                self.remove_ha_metadata(&key).await;
                written
            }
            Plant::ForgottenFence => {
                let written = self.inner.replace_status(kind, object).await?;
                *self.written.lock().unwrap_or_else(PoisonError::into_inner) = Some(written.clone());
                Ok(written)
            }
            _ => Ok(seen(self.plant, self.inner.replace_status(kind, object).await?)),
        }
    }

    async fn patch(&self, kind: Kind, key: &ObjectKey, part: &Value) -> Result<DynamicObject, ApiError> {
        let ends = part.pointer("/metadata/finalizers").and_then(Value::as_array).is_some_and(Vec::is_empty);
        let scales = self.plant == Plant::ScaledTaskManagers && are_task_managers(kind, key);
        if scales || self.plant == Plant::KeptFinalizer && ends {
            let stored = self.inner.get(kind, key).await?;
            return stored.ok_or_else(|| ApiError::NotFound { message: "gone".to_owned() });
        }
        let ends = part.pointer("/spec/replicas") == Some(&json!(0));
        if self.plant == Plant::TaskManagersFirst && kind == Kind::DEPLOYMENT && ends {
            self.delete_task_managers(key).await?;
        }
        Ok(seen(self.plant, self.inner.patch(kind, key, part).await?))
    }

    async fn delete(&self, kind: Kind, key: &ObjectKey, options: &DeleteOptions) -> Result<(), ApiError> {
        let mut options = options.clone();
        match self.plant {
            Plant::NoUid => options.uid = None,
            Plant::NoWait => options.propagation = Propagation::Background,
            Plant::EarlyRemoval if kind == Kind::DEPLOYMENT => self.remove_ha_metadata(key).await,
            Plant::KeptTaskManagers if are_task_managers(kind, key) => return Ok(()),
            _ => {}
        }
        self.inner.delete(kind, key, &options).await
    }

    fn watch(&self, kind: Kind, scope: &Scope) -> BoxStream<'static, WatchEvent> {
        let plant = self.plant;
        let seen = move |event| match event {
            WatchEvent::Applied(object) => WatchEvent::Applied(seen(plant, object)),
            other => other,
        };
        Box::pin(self.inner.watch(kind, scope).map(seen))
    }
}

struct PlantedTransport {
    inner: Arc<dyn Transport>,
    plant: Plant,
    storage: Storage,
    answers: AtomicU64,
    /// Paths of the jobs that count as cancelled.
    cancelled: Mutex<BTreeSet<String>>,
}

impl fmt::Debug for PlantedTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlantedTransport").field("plant", &self.plant).finish_non_exhaustive()
    }
}

#[async_trait]
impl Transport for PlantedTransport {
    async fn send(
        &self,
        target: &Endpoint,
        mut request: RestRequest,
    ) -> Result<RestResponse, TransportError> {
        let call = request.call;
        let job = request.path.split('?').next().unwrap_or_default().to_owned();
        match (self.plant, call) {
            (Plant::EmptyStart, Call::RunJar) => change_body(&mut request, |body| {
                body.remove("savepointPath");
            }),
            // Once: jobs that nobody knows would pile up.
            (Plant::FreshJobId, Call::RunJar) if self.answers.fetch_add(1, Ordering::Relaxed) == 0 => {
                change_body(&mut request, |body| {
                    body.insert("jobId".to_owned(), json!("f".repeat(32)));
                });
            }
            (Plant::CancelledInWord, Call::Cancel) => {
                self.cancelled.lock().unwrap_or_else(PoisonError::into_inner).insert(job);
                return Ok(RestResponse { status: 202, content_type: None, body: Bytes::from_static(b"{}") });
            }
            _ => {}
        }
        let mut answer = self.inner.send(target, request).await?;
        match (self.plant, call) {
            (Plant::OldSavepoint, Call::SavepointResult) => self.take_oldest(&mut answer),
            (Plant::WrongPath, Call::SavepointResult) => say_elsewhere(&mut answer),
            (Plant::Restless, Call::TaskManagers) => self.add_task_managers(&mut answer),
            (Plant::CancelledInWord, Call::JobDetails)
                if self.cancelled.lock().unwrap_or_else(PoisonError::into_inner).contains(&job) =>
            {
                say_cancelled(&mut answer);
            }
            _ => {}
        }
        Ok(answer)
    }
}

fn change_body(request: &mut RestRequest, change: impl FnOnce(&mut Map<String, Value>)) {
    let body = request.body.read().ok().and_then(|body| serde_json::from_slice(&body).ok());
    let Some(Value::Object(mut body)) = body else { return };
    change(&mut body);
    request.body = RequestBody::json(Value::Object(body).to_string().into_bytes());
}

fn say_elsewhere(answer: &mut RestResponse) {
    let Ok(mut body) = serde_json::from_slice::<Value>(&answer.body) else { return };
    if let Some(location) = body.pointer_mut("/operation/location") {
        *location = json!(ELSEWHERE);
        answer.body = Bytes::from(body.to_string());
    }
}

fn say_cancelled(answer: &mut RestResponse) {
    let Ok(mut body) = serde_json::from_slice::<Value>(&answer.body) else { return };
    if let Some(state) = body.pointer_mut("/state") {
        *state = json!("CANCELED");
        answer.body = Bytes::from(body.to_string());
    }
}

impl PlantedTransport {
    /// One more with every answer.
    fn add_task_managers(&self, answer: &mut RestResponse) {
        let number = self.answers.fetch_add(1, Ordering::Relaxed);
        let Ok(mut body) = serde_json::from_slice::<Value>(&answer.body) else { return };
        let Some(all) = body.pointer_mut("/taskmanagers").and_then(Value::as_array_mut) else { return };
        let Some(first) = all.first().cloned() else { return };
        all.extend((0..number).map(|_| first.clone()));
        answer.body = Bytes::from(body.to_string());
    }

    /// The oldest snapshot that exists instead of the one that Flink names.
    fn take_oldest(&self, answer: &mut RestResponse) {
        let Ok(mut body) = serde_json::from_slice::<Value>(&answer.body) else { return };
        let all = self.storage.all().into_iter().filter(|it| !it.deleted);
        let Some(oldest) = all.min_by_key(|it| it.trigger_timestamp) else { return };
        if let Some(location) = body.pointer_mut("/operation/location") {
            *location = json!(oldest.path);
            answer.body = Bytes::from(body.to_string());
        }
    }
}
