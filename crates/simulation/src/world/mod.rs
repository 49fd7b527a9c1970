//! The world outside of the operator, moved along by a virtual clock: the Deployment controller, the kubelet, the
//! garbage collector, and one Flink for each JobManager process, which boots from its arguments and its ConfigMap as a real
//! one does. Native clusters always have TaskManagers enough; those of standalone clusters are pods.

mod boot;
mod deployments;
mod entry_point;
mod kubelet;
mod runs;
mod settings;
mod task_managers;
#[cfg(test)]
mod tests;
mod transport;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::ports::{Clock, ObjectKey};
use flink_client::JobId;
use flink_client::stub::{FlinkState, Storage, Submission};
use jiff::Timestamp;

use crate::api_server::ApiServer;
use crate::clock::VirtualClock;
use kubelet::{Phase, Pod};

pub use runs::Run;
pub use settings::WorldSettings;
pub use task_managers::Serving;
pub use transport::WorldTransport;

/// Annotation with the generation of the FlinkDeployment that a Deployment was made from.
const GENERATION: &str = lifecycle::observed::GENERATION_ANNOTATION;

/// A job that has not ended, in a process that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveJob {
    /// The cluster.
    pub cluster: ObjectKey,
    /// uid of its Deployment.
    pub deployment: String,
    /// uid of its pod.
    pub pod: String,
    /// The job.
    pub job: JobId,
}

pub(crate) struct Inner {
    server: ApiServer,
    storage: Storage,
    settings: WorldSettings,
    pods: BTreeMap<String, Pod>,
    pods_made: u64,
    runs: Vec<Run>,
    /// The job result store: path and job, with the Flink that remembers the job.
    ended_jobs: BTreeMap<(String, JobId), FlinkState>,
    /// Session clusters with high availability, as their last process left them.
    sessions: BTreeMap<ObjectKey, FlinkState>,
    /// For each TaskManager Deployment the JobManager Deployment that it was made for: uids.
    made_for: BTreeMap<String, String>,
    /// The last process that ended, with its last moment.
    older: Option<(FlinkState, Timestamp)>,
    /// Version of the API server after the last look.
    seen: u64,
    next: Option<Timestamp>,
    /// Version of the API server after the last look of the Deployment controller, and of the garbage collector.
    reported: u64,
    collected: u64,
}

/// The world. Clones are the same one.
#[derive(Clone)]
pub struct World {
    inner: Arc<Mutex<Inner>>,
    clock: VirtualClock,
}

impl World {
    /// A world with nothing in it but this API server.
    #[must_use]
    pub fn new(server: ApiServer, clock: VirtualClock, settings: WorldSettings) -> Self {
        let inner = Inner {
            server,
            storage: Storage::default(),
            settings,
            pods: BTreeMap::new(),
            pods_made: 0,
            runs: Vec::new(),
            ended_jobs: BTreeMap::new(),
            sessions: BTreeMap::new(),
            made_for: BTreeMap::new(),
            older: None,
            seen: u64::MAX,
            next: None,
            reported: u64::MAX,
            collected: u64::MAX,
        };
        Self { inner: Arc::new(Mutex::new(inner)), clock }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &VirtualClock {
        &self.clock
    }

    /// Does what is due.
    pub fn step(&self) {
        let now = self.clock.now();
        let mut inner = self.inner();
        let is_due = inner.next.is_some_and(|next| next <= now) || inner.seen != inner.server.version();
        if is_due {
            inner.run(now);
        }
    }

    /// Looks at everything, also when nothing seems to be due.
    pub fn step_now(&self) {
        let now = self.clock.now();
        self.inner().run(now);
    }

    /// The moment of the clock's monotonic time at which something happens by itself.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        self.inner().next.map(|next| self.clock.moment_of(next))
    }

    /// All jobs that have not ended.
    #[must_use]
    pub fn live_jobs(&self) -> Vec<LiveJob> {
        let inner = self.inner();
        let of = |pod: &Pod| {
            let Phase::Running(manager) = &pod.phase else { return Vec::new() };
            let live = manager.flink.live_jobs().into_iter();
            let job = |job| LiveJob {
                cluster: manager.boot.cluster.clone(),
                deployment: pod.deployment.clone(),
                pod: pod.uid.clone(),
                job,
            };
            live.map(job).collect()
        };
        inner.pods.values().flat_map(of).collect()
    }

    /// Every start of an application's job so far.
    #[must_use]
    pub fn runs(&self) -> Vec<Run> {
        self.inner().runs.clone()
    }

    /// Number of starts so far.
    #[must_use]
    pub fn run_count(&self) -> usize {
        self.inner().runs.len()
    }

    /// The storage of all clusters.
    #[must_use]
    pub fn storage(&self) -> Storage {
        self.inner().storage.clone()
    }

    /// Runs a job that is not the application's own.
    pub fn run_job(&self, cluster: &ObjectKey, submission: Submission) {
        let now = self.clock.now();
        let mut inner = self.inner();
        let server = inner.server.clone();
        let manager = inner.pods.values_mut().find_map(|pod| match &mut pod.phase {
            Phase::Running(manager) if manager.boot.cluster == *cluster => Some(manager),
            _ => None,
        });
        if let Some(manager) = manager {
            let job = submission.job.clone();
            if manager.flink.submit(submission, now).is_ok() && manager.boot.ha {
                manager.boot.accept(&server, &job);
            }
        }
        inner.seen = u64::MAX;
    }

    /// Whether a JobManager process has ended.
    #[must_use]
    pub fn has_older_flink(&self) -> bool {
        self.inner().older.is_some()
    }

    /// Changes how the world behaves from now on.
    pub fn configure(&self, change: impl FnOnce(&mut WorldSettings)) {
        let mut inner = self.inner();
        change(&mut inner.settings);
        inner.seen = u64::MAX;
    }

    /// Runs something on the Flink of a cluster, if one runs.
    pub fn with_flink<T>(
        &self,
        cluster: &ObjectKey,
        action: impl FnOnce(&mut FlinkState, Timestamp) -> T,
    ) -> Option<T> {
        let now = self.clock.now();
        let mut inner = self.inner();
        let manager =
            inner.pods.values_mut().filter(|pod| pod.ends.is_none()).find_map(|pod| {
                match &mut pod.phase {
                    Phase::Running(manager) if manager.boot.cluster == *cluster => Some(manager),
                    _ => None,
                }
            })?;
        let answer = action(&mut manager.flink, now);
        inner.seen = u64::MAX;
        Some(answer)
    }
}

impl Inner {
    fn run(&mut self, now: Timestamp) {
        loop {
            let before = self.server.version();
            if self.reported != before || self.seen == u64::MAX {
                self.run_deployments(now);
                self.reported = self.server.version();
            }
            self.run_pods(now);
            let registered = self.register_task_managers(now);
            if self.collected != self.server.version() {
                self.server.collect_garbage();
                self.collected = self.server.version();
            }
            if self.server.version() == before && !registered {
                break;
            }
        }
        self.seen = self.server.version();
        self.next = self.pods.values().filter_map(|pod| pod.next_event(now)).min();
    }
}
