//! Flink configuration: parse, layer, render; memory sizes, durations and the process memory model. No IO.
