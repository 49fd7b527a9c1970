//! Asks Flink clusters how they are, outside of the reconcile slots: a slow or hostile JobManager delays nobody.
//!
//! What to ask, and how often, is a [`PollPlan`] that the last decision about a resource left behind. The last answers
//! are kept here; a reconcile is woken only when they say something new.

mod ask;
mod schedule;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lifecycle::PollPlan;
use lifecycle::observed::{FlinkFailure, FlinkView};

use crate::flink::Flink;
use crate::ports::{Clock, ObjectKey};
pub use schedule::Schedule;

/// The poller: a schedule, and the way to ask.
pub struct Poller {
    schedule: Mutex<Schedule>,
    flink: Flink,
    clock: Arc<dyn Clock>,
}

impl Poller {
    /// A poller that has nothing to ask yet.
    #[must_use]
    pub fn new(flink: Flink, clock: Arc<dyn Clock>) -> Self {
        Self { schedule: Mutex::new(Schedule::default()), flink, clock }
    }

    fn schedule(&self) -> std::sync::MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a decision left behind for this resource; `None` ends the polls and forgets the answers.
    pub fn set_plan(&self, key: &ObjectKey, plan: Option<PollPlan>) {
        let now = self.clock.monotonic();
        self.schedule().set_plan(key, plan, now);
    }

    /// Forgets a resource that is gone.
    pub fn forget(&self, key: &ObjectKey) {
        let now = self.clock.monotonic();
        self.schedule().set_plan(key, None, now);
    }

    /// The last answers about the cluster that the Deployment of this uid runs.
    #[must_use]
    pub fn view(&self, key: &ObjectKey, deployment_uid: &str) -> FlinkView {
        self.schedule().view(key, deployment_uid)
    }

    /// When the next poll is due, in the clock's monotonic time.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        self.schedule().next_due()
    }

    /// At most `limit` resources whose poll is due; each is given out again only after [`Poller::poll_once`].
    #[must_use]
    pub fn take_due(&self, limit: usize) -> Vec<ObjectKey> {
        let now = self.clock.monotonic();
        self.schedule().take_due(now, limit)
    }

    /// Asks one cluster. Returns whether a reconcile should look at the answer.
    pub async fn poll_once(&self, key: &ObjectKey) -> bool {
        let Some(plan) = self.schedule().plan(key) else { return false };
        let began = self.clock.now();
        let answer = match self.flink.cluster(&plan.cluster, plan.timeout) {
            Ok(cluster) => ask::ask(&cluster, &plan, began).await,
            Err(error) => Err(FlinkFailure { since: began, unreachable: true, message: error.to_string() }),
        };
        let now = self.clock.monotonic();
        self.schedule().answered(key, &plan.deployment_uid, answer, now)
    }
}

impl std::fmt::Debug for Poller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Poller").field("schedule", &self.schedule()).finish_non_exhaustive()
    }
}
