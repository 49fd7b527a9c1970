//! A model of a Flink cluster behind its REST API.
//!
//! [`FlinkState`] is a plain value: [`FlinkState::handle`] takes a request and the time and gives an answer.
//! It does no IO, reads no clock and uses no randomness, so that a simulation can run it under a virtual clock
//! and replay every run. Between two requests, [`FlinkState::advance`] moves jobs along to a point in time.
//!
//! What it models was compared with real Flink 1.20 and 2.2 (the example `conformance` runs the same checks
//! against both): states and times of jobs, savepoints and checkpoints with trigger ids that the caller chose,
//! stop, cancel, submission by jar or as an application, restore, failure and restart, restart of the
//! JobManager with and without HA, what is forgotten when, and the status and text of errors.
//!
//! * [`Storage`] is the durable storage that outlives clusters and tells which snapshot holds what.
//! * [`JobPlan`] says how a job behaves: how long things take, when it ends, whether savepoints work.
//! * [`FaultRule`] makes answers late, wrong, cut off, lost, or not Flink's.
//! * [`InMemoryTransport`] puts any number of clusters behind the client without a network.
//! * `StubServer` (feature `stub-server`) puts one behind a real HTTP server on loopback.

mod answer;
mod faults;
mod job;
mod job_json;
mod operations;
mod plan;
mod routes;
#[cfg(feature = "stub-server")]
mod server;
mod snapshots;
mod state;
mod storage;
mod transport;

pub use answer::{Delivery, StubResponse};
pub use faults::{Fault, FaultFilter, FaultRule};
pub use job::StubJob;
pub use plan::{JobEnd, JobPlan, SavepointBehaviour, StubVertex};
#[cfg(feature = "stub-server")]
pub use server::StubServer;
pub use state::{ClusterSettings, FlinkState, JobManagerRestart, Submission, SubmissionError};
pub use storage::{SnapshotKind, Storage, StoredSnapshot};
pub use transport::InMemoryTransport;
