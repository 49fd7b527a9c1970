//! Kubernetes objects of a Flink cluster, built from a spec and its configuration. No IO.
//!
//! What Flink's own Kubernetes client would create for the same configuration, as values: the caller decides when
//! and how they are sent. The rules follow Flink 1.20's client, which the Java operator uses for every Flink version.

mod cluster;
mod error;
pub mod names;
pub mod pod_template;

pub use cluster::{ATTEMPT_ANNOTATION, ClusterObjects};
pub use error::BuildError;
