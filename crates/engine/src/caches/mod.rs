//! What is known about the cluster without asking: caches that are fed by watches and by the answers to our own writes.
//!
//! Reading a cache is never a proof of absence: before something is created because it is missing, it is read from the
//! API server (W-13 of the Java operator).

mod kinds;
mod references;
mod store;
mod wake;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use api::{FlinkDeployment, FlinkSessionJob, FlinkStateSnapshot};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DynamicObject;
use lifecycle::observed::{SessionJob, Snapshot};
use lifecycle::session_job::seen_from_cluster;
use lifecycle::snapshot::seen_from_job;
use resources::names::{COMPONENT_JOB_MANAGER, COMPONENT_TASK_MANAGER};
use serde::Serialize;
use serde_json::Value;

use crate::ports::{Kind, ObjectKey, WatchEvent};

pub use store::{Cache, Cached, Change, Entry, Undecodable};
pub use wake::{Cause, ResourceId, Wake, owner};

/// Label selector of the Deployments of JobManagers, and of TaskManagers of standalone clusters, which Flink and the Java
/// operator label like this.
pub const DEPLOYMENT_SELECTOR: &str = "component in (jobmanager,taskmanager)";

/// Label selector of Ingresses, which this operator and the Java operator label like this.
pub const INGRESS_SELECTOR: &str = "component=ingress";

/// Whether [`DEPLOYMENT_SELECTOR`] matches a Deployment.
fn is_watched(deployment: &DynamicObject) -> bool {
    let component = component(&deployment.metadata);
    component.is_some_and(|component| [COMPONENT_JOB_MANAGER, COMPONENT_TASK_MANAGER].contains(&component))
}

/// Label `component`.
fn component(metadata: &ObjectMeta) -> Option<&str> {
    metadata.labels.as_ref()?.get("component").map(String::as_str)
}

/// The caches of everything that is watched.
#[derive(Debug, Default)]
pub struct Caches {
    /// FlinkDeployments.
    pub flink_deployments: Cache<FlinkDeployment>,
    /// FlinkSessionJobs.
    pub flink_session_jobs: Cache<FlinkSessionJob>,
    /// FlinkStateSnapshots.
    pub flink_state_snapshots: Cache<FlinkStateSnapshot>,
    /// Deployments that [`DEPLOYMENT_SELECTOR`] matches, without their pod templates.
    pub deployments: Cache<Deployment>,
    /// Ingresses that [`INGRESS_SELECTOR`] matches, without their status.
    pub ingresses: Cache<Ingress>,
    /// Kinds whose definitions are not installed.
    not_installed: Mutex<BTreeSet<Kind>>,
    /// Resources that have to be looked at because of writes of ours: no watch will tell of these, as they are known.
    news: Mutex<Vec<ResourceId>>,
}

impl Caches {
    /// Takes an event of the watch over `kind` in `namespace` (all when `None`), and says which resources have to be
    /// looked at. Events of kinds that are not cached change nothing.
    pub fn apply(&self, kind: Kind, namespace: Option<&str>, event: WatchEvent) -> Vec<Wake> {
        match kind {
            Kind::FLINK_DEPLOYMENT => feed(&self.flink_deployments, namespace, event, |change| {
                let others = self.jobs_that_care(change).into_iter();
                let others = others.chain(self.snapshots_that_wait(Kind::FLINK_DEPLOYMENT, &change.key));
                let others = others.map(|resource| Wake { resource, cause: Cause::Changed });
                wake::by_primary(change).into_iter().chain(others).collect()
            }),
            Kind::FLINK_SESSION_JOB => feed(&self.flink_session_jobs, namespace, event, |change| {
                let snapshots = self.snapshots_that_wait(Kind::FLINK_SESSION_JOB, &change.key);
                let snapshots =
                    snapshots.into_iter().map(|resource| Wake { resource, cause: Cause::Changed });
                wake::by_primary(change).into_iter().chain(snapshots).collect()
            }),
            Kind::FLINK_STATE_SNAPSHOT => {
                feed(&self.flink_state_snapshots, namespace, event, wake::by_primary)
            }
            Kind::DEPLOYMENT => feed(&self.deployments, namespace, event, wake::by_deployment),
            Kind::INGRESS => {
                let is_known = |key: &ObjectKey| self.flink_deployments.get(key).is_some();
                feed(&self.ingresses, namespace, event, |change| wake::by_ingress(change, is_known))
            }
            _ => Vec::new(),
        }
    }

