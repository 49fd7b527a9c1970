//! Flink configuration: parse, layer, render; memory sizes, durations and the process memory model.
//!
//! Pure: no IO, no clock, no runtime. Texts are Flink's, so that what is written here is read by Flink
//! exactly as it was meant.

pub mod cluster_side;
pub mod conf;
pub mod duration;
pub mod effective;
pub mod error;
pub mod flat_file;
pub mod high_availability;
pub mod java_text;
pub mod memory_size;
pub mod nested_file;
pub mod operator_defaults;
pub mod option;
pub mod process_memory;
pub mod quantity;
mod reading;
pub mod settings;
mod slots;
pub mod structured;

pub use conf::{Choice, FlinkConf};
pub use effective::ClusterIdentity;
pub use error::ConfError;
pub use high_availability::HighAvailability;
pub use memory_size::MemorySize;
pub use operator_defaults::OperatorDefaults;
pub use quantity::Quantity;
pub use reading::{
    RestEndpoint, checkpoint_directory, checkpoint_statistics_lag, checkpoint_timeout, is_adaptive,
    is_high_availability_active, is_reactive, parallelism_overrides, rest_asks_for_certificates,
    rest_endpoint, savepoint_directory,
};
pub use settings::{OperatorSettings, StartupSettings};
pub use slots::{task_manager_replicas, task_managers_for, task_slots};
