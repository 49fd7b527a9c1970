//! Writes the status of a resource: before the effects of a decision, once for each change, and only over the state
//! that the decision was made from.

use std::sync::Arc;

use kube::core::DynamicObject;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::caches::Caches;
use crate::ports::{ApiError, KubernetesApi};
use crate::resource::Resource;

/// How often a write is repeated because of changes that do not matter, within one pass.
const TRIES: u32 = 4;

/// Writes statuses.
///
/// A change is one PUT (the Java operator writes each one three times, W-26). It carries the resourceVersion that the
/// decision was made from, so what an old leader still wants to write is refused instead of landing on newer state.
pub struct StatusWriter {
    api: Arc<dyn KubernetesApi>,
    caches: Arc<Caches>,
}

impl StatusWriter {
    /// A writer that keeps these caches up to date.
    #[must_use]
    pub fn new(api: Arc<dyn KubernetesApi>, caches: Arc<Caches>) -> Self {
        Self { api, caches }
    }

    /// Stores `next` as the status of `resource`, and answers with the resource as it is then, which the caches know
    /// already. `None`: the decision has to be made again, because its ground is gone; the caches know the newest state.
    ///
    /// After a conflict the resource is read. If only its labels, annotations or finalizers changed, the write is
    /// repeated for the new resourceVersion. If its spec, its deletion or its status changed, the answer is `None`: a
    /// foreign change of the status is adopted, never overwritten (W-27). If exactly `next` is stored there, an earlier
    /// answer was lost, and the write counts as done.
    ///
    /// # Errors
    /// Any [`ApiError`] but a conflict or a missing object; whether the status is stored is then told by the next pass.
    pub async fn write<S>(&self, resource: &Resource, next: &S) -> Result<Option<DynamicObject>, ApiError>
    where
        S: Serialize + DeserializeOwned + PartialEq,
    {
        let ground = self.caches.state(resource.kind, &resource.key);
        let ground = ground.filter(|ground| ground.is(&resource.uid, &resource.resource_version));
        let current = ground.map_or(Stored::Unknown, |ground| Stored::<S>::read(ground.status));
        let mut version = resource.resource_version.clone();
        for _ in 0..TRIES {
            match self.api.replace_status(resource.kind, &with_status(resource, &version, next)?).await {
                Ok(stored) => return Ok(Some(self.known(stored))),
                Err(ApiError::Conflict { .. }) => {}
                Err(ApiError::NotFound { .. }) => return Ok(self.gone(resource)),
                Err(error) => return Err(error),
            }
            let Some(stored) = self.api.get(resource.kind, &resource.key).await? else {
                return Ok(self.gone(resource));
            };
            let stored = self.known(stored);
            let moved_on = stored.metadata.resource_version.as_deref() != Some(version.as_str());
            let same_spec = stored.metadata.uid.as_deref() == Some(&resource.uid)
                && stored.metadata.generation == resource.generation;
            if !same_spec || !moved_on {
                return Ok(None);
            }
            let status = Stored::<S>::read(stored.data.get("status").cloned());
            if matches!(&status, Stored::Status(status) if status == next) {
                return Ok(Some(stored));
            }
            if matches!(status, Stored::Unknown) || status != current {
                return Ok(None);
            }
            version = stored.metadata.resource_version.clone().unwrap_or_default();
        }
        Ok(None)
    }

    /// Whether the resource is still what the cache says: asked before something is done that no write of its status has
    /// proven the ground of. An operator that was away, while another one went on, must not act on what it remembers.
    ///
    /// # Errors
    /// Those of the API server.
    pub async fn is_current(&self, resource: &Resource) -> Result<bool, ApiError> {
        let found = self.api.get(resource.kind, &resource.key).await?;
        let Some(stored) = found.filter(|it| it.metadata.uid.as_deref() == Some(&resource.uid)) else {
            self.gone(resource);
            return Ok(false);
        };
        let stored = self.known(stored);
        Ok(stored.metadata.resource_version.as_deref() == Some(&resource.resource_version))
    }

    fn known(&self, stored: DynamicObject) -> DynamicObject {
        self.caches.wrote(&stored);
        stored
    }

    fn gone(&self, resource: &Resource) -> Option<DynamicObject> {
        self.caches.gone(resource.kind, &resource.key, &resource.uid);
        None
    }
}

/// The part of the object that a status write needs: the API server takes nothing else from it.
fn with_status<S: Serialize>(
    resource: &Resource,
    version: &str,
    status: &S,
) -> Result<DynamicObject, ApiError> {
    let status = serde_json::to_value(status).map_err(|error| ApiError::Invalid {
        code: 400,
        message: format!("the status cannot be written: {error}"),
    })?;
    let mut object = resource.kind.object(&resource.key);
    object.metadata.uid = Some(resource.uid.clone());
    object.metadata.resource_version = Some(version.to_owned());
    object.data = json!({ "status": status });
    Ok(object)
}

/// A stored status.
#[derive(PartialEq)]
enum Stored<S> {
    /// It cannot be read, or is not known.
    Unknown,
    /// There is none.
    Nothing,
    Status(S),
}

