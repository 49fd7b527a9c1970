//! Command line and environment.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use engine::flink::FlinkAddresses;

/// Runs Apache Flink on Kubernetes: watches FlinkDeployments and makes them true.
///
/// Environment variables are those of Apache's Java operator, so that its Deployment manifest keeps working.
#[derive(Clone, Debug, Parser)]
#[command(version, about)]
pub(crate) struct Arguments {
    /// Folder with the operator's `config.yaml` or `flink-conf.yaml` and the default log files of clusters.
    #[arg(long, env = "FLINK_CONF_DIR", value_name = "DIR")]
    pub(crate) conf_dir: Option<PathBuf>,

    /// Second folder, whose keys win one by one.
    #[arg(long, env = "CONF_OVERRIDE_DIR", value_name = "DIR")]
    pub(crate) conf_override_dir: Option<PathBuf>,

    /// Namespaces to watch, separated by commas; replaces `kubernetes.operator.watched.namespaces`. All if empty.
    #[arg(long, env = "WATCH_NAMESPACES", value_name = "NAMESPACES")]
    pub(crate) watch_namespaces: Option<String>,

    /// Namespace of the operator itself.
    #[arg(long, env = "OPERATOR_NAMESPACE", default_value = "default", value_name = "NAMESPACE")]
    pub(crate) operator_namespace: String,

    /// Name of the operator, as metrics label it.
    #[arg(long, env = "OPERATOR_NAME", default_value = "flink-kubernetes-operator", value_name = "NAME")]
    pub(crate) operator_name: String,

    /// Context of the kubeconfig to use; outside a pod the current one by default.
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,

    /// How JobManagers are reached: `service-dns` (default in a pod), `service-proxy` (of the API server; default
    /// outside), or `host:NAME` (that host, at each resource's rest.port).
    #[arg(long, value_name = "WAY")]
    pub(crate) flink_address: Option<FlinkAddresses>,

    /// Where probes and metrics are served; by default all addresses at `kubernetes.operator.health.probe.port` (8085).
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,

    /// PEM, PKCS#12 or JKS with the certificates that may vouch for JobManagers with TLS.
    #[arg(long, env = "OPERATOR_TRUSTSTORE_PATH", value_name = "FILE")]
    pub(crate) trust_store: Option<PathBuf>,

    /// PEM, PKCS#12 or JKS with the operator's own certificate and key, for JobManagers that ask for them.
    #[arg(long, env = "OPERATOR_KEYSTORE_PATH", value_name = "FILE")]
    pub(crate) key_store: Option<PathBuf>,

    /// Password of both stores and of the key.
    #[arg(long, env = "OPERATOR_KEYSTORE_PASSWORD", hide_env_values = true, value_name = "PASSWORD")]
    pub(crate) store_password: Option<Secret>,

    /// Whether certificates of JobManagers must name `<cluster>-rest.<namespace>`. Apache's operator does not ask for it.
    #[arg(long, env = "OPERATOR_VERIFY_HOSTNAME", value_name = "BOOL", default_value_t = false, action = clap::ArgAction::Set)]
    pub(crate) verify_host_name: bool,

    /// Form of the log.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,

    /// What is logged, for instance `info` or `info,engine=debug`.
    #[arg(long, env = "LOG_FILTER", default_value = "info,kube=warn", value_name = "FILTER")]
    pub(crate) log_filter: String,
}

/// A text that no log shows.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) String);

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people.
    Text,
    /// A JSON object a line.
    Json,
}

impl Arguments {
    /// Blank environment variables count as unset, as they do for the Java operator.
    pub(crate) fn parse_tolerantly() -> Self {
        let mut arguments = Self::parse();
        let blank = |path: &PathBuf| path.as_os_str().is_empty();
        arguments.conf_dir = arguments.conf_dir.filter(|path| !blank(path));
        arguments.conf_override_dir = arguments.conf_override_dir.filter(|path| !blank(path));
        arguments.trust_store = arguments.trust_store.filter(|path| !blank(path));
        arguments.key_store = arguments.key_store.filter(|path| !blank(path));
        arguments.watch_namespaces = arguments.watch_namespaces.filter(|text| !text.trim().is_empty());
        arguments
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
