//! `http` and `https`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use engine::ports::ArtifactError;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use lifecycle::validate::ChosenBy;
use percent_encoding::percent_decode_str;
use reqwest::Url;

use super::{Found, JarUri, Source};
use crate::error::needs_user;
use crate::keys;
use crate::layers::{Layers, Setting, owner};
use crate::options::ArtifactOptions;

/// A file of an HTTP server.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct HttpFile {
    /// Without user and password.
    pub(crate) url: Url,
    /// For the server that the URL names, and for no other.
    headers: Vec<(String, Vec<u8>)>,
}

impl HttpFile {
    /// The headers; values are marked as sensitive.
    pub(crate) fn headers(&self) -> HeaderMap {
        let pairs = self.headers.iter().filter_map(|(name, value)| {
            let mut value = HeaderValue::from_bytes(value).ok()?;
            value.set_sensitive(true);
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
        });
        pairs.collect()
    }
}

pub(super) fn find(text: &str, uri: &JarUri, layers: Layers<'_>, options: &ArtifactOptions) -> Found {
    // A URL parser finds one in the path.
    if uri.host().is_empty() {
        return Err(uri.unusable("it names no host"));
    }
    let mut url = Url::parse(text).map_err(|error| uri.unusable(&error.to_string()))?;
    let mut credentials = Credentials::default();
    let trusted = options.trusts(url.host_str().unwrap_or_default());
    if let Some(headers) = layers.get(keys::HTTP_HEADER) {
        for (name, value) in map(layers)? {
            credentials.header(&name, value.into_bytes(), headers.by, trusted)?;
        }
    }
    let username = layers.get(keys::HTTP_USERNAME);
    let password = layers.get(keys::HTTP_PASSWORD);
    if let Some(token) = layers.get(keys::HTTP_BEARER_TOKEN) {
        let value = format!("Bearer {}", token.text).into_bytes();
        credentials.header(AUTHORIZATION.as_str(), value, token.by, trusted)?;
    } else if username.is_some() || password.is_some() {
        let by = owner(username.into_iter().chain(password));
        let text =
            |setting: Option<Setting<'_>>| setting.map_or(String::new(), |setting| setting.text.to_owned());
        let value = basic(&text(username), &text(password));
        credentials.header(AUTHORIZATION.as_str(), value, by, trusted)?;
    }
    if !url.username().is_empty() || url.password().is_some() {
        let value = basic(&decoded(url.username()), &decoded(url.password().unwrap_or_default()));
        credentials.header(AUTHORIZATION.as_str(), value, ChosenBy::Job, trusted)?;
        // They fail for URLs without host only, which have no user either.
        let _ = url.set_username("");
        let _ = url.set_password(None);
    }
    url.set_fragment(None);
    Ok((Source::Http(HttpFile { url, headers: credentials.headers }), credentials.withheld))
}

#[derive(Default)]
struct Credentials {
    headers: Vec<(String, Vec<u8>)>,
    withheld: bool,
}

impl Credentials {
    /// Adds a header; a later one of the same name counts.
    fn header(
        &mut self,
        name: &str,
        value: Vec<u8>,
        by: ChosenBy,
        trusted: bool,
    ) -> Result<(), ArtifactError> {
        let name = name.to_ascii_lowercase();
        let valid =
            HeaderName::from_bytes(name.as_bytes()).is_ok() && HeaderValue::from_bytes(&value).is_ok();
        let ours = ["host", "content-length", "transfer-encoding", "connection", "if-none-match", "range"];
        if !valid || ours.contains(&name.as_str()) {
            return Err(needs_user(format!(
                "the header '{}' of {} cannot be sent. Correct its name or its value.",
                name.escape_debug(),
                keys::HTTP_HEADER
            )));
        }
        if by == ChosenBy::Operator && !trusted {
            self.withheld = true;
            return Ok(());
        }
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value));
        Ok(())
    }
}

/// A map `name:value,name:value`, of which Flink knows the quoting.
fn map(layers: Layers<'_>) -> Result<Vec<(String, String)>, ArtifactError> {
    match layers.effective.map(keys::HTTP_HEADER) {
        Ok(map) => Ok(map.unwrap_or_default().into_iter().collect()),
        // The text may be a secret, which the error of the configuration would show.
        Err(_) => Err(needs_user(format!("{} is no map such as name:value,name:value.", keys::HTTP_HEADER))),
    }
}

fn basic(username: &str, password: &str) -> Vec<u8> {
    format!("Basic {}", STANDARD.encode(format!("{username}:{password}"))).into_bytes()
}

/// `%40` is `@`.
fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
