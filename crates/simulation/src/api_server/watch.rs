//! Watches: what exists, and then every change.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use engine::ports::{Kind, Scope, WatchEvent};
use futures::Stream;
use kube::core::DynamicObject;
use serde_json::Value;

use super::labels::Selector;
use super::state::{Change, State, in_scope, read, selector};
use super::{Shared, lock};

/// One watch. It begins again by itself when the changes that it has not seen yet are forgotten.
pub(super) struct Watch {
    server: Arc<Shared>,
    kind: Kind,
    scope: Scope,
    /// The newest version that was told; `None` before the list.
    seen: Option<u64>,
    /// Where in the history to go on.
    next: usize,
}

impl Watch {
    pub(super) fn new(server: Arc<Shared>, kind: Kind, scope: Scope) -> Self {
        Self { server, kind, scope, seen: None, next: 0 }
    }

    /// One that tells what came after a version.
    pub(super) fn after(server: Arc<Shared>, kind: Kind, scope: Scope, version: u64) -> Self {
        Self { server, kind, scope, seen: Some(version), next: 0 }
    }
}

impl Stream for Watch {
    type Item = WatchEvent;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<WatchEvent>> {
        let server = Arc::clone(&self.server);
        let mut state = lock(&server);
        let selector = match selector(&self.scope) {
            Ok(selector) => selector,
            Err(error) => return Poll::Ready(Some(WatchEvent::Failed(error))),
        };
        let Some(seen) = self.seen.filter(|seen| *seen >= state.compacted) else {
            self.seen = Some(state.version);
            self.next = state.history.len();
            let listed = state.list(self.kind, &self.scope).unwrap_or_default();
            return Poll::Ready(Some(WatchEvent::Restarted(objects(&listed))));
        };
        let mut index = self.next;
        let mut told = None;
        while told.is_none() {
            let Some(change) = state.history.get(index) else { break };
            index += 1;
            if change.version > seen {
                self.seen = Some(change.version);
                told = self.tell(change, &selector);
            }
        }
        self.next = index;
        match told {
            Some(event) => Poll::Ready(Some(event)),
            None => {
                let waker = context.waker();
                if !state.wakers.iter().any(|known| known.will_wake(waker)) {
                    state.wakers.push(waker.clone());
                }
                Poll::Pending
            }
        }
    }
}

impl Watch {
    /// What a change is in the eyes of this watch: an object that stops matching is gone for it.
    fn tell(&self, change: &Change, selector: &Selector) -> Option<WatchEvent> {
        if change.id.0 != self.kind || !in_scope(&change.id.1, &self.scope) {
            return None;
        }
        let before = change.before.as_ref().filter(|object| selector.matches(object));
        let after = change.after.as_ref().filter(|object| selector.matches(object));
        match (before, after) {
            (_, Some(after)) => read(after).ok().map(WatchEvent::Applied),
            (Some(_), None) => {
                let last = change.last.as_ref().or(change.after.as_ref())?;
                read(last).ok().map(WatchEvent::Deleted)
            }
            (None, None) => None,
        }
    }
}

fn objects(listed: &[Arc<Value>]) -> Vec<DynamicObject> {
    listed.iter().filter_map(|object| read(object).ok()).collect()
}

impl State {
    /// No watch goes on from a version before the present; those that lag behind begin again.
    pub(super) fn compact(&mut self) {
        self.compacted = self.version;
    }
}
