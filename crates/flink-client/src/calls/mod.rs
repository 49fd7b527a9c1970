//! The calls, by subject.

mod checkpoints;
mod cluster;
mod jars;
mod jobs;
mod snapshots;

use crate::error::FlinkError;
use crate::transport::{Call, RequestBody};

/// Serialises a request body. Requests are plain structures of texts and numbers, so that this cannot fail in
/// practice; if it does the caller is told instead of a panic.
fn json_body<T: serde::Serialize>(call: Call, request: &T) -> Result<RequestBody, FlinkError> {
    serde_json::to_vec(request)
        .map(RequestBody::json)
        .map_err(|error| FlinkError::Unsendable { call, detail: error.to_string() })
}

/// Metric names of one query. Commas separate names and `&` would begin another parameter, so everything that
/// is not plainly part of a name is percent-encoded.
fn metrics_query(names: &[&str]) -> String {
    names.iter().map(|name| encode(name)).collect::<Vec<_>>().join(",")
}

/// Percent-encodes a path segment or a query value.
fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_place() {
        assert_eq!(encode("a_b-1.jar"), "a_b-1.jar");
        assert_eq!(encode("../x?y&z ä"), "..%2Fx%3Fy%26z%20%C3%A4");
        assert_eq!(metrics_query(&["numRestarts", "a,b"]), "numRestarts,a%2Cb");
    }
}
