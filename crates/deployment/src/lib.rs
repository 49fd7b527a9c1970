//! The reconciler of FlinkDeployment.
