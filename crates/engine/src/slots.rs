//! Reconcile slots that passes give back while they wait for Flink.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// How many passes wait for an answer of Flink: they hold no slot, so that a JobManager which does not answer delays
/// nobody but its own resource.
#[derive(Debug, Default)]
pub struct Slots {
    waiting: AtomicUsize,
    /// A slot was given back.
    freed: Notify,
}

impl Slots {
    /// The pass gives its slot back until the answer is dropped.
    #[must_use]
    pub fn give_back(self: &Arc<Self>) -> Waiting {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.freed.notify_one();
        Waiting { slots: Arc::clone(self) }
    }

    /// How many passes hold no slot at this moment.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Ends when a slot was given back since the last call.
    pub async fn freed(&self) {
        self.freed.notified().await;
    }
}

/// A pass that holds no slot.
#[derive(Debug)]
pub struct Waiting {
    slots: Arc<Slots>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.slots.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
