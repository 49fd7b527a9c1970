//! Flink configuration: parse, layer, render; memory sizes, durations and the process memory model.
//!
//! Pure: no IO, no clock, no runtime. Texts are Flink's, so that what is written here is read by Flink
//! exactly as it was meant.

pub mod conf;
pub mod duration;
pub mod error;
pub mod flat_file;
pub mod java_text;
pub mod memory_size;
pub mod nested_file;
pub mod option;
pub mod process_memory;
pub mod quantity;
pub mod structured;

pub use conf::{Choice, FlinkConf};
pub use error::ConfError;
pub use memory_size::MemorySize;
pub use quantity::Quantity;
