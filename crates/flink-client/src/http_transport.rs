//! The transport over a pooled HTTP client.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::TryFutureExt;
use http::HeaderValue;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};

use crate::endpoint::Endpoint;
use crate::tls::{TlsError, TlsOptions};
use crate::transport::{RestRequest, RestResponse, Transport, TransportError, read_body};

/// Settings of [`HttpTransport`].
#[derive(Clone)]
pub struct HttpOptions {
    /// Limit for establishing a connection, TLS included. Default: 5 s.
    pub connect_timeout: Duration,
    /// How long an unused connection is kept. Default: 90 s, longer than the usual poll period of 60 s.
    pub idle_timeout: Duration,
    /// Unused connections kept per cluster. Default: 2.
    pub idle_connections: usize,
    /// Trust and identity for `https` endpoints.
    pub tls: TlsOptions,
    /// Sent as `Authorization: Bearer …`, for proxies in front of Flink; Flink itself knows no tokens.
    pub bearer_token: Option<String>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(90),
            idle_connections: 2,
            tls: TlsOptions::default(),
            bearer_token: None,
        }
    }
}

impl std::fmt::Debug for HttpOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpOptions")
            .field("connect_timeout", &self.connect_timeout)
            .field("idle_timeout", &self.idle_timeout)
            .field("idle_connections", &self.idle_connections)
            .field("tls", &self.tls)
            .field("has_bearer_token", &self.bearer_token.is_some())
            .finish()
    }
}

/// Settings with which no HTTP client can be made.
#[derive(Debug, thiserror::Error)]
pub enum HttpSetupError {
    /// Certificates or keys are unusable.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The bearer token has characters that no header may have.
    #[error("the bearer token is not a header value")]
    BearerToken,
    /// The HTTP library refuses the settings.
    #[error("no HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

/// Sends over one pooled HTTP/1.1 client that all clusters share.
///
/// Follows no redirects (a Flink with TLS answers plain requests with one), uses no proxy of the environment
/// and asks for no compression. Needs a tokio runtime with IO and time.
#[derive(Debug)]
pub struct HttpTransport {
    options: HttpOptions,
    pool: RwLock<Pool>,
    authorization: Option<HeaderValue>,
}

/// Connections that were made with the same TLS settings.
#[derive(Debug, Clone)]
struct Pool {
    client: reqwest::Client,
    tls: Arc<TlsOptions>,
}

impl Pool {
    fn new(options: &HttpOptions, tls: TlsOptions) -> Result<Self, HttpSetupError> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.client_config()?)
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(options.connect_timeout)
            .pool_idle_timeout(options.idle_timeout)
            .pool_max_idle_per_host(options.idle_connections)
            .user_agent(concat!("flink-kubernetes-operator/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client, tls: Arc::new(tls) })
    }

    fn not_answered(&self, error: &reqwest::Error) -> TransportError {
        if let Some(reason) = self.tls.failure(error, error.is_connect()) {
            return TransportError::Untrusted(reason);
        }
        if error.is_timeout() && error.is_connect() {
            TransportError::TimedOut { sent: false }
        } else if error.is_timeout() {
            TransportError::TimedOut { sent: true }
        } else if error.is_connect() {
            TransportError::NotSent(innermost(error))
        } else if error.is_builder() {
            TransportError::Unsendable(innermost(error))
        } else {
            TransportError::Lost(innermost(error))
        }
    }
}

impl HttpTransport {
    /// Makes the pool; no connection is opened yet.
    pub fn new(options: &HttpOptions) -> Result<Self, HttpSetupError> {
        let pool = RwLock::new(Pool::new(options, options.tls.clone())?);
        let authorization = options.bearer_token.as_deref().map(bearer).transpose()?;
        Ok(Self { options: options.clone(), pool, authorization })
    }

    /// Takes other TLS settings from now on. Requests under way go on; connections that wait for the next one are
    /// closed, so that it is made under the new settings.
    ///
    /// # Errors
    /// The settings cannot be used; the old ones stay.
    pub fn use_tls(&self, tls: TlsOptions) -> Result<(), HttpSetupError> {
        let pool = Pool::new(&self.options, tls)?;
        *self.pool.write().unwrap_or_else(PoisonError::into_inner) = pool;
        Ok(())
    }

    fn pool(&self) -> Pool {
        self.pool.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn exchange(
        &self,
        target: &Endpoint,
        request: RestRequest,
    ) -> Result<RestResponse, TransportError> {
        let answer_limit = request.answer_limit;
        let pool = self.pool();
        let request = self.request(&pool, target, request);
        let answer = request.send().map_err(|error| pool.not_answered(&error)).await?;
        let status = answer.status().as_u16();
        let content_type =
            answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
        let declared_length = answer.content_length();
        let body = read_body(status, declared_length, answer_limit, answer.bytes_stream().boxed()).await?;
        Ok(RestResponse { status, content_type, body })
    }

    fn request(&self, pool: &Pool, target: &Endpoint, request: RestRequest) -> reqwest::RequestBuilder {
        let mut builder = pool.client.request(request.method, target.url(&request.path));
        if let Some(authorization) = &self.authorization {
            builder = builder.header(AUTHORIZATION, authorization);
        }
        let length = request.body.length();
        if let Some(content_type) = &request.body.content_type {
            // The length is given so that the body is not sent in chunks, which some proxies refuse.
            builder = builder.header(CONTENT_TYPE, content_type).header(CONTENT_LENGTH, length);
            builder = builder.body(reqwest::Body::wrap_stream(request.body.into_stream()));
        }
        builder
    }
}

fn bearer(token: &str) -> Result<HeaderValue, HttpSetupError> {
    let mut value =
        HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| HttpSetupError::BearerToken)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The innermost cause says what happened ("Connection refused"); the outer ones only that something did.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, target: &Endpoint, request: RestRequest) -> Result<RestResponse, TransportError> {
        let limit = request.time_limit;
        // One limit over the whole exchange: a server that drips a byte a second must not hold a caller.
        tokio::time::timeout(limit, self.exchange(target, request))
            .await
            .unwrap_or(Err(TransportError::TimedOut { sent: true }))
    }
}
