//! One pass over a FlinkDeployment: observe, decide, record, execute, as often as the decisions ask for it.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use api::FlinkDeployment;
use async_trait::async_trait;
use engine::Engine;
use engine::caches::Entry;
use engine::control::Reconciler;
use engine::ports::{ApiError, Kind, ObjectKey};
use engine::queue::Outcome;
use engine::resource::Resource;
use flink_conf::OperatorDefaults;
use lifecycle::deployment::exception_look_back;
use lifecycle::observed::{FlinkView, IngressView, JobManager, TaskManagers, TaskManagersView};
use lifecycle::{Context, Observed, Requeue, decide, reads};
use resources::OperatorFiles;

use crate::canaries::Canaries;
use crate::live;
use crate::memory::{Memories, Memory};

/// Rounds of one pass at most. A pass that wants more goes on in the next one.
const ROUNDS: usize = 8;

/// What one pass came to.
#[derive(Debug)]
pub(crate) enum Pass {
    /// The resource does not exist any more.
    Gone,
    /// Look again after this time, or when something changes.
    Again(Option<Duration>),
}

/// Brings FlinkDeployments to where they should be.
pub struct DeploymentReconciler {
    pub(crate) engine: Engine,
    files: OperatorFiles,
    defaults: RwLock<Arc<OperatorDefaults>>,
    memories: Memories,
    pub(crate) canaries: Canaries,
}

impl DeploymentReconciler {
    /// A reconciler that remembers nothing.
    #[must_use]
    pub fn new(engine: Engine, defaults: OperatorDefaults, files: OperatorFiles) -> Self {
        Self {
            engine,
            files,
            defaults: RwLock::new(Arc::new(defaults)),
            memories: Memories::default(),
            canaries: Canaries::default(),
        }
    }

    /// Replaces the operator's configuration; the next decision about each resource uses it. Returns whether it is
    /// another one.
    pub fn set_defaults(&self, defaults: OperatorDefaults) -> bool {
        let mut current = self.defaults.write().unwrap_or_else(PoisonError::into_inner);
        let changed = **current != defaults;
        if changed {
            *current = Arc::new(defaults);
        }
        changed
    }

    pub(crate) fn defaults(&self) -> Arc<OperatorDefaults> {
        Arc::clone(&self.defaults.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// One pass: observe, decide, record, execute, as often as the decisions ask for it.
    async fn pass(&self, key: &ObjectKey) -> Result<Pass, ApiError> {
        for _ in 0..ROUNDS {
            if let Round::Done(pass) = self.round(key).await? {
                return Ok(pass);
            }
        }
        Ok(Pass::Again(Some(Duration::ZERO)))
    }

    async fn round(&self, key: &ObjectKey) -> Result<Round, ApiError> {
        match self.engine.caches.flink_deployments.get(key) {
            None => {
                self.forget(key);
                Ok(Round::Done(Pass::Gone))
            }
            Some(Entry::Bad(undecodable)) => self.undecodable(key, &undecodable).await,
            Some(Entry::Good(resource)) if is_living_canary(&resource) => self.canary(key, &resource).await,
            Some(Entry::Good(resource)) => {
                self.canaries.forget(key);
                self.step(key, &resource).await
            }
        }
    }

    /// Observe, decide, record, execute: once.
    pub(crate) async fn step(&self, key: &ObjectKey, resource: &FlinkDeployment) -> Result<Round, ApiError> {
        let identity = Resource::new(Kind::FLINK_DEPLOYMENT, &resource.metadata);
        let mut memory = self.memories.of(key, &identity.uid);
        let defaults = self.defaults();
        let context = Context { now: self.engine.clock.now(), defaults: &defaults, files: &self.files };
        let observed = self.observe(key, resource, &memory, &context).await;
        let decision = decide(resource, &observed, &context);
        let generation = identity.generation.unwrap_or_default();

        let recorded = resource.status.as_ref() != Some(&decision.status) && decision.status != no_status();
        let identity = if recorded {
            match self.engine.status.write(&identity, &decision.status).await? {
                Some(written) => Resource::new(Kind::FLINK_DEPLOYMENT, &written.metadata),
                // Somebody else was faster: everything is looked at again.
                None => return Ok(Round::Again),
            }
        } else {
            identity
        };
        if !recorded
            && decision.effects.iter().any(needs_ground)
            && !self.engine.status.is_current(&identity).await?
        {
            return Ok(Round::Again);
        }
        self.engine.poller.set_plan(key, decision.poll);

        let works = decision.effects.iter().any(is_work);
        if works {
            memory.tries();
        }
        if let Some(newest) = newest_exception(&observed, &decision.effects) {
            memory.exceptions_reported = Some(newest);
        }
        let performed = self.engine.executor.perform(&identity, decision.effects).await;
        if let Some(attempt) = performed.created_attempt {
            memory.created_attempt = Some(attempt);
        }
        let again = match performed.failure {
            None => {
                if works {
                    memory.succeeded();
                }
                decision.requeue == Requeue::AtOnce
            }
            Some(failure) if failure.look_again => true,
            Some(failure) => {
                memory.failed(failure, generation, self.engine.clock.now());
                true
            }
        };
        let left = memory.back_off_left(generation, self.engine.clock.now());
        self.memories.put(key, memory);
        if again {
            return Ok(Round::Again);
        }
        let wished = match decision.requeue {
            Requeue::AtOnce => Some(Duration::ZERO),
            Requeue::After(delay) => Some(delay),
            Requeue::OnChange => None,
        };
        let delay = [wished, left].into_iter().flatten().min();
        Ok(Round::Done(Pass::Again(delay)))
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
            None if wanted.job_manager => live::job_manager(api, key, uid)
                .await
                .inspect_err(|error| tracing::warn!(resource = %key, %error, "a read failed"))
                .map_or((None, true), |found| (found, false)),
            cached => (cached, false),
        };
        let pods = if wanted.pods && job_manager.is_some() {
            known(key, live::pods(api, key, resource.spec.mode_or_default()).await)
        } else {
            None
        };
        let (job_manager_pods, pods) =
            pods.map_or((None, Vec::new()), |(number, problems)| (Some(number), problems));
        let ha = if wanted.ha { known(key, live::ha_metadata(api, key).await) } else { None };
        let cached = self.engine.caches.ingresses.get(key);
        let ingress = match cached.as_ref().and_then(Entry::good) {
            Some(ingress) => IngressView::from_ingress(ingress, uid),
            None if wanted.ingress => known(key, live::ingress(api, key, uid).await).unwrap_or_default(),
            None => IngressView::Unread,
        };
        let task_managers = if wanted.task_managers {
            known(key, live::task_managers(api, key, uid).await).unwrap_or(TaskManagersView::Unknown)
        } else {
            TaskManagersView::Unread
        };
        let rest_service =
            if wanted.rest_service { known(key, live::rest_service(api, key).await) } else { None };
        let flink =
            job_manager.as_ref().map_or_else(FlinkView::default, |it| self.engine.poller.view(key, &it.uid));
        // Asked once after a start of the operator, and only if there is anything to tell.
        let exceptions_reported = match memory.exceptions_reported {
            None if flink.current().is_some_and(|answer| !answer.exceptions.is_empty()) => {
                let told = known(key, live::told_exception(api, key, uid).await).flatten();
                Some(told.unwrap_or_else(|| exception_look_back(context.now)))
            }
            remembered => remembered,
        };
        let session_jobs =
            if resource.spec.job.is_none() { self.engine.caches.session_jobs_of(key) } else { Vec::new() };
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
            created_attempt: memory.created_attempt.clone(),
            exceptions_reported,
            failure: memory.failure(generation, context.now),
        }
    }

