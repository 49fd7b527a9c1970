//! Performs effects: the only place from which Flink clusters and Kubernetes objects are changed.
//!
//! Every effect may be performed again after its answer was lost, by this process or by its successor, and has then
//! the same end. A deletion of what is gone, a creation of what we created before, a cancellation of what has ended:
//! all of these count as done.

mod cluster;
mod error;
mod finalizer;
mod flink_call;
mod objects;
mod references;
mod secrets;
mod submission;
mod turns;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use lifecycle::{Begun, Effect};

use crate::caches::Caches;
use crate::events::EventRecorder;
use crate::flink::Flink;
use crate::interruptions::Interruptions;
use crate::ports::{Artifacts, Clock, KubernetesApi, ZooKeeper};
use crate::resource::Resource;
use crate::slots::Slots;
use references::Looks;
use turns::Turns;

pub use error::{EffectError, EffectErrorKind};

/// What came of a list of effects.
#[derive(Debug, Default)]
pub struct Performed {
    /// The attempt whose cluster objects now all exist, when a cluster was to be created.
    pub created_attempt: Option<String>,
    /// The job that Flink has taken, when one was to be submitted.
    pub submitted_job: Option<String>,
    /// The last operation that Flink has begun.
    pub begun: Option<Begun>,
    /// A savepoint that was to be disposed of, and the resource that needs it.
    pub needed_savepoint: Option<(String, String)>,
    /// The first failure; the effects after it were not tried, Events aside.
    pub failure: Option<Failure>,
}

/// An effect that failed, as data for the next decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What was tried, for instance `create Deployment ns/app`.
    pub action: String,
    /// What came back.
    pub message: String,
    /// Whether the world was not as the decision took it to be: then it is made again at once, without telling anybody.
    pub look_again: bool,
    /// Whether a repeat fails as well, until somebody changes something.
    pub needs_user: bool,
    /// The operation that Flink did not begin, if it was about one.
    pub operation: Option<String>,
}

/// What effects reach besides the API server.
pub struct Remotes {
    /// Flink clusters.
    pub flink: Flink,
    /// For each call to Flink (`kubernetes.operator.flink.client.timeout`).
    pub flink_time_limit: Duration,
    /// Jars.
    pub artifacts: Arc<dyn Artifacts>,
    /// What Flink keeps in `ZooKeeper`.
    pub zookeeper: Arc<dyn ZooKeeper>,
}

/// Performs effects.
pub struct Executor {
    api: Arc<dyn KubernetesApi>,
    caches: Arc<Caches>,
    events: Arc<EventRecorder>,
    clock: Arc<dyn Clock>,
    remotes: Remotes,
    slots: Arc<Slots>,
    interruptions: Interruptions,
    turns: Turns,
    looks: Looks,
}

impl Executor {
    /// An executor that keeps these caches up to date.
    #[must_use]
    pub fn new(
        api: Arc<dyn KubernetesApi>,
        caches: Arc<Caches>,
        events: Arc<EventRecorder>,
        clock: Arc<dyn Clock>,
        remotes: Remotes,
    ) -> Self {
        Self {
            api,
            caches,
            events,
            clock,
            remotes,
            slots: Arc::default(),
            interruptions: Interruptions::default(),
            turns: Turns::default(),
            looks: Looks::default(),
        }
    }

    /// The slots that passes give back while they wait for Flink.
    #[must_use]
    pub fn slots(&self) -> &Arc<Slots> {
        &self.slots
    }

    /// Long steps, which end when their resource changes.
    #[must_use]
    pub fn interruptions(&self) -> &Interruptions {
        &self.interruptions
    }

    /// Performs effects on behalf of `resource`, in their order, up to the first that fails; Events also after that.
    pub async fn perform(&self, resource: &Resource, effects: Vec<Effect>) -> Performed {
        let mut performed = Performed::default();
        for effect in effects {
            // A call that failed is explained by the Events after it.
            if performed.failure.is_some() && !matches!(effect, Effect::Event(_)) {
                continue;
            }
            let operation = match &effect {
                Effect::Flink(call) => call.request.operation().map(str::to_owned),
                _ => None,
            };
            match self.one(resource, effect).await {
                Ok(Done::Plain) => {}
                Ok(Done::Created { attempt }) => performed.created_attempt = attempt,
                Ok(Done::Submitted { job_id }) => performed.submitted_job = Some(job_id),
                Ok(Done::Begun(begun)) => performed.begun = Some(begun),
                Ok(Done::Needed { path, by }) => performed.needed_savepoint = Some((path, by)),
                Err(error) => {
                    tracing::warn!(
                        namespace = %resource.key.namespace,
                        name = %resource.key.name,
                        action = %error.action,
                        "{}", error.kind
                    );
                    performed.failure = Some(Failure { operation, ..error.failure() });
                }
            }
        }
        performed
    }

    async fn one(&self, resource: &Resource, effect: Effect) -> Result<Done, EffectError> {
        match effect {
            Effect::Event(event) => self.events.record(resource, &event).await,
            Effect::AddFinalizer => self.set_finalizer(resource, true).await?,
            Effect::RemoveFinalizer => self.set_finalizer(resource, false).await?,
            Effect::CreateCluster(cluster) => {
                let attempt = self.create_cluster(resource, &cluster).await?;
                return Ok(Done::Created { attempt });
            }
            Effect::CreateOwned(object) => self.create_owned(&object).await?,
            Effect::Apply(object) => self.apply(&object).await?,
            Effect::Change(change) => self.change_object(&change).await?,
            Effect::Scale(scale) => self.scale(&scale).await?,
            Effect::Delete(delete) => self.delete(&delete).await?,
            Effect::RemoveData(remove) => self.remove_data(&remove).await?,
            Effect::DeleteNodes(nodes) => self.delete_nodes(&nodes).await?,
            Effect::Flink(call) => return self.call_flink(resource, &call).await,
            Effect::SubmitJob(submission) => {
                self.submit_job(resource, &submission).await?;
                return Ok(Done::Submitted { job_id: submission.job_id });
            }
        }
        Ok(Done::Plain)
    }
}

/// What came of one effect.
enum Done {
    Plain,
    /// All objects of a cluster exist, that of this attempt.
    Created {
        attempt: Option<String>,
    },
    /// Flink has the job.
    Submitted {
        job_id: String,
    },
    /// Flink has begun something whose result has to be asked for.
    Begun(Begun),
    /// Files were not deleted, because another resource needs them.
    Needed {
        path: String,
        by: String,
    },
}
