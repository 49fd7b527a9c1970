//! A model of a Flink cluster behind its REST API.
