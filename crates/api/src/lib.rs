//! Custom resource types of group flink.apache.org/v1beta1: spec, status, schema. No IO.
