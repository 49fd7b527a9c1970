//! [`KubernetesApi`] over a real API server.

mod connect;
mod metered;
mod request;
mod watch;

use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use http::Method;
use kube::core::DynamicObject;
use serde_json::{Value, json};

use crate::ports::{
    ApiError, DeleteOptions, FIELD_MANAGER, Kind, KubernetesApi, ObjectKey, Scope, WatchEvent,
};
use request::Request;

pub use connect::{ConnectError, ConnectOptions};
pub use metered::MeteredKubernetes;
pub(crate) use request::not_answered;

/// How a watch gets what exists when it begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InitialList {
    /// By lists of 500 objects. Works with every API server.
    #[default]
    Paged,
    /// As the first events of the watch itself, which costs an API server less memory. Needs the feature `WatchList`.
    Streaming,
}

/// A Kubernetes API server.
///
/// Each call is one request (a list is one for each 500 objects): nothing is repeated here, because only the caller
/// knows whether that is safe. Needs a tokio runtime.
#[derive(Clone)]
pub struct Kubernetes {
    client: kube::Client,
    time_limit: Duration,
    initial_list: InitialList,
}

impl Kubernetes {
    /// An API server behind a client whose own retries are switched off (see [`Kubernetes::connect`]).
    #[must_use]
    pub fn new(client: kube::Client, time_limit: Duration, initial_list: InitialList) -> Self {
        Self { client, time_limit, initial_list }
    }

    /// The client, for what needs no [`KubernetesApi`]: the service proxy and leader election.
    #[must_use]
    pub fn client(&self) -> kube::Client {
        self.client.clone()
    }

    /// `gitVersion` of the API server, such as `v1.33.2`; a first call that shows whether it can be reached.
    pub async fn version(&self) -> Result<String, ApiError> {
        let answer = self.send(Request::new(Method::GET, "/version")).await?;
        Ok(answer.get("gitVersion").and_then(Value::as_str).unwrap_or_default().to_owned())
    }

    async fn send(&self, request: Request) -> Result<Value, ApiError> {
        request.send(&self.client, self.time_limit).await
    }

    async fn object(&self, kind: Kind, request: Request) -> Result<DynamicObject, ApiError> {
        read_object(kind, self.send(request).await?)
    }
}

/// Path of the objects of a kind.
fn collection(kind: Kind, namespace: Option<&str>) -> String {
    let prefix = if kind.group.is_empty() { "/api" } else { "/apis" };
    let version = kind.api_version();
    match namespace.filter(|namespace| !namespace.is_empty()) {
        Some(namespace) => format!("{prefix}/{version}/namespaces/{namespace}/{}", kind.plural),
        None => format!("{prefix}/{version}/{}", kind.plural),
    }
}

fn path(kind: Kind, key: &ObjectKey) -> String {
    format!("{}/{}", collection(kind, Some(&key.namespace)), key.name)
}

fn body(object: &DynamicObject) -> Result<Value, ApiError> {
    serde_json::to_value(object).map_err(|error| ApiError::Invalid { code: 400, message: error.to_string() })
}

/// A uid in a patch is a precondition for us. The API server calls it a change of an immutable field when it is not the
/// object's (status and deletions answer with a conflict by themselves).
fn other_uid(error: ApiError) -> ApiError {
    match error {
        ApiError::Invalid { code: 422, message } if message.contains("metadata.uid: Invalid value") => {
            ApiError::Conflict { message }
        }
        error => error,
    }
}

/// Reads an object of an answer; objects in lists do not say their kind.
fn read_object(kind: Kind, answer: Value) -> Result<DynamicObject, ApiError> {
    let mut object: DynamicObject =
        serde_json::from_value(answer).map_err(|error| ApiError::Malformed { message: error.to_string() })?;
    complete(kind, &mut object);
    Ok(object)
}

/// Says the kind, and drops the bookkeeping of field managers, which is often larger than the object. Of Ingresses it
/// tells which fields an earlier spec had, of Deployments who has scaled them.
fn complete(kind: Kind, object: &mut DynamicObject) {
    object.types.get_or_insert_with(|| kube::core::TypeMeta {
        api_version: kind.api_version(),
        kind: kind.name.to_owned(),
    });
    if kind != Kind::INGRESS && kind != Kind::DEPLOYMENT {
        object.metadata.managed_fields = None;
    }
}

