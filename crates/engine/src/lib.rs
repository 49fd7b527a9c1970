//! The only room with side effects.

pub mod caches;
pub mod kubernetes;
pub mod ports;
pub mod queue;
