//! URIs as Java takes them apart (RFC 2396, with the deviations of `java.net.URI`), as far as a jar's URI needs it.
//!
//! Whether an address is refused depends on what exactly its host is, so a parser with other opinions (a browser's,
//! which repairs what it reads) would judge another host than the one that upstream would.

/// The parts of a URI that rules ask for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Uri<'a> {
    /// Without the colon. Absent in a relative reference.
    pub(super) scheme: Option<&'a str>,
    /// With brackets if it is an IPv6 address. Absent if there is no authority, or if that is not of the form
    /// `user@host:port`.
    pub(super) host: Option<&'a str>,
}

/// Takes a URI apart. The error says what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Uri<'_>, String> {
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
    check_characters(fragment, is_uric, "fragment")?;
    let Some((scheme, rest)) = split_scheme(rest) else {
        return Ok(Uri { scheme: None, host: host_of_hierarchy(rest)? });
    };
    let letter_first = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    if !letter_first || !scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')) {
        return Err(format!("'{scheme}' is not the name of a scheme"));
    }
    if rest.is_empty() {
        return Err("there is nothing after the scheme".to_owned());
    }
    if rest.starts_with('/') {
        return Ok(Uri { scheme: Some(scheme), host: host_of_hierarchy(rest)? });
    }
    check_characters(rest, is_uric, "opaque part")?;
    Ok(Uri { scheme: Some(scheme), host: None })
}

/// A colon ends the scheme, unless one of `/?` comes first.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let end = text.find(['/', '?', ':'])?;
    text.get(end..)?.strip_prefix(':').and_then(|rest| Some((text.get(..end)?, rest)))
}

/// Checks authority, path and query, and finds the host.
fn host_of_hierarchy(text: &str) -> Result<Option<&str>, String> {
    let (hierarchy, query) = text.split_once('?').unwrap_or((text, ""));
    check_characters(query, is_uric, "query")?;
    let Some(rest) = hierarchy.strip_prefix("//") else {
        check_characters(hierarchy, is_path, "path")?;
        return Ok(None);
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    check_characters(path, is_path, "path")?;
    if authority.is_empty() {
        // `file:///x` has an empty authority; `file://` has none where one is expected.
        let followed = !path.is_empty() || hierarchy.len() < text.len();
        return if followed { Ok(None) } else { Err("there is no authority after //".to_owned()) };
    }
    host_of_authority(authority)
}

fn host_of_authority(authority: &str) -> Result<Option<&str>, String> {
    if let Some(host) = server_host(authority) {
        return Ok(Some(host));
    }
    // Another kind of name, such as `a_b`: legal, but without a host.
    check_characters(authority, is_registry_name, "authority")?;
    Ok(None)
}

/// The host of `user@host:port`; `None` if the authority has not that form.
fn server_host(authority: &str) -> Option<&str> {
    let host_and_port = match authority.split_once('@') {
        Some((user, rest)) => check_characters(user, is_user_info, "user").ok().map(|()| rest)?,
        None => authority,
    };
    if host_and_port.starts_with('[') {
        let end = host_and_port.find(']')? + 1;
        let (host, port) = host_and_port.split_at(end);
        return (is_ipv6(host.trim_matches(['[', ']'])) && is_port(port)).then_some(host);
    }
    let (host, port) = host_and_port.split_at(host_and_port.find(':').unwrap_or(host_and_port.len()));
    ((is_ipv4(host) || is_host_name(host)) && is_port(port)).then_some(host)
}

/// Nothing, or a colon and digits.
fn is_port(text: &str) -> bool {
    text.is_empty()
        || text.strip_prefix(':').is_some_and(|port| {
            port.is_empty() || port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<i32>().is_ok()
        })
}

/// An IPv6 address, perhaps with a scope (`fe80::1%eth0`).
fn is_ipv6(text: &str) -> bool {
    let (address, scope) = text.split_once('%').unwrap_or((text, "0"));
    let scope_characters = scope.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
    address.parse::<core::net::Ipv6Addr>().is_ok() && !scope.is_empty() && scope_characters
}

/// Four numbers up to 255; leading zeros do not make them octal.
fn is_ipv4(text: &str) -> bool {
    let byte = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) && part.parse::<u8>().is_ok()
    };
    text.split('.').count() == 4 && text.split('.').all(byte)
}

