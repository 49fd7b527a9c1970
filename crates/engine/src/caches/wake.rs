//! Which resources have to be looked at when something changed.

use api::{FlinkDeployment, FlinkSessionJob, FlinkStateSnapshot};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use lifecycle::observed::{JobManager, TaskManagers};
use resources::names::COMPONENT_TASK_MANAGER;

use super::component;
use super::store::{Cached, Change, Entry};
use crate::ports::{Kind, ObjectKey};

/// A resource of ours.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceId {
    /// Which kind.
    pub kind: Kind,
    /// Which one.
    pub key: ObjectKey,
}

impl ResourceId {
    /// The resource of that kind and key.
    #[must_use]
    pub fn new(kind: Kind, key: ObjectKey) -> Self {
        Self { kind, key }
    }
}

impl std::fmt::Display for ResourceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.key)
    }
}

/// A resource that has to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wake {
    /// Which one.
    pub resource: ResourceId,
    /// Why.
    pub cause: Cause,
}

/// Why a resource has to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It, or something that it depends on, has changed.
    Changed,
    /// Its status has changed. While the resource is being reconciled that is most likely our own write, of which the
    /// watch told before the answer came; at any other time somebody else wrote it.
    Status,
}

/// What a resource of ours shows about changes of itself.
pub(super) trait Primary: Cached {
    const KIND: Kind;

    /// Whether what it refers to cares about its status as well.
    const STATUS_IS_OF_INTEREST: bool;

    /// Whether it has labels that follow from the rest of it.
    const HAS_LABELS_OF_OURS: bool = false;

    fn same_status(&self, other: &Self) -> bool;
}

impl Primary for FlinkDeployment {
    const KIND: Kind = Kind::FLINK_DEPLOYMENT;
    const STATUS_IS_OF_INTEREST: bool = false;

    fn same_status(&self, other: &Self) -> bool {
        self.status == other.status
    }
}

impl Primary for FlinkSessionJob {
    const KIND: Kind = Kind::FLINK_SESSION_JOB;
    const STATUS_IS_OF_INTEREST: bool = false;

    fn same_status(&self, other: &Self) -> bool {
        self.status == other.status
    }
}

impl Primary for FlinkStateSnapshot {
    const KIND: Kind = Kind::FLINK_STATE_SNAPSHOT;
    const STATUS_IS_OF_INTEREST: bool = true;

    const HAS_LABELS_OF_OURS: bool = true;

    fn same_status(&self, other: &Self) -> bool {
        self.status == other.status
    }
}

/// What a change of one of our resources wakes: itself, if its spec, deletion or finalizers changed or somebody else
/// wrote its status or labels of ours, and what it refers to. Other labels and annotations wake nothing.
pub(super) fn by_primary<T: Primary>(change: &Change<T>) -> Vec<Wake> {
    let mut wakes = Vec::new();
    let own = own_cause(change);
    if let Some(cause) = own {
        wakes.push(Wake { resource: ResourceId::new(T::KIND, change.key.clone()), cause });
    }
    let both = [change.old.as_ref(), change.new.as_ref()];
    let mut referred: Vec<ResourceId> =
        both.into_iter().flatten().filter_map(|entry| entry.good()?.referred()).collect();
    referred.dedup();
    let moved = referred.len() > 1;
    if !(moved || own == Some(Cause::Changed) || (T::STATUS_IS_OF_INTEREST && own.is_some())) {
        return wakes;
    }
    wakes.extend(referred.into_iter().map(|resource| Wake { resource, cause: Cause::Changed }));
    wakes
}

fn own_cause<T: Primary>(change: &Change<T>) -> Option<Cause> {
    let (Some(old), Some(new)) = (&change.old, &change.new) else { return Some(Cause::Changed) };
    let important = |meta: &ObjectMeta| {
        (meta.uid.clone(), meta.generation, meta.deletion_timestamp.is_some(), meta.finalizers.clone())
    };
    if important(old.metadata()) != important(new.metadata()) {
        return Some(Cause::Changed);
    }
    match (old, new) {
        (Entry::Good(old), Entry::Good(new)) if old.same_status(new) => {
            let same = !T::HAS_LABELS_OF_OURS || old.metadata().labels == new.metadata().labels;
            (!same).then_some(Cause::Status)
        }
        (Entry::Bad(old), Entry::Bad(new)) if old.object.data == new.object.data => None,
        (Entry::Good(_), Entry::Good(_)) => Some(Cause::Status),
        (Entry::Bad(_), Entry::Good(_) | Entry::Bad(_)) | (Entry::Good(_), Entry::Bad(_)) => {
            Some(Cause::Changed)
        }
    }
}

