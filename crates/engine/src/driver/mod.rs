//! Runs everything on tokio: one task for each watch, a bounded number of passes and polls, and an orderly end.

mod work;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use thiserror::Error;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::control::{Control, Reconciler, Watched};
use crate::ports::{ApiError, Kind};
use crate::slots::Slots;

/// Settings of a [`Driver`].
#[derive(Clone, Debug)]
pub struct DriverConfig {
    /// Passes at once (`kubernetes.operator.reconcile.parallelism`), those aside that wait for an answer of Flink.
    /// Default: 50.
    pub reconciles: usize,
    /// Flink clusters that are asked at once. Default: 50.
    pub polls: usize,
    /// How long running passes may take to end when the driver stops (`kubernetes.operator.termination.timeout`).
    /// Default: 10 s.
    pub stop_limit: Duration,
    /// Whether a watch that cannot be started because it is forbidden, or because its CRD is missing, ends the driver
    /// (`kubernetes.operator.startup.stop-on-informer-error`). Otherwise it is tried again and again. Default: true.
    pub stop_on_hopeless_watch: bool,
}

impl Default for DriverConfig {
    fn default() -> Self {
        Self { reconciles: 50, polls: 50, stop_limit: Duration::from_secs(10), stop_on_hopeless_watch: true }
    }
}

/// Why a driver ended by itself.
#[derive(Debug, Error)]
pub enum DriverError {
    /// A watch cannot be started.
    #[error("{} cannot be watched in {place}: {error}", watch.kind.plural, place = watch.scope.namespace.as_deref().unwrap_or("all namespaces"))]
    Watch {
        /// Which one.
        watch: Watched,
        /// What the API server says.
        error: ApiError,
    },
}

/// How a driver stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Passes and polls that were still running at the end of the time limit, and were given up.
    pub given_up: usize,
}

/// Runs a [`Control`].
pub struct Driver {
    control: Arc<Control>,
    reconcilers: Arc<HashMap<Kind, Arc<dyn Reconciler>>>,
    config: DriverConfig,
    /// Something may be due earlier than it was.
    news: Arc<Notify>,
}

impl Driver {
    /// A driver for these reconcilers. Their kinds must be those that `control` was made for.
    #[must_use]
    pub fn new(control: Arc<Control>, reconcilers: Vec<Arc<dyn Reconciler>>, config: DriverConfig) -> Self {
        let reconcilers = reconcilers.into_iter().map(|reconciler| (reconciler.kind(), reconciler)).collect();
        Self { control, reconcilers: Arc::new(reconcilers), config, news: Arc::new(Notify::new()) }
    }

    /// Tells the driver that something was woken through [`Control`] from outside of it.
    #[must_use]
    pub fn news(&self) -> Arc<Notify> {
        Arc::clone(&self.news)
    }

    /// Runs until `stop` says true or its sender is gone. Then nothing new begins, and what runs may end within
    /// [`DriverConfig::stop_limit`]. Every pass can be cut off at any point: its successor goes on from what is recorded.
    ///
    /// # Errors
    /// A watch is hopeless, and [`DriverConfig::stop_on_hopeless_watch`] is set.
    pub async fn run(self, mut stop: watch::Receiver<bool>) -> Result<Stopped, DriverError> {
        let mut watches = JoinSet::new();
        for watch in self.control.watches() {
            watches.spawn(keep(Arc::clone(&self.control), watch.clone(), Arc::clone(&self.news)));
        }
        let mut reconciles = JoinSet::new();
        let mut polls = JoinSet::new();
        let ended = loop {
            if *stop.borrow() {
                break Ok(());
            }
            if self.config.stop_on_hopeless_watch
                && let Some((watch, error)) = self.control.hopeless_watch()
            {
                break Err(DriverError::Watch { watch, error });
            }
            self.control.turn();
            self.begin(&mut reconciles, &mut polls);
            let slots = Arc::clone(self.control.engine().executor.slots());
            let wait = self.wait(in_slots(&reconciles, &slots), polls.len());
            tokio::select! {
                changed = stop.changed() => if changed.is_err() { break Ok(()) },
                () = self.news.notified() => {}
                () = slots.freed() => {}
                Some(_) = reconciles.join_next() => {}
                Some(_) = polls.join_next() => {}
                () = tokio::time::sleep(wait) => {}
            }
        };
        watches.abort_all();
        // A poll changes nothing, so it need not end.
        polls.abort_all();
        let given_up = self.end(reconciles).await;
        ended.map(|()| Stopped { given_up })
    }

    /// Begins whatever is due, as far as there is room.
    fn begin(&self, reconciles: &mut JoinSet<()>, polls: &mut JoinSet<()>) {
        let slots = self.control.engine().executor.slots();
        while in_slots(reconciles, slots) < self.config.reconciles.max(1) {
            let Some(resource) = self.control.take() else { break };
            let by = self.reconcilers.get(&resource.kind).cloned();
            reconciles.spawn(work::reconcile(Arc::clone(&self.control), by, resource));
        }
        while polls.len() < self.config.polls.max(1) {
            let Some(poll) = self.control.engine().poller.take() else { break };
            polls.spawn(work::poll(Arc::clone(&self.control), Arc::clone(&self.news), poll));
        }
    }

    /// How long nothing becomes due that there is room for.
    fn wait(&self, reconciles: usize, polls: usize) -> Duration {
        // Only a bound: whatever comes earlier is told.
        const LONGEST: Duration = Duration::from_mins(1);
        let engine = self.control.engine();
        let room = |running: usize, limit: usize| running < limit.max(1);
        let reconcile = self.control.next_due().filter(|_| room(reconciles, self.config.reconciles));
        let poll = engine.poller.next_due().filter(|_| room(polls, self.config.polls));
        let now = engine.clock.monotonic();
        let next = [reconcile, poll].into_iter().flatten().min();
        next.map_or(LONGEST, |next| next.saturating_sub(now).min(LONGEST))
    }

    async fn end(&self, mut reconciles: JoinSet<()>) -> usize {
        tracing::info!(running = reconciles.len(), "stopping: nothing new begins");
        let all = async { while reconciles.join_next().await.is_some() {} };
        if tokio::time::timeout(self.config.stop_limit, all).await.is_ok() {
            return 0;
        }
        let given_up = reconciles.len();
        tracing::warn!(
            given_up,
            "passes did not end in time; whoever comes next goes on from what is recorded"
        );
        reconciles.abort_all();
        given_up
    }
}

/// How many passes hold a slot.
fn in_slots(reconciles: &JoinSet<()>, slots: &Slots) -> usize {
    reconciles.len().saturating_sub(slots.waiting())
}

/// Keeps one watch.
async fn keep(control: Arc<Control>, watch: Watched, news: Arc<Notify>) {
    let mut events = control.engine().api.watch(watch.kind, &watch.scope);
    while let Some(event) = events.next().await {
        control.watched(&watch, event);
        news.notify_one();
    }
}
