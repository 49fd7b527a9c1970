//! One request to the API server, and what its answer means.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Method};
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::Value;

use crate::ports::ApiError;

/// Most bytes that an answer may have. The largest are lists of 500 ConfigMaps of at most 1 MiB each in theory; in
/// practice etcd refuses objects of 1.5 MiB, and lists of the operator's kinds are far smaller.
const ANSWER_LIMIT: usize = 256 * 1024 * 1024;

/// A request that is not sent yet.
#[derive(Debug)]
pub(super) struct Request {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    content: Option<(&'static str, Bytes)>,
}

impl Request {
    pub(super) fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), query: Vec::new(), content: None }
    }

    pub(super) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    pub(super) fn maybe_query(self, name: &'static str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    pub(super) fn json(self, body: &Value) -> Self {
        self.content("application/json", body)
    }

    pub(super) fn content(mut self, content_type: &'static str, body: &Value) -> Self {
        self.content = Some((content_type, Bytes::from(body.to_string())));
        self
    }

    /// Sends it and reads the answer, all within `time_limit`.
    pub(super) async fn send(self, client: &kube::Client, time_limit: Duration) -> Result<Value, ApiError> {
        let exchange = self.exchange(client);
        tokio::time::timeout(time_limit, exchange)
            .await
            .unwrap_or(Err(ApiError::Timeout { limit: time_limit }))
    }

    async fn exchange(self, client: &kube::Client) -> Result<Value, ApiError> {
        let answer = client.send(self.build()?).await.map_err(|error| not_answered(&error))?;
        let (head, body) = answer.into_parts();
        let bytes = read(body).await?;
        if head.status.is_success() {
            return serde_json::from_slice(&bytes)
                .map_err(|error| ApiError::Malformed { message: error.to_string() });
        }
        Err(refused(head.status.as_u16(), &head.headers, &bytes))
    }

    fn build(self) -> Result<http::Request<Body>, ApiError> {
        let mut target = self.path;
        for (index, (name, value)) in self.query.iter().enumerate() {
            target.push(if index == 0 { '?' } else { '&' });
            target.push_str(name);
            target.push('=');
            target.push_str(&percent_encoded(value));
        }
        let mut builder =
            http::Request::builder().method(self.method).uri(target).header(ACCEPT, "application/json");
        let body = match self.content {
            Some((content_type, bytes)) => {
                builder = builder.header(CONTENT_TYPE, content_type);
                Body::from(bytes)
            }
            None => Body::empty(),
        };
        // A name or namespace with characters that no URL has cannot exist in Kubernetes.
        builder.body(body).map_err(|error| ApiError::Invalid { code: 400, message: error.to_string() })
    }
}

/// Encodes all but the unreserved characters of RFC 3986.
fn percent_encoded(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

async fn read(body: Body) -> Result<Vec<u8>, ApiError> {
    let mut whole = Vec::new();
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let piece =
            piece.map_err(|error| ApiError::Unreachable { sent: true, message: innermost(&error) })?;
        if whole.len() + piece.len() > ANSWER_LIMIT {
            return Err(ApiError::Malformed { message: format!("it has more than {ANSWER_LIMIT} bytes") });
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole)
}

/// The error that an answer without success means. Answers of proxies before the API server are no `Status`.
fn refused(code: u16, headers: &HeaderMap, body: &[u8]) -> ApiError {
    let status: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |pointer: &str| status.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let in_header = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let in_body = status.pointer("/details/retryAfterSeconds").and_then(Value::as_u64);
    let retry_after = in_header.or(in_body).map(Duration::from_secs);
    let mut message = text("/message").to_owned();
    // Why a JSON patch was refused stands in the causes only.
    if code == 422
        && let Some(cause) = status.pointer("/details/causes/0/message").and_then(Value::as_str)
        && !message.contains(cause)
    {
        message = format!("{message}: {cause}");
    }
    ApiError::from_status(code, text("/reason"), &message, retry_after)
}

/// Why there was no answer at all.
pub(crate) fn not_answered(error: &kube::Error) -> ApiError {
    let message = innermost(error);
    match error {
        kube::Error::Api(status) => ApiError::from_status(
            status.code,
            &status.reason,
            &status.message,
            status.details.as_ref().map(|details| Duration::from_secs(details.retry_after_seconds.into())),
        ),
        kube::Error::Service(cause) => {
            let connecting = cause
                .downcast_ref::<hyper_util::client::legacy::Error>()
                .is_some_and(hyper_util::client::legacy::Error::is_connect);
            ApiError::Unreachable { sent: !connecting, message }
        }
        kube::Error::Auth(_) => ApiError::Unauthorized { message },
        kube::Error::HttpError(_) | kube::Error::BuildRequest(_) => ApiError::Invalid { code: 400, message },
        _ => ApiError::Unreachable { sent: true, message },
    }
}

/// The innermost cause says what happened; the outer ones only that something did.
pub(crate) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_encoded() {
        let request = Request::new(Method::GET, "/api/v1/pods")
            .query("labelSelector", "component=jobmanager,app in (a,b)")
            .maybe_query("continue", None)
            .query("limit", "500")
            .build()
            .unwrap();
        assert_eq!(
            request.uri().to_string(),
            "/api/v1/pods?labelSelector=component%3Djobmanager%2Capp%20in%20%28a%2Cb%29&limit=500"
        );
    }

    #[test]
    fn a_refusal_carries_the_api_servers_words() {
        let body = br#"{"kind":"Status","message":"the server rejected our request","reason":"Invalid","code":422,
            "details":{"causes":[{"reason":"UnexpectedServerResponse","message":"testing value /metadata/uid failed"}]}}"#;
        let error = refused(422, &HeaderMap::new(), body);
        assert_eq!(
            error,
            ApiError::Invalid {
                code: 422,
                message: "the server rejected our request: testing value /metadata/uid failed".to_owned()
            }
        );
    }

    #[test]
    fn waiting_times_are_read_from_the_header_or_the_body() {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, http::HeaderValue::from_static("3"));
        let ApiError::TooManyRequests { retry_after, .. } = refused(429, &headers, b"slow down") else {
            panic!("429 is TooManyRequests");
        };
        assert_eq!(retry_after, Some(Duration::from_secs(3)));
        let body = br#"{"message":"later","reason":"TooManyRequests","details":{"retryAfterSeconds":7}}"#;
        let ApiError::TooManyRequests { retry_after, .. } = refused(429, &HeaderMap::new(), body) else {
            panic!("429 is TooManyRequests");
        };
        assert_eq!(retry_after, Some(Duration::from_secs(7)));
    }

    #[test]
    fn the_page_of_a_proxy_is_an_error_as_well() {
        let error = refused(502, &HeaderMap::new(), b"<html>Bad Gateway</html>");
        assert_eq!(error, ApiError::Server { code: 502, message: "HTTP 502 ".to_owned() });
    }
}
