//! The reconciler of FlinkSessionJob: gathers the observation, lets [`lifecycle::session_job::decide`] decide, records the
//! status, and has the effects executed. It knows the order of these steps and nothing of their reasons.

mod reconciler;

pub use reconciler::SessionJobReconciler;
