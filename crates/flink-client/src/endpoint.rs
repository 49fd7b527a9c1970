//! Where a Flink cluster's REST API is found.

use std::fmt;
use std::str::FromStr;

/// How the REST API is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// Plain text, Flink's default.
    Http,
    /// TLS: `security.ssl.rest.enabled: true`.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// The base address of one cluster's REST API: scheme, host, port and an optional path prefix.
///
/// The prefix serves proxies that add one, such as
/// `/api/v1/namespaces/NS/services/NAME-rest:8081/proxy` of the Kubernetes API server. Credentials are never
/// part of an endpoint: they belong to the transport.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    scheme: Scheme,
    host: String,
    port: u16,
    path_prefix: String,
}

/// A text that is not an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// The text does not start with `http://` or `https://`.
    #[error("the address must start with http:// or https://")]
    Scheme,
    /// The host is empty or has a character that no host name or IP address has.
    #[error("the host is empty or malformed")]
    Host,
    /// The port is not a number between 1 and 65535.
    #[error("the port is not a number between 1 and 65535")]
    Port,
    /// User name and password in an address end up in logs, so they are refused.
    #[error("the address must not contain credentials")]
    Credentials,
    /// The path prefix has a query, a fragment, a blank or a control character.
    #[error("the path prefix must be a plain path")]
    PathPrefix,
}

impl Endpoint {
    /// An endpoint without path prefix. `host` is a DNS name, an IPv4 address, or an IPv6 address with or
    /// without brackets.
    pub fn new(scheme: Scheme, host: &str, port: u16) -> Result<Self, EndpointError> {
        if port == 0 {
            return Err(EndpointError::Port);
        }
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let is_v6 = bare.parse::<std::net::Ipv6Addr>().is_ok();
        let is_name = !bare.is_empty()
            && bare.len() <= 253
            && bare.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
        let host = match (is_v6, is_name) {
            (true, _) => format!("[{bare}]"),
            (false, true) => bare.to_owned(),
            (false, false) => return Err(EndpointError::Host),
        };
        Ok(Self { scheme, host, port, path_prefix: String::new() })
    }

    /// The same endpoint behind a path prefix. A trailing slash is dropped.
    pub fn with_path_prefix(mut self, prefix: &str) -> Result<Self, EndpointError> {
        let prefix = prefix.trim_end_matches('/');
        let plain = prefix.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'#' | b'\\'));
        if !plain || prefix.split('/').any(|segment| segment == "..") {
            return Err(EndpointError::PathPrefix);
        }
        self.path_prefix = match prefix {
            "" => String::new(),
            absolute if absolute.starts_with('/') => absolute.to_owned(),
            relative => format!("/{relative}"),
        };
        Ok(self)
    }

    /// Scheme of the address.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Host of the address; an IPv6 address is in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Port of the address.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Empty, or a path that starts with a slash and does not end with one.
    #[must_use]
    pub fn path_prefix(&self) -> &str {
        &self.path_prefix
    }

    /// The full address of a REST path, which starts with a slash and may have a query.
    #[must_use]
    pub fn url(&self, path_and_query: &str) -> String {
        format!("{self}{path_and_query}")
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}{}", self.scheme.as_str(), self.host, self.port, self.path_prefix)
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    /// Reads `scheme://host[:port][/prefix]`; the port is 80 or 443 when it is absent.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
            (Some(rest), _) => (Scheme::Http, rest),
            (None, Some(rest)) => (Scheme::Https, rest),
            (None, None) => return Err(EndpointError::Scheme),
        };
        let (authority, prefix) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        if authority.contains('@') {
            return Err(EndpointError::Credentials);
        }
        let default_port = if scheme == Scheme::Http { 80 } else { 443 };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| EndpointError::Port)?)
            }
            Some(_) | None => (authority, default_port),
        };
        Self::new(scheme, host, port)?.with_path_prefix(prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_survives_reading_and_writing() {
        for (text, written) in [
            ("http://basic-rest.default:8081", "http://basic-rest.default:8081"),
            ("https://[::1]:8081/", "https://[::1]:8081"),
            ("https://[::1]/x/", "https://[::1]:443/x"),
            ("http://10.0.0.1", "http://10.0.0.1:80"),
            (
                "https://h:6443/api/v1/namespaces/a/services/b-rest:8081/proxy/",
                "https://h:6443/api/v1/namespaces/a/services/b-rest:8081/proxy",
            ),
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), written);
        }
        assert_eq!("http://h:1/p".parse::<Endpoint>().unwrap().url("/jobs?x=1"), "http://h:1/p/jobs?x=1");
    }

    #[test]
    fn an_address_that_is_none_is_refused() {
        for (text, error) in [
            ("h:8081", EndpointError::Scheme),
            ("http://", EndpointError::Host),
            ("http://a b:1", EndpointError::Host),
            ("http://a:0", EndpointError::Port),
            ("http://a:70000", EndpointError::Port),
            ("http://user:pw@a:1", EndpointError::Credentials),
            ("http://a:1/x?y", EndpointError::PathPrefix),
            ("http://a:1/x/../y", EndpointError::PathPrefix),
        ] {
            assert_eq!(text.parse::<Endpoint>(), Err(error), "{text}");
        }
    }
}
