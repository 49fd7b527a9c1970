//! Counts and times calls to the API server.

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt};
use kube::core::DynamicObject;
use serde_json::Value;

use crate::metrics::Metrics;
use crate::ports::{ApiError, Clock, DeleteOptions, Kind, KubernetesApi, ObjectKey, Scope, WatchEvent};

/// Another [`KubernetesApi`], measured.
pub struct MeteredKubernetes {
    inner: Arc<dyn KubernetesApi>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
}

impl MeteredKubernetes {
    /// Measures `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn KubernetesApi>, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Self {
        Self { inner, clock, metrics }
    }

    async fn measured<T>(
        &self,
        verb: &'static str,
        kind: Kind,
        call: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<T, ApiError> {
        let begin = self.clock.monotonic();
        let answer = call.await;
        let time = self.clock.monotonic().saturating_sub(begin);
        let result = answer.as_ref().err().map_or("ok", ApiError::label);
        self.metrics.kubernetes_call(verb, kind, result, time);
        answer
    }
}

#[async_trait]
impl KubernetesApi for MeteredKubernetes {
    async fn get(&self, kind: Kind, key: &ObjectKey) -> Result<Option<DynamicObject>, ApiError> {
        self.measured("get", kind, self.inner.get(kind, key)).await
    }

    async fn list(&self, kind: Kind, scope: &Scope) -> Result<Vec<DynamicObject>, ApiError> {
        self.measured("list", kind, self.inner.list(kind, scope)).await
    }

    async fn create(&self, kind: Kind, object: &DynamicObject) -> Result<DynamicObject, ApiError> {
        self.measured("create", kind, self.inner.create(kind, object)).await
    }

    async fn apply(&self, kind: Kind, object: &DynamicObject) -> Result<DynamicObject, ApiError> {
        self.measured("apply", kind, self.inner.apply(kind, object)).await
    }

    async fn replace_status(&self, kind: Kind, object: &DynamicObject) -> Result<DynamicObject, ApiError> {
        self.measured("update_status", kind, self.inner.replace_status(kind, object)).await
    }

    async fn patch(&self, kind: Kind, key: &ObjectKey, part: &Value) -> Result<DynamicObject, ApiError> {
        self.measured("patch", kind, self.inner.patch(kind, key, part)).await
    }

    async fn delete(&self, kind: Kind, key: &ObjectKey, options: &DeleteOptions) -> Result<(), ApiError> {
        self.measured("delete", kind, self.inner.delete(kind, key, options)).await
    }

    fn watch(&self, kind: Kind, scope: &Scope) -> BoxStream<'static, WatchEvent> {
        let metrics = self.metrics.clone();
        let count = move |event: &WatchEvent| {
            let what = match event {
                WatchEvent::Restarted(_) => "restarted",
                WatchEvent::Applied(_) => "applied",
                WatchEvent::Deleted(_) => "deleted",
                WatchEvent::Failed(_) => "failed",
            };
            metrics.watch_event(kind, what);
        };
        self.inner.watch(kind, scope).inspect(count).boxed()
    }
}
