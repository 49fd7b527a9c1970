//! Checks that a real API server answers the engine's calls as the engine takes for granted: error classes, fences,
//! watches. Needs a kubeconfig and our CRDs. Prints a line for each check; ends with code 1 if one fails.
//!
//! `kubectl apply --server-side -f crds/ && cargo run -p engine --example real-api-server`

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use engine::caches::Caches;
use engine::events::EventRecorder;
use engine::executor::{Executor, Remotes};
use engine::flink::{Flink, FlinkAddresses, ServiceProxyTransport};
use engine::kubernetes::{ConnectOptions, Kubernetes};
use engine::ports::{
    ApiError, DeleteOptions, Kind, KubernetesApi, NoArtifacts, NoZooKeeper, ObjectKey, Propagation, Scope,
    SystemClock, WatchEvent,
};
use engine::resource::Resource;
use engine::status::StatusWriter;
use futures::StreamExt;
use futures::stream::BoxStream;
use kube::core::DynamicObject;
use lifecycle::{
    Component, Effect, EventRecord, FlinkCall, FlinkCluster, FlinkRequest, ObjectReference, Reason,
    RemoveData, ScaleObject,
};
use serde_json::{Value, json};

type Failure = Box<dyn Error>;

/// Counts what holds.
#[derive(Default)]
struct Checks {
    passed: u32,
    failed: u32,
}

impl Checks {
    fn that(&mut self, what: &str, holds: bool, found: &dyn std::fmt::Debug) {
        if holds {
            self.passed += 1;
            println!("ok      {what}");
        } else {
            self.failed += 1;
            println!("FAILED  {what}: found {found:?}");
        }
    }

    fn answers(&mut self, what: &str, answer: &Result<DynamicObject, ApiError>, label: &str) {
        let found = answer.as_ref().err().map_or("ok", ApiError::label);
        self.that(&format!("{what}: {label}"), found == label, answer);
    }
}

struct Bench {
    kubernetes: Kubernetes,
    checks: Checks,
    suffix: String,
}

const FLINK: Kind = Kind::FLINK_DEPLOYMENT;

impl Bench {
    fn key(&self, name: &str) -> ObjectKey {
        ObjectKey::new("default", format!("{name}-{}", self.suffix))
    }

    fn object(&self, kind: Kind, name: &str, content: Value) -> DynamicObject {
        let mut object = kind.object(&self.key(name));
        object.metadata.labels = Some([("engine-check".to_owned(), self.suffix.clone())].into());
        object.data = content;
        object
    }

    fn scope(&self) -> Scope {
        Scope::namespace("default").labelled(format!("engine-check={}", self.suffix))
    }

    async fn delete(&self, kind: Kind, name: &str, uid: Option<&str>) -> Result<(), ApiError> {
        let options = DeleteOptions { uid: uid.map(str::to_owned), propagation: Propagation::Background };
        self.kubernetes.delete(kind, &self.key(name), &options).await
    }
}

