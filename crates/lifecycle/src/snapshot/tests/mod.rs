//! Walks through the life of a FlinkStateSnapshot.

mod deletion;
mod job;
mod labels;
mod properties;
mod references;
mod result;
mod trigger;
mod world;
