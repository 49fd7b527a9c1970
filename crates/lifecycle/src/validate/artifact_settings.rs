//! From where the operator may fetch jars: schemes, hosts and addresses.
//!
//! The same rules judge a `jarURI` before anything is done, and every connection while a jar is fetched.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use flink_conf::{ConfError, FlinkConf};

use super::hosts::HostList;

const ALLOWED_SCHEMES: &str = "kubernetes.operator.user.artifacts.allowed-schemes";
const DISALLOW_RESTRICTED_HOSTS: &str = "kubernetes.operator.user.artifacts.disallow-restricted-hosts";
const ALLOWED_HOSTS: &str = "kubernetes.operator.user.artifacts.allowed-hosts";
const ALLOWED_HOSTS_ONLY: &str = "kubernetes.operator.user.artifacts.allowed-hosts-only";
const DENIED_HOSTS: &str = "kubernetes.operator.user.artifacts.denied-hosts";

/// What the operator may fetch; set for the whole operator, not per namespace or resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactSettings {
    /// `kubernetes.operator.user.artifacts.allowed-schemes`; default `https`.
    pub allowed_schemes: Vec<String>,
    /// `kubernetes.operator.user.artifacts.disallow-restricted-hosts`; default true.
    pub disallow_restricted_hosts: bool,
    /// `kubernetes.operator.user.artifacts.allowed-hosts`: exceptions from the rules about addresses; default none.
    pub allowed_hosts: HostList,
    /// `kubernetes.operator.user.artifacts.denied-hosts`: never, whatever else is said; default none.
    pub denied_hosts: HostList,
    /// `kubernetes.operator.user.artifacts.allowed-hosts-only`: whether jobs may name no other host; default false.
    pub allowed_hosts_only: bool,
}

impl Default for ArtifactSettings {
    fn default() -> Self {
        Self {
            allowed_schemes: vec!["https".to_owned()],
            disallow_restricted_hosts: true,
            allowed_hosts: HostList::default(),
            denied_hosts: HostList::default(),
            allowed_hosts_only: false,
        }
    }
}

impl ArtifactSettings {
    /// What the operator's own configuration says.
    ///
    /// # Errors
    /// [`ConfError::Value`] for an option that has not its type.
    pub fn read(operator: &FlinkConf) -> Result<Self, ConfError> {
        let default = Self::default();
        let flag = |key: &str, default: bool| -> Result<bool, ConfError> {
            Ok(operator.boolean(key)?.unwrap_or(default))
        };
        Ok(Self {
            allowed_schemes: plain_list(operator, ALLOWED_SCHEMES)?.unwrap_or(default.allowed_schemes),
            disallow_restricted_hosts: flag(DISALLOW_RESTRICTED_HOSTS, default.disallow_restricted_hosts)?,
            allowed_hosts: HostList::read(operator, ALLOWED_HOSTS)?,
            denied_hosts: HostList::read(operator, DENIED_HOSTS)?,
            allowed_hosts_only: flag(ALLOWED_HOSTS_ONLY, default.allowed_hosts_only)?,
        })
    }
}

/// A list whose elements have no commas: a comma separates, too. (Flink's lists are separated by semicolons, which
/// the description of `allowed-schemes` does not say.)
///
/// # Errors
/// [`ConfError::Value`] if it is no list.
pub fn plain_list(conf: &FlinkConf, key: &str) -> Result<Option<Vec<String>>, ConfError> {
    let Some(elements) = conf.list(key)? else { return Ok(None) };
    let parts = elements.iter().flat_map(|element| element.split(','));
    Ok(Some(parts.map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()))
}

/// Who has chosen a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChosenBy {
    /// Whoever may create session jobs.
    Job,
    /// The operator's configuration, or the vendor of an object store.
    Operator,
}

/// Why a host is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is on the list of denied hosts.
    Denied,
    /// Only hosts of the list of allowed ones are allowed, and it is none of them.
    NotListed,
    /// A link-local address, or one where clouds hand out credentials.
    Metadata,
    /// An address of the operator's own network, as Java's `disallow-restricted-hosts` means it.
    Restricted,
}

impl ArtifactSettings {
    /// Whether jars may be fetched by this scheme.
    #[must_use]
    pub fn allows_scheme(&self, scheme: &str) -> bool {
        self.allowed_schemes.iter().any(|allowed| allowed.eq_ignore_ascii_case(scheme))
    }

    /// Judges one address of a host.
    ///
    /// A name on the list of allowed hosts makes up for an address of the own network. Only a listed address or
    /// network makes up for a link-local one: otherwise whoever has the name's DNS could lead to credentials.
    #[must_use]
    pub fn refusal(&self, host: &str, address: IpAddr, chosen_by: ChosenBy) -> Option<Refusal> {
        if self.denied_hosts.has_name(host) || self.denied_hosts.has_address(address) {
            return Some(Refusal::Denied);
        }
        let listed_address = self.allowed_hosts.has_address(address);
        if is_metadata(address) && !listed_address {
            return Some(Refusal::Metadata);
        }
        let listed = listed_address || self.allowed_hosts.has_name(host);
        if chosen_by == ChosenBy::Operator || listed {
            return None;
        }
        if self.allowed_hosts_only {
            return Some(Refusal::NotListed);
        }
        (self.disallow_restricted_hosts && is_restricted(address)).then_some(Refusal::Restricted)
    }
}

/// Loopback, link-local, site-local, wildcard and multicast, as Java understands them: carrier-grade NAT
/// (`100.64.0.0/10`) and unique-local IPv6 (`fc00::/7`) are not among them.
fn is_restricted(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            v4.is_loopback()
                || v4.is_link_local()
                || v4.is_private()
                || v4.is_unspecified()
                || v4.is_multicast()
        }
        IpAddr::V6(v6) => {
            let site_local = v6.segments()[0] & 0xffc0 == 0xfec0;
            v6.is_loopback()
                || v6.is_unicast_link_local()
                || site_local
                || v6.is_unspecified()
                || v6.is_multicast()
        }
    }
}

/// Link-local addresses, and those outside of that range where clouds answer about a machine and its credentials.
fn is_metadata(address: IpAddr) -> bool {
    /// Alibaba Cloud, Azure's `WireServer`, Oracle Cloud.
    const V4: [Ipv4Addr; 3] =
        [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(192, 0, 0, 192)];
    /// EC2's instance metadata, EKS' pod identities, Google's metadata server.
    const V6: [Ipv6Addr; 3] = [
        Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
        Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
        Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    ];
    match embedded_v4(address) {
        IpAddr::V4(v4) => v4.is_link_local() || V4.contains(&v4),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || V6.contains(&v6),
    }
}

/// The IPv4 address that a gateway would take a packet to (`64:ff9b::/96`, RFC 6052), or that is mapped (`::ffff:0:0/96`).
fn embedded_v4(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => match v6.segments() {
            [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
                IpAddr::V4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
            }
            _ => IpAddr::V6(v6),
        },
        v4 @ IpAddr::V4(_) => v4,
    }
}