impl<S: DeserializeOwned> Stored<S> {
    fn read(status: Option<Value>) -> Self {
        match status {
            None | Some(Value::Null) => Self::Nothing,
            Some(status) => serde_json::from_value(status).map_or(Self::Unknown, Self::Status),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::ports::{Kind, ObjectKey, WatchEvent};
    use crate::testing::Cluster;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Status {
        error: String,
    }

    fn status(error: &str) -> Status {
        Status { error: error.to_owned() }
    }

    struct Bench {
        cluster: Arc<Cluster>,
        caches: Arc<Caches>,
        writer: StatusWriter,
    }

    const KIND: Kind = Kind::FLINK_DEPLOYMENT;

    impl Bench {
        /// A resource with status `first` is stored and cached.
        fn new() -> (Self, Resource) {
            let cluster = Arc::new(Cluster::default());
            let caches = Arc::new(Caches::default());
            let writer = StatusWriter::new(cluster.clone(), caches.clone());
            let object = cluster.put(KIND, "app", |object| object.data = json!({"status": status("first")}));
            caches.apply(KIND, None, WatchEvent::Applied(object.clone()));
            (Self { cluster, caches, writer }, Resource::new(KIND, &object.metadata))
        }

        fn stored(&self) -> Value {
            self.cluster.objects(KIND).first().unwrap().data["status"]["error"].clone()
        }

        fn cached_version(&self) -> String {
            let entry = self.caches.flink_deployments.get(&ObjectKey::new("ns", "app")).unwrap();
            entry.metadata().resource_version.clone().unwrap()
        }
    }

    #[tokio::test]
    async fn a_change_is_one_put_of_nothing_but_the_status() {
        let (bench, resource) = Bench::new();
        let written = bench.writer.write(&resource, &status("next")).await.unwrap().unwrap();
        assert_eq!(bench.cluster.calls(), ["replace_status FlinkDeployment"]);
        assert_eq!(bench.stored(), "next");
        assert_eq!(bench.cached_version(), written.metadata.resource_version.unwrap());
        let sent = bench.cluster.bodies();
        assert_eq!(
            sent.first().unwrap(),
            &json!({"apiVersion": "flink.apache.org/v1beta1", "kind": "FlinkDeployment",
                "metadata": {"name": "app", "namespace": "ns", "uid": "uid-of-app", "resourceVersion": "1"},
                "status": {"error": "next"}})
        );
    }

    #[tokio::test]
    async fn a_change_of_labels_meanwhile_does_not_matter() {
        let (bench, resource) = Bench::new();
        bench
            .cluster
            .put(KIND, "app", |object| object.metadata.labels = Some([("a".into(), "b".into())].into()));
        let written = bench.writer.write(&resource, &status("next")).await.unwrap().unwrap();
        assert_eq!(
            bench.cluster.calls(),
            ["replace_status FlinkDeployment", "get FlinkDeployment", "replace_status FlinkDeployment"]
        );
        assert_eq!(bench.stored(), "next");
        assert!(written.metadata.labels.is_some());
    }

    #[tokio::test]
    async fn a_change_of_the_spec_meanwhile_starts_the_pass_again() {
        let (bench, resource) = Bench::new();
        bench.cluster.put(KIND, "app", |object| object.metadata.generation = Some(2));
        assert_eq!(bench.writer.write(&resource, &status("next")).await, Ok(None));
        assert_eq!(bench.stored(), "first");
        assert_eq!(bench.cached_version(), "2", "the next round sees the newest state");
    }

    #[tokio::test]
    async fn a_foreign_status_is_adopted_and_not_overwritten() {
        let (bench, resource) = Bench::new();
        bench.cluster.put(KIND, "app", |object| object.data = json!({"status": status("foreign")}));
        assert_eq!(bench.writer.write(&resource, &status("next")).await, Ok(None));
        assert_eq!(bench.stored(), "foreign");
        assert_eq!(bench.cached_version(), "2");
    }

    #[tokio::test]
    async fn an_old_leaders_write_never_lands() {
        let (bench, old) = Bench::new();
        bench.writer.write(&old, &status("by the new leader")).await.unwrap().unwrap();
        let elsewhere = StatusWriter::new(bench.cluster.clone(), Arc::new(Caches::default()));
        assert_eq!(elsewhere.write(&old, &status("by the old leader")).await, Ok(None));
        assert_eq!(bench.stored(), "by the new leader");
    }

    #[tokio::test]
    async fn a_lost_answer_is_not_a_second_write() {
        let (bench, resource) = Bench::new();
        let lost = ApiError::Unreachable { sent: true, message: "reset".to_owned() };
        bench.cluster.lose_answer_of_next("replace_status FlinkDeployment", lost.clone());
        assert_eq!(bench.writer.write(&resource, &status("next")).await, Err(lost));
        let written = bench.writer.write(&resource, &status("next")).await.unwrap();
        assert_eq!(written.unwrap().metadata.resource_version.as_deref(), Some("2"));
    }

    #[tokio::test]
    async fn one_that_is_gone_or_was_replaced_gets_no_status() {
        let (bench, resource) = Bench::new();
        bench.cluster.remove(KIND, "app");
        assert_eq!(bench.writer.write(&resource, &status("next")).await, Ok(None));
        assert!(bench.caches.flink_deployments.is_empty());
        bench.cluster.put(KIND, "app", |object| {
            object.metadata.uid = Some("another".to_owned());
            object.data = json!({"status": status("first")});
        });
        assert_eq!(bench.writer.write(&resource, &status("next")).await, Ok(None));
        assert_eq!(bench.stored(), "first");
    }

    #[tokio::test]
    async fn endless_changes_do_not_keep_the_writer_forever() {
        let (bench, resource) = Bench::new();
        for _ in 0..10 {
            let conflict = ApiError::from_status(409, "Conflict", "", None);
            bench.cluster.fail_next("replace_status FlinkDeployment", conflict);
        }
        assert_eq!(bench.writer.write(&resource, &status("next")).await, Ok(None));
    }
}
