//! What FlinkDeployments of applications and FlinkSessionJobs have in common: the life of one Flink job, and how it is
//! recorded. What differs between them is [`resource::JobResource`].

pub(crate) mod cancelling;
pub(crate) mod change;
pub(crate) mod conditions;
pub(crate) mod exceptions;
pub(crate) mod failure;
pub(crate) mod history;
pub mod identity;
pub(crate) mod last_checkpoint;
pub(crate) mod last_savepoint;
pub(crate) mod newest_state;
pub(crate) mod observation;
pub(crate) mod pass;
pub(crate) mod pending_snapshots;
pub(crate) mod polling;
pub(crate) mod rescaling;
pub(crate) mod resource;
pub(crate) mod restart;
pub(crate) mod rollback;
pub(crate) mod savepoint;
pub(crate) mod snapshots;
pub(crate) mod stopping;
pub(crate) mod triggers;
pub mod upgrade;
pub(crate) mod validation;
