//! Several who want the same wait for one download.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use tokio::task::AbortHandle;

/// Work under way, by what it is for.
pub(crate) struct Flights<K, T: Clone> {
    running: Mutex<HashMap<K, Weak<Flight<T>>>>,
}

/// One piece of work. It is given up when nobody waits for it any more.
struct Flight<T: Clone> {
    /// `None`: it ended without a result.
    result: Shared<BoxFuture<'static, Option<T>>>,
    task: AbortHandle,
}

impl<T: Clone> Drop for Flight<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<K: Eq + Hash + Clone, T: Clone + Send + Sync + 'static> Flights<K, T> {
    pub(crate) fn new() -> Self {
        Self { running: Mutex::default() }
    }

    /// Waits for the work that is for `key`; starts it if it is not under way. `None` if it has panicked.
    pub(crate) async fn join<F>(&self, key: &K, start: impl FnOnce() -> F) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let flight = self.board(key, start);
        // The flight lives as long as this future.
        flight.result.clone().await
    }

    fn board<F>(&self, key: &K, start: impl FnOnce() -> F) -> Arc<Flight<T>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let found = running.get(key).and_then(Weak::upgrade);
        if let Some(flight) = found.filter(|flight| flight.result.peek().is_none()) {
            return flight;
        }
        running.retain(|_, flight| flight.strong_count() > 0);
        let task = tokio::spawn(start());
        let handle = task.abort_handle();
        let result = task.map(Result::ok).boxed().shared();
        let flight = Arc::new(Flight { result, task: handle });
        running.insert(key.clone(), Arc::downgrade(&flight));
        flight
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn whoever_comes_later_is_not_hurt_by_who_leaves_first() {
        let flights = Arc::new(Flights::<u8, u32>::new());
        let started = Arc::new(AtomicUsize::new(0));
        let work = |started: Arc<AtomicUsize>| async move {
            started.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(50)).await;
            7
        };
        let wait = || {
            let (flights, started) = (flights.clone(), started.clone());
            tokio::spawn(async move { flights.join(&1, || work(started)).await })
        };
        let (first, second) = (wait(), wait());
        tokio::time::sleep(Duration::from_millis(10)).await;
        first.abort();
        assert_eq!(second.await.unwrap(), Some(7));
        assert_eq!(started.load(Ordering::SeqCst), 1);
        assert_eq!(wait().await.unwrap(), Some(7));
        assert_eq!(started.load(Ordering::SeqCst), 2, "a result is not kept");
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_is_given_up() {
        struct Dropped(Arc<AtomicUsize>);
        impl Drop for Dropped {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let flights = Flights::<u8, ()>::new();
        let dropped = Arc::new(AtomicUsize::new(0));
        let guard = Dropped(dropped.clone());
        let endless = flights.join(&1, || async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        });
        assert!(tokio::time::timeout(Duration::from_millis(20), endless).await.is_err());
        tokio::time::timeout(Duration::from_secs(5), async {
            while dropped.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
    }
}
