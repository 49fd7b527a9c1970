//! One round over a FlinkStateSnapshot.

use std::sync::{Arc, PoisonError, RwLock};

use api::{FlinkStateSnapshot, FlinkStateSnapshotStatus, JobKind};
use async_trait::async_trait;
use engine::Engine;
use engine::caches::{Cached, Entry, ResourceId};
use engine::control::Reconciler;
use engine::course::{self, Course, Memory, Pass, Round, Rounds, Step};
use engine::live;
use engine::ports::{ApiError, Kind, ObjectKey};
use engine::queue::Outcome;
use engine::resource::Resource;
use flink_conf::OperatorDefaults;
use lifecycle::Context;
use lifecycle::observed::{FlinkView, JobManager};
use lifecycle::snapshot::{
    JobView, Observed, SnapshotJob, decide, deployment_needs, path_to_dispose, session_job_needs,
    snapshot_needs,
};
use resources::OperatorFiles;

/// Brings FlinkStateSnapshots to where they should be.
pub struct SnapshotReconciler {
    pub(crate) engine: Engine,
    files: OperatorFiles,
    defaults: RwLock<Arc<OperatorDefaults>>,
    pub(crate) course: Course,
}

impl SnapshotReconciler {
    /// A reconciler that remembers nothing.
    #[must_use]
    pub fn new(engine: Engine, defaults: OperatorDefaults) -> Self {
        Self {
            course: Course::new(engine.clone(), Kind::FLINK_STATE_SNAPSHOT),
            engine,
            files: OperatorFiles::default(),
            defaults: RwLock::new(Arc::new(defaults)),
        }
    }

    /// Replaces the operator's configuration; the next decision about each resource uses it.
    pub fn set_defaults(&self, defaults: OperatorDefaults) {
        *self.defaults.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(defaults);
    }

