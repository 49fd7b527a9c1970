//! Walks through the life of a FlinkDeployment.

mod deletion;
mod events;
mod first_deployment;
mod health;
mod promises;
mod recovery;
mod refusal;
mod rollback;
mod savepoints;
mod sessions;
mod standalone;
mod suspension;
mod upgrades;
mod world;
