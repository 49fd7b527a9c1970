//! Runs the end-to-end checks.
fn main() {}
