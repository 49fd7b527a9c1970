//! Objects recorded from Apache's Java operator, compared with ours. For tests only.
//!
//! A case is a folder with the custom resources as they were posted and everything that the Java operator then
//! created, read back from the API server. Ours are built from the same resources, brought into the form in which the
//! API server would give them back, and compared field by field. Nothing is ignored but what [`difference`] lists.

pub mod case;
pub mod compare;
pub mod difference;
pub mod ours;
pub mod server;
pub mod text;

pub use case::{Case, ReadError, folders};
pub use compare::{Comparison, compare, compare_objects, compare_read_back};
