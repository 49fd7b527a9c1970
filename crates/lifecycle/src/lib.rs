//! The life of a Flink cluster and its job as a pure function. No IO.
