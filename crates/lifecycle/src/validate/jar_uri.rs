//! E4: where the jar of a session job may come from.
//!
//! Upstream: `DefaultValidator.validateJarURI`. Whoever may create session jobs could otherwise make the operator
//! read from its own network.

use core::net::{IpAddr, Ipv4Addr};

use super::artifact_settings::{ArtifactSettings, ChosenBy, Refusal};
use super::{Findings, Rule, uri};

const ALLOWED_SCHEMES: &str = "kubernetes.operator.user.artifacts.allowed-schemes";

/// What DNS said about the host of a jar's URI. The jar must then be fetched from one of these addresses: a second
/// question could have another answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResolvedHost {
    /// Nobody had to ask: [`host_to_resolve`] gave no host.
    NotAsked,
    /// Whoever fetches the jar checks the addresses that it connects to.
    WhenFetched,
    /// The name has no address, or no answer came.
    Unknown,
    /// The addresses of the name.
    Addresses(Vec<IpAddr>),
}

/// The host whose addresses are needed to judge a URI; `None` if it can be judged without, because addresses do not
/// matter, because the host is an address itself, or because the URI is refused anyway.
#[must_use]
pub fn host_to_resolve(jar_uri: Option<&str>, settings: &ArtifactSettings) -> Option<String> {
    let uri = uri::parse(jar_uri?).ok()?;
    let scheme = uri.scheme?;
    let host = uri.host?;
    let needed = settings.allows_scheme(scheme) && checks_host(scheme, settings) && literal(host).is_none();
    needed.then(|| host.to_owned())
}

pub(super) fn check(
    jar_uri: Option<&str>,
    settings: &ArtifactSettings,
    resolved: &ResolvedHost,
    findings: &mut Findings,
) {
    let Some(jar_uri) = jar_uri else { return };
    if let Err((message, remedy)) = judge(jar_uri, settings, resolved) {
        findings.add(Rule::JarUri, message, remedy);
    }
}

/// Message and remedy if the URI is refused.
fn judge(
    jar_uri: &str,
    settings: &ArtifactSettings,
    resolved: &ResolvedHost,
) -> Result<(), (String, &'static str)> {
    let uri = uri::parse(jar_uri).map_err(|reason| {
        (
            format!("jarURI is not a valid URI: {reason}"),
            "Escape characters that a URI cannot have, such as blanks.",
        )
    })?;
    let scheme = uri.scheme.ok_or_else(|| {
        (
            "jarURI must include a scheme".to_owned(),
            "Give the whole URI, for instance https://example.com/job.jar.",
        )
    })?;
    if !settings.allows_scheme(scheme) {
        let schemes: Vec<String> =
            settings.allowed_schemes.iter().map(|scheme| scheme.to_lowercase()).collect();
        let message = format!(
            "jarURI scheme '{scheme}' is not in the allowlist [{}]. Configure '{ALLOWED_SCHEMES}' to extend the allowlist.",
            schemes.join(", ")
        );
        return Err((
            message,
            "Fetch the jar by an allowed scheme, or ask who runs the operator to allow this one.",
        ));
    }
    if !checks_host(scheme, settings) {
        return Ok(());
    }
    let host = uri.host.ok_or_else(|| {
        (
            format!("jarURI must name a host, because its scheme is {scheme}"),
            "Give the whole URI, with a host.",
        )
    })?;
    if literal(host).is_none() && *resolved == ResolvedHost::WhenFetched {
        return Ok(());
    }
    let addresses = match (literal(host), resolved) {
        (Some(address), _) => vec![address],
        (None, ResolvedHost::Addresses(addresses)) => addresses.clone(),
        (None, ResolvedHost::NotAsked | ResolvedHost::WhenFetched | ResolvedHost::Unknown) => Vec::new(),
    };
    if addresses.is_empty() {
        return Err((
            format!("The host '{host}' of jarURI has no known address"),
            "Correct the host, or the DNS.",
        ));
    }
    let refusal = |address: &IpAddr| settings.refusal(host, *address, ChosenBy::Job);
    if let Some(refusal) = addresses.iter().find_map(refusal) {
        return Err((
            format!("The host '{host}' of jarURI has an address from which jars may not be fetched"),
            remedy(refusal),
        ));
    }
    Ok(())
}

fn remedy(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Denied | Refusal::Metadata => "Use another host.",
        Refusal::NotListed => {
            "Use a host of kubernetes.operator.user.artifacts.allowed-hosts, or ask who runs the operator to add this one."
        }
        Refusal::Restricted => {
            "Use a public host, or ask who runs the operator to add this one to \
             kubernetes.operator.user.artifacts.allowed-hosts, or to set \
             kubernetes.operator.user.artifacts.disallow-restricted-hosts to false."
        }
    }
}

fn checks_host(scheme: &str, settings: &ArtifactSettings) -> bool {
    settings.disallow_restricted_hosts
        && ["http", "https"].iter().any(|http| http.eq_ignore_ascii_case(scheme))
}

/// The address that a host is itself. Also a single number is one: `2130706433` is 127.0.0.1.
///
/// Numbers with leading zeros are left to the resolver: whether they are octal is a matter of opinion, and the
/// opinion that counts is that of who connects.
fn literal(host: &str) -> Option<IpAddr> {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        let without_scope = address.split('%').next()?;
        return without_scope.parse().ok().map(IpAddr::V6);
    }
    let number = || host.parse::<u32>().ok().filter(|_| !host.starts_with('0')).map(Ipv4Addr::from);
    host.parse().ok().or_else(number).map(IpAddr::V4)
}
