//! The reconciler of FlinkDeployment: gathers the observation, lets [`lifecycle::decide`] decide, records the status,
//! and has the effects executed. It knows the order of these steps and nothing of their reasons.

mod canaries;
mod reconciler;

pub use reconciler::DeploymentReconciler;
