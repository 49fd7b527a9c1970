//! Asks Flink clusters how they are, outside of the reconcile passes: a slow JobManager delays nobody else, and a
//! healthy one that has nothing new to say wakes nobody.

mod ask;
mod digest;
mod java_trace;
mod schedule;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lifecycle::PollPlan;
use lifecycle::observed::{FlinkAnswer, FlinkFailure, FlinkView};

use crate::caches::ResourceId;
use crate::flink::Flink;
use crate::ports::Clock;
use schedule::Schedule;

/// What is known of one cluster.
#[derive(Debug, Default)]
struct Known {
    /// uid of the JobManager Deployment that the rest is about.
    deployment_uid: String,
    /// The job that it is about, if it is about one only.
    job_id: Option<String>,
    view: FlinkView,
    digest: u64,
    /// Whether it was told that the failure lasts.
    failure_told: bool,
    remembered: ask::Remembered,
}

impl Known {
    fn is_about(&self, plan: &PollPlan) -> bool {
        self.deployment_uid == plan.deployment_uid && self.job_id == plan.job_id
    }
}

#[derive(Debug, Default)]
struct State {
    schedule: Schedule,
    known: HashMap<ResourceId, Known>,
}

/// Polls Flink clusters, as [`lifecycle::decide`] plans it.
///
/// It has no tasks of its own: somebody calls [`Poller::take`] when [`Poller::next_due`] says so, and then
/// [`Poller::poll_once`].
pub struct Poller {
    flink: Flink,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

/// A poll that is due.
#[derive(Clone, Debug)]
pub struct DuePoll {
    /// The FlinkDeployment, or the FlinkSessionJob.
    pub key: ResourceId,
    plan: PollPlan,
}

impl Poller {
    /// A poller without plans.
    #[must_use]
    pub fn new(flink: Flink, clock: Arc<dyn Clock>) -> Self {
        Self { flink, clock, state: Mutex::new(State::default()) }
    }

    /// Takes the plan for a resource's cluster. With `None`, it is not asked any more, and what it said is
    /// forgotten: it may say something else when it is asked again.
    pub fn set_plan(&self, key: &ResourceId, plan: Option<PollPlan>) {
        let now = self.clock.monotonic();
        let mut state = self.state();
        let Some(plan) = plan else { return state.forget(key) };
        let other = state.known.get(key).is_some_and(|known| !known.is_about(&plan));
        if other {
            state.known.remove(key);
        }
        state.schedule.set(key, plan, now);
    }

    /// Forgets a resource.
    pub fn forget(&self, key: &ResourceId) {
        self.state().forget(key);
    }

    /// What the cluster said that the JobManager Deployment of this uid runs; nothing if it was not asked yet.
    #[must_use]
    pub fn view(&self, key: &ResourceId, deployment_uid: &str) -> FlinkView {
        let state = self.state();
        let known = state.known.get(key).filter(|known| known.deployment_uid == deployment_uid);
        known.map(|known| known.view.clone()).unwrap_or_default()
    }

    /// When the next poll is due, in [`Clock::monotonic`] time.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        self.state().schedule.next_due()
    }

    /// Numbers of clusters that are asked from time to time, and that are being asked at the moment.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let state = self.state();
        (state.schedule.len(), state.schedule.running())
    }

    /// A poll that is due now. Each one has to be given to [`Poller::poll_once`], or the cluster is not asked again.
    #[must_use]
    pub fn take(&self) -> Option<DuePoll> {
        let now = self.clock.monotonic();
        self.state().schedule.take(now).map(|(key, plan)| DuePoll { key, plan })
    }

    /// Asks a cluster. Returns whether its resource has to be looked at because the answer is news.
    ///
    /// Bounded in time by twice the plan's time limit, as far as the transport keeps the limits that it is given.
    pub async fn poll_once(&self, poll: DuePoll) -> bool {
        let DuePoll { key, plan } = poll;
        let at = self.clock.now();
        let remembered = {
            let state = self.state();
            let known = state.known.get(&key).filter(|known| known.is_about(&plan));
            known.map(|known| known.remembered.clone()).unwrap_or_default()
        };
        let mut begun = Begun { poller: self, key: &key, over: false };
        let answer = ask::ask(&self.flink, self.clock.as_ref(), &plan, remembered).await;
        if let Err(failure) = &answer {
            tracing::debug!(namespace = %key.key.namespace, name = %key.key.name, "Flink poll: {}", failure.message);
        }
        begun.over = true;
        let now = self.clock.monotonic();
        let mut state = self.state();
        state.schedule.finish(&key, answer.is_ok(), now);
        if let Ok((_, remembered)) = &answer
            && let Some(again) = remembered.again
        {
            state.schedule.at_the_latest(&key, again);
        }
        // The plan may have changed or gone meanwhile; an answer of another cluster is not wanted.
        let wanted = state.schedule.current(&key).is_some_and(|current| {
            current.deployment_uid == plan.deployment_uid && current.job_id == plan.job_id
        });
        wanted && state.learn(&key, &plan, at, answer)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A poll that has begun. One that is dropped half-way, or panics, counts as not answered.
struct Begun<'a> {
    poller: &'a Poller,
    key: &'a ResourceId,
    over: bool,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if !self.over {
            let now = self.poller.clock.monotonic();
            self.poller.state().schedule.finish(self.key, false, now);
        }
    }
}

impl State {
    fn forget(&mut self, key: &ResourceId) {
        self.schedule.remove(key);
        self.known.remove(key);
    }

    /// Stores an answer, and says whether it is news.
    fn learn(
        &mut self,
        key: &ResourceId,
        plan: &PollPlan,
        at: jiff::Timestamp,
        answer: Result<(FlinkAnswer, ask::Remembered), ask::Failure>,
    ) -> bool {
        let known = self.known.entry(key.clone()).or_default();
        let first = !known.is_about(plan);
        if first {
            *known = Known {
                deployment_uid: plan.deployment_uid.clone(),
                job_id: plan.job_id.clone(),
                ..Known::default()
            };
        }
        let mut lasting = false;
        match answer {
            Ok((answer, remembered)) => {
                known.remembered = remembered;
                known.failure_told = false;
                known.view = FlinkView { answer: Some(FlinkAnswer { at, ..answer }), failure: None };
            }
            Err(failure) => {
                let since = known.view.failure.as_ref().map_or(at, |earlier| earlier.since);
                // A failure is news when it begins, and once more when it has lasted.
                let lasts = at.duration_since(since).unsigned_abs() >= plan.patience;
                lasting = lasts && !known.failure_told;
                known.failure_told |= lasts;
                let ask::Failure { unreachable, untrusted, message } = failure;
                known.view.failure = Some(FlinkFailure { since, unreachable, untrusted, message });
            }
        }
        let digest = digest::of(&known.view);
        let news = first || lasting || digest != known.digest;
        known.digest = digest;
        news
    }
}
