//! Fetches the jars of session jobs: the port [`Artifacts`](engine::ports::Artifacts), with servers behind it.
//!
//! `plan` says, without IO, from where and with what credentials. `guard` makes every connection, and only to where jars
//! may be fetched from. `open` speaks to the kinds of servers, `spool` writes what they send, within limits, and
//! `cache` keeps what can be recognised. For users: `docs/artifacts.md`; why so: `docs/adr/0007-artifacts.md`.

mod cache;
mod error;
mod flights;
mod guard;
mod jar;
mod keys;
mod layers;
mod open;
mod options;
mod plan;
mod slots;
mod spool;
mod store;
mod workspace;

pub use guard::{Lookup, SystemLookup};
pub use jar::empty_jar;
pub use options::ArtifactOptions;
pub use store::ArtifactStore;
