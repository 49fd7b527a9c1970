//! Kubernetes, Flink and the clock in memory, with fault injection. For tests only.

pub mod api_server;
pub mod clock;
pub mod conformance;
pub mod world;
