//! URIs of jars, taken apart as Flink's `Path` does: what follows the authority is taken as it stands.

use std::fmt;
use std::path::PathBuf;

use engine::ports::ArtifactError;

use crate::error::needs_user;

/// A URI of a jar.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct JarUri {
    /// In small letters.
    pub(crate) scheme: String,
    /// With user and port, if there are any.
    authority: String,
    /// From the first slash; not decoded. Of `http` and `https` without query and fragment.
    pub(crate) path: String,
}

impl fmt::Display for JarUri {
    /// What may be shown: neither user, nor password, nor query.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Azure's form is `container@account`: nothing secret. Passwords follow a colon.
        let is_secret = self.is_http() || self.user().is_some_and(|user| user.contains(':'));
        let authority = if is_secret { self.host() } else { &self.authority };
        let path = self.path.split(['?', '#']).next().unwrap_or_default();
        write!(f, "{}://{authority}{path}", self.scheme)
    }
}

impl JarUri {
    pub(crate) fn parse(text: &str) -> Result<Self, ArtifactError> {
        let no_uri = || needs_user("jarURI is not a whole URI such as https://example.com/job.jar.");
        let (scheme, rest) = text.split_once(':').ok_or_else(no_uri)?;
        let scheme = scheme.to_ascii_lowercase();
        if scheme.is_empty()
            || !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        {
            return Err(no_uri());
        }
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
            None => ("", rest),
        };
        let uri = Self { scheme, authority: authority.to_owned(), path: path.to_owned() };
        if !uri.is_http() {
            return Ok(uri);
        }
        // There, a query may come right after the host.
        let cut = |text: &str| text.split(['?', '#']).next().unwrap_or_default().to_owned();
        let path = if uri.authority.contains(['?', '#']) { String::new() } else { cut(&uri.path) };
        Ok(Self { authority: cut(&uri.authority), path, ..uri })
    }

    fn is_http(&self) -> bool {
        matches!(self.scheme.as_str(), "http" | "https")
    }

    /// Host and port: what follows the last `@` of the authority.
    pub(crate) fn host(&self) -> &str {
        self.authority.rsplit_once('@').map_or(self.authority.as_str(), |(_, host)| host)
    }

    /// What precedes the `@`, if there is one.
    pub(crate) fn user(&self) -> Option<&str> {
        self.authority.rsplit_once('@').map(|(user, _)| user)
    }

    /// The name of a bucket or account. Such a name becomes part of a host, so it must not be able to end one.
    pub(crate) fn bucket(&self) -> Result<&str, ArtifactError> {
        let name = self.host();
        if is_name(name) { Ok(name) } else { Err(self.unusable("it names no bucket")) }
    }

    /// The key of an object: the path without its first slash.
    pub(crate) fn key(&self) -> Result<String, ArtifactError> {
        let key = self.path.trim_start_matches('/');
        if key.is_empty() || key.ends_with('/') {
            return Err(self.unusable("it names no file"));
        }
        Ok(key.to_owned())
    }

    /// The path of a file on this machine.
    pub(crate) fn file(&self) -> Result<PathBuf, ArtifactError> {
        if !self.path.starts_with('/') || !matches!(self.authority.as_str(), "" | "localhost") {
            return Err(self.unusable("it must have the form file:///folder/job.jar"));
        }
        Ok(PathBuf::from(&self.path))
    }

    /// An error about the URI itself.
    pub(crate) fn unusable(&self, reason: &str) -> ArtifactError {
        needs_user(format!("{self} is no usable jarURI: {reason}."))
    }

    /// The name under which Flink shows the jar. It ends in `.jar`, or Flink would refuse it.
    pub(crate) fn file_name(&self) -> String {
        let name =
            self.path.split(['?', '#']).next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
        let safe = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
        let name: String = name.chars().map(safe).collect();
        let name = name.trim_start_matches('.');
        let stem = name.strip_suffix(".jar").unwrap_or(name);
        let stem: String = stem.chars().take(100).collect();
        if stem.is_empty() { "job.jar".to_owned() } else { format!("{stem}.jar") }
    }
}

/// Whether a text can be a part of a host's name without being able to end it.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 255
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// The host of a URL, or nothing.
pub(crate) fn host_of(url: &str) -> String {
    reqwest::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}