    fn forget(&self, key: &ObjectKey) {
        self.engine.poller.forget(key);
        self.canaries.forget(key);
        self.memories.forget(key);
    }
}

#[async_trait]
impl Reconciler for DeploymentReconciler {
    fn kind(&self) -> Kind {
        Kind::FLINK_DEPLOYMENT
    }

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        match self.pass(key).await {
            Ok(Pass::Gone) => Outcome::Gone,
            Ok(Pass::Again(Some(delay))) => Outcome::After(delay),
            Ok(Pass::Again(None)) => Outcome::OnChange,
            Err(error) => {
                tracing::warn!(resource = %key, %error, "the pass did not come to its end");
                Outcome::Failed
            }
        }
    }
}

fn is_living_canary(resource: &FlinkDeployment) -> bool {
    let meta = &resource.metadata;
    meta.deletion_timestamp.is_none() && api::names::is_canary(meta.labels.as_ref())
}

/// A read that failed leaves the decision without its answer, and the resource without a reason to wait for it.
fn known<T>(key: &ObjectKey, read: Result<T, ApiError>) -> Option<T> {
    read.inspect_err(|error| tracing::warn!(resource = %key, %error, "a read failed")).ok()
}

/// What one round came to.
pub(crate) enum Round {
    Again,
    Done(Pass),
}

/// A resource about which nothing is known yet needs no status.
fn no_status() -> api::FlinkDeploymentStatus {
    let mut status = api::FlinkDeploymentStatus::initial();
    status.lifecycle_state = Some(status.lifecycle_state());
    status
}

/// Whether an effect is more than telling.
fn is_work(effect: &lifecycle::Effect) -> bool {
    !matches!(effect, lifecycle::Effect::Event(_))
}

/// Whether an effect does harm when it is decided from a resource that has changed since. Finalizers are only changed in
/// the state that was seen.
fn needs_ground(effect: &lifecycle::Effect) -> bool {
    use lifecycle::Effect;
    match effect {
        Effect::Event(_) | Effect::AddFinalizer | Effect::RemoveFinalizer => false,
        Effect::CreateCluster(_)
        | Effect::CreateOwned(_)
        | Effect::Apply(_)
        | Effect::Change(_)
        | Effect::Scale(_)
        | Effect::Delete(_)
        | Effect::RemoveData(_)
        | Effect::Flink(_) => true,
    }
}

/// The exception up to which all are told now. Those beyond the limit of one pass are told in the next.
fn newest_exception(observed: &Observed, effects: &[lifecycle::Effect]) -> Option<i64> {
    let told = effects.iter().filter_map(|effect| match effect {
        lifecycle::Effect::Event(event) => event.exception_timestamp(),
        _ => None,
    });
    told.max().or(observed.exceptions_reported)
}