#[tokio::main]
async fn main() -> Result<ExitCode, Failure> {
    let kubernetes = Kubernetes::connect(&ConnectOptions::new(env!("CARGO_PKG_VERSION"))).await?;
    println!("Kubernetes {}", kubernetes.version().await?);
    let suffix = format!("{:x}", jiff::Timestamp::now().as_microsecond());
    let mut bench = Bench { kubernetes, checks: Checks::default(), suffix };
    let checked = all(&mut bench).await;
    clean(&bench).await;
    checked?;
    let Checks { passed, failed } = bench.checks;
    println!("{passed} passed, {failed} failed");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn all(bench: &mut Bench) -> Result<(), Failure> {
    objects(bench).await?;
    statuses(bench).await?;
    effects(bench).await?;
    watches(bench).await?;
    service_proxy(bench).await
}

/// Whatever the checks left behind.
async fn clean(bench: &Bench) {
    for (kind, name) in [(FLINK, "flink"), (Kind::CONFIG_MAP, "map"), (Kind::DEPLOYMENT, "deployment")] {
        let part = json!({ "metadata": { "finalizers": null } });
        let _ = bench.kubernetes.patch(kind, &bench.key(name), &part).await;
        let _ = bench.delete(kind, name, None).await;
    }
}

async fn objects(bench: &mut Bench) -> Result<(), Failure> {
    let (api, key, kind) = (bench.kubernetes.clone(), bench.key("map"), Kind::CONFIG_MAP);
    let found = api.get(kind, &key).await?;
    bench.checks.that("get of nothing is nothing", found.is_none(), &found);
    let map = bench.object(kind, "map", json!({"data": {"a": "1"}}));
    let created = api.create(kind, &map).await?;
    let uid = created.metadata.uid.clone().unwrap_or_default();
    let again = api.create(kind, &map).await;
    bench.checks.answers("create again", &again, "already_exists");

    let applied = api.apply(kind, &bench.object(kind, "map", json!({"data": {"b": "2"}}))).await;
    bench.checks.answers("apply over somebody else's fields", &applied, "ok");
    let mut other = bench.object(kind, "map", json!({"data": {"b": "3"}}));
    other.metadata.uid = Some("00000000-0000-0000-0000-000000000000".to_owned());
    let refused = api.apply(kind, &other).await;
    bench.checks.answers("apply to another uid", &refused, "conflict");

    let stale =
        json!({"metadata": {"resourceVersion": created.metadata.resource_version}, "data": {"a": "9"}});
    let refused = api.patch(kind, &key, &stale).await;
    bench.checks.answers("patch of an older version", &refused, "conflict");
    let elsewhere = json!({"metadata": {"uid": "00000000-0000-0000-0000-000000000000"}, "data": {"a": "9"}});
    let refused = api.patch(kind, &key, &elsewhere).await;
    bench.checks.answers("patch of another uid", &refused, "conflict");
    let right = json!({"metadata": {"uid": uid}, "data": {"a": null, "c": "3"}});
    let patched = api.patch(kind, &key, &right).await?;
    bench.checks.that(
        "a merge patch removes with null",
        patched.data["data"] == json!({"b": "2", "c": "3"}),
        &patched.data,
    );
    let missing = api.patch(kind, &bench.key("none"), &right).await;
    bench.checks.answers("patch of nothing", &missing, "not_found");

    let invalid = api.create(kind, &bench.object(kind, "Not_A_Name", json!({}))).await;
    bench.checks.answers("create under an impossible name", &invalid, "invalid");
    let nowhere = ObjectKey::new(format!("none-{}", bench.suffix), "a");
    let refused = api.create(kind, &kind.object(&nowhere)).await;
    bench.checks.answers("create in a namespace that is not there", &refused, "not_found");

    let listed = api.list(kind, &bench.scope()).await?;
    bench.checks.that("a list is limited to its labels", listed.len() == 1, &listed);
    let managed = listed.iter().any(|object| object.metadata.managed_fields.is_some());
    bench.checks.that("objects come without managed fields", !managed, &listed);

    let refused = bench.delete(kind, "map", Some("00000000-0000-0000-0000-000000000000")).await;
    bench.checks.that(
        "delete of another uid: conflict",
        matches!(refused, Err(ApiError::Conflict { .. })),
        &refused,
    );
    let deleted = bench.delete(kind, "map", Some(&uid)).await;
    bench.checks.that("delete", deleted.is_ok(), &deleted);
    let gone = bench.delete(kind, "map", Some(&uid)).await;
    bench.checks.that("delete of nothing: not_found", matches!(gone, Err(ApiError::NotFound { .. })), &gone);
    Ok(())
}

async fn statuses(bench: &mut Bench) -> Result<(), Failure> {
    let api = bench.kubernetes.clone();
    let spec = json!({"spec": {"image": "flink", "flinkVersion": "v1_20"}});
    let created = api.create(FLINK, &bench.object(FLINK, "flink", spec)).await?;
    let with = |metadata: &kube::core::ObjectMeta, error: &str| {
        let mut object = FLINK.object(&ObjectKey::of(metadata));
        object.metadata.uid.clone_from(&metadata.uid);
        object.metadata.resource_version.clone_from(&metadata.resource_version);
        object.data = json!({"spec": {"image": "ignored"}, "status": {"error": error}});
        object
    };
    let first = api.replace_status(FLINK, &with(&created.metadata, "one")).await?;
    bench.checks.that(
        "a status write changes the status",
        first.data["status"]["error"] == "one",
        &first.data,
    );
    bench.checks.that("and nothing else", first.data["spec"]["image"] == "flink", &first.data);
    bench.checks.that(
        "and not the generation",
        first.metadata.generation == created.metadata.generation,
        &first.metadata.generation,
    );
    let stale = api.replace_status(FLINK, &with(&created.metadata, "two")).await;
    bench.checks.answers("a status from an older version", &stale, "conflict");
    let mut other = first.metadata.clone();
    other.uid = Some("00000000-0000-0000-0000-000000000000".to_owned());
    let refused = api.replace_status(FLINK, &with(&other, "two")).await;
    bench.checks.answers("a status for another uid", &refused, "conflict");
    other.resource_version = None;
    let refused = api.replace_status(FLINK, &with(&other, "two")).await;
    bench.checks.answers("a status without a version", &refused, "invalid");

    let writer = StatusWriter::new(Arc::new(api.clone()), Arc::new(Caches::default()));
    let resource = Resource::new(FLINK, &first.metadata);
    let status =
        |error: &str| api::FlinkDeploymentStatus { error: Some(error.to_owned()), ..Default::default() };
    let written = writer.write(&resource, &status("two")).await?;
    bench.checks.that("the status writer writes", written.is_some(), &written);
    let written = writer.write(&resource, &status("three")).await?;
    bench.checks.that("and refuses what it was not computed from", written.is_none(), &written);
    Ok(())
}

async fn effects(bench: &mut Bench) -> Result<(), Failure> {
    let api = bench.kubernetes.clone();
    let caches = Arc::new(Caches::default());
    let events = Arc::new(EventRecorder::new(Arc::new(api.clone()), SystemClock::new()));
    let transport = Arc::new(ServiceProxyTransport::new(api.client()));
    let remotes = Remotes {
        flink: Flink::new(transport, FlinkAddresses::ServiceProxy),
        flink_time_limit: Duration::from_secs(10),
        artifacts: Arc::new(NoArtifacts),
        zookeeper: Arc::new(NoZooKeeper),
    };
    let executor = Executor::new(Arc::new(api.clone()), caches.clone(), events, SystemClock::new(), remotes);
    let stored = api.get(FLINK, &bench.key("flink")).await?.ok_or("the FlinkDeployment is gone")?;
    caches.wrote(&stored);
    let resource = Resource::new(FLINK, &stored.metadata);
    let deployment = bench.object(
        Kind::DEPLOYMENT,
        "deployment",
        json!({"spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": {
            "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}}),
    );
    let created = api.create(Kind::DEPLOYMENT, &deployment).await?;
    let uid = created.metadata.uid.clone().unwrap_or_default();
    let name = bench.key("deployment").name;
    let scale = |uid: &str, replicas: i32| {
        let object = ObjectReference::deployment("default", &name, Some(uid));
        Effect::Scale(ScaleObject { object, resource_version: None, replicas })
    };
    let map = api
        .create(Kind::CONFIG_MAP, &bench.object(Kind::CONFIG_MAP, "map", json!({"data": {"a": "1"}})))
        .await?;
    let object = ObjectReference::config_map("default", &bench.key("map").name, map.metadata.uid.as_deref());
    let event = EventRecord::normal(Reason::Submit, Component::JobManagerDeployment, "Starting deployment");
    let all = vec![
        Effect::AddFinalizer,
        Effect::AddFinalizer,
        Effect::Event(event.clone()),
        Effect::Event(event),
        scale("00000000-0000-0000-0000-000000000000", 5),
        scale(&uid, 0),
        Effect::RemoveData(RemoveData {
            object,
            resource_version: None,
            keys: vec!["a".to_owned(), "none".to_owned()],
        }),
    ];
    let performed = executor.perform(&resource, all).await;
    bench.checks.that("all effects are done", performed.failure.is_none(), &performed.failure);
    let scaled = api.get(Kind::DEPLOYMENT, &bench.key("deployment")).await?.ok_or("no Deployment")?;
    bench.checks.that(
        "only the meant one was scaled",
        scaled.data["spec"]["replicas"] == 0,
        &scaled.data["spec"],
    );
    let map = api.get(Kind::CONFIG_MAP, &bench.key("map")).await?.ok_or("no ConfigMap")?;
    bench.checks.that("a key was removed", map.data.get("data").is_none_or(|it| it == &json!({})), &map.data);
    let held = api.get(FLINK, &bench.key("flink")).await?.ok_or("no FlinkDeployment")?;
    bench.checks.that(
        "the finalizer is there once",
        held.metadata.finalizers.as_ref().is_some_and(|all| *all == [resource.finalizer()]),
        &held.metadata.finalizers,
    );
    let recorded = api.list(Kind::EVENT, &Scope::namespace("default")).await?;
    let ours: Vec<_> =
        recorded.iter().filter(|event| event.data["involvedObject"]["uid"] == json!(resource.uid)).collect();
    bench.checks.that(
        "two equal Events are one with count 2",
        ours.len() == 1 && ours.iter().all(|event| event.data["count"] == 2),
        &ours,
    );
    bench.delete(FLINK, "flink", None).await?;
    let deleting = api.get(FLINK, &bench.key("flink")).await?.ok_or("deleted in spite of its finalizer")?;
    bench.checks.that(
        "a deletion raises the generation",
        deleting.metadata.generation > held.metadata.generation,
        &deleting.metadata.generation,
    );
    let performed = executor.perform(&resource, vec![Effect::AddFinalizer]).await;
    bench.checks.that("a finalizer that is there is enough", performed.failure.is_none(), &performed.failure);
    let performed = executor.perform(&resource, vec![Effect::RemoveFinalizer, Effect::RemoveFinalizer]).await;
    bench.checks.that("the finalizer comes off, twice", performed.failure.is_none(), &performed.failure);
    let gone = api.get(FLINK, &bench.key("flink")).await?;
    bench.checks.that("and that ends the resource", gone.is_none(), &gone);
    Ok(())
}

async fn next(events: &mut BoxStream<'static, WatchEvent>) -> Result<WatchEvent, Failure> {
    let event = tokio::time::timeout(Duration::from_mins(1), events.next()).await?;
    event.ok_or_else(|| "the watch ended".into())
}

async fn watches(bench: &mut Bench) -> Result<(), Failure> {
    let api = bench.kubernetes.clone();
    let mut events = api.watch(Kind::CONFIG_MAP, &bench.scope());
    let first = next(&mut events).await?;
    let listed = matches!(&first, WatchEvent::Restarted(all) if all.len() == 1);
    bench.checks.that("a watch begins with what exists", listed, &first);
    api.patch(Kind::CONFIG_MAP, &bench.key("map"), &json!({"data": {"x": "y"}})).await?;
    let second = next(&mut events).await?;
    let changed = matches!(&second, WatchEvent::Applied(object)
        if object.data["data"]["x"] == "y" && Kind::of(object) == Some(Kind::CONFIG_MAP));
    bench.checks.that("a change is told", changed, &second);
    bench.delete(Kind::CONFIG_MAP, "map", None).await?;
    let third = next(&mut events).await?;
    bench.checks.that("a deletion is told", matches!(third, WatchEvent::Deleted(_)), &third);

    let absent = Kind { plural: "flinknothings", name: "FlinkNothing", ..FLINK };
    let mut events = api.watch(absent, &Scope::all());
    let failed = next(&mut events).await?;
    let not_found = matches!(failed, WatchEvent::Failed(ApiError::NotFound { .. }));
    bench.checks.that("a watch over a missing kind: not_found", not_found, &failed);
    Ok(())
}

/// Nothing is behind the Service, so each call fails, in the way that says that it was not sent.
async fn service_proxy(bench: &mut Bench) -> Result<(), Failure> {
    let flink = Flink::new(
        Arc::new(ServiceProxyTransport::new(bench.kubernetes.client())),
        FlinkAddresses::ServiceProxy,
    );
    let cluster = FlinkCluster {
        namespace: "default".to_owned(),
        name: bench.key("x").name,
        rest_port: 8081,
        tls: false,
    };
    let request = FlinkRequest::Cancel { job_id: "0".repeat(32) };
    let call = FlinkCall { cluster: cluster.clone(), request, tolerate_failure: false };
    let answer = flink.cluster(&call.cluster, Duration::from_secs(10))?.jobs_overview().await;
    let unreachable = matches!(answer, Err(flink_client::FlinkError::Unreachable { sent: false, .. }));
    bench.checks.that("a Service that is not there is unreachable", unreachable, &answer);
    Ok(())
}
