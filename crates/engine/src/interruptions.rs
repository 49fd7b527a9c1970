//! Long steps that are given up when the resource changes on whose behalf they are done.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::caches::ResourceId;

/// Who does something long at the moment.
#[derive(Debug, Default)]
pub struct Interruptions(Mutex<HashMap<ResourceId, Arc<Notify>>>);

impl Interruptions {
    fn lock(&self) -> MutexGuard<'_, HashMap<ResourceId, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The resource has changed: whatever long step is done for it ends.
    pub fn interrupt(&self, resource: &ResourceId) {
        if let Some(step) = self.lock().get(resource) {
            step.notify_one();
        }
    }

    /// Does something long; `None` when it was interrupted. No resource has two passes at a time.
    pub(crate) async fn unless_changed<T>(
        &self,
        resource: ResourceId,
        step: impl Future<Output = T>,
    ) -> Option<T> {
        let changed = Arc::new(Notify::new());
        self.lock().insert(resource.clone(), Arc::clone(&changed));
        let _ends = Ends { interruptions: self, resource };
        tokio::select! {
            biased;
            done = step => Some(done),
            () = changed.notified() => None,
        }
    }
}

/// Also a step that is dropped has ended.
struct Ends<'a> {
    interruptions: &'a Interruptions,
    resource: ResourceId,
}

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.interruptions.lock().remove(&self.resource);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;
    use crate::ports::{Kind, ObjectKey};

    fn resource(name: &str) -> ResourceId {
        ResourceId::new(Kind::FLINK_SESSION_JOB, ObjectKey::new("ns", name))
    }

    #[tokio::test]
    async fn only_steps_of_the_resource_that_has_changed_end() {
        let all = Interruptions::default();
        let both = async {
            tokio::join!(
                all.unless_changed(resource("one"), pending::<()>()),
                all.unless_changed(resource("other"), async { 7 }),
            )
        };
        let change = async { all.interrupt(&resource("one")) };
        let ((one, other), ()) = tokio::join!(both, change);
        assert_eq!((one, other), (None, Some(7)));
        assert!(all.lock().is_empty());
    }

    #[tokio::test]
    async fn a_change_from_before_interrupts_nothing() {
        let all = Interruptions::default();
        all.interrupt(&resource("one"));
        assert_eq!(all.unless_changed(resource("one"), async { 7 }).await, Some(7));
    }
}
