//! The operator's own configuration, which may change while it runs.

use std::sync::{Arc, PoisonError, RwLock};

use flink_conf::OperatorDefaults;

/// What resources have where they do not say otherwise. All reconcilers share it.
#[derive(Debug)]
pub struct Defaults(RwLock<Arc<OperatorDefaults>>);

impl Defaults {
    /// The configuration that the operator starts with.
    #[must_use]
    pub fn new(defaults: OperatorDefaults) -> Self {
        Self(RwLock::new(Arc::new(defaults)))
    }

    /// What counts now. A decision uses one of them from its beginning to its end.
    #[must_use]
    pub fn current(&self) -> Arc<OperatorDefaults> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces it; the next decision about each resource uses the new one. Returns whether it is another one.
    pub fn replace(&self, defaults: OperatorDefaults) -> bool {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let changed = **current != defaults;
        if changed {
            *current = Arc::new(defaults);
        }
        changed
    }
}
