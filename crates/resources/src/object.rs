//! From typed values to what is sent.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube_core::DynamicObject;
use serde::Serialize;
use serde_json::Value;

use crate::BuildError;

/// The JSON of a typed value.
pub(crate) fn json(value: &impl Serialize) -> Result<Value, BuildError> {
    serde_json::to_value(value).map_err(|error| BuildError::Encoding(error.to_string()))
}

/// A typed Kubernetes object, untyped.
pub(crate) fn untyped(object: &impl Serialize) -> Result<DynamicObject, BuildError> {
    serde_json::from_value(json(object)?).map_err(|error| BuildError::Encoding(error.to_string()))
}

/// Metadata of an object that belongs to a cluster.
pub(crate) fn metadata(name: String, namespace: &str) -> ObjectMeta {
    ObjectMeta { name: Some(name), namespace: Some(namespace.to_owned()), ..ObjectMeta::default() }
}
