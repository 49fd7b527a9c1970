//! Files of HTTP servers.

use futures::{StreamExt, TryStreamExt};
use lifecycle::validate::ChosenBy;
use reqwest::header::ETAG;
use reqwest::{Response, StatusCode};

use super::{Body, Failure, Opened, strong};
use crate::guard::{Guard, Hops, Request, Unanswered, explain};
use crate::plan::HttpFile;

pub(super) async fn open(
    file: &HttpFile,
    known: Option<&str>,
    guard: &Guard,
    hops: Hops,
) -> Result<Opened, Failure> {
    let request = Request { url: &file.url, headers: file.headers(), known, chosen_by: ChosenBy::Job, hops };
    let response = guard.get(request).await?;
    match response.status() {
        StatusCode::OK => Ok(Opened::Jar(body(response))),
        StatusCode::NOT_MODIFIED if known.is_some() => Ok(Opened::Unchanged),
        status => Err(Failure::status(status.as_u16(), "")),
    }
}

/// The body of an answer. Its length is what the server says; a body that ends earlier is an error of the stream.
pub(super) fn body(response: Response) -> Body {
    let tag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok());
    Body {
        length: response.content_length(),
        strong_tag: tag.and_then(strong),
        chunks: response.bytes_stream().map_err(|error| Failure::passing(explain(&error))).boxed(),
    }
}

impl From<Unanswered> for Failure {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::NeedsUser(reason) => Self::needs_user(reason),
            Unanswered::Passing(reason) => Self::passing(reason),
        }
    }
}
