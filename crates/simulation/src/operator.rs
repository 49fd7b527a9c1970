//! One operator process: the product's own rooms over the [`Gate`], driven in one thread.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use deployment::DeploymentReconciler;
use engine::caches::ResourceId;
use engine::control::{Control, Reconciler, Selection, Watched};
use engine::flink::FlinkAddresses;
use engine::ports::{Kind, KubernetesApi, WatchEvent};
use engine::queue::{Outcome, QueueConfig};
use engine::{Engine, Ways};
use flink_client::Transport;
use flink_conf::{FlinkConf, OperatorDefaults};
use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt};
use futures::task::noop_waker_ref;
use resources::OperatorFiles;
use session_job::SessionJobReconciler;
use snapshot::SnapshotReconciler;

use crate::gate::Gate;
use crate::planted::{self, Plant};
use crate::stage::Stage;

/// Something that the operator is doing.
pub(crate) enum Work {
    Pass(ResourceId, BoxFuture<'static, Outcome>),
    Poll(ResourceId, BoxFuture<'static, bool>),
}

/// How far some work has come.
pub(crate) enum Progress {
    Done,
    Waits(Work),
}

pub(crate) struct Operator {
    pub(crate) number: u32,
    control: Arc<Control>,
    deployments: Arc<DeploymentReconciler>,
    session_jobs: Arc<SessionJobReconciler>,
    snapshots: Arc<SnapshotReconciler>,
    watches: Vec<(Watched, BoxStream<'static, WatchEvent>)>,
}

impl Operator {
    /// A process that knows nothing yet.
    pub(crate) fn start(
        number: u32,
        stage: &Stage,
        configuration: &BTreeMap<String, String>,
        plant: Option<Plant>,
    ) -> Result<Self, String> {
        let gate = Gate::new(stage.clone(), number);
        let api: Arc<dyn KubernetesApi> = planted::api(plant, Arc::new(gate.clone()));
        let artifacts = Arc::new(gate.clone());
        let zookeeper = Arc::new(gate.clone());
        let transport: Arc<dyn Transport> = planted::transport(plant, Arc::new(gate), &stage.world);
        let clock = Arc::new(stage.clock.clone());
        let addresses = FlinkAddresses::ServiceDns;
        let ways = Ways { api: Arc::clone(&api), transport, artifacts, zookeeper, addresses, clock };
        let mut conf = FlinkConf::new();
        for (key, value) in configuration {
            conf.set(key.clone(), value.clone());
        }
        let defaults = OperatorDefaults::new(conf);
        let engine = Engine::new(ways, defaults).map_err(|error| error.to_string())?;
        let session_jobs = Arc::new(SessionJobReconciler::new(engine.clone()));
        let snapshots = Arc::new(SnapshotReconciler::new(engine.clone()));
        let files = OperatorFiles::default();
        let deployments = Arc::new(DeploymentReconciler::new(engine.clone(), files));
        let selection = Selection { ingresses: true, ..Selection::default() };
        let kinds = [Kind::FLINK_DEPLOYMENT, Kind::FLINK_SESSION_JOB, Kind::FLINK_STATE_SNAPSHOT];
        let control = Control::new(engine, &kinds, &selection, QueueConfig::default());
        let watches = control
            .watches()
            .iter()
            .map(|watched| (watched.clone(), api.watch(watched.kind, &watched.scope)));
        let watches = watches.collect();
        stage.rewound();
        Ok(Self { number, control: Arc::new(control), deployments, session_jobs, snapshots, watches })
    }

    /// Takes what the watches tell. Returns whether they told anything.
    pub(crate) fn deliver(&mut self) -> bool {
        let mut context = Context::from_waker(noop_waker_ref());
        let mut told = false;
        for (watched, stream) in &mut self.watches {
            while let Poll::Ready(Some(event)) = stream.poll_next_unpin(&mut context) {
                self.control.watched(watched, event);
                told = true;
            }
        }
        told
    }

    /// The next thing that is due.
    pub(crate) fn begin(&self) -> Option<Work> {
        if let Some(resource) = self.control.take() {
            let reconciler: Arc<dyn Reconciler> = match resource.kind {
                Kind::FLINK_SESSION_JOB => Arc::clone(&self.session_jobs) as _,
                Kind::FLINK_STATE_SNAPSHOT => Arc::clone(&self.snapshots) as _,
                _ => Arc::clone(&self.deployments) as _,
            };
            let key = resource.key.clone();
            return Some(Work::Pass(resource, Box::pin(async move { reconciler.reconcile(&key).await })));
        }
        let poll = self.control.engine().poller.take()?;
        let resource = poll.key.clone();
        let poller = Arc::clone(&self.control.engine().poller);
        Some(Work::Poll(resource, Box::pin(async move { poller.poll_once(poll).await })))
    }

    /// Goes on with some work, as far as it comes.
    pub(crate) fn go_on(&self, work: Work) -> Progress {
        let mut context = Context::from_waker(noop_waker_ref());
        match work {
            Work::Pass(resource, mut future) => match future.as_mut().poll(&mut context) {
                Poll::Ready(outcome) => {
                    self.control.finish(&resource, outcome);
                    Progress::Done
                }
                Poll::Pending => Progress::Waits(Work::Pass(resource, future)),
            },
            Work::Poll(resource, mut future) => match future.as_mut().poll(&mut context) {
                Poll::Ready(news) => {
                    if news {
                        self.control.wake(&resource);
                    }
                    Progress::Done
                }
                Poll::Pending => Progress::Waits(Work::Poll(resource, future)),
            },
        }
    }

    pub(crate) fn next_due(&self) -> Option<Duration> {
        [self.control.next_due(), self.control.engine().poller.next_due()].into_iter().flatten().min()
    }
}
