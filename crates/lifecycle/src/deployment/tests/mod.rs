//! Walks through the life of a FlinkDeployment.

mod checkpoint_age;
mod clusters;
mod decision_table;
mod deletion;
mod event_catalogue;
mod events;
mod first_deployment;
mod health;
mod ingress;
mod observation;
mod polling;
mod promises;
mod reads;
mod records;
mod recovery;
mod refusal;
mod rescaling;
mod restarts;
mod rollback;
mod savepoints;
mod sessions;
mod standalone;
mod suspension;
mod times;
mod upgrades;
mod world;
