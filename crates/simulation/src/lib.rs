//! Kubernetes, Flink and the clock in memory, with fault injection. For tests only.
