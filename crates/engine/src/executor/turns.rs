//! Turns at running programs on a session cluster.
//!
//! As what a program is submitted (job id, name, configuration) Flink keeps for each thread, and once for the whole
//! JobManager, where the last one counts. Python programs come in through other threads and take it from there. So of two
//! that run at a time both are submitted as the second one, and a program of a jar that starts meanwhile does the same to
//! them. Source: Flink 1.20, `StreamExecutionEnvironment.initializeContextEnvironment` and `getExecutionEnvironment`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use lifecycle::FlinkCluster;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use crate::ports::ObjectKey;

/// Who runs programs at the moment, for each session cluster.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<ObjectKey, Weak<RwLock<()>>>>);

/// A turn, which ends when it is dropped.
#[derive(Debug)]
pub(super) enum Turn {
    Alone { _guard: OwnedRwLockWriteGuard<()> },
    Together { _guard: OwnedRwLockReadGuard<()> },
}

impl Turns {
    /// Waits until the cluster runs nothing, or nothing that must be alone. Who comes first is first.
    pub(super) async fn wait(&self, cluster: &FlinkCluster, alone: bool) -> Turn {
        let lock = self.of(cluster);
        if alone {
            Turn::Alone { _guard: lock.write_owned().await }
        } else {
            Turn::Together { _guard: lock.read_owned().await }
        }
    }

    fn of(&self, cluster: &FlinkCluster) -> Arc<RwLock<()>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, lock| lock.strong_count() > 0);
        let entry = all.entry(ObjectKey::new(&cluster.namespace, &cluster.name)).or_default();
        entry.upgrade().unwrap_or_else(|| {
            let lock = Arc::default();
            *entry = Arc::downgrade(&lock);
            lock
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn cluster(name: &str) -> FlinkCluster {
        FlinkCluster { namespace: "ns".to_owned(), name: name.to_owned(), rest_port: 8081, tls: false }
    }

    async fn must_wait(turns: &Turns, alone: bool) -> bool {
        timeout(Duration::from_secs(1), turns.wait(&cluster("one"), alone)).await.is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn a_program_that_runs_alone_waits_for_all_others_and_they_for_it() {
        let turns = Turns::default();
        let together = turns.wait(&cluster("one"), false).await;
        assert!(!must_wait(&turns, false).await);
        assert!(must_wait(&turns, true).await);
        drop(together);
        let alone = turns.wait(&cluster("one"), true).await;
        assert!(must_wait(&turns, true).await);
        assert!(must_wait(&turns, false).await);
        drop(alone);
        assert!(!must_wait(&turns, false).await);
    }

    #[tokio::test(start_paused = true)]
    async fn clusters_do_not_wait_for_each_other() {
        let turns = Turns::default();
        let _alone = turns.wait(&cluster("other"), true).await;
        assert!(!must_wait(&turns, true).await);
        assert_eq!(turns.0.lock().unwrap().len(), 2);
        turns.wait(&cluster("third"), true).await;
        assert_eq!(turns.0.lock().unwrap().len(), 2, "what nobody uses is forgotten");
    }
}
