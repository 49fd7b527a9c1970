//! A real cluster, as the checks see it: objects are plain JSON, since what a check asserts is what users see.

mod kinds;
mod watch;

use anyhow::{Context, Result};
use http::Request;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, ListParams, LogParams, Patch, PatchParams, PostParams};
use kube::core::DynamicObject;
use serde_json::Value;

pub(crate) use kinds::Kind;
pub(crate) use watch::Change;

/// A connection to the cluster of `KUBECONFIG`.
#[derive(Clone)]
pub(crate) struct Cluster {
    client: kube::Client,
}

impl Cluster {
    pub(crate) async fn connect() -> Result<Self> {
        let client = kube::Client::try_default().await.context("no cluster: is KUBECONFIG set?")?;
        client.apiserver_version().await.context("the API server does not answer")?;
        Ok(Self { client })
    }

    fn api(&self, kind: Kind, namespace: &str) -> Api<DynamicObject> {
        let resource = kind.resource();
        if kind.is_namespaced() {
            Api::namespaced_with(self.client.clone(), namespace, &resource)
        } else {
            Api::all_with(self.client.clone(), &resource)
        }
    }

    /// An object; `None` if it does not exist.
    pub(crate) async fn get(&self, kind: Kind, namespace: &str, name: &str) -> Result<Option<Value>> {
        let object = self.api(kind, namespace).get_opt(name).await;
        object.with_context(|| format!("get {kind:?} {namespace}/{name}"))?.map(json).transpose()
    }

    /// All objects of a namespace that a label selector (perhaps empty) selects.
    pub(crate) async fn list(&self, kind: Kind, namespace: &str, selector: &str) -> Result<Vec<Value>> {
        let parameters = ListParams::default().labels(selector);
        let list = self.api(kind, namespace).list(&parameters).await;
        list.with_context(|| format!("list {kind:?} of {namespace}"))?.items.into_iter().map(json).collect()
    }

    pub(crate) async fn create(&self, kind: Kind, namespace: &str, object: Value) -> Result<Value> {
        self.create_with(&PostParams::default(), kind, namespace, object).await
    }

    /// What would be stored; nothing is.
    pub(crate) async fn create_dry(&self, kind: Kind, namespace: &str, object: Value) -> Result<Value> {
        let dry = PostParams { dry_run: true, ..PostParams::default() };
        self.create_with(&dry, kind, namespace, object).await
    }

    async fn create_with(
        &self,
        parameters: &PostParams,
        kind: Kind,
        namespace: &str,
        object: Value,
    ) -> Result<Value> {
        let object: DynamicObject = serde_json::from_value(object)?;
        let created = self.api(kind, namespace).create(parameters, &object).await;
        json(created.with_context(|| format!("create {kind:?} in {namespace}"))?)
    }

    /// A merge patch (RFC 7386).
    pub(crate) async fn patch(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
        patch: &Value,
    ) -> Result<Value> {
        let patched =
            self.api(kind, namespace).patch(name, &PatchParams::default(), &Patch::Merge(patch)).await;
        json(patched.with_context(|| format!("patch {kind:?} {namespace}/{name}"))?)
    }

    /// A merge patch of the status.
    pub(crate) async fn patch_status(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
        patch: &Value,
    ) -> Result<Value> {
        let api = self.api(kind, namespace);
        let patched = api.patch_status(name, &PatchParams::default(), &Patch::Merge(patch)).await;
        json(patched.with_context(|| format!("patch the status of {kind:?} {namespace}/{name}"))?)
    }

    /// Deletes an object; absent counts as done.
    pub(crate) async fn delete(&self, kind: Kind, namespace: &str, name: &str) -> Result<()> {
        match self.api(kind, namespace).delete(name, &DeleteParams::background()).await {
            Err(kube::Error::Api(error)) if error.code == 404 => Ok(()),
            answer => answer.map(drop).with_context(|| format!("delete {kind:?} {namespace}/{name}")),
        }
    }

    /// The last lines of a container's log.
    pub(crate) async fn log(&self, namespace: &str, pod: &str, lines: i64, previous: bool) -> Result<String> {
        let parameters = LogParams { tail_lines: Some(lines), previous, ..LogParams::default() };
        let log = Api::<Pod>::namespaced(self.client.clone(), namespace).logs(pod, &parameters).await;
        log.with_context(|| format!("log of {namespace}/{pod}"))
    }

    /// What a Flink cluster answers, through the API server.
    pub(crate) async fn ask_flink(&self, namespace: &str, cluster: &str, path: &str) -> Result<Value> {
        let path = format!("/api/v1/namespaces/{namespace}/services/{cluster}-rest:8081/proxy{path}");
        let request = Request::get(path).body(Vec::new())?;
        Ok(self.client.request(request).await?)
    }

    /// Sends JSON to a Flink cluster, through the API server, and returns its answer.
    pub(crate) async fn tell_flink(
        &self,
        namespace: &str,
        cluster: &str,
        path: &str,
        body: &Value,
    ) -> Result<Value> {
        let path = format!("/api/v1/namespaces/{namespace}/services/{cluster}-rest:8081/proxy{path}");
        let request = Request::post(path).header("Content-Type", "application/json");
        Ok(self.client.request(request.body(serde_json::to_vec(body)?)?).await?)
    }

    /// What a pod answers on one of its ports, through the API server.
    pub(crate) async fn ask_pod(&self, namespace: &str, pod: &str, port: u16, path: &str) -> Result<String> {
        let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy{path}");
        Ok(self.client.request_text(Request::get(path).body(Vec::new())?).await?)
    }
}

fn json(object: DynamicObject) -> Result<Value> {
    Ok(serde_json::to_value(object)?)
}

/// The text at a JSON pointer; empty if there is none.
pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// `metadata.name`.
pub(crate) fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

/// `metadata.uid`.
pub(crate) fn uid(object: &Value) -> &str {
    text(object, "/metadata/uid")
}
