//! Lists of hosts in the operator's configuration: names, addresses and networks.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use flink_conf::{ConfError, FlinkConf};

use super::artifact_settings::plain_list;

/// Hosts as an administrator lists them: `jars.example.com`, `*.example.com` (any name below it), `10.0.0.7`,
/// `10.0.0.0/8`, `fd00::/8`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostList(Vec<HostPattern>);

/// One entry of a [`HostList`].
#[derive(Clone, Debug, PartialEq, Eq)]
enum HostPattern {
    Name(String),
    /// With the dot: any name that ends with it.
    Below(String),
    Network(IpAddr, u32),
}

/// An entry that is neither a name, nor an address, nor a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidHost(String);

impl fmt::Display for InvalidHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is no host name, no address and no network such as 10.0.0.0/8", self.0)
    }
}

impl core::error::Error for InvalidHost {}

impl HostList {
    /// Reads a list; empty entries are skipped.
    ///
    /// # Errors
    /// The first entry that cannot be understood.
    pub fn parse<S: AsRef<str>>(entries: &[S]) -> Result<Self, InvalidHost> {
        let entries = entries.iter().map(|entry| entry.as_ref().trim()).filter(|entry| !entry.is_empty());
        entries.map(str::parse).collect::<Result<_, _>>().map(Self)
    }

    /// The list that an option of the configuration gives; empty without.
    ///
    /// # Errors
    /// [`ConfError::Value`] for an entry that cannot be understood.
    pub fn read(conf: &FlinkConf, key: &str) -> Result<Self, ConfError> {
        let entries = plain_list(conf, key)?.unwrap_or_default();
        Self::parse(&entries).map_err(|error| {
            let found = conf.text(key).unwrap_or_default();
            ConfError::value(key, found, error.to_string())
        })
    }

    /// Whether the list has a host by its name.
    #[must_use]
    pub fn has_name(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.0.iter().any(|pattern| match pattern {
            HostPattern::Name(name) => *name == host,
            HostPattern::Below(suffix) => host.len() > suffix.len() && host.ends_with(suffix.as_str()),
            HostPattern::Network(..) => false,
        })
    }

    /// Whether the list has an address, by itself or as part of a network.
    #[must_use]
    pub fn has_address(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|pattern| match pattern {
            HostPattern::Network(network, prefix) => contains(*network, *prefix, address),
            HostPattern::Name(_) | HostPattern::Below(_) => false,
        })
    }
}

impl FromStr for HostPattern {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        let invalid = || InvalidHost(text.to_owned());
        let unbracketed = text.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = unbracketed.parse::<IpAddr>() {
            let address = address.to_canonical();
            return Ok(Self::Network(address, bits(address)));
        }
        if let Some((address, prefix)) = text.split_once('/') {
            let address = address.parse::<IpAddr>().map_err(|_| invalid())?;
            let prefix = prefix.parse::<u32>().map_err(|_| invalid())?;
            return if prefix <= bits(address) { Ok(Self::Network(address, prefix)) } else { Err(invalid()) };
        }
        let name = text.trim_end_matches('.').to_ascii_lowercase();
        let (below, plain) = match name.strip_prefix('*') {
            Some(suffix) => (true, suffix.strip_prefix('.').ok_or_else(invalid)?),
            None => (false, name.as_str()),
        };
        let is_label = |label: &str| {
            !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        };
        if !plain.split('.').all(is_label) {
            return Err(invalid());
        }
        Ok(if below { Self::Below(format!(".{plain}")) } else { Self::Name(name) })
    }
}

const fn bits(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => Ipv4Addr::BITS,
        IpAddr::V6(_) => Ipv6Addr::BITS,
    }
}

fn contains(network: IpAddr, prefix: u32, address: IpAddr) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let mask = u32::MAX.checked_shl(Ipv4Addr::BITS - prefix).unwrap_or(0);
            network.to_bits() & mask == address.to_bits() & mask
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let mask = u128::MAX.checked_shl(Ipv6Addr::BITS - prefix).unwrap_or(0);
            network.to_bits() & mask == address.to_bits() & mask
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}
