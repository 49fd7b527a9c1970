//! The parts of the engine, put together.

use std::sync::Arc;

use flink_client::Transport;
use flink_conf::{OperatorDefaults, OperatorSettings};

use crate::caches::Caches;
use crate::defaults::Defaults;
use crate::events::EventRecorder;
use crate::executor::{Executor, Remotes};
use crate::flink::{Flink, FlinkAddresses, MeteredTransport};
use crate::kubernetes::MeteredKubernetes;
use crate::metrics::{Metrics, MetricsError};
use crate::poller::Poller;
use crate::ports::{Artifacts, Clock, KubernetesApi, ZooKeeper};
use crate::status::StatusWriter;

/// What reconcilers are built from. Everything in it is shared.
#[derive(Clone)]
pub struct Engine {
    /// The API server, measured.
    pub api: Arc<dyn KubernetesApi>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What the operator is configured to do.
    pub defaults: Arc<Defaults>,
    /// What is watched.
    pub caches: Arc<Caches>,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// Tells users.
    pub events: Arc<EventRecorder>,
    /// Performs effects.
    pub executor: Arc<Executor>,
    /// Writes statuses.
    pub status: Arc<StatusWriter>,
    /// Asks Flink clusters.
    pub poller: Arc<Poller>,
}

/// The ways out that an engine is built over.
pub struct Ways {
    /// To Kubernetes.
    pub api: Arc<dyn KubernetesApi>,
    /// To Flink.
    pub transport: Arc<dyn Transport>,
    /// To where jars are kept.
    pub artifacts: Arc<dyn Artifacts>,
    /// To what Flink keeps in `ZooKeeper`.
    pub zookeeper: Arc<dyn ZooKeeper>,
    /// Where Flink clusters are.
    pub addresses: FlinkAddresses,
    /// To the time.
    pub clock: Arc<dyn Clock>,
}

impl Engine {
    /// An engine that knows nothing yet. The limit of each call of an effect to Flink is
    /// `kubernetes.operator.flink.client.timeout` of `defaults`; polls have that of their plan.
    pub fn new(ways: Ways, defaults: OperatorDefaults) -> Result<Self, MetricsError> {
        let flink_time_limit = OperatorSettings::of_operator(&defaults).flink_client_timeout;
        let Ways { api, transport, artifacts, zookeeper, addresses, clock } = ways;
        let metrics = Arc::new(Metrics::new()?);
        let api: Arc<dyn KubernetesApi> =
            Arc::new(MeteredKubernetes::new(api, Arc::clone(&clock), Arc::clone(&metrics)));
        let transport = MeteredTransport::new(transport, Arc::clone(&clock), Arc::clone(&metrics));
        let flink = Flink::new(Arc::new(transport), addresses);
        let caches = Arc::new(Caches::default());
        let events = Arc::new(EventRecorder::new(Arc::clone(&api), Arc::clone(&clock)));
        let executor = Executor::new(
            Arc::clone(&api),
            Arc::clone(&caches),
            Arc::clone(&events),
            Arc::clone(&clock),
            Remotes { flink: flink.clone(), flink_time_limit, artifacts, zookeeper },
        );
        let status = StatusWriter::new(Arc::clone(&api), Arc::clone(&caches));
        let poller = Poller::new(flink, Arc::clone(&clock));
        Ok(Self {
            api,
            clock,
            defaults: Arc::new(Defaults::new(defaults)),
            caches,
            metrics,
            events,
            executor: Arc::new(executor),
            status: Arc::new(status),
            poller: Arc::new(poller),
        })
    }
}