    /// Takes the answer to a read or write of ours at once, so that what follows sees it. Wakes nobody: so a resource
    /// that is new, or another one of the same name, is left to the watch, which wakes whoever looks after it.
    pub fn wrote(&self, object: &DynamicObject) {
        match Kind::of(object) {
            Some(Kind::FLINK_DEPLOYMENT) => {
                let change = update(&self.flink_deployments, object);
                self.tell(change.iter().flat_map(|change| self.jobs_that_care(change)).collect());
                self.tell_snapshots(Kind::FLINK_DEPLOYMENT, change.as_ref());
            }
            Some(Kind::FLINK_SESSION_JOB) => {
                let change = update(&self.flink_session_jobs, object);
                self.tell_snapshots(Kind::FLINK_SESSION_JOB, change.as_ref());
            }
            Some(Kind::FLINK_STATE_SNAPSHOT) => {
                let change = update(&self.flink_state_snapshots, object);
                self.tell_referred(change.as_ref());
            }
            // No watch would tell that another one is gone.
            Some(Kind::DEPLOYMENT) if is_watched(object) => drop(self.deployments.put(object.clone())),
            // Perhaps nobody watches them, and then nothing would tell what happens to one.
            Some(Kind::INGRESS) => drop(update(&self.ingresses, object)),
            Some(_) | None => {}
        }
    }

    /// Takes the knowledge that an object with that uid is gone, as a live read or a deletion told.
    pub fn gone(&self, kind: Kind, key: &ObjectKey, uid: &str) {
        let metadata = ObjectMeta {
            namespace: Some(key.namespace.clone()),
            name: Some(key.name.clone()),
            uid: Some(uid.to_owned()),
            ..Default::default()
        };
        match kind {
            Kind::FLINK_DEPLOYMENT => {
                let change = self.flink_deployments.remove(&metadata);
                self.tell(change.iter().flat_map(|change| self.jobs_that_care(change)).collect());
                self.tell_snapshots(kind, change.as_ref());
            }
            Kind::FLINK_SESSION_JOB => {
                let change = self.flink_session_jobs.remove(&metadata);
                self.tell_referred(change.as_ref());
                self.tell_snapshots(kind, change.as_ref());
            }
            Kind::FLINK_STATE_SNAPSHOT => {
                let change = self.flink_state_snapshots.remove(&metadata);
                self.tell_referred(change.as_ref());
            }
            Kind::DEPLOYMENT => drop(self.deployments.remove(&metadata)),
            Kind::INGRESS => drop(self.ingresses.remove(&metadata)),
            _ => {}
        }
    }

    /// The jobs of a session cluster, if a change of it makes a difference to them.
    fn jobs_that_care(&self, change: &Change<FlinkDeployment>) -> Vec<ResourceId> {
        if !wake::is_of_interest_to_jobs(change) {
            return Vec::new();
        }
        let cluster = ResourceId::new(Kind::FLINK_DEPLOYMENT, change.key.clone());
        let jobs = self.flink_session_jobs.referring(&cluster);
        let id =
            |job: &FlinkSessionJob| ResourceId::new(Kind::FLINK_SESSION_JOB, ObjectKey::of(&job.metadata));
        jobs.iter().map(|job| id(job)).collect()
    }

    /// The snapshots of a job that wait for something to happen to it.
    fn snapshots_that_wait(&self, kind: Kind, job: &ObjectKey) -> Vec<ResourceId> {
        let snapshots = self.flink_state_snapshots.referring(&ResourceId::new(kind, job.clone()));
        let waiting = snapshots.iter().filter(|snapshot| wake::waits_for_job(snapshot));
        let key = |snapshot: &FlinkStateSnapshot| ObjectKey::of(&snapshot.metadata);
        waiting.map(|snapshot| ResourceId::new(Kind::FLINK_STATE_SNAPSHOT, key(snapshot))).collect()
    }

    fn tell_snapshots<T>(&self, kind: Kind, change: Option<&Change<T>>) {
        if let Some(change) = change {
            self.tell(self.snapshots_that_wait(kind, &change.key));
        }
    }

    /// Tells the resources that a changed one refers to.
    fn tell_referred<T: wake::Primary>(&self, change: Option<&Change<T>>) {
        let wakes = change.into_iter().flat_map(wake::by_primary).map(|wake| wake.resource);
        self.tell(wakes.filter(|resource| resource.kind != T::KIND).collect());
    }

