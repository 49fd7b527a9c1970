//! One pass over a FlinkDeployment: observe, decide, record, execute, as often as the decisions ask for it.

use api::{FlinkDeployment, FlinkDeploymentSpec, FlinkDeploymentStatus};
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
use lifecycle::observed::{FlinkView, IngressView, JobManager, TaskManagers, TaskManagersView};
use lifecycle::{Context, Observed, decide, reads};
use resources::OperatorFiles;

use crate::canaries::Canaries;

/// Brings FlinkDeployments to where they should be.
pub struct DeploymentReconciler {
    pub(crate) engine: Engine,
    files: OperatorFiles,
    course: Course,
    pub(crate) canaries: Canaries,
}

impl DeploymentReconciler {
    /// A reconciler that remembers nothing.
    #[must_use]
    pub fn new(engine: Engine, files: OperatorFiles) -> Self {
        Self {
            course: Course::new(engine.clone(), Kind::FLINK_DEPLOYMENT),
            engine,
            files,
            canaries: Canaries::default(),
        }
    }

    /// Observe, decide, record, execute: once.
    pub(crate) async fn step(&self, key: &ObjectKey, resource: &FlinkDeployment) -> Result<Round, ApiError> {
        let identity = Resource::new(Kind::FLINK_DEPLOYMENT, &resource.metadata);
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

    /// Gathers what the decision looks at.
    async fn observe(
        &self,
        key: &ObjectKey,
        resource: &FlinkDeployment,
        memory: &Memory,
        context: &Context<'_>,
    ) -> Observed {
        let uid = resource.metadata.uid.as_deref().unwrap_or_default();
        let generation = resource.metadata.generation.unwrap_or_default();
        let cached = self.engine.caches.deployments.get(key);
        let job_manager = cached
            .as_ref()
            .and_then(Entry::good)
            .map(|deployment| JobManager::from_deployment(deployment, uid));
        let cached = self.engine.caches.deployments.get(&live::task_manager_deployment(key));
        let task_managers = cached
            .as_ref()
            .and_then(Entry::good)
            .map(|deployment| TaskManagers::from_deployment(deployment, uid));
        let wanted = reads(resource, job_manager.as_ref(), task_managers.as_ref(), context);
        let api = self.engine.api.as_ref();
        let (job_manager, job_manager_unread) = match job_manager {
            None if wanted.job_manager => course::known(key, live::job_manager(api, key, uid).await)
                .map_or((None, true), |found| (found, false)),
            cached => (cached, false),
        };
        let pods = if wanted.pods && job_manager.is_some() {
            course::known(key, live::pods(api, key, resource.spec.mode_or_default()).await)
        } else {
            None
        };
        let (job_manager_pods, pods) =
            pods.map_or((None, Vec::new()), |(number, problems)| (Some(number), problems));
        let ha = if wanted.ha { course::known(key, live::ha_metadata(api, key).await) } else { None };
        let cached = self.engine.caches.ingresses.get(key);
        let ingress = match cached.as_ref().and_then(Entry::good) {
            Some(ingress) => IngressView::from_ingress(ingress, uid),
            None if wanted.ingress => {
                course::known(key, live::ingress(api, key, uid).await).unwrap_or_default()
            }
            None => IngressView::Unread,
        };
        let task_managers = if wanted.task_managers {
            course::known(key, live::task_managers(api, key, uid).await).unwrap_or(TaskManagersView::Unknown)
        } else {
            TaskManagersView::Unread
        };
        let rest_service =
            if wanted.rest_service { course::known(key, live::rest_service(api, key).await) } else { None };
        let id = ResourceId::new(Kind::FLINK_DEPLOYMENT, key.clone());
        let flink =
            job_manager.as_ref().map_or_else(FlinkView::default, |it| self.engine.poller.view(&id, &it.uid));
        // Asked once after a start of the operator, and only if there is anything to tell.
        let exceptions_reported = match memory.exceptions_reported {
            None if flink.current().is_some_and(|answer| !answer.exceptions.is_empty()) => {
                let told = course::known(key, live::told_exception(api, key, uid).await).flatten();
                Some(told.unwrap_or_else(|| exception_look_back(context.now)))
            }
            remembered => remembered,
        };
        let session_jobs =
            if resource.spec.job.is_none() { self.engine.caches.session_jobs_of(key) } else { Vec::new() };
        let job_status = resource.status.as_ref().and_then(|status| status.job_status.as_ref());
        let mut savepoints_needed_by_others =
            self.engine.caches.needed_by_others(&key.namespace, Some(uid), job_status);
        savepoints_needed_by_others.extend(memory.needed_savepoints(context.now));
        Observed {
            job_manager,
            job_manager_unread,
            pods,
            job_manager_pods,
            task_managers,
            flink,
            ha,
            ingress,
            rest_service,
            session_jobs,
            session_cluster: None,
            snapshots: self.engine.caches.snapshots_of(&id),
            savepoints_needed_by_others,
            no_snapshot_resources: self.engine.caches.is_not_installed(Kind::FLINK_STATE_SNAPSHOT),
            begun: memory.begun.clone(),
            submitted_job: None,
            created_attempt: memory.created_attempt.clone(),
            exceptions_reported,
            failure: memory.failure(generation, context.now),
        }
    }

    /// One that cannot be decoded can be deleted all the same.
    async fn undecodable(&self, key: &ObjectKey, object: &Undecodable) -> Result<Round, ApiError> {
        if !object.is_terminating() {
            let kind = Kind::FLINK_DEPLOYMENT;
            return undecodable::tell::<FlinkDeploymentStatus>(&self.engine, kind, object).await;
        }
        let stand_in = FlinkDeployment {
            metadata: object.object.metadata.clone(),
            spec: FlinkDeploymentSpec::default(),
            status: Some(undecodable::readable_status(object)),
        };
        self.step(key, &stand_in).await
    }

    fn forget(&self, key: &ObjectKey) {
        self.course.forget(key);
        self.canaries.forget(key);
    }
}

#[async_trait]
impl Rounds for DeploymentReconciler {
    async fn round(&self, key: &ObjectKey) -> Result<Round, ApiError> {
        match self.engine.caches.flink_deployments.get(key) {
            None => {
                self.forget(key);
                Ok(Round::Done(Pass::Gone))
            }
            Some(Entry::Bad(object)) => self.undecodable(key, &object).await,
            Some(Entry::Good(resource)) if is_living_canary(&resource) => self.canary(key, &resource).await,
            Some(Entry::Good(resource)) => {
                self.canaries.forget(key);
                self.step(key, &resource).await
            }
        }
    }
}

#[async_trait]
impl Reconciler for DeploymentReconciler {
    fn kind(&self) -> Kind {
        Kind::FLINK_DEPLOYMENT
    }

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        course::pass(self, key).await
    }
}

fn is_living_canary(resource: &FlinkDeployment) -> bool {
    let meta = &resource.metadata;
    meta.deletion_timestamp.is_none() && api::names::is_canary(meta.labels.as_ref())
}

/// A resource about which nothing is known yet needs no status.
fn no_status() -> FlinkDeploymentStatus {
    let mut status = FlinkDeploymentStatus::initial();
    status.lifecycle_state = Some(status.lifecycle_state());
    status
}