/// Whether the jobs of a session cluster have to know of a change of it.
pub(super) fn is_of_interest_to_jobs(change: &Change<FlinkDeployment>) -> bool {
    let (Some(Entry::Good(old)), Some(Entry::Good(new))) = (&change.old, &change.new) else { return true };
    lifecycle::session_job::is_of_interest(old, new)
}

/// Whether a snapshot waits for what happens to its job.
pub(super) fn waits_for_job(snapshot: &FlinkStateSnapshot) -> bool {
    let state = snapshot.status.as_ref().and_then(|status| status.state);
    snapshot.metadata.deletion_timestamp.is_some() || state.is_none_or(|state| !state.is_final())
}

/// What a change of a Deployment of JobManagers or TaskManagers wakes: the FlinkDeployment that it belongs to, and only if
/// something changed that a decision could depend on.
pub(super) fn by_deployment(change: &Change<Deployment>) -> Vec<Wake> {
    let mut wakes = Vec::new();
    for metadata in [&change.old, &change.new].into_iter().flatten().map(Entry::metadata) {
        let Some(key) = owner(metadata) else { continue };
        let resource = ResourceId::new(Kind::FLINK_DEPLOYMENT, key);
        let wake = Wake { resource, cause: Cause::Changed };
        if !wakes.contains(&wake) && looks_different(change) {
            wakes.push(wake);
        }
    }
    wakes
}

fn looks_different(change: &Change<Deployment>) -> bool {
    let (Some(old), Some(new)) = (&change.old, &change.new) else { return true };
    let (Entry::Good(old), Entry::Good(new)) = (old, new) else { return true };
    if old.metadata.owner_references != new.metadata.owner_references {
        return true;
    }
    // Every change has a version of its own.
    if component(&new.metadata) == Some(COMPONENT_TASK_MANAGER) {
        let seen = |deployment| TaskManagers {
            resource_version: None,
            ..TaskManagers::from_deployment(deployment, "")
        };
        return seen(old) != seen(new);
    }
    let seen =
        |deployment| JobManager { resource_version: None, ..JobManager::from_deployment(deployment, "") };
    seen(old) != seen(new)
}

/// What a change of an Ingress wakes: the FlinkDeployment that owns it, and the one of its name, which may wait for the
/// name to be free.
pub(super) fn by_ingress(change: &Change<Ingress>, is_known: impl Fn(&ObjectKey) -> bool) -> Vec<Wake> {
    if !is_of_interest(change) {
        return Vec::new();
    }
    let states = [&change.old, &change.new];
    let owners = states.into_iter().flatten().filter_map(|entry| owner(entry.metadata()));
    let mut keys: Vec<ObjectKey> = owners.chain([change.key.clone()]).filter(is_known).collect();
    keys.sort();
    keys.dedup();
    let wake = |key| Wake { resource: ResourceId::new(Kind::FLINK_DEPLOYMENT, key), cause: Cause::Changed };
    keys.into_iter().map(wake).collect()
}

/// Whether more than the version has changed; the status is not kept.
fn is_of_interest(change: &Change<Ingress>) -> bool {
    let (Some(Entry::Good(old)), Some(Entry::Good(new))) = (&change.old, &change.new) else { return true };
    let content = |ingress: &Ingress| {
        let mut content = ingress.clone();
        content.metadata.resource_version = None;
        content.metadata.managed_fields = None;
        content
    };
    content(old) != content(new)
}

/// The FlinkDeployment that a Deployment belongs to: its owner, or else the one named by label `app`, as Flink labels
/// everything that belongs to a cluster. (The owner of TaskManagers is their JobManager's Deployment.)
#[must_use]
pub fn owner(metadata: &ObjectMeta) -> Option<ObjectKey> {
    let namespace = metadata.namespace.clone().unwrap_or_default();
    let owners = metadata.owner_references.iter().flatten();
    let owner = owners
        .filter(|owner| owner.kind == api::FlinkDeployment::KIND)
        .find(|owner| owner.api_version.split('/').next() == Some(api::GROUP));
    let name = match owner {
        Some(owner) => &owner.name,
        None => metadata.labels.as_ref()?.get("app")?,
    };
    Some(ObjectKey::new(namespace, name))
}
