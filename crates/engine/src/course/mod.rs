//! One pass over a resource: observe, decide, record, execute, as often as the decisions ask for it. What is the same for
//! all kinds of resources; what they observe, and who decides, is their reconcilers' business.

mod memory;

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use lifecycle::{Decision, Effect, Requeue};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::caches::ResourceId;
use crate::engine::Engine;
use crate::ports::{ApiError, Kind, ObjectKey};
use crate::queue::Outcome;
use crate::resource::Resource;

use memory::Memories;
pub use memory::Memory;

/// Rounds of one pass at most. A pass that wants more goes on in the next one.
const ROUNDS: usize = 8;

/// What one pass came to.
#[derive(Debug)]
pub enum Pass {
    /// The resource does not exist any more.
    Gone,
    /// Look again after this time, or when something changes.
    Again(Option<Duration>),
}

/// What one round came to.
#[derive(Debug)]
pub enum Round {
    /// Observe and decide once more.
    Again,
    /// The pass is over.
    Done(Pass),
}

/// Observes, decides, records and executes, once for each call.
#[async_trait]
pub trait Rounds: Send + Sync {
    /// One round over one resource.
    ///
    /// # Errors
    /// The API server did not let it come to its end.
    async fn round(&self, key: &ObjectKey) -> Result<Round, ApiError>;
}

/// One pass: rounds, as often as the decisions ask for them.
pub async fn pass(rounds: &impl Rounds, key: &ObjectKey) -> Outcome {
    for _ in 0..ROUNDS {
        match rounds.round(key).await {
            Ok(Round::Again) => {}
            Ok(Round::Done(Pass::Gone)) => return Outcome::Gone,
            Ok(Round::Done(Pass::Again(Some(delay)))) => return Outcome::After(delay),
            Ok(Round::Done(Pass::Again(None))) => return Outcome::OnChange,
            Err(error) => {
                tracing::warn!(resource = %key, %error, "the pass did not come to its end");
                return Outcome::Failed;
            }
        }
    }
    Outcome::After(Duration::ZERO)
}

/// A read that failed leaves the decision without its answer, and the resource without a reason to wait for it.
pub fn known<T>(key: &ObjectKey, read: Result<T, ApiError>) -> Option<T> {
    read.inspect_err(|error| tracing::warn!(resource = %key, %error, "a read failed")).ok()
}

/// What a decision was made from.
#[derive(Debug)]
pub struct Step<'a, S> {
    /// The resource as it was seen.
    pub identity: Resource,
    /// Its status then.
    pub stored: Option<&'a S>,
    /// A status that says nothing: a resource about which nothing is known yet needs none.
    pub blank: S,
    /// The newest exception that was told before.
    pub exceptions_reported: Option<i64>,
    /// What was remembered.
    pub memory: Memory,
}

/// Records and executes what is decided about the resources of one kind.
pub struct Course {
    engine: Engine,
    kind: Kind,
    memories: Memories,
}

impl Course {
    /// A course that remembers nothing.
    #[must_use]
    pub fn new(engine: Engine, kind: Kind) -> Self {
        Self { engine, kind, memories: Memories::default() }
    }

    /// What is remembered of a resource.
    #[must_use]
    pub fn memory(&self, identity: &Resource) -> Memory {
        self.memories.of(&identity.key, &identity.uid)
    }

    /// The resource is gone.
    pub fn forget(&self, key: &ObjectKey) {
        self.engine.poller.forget(&ResourceId::new(self.kind, key.clone()));
        self.memories.forget(key);
    }

    /// Records a decision, then executes it.
    ///
    /// # Errors
    /// The API server did not take the status, for another reason than that somebody else was faster.
    pub async fn take<S>(&self, step: Step<'_, S>, decision: Decision<S>) -> Result<Round, ApiError>
    where
        S: Serialize + DeserializeOwned + PartialEq + Sync,
    {
        let Step { identity, stored, blank, exceptions_reported, mut memory } = step;
        let key = identity.key.clone();
        let generation = identity.generation.unwrap_or_default();
        let recorded = stored != Some(&decision.status) && decision.status != blank;
        let identity = if recorded {
            match self.engine.status.write(&identity, &decision.status).await? {
                Some(written) => Resource::new(self.kind, &written.metadata),
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
        self.engine.poller.set_plan(&ResourceId::new(self.kind, key.clone()), decision.poll);

        let works = decision.effects.iter().any(is_work);
        if works {
            memory.tries();
        }
        if let Some(newest) = newest_exception(exceptions_reported, &decision.effects) {
            memory.exceptions_reported = Some(newest);
        }
        let performed = self.engine.executor.perform(&identity, decision.effects).await;
        if let Some(attempt) = performed.created_attempt {
            memory.created_attempt = Some(attempt);
        }
        if let Some(job_id) = performed.submitted_job {
            memory.submitted_job = Some(job_id);
        }
        if performed.begun.is_some() {
            memory.begun = performed.begun;
        }
        let is_needed = performed.needed_savepoint.is_some();
        if let Some((path, by)) = performed.needed_savepoint {
            memory.is_needed(path, by, self.engine.clock.now());
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
        self.memories.put(&key, memory);
        if again || is_needed {
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
}

/// Whether an effect is more than telling.
fn is_work(effect: &Effect) -> bool {
    !matches!(effect, Effect::Event(_))
}

/// Whether an effect does harm when it is decided from a resource that has changed since. Finalizers are only changed in
/// the state that was seen.
fn needs_ground(effect: &Effect) -> bool {
    match effect {
        Effect::Event(_) | Effect::AddFinalizer | Effect::RemoveFinalizer => false,
        Effect::CreateCluster(_)
        | Effect::CreateOwned(_)
        | Effect::Apply(_)
        | Effect::Change(_)
        | Effect::Scale(_)
        | Effect::Delete(_)
        | Effect::RemoveData(_)
        | Effect::DeleteNodes(_)
        | Effect::Flink(_)
        | Effect::SubmitJob(_) => true,
    }
}

/// The exception up to which all are told now. Those beyond the limit of one pass are told in the next.
fn newest_exception(reported: Option<i64>, effects: &[Effect]) -> Option<i64> {
    let told = effects.iter().filter_map(|effect| match effect {
        Effect::Event(event) => event.exception_timestamp(),
        _ => None,
    });
    told.max().or(reported)
}
