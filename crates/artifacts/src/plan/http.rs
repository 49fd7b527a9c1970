//! `http` and `https`.

use engine::ports::ArtifactError;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use lifecycle::validate::{ArtifactSettings, ChosenBy};
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
    let trusted = is_listed(&url, &options.settings);
    if let Some(headers) = layers.get(keys::HTTP_HEADER) {
        for (name, value) in map(layers, headers)? {
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

/// Whether the operator's configuration names the host, so that it may have the operator's credentials.
fn is_listed(url: &Url, settings: &ArtifactSettings) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse();
    settings.allowed_hosts.has_name(host)
        || address.is_ok_and(|address| settings.allowed_hosts.has_address(address))
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
fn map(layers: Layers<'_>, setting: Setting<'_>) -> Result<Vec<(String, String)>, ArtifactError> {
    debug_assert_eq!(layers.effective.text(keys::HTTP_HEADER).map(str::trim), Some(setting.text));
    match layers.effective.map(keys::HTTP_HEADER) {
        Ok(map) => Ok(map.unwrap_or_default().into_iter().collect()),
        // The text may be a secret, which the error of the configuration would show.
        Err(_) => Err(needs_user(format!("{} is no map such as name:value,name:value.", keys::HTTP_HEADER))),
    }
}

fn basic(username: &str, password: &str) -> Vec<u8> {
    let pair = format!("{username}:{password}");
    format!("Basic {}", base64(pair.as_bytes())).into_bytes()
}

/// RFC 4648 with padding: the one place that needs it.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |position: usize| u32::from(chunk.get(position).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for position in 0..4 {
            let digit = usize::try_from(group >> (18 - 6 * position) & 63).unwrap_or(0);
            text.push(if position <= chunk.len() { char::from(DIGITS[digit]) } else { '=' });
        }
    }
    text
}

/// `%40` is `@`; what is no such code stays.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code =
            after.get(..2).and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        match (first, code) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{base64, decoded};

    #[test]
    fn base64_as_in_rfc_4648() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }

    #[test]
    fn percent_codes() {
        assert_eq!(decoded("a%40b%2"), "a@b%2");
    }
}
