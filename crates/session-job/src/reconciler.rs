//! One round over a FlinkSessionJob.

use std::sync::Arc;

use api::{FlinkDeployment, FlinkSessionJob, FlinkSessionJobSpec, FlinkSessionJobStatus};
use async_trait::async_trait;
use engine::Engine;
use engine::caches::{Entry, ResourceId, Undecodable};
use engine::control::Reconciler;
use engine::course::{self, Course, Memory, Pass, Round, Rounds, Step};
use engine::ports::{ApiError, Kind, ObjectKey};
use engine::queue::Outcome;
use engine::resource::Resource;
use engine::{live, undecodable};
use lifecycle::deployment::exception_look_back;
use lifecycle::observed::{FlinkView, JobManager};
use lifecycle::session_job::decide;
use lifecycle::{Context, Observed};
use resources::OperatorFiles;

/// Brings FlinkSessionJobs to where they should be.
pub struct SessionJobReconciler {
    engine: Engine,
    files: OperatorFiles,
    course: Course,
}

impl SessionJobReconciler {
    /// A reconciler that remembers nothing.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self {
            course: Course::new(engine.clone(), Kind::FLINK_SESSION_JOB),
            engine,
            files: OperatorFiles::default(),
        }
    }

    /// Observe, decide, record, execute: once.
    async fn step(&self, key: &ObjectKey, resource: &FlinkSessionJob) -> Result<Round, ApiError> {
        let identity = Resource::new(Kind::FLINK_SESSION_JOB, &resource.metadata);
        let memory = self.course.memory(&identity);
        let defaults = self.engine.defaults.current();
        let (now, zone) = (self.engine.clock.now(), self.engine.clock.zone());
        let context = Context { now, zone: &zone, defaults: &defaults, files: &self.files };
        let observed = self.observe(key, resource, &memory, &context).await;
        let decision = decide(resource, &observed, &context);
        let step = Step {
            identity,
            stored: resource.status.as_ref(),
            blank: no_status(),
            exceptions_reported: observed.exceptions_reported,
            memory,
        };
        self.course.take(step, decision).await
    }

    /// Gathers what the decision looks at: what is known of the session cluster, and what its Flink said of the job.
    async fn observe(
        &self,
        key: &ObjectKey,
        resource: &FlinkSessionJob,
        memory: &Memory,
        context: &Context<'_>,
    ) -> Observed {
        let caches = &self.engine.caches;
        let cluster_key =
            resource.spec.deployment_name.as_ref().map(|name| ObjectKey::new(&key.namespace, name));
        let mut session_cluster: Option<Arc<FlinkDeployment>> = cluster_key
            .as_ref()
            .and_then(|cluster| caches.flink_deployments.get(cluster))
            .and_then(|entry| entry.good().cloned());
        let (job_manager, job_manager_unread) = match &cluster_key {
            Some(cluster_key) if has_job(resource) && self.seems_lost(cluster_key) => {
                self.read_cluster(cluster_key, &mut session_cluster).await
            }
            Some(cluster_key) => match &session_cluster {
                Some(cluster) => {
                    course::known(cluster_key, live::known_job_manager(&self.engine, cluster).await)
                        .map_or((None, true), |found| (found, false))
                }
                None => (None, false),
            },
            None => (None, false),
        };
        let id = ResourceId::new(Kind::FLINK_SESSION_JOB, key.clone());
        let flink = job_manager
            .as_ref()
            .map_or_else(FlinkView::default, |job_manager| self.engine.poller.view(&id, &job_manager.uid));
        // Asked once after a start of the operator, and only if there is anything to tell.
        let exceptions_reported = match memory.exceptions_reported {
            None if flink.current().is_some_and(|answer| !answer.exceptions.is_empty()) => {
                let uid = resource.metadata.uid.as_deref().unwrap_or_default();
                let told = live::told_exception(self.engine.api.as_ref(), key, uid).await;
                Some(course::known(key, told).flatten().unwrap_or_else(|| exception_look_back(context.now)))
            }
            remembered => remembered,
        };
        let job_status = resource.status.as_ref().and_then(|status| status.job_status.as_ref());
        let own = resource.metadata.uid.as_deref();
        let mut savepoints_needed_by_others = caches.needed_by_others(&key.namespace, own, job_status);
        savepoints_needed_by_others.extend(memory.needed_savepoints(context.now));
        Observed {
            job_manager,
            job_manager_unread,
            flink,
            session_cluster,
            snapshots: self.engine.caches.snapshots_of(&id),
            savepoints_needed_by_others,
            no_snapshot_resources: self.engine.caches.is_not_installed(Kind::FLINK_STATE_SNAPSHOT),
            begun: memory.begun.clone(),
            submitted_job: memory.submitted_job.clone(),
            exceptions_reported,
            failure: memory.failure(resource.metadata.generation.unwrap_or_default(), context.now),
            ..Observed::default()
        }
    }

    /// Whether the caches say that the cluster of a job is not there any more.
    fn seems_lost(&self, cluster: &ObjectKey) -> bool {
        let caches = &self.engine.caches;
        let known = caches.flink_deployments.get(cluster);
        let Some(known) = known.as_ref().and_then(Entry::good).map(|cluster| &cluster.metadata) else {
            return true;
        };
        let deployment = caches.deployments.get(cluster);
        let runs = deployment.as_ref().and_then(Entry::good).is_some_and(|deployment| {
            let job_manager =
                JobManager::from_deployment(deployment, known.uid.as_deref().unwrap_or_default());
            job_manager.owned && !job_manager.terminating
        });
        known.deletion_timestamp.is_some() || !runs
    }

    /// Reads the cluster before a job is given up together with it: an operator that was away may hold an old view of the
    /// cluster, and not of the job. The JobManager, and whether that is not known.
    async fn read_cluster(
        &self,
        key: &ObjectKey,
        session_cluster: &mut Option<Arc<FlinkDeployment>>,
    ) -> (Option<JobManager>, bool) {
        let api = self.engine.api.as_ref();
        let read = async {
            let found = live::flink_deployment(api, key).await?;
            // One that cannot be decoded may run all the same.
            let unread = matches!(found, Some(None));
            *session_cluster = found.flatten().map(Arc::new);
            let uid = session_cluster.as_ref().and_then(|cluster| cluster.metadata.uid.as_deref());
            let job_manager = match uid {
                Some(uid) => live::job_manager(api, key, uid).await?,
                None => None,
            };
            Ok::<_, ApiError>((job_manager, unread))
        };
        course::known(key, read.await).unwrap_or((None, true))
    }

    /// One that cannot be decoded can be deleted all the same.
    async fn undecodable(&self, key: &ObjectKey, object: &Undecodable) -> Result<Round, ApiError> {
        if !object.is_terminating() {
            let kind = Kind::FLINK_SESSION_JOB;
            return undecodable::tell::<FlinkSessionJobStatus>(&self.engine, kind, object).await;
        }
        let stand_in = FlinkSessionJob {
            metadata: object.object.metadata.clone(),
            spec: FlinkSessionJobSpec::default(),
            status: Some(undecodable::readable_status(object)),
        };
        self.step(key, &stand_in).await
    }
}

#[async_trait]
impl Rounds for SessionJobReconciler {
    async fn round(&self, key: &ObjectKey) -> Result<Round, ApiError> {
        match self.engine.caches.flink_session_jobs.get(key) {
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
impl Reconciler for SessionJobReconciler {
    fn kind(&self) -> Kind {
        Kind::FLINK_SESSION_JOB
    }

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        course::pass(self, key).await
    }
}

/// Whether a job may run.
fn has_job(resource: &FlinkSessionJob) -> bool {
    let job = resource.status.as_ref().and_then(|status| status.job_status.as_ref());
    job.is_some_and(|job| job.job_id.is_some() && !job.state.is_some_and(api::JobStatusState::is_terminal))
}

/// A resource about which nothing is known yet needs no status.
fn no_status() -> FlinkSessionJobStatus {
    let mut status = FlinkSessionJobStatus::initial();
    status.lifecycle_state = Some(status.lifecycle_state());
    status
}
