//! The HTTP client of object stores: ours.

use std::sync::Arc;

use async_trait::async_trait;
use http_body_util::BodyExt;
use lifecycle::validate::ChosenBy;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
    HttpService,
};
use reqwest::Url;

use super::{Guard, Reach, explain, refused};

/// Most bytes of a request of ours: tokens and signatures.
const LARGEST_REQUEST: usize = 1 << 20;

/// Lets the client of an object store reach that store and, if it may use the identity of the operator's pod, those who
/// vouch for it. Redirects are not followed.
#[derive(Clone)]
pub(crate) struct Connector {
    pub(crate) guard: Arc<Guard>,
    pub(crate) chosen_by: ChosenBy,
    /// Hosts that hand out credentials.
    pub(crate) vouching: Vec<String>,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("chosen_by", &self.chosen_by).finish_non_exhaustive()
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Connector {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let unusable = |error: String| HttpError::new(HttpErrorKind::Unknown, std::io::Error::other(error));
        let url = Url::parse(&parts.uri.to_string()).map_err(|error| unusable(error.to_string()))?;
        let host = url.host_str().unwrap_or_default();
        let vouches = self.vouching.iter().any(|vouching| vouching == host);
        let reach = if vouches { Reach::Credentials } else { Reach::Chosen(self.chosen_by) };
        let client = self
            .guard
            .client(&url, reach)
            .map_err(|refused| HttpError::new(HttpErrorKind::Unknown, refused))?;
        let body = http_body_util::Limited::new(body, LARGEST_REQUEST)
            .collect()
            .await
            .map_err(|error| unusable(error.to_string()))?
            .to_bytes();
        let mut request = reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        *request.body_mut() = Some(body.into());
        let sent = client.execute(request).await;
        let response = sent.map_err(|error| if vouches { no_credentials(error) } else { failed(error) })?;
        let (parts, body) = http::Response::<reqwest::Body>::from(response).into_parts();
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body.map_err(failed))))
    }
}

/// Nobody vouches for the operator's pod.
#[derive(Debug, thiserror::Error)]
#[error("the operator's pod has no credentials of its own: {0}")]
pub(crate) struct NoCredentials(String);

/// Elsewhere than in a cloud there is nobody to ask: it is not worth another try.
fn no_credentials(error: reqwest::Error) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, NoCredentials(explain(&error.without_url())))
}

/// Which failures are worth another try.
fn failed(error: reqwest::Error) -> HttpError {
    let kind = if refused(&error).is_some() {
        HttpErrorKind::Unknown
    } else if error.is_timeout() {
        HttpErrorKind::Timeout
    } else if error.is_connect() {
        HttpErrorKind::Connect
    } else if error.is_body() || error.is_decode() {
        HttpErrorKind::Interrupted
    } else {
        HttpErrorKind::Request
    };
    HttpError::new(kind, error.without_url())
}
