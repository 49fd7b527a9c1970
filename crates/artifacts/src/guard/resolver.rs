//! DNS whose answers are judged before anybody connects to them.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use lifecycle::validate::ArtifactSettings;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::{Reach, Refused};

/// Finds the addresses of names.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// The addresses of a host, in the order in which they are to be tried.
    ///
    /// # Errors
    /// The name has none, or no answer came.
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// Asks the machine's resolver, as every program does.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((host, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

/// Gives a client the addresses of a name, if all of them may be connected to.
pub(super) struct Resolver {
    pub(super) settings: Arc<ArtifactSettings>,
    pub(super) reach: Reach,
    pub(super) lookup: Arc<dyn Lookup>,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (settings, reach, lookup) = (self.settings.clone(), self.reach, self.lookup.clone());
        Box::pin(async move {
            let host = name.as_str();
            let addresses = lookup.addresses(host).await?;
            if let Reach::Chosen(chosen_by) = reach {
                let refusal = |address: &IpAddr| settings.refusal(host, *address, chosen_by);
                if let Some(refusal) = addresses.iter().find_map(refusal) {
                    return Err(Refused { host: host.to_owned(), refusal }.into());
                }
            }
            let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}
