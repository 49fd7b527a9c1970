//! Kubernetes objects of a Flink cluster, built from a spec and its configuration. No IO.
//!
//! What Flink's own Kubernetes client would create for the same configuration, as values: the caller decides when
//! and how they are sent. The rules follow Flink 1.20's client, which the Java operator uses for every Flink version.
//!
//! [`ClusterObjects::of`] is where it begins. Native clusters, whose JobManager asks Kubernetes for TaskManagers, and
//! standalone clusters, whose TaskManagers the operator runs, are siblings that share everything below them.

mod base;
mod cluster;
mod cluster_conf;
mod component;
mod container_resources;
mod decorators;
mod error;
mod hadoop;
mod hash_order;
mod ingress;
mod input;
mod job_manager_pod;
mod kerberos;
pub mod logging;
pub mod names;
mod native;
mod object;
mod operator_files;
pub mod options;
mod owner;
mod pod;
pub mod pod_template;
mod services;
mod standalone;
mod templates;

pub use cluster::{ATTEMPT_ANNOTATION, ClusterObjects};
pub use error::BuildError;
pub use ingress::{COMPONENT_LABEL, IngressAddress, ingress, ingress_address};
pub use input::{ClusterInput, ClusterKind};
pub use operator_files::OperatorFiles;
