//! Flink's REST API through the API server's service proxy.

use std::fmt;

use async_trait::async_trait;
use bytes::BytesMut;
use flink_client::{Endpoint, RestRequest, RestResponse, Transport, TransportError, read_body};
use futures::{StreamExt, TryStreamExt};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt;
use kube::client::Body;

use crate::kubernetes::not_answered;
use crate::ports::ApiError;

/// Sends through the API server, with its credentials. The API server checks RBAC (`services/proxy`) and passes the
/// request on to a pod of the Service.
#[derive(Clone)]
pub struct ServiceProxyTransport {
    client: kube::Client,
}

impl ServiceProxyTransport {
    /// Sends with this client, whose own retries must be switched off.
    #[must_use]
    pub fn new(client: kube::Client) -> Self {
        Self { client }
    }

    async fn exchange(
        &self,
        target: &Endpoint,
        request: RestRequest,
    ) -> Result<RestResponse, TransportError> {
        let answer_limit = request.answer_limit;
        let answer = self.client.send(prepare(target, request).await?).await.map_err(|error| lost(&error))?;
        let (head, body) = answer.into_parts();
        let header = |name| head.headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
        let content_type = header(CONTENT_TYPE).map(str::to_owned);
        let declared = header(CONTENT_LENGTH).and_then(|length| length.parse().ok());
        let status = head.status.as_u16();
        let body = read_body(status, declared, answer_limit, body.into_data_stream().boxed()).await?;
        Ok(RestResponse { status, content_type, body })
    }
}

/// kube's client takes bodies in memory only, so a jar is read as a whole. Inside of a pod, where jars are large and
/// many, this transport is not used.
async fn prepare(target: &Endpoint, request: RestRequest) -> Result<http::Request<Body>, TransportError> {
    let unsendable = |error: &dyn fmt::Display| TransportError::Unsendable(error.to_string());
    let mut builder = http::Request::builder().method(request.method).uri(format!(
        "{}{}",
        target.path_prefix(),
        request.path
    ));
    let mut body = Body::empty();
    if let Some(content_type) = &request.body.content_type {
        builder = builder.header(CONTENT_TYPE, content_type);
        let whole: BytesMut =
            request.body.into_stream().try_collect().await.map_err(|error| unsendable(&error))?;
        body = Body::from(whole.freeze());
    }
    builder.body(body).map_err(|error| unsendable(&error))
}

fn lost(error: &kube::Error) -> TransportError {
    match not_answered(error) {
        ApiError::Unreachable { sent: true, message } => TransportError::Lost(message),
        ApiError::Invalid { message, .. } => TransportError::Unsendable(message),
        error => TransportError::NotSent(error.to_string()),
    }
}

#[async_trait]
impl Transport for ServiceProxyTransport {
    async fn send(&self, target: &Endpoint, request: RestRequest) -> Result<RestResponse, TransportError> {
        let limit = request.time_limit;
        tokio::time::timeout(limit, self.exchange(target, request))
            .await
            .unwrap_or(Err(TransportError::TimedOut { sent: true }))
    }
}

impl fmt::Debug for ServiceProxyTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceProxyTransport").finish_non_exhaustive()
    }
}
