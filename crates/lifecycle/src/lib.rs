//! The life of a Flink cluster and its job as a pure function. No IO.
//!
//! [`decide`] looks at a resource, at what was observed and at the time, and answers with the next status, with
//! everything that it wants done as [`Effect`]s, and with the moment to look again. It never reads a clock or a
//! network, so every state can be put before it in a test.

pub mod decision;
pub mod deployment;
pub mod diff;
pub mod effect;
pub mod event;
pub mod job;
pub mod observed;
pub mod schedule;
pub mod session_job;
pub mod snapshot;
pub mod validate;

pub use decision::{Decision, PollPlan, Question, Requeue};
pub use deployment::{Context, Reads, decide, reads};
pub use effect::{
    Begun, ChangeObject, DeleteObject, Effect, FlinkCall, FlinkCluster, FlinkRequest, JobSubmission,
    ObjectReference, ParallelismBounds, Propagation, RemoveData, ScaleObject, ZooKeeperNodes,
};
pub use event::{Component, EventMode, EventRecord, EventType, Reason};
pub use observed::Observed;
pub use schedule::Schedule;

/// The name under which Kubernetes keeps which fields of an object we have set (`metadata.managedFields`).
pub const FIELD_MANAGER: &str = "flink-kubernetes-operator";
