//! The only room with side effects.

pub mod ports;
