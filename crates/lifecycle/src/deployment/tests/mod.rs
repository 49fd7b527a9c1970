//! Walks through the life of a FlinkDeployment.

mod decision_table;
mod deletion;
mod events;
mod first_deployment;
mod health;
mod recovery;
mod refusal;
mod rollback;
mod savepoints;
mod sessions;
mod suspension;
mod upgrades;
mod world;
