//! The reconciler of FlinkStateSnapshot: gathers the observation, lets [`lifecycle::snapshot::decide`] decide, records the
//! status, and has the effects executed. It knows the order of these steps and nothing of their reasons.

mod reconciler;

pub use reconciler::SnapshotReconciler;
