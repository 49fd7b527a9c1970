//! The one way out: every connection of this crate is made here, and only to addresses that were judged.
//!
//! reqwest is told by our resolver which addresses a name has, so what was judged is what is connected to. Hosts that
//! are addresses never reach a resolver and are judged before each request. Redirects are followed by hand, one judged
//! hop after the other.

mod connector;
mod error;
mod redirects;
mod resolver;
mod tls;

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lifecycle::validate::{ArtifactSettings, ChosenBy};
use reqwest::Url;

pub(crate) use connector::{Connector, NoCredentials};
pub(crate) use error::{Refused, cause, explain, refused, untrusted};
pub(crate) use redirects::{Hops, Request, Unanswered};
pub use resolver::{Lookup, SystemLookup};

use resolver::Resolver;

/// Limit for establishing a connection, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The same for who hands out the pod's credentials: it is on the same machine, or not there.
const VOUCHING_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a server may be silent in the middle of an answer.
pub(crate) const SILENCE: Duration = Duration::from_mins(1);

/// Whom a connection may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// A server that somebody has chosen.
    Chosen(ChosenBy),
    /// Where a cloud hands out the credentials of the operator's pod. The answers stay with the client of the object
    /// store.
    Credentials,
}

/// HTTP clients that reach what they may.
pub(crate) struct Guard {
    settings: Arc<ArtifactSettings>,
    job: reqwest::Client,
    operator: reqwest::Client,
    credentials: reqwest::Client,
}

impl Guard {
    /// Makes the clients; no connection is opened yet.
    ///
    /// # Errors
    /// The trusted certificates cannot be used.
    pub(crate) fn new(
        settings: &ArtifactSettings,
        trusted: Option<&Path>,
        lookup: &Arc<dyn Lookup>,
    ) -> Result<Self, String> {
        let settings = Arc::new(settings.clone());
        let tls = tls::config(trusted)?;
        let client = |reach: Reach| {
            let patience = if reach == Reach::Credentials { VOUCHING_TIMEOUT } else { CONNECT_TIMEOUT };
            let resolver = Resolver { settings: settings.clone(), reach, lookup: lookup.clone() };
            reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .dns_resolver(resolver)
                .http1_only()
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                .connect_timeout(patience)
                .read_timeout(SILENCE)
                .pool_idle_timeout(Duration::from_secs(30))
                .pool_max_idle_per_host(2)
                .user_agent(concat!("flink-kubernetes-operator/", env!("CARGO_PKG_VERSION")))
                .build()
                .map_err(|error| error.to_string())
        };
        Ok(Self {
            job: client(Reach::Chosen(ChosenBy::Job))?,
            operator: client(Reach::Chosen(ChosenBy::Operator))?,
            credentials: client(Reach::Credentials)?,
            settings,
        })
    }

    /// The client for a URL, if the host is a name (which the client's resolver judges) or an allowed address.
    fn client(&self, url: &Url, reach: Reach) -> Result<&reqwest::Client, Refused> {
        let host = url.host_str().unwrap_or_default();
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        match (literal, reach) {
            (Ok(address), Reach::Chosen(chosen_by)) => {
                if let Some(refusal) = self.settings.refusal(host, address, chosen_by) {
                    return Err(Refused { host: host.to_owned(), refusal });
                }
            }
            (Ok(_), Reach::Credentials) | (Err(_), _) => {}
        }
        Ok(match reach {
            Reach::Chosen(ChosenBy::Job) => &self.job,
            Reach::Chosen(ChosenBy::Operator) => &self.operator,
            Reach::Credentials => &self.credentials,
        })
    }
}
