//! Objects of object stores.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{BackoffConfig, Error, GetOptions, ObjectStore, RetryConfig};

use super::{Body, Failure, Opened, stores, strong};
use crate::guard::{Connector, Guard, NoCredentials, cause, explain, refused, untrusted};
use crate::options::ArtifactOptions;
use crate::plan::{Object, Store};

pub(super) async fn open(
    object: &Object,
    known: Option<&str>,
    guard: &Arc<Guard>,
    options: &ArtifactOptions,
) -> Result<Opened, Failure> {
    let connector =
        Connector { guard: guard.clone(), chosen_by: object.chosen_by, vouching: stores::vouching(options) };
    let store: Arc<dyn ObjectStore> = stores::build(&object.store, connector, options, retries(options))
        .map_err(|error| Failure::needs_user(format!("its options cannot be used: {}", innermost(&error))))?;
    let path = Path::parse(&object.key)
        .map_err(|_| Failure::needs_user("its path has empty parts, which this operator cannot ask for"))?;
    let get = GetOptions { if_none_match: known.map(str::to_owned), ..GetOptions::default() };
    match store.get_opts(&path, get).await {
        Ok(found) => Ok(Opened::Jar(Body {
            length: Some(found.meta.size),
            strong_tag: found.meta.e_tag.as_deref().and_then(strong),
            chunks: found.into_stream().map_err(|error| failure(&error, None)).boxed(),
        })),
        Err(Error::NotModified { .. }) if known.is_some() => Ok(Opened::Unchanged),
        Err(error) => Err(failure(&error, Some(object))),
    }
}

/// A few quick ones: who wants the jar tries again anyway.
fn retries(options: &ArtifactOptions) -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(5),
            base: 2.0,
        },
        max_retries: 3,
        retry_timeout: options.timeout.min(Duration::from_mins(3)),
    }
}

/// `asked`: what was asked for, if nothing had been answered yet.
fn failure(error: &Error, asked: Option<&Object>) -> Failure {
    if let Some(refused) = refused(error) {
        return Failure::needs_user(refused.to_string());
    }
    if let Some(reason) = untrusted(error) {
        return Failure::needs_user(reason);
    }
    if let Some(reason) = cause::<NoCredentials>(error) {
        return Failure { forbidden: true, ..Failure::passing(reason.to_string()) };
    }
    let text = chain(error);
    let code = code(&text);
    match error {
        Error::NotFound { .. } => Failure::status(404, &code),
        Error::PermissionDenied { .. } => Failure::status(403, &code),
        Error::Unauthenticated { .. } => Failure::status(401, &code),
        _ => match status(&text) {
            Some(status) => Failure::status(status, &code),
            None if text.contains("redirect without LOCATION") => {
                Failure::needs_user("it is in another region. Correct s3.endpoint.region")
            }
            None => {
                let hint = asked.filter(|_| is_unconnected(error)).and_then(path_style_hint);
                Failure::passing(explain(error) + &hint.unwrap_or_default())
            }
        },
    }
}

fn is_unconnected(error: &Error) -> bool {
    cause::<reqwest::Error>(error).is_some_and(reqwest::Error::is_connect)
}

/// Servers of one's own rarely have a host for each bucket.
fn path_style_hint(object: &Object) -> Option<String> {
    let Store::S3(bucket) = &object.store else { return None };
    let vendors = [".amazonaws.com", ".amazonaws.com.cn", ".aliyuncs.com"];
    let own = bucket.endpoint.virtual_hosted && !vendors.iter().any(|vendor| object.host.ends_with(vendor));
    own.then(|| format!(". If there is no host {}, set s3.path.style.access to true", object.host))
}

/// The code that S3, Google and Azure have in their answers: `<Code>NoSuchBucket</Code>`. The rest of an answer may
/// repeat what was asked with.
fn code(text: &str) -> String {
    let code = text
        .split_once("<Code>")
        .and_then(|(_, rest)| rest.split_once("</Code>"))
        .map_or("", |(code, _)| code);
    code.chars().filter(char::is_ascii_alphanumeric).take(80).collect()
}

/// The status in the words of object_store, whose type for it is private.
fn status(text: &str) -> Option<u16> {
    let (_, rest) = text.split_once("non-2xx status code: ")?;
    rest.get(..3)?.parse().ok()
}

fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// Errors of options quote no secrets at their innermost.
fn innermost(error: &Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = cause.to_string();
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{code, status};

    #[test]
    fn only_the_code_of_an_answer_is_shown() {
        let text = "Generic S3 error: Server returned non-2xx status code: 400 Bad Request: <Error><Code>InvalidArgument</Code>\
                    <AWSAccessKeyId>AKIA</AWSAccessKeyId></Error>";
        assert_eq!((code(text).as_str(), status(text)), ("InvalidArgument", Some(400)));
        assert_eq!((code("<Code>").as_str(), status("nothing")), ("", None));
    }
}
