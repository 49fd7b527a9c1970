//! Client of Flink's REST API, and a stub Flink server for tests.