#[async_trait]
impl KubernetesApi for Kubernetes {
    async fn get(&self, kind: Kind, key: &ObjectKey) -> Result<Option<DynamicObject>, ApiError> {
        match self.object(kind, Request::new(Method::GET, path(kind, key))).await {
            Ok(object) => Ok(Some(object)),
            Err(ApiError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn list(&self, kind: Kind, scope: &Scope) -> Result<Vec<DynamicObject>, ApiError> {
        let mut objects = Vec::new();
        let mut next = None;
        loop {
            let request = Request::new(Method::GET, collection(kind, scope.namespace.as_deref()))
                .query("limit", "500")
                .maybe_query("labelSelector", scope.labels.as_deref())
                .maybe_query("continue", next.as_deref());
            let mut answer = self.send(request).await?;
            let Some(Value::Array(items)) = answer.get_mut("items").map(Value::take) else {
                return Err(ApiError::Malformed { message: "a list without items".to_owned() });
            };
            for item in items {
                objects.push(read_object(kind, item)?);
            }
            let token = answer.pointer("/metadata/continue").and_then(Value::as_str).unwrap_or_default();
            if token.is_empty() {
                return Ok(objects);
            }
            next = Some(token.to_owned());
        }
    }

    async fn create(&self, kind: Kind, object: &DynamicObject) -> Result<DynamicObject, ApiError> {
        let path = collection(kind, object.metadata.namespace.as_deref());
        let request =
            Request::new(Method::POST, path).query("fieldManager", FIELD_MANAGER).json(&body(object)?);
        self.object(kind, request).await
    }

    async fn apply(&self, kind: Kind, object: &DynamicObject) -> Result<DynamicObject, ApiError> {
        let request = Request::new(Method::PATCH, path(kind, &ObjectKey::of(&object.metadata)))
            .query("fieldManager", FIELD_MANAGER)
            .query("force", "true")
            .content("application/apply-patch+yaml", &body(object)?);
        self.object(kind, request).await.map_err(other_uid)
    }

    async fn replace_status(&self, kind: Kind, object: &DynamicObject) -> Result<DynamicObject, ApiError> {
        if object.metadata.resource_version.is_none() {
            let message =
                "a status is never written without the resourceVersion it was computed from".to_owned();
            return Err(ApiError::Invalid { code: 400, message });
        }
        let path = format!("{}/status", path(kind, &ObjectKey::of(&object.metadata)));
        let request =
            Request::new(Method::PUT, path).query("fieldManager", FIELD_MANAGER).json(&body(object)?);
        self.object(kind, request).await
    }

    async fn patch(&self, kind: Kind, key: &ObjectKey, part: &Value) -> Result<DynamicObject, ApiError> {
        let request = Request::new(Method::PATCH, path(kind, key))
            .query("fieldManager", FIELD_MANAGER)
            .content("application/merge-patch+json", part);
        self.object(kind, request).await.map_err(other_uid)
    }

    async fn delete(&self, kind: Kind, key: &ObjectKey, options: &DeleteOptions) -> Result<(), ApiError> {
        let mut body = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": options.propagation.as_str(),
        });
        if let (Some(uid), Some(fields)) = (&options.uid, body.as_object_mut()) {
            fields.insert("preconditions".to_owned(), json!({ "uid": uid }));
        }
        self.send(Request::new(Method::DELETE, path(kind, key)).json(&body)).await.map(|_| ())
    }

    fn watch(&self, kind: Kind, scope: &Scope) -> BoxStream<'static, WatchEvent> {
        watch::watch(&self.client, kind, scope, self.initial_list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_api_server() {
        let key = ObjectKey::new("ns", "a");
        assert_eq!(path(Kind::EVENT, &key), "/api/v1/namespaces/ns/events/a");
        assert_eq!(
            path(Kind::FLINK_DEPLOYMENT, &key),
            "/apis/flink.apache.org/v1beta1/namespaces/ns/flinkdeployments/a"
        );
        assert_eq!(collection(Kind::DEPLOYMENT, None), "/apis/apps/v1/deployments");
    }

    #[test]
    fn another_uid_is_a_conflict() {
        let message = "ConfigMap \"a\" is invalid: metadata.uid: Invalid value: \"1\": field is immutable";
        let error = |text: &str| ApiError::Invalid { code: 422, message: text.to_owned() };
        assert_eq!(other_uid(error(message)), ApiError::Conflict { message: message.to_owned() });
        let other = error("ConfigMap \"a\" is invalid: data: Invalid value");
        assert_eq!(other_uid(other.clone()), other);
    }

    #[test]
    fn objects_of_lists_get_their_kind_and_lose_their_managed_fields() {
        let answer =
            json!({"metadata": {"name": "a", "managedFields": [{"manager": "x"}]}, "data": {"k": "v"}});
        let object = read_object(Kind::CONFIG_MAP, answer).unwrap();
        assert_eq!(Kind::of(&object), Some(Kind::CONFIG_MAP));
        assert_eq!(object.metadata.managed_fields, None);
        assert_eq!(object.data, json!({"data": {"k": "v"}}));
    }

    #[test]
    fn managed_fields_are_kept_where_a_decision_looks_at_them() {
        for kind in [Kind::INGRESS, Kind::DEPLOYMENT] {
            let answer = json!({"metadata": {"name": "a", "managedFields": [{"manager": "x"}]}});
            let managed = read_object(kind, answer).unwrap().metadata.managed_fields;
            assert_eq!(managed.unwrap_or_default().len(), 1, "{kind}");
        }
    }
}
