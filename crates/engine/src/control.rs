//! What happens when: watches feed the caches, changes and polls wake resources, runs end. All of it without tasks,
//! timers or waiting, so that a simulation can drive exactly this.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::caches::{Cached, Cause, DEPLOYMENT_SELECTOR, Entry, INGRESS_SELECTOR, ResourceId};
use crate::engine::Engine;
use crate::metrics::{Metrics, UNKNOWN_STATE};
use crate::ports::{ApiError, Kind, ObjectKey, Scope, WatchEvent};
use crate::queue::{Outcome, Queue, QueueConfig};

/// Brings the resources of one kind to where they should be.
#[async_trait]
pub trait Reconciler: Send + Sync {
    /// Which kind.
    fn kind(&self) -> Kind;

    /// One pass over one resource. Never runs twice at once for the same one.
    async fn reconcile(&self, key: &ObjectKey) -> Outcome;
}

/// A watch that has to be kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Watched {
    /// Over which kind.
    pub kind: Kind,
    /// Over which objects.
    pub scope: Scope,
}

/// What is watched, and which resources are reconciled.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Namespaces (`kubernetes.operator.watched.namespaces`); all when empty.
    pub namespaces: Vec<String>,
    /// Label selector for our resources (`kubernetes.operator.label.selector`), not for what belongs to them.
    pub labels: Option<String>,
    /// Whether Ingresses are watched (`kubernetes.operator.ingress.manage`).
    pub ingresses: bool,
}

/// Kinds that may be missing from a cluster: without their CRD there are no resources of them.
const OPTIONAL: [Kind; 2] = [Kind::FLINK_SESSION_JOB, Kind::FLINK_STATE_SNAPSHOT];

impl Selection {
    /// The watches over `kinds`, over Deployments of JobManagers and TaskManagers, and over Ingresses if they are managed.
    #[must_use]
    pub fn watches(&self, kinds: &[Kind]) -> Vec<Watched> {
        let mut namespaces: Vec<Option<String>> = self.namespaces.iter().cloned().map(Some).collect();
        if namespaces.is_empty() {
            namespaces.push(None);
        }
        let mut watches = Vec::new();
        for namespace in namespaces {
            for kind in kinds {
                let scope = Scope { namespace: namespace.clone(), labels: self.labels.clone() };
                watches.push(Watched { kind: *kind, scope });
            }
            let labels = Some(DEPLOYMENT_SELECTOR.to_owned());
            watches.push(Watched {
                kind: Kind::DEPLOYMENT,
                scope: Scope { namespace: namespace.clone(), labels },
            });
            if self.ingresses {
                let labels = Some(INGRESS_SELECTOR.to_owned());
                watches.push(Watched { kind: Kind::INGRESS, scope: Scope { namespace, labels } });
            }
        }
        watches
    }
}

/// A driver that has not looked for work for so long is stuck.
const STALLED: Duration = Duration::from_mins(3);

#[derive(Debug, Default)]
struct WatchState {
    /// Whether what exists has been listed once.
    listed: bool,
    /// Why it does not go on at the moment.
    failure: Option<ApiError>,
}

#[derive(Debug)]
struct State {
    queue: Queue<ResourceId>,
    watches: HashMap<Watched, WatchState>,
    /// Namespaces (`None`: all) of which everything that exists is known.
    known: HashSet<Option<String>>,
    /// When the driver last looked for work.
    last_turn: Option<Duration>,
}

/// The engine's own course of events.
pub struct Control {
    engine: Engine,
    kinds: BTreeSet<Kind>,
    watches: Vec<Watched>,
    state: Mutex<State>,
}

impl Control {
    /// Reconciles resources of `kinds` as far as `selection` goes, and keeps what else it watches in the caches.
    #[must_use]
    pub fn new(engine: Engine, kinds: &[Kind], selection: &Selection, queue: QueueConfig) -> Self {
        let mut all_kinds = kinds.to_vec();
        // What a session cluster is used by decides whether it may be deleted.
        if !all_kinds.contains(&Kind::FLINK_SESSION_JOB) {
            all_kinds.push(Kind::FLINK_SESSION_JOB);
        }
        let watches = selection.watches(&all_kinds);
        let states = watches.iter().map(|watch| (watch.clone(), WatchState::default())).collect();
        let state =
            State { queue: Queue::new(queue), watches: states, known: HashSet::new(), last_turn: None };
        Self { engine, kinds: kinds.iter().copied().collect(), watches, state: Mutex::new(state) }
    }

    /// The parts.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The watches that have to be kept, and whose events are given to [`Control::watched`].
    #[must_use]
    pub fn watches(&self) -> &[Watched] {
        &self.watches
    }

