//! Kubernetes objects of a Flink cluster, built from a spec and its configuration. No IO.
