//! A real API server's word on our objects: each is sent as a dry run, so that nothing is stored.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::kubernetes::{Cluster, Kind};

/// Dry runs are sent to this namespace, which every cluster has.
const NAMESPACE: &str = "default";

/// The cluster of `KUBECONFIG`.
pub(super) struct ApiServer {
    cluster: Cluster,
    runtime: tokio::runtime::Runtime,
}

/// What came back.
pub(super) struct Answers {
    /// Objects as they would be read back.
    pub(super) objects: Vec<Value>,
    /// Messages of refusals.
    pub(super) refusals: Vec<String>,
}

impl ApiServer {
    pub(super) fn connect() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let cluster = runtime.block_on(Cluster::connect())?;
        Ok(Self { cluster, runtime })
    }

    /// Asks what would be stored.
    pub(super) fn ask(&self, objects: &[Value]) -> Result<Answers> {
        let mut answers = Answers { objects: Vec::new(), refusals: Vec::new() };
        for object in objects {
            let namespace = object["metadata"]["namespace"].clone();
            let mut object = object.clone();
            object["metadata"]["namespace"] = json!(NAMESPACE);
            let kind = kind(&object)?;
            match self.runtime.block_on(self.cluster.create_dry(kind, NAMESPACE, object)) {
                Ok(mut stored) => {
                    stored["metadata"]["namespace"] = namespace;
                    answers.objects.push(stored);
                }
                Err(error) => answers.refusals.push(message(error)?),
            }
        }
        Ok(answers)
    }
}

/// The API server's message; any other failure is one of this check.
fn message(error: anyhow::Error) -> Result<String> {
    match error.downcast_ref::<kube::Error>() {
        Some(kube::Error::Api(status)) => Ok(status.message.clone()),
        _ => Err(error),
    }
}

fn kind(object: &Value) -> Result<Kind> {
    let kind = object["kind"].as_str().unwrap_or_default();
    Ok(match kind {
        "ConfigMap" => Kind::ConfigMap,
        "Deployment" => Kind::Deployment,
        "Ingress" => Kind::Ingress,
        "Secret" => Kind::Secret,
        "Service" => Kind::Service,
        _ => return None.with_context(|| format!("an object of unknown kind {kind}")),
    })
}
