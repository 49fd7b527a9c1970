//! A store against servers on this machine that do exactly what a test tells them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod hostile;
mod keeping;
mod support;
mod tls;
