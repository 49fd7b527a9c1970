//! One pass over a FlinkDeployment: observe, decide, record, execute, as often as the decisions ask for it.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use api::FlinkDeployment;
use engine::caches::{Caches, Entry};
use engine::executor::Executor;
use engine::poller::Poller;
use engine::ports::{ApiError, Clock, Kind, KubernetesApi, ObjectKey};
use engine::resource::Resource;
use engine::status::StatusWriter;
use flink_conf::OperatorDefaults;
use lifecycle::observed::{FlinkView, JobManager};
use lifecycle::{Context, Observed, Requeue, decide, reads};
use resources::OperatorFiles;

use crate::live;
use crate::memory::{Memories, Memory};

/// Rounds of one pass at most. A pass that wants more goes on in the next one.
const ROUNDS: usize = 8;

/// What one pass came to.
#[derive(Debug)]
pub enum Pass {
    /// The resource does not exist any more.
    Gone,
    /// Look again after this time, or when something changes.
    Again(Option<Duration>),
    /// The API server did not let the pass come to an end.
    Failed(ApiError),
}

/// Everything that a pass uses; shared by all passes.
pub struct DeploymentReconciler {
    pub(crate) api: Arc<dyn KubernetesApi>,
    pub(crate) caches: Arc<Caches>,
    pub(crate) poller: Arc<Poller>,
    pub(crate) executor: Arc<Executor>,
    pub(crate) status: Arc<StatusWriter>,
    pub(crate) clock: Arc<dyn Clock>,
    files: OperatorFiles,
    defaults: RwLock<Arc<OperatorDefaults>>,
    memories: Memories,
}

/// The parts of the engine that the reconciler is built on.
#[derive(Clone)]
pub struct Parts {
    /// The API server.
    pub api: Arc<dyn KubernetesApi>,
    /// What is watched.
    pub caches: Arc<Caches>,
    /// The Flink poller.
    pub poller: Arc<Poller>,
    /// Performs effects.
    pub executor: Arc<Executor>,
    /// Writes status.
    pub status: Arc<StatusWriter>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl DeploymentReconciler {
    /// A reconciler that remembers nothing.
    #[must_use]
    pub fn new(parts: Parts, defaults: OperatorDefaults, files: OperatorFiles) -> Self {
        let Parts { api, caches, poller, executor, status, clock } = parts;
        let defaults = RwLock::new(Arc::new(defaults));
        Self { api, caches, poller, executor, status, clock, files, defaults, memories: Memories::default() }
    }

    /// Replaces the operator's configuration; the next decision about each resource uses it.
    pub fn set_defaults(&self, defaults: OperatorDefaults) {
        *self.defaults.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(defaults);
    }

    fn defaults(&self) -> Arc<OperatorDefaults> {
        Arc::clone(&self.defaults.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// One pass.
    pub async fn pass(&self, key: &ObjectKey) -> Pass {
        for _ in 0..ROUNDS {
            match self.round(key).await {
                Ok(Round::Again) => {}
                Ok(Round::Done(pass)) => return pass,
                Err(error) => return Pass::Failed(error),
            }
        }
        Pass::Again(Some(Duration::ZERO))
    }

    async fn round(&self, key: &ObjectKey) -> Result<Round, ApiError> {
        match self.caches.flink_deployments.get(key) {
            None => {
                self.forget(key);
                Ok(Round::Done(Pass::Gone))
            }
            Some(Entry::Bad(undecodable)) => self.undecodable(key, &undecodable).await,
            Some(Entry::Good(resource)) => self.step(key, &resource).await,
        }
    }

    /// Observe, decide, record, execute: once.
    pub(crate) async fn step(&self, key: &ObjectKey, resource: &FlinkDeployment) -> Result<Round, ApiError> {
        let identity = Resource::new(Kind::FLINK_DEPLOYMENT, &resource.metadata);
        let mut memory = self.memories.of(key, &identity.uid);
        let defaults = self.defaults();
        let context = Context { now: self.clock.now(), defaults: &defaults, files: &self.files };
        let observed = self.observe(key, resource, &memory, &context).await;
        let decision = decide(resource, &observed, &context);
        let generation = identity.generation.unwrap_or_default();

        let recorded = resource.status.as_ref() != Some(&decision.status) && decision.status != no_status();
        let identity = if recorded {
            match self.status.write(&identity, &decision.status).await? {
                Some(written) => Resource::new(Kind::FLINK_DEPLOYMENT, &written.metadata),
                // Somebody else was faster: everything is looked at again.
                None => return Ok(Round::Again),
            }
        } else {
            identity
        };
        self.poller.set_plan(key, decision.poll);

        let works = decision.effects.iter().any(is_work);
        if works {
            memory.tries();
        }
        if let Some(newest) = newest_exception(&observed) {
            memory.exceptions_reported = Some(newest);
        }
        let performed = self.executor.perform(&identity, decision.effects).await;
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
                memory.failed(failure.action, failure.message, generation, self.clock.now());
                true
            }
        };
        let left = memory.back_off_left(generation, self.clock.now());
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
        let cached = self.caches.job_managers.get(key);
        let job_manager = cached
            .as_ref()
            .and_then(Entry::good)
            .map(|deployment| JobManager::from_deployment(deployment, uid));
        let available = job_manager.as_ref().is_some_and(JobManager::is_available);
        let wanted = reads(resource, available, context);
        let api = self.api.as_ref();
        let pods = if wanted.pods && job_manager.is_some() {
            known(key, live::pod_problems(api, key).await).unwrap_or_default()
        } else {
            Vec::new()
        };
        let ha = if wanted.ha { known(key, live::ha_metadata(api, key).await) } else { None };
        let owned_ingress = if wanted.ingress {
            known(key, live::owned_ingress(api, key, uid).await).flatten()
        } else {
            None
        };
        let flink = job_manager
            .as_ref()
            .map_or_else(FlinkView::default, |job_manager| self.poller.view(key, &job_manager.uid));
        Observed {
            job_manager,
            pods,
            flink,
            ha,
            owned_ingress,
            session_jobs: self.caches.session_jobs_of(key),
            created_attempt: memory.created_attempt.clone(),
            exceptions_reported: memory.exceptions_reported,
            failure: memory.failure(generation, context.now),
        }
    }

    fn forget(&self, key: &ObjectKey) {
        self.poller.forget(key);
        self.memories.forget(key);
    }
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

fn newest_exception(observed: &Observed) -> Option<i64> {
    let answer = observed.flink.current()?;
    answer.exceptions.iter().map(|exception| exception.timestamp).max()
}
