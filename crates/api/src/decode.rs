//! Decoding of one object, with an error that a user can act on.

use kube_core::DynamicObject;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;
use thiserror::Error;

/// An object that does not fit its type. The text names the path, the value and what is allowed, so it can
/// be shown to the user as it is.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{path}: {reason}")]
pub struct DecodeError {
    /// Path of the field from the root of the object, as in `spec.job.upgradeMode`; `.` for the root.
    pub path: String,
    /// What is wrong there.
    pub reason: String,
}

/// What can be decoded: an object as the API server sends it, or one that was watched untyped.
pub trait RawObject {
    /// The object as JSON.
    fn into_json(self) -> Value;
}

impl RawObject for Value {
    fn into_json(self) -> Value {
        self
    }
}

impl RawObject for DynamicObject {
    fn into_json(self) -> Value {
        let mut object = match self.data {
            Value::Object(data) => data,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                serde_json::Map::new()
            }
        };
        object.insert("metadata".to_owned(), serde_json::to_value(&self.metadata).unwrap_or_default());
        Value::Object(object)
    }
}

/// Decodes one object. Unknown fields are ignored; absent and null fields are the same.
///
/// # Errors
/// A field has a value that its type does not allow, an unknown enum text for instance.
pub fn decode<K: DeserializeOwned>(object: impl RawObject) -> Result<K, DecodeError> {
    serde_path_to_error::deserialize(object.into_json())
        .map_err(|error| DecodeError { path: error.path().to_string(), reason: error.inner().to_string() })
}

/// For fields that are never optional in memory: JSON null reads as the default.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