    /// Takes the knowledge whether a kind is installed.
    pub fn set_installed(&self, kind: Kind, installed: bool) {
        let mut missing = self.not_installed.lock().unwrap_or_else(PoisonError::into_inner);
        if installed {
            missing.remove(&kind)
        } else {
            missing.insert(kind)
        };
    }

    /// Whether a kind is known not to be installed.
    #[must_use]
    pub fn is_not_installed(&self, kind: Kind) -> bool {
        self.not_installed.lock().unwrap_or_else(PoisonError::into_inner).contains(&kind)
    }

    fn tell(&self, resources: Vec<ResourceId>) {
        self.news.lock().unwrap_or_else(PoisonError::into_inner).extend(resources);
    }

    /// Resources that have to be looked at because of writes of ours to others.
    pub fn take_news(&self) -> Vec<ResourceId> {
        std::mem::take(&mut *self.news.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is known of one of our resources, whatever its kind.
    #[must_use]
    pub fn state(&self, kind: Kind, key: &ObjectKey) -> Option<State> {
        match kind {
            Kind::FLINK_DEPLOYMENT => state(&self.flink_deployments, key, |it| json_of(it.status.as_ref())),
            Kind::FLINK_SESSION_JOB => state(&self.flink_session_jobs, key, |it| json_of(it.status.as_ref())),
            Kind::FLINK_STATE_SNAPSHOT => {
                state(&self.flink_state_snapshots, key, |it| json_of(it.status.as_ref()))
            }
            _ => None,
        }
    }

    /// The FlinkSessionJobs that want to run on a session cluster.
    #[must_use]
    pub fn session_jobs_of(&self, cluster: &ObjectKey) -> Vec<SessionJob> {
        let cluster = ResourceId::new(Kind::FLINK_DEPLOYMENT, cluster.clone());
        self.flink_session_jobs.referring(&cluster).iter().map(|job| seen_from_cluster(job)).collect()
    }

    /// The FlinkStateSnapshots of a job.
    #[must_use]
    pub fn snapshots_of(&self, job: &ResourceId) -> Vec<Snapshot> {
        self.flink_state_snapshots.referring(job).iter().map(|snapshot| seen_from_job(snapshot)).collect()
    }
}

/// One known state of one of our resources.
#[derive(Clone, Debug)]
pub struct State {
    /// Its metadata.
    pub metadata: ObjectMeta,
    /// Its status as JSON, if it has one.
    pub status: Option<Value>,
}

impl State {
    /// Whether it is the state of that resource at that version.
    #[must_use]
    pub fn is(&self, uid: &str, version: &str) -> bool {
        self.metadata.uid.as_deref() == Some(uid)
            && self.metadata.resource_version.as_deref() == Some(version)
    }
}

fn json_of<S: Serialize>(status: Option<&S>) -> Option<Value> {
    status.and_then(|status| serde_json::to_value(status).ok())
}

fn state<T: Cached>(
    cache: &Cache<T>,
    key: &ObjectKey,
    status: impl FnOnce(&T) -> Option<Value>,
) -> Option<State> {
    let entry = cache.get(key)?;
    let status = match &entry {
        Entry::Good(object) => status(object),
        Entry::Bad(undecodable) => undecodable.object.data.get("status").cloned(),
    };
    Some(State { metadata: entry.metadata().clone(), status })
}

fn update<T: Cached>(cache: &Cache<T>, object: &DynamicObject) -> Option<Change<T>> {
    let uid = object.metadata.uid.as_deref().unwrap_or_default();
    cache.get_by_uid(&ObjectKey::of(&object.metadata), uid)?;
    cache.put(object.clone())
}

fn feed<T: Cached>(
    cache: &Cache<T>,
    namespace: Option<&str>,
    event: WatchEvent,
    wakes: impl Fn(&Change<T>) -> Vec<Wake>,
) -> Vec<Wake> {
    let changes = match event {
        WatchEvent::Restarted(objects) => cache.replace(namespace, objects),
        WatchEvent::Applied(object) => cache.put(object).into_iter().collect(),
        WatchEvent::Deleted(object) => cache.remove(&object.metadata).into_iter().collect(),
        WatchEvent::Failed(_) => Vec::new(),
    };
    changes.iter().flat_map(wakes).collect()
}
