//! The client: one transport for all clusters, and the exchange that every call goes through.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde::de::DeserializeOwned;

use crate::endpoint::Endpoint;
use crate::error::FlinkError;
use crate::error_text::ErrorText;
use crate::http_transport::{HttpOptions, HttpSetupError, HttpTransport};
use crate::transport::{Call, RequestBody, RestRequest, RestResponse, Transport};

/// Limits of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time of the whole exchange. Default: 10 s (`kubernetes.operator.flink.client.timeout`).
    pub time: Duration,
    /// Bytes of the answer. Default: 4 MiB.
    pub answer_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { time: Duration::from_secs(10), answer_bytes: 4 * 1024 * 1024 }
    }
}

impl Limits {
    /// The same limits with another time.
    #[must_use]
    pub fn with_time(self, time: Duration) -> Self {
        Self { time, ..self }
    }

    /// The same limits with another answer size.
    #[must_use]
    pub fn with_answer_bytes(self, answer_bytes: usize) -> Self {
        Self { answer_bytes, ..self }
    }
}

/// What all clusters share: the transport and the default limits. Cheap to clone.
#[derive(Debug, Clone)]
pub struct FlinkClient {
    transport: Arc<dyn Transport>,
    limits: Limits,
}

impl FlinkClient {
    /// A client over any transport, with default limits.
    #[must_use]
    pub fn new(transport: Arc<dyn Transport>) -> Self {
        Self { transport, limits: Limits::default() }
    }

    /// A client over a pool of HTTP connections.
    pub fn over_http(options: &HttpOptions) -> Result<Self, HttpSetupError> {
        Ok(Self::new(Arc::new(HttpTransport::new(options)?)))
    }

    /// The same client with other default limits.
    #[must_use]
    pub fn with_limits(&self, limits: Limits) -> Self {
        Self { transport: self.transport.clone(), limits }
    }

    /// The cluster at an endpoint. Opens no connection.
    #[must_use]
    pub fn cluster(&self, endpoint: &Endpoint) -> FlinkCluster {
        FlinkCluster { transport: self.transport.clone(), endpoint: endpoint.clone(), limits: self.limits }
    }
}

/// One Flink cluster; every REST call is a method. Cheap to clone.
#[derive(Debug, Clone)]
pub struct FlinkCluster {
    transport: Arc<dyn Transport>,
    endpoint: Endpoint,
    limits: Limits,
}

impl FlinkCluster {
    /// The same cluster with other limits, for example for one call.
    #[must_use]
    pub fn with_limits(&self, limits: Limits) -> Self {
        Self { limits, ..self.clone() }
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Where the cluster is.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, call: Call, path: String) -> Result<T, FlinkError> {
        self.exchange(call, Method::GET, path, RequestBody::default()).await
    }

    /// Sends one request and decodes a successful answer.
    pub(crate) async fn exchange<T: DeserializeOwned>(
        &self,
        call: Call,
        method: Method,
        path: String,
        body: RequestBody,
    ) -> Result<T, FlinkError> {
        let answer = self.successful(call, method, path, body).await?;
        let malformed = |truncated, detail: &str| {
            let detail = ErrorText::of_text(detail).summary().to_owned();
            FlinkError::Malformed { call, status: answer.status, truncated, detail }
        };
        // Flink always says JSON; a login page or a proxy's greeting with status 200 is not its answer.
        if let Some(content_type) = answer.content_type.as_deref().filter(|it| !it.contains("json")) {
            return Err(malformed(false, &format!("its content type is {content_type}")));
        }
        serde_json::from_slice(&answer.body).map_err(|error| malformed(error.is_eof(), &error.to_string()))
    }

    /// Sends one request whose success is all in its status.
    pub(crate) async fn acknowledged(
        &self,
        call: Call,
        method: Method,
        path: String,
        body: RequestBody,
    ) -> Result<(), FlinkError> {
        self.successful(call, method, path, body).await.map(|_| ())
    }

    /// Never repeats a request: the caller knows whether that is safe and when it is due.
    async fn successful(
        &self,
        call: Call,
        method: Method,
        path: String,
        body: RequestBody,
    ) -> Result<RestResponse, FlinkError> {
        let Limits { time, answer_bytes } = self.limits;
        let request = RestRequest { call, method, path, body, time_limit: time, answer_limit: answer_bytes };
        let answer = self
            .transport
            .send(&self.endpoint, request)
            .await
            .map_err(|error| FlinkError::of_transport(call, error, time, answer_bytes))?;
        if answer.body.len() > answer_bytes {
            return Err(FlinkError::TooLarge { call, status: answer.status, limit: answer_bytes });
        }
        if !(200..300).contains(&answer.status) {
            return Err(FlinkError::of_answer(call, &answer));
        }
        Ok(answer)
    }
}