    fn defaults(&self) -> Arc<OperatorDefaults> {
        Arc::clone(&self.defaults.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Observe, decide, record, execute: once.
    pub(crate) async fn step(
        &self,
        key: &ObjectKey,
        resource: &FlinkStateSnapshot,
    ) -> Result<Round, ApiError> {
        let identity = Resource::new(Kind::FLINK_STATE_SNAPSHOT, &resource.metadata);
        let memory = self.course.memory(&identity);
        let defaults = self.defaults();
        let (now, zone) = (self.engine.clock.now(), self.engine.clock.zone());
        let context = Context { now, zone: &zone, defaults: &defaults, files: &self.files };
        let observed = self.observe(key, resource, &memory, &context).await;
        let decision = decide(resource, &observed, &context);
        let step = Step {
            identity,
            stored: resource.status.as_ref(),
            blank: FlinkStateSnapshotStatus::initial(),
            exceptions_reported: None,
            memory,
        };
        self.course.take(step, decision).await
    }

    /// Gathers what the decision looks at.
    async fn observe(
        &self,
        key: &ObjectKey,
        resource: &FlinkStateSnapshot,
        memory: &Memory,
        context: &Context<'_>,
    ) -> Observed {
        let job = match resource.referred() {
            // Only somebody who looks for it needs to know.
            _ if rests(resource) => JobView::Unknown,
            None => JobView::Missing,
            Some(job) => self.job(&job, context).await,
        };
        let id = ResourceId::new(Kind::FLINK_STATE_SNAPSHOT, key.clone());
        let flink = match &job {
            JobView::Found(job) => job.job_manager.as_deref().map(|uid| self.engine.poller.view(&id, uid)),
            JobView::Unknown | JobView::Missing => None,
        };
        let needed_by = match path_to_dispose(resource) {
            Some(path) if resource.metadata.deletion_timestamp.is_some() => {
                self.needed_by(key, resource.metadata.uid.as_deref(), path)
            }
            Some(_) | None => None,
        };
        Observed {
            job,
            flink: flink.unwrap_or_else(FlinkView::default),
            begun: memory.begun.clone(),
            failure: memory.failure(resource.metadata.generation.unwrap_or_default(), context.now),
            needed_by,
        }
    }

    /// The job of a snapshot, and the JobManager that can be asked about it.
    async fn job(&self, job: &ResourceId, context: &Context<'_>) -> JobView {
        let caches = &self.engine.caches;
        match job_kind(job.kind) {
            JobKind::FlinkDeployment => {
                let Some(entry) = caches.flink_deployments.get(&job.key) else { return JobView::Missing };
                let Some(deployment) = entry.good() else { return JobView::Unknown };
                let Ok(job_manager) = self.job_manager(&job.key, deployment.metadata.uid.as_deref()).await
                else {
                    return JobView::Unknown;
                };
                JobView::Found(Box::new(SnapshotJob::of_deployment(deployment, job_manager, context)))
            }
            JobKind::FlinkSessionJob => {
                let Some(entry) = caches.flink_session_jobs.get(&job.key) else { return JobView::Missing };
                let Some(session_job) = entry.good() else { return JobView::Unknown };
                let cluster = session_job.referred().map(|cluster| cluster.key);
                let cluster = cluster.and_then(|key| caches.flink_deployments.get(&key));
                let cluster = cluster.as_ref().and_then(Entry::good).cloned();
                let job_manager = match &cluster {
                    None => Ok(None),
                    Some(cluster) => {
                        self.job_manager(&ObjectKey::of(&cluster.metadata), cluster.metadata.uid.as_deref())
                            .await
                    }
                };
                let Ok(job_manager) = job_manager else { return JobView::Unknown };
                let job = SnapshotJob::of_session_job(session_job, cluster, job_manager, context);
                JobView::Found(Box::new(job))
            }
        }
    }

    /// The JobManager of a cluster. What is hidden from the cache is not gone.
    async fn job_manager(
        &self,
        key: &ObjectKey,
        cluster_uid: Option<&str>,
    ) -> Result<Option<JobManager>, ApiError> {
        let uid = cluster_uid.unwrap_or_default();
        let cached = self.engine.caches.deployments.get(key);
        if let Some(deployment) = cached.as_ref().and_then(Entry::good) {
            return Ok(Some(JobManager::from_deployment(deployment, uid)));
        }
        live::job_manager(self.engine.api.as_ref(), key, uid)
            .await
            .inspect_err(|error| tracing::warn!(resource = %key, %error, "a read failed"))
    }

    /// What else refers to the files at `path`.
    fn needed_by(&self, key: &ObjectKey, own_uid: Option<&str>, path: &str) -> Option<String> {
        let caches = &self.engine.caches;
        let namespace = Some(key.namespace.as_str());
        let deployments = caches.flink_deployments.list(namespace);
        let mut by_deployment = deployments.iter().filter_map(|it| deployment_needs(it.good()?, path));
        let session_jobs = caches.flink_session_jobs.list(namespace);
        let mut by_session_job = session_jobs.iter().filter_map(|it| session_job_needs(it.good()?, path));
        let snapshots = caches.flink_state_snapshots.list(namespace);
        let mut by_snapshot = snapshots.iter().filter_map(|it| snapshot_needs(it.good()?, own_uid, path));
        by_deployment.next().or_else(|| by_session_job.next()).or_else(|| by_snapshot.next())
    }
}

/// Whether nothing happens to a snapshot any more, whatever its job does.
fn rests(resource: &FlinkStateSnapshot) -> bool {
    let state = resource.status.as_ref().and_then(|status| status.state);
    state.is_some_and(api::SnapshotState::is_final) && resource.metadata.deletion_timestamp.is_none()
}

fn job_kind(kind: Kind) -> JobKind {
    if kind == Kind::FLINK_SESSION_JOB { JobKind::FlinkSessionJob } else { JobKind::FlinkDeployment }
}

#[async_trait]
impl Rounds for SnapshotReconciler {
    async fn round(&self, key: &ObjectKey) -> Result<Round, ApiError> {
        match self.engine.caches.flink_state_snapshots.get(key) {
            None => {
                self.course.forget(key);
                Ok(Round::Done(Pass::Gone))
            }
            Some(Entry::Bad(undecodable)) => self.undecodable(key, &undecodable).await,
            Some(Entry::Good(resource)) => self.step(key, &resource).await,
        }
    }
}

#[async_trait]
impl Reconciler for SnapshotReconciler {
    fn kind(&self) -> Kind {
        Kind::FLINK_STATE_SNAPSHOT
    }

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        course::pass(self, key).await
    }
}
