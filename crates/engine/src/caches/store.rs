//! One kind's objects, as far as watches and our own writes have told.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api::DecodeError;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DynamicObject;

use super::wake::ResourceId;
use crate::ports::ObjectKey;

/// A type that objects of one kind are kept as.
pub trait Cached: Sized + Send + Sync + 'static {
    /// Reads an object, and drops what nobody looks at.
    fn decode(object: DynamicObject) -> Result<Self, DecodeError>;

    /// Its metadata.
    fn metadata(&self) -> &ObjectMeta;

    /// Another resource that it says it belongs to, by name.
    fn referred(&self) -> Option<ResourceId> {
        None
    }
}

/// An object that does not fit its type.
#[derive(Clone, Debug)]
pub struct Undecodable {
    /// What was sent. Its status can be written, and its finalizer taken off, all the same.
    pub object: DynamicObject,
    /// Why it cannot be read.
    pub error: DecodeError,
}

impl Undecodable {
    /// Whether it is being deleted.
    #[must_use]
    pub fn is_terminating(&self) -> bool {
        self.object.metadata.deletion_timestamp.is_some()
    }
}

/// An object of a cache.
#[derive(Debug)]
pub enum Entry<T> {
    /// An object that was understood.
    Good(Arc<T>),
    /// An object that was not.
    Bad(Arc<Undecodable>),
}

impl<T> Clone for Entry<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Good(object) => Self::Good(object.clone()),
            Self::Bad(object) => Self::Bad(object.clone()),
        }
    }
}

impl<T: Cached> Entry<T> {
    /// Reads an object.
    #[must_use]
    pub fn new(object: DynamicObject) -> Self {
        // Only objects that do not decode are needed untyped as well, and they are rare.
        match T::decode(object.clone()) {
            Ok(decoded) => Self::Good(Arc::new(decoded)),
            Err(error) => Self::Bad(Arc::new(Undecodable { object, error })),
        }
    }

    /// Its metadata.
    #[must_use]
    pub fn metadata(&self) -> &ObjectMeta {
        match self {
            Self::Good(object) => object.metadata(),
            Self::Bad(undecodable) => &undecodable.object.metadata,
        }
    }

    /// The object, if it was understood.
    #[must_use]
    pub fn good(&self) -> Option<&Arc<T>> {
        match self {
            Self::Good(object) => Some(object),
            Self::Bad(_) => None,
        }
    }

    fn referred(&self) -> Option<ResourceId> {
        self.good().and_then(|object| object.referred())
    }

    fn uid(&self) -> &str {
        self.metadata().uid.as_deref().unwrap_or_default()
    }

    /// The version as a number. Versions are compared only to tell which of two states of the same store is newer,
    /// which Kubernetes promises since 1.35 and etcd has always kept.
    fn version(&self) -> Option<u64> {
        self.metadata().resource_version.as_deref()?.parse().ok()
    }

    /// Whether `self` is certainly older than, or the same state as, `other`.
    fn is_no_newer_than(&self, other: &Self) -> bool {
        match (self.version(), other.version()) {
            (Some(own), Some(others)) => own <= others,
            _ => {
                self.metadata().resource_version == other.metadata().resource_version
                    && self.uid() == other.uid()
            }
        }
    }
}

/// What a new state of one object changed in a cache.
#[derive(Debug)]
pub struct Change<T> {
    /// Its key.
    pub key: ObjectKey,
    /// What was known before.
    pub old: Option<Entry<T>>,
    /// What is known now; `None` when it is gone.
    pub new: Option<Entry<T>>,
}

/// How many uids of deleted objects are remembered, so that an answer which is still on its way does not bring one back.
/// A watch also calls an object deleted that its label selector does not match any more: later states of it count.
const REMEMBERED_DELETIONS: usize = 1024;

#[derive(Debug)]
struct Content<T> {
    entries: BTreeMap<ObjectKey, Entry<T>>,
    /// Keys of the objects that refer to a resource.
    referring: HashMap<ResourceId, BTreeSet<ObjectKey>>,
    /// By uid, with the version of the deletion if that is known.
    deleted: HashMap<String, Option<u64>>,
    deletion_order: VecDeque<String>,
}

impl<T: Cached> Content<T> {
    fn put(&mut self, entry: Entry<T>) -> Option<Change<T>> {
        let key = ObjectKey::of(entry.metadata());
        let old = self.entries.get(&key);
        let stale = old.is_some_and(|old| entry.is_no_newer_than(old));
        if stale || (!entry.uid().is_empty() && self.is_deleted(&entry)) {
            return None;
        }
        self.deleted.remove(entry.uid());
        let old = self.entries.insert(key.clone(), entry.clone());
        if let Some(old) = &old {
            self.unlink(&key, old);
        }
        if let Some(referred) = entry.referred() {
            self.referring.entry(referred).or_default().insert(key.clone());
        }
        Some(Change { key, old, new: Some(entry) })
    }

    fn unlink(&mut self, key: &ObjectKey, entry: &Entry<T>) {
        let Some(referred) = entry.referred() else { return };
        if let Some(keys) = self.referring.get_mut(&referred) {
            keys.remove(key);
            if keys.is_empty() {
                self.referring.remove(&referred);
            }
        }
    }

