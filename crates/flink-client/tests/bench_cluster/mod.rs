//! A cluster of the stub in memory with a clock that only moves when a test says so.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use flink_client::stub::{ClusterSettings, FlinkState, InMemoryTransport, JobPlan, Storage, Submission};
use flink_client::{Endpoint, FlinkClient, FlinkCluster, JobId, StopWithSavepoint, TriggerId};
use jiff::Timestamp;

pub(crate) struct BenchCluster {
    pub(crate) transport: InMemoryTransport,
    pub(crate) endpoint: Endpoint,
    pub(crate) storage: Storage,
    pub(crate) flink: FlinkCluster,
    clock: Arc<Mutex<Timestamp>>,
}

impl BenchCluster {
    pub(crate) fn new(settings: ClusterSettings) -> Self {
        let clock = Arc::new(Mutex::new(Timestamp::from_second(1_700_000_000).unwrap()));
        let reader = clock.clone();
        let transport = InMemoryTransport::new(move || *reader.lock().unwrap());
        let endpoint: Endpoint = "http://basic-rest.default:8081".parse().unwrap();
        let storage = Storage::default();
        let now = *clock.lock().unwrap();
        transport.put(endpoint.clone(), FlinkState::new(settings, storage.clone(), now));
        let flink = FlinkClient::new(Arc::new(transport.clone())).cluster(&endpoint);
        Self { transport, endpoint, storage, flink, clock }
    }

    pub(crate) fn now(&self) -> Timestamp {
        *self.clock.lock().unwrap()
    }

    pub(crate) fn pass(&self, time: Duration) {
        let mut clock = self.clock.lock().unwrap();
        *clock += time;
    }

    pub(crate) fn with<T>(&self, action: impl FnOnce(&mut FlinkState) -> T) -> T {
        self.transport.with(&self.endpoint, action).unwrap()
    }

    pub(crate) fn start(&self, job: &JobId, plan: JobPlan, restore_path: Option<&str>) {
        let now = self.now();
        let restore_path = restore_path.map(ToOwned::to_owned);
        self.with(|flink| flink.submit(Submission { job: job.clone(), plan, restore_path }, now)).unwrap();
    }

    /// Starts a job and lets its tasks run for a while.
    pub(crate) fn running(&self, job: &JobId, plan: JobPlan) {
        self.start(job, plan, None);
        self.pass(Duration::from_secs(12));
    }

    pub(crate) fn records(&self, job: &JobId) -> u64 {
        let now = self.now();
        self.with(|flink| {
            flink.advance(now);
            flink.job(job).unwrap().records(now)
        })
    }
}

pub(crate) fn job(number: u128) -> JobId {
    JobId::from_u128(number)
}

pub(crate) fn trigger(number: u128) -> TriggerId {
    TriggerId::from_u128(number)
}

pub(crate) fn stop(number: u128) -> StopWithSavepoint {
    StopWithSavepoint {
        target_directory: Some("file:///savepoints".to_owned()),
        drain: false,
        format_type: flink_client::SavepointFormat::Canonical,
        trigger_id: trigger(number),
    }
}
