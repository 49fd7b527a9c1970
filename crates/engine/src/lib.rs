//! The only room with side effects.

pub mod kubernetes;
pub mod ports;
