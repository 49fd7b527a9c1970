//! The only room with side effects: watches and caches, scheduling, Flink polls, execution, status, Events, metrics.
//!
//! * [`ports`] are the ways out: [`ports::KubernetesApi`], [`ports::Clock`], [`ports::Artifacts`], [`ports::ZooKeeper`] and
//!   [`flink_client::Transport`] for Flink.
//!   The real ones are [`kubernetes::Kubernetes`], [`ports::SystemClock`], and [`flink_client::HttpTransport`] or
//!   [`flink::ServiceProxyTransport`]. A simulation replaces exactly these.
//! * [`Engine`] puts the parts together that a reconciler uses: [`caches`], [`status`], [`executor`], [`poller`],
//!   [`events`]. None of them spawns a task, sleeps or reads a clock of its own.
//! * [`control::Control`] decides what happens when. It has no tasks either: whoever drives it gives it the events of
//!   its watches, takes resources and polls that are due, and says how they ended.
//! * [`driver::Driver`] is the one that does so on tokio.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use engine::{Engine, Ways, control::{Control, Reconciler, Selection}, driver::{Driver, DriverConfig}};
//! # use engine::{flink::{FlinkAddresses, ServiceProxyTransport}, kubernetes::{ConnectOptions, Kubernetes}};
//! # use engine::{ports::{NoArtifacts, NoZooKeeper, SystemClock}, queue::QueueConfig};
//! # use flink_conf::OperatorDefaults;
//! # async fn operator(make: impl Fn(Engine) -> Arc<dyn Reconciler>) -> Result<(), Box<dyn std::error::Error>> {
//! let kubernetes = Kubernetes::connect(&ConnectOptions::new("0.1.0")).await?;
//! let transport = Arc::new(ServiceProxyTransport::new(kubernetes.client()));
//! let addresses = FlinkAddresses::ServiceProxy;
//! let (artifacts, zookeeper) = (Arc::new(NoArtifacts), Arc::new(NoZooKeeper));
//! let ways =
//!     Ways { api: Arc::new(kubernetes), transport, artifacts, zookeeper, addresses, clock: SystemClock::new() };
//! let engine = Engine::new(ways, OperatorDefaults::default())?;
//! let reconciler = make(engine.clone());
//! let kinds = [reconciler.kind()];
//! let control = Arc::new(Control::new(engine, &kinds, &Selection::default(), QueueConfig::default()));
//! let (_stop, stopped) = tokio::sync::watch::channel(false);
//! Driver::new(control, vec![reconciler], DriverConfig::default()).run(stopped).await?;
//! # Ok(())
//! # }
//! ```
//!
//! A simulation drives [`control::Control`] in one thread:
//!
//! 1. For each of [`control::Control::watches`], call [`ports::KubernetesApi::watch`] once and give every event to
//!    [`control::Control::watched`].
//! 2. While [`control::Control::take`] gives a resource: reconcile it, and give the outcome to
//!    [`control::Control::finish`].
//! 3. While [`poller::Poller::take`] gives a poll: [`poller::Poller::poll_once`], and if it returns true,
//!    [`control::Control::wake`].
//! 4. Move the clock to the earlier of [`control::Control::next_due`] and [`poller::Poller::next_due`].

pub mod caches;
pub mod control;
pub mod course;
mod defaults;
pub mod driver;
mod engine;
mod event_name;
pub mod events;
pub mod executor;
pub mod flink;
pub mod interruptions;
pub mod kubernetes;
pub mod live;
pub mod metrics;
pub mod poller;
pub mod ports;
pub mod queue;
pub mod resource;
pub mod slots;
pub mod status;
#[cfg(test)]
mod testing;
pub mod undecodable;
pub mod zookeeper;

pub use defaults::Defaults;
pub use engine::{Engine, Ways};
pub use event_name::event_name;