    /// Takes an event of a watch.
    ///
    /// Nothing is reconciled in a namespace before everything that exists there is known: what is not listed yet must
    /// not look as if it were missing.
    pub fn watched(&self, watch: &Watched, event: WatchEvent) {
        let Watched { kind, scope } = watch;
        let now = self.engine.clock.monotonic();
        let mut event = event;
        let (listed, failure) = match &event {
            WatchEvent::Restarted(_) => (true, None),
            WatchEvent::Applied(_) | WatchEvent::Deleted(_) => (false, None),
            WatchEvent::Failed(error) => {
                let dispensable = is_dispensable(*kind, error);
                self.tell_failed_watch(watch, error, dispensable);
                let failure = Some(error.clone());
                let listed = is_absent(*kind, error) || dispensable;
                if dispensable {
                    // What is not watched any more is not known any more.
                    event = WatchEvent::Restarted(Vec::new());
                }
                (listed, failure)
            }
        };
        if OPTIONAL.contains(kind) {
            let absent = failure.as_ref().is_some_and(|error| is_absent(*kind, error));
            if absent || listed {
                self.engine.caches.set_installed(*kind, !absent);
            }
        }
        let wakes = self.engine.caches.apply(*kind, scope.namespace.as_deref(), event);
        let mut state = self.state();
        let watch_state = state.watches.entry(watch.clone()).or_default();
        watch_state.listed |= listed;
        watch_state.failure = failure;
        if !state.known.contains(&scope.namespace) {
            if state.is_listed(scope.namespace.as_deref()) {
                state.known.insert(scope.namespace.clone());
                drop(state);
                self.wake_all(scope.namespace.as_deref(), now);
            }
            return;
        }
        for wake in wakes.into_iter().filter(|wake| self.kinds.contains(&wake.resource.kind)) {
            if wake.cause == Cause::Changed && wake.resource.kind == *kind {
                self.engine.executor.interruptions().interrupt(&wake.resource);
            }
            if wake.cause == Cause::Status && state.queue.is_running(&wake.resource) {
                continue;
            }
            state.queue.wake(&wake.resource, now);
        }
    }

    /// Ingresses that may not be watched are told once, and not with each of the tries that follow.
    fn tell_failed_watch(&self, watch: &Watched, error: &ApiError, dispensable: bool) {
        let Watched { kind, scope } = watch;
        let namespace = scope.namespace.as_deref();
        if !dispensable {
            tracing::warn!(%kind, namespace, "a watch failed: {error}");
        } else if self.state().watches.get(watch).is_none_or(|state| state.failure.is_none()) {
            tracing::warn!(
                %kind,
                namespace,
                "a watch failed, so what happens to Ingresses is seen only when something else happens as well; the \
                 operator needs the verbs list and watch for ingresses of networking.k8s.io: {error}"
            );
        }
    }

    /// Asks for a pass over every resource, for instance because the operator's configuration has changed.
    pub fn wake_everything(&self) {
        let now = self.engine.clock.monotonic();
        let known: Vec<Option<String>> = self.state().known.iter().cloned().collect();
        for namespace in known {
            self.wake_all(namespace.as_deref(), now);
        }
    }

    fn wake_all(&self, namespace: Option<&str>, now: Duration) {
        let caches = &self.engine.caches;
        let mut keys = Vec::new();
        for kind in &self.kinds {
            let of_kind = match *kind {
                Kind::FLINK_DEPLOYMENT => keys_of(&caches.flink_deployments.list(namespace)),
                Kind::FLINK_SESSION_JOB => keys_of(&caches.flink_session_jobs.list(namespace)),
                Kind::FLINK_STATE_SNAPSHOT => keys_of(&caches.flink_state_snapshots.list(namespace)),
                _ => Vec::new(),
            };
            keys.extend(of_kind.into_iter().map(|key| ResourceId::new(*kind, key)));
        }
        let mut state = self.state();
        for key in keys {
            state.queue.wake(&key, now);
        }
    }

    /// Asks for a pass over one resource now, for instance because its Flink cluster said something new.
    pub fn wake(&self, resource: &ResourceId) {
        let now = self.engine.clock.monotonic();
        self.state().queue.wake(resource, now);
    }

    /// The next resource to reconcile. It counts as running until [`Control::finish`].
    #[must_use]
    pub fn take(&self) -> Option<ResourceId> {
        let now = self.engine.clock.monotonic();
        let mut state = self.state();
        for resource in self.engine.caches.take_news() {
            if self.kinds.contains(&resource.kind) {
                state.queue.wake(&resource, now);
            }
        }
        state.queue.take(now)
    }

    /// Says how a pass over a resource ended.
    pub fn finish(&self, resource: &ResourceId, outcome: Outcome) {
        let now = self.engine.clock.monotonic();
        self.state().queue.finish(resource, outcome, now);
    }