/// Labels of letters, digits and inner hyphens. The last of several labels must begin with a letter.
fn is_host_name(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let last_fits =
        name.rsplit_once('.').is_none_or(|(_, last)| last.starts_with(|c: char| c.is_ascii_alphabetic()));
    name.split('.').all(label) && last_fits
}

/// Checks that all characters are allowed, escaped (`%20`), or letters of other scripts.
fn check_characters(part: &str, allowed: fn(char) -> bool, what: &str) -> Result<(), String> {
    let mut rest = part.chars();
    while let Some(c) = rest.next() {
        let fits = match c {
            '%' => [rest.next(), rest.next()].iter().all(|c| c.is_some_and(|c| c.is_ascii_hexdigit())),
            c if c.is_ascii() => allowed(c),
            c => !c.is_whitespace() && !c.is_control(),
        };
        if !fits {
            return Err(format!("illegal character '{c}' in the {what}"));
        }
    }
    Ok(())
}

fn is_unreserved(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '!' | '~' | '*' | '\'' | '(' | ')')
}

fn is_uric(c: char) -> bool {
    is_unreserved(c) || matches!(c, ';' | '/' | '?' | ':' | '@' | '&' | '=' | '+' | '$' | ',' | '[' | ']')
}

fn is_path(c: char) -> bool {
    is_unreserved(c) || matches!(c, ':' | '@' | '&' | '=' | '+' | '$' | ',' | ';' | '/')
}

fn is_registry_name(c: char) -> bool {
    is_unreserved(c) || matches!(c, '$' | ',' | ';' | ':' | '@' | '&' | '=' | '+')
}

fn is_user_info(c: char) -> bool {
    is_unreserved(c) || matches!(c, ';' | ':' | '&' | '=' | '+' | '$' | ',')
}

#[cfg(test)]
mod tests {
    use super::{Uri, parse};

    #[test]
    fn taken_apart() {
        for (text, scheme, host) in [
            ("https://example.com/a.jar", Some("https"), Some("example.com")),
            ("HTTPS://Example.com:8443/a?b=c#d", Some("HTTPS"), Some("Example.com")),
            ("https://user:pw@10.0.0.1/x", Some("https"), Some("10.0.0.1")),
            ("https://[::1]:80/x", Some("https"), Some("[::1]")),
            ("https://[fe80::1%eth0]/x", Some("https"), Some("[fe80::1%eth0]")),
            ("https://2130706433/x", Some("https"), Some("2130706433")),
            ("https://host./x", Some("https"), Some("host.")),
            ("https://host:/x", Some("https"), Some("host")),
            ("https://a_b/x", Some("https"), None),
            ("https://1.2/x", Some("https"), None),
            ("https://1.2.3.400/x", Some("https"), None),
            ("https://+1.2.3.4/x", Some("https"), None),
            ("https://host:+80/x", Some("https"), None),
            ("https://host:9999999999/x", Some("https"), None),
            ("https://-a/x", Some("https"), None),
            ("https:///x", Some("https"), None),
            ("local:///opt/a.jar", Some("local"), None),
            ("local:///a b.jar".trim_end_matches(" b.jar"), Some("local"), None),
            ("mailto:a@b", Some("mailto"), None),
            ("s3://bucket_name/key", Some("s3"), None),
            ("/a/b.jar", None, None),
            ("x.jar", None, None),
            ("//host/x", None, Some("host")),
            ("a/b:c", None, None),
            ("https://höst/x", Some("https"), None),
            ("https://host/%20ä", Some("https"), Some("host")),
            ("https://a@b@c/x", Some("https"), None),
        ] {
            assert_eq!(parse(text), Ok(Uri { scheme, host }), "{text}");
        }
    }

    #[test]
    fn refused() {
        for text in [
            "",
            "https://host/a b.jar",
            "https://host/a\\b",
            "https://host/%2",
            "https://host/%zz",
            "https://host/?a b",
            "https://host/#a#b",
            "https://",
            "https:",
            ":a",
            "1a:b",
            "a b:c",
            "https://[::1/x",
            "https://[zz]/x",
            "https://[::1]x/x",
            "https://ho\u{a0}st/x",
            "https://host/\u{7f}",
            "https://host/[x]",
        ] {
            assert!(parse(text).is_err(), "{text}: {:?}", parse(text));
        }
    }
}
