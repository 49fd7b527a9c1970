//! Jars that are kept although nobody uploads them now.
//!
//! A kept jar is given only to whom the server has given it, or would: the same place and the same credentials, and
//! either the same checksum, which names the content, or the server's word that it has not changed. Somebody else who
//! knows the checksum gets nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::plan::Plan;
use crate::spool::Spooled;

/// What is kept, limited in bytes.
#[derive(Default)]
pub(crate) struct Cache(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    limit: u64,
    entries: HashMap<Plan, Entry>,
    /// Counts uses: a larger one is a later one.
    uses: u64,
}

#[derive(Clone)]
struct Entry {
    jar: Arc<Spooled>,
    tag: Option<String>,
    used: u64,
}

/// A kept jar, and the tag with which a server can say that it has not changed.
pub(crate) struct Kept {
    pub(crate) jar: Arc<Spooled>,
    pub(crate) tag: Option<String>,
}

impl Cache {
    pub(crate) fn new(limit: u64) -> Self {
        Self(Mutex::new(Inner { limit, ..Inner::default() }))
    }

    /// Forgets everything, and sets another limit.
    pub(crate) fn reset(&self, limit: u64) {
        *self.inner() = Inner { limit, ..Inner::default() };
    }

    pub(crate) fn get(&self, plan: &Plan) -> Option<Kept> {
        let mut inner = self.inner();
        inner.uses += 1;
        let now = inner.uses;
        let entry = inner.entries.get_mut(plan)?;
        if !entry.jar.file.path().is_file() {
            inner.entries.remove(plan);
            return None;
        }
        entry.used = now;
        Some(Kept { jar: entry.jar.clone(), tag: entry.tag.clone() })
    }

    /// Keeps a jar if its content can be recognised later, and drops those that were not used for the longest time.
    pub(crate) fn put(&self, plan: &Plan, jar: &Arc<Spooled>, tag: Option<String>) {
        let mut inner = self.inner();
        inner.entries.remove(plan);
        if plan.checksum.is_none() && tag.is_none() || jar.size > inner.limit {
            return;
        }
        inner.uses += 1;
        let entry = Entry { jar: jar.clone(), tag, used: inner.uses };
        inner.entries.insert(plan.clone(), entry);
        let limit = inner.limit;
        inner.shrink(limit);
    }

    /// Drops everything that nobody uses, because the disk is full.
    pub(crate) fn make_room(&self) {
        self.inner().shrink(0);
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// A jar that is in use stays: its file would stay, too.
    fn shrink(&mut self, limit: u64) {
        while self.entries.values().map(|entry| entry.jar.size).sum::<u64>() > limit {
            let idle = self.entries.iter().filter(|(_, entry)| Arc::strong_count(&entry.jar) == 1);
            let Some(oldest) = idle.min_by_key(|(_, entry)| entry.used).map(|(plan, _)| plan.clone()) else {
                return;
            };
            self.entries.remove(&oldest);
        }
    }
}
