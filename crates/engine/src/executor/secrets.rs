//! Secrets of users.

use std::collections::BTreeMap;

use serde_json::Value;

use super::error::EffectErrorKind;
use crate::ports::{Kind, KubernetesApi, ObjectKey};

/// The entries of a Secret that are text.
///
/// # Errors
/// There is no such Secret, or it must not be read.
pub(super) async fn entries(
    api: &dyn KubernetesApi,
    namespace: &str,
    name: &str,
) -> Result<BTreeMap<String, String>, EffectErrorKind> {
    let secret = api.get(Kind::SECRET, &ObjectKey::new(namespace, name)).await?;
    let Some(secret) = secret else { return Err(EffectErrorKind::NoSecret { name: name.to_owned() }) };
    let data = secret.data.get("data").and_then(Value::as_object);
    let entries = data.into_iter().flatten().filter_map(|(key, value)| {
        let text = String::from_utf8(decode(value.as_str()?)?).ok()?;
        Some((key.clone(), text.trim_end().to_owned()))
    });
    Ok(entries.collect())
}

fn decode(base64: &str) -> Option<Vec<u8>> {
    let bytes: k8s_openapi::ByteString = serde_json::from_value(Value::from(base64)).ok()?;
    Some(bytes.0)
}
