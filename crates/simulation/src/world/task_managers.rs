//! TaskManagers of standalone clusters: pods that register with whichever JobManager of their cluster runs.

use std::collections::BTreeMap;

use engine::ports::{Kind, ObjectKey};
use flink_conf::FlinkConf;
use flink_conf::option::kubernetes;
use jiff::Timestamp;
use serde_json::Value;

use super::boot::text;
use super::kubelet::{JobManager, Phase, Pod};
use super::{Inner, World};

/// How names of TaskManager Deployments end.
const SUFFIX: &str = "-taskmanager";

/// A TaskManager process.
#[derive(Clone, Debug)]
pub(super) struct TaskManager {
    /// The cluster whose JobManager it looks for: by the Service of that name, or in its HA metadata.
    cluster: ObjectKey,
}

impl TaskManager {
    pub(super) fn read(conf: &FlinkConf, pod: &Value) -> Self {
        let name = conf.text(kubernetes::CLUSTER_ID).unwrap_or_default();
        Self { cluster: ObjectKey::new(text(pod, "/metadata/namespace"), name) }
    }
}

/// A TaskManager that serves a JobManager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serving {
    /// The cluster.
    pub cluster: ObjectKey,
    /// uid of the TaskManager Deployment.
    pub task_managers: String,
    /// uid of the JobManager Deployment that this one was made for.
    pub made_for: String,
    /// uid of the JobManager Deployment that it serves.
    pub job_manager: String,
}

impl World {
    /// All TaskManagers that are registered with a JobManager that nobody ends.
    #[must_use]
    pub fn serving(&self) -> Vec<Serving> {
        let inner = self.inner();
        let managers = inner.pods.values().filter_map(|pod| {
            let manager = standalone(pod).filter(|_| pod.ends.is_none())?;
            (manager.flink.settings().taskmanagers > 0).then_some((pod, manager))
        });
        let serve = |(job_manager, manager): (&Pod, &JobManager)| {
            let cluster = manager.boot.cluster.clone();
            let of_cluster = inner.task_managers_of(&cluster).map(|pod| Serving {
                cluster: cluster.clone(),
                task_managers: pod.deployment.clone(),
                made_for: inner.made_for.get(&pod.deployment).cloned().unwrap_or_default(),
                job_manager: job_manager.deployment.clone(),
            });
            of_cluster.collect::<Vec<_>>()
        };
        managers.flat_map(serve).collect()
    }

    /// How many TaskManagers serve a cluster.
    #[must_use]
    pub fn task_managers(&self, cluster: &ObjectKey) -> u32 {
        let inner = self.inner();
        let of_cluster = inner.pods.values().filter(|pod| pod.ends.is_none()).filter_map(standalone);
        of_cluster
            .filter(|manager| manager.boot.cluster == *cluster)
            .map(|manager| manager.flink.settings().taskmanagers)
            .sum()
    }

    /// The parallelism that the job of a cluster runs with; `None` while its tasks do not run.
    #[must_use]
    pub fn parallelism(&self, cluster: &ObjectKey) -> Option<u32> {
        let inner = self.inner();
        inner.pods.values().find_map(|pod| {
            let Phase::Running(manager) = &pod.phase else { return None };
            let mut jobs = manager.flink.jobs().filter(|job| job.has_running_tasks());
            jobs.next().filter(|_| manager.boot.cluster == *cluster).map(flink_client::stub::StubJob::width)
        })
    }
}

/// The JobManager of a standalone cluster, where one runs in that pod.
fn standalone(pod: &Pod) -> Option<&JobManager> {
    match &pod.phase {
        Phase::Running(manager) if manager.boot.standalone => Some(manager),
        _ => None,
    }
}

impl Inner {
    /// Remembers for which JobManager a new TaskManager Deployment was made: the one that owns it, or, when it belongs to
    /// somebody else, the one that is there.
    pub(super) fn meet_task_managers(&mut self, deployment: &Value) {
        let uid = text(deployment, "/metadata/uid");
        let Some(cluster) = text(deployment, "/metadata/name").strip_suffix(SUFFIX) else { return };
        if self.made_for.contains_key(uid) {
            return;
        }
        let owner = deployment.pointer("/metadata/ownerReferences/0");
        let owner = owner.filter(|owner| text(owner, "/kind") == "Deployment").map(|it| text(it, "/uid"));
        let made_for = owner.map(str::to_owned).or_else(|| {
            let key = ObjectKey::new(text(deployment, "/metadata/namespace"), cluster);
            Some(text(&*self.server.read(Kind::DEPLOYMENT, &key)?, "/metadata/uid").to_owned())
        });
        self.made_for.insert(uid.to_owned(), made_for.unwrap_or_default());
    }

    fn task_managers_of<'a>(&'a self, cluster: &'a ObjectKey) -> impl Iterator<Item = &'a Pod> {
        let of_cluster = |phase: &Phase| match phase {
            Phase::TaskManager(it) => it.cluster == *cluster,
            _ => false,
        };
        self.pods.values().filter(move |pod| of_cluster(&pod.phase))
    }

    /// TaskManagers find the JobManager of their cluster. One that is being ended keeps those that were made for it.
    /// Returns whether any JobManager has another number of them than before.
    pub(super) fn register_task_managers(&mut self, now: Timestamp) -> bool {
        let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
        for (uid, pod) in &self.pods {
            let Some(manager) = standalone(pod).filter(|manager| manager.ready_at <= now) else { continue };
            let is_its_own =
                |it: &&Pod| pod.ends.is_none() || self.made_for.get(&it.deployment) == Some(&pod.deployment);
            let number = self.task_managers_of(&manager.boot.cluster).filter(is_its_own).count();
            numbers.insert(uid.clone(), u32::try_from(number).unwrap_or(u32::MAX));
        }
        let mut changed = false;
        for (uid, number) in numbers {
            if let Some(Phase::Running(manager)) = self.pods.get_mut(&uid).map(|pod| &mut pod.phase) {
                changed |= manager.flink.settings().taskmanagers != number;
                manager.flink.set_taskmanagers(number, now);
            }
        }
        changed
    }
}
