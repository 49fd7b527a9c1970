//! Redirects, followed by hand: each hop is judged like the first one.

use std::time::Duration;

use lifecycle::validate::ChosenBy;
use reqwest::header::{HeaderMap, IF_NONE_MATCH, LOCATION};
use reqwest::{Response, Url};

use super::{Guard, Reach, explain, refused, untrusted};

/// More than any server needs.
const MOST_HOPS: usize = 10;

/// A request that reads something.
pub(crate) struct Request<'a> {
    pub(crate) url: &'a Url,
    /// For the server of `url` only: they do not go where a redirect leads.
    pub(crate) headers: HeaderMap,
    /// The strong entity tag of what is there already.
    pub(crate) known: Option<&'a str>,
    pub(crate) chosen_by: ChosenBy,
    pub(crate) hops: Hops,
}

/// Where redirects may lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hops {
    /// Whether `http` is a way to get a jar at all.
    pub(crate) plain: bool,
    /// Whether `https` is.
    pub(crate) secure: bool,
    /// Whether hosts that a redirect names count as chosen by the same person as the first one. Else by a job.
    pub(crate) vouched: bool,
}

/// Why there is no answer.
pub(crate) enum Unanswered {
    /// It will not get better by itself.
    NeedsUser(String),
    /// It may.
    Passing(String),
}

impl Guard {
    /// Reads from a server, and from where it sends us.
    pub(crate) async fn get(&self, request: Request<'_>) -> Result<Response, Unanswered> {
        let Request { mut headers, known, mut chosen_by, hops, .. } = request;
        let mut url = request.url.clone();
        for _ in 0..=MOST_HOPS {
            let mut response = self.hop(&url, &headers, known, chosen_by).await?;
            if !is_redirect(&response) {
                return Ok(response);
            }
            let Some(mut next) = location(&response, &url) else {
                return Err(Unanswered::NeedsUser(format!(
                    "{} answers with a redirect ({}) to no usable place",
                    host(&url),
                    response.status().as_u16()
                )));
            };
            // What stands in a redirect is no credential of ours.
            let _ = next.set_username("");
            let _ = next.set_password(None);
            next.set_fragment(None);
            allow_scheme(&url, &next, hops)?;
            if next.origin() != url.origin() {
                headers.clear();
                if !hops.vouched && host(&next) != host(&url) {
                    chosen_by = ChosenBy::Job;
                }
            }
            // A short answer is read so that the connection can be used again.
            let _ = tokio::time::timeout(Duration::from_millis(100), response.chunk()).await;
            url = next;
        }
        Err(Unanswered::NeedsUser(format!("{} redirects more than {MOST_HOPS} times", host(request.url))))
    }

    async fn hop(
        &self,
        url: &Url,
        headers: &HeaderMap,
        known: Option<&str>,
        chosen_by: ChosenBy,
    ) -> Result<Response, Unanswered> {
        let client = self
            .client(url, Reach::Chosen(chosen_by))
            .map_err(|refused| Unanswered::NeedsUser(refused.to_string()))?;
        let mut request = client.get(url.clone()).headers(headers.clone());
        if let Some(known) = known {
            request = request.header(IF_NONE_MATCH, known);
        }
        request.send().await.map_err(|error| {
            if let Some(refused) = refused(&error) {
                Unanswered::NeedsUser(refused.to_string())
            } else if let Some(reason) = untrusted(&error) {
                Unanswered::NeedsUser(format!("{}: {reason}", host(url)))
            } else {
                Unanswered::Passing(format!("{}: {}", host(url), explain(&error)))
            }
        })
    }
}

/// An answer that is only a sign to somewhere else.
fn is_redirect(response: &Response) -> bool {
    matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn location(response: &Response, from: &Url) -> Option<Url> {
    let location = response.headers().get(LOCATION)?;
    let text = str::from_utf8(location.as_bytes()).ok()?;
    from.join(text).ok().filter(Url::has_host)
}

fn allow_scheme(from: &Url, to: &Url, hops: Hops) -> Result<(), Unanswered> {
    let allowed = match to.scheme() {
        "http" => hops.plain,
        "https" => hops.secure,
        _ => false,
    };
    if allowed {
        return Ok(());
    }
    Err(Unanswered::NeedsUser(format!(
        "{} redirects to a URL whose scheme {} is not allowed",
        host(from),
        to.scheme()
    )))
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}
