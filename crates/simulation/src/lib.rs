//! Kubernetes, Flink and the clock in memory, with fault injection. For tests only.
//!
//! * [`api_server`] and [`world`] are what is outside of the operator: an API server, controllers, nodes, Flink.
//! * [`scenario`] says, as data, what a user wants, does, and expects.
//! * [`run`] drives the product's own control, reconciler and poller through a scenario in one thread, with a virtual
//!   clock, and with a [`fault`] at any call. Every run can be replayed: it depends on scenario, points and seed only.
//! * [`campaign`] runs scenarios without faults, and then with each fault at each call.

#![allow(
    clippy::similar_names,
    clippy::single_match_else,
    clippy::option_option,
    clippy::duration_suboptimal_units,
    reason = "a model is read beside what it models: its words and units, its cases side by side"
)]

pub mod api_server;
pub mod call;
pub mod campaign;
mod checks;
pub mod clock;
pub mod conformance;
pub mod fault;
mod gate;
mod java;
pub mod normal;
mod operator;
pub mod planted;
pub mod run;
pub mod scenario;
mod script;
mod stage;
mod watching;
pub mod world;