    /// Whether the entry is from before the deletion of its object.
    fn is_deleted(&self, entry: &Entry<T>) -> bool {
        let deleted = self.deleted.get(entry.uid());
        deleted.is_some_and(|deleted| deleted.is_none() || entry.version() <= *deleted)
    }

    fn remove(&mut self, key: &ObjectKey, version: Option<u64>) -> Option<Change<T>> {
        let old = self.entries.remove(key)?;
        self.unlink(key, &old);
        let uid = old.uid().to_owned();
        if !uid.is_empty() && self.deleted.insert(uid.clone(), version).is_none() {
            self.deletion_order.push_back(uid);
        }
        while self.deletion_order.len() > REMEMBERED_DELETIONS {
            if let Some(oldest) = self.deletion_order.pop_front() {
                self.deleted.remove(&oldest);
            }
        }
        Some(Change { key: key.clone(), old: Some(old), new: None })
    }
}

/// The objects of one kind. Shared by reference; all methods are short and never wait for anything but each other.
///
/// A state that is older than the known one of the same key is dropped, wherever it comes from: a watch that lags
/// behind our own writes must not hide them.
#[derive(Debug)]
pub struct Cache<T> {
    content: Mutex<Content<T>>,
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        let content = Content {
            entries: BTreeMap::new(),
            referring: HashMap::new(),
            deleted: HashMap::new(),
            deletion_order: VecDeque::new(),
        };
        Self { content: Mutex::new(content) }
    }
}

impl<T: Cached> Cache<T> {
    /// A panic elsewhere while the lock was held leaves no half-made change: each is one insertion or removal.
    fn content(&self) -> MutexGuard<'_, Content<T>> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The object of that key.
    #[must_use]
    pub fn get(&self, key: &ObjectKey) -> Option<Entry<T>> {
        self.content().entries.get(key).cloned()
    }

    /// The object of that key, unless it is another one than that uid's.
    #[must_use]
    pub fn get_by_uid(&self, key: &ObjectKey, uid: &str) -> Option<Entry<T>> {
        self.get(key).filter(|entry| entry.uid() == uid)
    }

    /// All objects, of one namespace or of all, in the order of their keys.
    #[must_use]
    pub fn list(&self, namespace: Option<&str>) -> Vec<Entry<T>> {
        let content = self.content();
        match namespace {
            None => content.entries.values().cloned().collect(),
            Some(namespace) => content
                .entries
                .range(ObjectKey::new(namespace, "")..)
                .take_while(|(key, _)| key.namespace == namespace)
                .map(|(_, entry)| entry.clone())
                .collect(),
        }
    }

    /// The objects that refer to a resource, in the order of their keys.
    #[must_use]
    pub fn referring(&self, resource: &ResourceId) -> Vec<Arc<T>> {
        let content = self.content();
        let keys = content.referring.get(resource).into_iter().flatten();
        keys.filter_map(|key| content.entries.get(key)?.good().cloned()).collect()
    }

    /// Number of objects.
    #[must_use]
    pub fn len(&self) -> usize {
        self.content().entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes a state that a watch told, or that a write of ours was answered with; `None` when it is nothing new.
    pub fn put(&self, object: DynamicObject) -> Option<Change<T>> {
        let entry = Entry::new(object);
        self.content().put(entry)
    }

    /// Takes the deletion of an object; `None` when it is not known, or its key belongs to another one by now.
    pub fn remove(&self, metadata: &ObjectMeta) -> Option<Change<T>> {
        let key = ObjectKey::of(metadata);
        let mut content = self.content();
        let known = content.entries.get(&key)?;
        let same = metadata.uid.as_deref().is_none_or(|uid| uid == known.uid());
        let version = metadata.resource_version.as_deref().and_then(|version| version.parse().ok());
        if same { content.remove(&key, version) } else { None }
    }

    /// Takes the whole content of a namespace, or of all: objects that are not in it are gone.
    pub fn replace(&self, namespace: Option<&str>, objects: Vec<DynamicObject>) -> Vec<Change<T>> {
        let entries: Vec<Entry<T>> = objects.into_iter().map(Entry::new).collect();
        let listed: HashSet<(ObjectKey, String)> =
            entries.iter().map(|entry| (ObjectKey::of(entry.metadata()), entry.uid().to_owned())).collect();
        let mut content = self.content();
        let gone: Vec<ObjectKey> = content
            .entries
            .iter()
            .filter(|(key, _)| namespace.is_none_or(|namespace| key.namespace == namespace))
            .filter(|(key, entry)| !listed.contains(&((*key).clone(), entry.uid().to_owned())))
            .map(|(key, _)| key.clone())
            .collect();
        let mut changes: Vec<Change<T>> = gone.iter().filter_map(|key| content.remove(key, None)).collect();
        for entry in entries {
            let Some(mut change) = content.put(entry) else { continue };
            // One that was replaced by another of its name is one change, not two.
            if let Some(index) = changes.iter().position(|earlier| earlier.key == change.key) {
                change.old = changes.swap_remove(index).old;
            }
            changes.push(change);
        }
        changes
    }
}
