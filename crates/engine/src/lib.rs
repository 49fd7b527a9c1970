//! The only room with side effects.

pub mod caches;
mod event_name;
pub mod events;
pub mod executor;
pub mod flink;
pub mod kubernetes;
pub mod metrics;
pub mod poller;
pub mod ports;
pub mod queue;
pub mod resource;
pub mod status;
#[cfg(test)]
mod testing;

pub use event_name::event_name;
