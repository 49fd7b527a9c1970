//! Finding the API server: in a pod, or from a kubeconfig.

use std::time::Duration;

use http::HeaderValue;
use http::header::USER_AGENT;
use kube::config::{InferConfigError, KubeConfigOptions, KubeconfigError};
use thiserror::Error;

use super::{InitialList, Kubernetes};

/// How to reach the API server.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// A context of the kubeconfig (`KUBECONFIG` or `~/.kube/config`). `None`: the service account of the pod, or
    /// outside of one the kubeconfig's current context.
    pub context: Option<String>,
    /// Version of the operator, for the user agent `flink-kubernetes-operator/<version>`.
    pub version: String,
    /// Limit for one request, watches excepted. Default: 30 s.
    pub time_limit: Duration,
    /// How a watch gets what exists when it begins.
    pub initial_list: InitialList,
}

impl ConnectOptions {
    /// Defaults for that version of the operator.
    #[must_use]
    pub fn new(version: &str) -> Self {
        Self {
            context: None,
            version: version.to_owned(),
            time_limit: Duration::from_secs(30),
            initial_list: InitialList::default(),
        }
    }
}

/// Why there is no way to an API server.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The named context cannot be used.
    #[error("the kubeconfig's context {context:?} cannot be used: {source}")]
    Context {
        /// As given.
        context: String,
        /// What is wrong.
        source: KubeconfigError,
    },
    /// Neither in a pod, nor is there a usable kubeconfig.
    #[error("there is neither a service account of a pod nor a usable kubeconfig: {0}")]
    Nothing(#[from] InferConfigError),
    /// Certificates or credentials are unusable.
    #[error("no client can be made from the configuration: {0}")]
    Client(#[from] kube::Error),
    /// The version has characters that no header may have.
    #[error("{0:?} cannot be part of a user agent")]
    Version(String),
}

impl Kubernetes {
    /// Finds the configuration and makes a client. Opens no connection yet.
    pub async fn connect(options: &ConnectOptions) -> Result<Self, ConnectError> {
        let mut config = match &options.context {
            Some(context) => {
                let chosen =
                    KubeConfigOptions { context: Some(context.clone()), ..KubeConfigOptions::default() };
                kube::Config::from_kubeconfig(&chosen)
                    .await
                    .map_err(|source| ConnectError::Context { context: context.clone(), source })?
            }
            None => kube::Config::infer().await?,
        };
        let user_agent = HeaderValue::from_str(&format!("flink-kubernetes-operator/{}", options.version))
            .map_err(|_| ConnectError::Version(options.version.clone()))?;
        config.headers.push((USER_AGENT, user_agent));
        // A repeat must be the caller's decision: every call here may be one that cannot be repeated blindly.
        config.default_retry = false;
        config.connect_timeout = Some(Duration::from_secs(10));
        let client = kube::Client::try_from(config)?;
        Ok(Self::new(client, options.time_limit, options.initial_list))
    }
}
