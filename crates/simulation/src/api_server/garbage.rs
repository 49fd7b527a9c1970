//! The garbage collector: what an owner's end does to what it owns.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::ports::{DeleteOptions, Kind};
use jiff::Timestamp;
use lifecycle::Propagation;
use serde_json::{Value, json};

use super::state::{
    FOREGROUND, Id, ORPHAN, State, finalizers, is_terminating, set, set_finalizers, uid, unset,
};

fn owners(object: &Value) -> Vec<Value> {
    object.pointer("/metadata/ownerReferences").and_then(Value::as_array).cloned().unwrap_or_default()
}

fn field<'a>(owner: &'a Value, name: &str) -> &'a str {
    owner.get(name).and_then(Value::as_str).unwrap_or_default()
}

impl State {
    /// One round of the collector. Returns whether it changed anything; it is run until it does not.
    pub(super) fn collect_garbage(&mut self, now: Timestamp) -> bool {
        let by_uid: BTreeMap<String, Id> =
            self.objects.iter().map(|(id, stored)| (uid(&stored.object).to_owned(), id.clone())).collect();
        let ids: Vec<Id> = self.objects.keys().cloned().collect();
        let mut changed = false;
        for id in ids {
            changed |=
                self.orphan_dependents(&id) || self.collect(&id, &by_uid, now) || self.release_owner(&id);
        }
        changed
    }

    /// An owner that is deleted with policy Orphan: its dependents lose the reference, then it may go.
    fn orphan_dependents(&mut self, id: &Id) -> bool {
        let Some(owner) = self.objects.get(id).filter(|it| has_finalizer(&it.object, ORPHAN)) else {
            return false;
        };
        let owner_uid = uid(&owner.object).to_owned();
        let dependents: Vec<Id> = self.dependents(&owner_uid).map(|(id, _)| id.clone()).collect();
        for dependent in dependents {
            if let Some(mut stored) = self.objects.get(&dependent).cloned() {
                let mut kept = owners(&stored.object);
                kept.retain(|owner| field(owner, "uid") != owner_uid);
                if kept.is_empty() {
                    unset(Arc::make_mut(&mut stored.object), "ownerReferences");
                } else {
                    set(Arc::make_mut(&mut stored.object), "ownerReferences", json!(kept));
                }
                self.store(&dependent, stored);
            }
        }
        self.drop_finalizer(id, ORPHAN);
        true
    }

    /// A dependent whose owners are all gone goes; one of an owner that waits for it goes too.
    fn collect(&mut self, id: &Id, by_uid: &BTreeMap<String, Id>, now: Timestamp) -> bool {
        let Some(stored) = self.objects.get(id) else { return false };
        let owners = owners(&stored.object);
        if owners.is_empty() || is_terminating(&stored.object) {
            return false;
        }
        let live = |owner: &Value| {
            let id = by_uid.get(field(owner, "uid"))?;
            // An owner reference names an object of its own namespace.
            self.objects
                .get(id)
                .filter(|_| id.1.name == field(owner, "name") && id.0.name == field(owner, "kind"))
        };
        let living: Vec<&super::state::Stored> = owners.iter().filter_map(live).collect();
        let waiting = living.iter().filter(|owner| has_finalizer(&owner.object, FOREGROUND)).count();
        let propagation = match (living.len(), waiting) {
            (0, _) => Propagation::Background,
            (all, waiting) if all == waiting => Propagation::Foreground,
            (_, _) => return false,
        };
        let options = DeleteOptions { uid: Some(uid(&stored.object).to_owned()), propagation };
        self.delete(id.0, &id.1, &options, now).is_ok()
    }

    /// An owner that waited for its dependents may go when none of those that block it is left.
    fn release_owner(&mut self, id: &Id) -> bool {
        let Some(owner) = self.objects.get(id).filter(|it| has_finalizer(&it.object, FOREGROUND)) else {
            return false;
        };
        let owner_uid = uid(&owner.object).to_owned();
        let blocks = |object: &Value| {
            owners(object).iter().any(|owner| {
                field(owner, "uid") == owner_uid
                    && owner.get("blockOwnerDeletion").and_then(Value::as_bool) == Some(true)
            })
        };
        if self.dependents(&owner_uid).any(|(_, object)| blocks(object)) {
            return false;
        }
        self.drop_finalizer(id, FOREGROUND);
        true
    }

    fn dependents<'a>(&'a self, owner: &'a str) -> impl Iterator<Item = (&'a Id, &'a Value)> {
        self.objects
            .iter()
            .map(|(id, stored)| (id, stored.object.as_ref()))
            .filter(move |(_, object)| owners(object).iter().any(|one| field(one, "uid") == owner))
    }

    fn drop_finalizer(&mut self, id: &Id, finalizer: &str) {
        let Some(mut stored) = self.objects.get(id).cloned() else { return };
        let mut kept = finalizers(&stored.object);
        kept.retain(|one| one != finalizer);
        set_finalizers(Arc::make_mut(&mut stored.object), &kept);
        self.store(id, stored);
    }

    /// What the kubelet does when a pod's processes have ended.
    pub(super) fn end_pod(&mut self, key: &engine::ports::ObjectKey) {
        let id = (Kind::POD, key.clone());
        if let Some(stored) = self.objects.get(&id).filter(|it| is_terminating(&it.object)) {
            let last = stored.object.clone();
            self.end(&id, last);
        }
    }
}

fn has_finalizer(object: &Value, finalizer: &str) -> bool {
    is_terminating(object) && finalizers(object).iter().any(|one| one == finalizer)
}
