//! One round over a FlinkStateSnapshot.

use api::{FlinkStateSnapshot, FlinkStateSnapshotSpec, FlinkStateSnapshotStatus, JobKind};
use async_trait::async_trait;
use engine::Engine;
use engine::caches::{Cached, Entry, ResourceId, Undecodable};
use engine::control::Reconciler;
use engine::course::{self, Course, Memory, Pass, Round, Rounds, Step};
use engine::ports::{ApiError, Kind, ObjectKey};
use engine::queue::Outcome;
use engine::resource::Resource;
use engine::{live, undecodable};
use lifecycle::Context;
use lifecycle::observed::FlinkView;
use lifecycle::snapshot::{JobView, Observed, SnapshotJob, decide, path_to_dispose};
use resources::OperatorFiles;

/// Brings FlinkStateSnapshots to where they should be.
pub struct SnapshotReconciler {
    engine: Engine,
    files: OperatorFiles,
    course: Course,
}

impl SnapshotReconciler {
    /// A reconciler that remembers nothing.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self {
            course: Course::new(engine.clone(), Kind::FLINK_STATE_SNAPSHOT),
            engine,
            files: OperatorFiles::default(),
        }
    }

    /// Observe, decide, record, execute: once.
    async fn step(&self, key: &ObjectKey, resource: &FlinkStateSnapshot) -> Result<Round, ApiError> {
        let identity = Resource::new(Kind::FLINK_STATE_SNAPSHOT, &resource.metadata);
        let memory = self.course.memory(&identity);
        let defaults = self.engine.defaults.current();
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
                let own = resource.metadata.uid.as_deref();
                let remembered = || memory.needed_by(path, context.now).map(str::to_owned);
                self.engine.caches.needed_by(&key.namespace, own, path).or_else(remembered)
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
                let read = live::known_job_manager(&self.engine, deployment).await;
                let Some(job_manager) = course::known(&job.key, read) else { return JobView::Unknown };
                JobView::Found(Box::new(SnapshotJob::of_deployment(deployment, job_manager, context)))
            }
            JobKind::FlinkSessionJob => {
                let Some(entry) = caches.flink_session_jobs.get(&job.key) else { return JobView::Missing };
                let Some(session_job) = entry.good() else { return JobView::Unknown };
                let cluster = session_job.referred().map(|cluster| cluster.key);
                let cluster = cluster.and_then(|key| caches.flink_deployments.get(&key));
                let cluster = cluster.as_ref().and_then(Entry::good).cloned();
                let read = match &cluster {
                    None => Ok(None),
                    Some(cluster) => live::known_job_manager(&self.engine, cluster).await,
                };
                let Some(job_manager) = course::known(&job.key, read) else { return JobView::Unknown };
                let job = SnapshotJob::of_session_job(session_job, cluster, job_manager, context);
                JobView::Found(Box::new(job))
            }
        }
    }

    /// One that cannot be decoded can be deleted all the same.
    async fn undecodable(&self, key: &ObjectKey, object: &Undecodable) -> Result<Round, ApiError> {
        if !object.is_terminating() {
            let kind = Kind::FLINK_STATE_SNAPSHOT;
            return undecodable::tell::<FlinkStateSnapshotStatus>(&self.engine, kind, object).await;
        }
        let stand_in = FlinkStateSnapshot {
            metadata: object.object.metadata.clone(),
            spec: FlinkStateSnapshotSpec::default(),
            status: Some(undecodable::readable_status(object)),
        };
        self.step(key, &stand_in).await
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
            Some(Entry::Bad(object)) => self.undecodable(key, &object).await,
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