    /// When the next resource becomes due, in [`crate::ports::Clock::monotonic`] time.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        self.state().queue.next_due()
    }

    /// The driver looks for work. It does so at least once a minute, whatever its passes do.
    pub fn turn(&self) {
        let now = self.engine.clock.monotonic();
        self.state().last_turn = Some(now);
    }

    /// Why a restart of the process is needed; `None` before the driver runs and as long as it does its rounds. Watches
    /// that fail are no reason: they come back by themselves, which a restart would only delay.
    #[must_use]
    pub fn unhealthy(&self) -> Option<String> {
        let last_turn = self.state().last_turn?;
        let stalled = self.engine.clock.monotonic().saturating_sub(last_turn);
        (stalled > STALLED).then(|| format!("nothing has been scheduled for {} s", stalled.as_secs()))
    }

    /// Why not everything that exists is known yet; `None` when it is.
    #[must_use]
    pub fn not_ready(&self) -> Option<String> {
        let state = self.state();
        let mut missing: Vec<String> = state
            .watches
            .iter()
            .filter(|(_, state)| !state.listed)
            .map(|(watch, state)| {
                let place = watch.scope.namespace.as_deref().unwrap_or("all namespaces");
                let reason = state.failure.as_ref().map(|error| format!(" ({error})")).unwrap_or_default();
                format!("{} of {place}{reason}", watch.kind.plural)
            })
            .collect();
        missing.sort();
        (!missing.is_empty()).then(|| format!("not listed yet: {}", missing.join("; ")))
    }

    /// A watch that cannot be kept until somebody changes something, such as RBAC rules or missing CRDs, and of which
    /// nothing was ever seen (`kubernetes.operator.startup.stop-on-informer-error`).
    #[must_use]
    pub fn hopeless_watch(&self) -> Option<(Watched, ApiError)> {
        self.state().watches.iter().filter(|(_, state)| !state.listed).find_map(|(watch, state)| {
            let error = state.failure.as_ref()?;
            let hopeless = matches!(error, ApiError::Forbidden { .. } | ApiError::NotFound { .. });
            hopeless.then(|| (watch.clone(), error.clone()))
        })
    }

    /// Brings the metrics of queue, poller and resources up to date; to be called before they are shown.
    pub fn publish(&self) {
        let metrics = &self.engine.metrics;
        let now = self.engine.clock.monotonic();
        let (polls, polling) = self.engine.poller.counts();
        metrics.set_polls(polls, polling);
        metrics.set_ready(self.not_ready().is_none());
        {
            let state = self.state();
            metrics.set_queue(state.queue.due(now), state.queue.scheduled(), state.queue.running());
        }
        let caches = &self.engine.caches;
        count(metrics, Kind::FLINK_DEPLOYMENT, &caches.flink_deployments.list(None), |it| {
            it.status.as_ref().and_then(|status| status.lifecycle_state).map(api::LifecycleState::as_str)
        });
        count(metrics, Kind::FLINK_SESSION_JOB, &caches.flink_session_jobs.list(None), |it| {
            it.status.as_ref().and_then(|status| status.lifecycle_state).map(api::LifecycleState::as_str)
        });
        count(metrics, Kind::FLINK_STATE_SNAPSHOT, &caches.flink_state_snapshots.list(None), |it| {
            let state = it.status.as_ref().and_then(|status| status.state);
            Some(state.unwrap_or(api::SnapshotState::TriggerPending).as_str())
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_listed(&self, namespace: Option<&str>) -> bool {
        self.watches
            .iter()
            .filter(|(watch, _)| watch.scope.namespace.as_deref() == namespace)
            .all(|(_, state)| state.listed)
    }
}

/// Whether the failure says that the kind may not be watched, and it need not be: without a watch Ingresses are read when
/// their FlinkDeployment is looked at.
fn is_dispensable(kind: Kind, error: &ApiError) -> bool {
    kind == Kind::INGRESS && matches!(error, ApiError::Forbidden { .. })
}

/// Whether the failure says that the kind is not installed, and it need not be.
fn is_absent(kind: Kind, error: &ApiError) -> bool {
    OPTIONAL.contains(&kind) && matches!(error, ApiError::NotFound { .. })
}

fn keys_of<T: Cached>(entries: &[Entry<T>]) -> Vec<ObjectKey> {
    entries.iter().map(|entry| ObjectKey::of(entry.metadata())).collect()
}

fn count<T: Cached>(
    metrics: &Metrics,
    kind: Kind,
    entries: &[Entry<T>],
    state: impl Fn(&T) -> Option<&'static str>,
) {
    let mut by_state: HashMap<&str, i64> = HashMap::new();
    for entry in entries {
        let state = match entry {
            Entry::Good(object) => state(object).unwrap_or(api::LifecycleState::Created.as_str()),
            Entry::Bad(_) => UNKNOWN_STATE,
        };
        *by_state.entry(state).or_default() += 1;
    }
    metrics.set_resources(kind, &by_state);
}
