//! How JobManagers are reached.

mod metered;
mod service_proxy;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use flink_client::{Endpoint, EndpointError, FlinkClient, Limits, Scheme, Transport};
use lifecycle::FlinkCluster;
use thiserror::Error;

pub use metered::MeteredTransport;
pub use service_proxy::ServiceProxyTransport;

/// The way to the REST API of a Flink cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlinkAddresses {
    /// The name of the REST Service, `<cluster>-rest.<namespace>`: the way inside of the Kubernetes cluster.
    ServiceDns,
    /// The API server's proxy to the REST Service: works wherever the API server is reached, so that a developer can
    /// run the operator against any cluster. Goes with [`ServiceProxyTransport`].
    ServiceProxy,
    /// One host, with each cluster's `rest.port`: what the Java operator does outside of a pod.
    Host(String),
}

/// A text that names no way to Flink.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no way to Flink: use service-dns, service-proxy or host:NAME")]
pub struct UnknownAddresses(String);

impl FromStr for FlinkAddresses {
    type Err = UnknownAddresses;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            None if text == "service-dns" => Ok(Self::ServiceDns),
            None if text == "service-proxy" => Ok(Self::ServiceProxy),
            Some(("host", host)) if !host.is_empty() => Ok(Self::Host(host.to_owned())),
            None | Some(_) => Err(UnknownAddresses(text.to_owned())),
        }
    }
}

impl fmt::Display for FlinkAddresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServiceDns => f.write_str("service-dns"),
            Self::ServiceProxy => f.write_str("service-proxy"),
            Self::Host(host) => write!(f, "host:{host}"),
        }
    }
}

impl FlinkAddresses {
    /// Where that cluster's REST API is.
    pub fn endpoint(&self, cluster: &FlinkCluster) -> Result<Endpoint, EndpointError> {
        let FlinkCluster { namespace, name, rest_port, tls } = cluster;
        let scheme = if *tls { Scheme::Https } else { Scheme::Http };
        match self {
            Self::ServiceDns => Endpoint::new(scheme, &format!("{name}-rest.{namespace}"), *rest_port),
            Self::Host(host) => Endpoint::new(scheme, host, *rest_port),
            Self::ServiceProxy => {
                let service_scheme = if *tls { "https:" } else { "" };
                let service = format!("{service_scheme}{name}-rest:{rest_port}");
                // The host is not used: the transport sends to whatever API server its client knows.
                Endpoint::new(Scheme::Https, "kubernetes.default.svc", 443)?
                    .with_path_prefix(&format!("/api/v1/namespaces/{namespace}/services/{service}/proxy"))
            }
        }
    }
}

/// The Flink clusters, as far as the engine speaks to them.
#[derive(Clone, Debug)]
pub struct Flink {
    client: FlinkClient,
    addresses: FlinkAddresses,
}

impl Flink {
    /// Flink clusters at these addresses, over that transport.
    #[must_use]
    pub fn new(transport: Arc<dyn Transport>, addresses: FlinkAddresses) -> Self {
        Self { client: FlinkClient::new(transport), addresses }
    }

    /// One cluster, with that time limit for each call.
    pub fn cluster(
        &self,
        cluster: &FlinkCluster,
        time_limit: Duration,
    ) -> Result<flink_client::FlinkCluster, EndpointError> {
        let endpoint = self.addresses.endpoint(cluster)?;
        Ok(self.client.cluster(&endpoint).with_limits(Limits::default().with_time(time_limit)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(addresses: &str, tls: bool) -> String {
        let cluster =
            FlinkCluster { namespace: "ns".to_owned(), name: "app".to_owned(), rest_port: 8081, tls };
        addresses.parse::<FlinkAddresses>().unwrap().endpoint(&cluster).unwrap().url("/jobs/overview")
    }

    #[test]
    fn each_way_has_its_url() {
        assert_eq!(url("service-dns", false), "http://app-rest.ns:8081/jobs/overview");
        assert_eq!(url("service-dns", true), "https://app-rest.ns:8081/jobs/overview");
        assert_eq!(url("host:127.0.0.1", false), "http://127.0.0.1:8081/jobs/overview");
        assert_eq!(
            url("service-proxy", false),
            "https://kubernetes.default.svc:443/api/v1/namespaces/ns/services/app-rest:8081/proxy/jobs/overview"
        );
        assert!(url("service-proxy", true).contains("/services/https:app-rest:8081/proxy/"));
    }

    #[test]
    fn texts_name_ways() {
        for text in ["service-dns", "service-proxy", "host:localhost", "host:[::1]"] {
            assert_eq!(text.parse::<FlinkAddresses>().unwrap().to_string(), text);
        }
        for text in ["", "dns", "host:", "service-proxy:x"] {
            assert!(text.parse::<FlinkAddresses>().is_err(), "{text}");
        }
    }
}
