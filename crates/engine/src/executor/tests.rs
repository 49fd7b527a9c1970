mod flink_call;
mod submission;

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use flink_client::{Endpoint, JarFile, RestRequest, RestResponse, Transport, TransportError};
use jiff::Timestamp;
use kube::core::DynamicObject;
use lifecycle::{
    ChangeObject, Component, DeleteObject, EventRecord, FlinkCall, FlinkCluster, FlinkRequest, JobSubmission,
    ObjectReference, ParallelismBounds, Propagation, Reason, RemoveData, ScaleObject, ZooKeeperNodes,
};
use resources::{ATTEMPT_ANNOTATION, ClusterObjects};
use serde_json::{Value, json};

use super::*;
use crate::executor::error::EffectErrorKind;
use crate::flink::FlinkAddresses;
use crate::ports::{
    ApiError, Artifact, ArtifactError, ArtifactRequest, Artifacts, Kind, NoArtifacts, ObjectKey, WatchEvent,
    ZooKeeperError,
};
use crate::testing::{Cluster, TestClock};

/// A Flink that gives prepared answers.
#[derive(Debug, Default)]
struct Answers {
    prepared: Mutex<Vec<Result<(u16, Value), TransportError>>>,
    asked: Mutex<Vec<(String, Value)>>,
}

#[async_trait]
impl Transport for Answers {
    async fn send(&self, target: &Endpoint, request: RestRequest) -> Result<RestResponse, TransportError> {
        let body = serde_json::from_slice(&request.body.read().unwrap()).unwrap_or_default();
        self.asked.lock().unwrap().push((format!("{} {}", request.method, target.url(&request.path)), body));
        let (status, body) = self.prepared.lock().unwrap().remove(0)?;
        let content_type = Some("application/json".to_owned());
        Ok(RestResponse { status, content_type, body: body.to_string().into() })
    }
}

/// Nodes in ZooKeeper that were deleted; while `refuses` holds something, none is.
#[derive(Default)]
struct Nodes {
    deleted: Mutex<Vec<(String, String)>>,
    refuses: Mutex<Option<String>>,
}

#[async_trait]
impl ZooKeeper for Nodes {
    async fn delete_all(&self, servers: &str, path: &str) -> Result<(), ZooKeeperError> {
        if let Some(refusal) = self.refuses.lock().unwrap().clone() {
            return Err(ZooKeeperError(refusal));
        }
        self.deleted.lock().unwrap().push((servers.to_owned(), path.to_owned()));
        Ok(())
    }
}

struct Bench {
    cluster: Arc<Cluster>,
    caches: Arc<Caches>,
    flink: Arc<Answers>,
    zookeeper: Arc<Nodes>,
    clock: Arc<TestClock>,
    executor: Executor,
    resource: Resource,
}

const KIND: Kind = Kind::FLINK_DEPLOYMENT;
const JOB: &str = "0123456789abcdef0123456789abcdef";
const FINALIZER: &str = "flinkdeployments.flink.apache.org/finalizer";

impl Bench {
    fn new() -> Self {
        Self::with(Arc::new(NoArtifacts))
    }

    fn with(artifacts: Arc<dyn Artifacts>) -> Self {
        let cluster = Arc::new(Cluster::default());
        let caches = Arc::new(Caches::default());
        let flink = Arc::new(Answers::default());
        let clock = Arc::new(TestClock::default());
        let events = Arc::new(EventRecorder::new(cluster.clone(), Arc::new(TestClock::default())));
        let addresses = FlinkAddresses::ServiceDns;
        let zookeeper = Arc::new(Nodes::default());
        let remotes = Remotes {
            flink: Flink::new(flink.clone(), addresses),
            flink_time_limit: Duration::from_secs(10),
            artifacts,
            zookeeper: zookeeper.clone(),
        };
        let executor = Executor::new(cluster.clone(), caches.clone(), events, clock.clone(), remotes);
        let object = cluster.put(KIND, "app", |_| {});
        caches.apply(KIND, None, WatchEvent::Applied(object.clone()));
        let resource = Resource::new(KIND, &object.metadata);
        Self { cluster, caches, flink, zookeeper, clock, executor, resource }
    }

    /// The status of the resource says that this attempt is under way.
    fn record(&self, attempt: &str) {
        let status = json!({"operation": {"kind": "DEPLOYING", "attempt": attempt}});
        self.cluster.put(KIND, "app", |it| it.data = json!({"status": status}));
    }

    async fn perform(&self, effect: Effect) -> Performed {
        self.cluster.forget_calls();
        self.executor.perform(&self.resource, vec![effect]).await
    }

    async fn does(&self, effect: Effect) -> Vec<String> {
        let performed = self.perform(effect).await;
        assert_eq!(performed.failure, None);
        self.cluster.calls()
    }

    async fn fails(&self, effect: Effect) -> Failure {
        self.perform(effect).await.failure.expect("the effect fails")
    }

    /// What the API server has, and then what the cache has.
    fn finalizers(&self) -> [Vec<String>; 2] {
        let stored = self.cluster.objects(KIND).first().unwrap().metadata.finalizers.clone();
        let cached = self.caches.state(KIND, &self.resource.key).unwrap().metadata.finalizers;
        [stored.unwrap_or_default(), cached.unwrap_or_default()]
    }

    fn answers(&self, status: u16, body: Value) {
        self.flink.prepared.lock().unwrap().push(Ok((status, body)));
    }
}

fn unreachable() -> ApiError {
    ApiError::Unreachable { sent: true, message: "reset".to_owned() }
}

// ---- finalizers ---------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_finalizer_is_added_once_and_the_others_stay() {
    let bench = Bench::new();
    let object = bench.cluster.put(KIND, "app", |it| it.metadata.finalizers = Some(vec!["other".to_owned()]));
    bench.caches.apply(KIND, None, WatchEvent::Applied(object));
    assert_eq!(bench.does(Effect::AddFinalizer).await, ["patch FlinkDeployment"]);
    assert_eq!(bench.finalizers(), [["other", FINALIZER], ["other", FINALIZER]]);
    assert!(bench.does(Effect::AddFinalizer).await.is_empty());
    assert_eq!(bench.does(Effect::RemoveFinalizer).await, ["patch FlinkDeployment"]);
    assert_eq!(bench.finalizers(), [["other"], ["other"]]);
}

#[tokio::test]
async fn a_finalizer_that_somebody_adds_meanwhile_is_not_lost() {
    let bench = Bench::new();
    bench.cluster.put(KIND, "app", |it| it.metadata.finalizers = Some(vec!["other".to_owned()]));
    let calls = bench.does(Effect::AddFinalizer).await;
    assert_eq!(calls, ["patch FlinkDeployment", "get FlinkDeployment", "patch FlinkDeployment"]);
    assert_eq!(bench.finalizers(), [["other", FINALIZER], ["other", FINALIZER]]);
}

#[tokio::test]
async fn a_lost_answer_to_a_finalizer_is_found_out() {
    let bench = Bench::new();
    bench.cluster.lose_answer_of_next("patch FlinkDeployment", unreachable());
    let failure = bench.fails(Effect::AddFinalizer).await;
    assert!(!failure.look_again);
    assert_eq!(bench.does(Effect::AddFinalizer).await, ["patch FlinkDeployment", "get FlinkDeployment"]);
    assert_eq!(bench.finalizers(), [[FINALIZER], [FINALIZER]]);
}

#[tokio::test]
async fn the_last_finalizer_ends_the_resource() {
    let bench = Bench::new();
    bench.does(Effect::AddFinalizer).await;
    let now = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::UNIX_EPOCH);
    let object = bench.cluster.put(KIND, "app", |it| it.metadata.deletion_timestamp = Some(now));
    bench.caches.apply(KIND, None, WatchEvent::Applied(object));
    bench.does(Effect::RemoveFinalizer).await;
    assert!(bench.cluster.objects(KIND).is_empty());
    assert!(bench.caches.flink_deployments.is_empty());
    bench.does(Effect::RemoveFinalizer).await;
    assert!(bench.fails(Effect::AddFinalizer).await.look_again);
}

#[tokio::test]
async fn one_that_is_being_deleted_gets_no_finalizer() {
    let bench = Bench::new();
    let now = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::UNIX_EPOCH);
    bench.cluster.put(KIND, "app", |it| {
        it.metadata.deletion_timestamp = Some(now);
        it.metadata.finalizers = Some(vec!["other".to_owned()]);
    });
    assert!(bench.fails(Effect::AddFinalizer).await.look_again);
    assert_eq!(bench.finalizers(), [["other"], ["other"]]);
}

#[tokio::test]
async fn another_resource_of_the_same_name_keeps_its_finalizer() {
    let mut bench = Bench::new();
    bench.does(Effect::AddFinalizer).await;
    bench.resource.uid = "an older one".to_owned();
    bench.does(Effect::RemoveFinalizer).await;
    assert_eq!(bench.finalizers(), [[FINALIZER], [FINALIZER]]);
}

// ---- creation of a cluster ----------------------------------------------------------------------------------------

fn cluster_objects(bench: &Bench, attempt: &str) -> ClusterObjects {
    let mut deployment = Kind::DEPLOYMENT.object(&bench.resource.key);
    deployment.metadata.annotations = Some([(ATTEMPT_ANNOTATION.to_owned(), attempt.to_owned())].into());
    deployment.metadata.labels = Some([("component".to_owned(), "jobmanager".to_owned())].into());
    deployment.metadata.owner_references = serde_json::from_value(json!([{
        "apiVersion": "flink.apache.org/v1beta1", "kind": "FlinkDeployment", "name": "app", "uid": bench.resource.uid,
    }]))
    .unwrap();
    deployment.data = json!({"spec": {"replicas": 1}});
    let mut config = Kind::CONFIG_MAP.object(&ObjectKey::new("ns", "flink-config-app"));
    config.data = json!({"data": {"attempt": attempt}});
    let service = Kind::SERVICE.object(&ObjectKey::new("ns", "app-rest"));
    ClusterObjects { deployment, task_managers: None, dependents: vec![service, config] }
}

/// The attempt is recorded, as it is before anything is created.
fn create(bench: &Bench, attempt: &str) -> Effect {
    bench.record(attempt);
    Effect::CreateCluster(Box::new(cluster_objects(bench, attempt)))
}

fn owner_uids(object: &DynamicObject) -> Vec<String> {
    object.metadata.owner_references.iter().flatten().map(|owner| owner.uid.clone()).collect()
}

#[tokio::test]
async fn a_cluster_is_its_deployment_first_and_then_what_it_owns() {
    let bench = Bench::new();
    let performed = bench.perform(create(&bench, "a1")).await;
    assert_eq!((performed.created_attempt.as_deref(), performed.failure), (Some("a1"), None));
    let started = ["get FlinkDeployment", "patch Deployment"];
    let calls = [&["create Deployment", "create Service", "create ConfigMap"], &started[..]].concat();
    assert_eq!(bench.cluster.calls(), calls);
    assert_eq!(bench.cluster.bodies()[0]["spec"], json!({"replicas": 1, "paused": true}));
    let deployment = bench.cluster.objects(Kind::DEPLOYMENT).remove(0);
    assert_eq!(deployment.data["spec"], json!({"replicas": 1}), "it may start");
    for object in bench.cluster.objects(Kind::CONFIG_MAP).iter().chain(&bench.cluster.objects(Kind::SERVICE))
    {
        assert_eq!(owner_uids(object), [deployment.metadata.uid.clone().unwrap()]);
    }
    assert!(bench.caches.deployments.get(&bench.resource.key).is_some(), "the next round sees it");
}

#[tokio::test]
async fn the_same_attempt_again_goes_on_where_it_stopped() {
    let bench = Bench::new();
    bench.cluster.lose_answer_of_next("create Deployment", unreachable());
    let failure = bench.fails(create(&bench, "a1")).await;
    assert_eq!(failure.action, "create Deployment ns/app");
    assert!(!failure.look_again);
    let performed = bench.perform(create(&bench, "a1")).await;
    assert_eq!(performed.created_attempt.as_deref(), Some("a1"));
    let calls = bench.cluster.calls();
    assert_eq!(calls[..4], ["create Deployment", "get Deployment", "create Service", "create ConfigMap"]);
    let deployment = bench.cluster.objects(Kind::DEPLOYMENT).remove(0);
    let config = bench.cluster.objects(Kind::CONFIG_MAP).remove(0);
    assert_eq!(owner_uids(&config), [deployment.metadata.uid.unwrap()]);
}

#[tokio::test]
async fn a_dependent_that_fails_ends_the_effect_and_the_next_try_completes_it() {
    let bench = Bench::new();
    bench
        .cluster
        .fail_next("create ConfigMap", ApiError::from_status(403, "Forbidden", "quota exceeded", None));
    let performed = bench.perform(create(&bench, "a1")).await;
    assert_eq!(performed.created_attempt, None);
    let failure = performed.failure.unwrap();
    assert_eq!(
        (failure.action.as_str(), failure.message.as_str()),
        ("create ConfigMap ns/flink-config-app", "quota exceeded")
    );
    assert_eq!(bench.perform(create(&bench, "a1")).await.created_attempt.as_deref(), Some("a1"));
}

#[tokio::test]
async fn what_an_earlier_deployment_left_behind_is_replaced() {
    let bench = Bench::new();
    bench.cluster.put(Kind::CONFIG_MAP, "flink-config-app", |it| it.data = json!({"data": {"old": "1"}}));
    bench.does(create(&bench, "a1")).await;
    let deployment = bench.cluster.objects(Kind::DEPLOYMENT).remove(0);
    let config = bench.cluster.objects(Kind::CONFIG_MAP).remove(0);
    assert_eq!(owner_uids(&config), [deployment.metadata.uid.unwrap()]);
    assert_eq!(config.data["data"], json!({"attempt": "a1"}));
}

/// An operator stood still before it created the Deployment, and another one has gone on meanwhile.
#[tokio::test]
async fn what_is_not_recorded_any_more_never_starts() {
    let bench = Bench::new();
    let late = create(&bench, "a1");
    bench.record("a2");
    let failure = bench.fails(late).await;
    assert!(failure.look_again, "{failure:?}");
    assert_eq!(bench.cluster.objects(Kind::DEPLOYMENT)[0].data["spec"]["paused"], true);
}

#[tokio::test]
async fn a_resource_that_is_gone_gets_no_cluster() {
    let bench = Bench::new();
    let late = create(&bench, "a1");
    bench.cluster.clear(KIND);
    assert!(bench.fails(late).await.look_again);
    assert_eq!(bench.cluster.objects(Kind::DEPLOYMENT)[0].data["spec"]["paused"], true);
}

/// An operator stood still between the Deployment and its dependents, and another one has replaced them.
#[tokio::test]
async fn dependents_of_a_newer_deployment_are_not_taken_from_it() {
    let bench = Bench::new();
    bench.does(create(&bench, "a2")).await;
    let before = bench.cluster.objects(Kind::SERVICE);
    let old = cluster_objects(&bench, "a1");
    let service = old.dependents_owned_by("uid of an old Deployment").remove(0);
    let taken =
        bench.executor.create_dependent(&bench.resource, &old, "uid of an old Deployment", &service).await;
    assert!(matches!(taken, Err(EffectErrorKind::Replaced)), "{taken:?}");
    assert_eq!(bench.cluster.objects(Kind::SERVICE), before);
}

/// A standalone cluster.
fn with_task_managers(bench: &Bench, attempt: &str) -> Effect {
    bench.record(attempt);
    let mut objects = cluster_objects(bench, attempt);
    objects.task_managers = Some(Kind::DEPLOYMENT.object(&ObjectKey::new("ns", "app-taskmanager")));
    Effect::CreateCluster(Box::new(objects))
}

/// Whether Deployments with these names are there.
fn deployments(bench: &Bench) -> Vec<String> {
    let found = bench.cluster.objects(Kind::DEPLOYMENT).into_iter();
    found.filter_map(|it| it.metadata.name).collect()
}

fn owned_by(kind: &str, name: &str, uid: &str) -> impl FnOnce(&mut DynamicObject) {
    let owner = json!([{"apiVersion": "v1", "kind": kind, "name": name, "uid": uid}]);
    move |it| it.metadata.owner_references = serde_json::from_value(owner).unwrap()
}

#[tokio::test]
async fn task_managers_belong_to_their_job_manager() {
    let bench = Bench::new();
    bench.does(with_task_managers(&bench, "a1")).await;
    let [job_manager, task_managers] =
        <[DynamicObject; 2]>::try_from(bench.cluster.objects(Kind::DEPLOYMENT)).unwrap();
    assert_eq!(owner_uids(&task_managers), [job_manager.metadata.uid.unwrap()]);
}

/// Those of the Java operator belong to the resource, and ours to a JobManager Deployment that is gone.
#[tokio::test]
async fn task_managers_of_an_earlier_cluster_go_before_a_job_manager_starts() {
    for (kind, name) in [("FlinkDeployment", "app"), ("Deployment", "app")] {
        let bench = Bench::new();
        let uid = if kind == "Deployment" { "gone" } else { &bench.resource.uid };
        bench.cluster.put(Kind::DEPLOYMENT, "app-taskmanager", owned_by(kind, name, uid));
        let failure = bench.fails(with_task_managers(&bench, "a1")).await;
        assert!(failure.message.contains("being deleted"), "{}", failure.message);
        assert_eq!(deployments(&bench), ["app"]);
        assert_eq!(
            bench.cluster.objects(Kind::DEPLOYMENT)[0].data["spec"]["paused"],
            true,
            "not started yet"
        );
        bench.does(with_task_managers(&bench, "a1")).await;
        assert_eq!(deployments(&bench), ["app", "app-taskmanager"]);
    }
}

/// An operator that slept while it created a cluster finds that one running, and taken over by others since.
#[tokio::test]
async fn task_managers_of_a_job_manager_that_runs_stay() {
    let bench = Bench::new();
    bench.does(with_task_managers(&bench, "a1")).await;
    let of_resource = owned_by("FlinkDeployment", "app", &bench.resource.uid);
    bench.cluster.put(Kind::DEPLOYMENT, "app-taskmanager", of_resource);
    let before = bench.cluster.objects(Kind::DEPLOYMENT);
    let failure = bench.fails(with_task_managers(&bench, "a1")).await;
    assert!(failure.look_again, "{}", failure.message);
    assert_eq!(bench.cluster.objects(Kind::DEPLOYMENT), before);
}

#[tokio::test]
async fn somebody_elses_job_manager_is_no_task_manager() {
    let bench = Bench::new();
    bench.cluster.put(
        Kind::DEPLOYMENT,
        "app-taskmanager",
        owned_by("FlinkDeployment", "app-taskmanager", "other"),
    );
    let failure = bench.fails(with_task_managers(&bench, "a1")).await;
    assert!(failure.needs_user && failure.message.contains("another owner"), "{}", failure.message);
    assert_eq!(deployments(&bench), ["app", "app-taskmanager"]);
}

#[tokio::test]
async fn a_deployment_that_is_not_ours_is_never_touched() {
    let bench = Bench::new();
    bench.does(create(&bench, "a1")).await;
    let failure = bench.fails(create(&bench, "a2")).await;
    assert!(failure.message.contains("attempt a1"), "{}", failure.message);
    assert_eq!(bench.cluster.calls(), ["create Deployment", "get Deployment"]);

    bench.cluster.put(Kind::DEPLOYMENT, "app", |it| it.metadata.annotations = None);
    assert!(bench.fails(create(&bench, "a1")).await.message.contains("no attempt"));

    bench.cluster.put(Kind::DEPLOYMENT, "app", |it| it.metadata.owner_references = None);
    assert!(bench.fails(create(&bench, "a1")).await.message.contains("another owner"));
    assert_eq!(bench.cluster.objects(Kind::DEPLOYMENT).len(), 1);
}

#[tokio::test]
async fn a_deployment_that_is_being_deleted_is_waited_for() {
    let bench = Bench::new();
    bench.does(create(&bench, "a1")).await;
    let now = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::UNIX_EPOCH);
    bench.cluster.put(Kind::DEPLOYMENT, "app", |it| it.metadata.deletion_timestamp = Some(now));
    let failure = bench.fails(create(&bench, "a1")).await;
    assert!(failure.message.contains("being deleted"));
    assert!(!failure.look_again, "a loop would not make it faster");
}

// ---- single objects -----------------------------------------------------------------------------------------------

#[tokio::test]
async fn deleting_what_is_gone_or_was_replaced_is_done() {
    let bench = Bench::new();
    bench.cluster.put(Kind::DEPLOYMENT, "app", |_| {});
    let delete = |uid: Option<&str>| {
        let object = ObjectReference::deployment("ns", "app", uid);
        Effect::Delete(DeleteObject { object, propagation: Propagation::Background })
    };
    bench.does(delete(Some("another uid"))).await;
    assert_eq!(bench.cluster.objects(Kind::DEPLOYMENT).len(), 1);
    bench.does(delete(Some("uid-of-app"))).await;
    assert!(bench.cluster.objects(Kind::DEPLOYMENT).is_empty());
    bench.does(delete(Some("uid-of-app"))).await;
    bench.does(delete(None)).await;
    bench.cluster.fail_next("delete Deployment", unreachable());
    assert_eq!(bench.fails(delete(None)).await.action, "delete Deployment ns/app");
}

#[tokio::test]
async fn scaling_changes_only_the_object_that_is_meant() {
    let bench = Bench::new();
    bench
        .cluster
        .put(Kind::DEPLOYMENT, "app", |it| it.data = json!({"spec": {"replicas": 1, "paused": true}}));
    let scale = |uid: &str| {
        let object = ObjectReference::deployment("ns", "app", Some(uid));
        Effect::Scale(ScaleObject { object, resource_version: None, replicas: 0 })
    };
    bench.does(scale("another uid")).await;
    assert_eq!(bench.cluster.objects(Kind::DEPLOYMENT)[0].data["spec"]["replicas"], 1);
    assert_eq!(bench.does(scale("uid-of-app")).await, ["patch Deployment"]);
    assert_eq!(
        bench.cluster.objects(Kind::DEPLOYMENT)[0].data,
        json!({"spec": {"replicas": 0, "paused": true}})
    );
    bench.cluster.clear(Kind::DEPLOYMENT);
    bench.does(scale("uid-of-app")).await;
}

#[tokio::test]
async fn a_conflict_over_the_object_that_is_meant_is_no_success() {
    let bench = Bench::new();
    bench.cluster.put(Kind::CONFIG_MAP, "ha", |it| it.data = json!({"data": {"jobGraph-a": "x"}}));
    let conflict = || ApiError::from_status(409, "Conflict", "the object has been modified", None);
    let object = ObjectReference::config_map("ns", "ha", Some("uid-of-ha"));
    let keys = vec!["jobGraph-a".to_owned()];
    bench.cluster.fail_next("patch ConfigMap", conflict());
    let remove = RemoveData { object: object.clone(), resource_version: None, keys: keys.clone() };
    assert!(bench.fails(Effect::RemoveData(remove)).await.look_again);
    bench.cluster.fail_next("delete ConfigMap", conflict());
    let delete = DeleteObject { object: object.clone(), propagation: Propagation::Background };
    assert!(bench.fails(Effect::Delete(delete)).await.look_again);
    let stale = RemoveData { object, resource_version: Some("0".to_owned()), keys };
    assert!(bench.fails(Effect::RemoveData(stale)).await.look_again);
    assert_eq!(bench.cluster.objects(Kind::CONFIG_MAP)[0].data, json!({"data": {"jobGraph-a": "x"}}));
}

#[tokio::test]
async fn keys_are_taken_out_of_a_config_map() {
    let bench = Bench::new();
    bench
        .cluster
        .put(Kind::CONFIG_MAP, "ha", |it| it.data = json!({"data": {"jobGraph-a": "x", "counter": "1"}}));
    let object = ObjectReference::config_map("ns", "ha", Some("uid-of-ha"));
    let remove = Effect::RemoveData(RemoveData {
        object,
        resource_version: None,
        keys: vec!["jobGraph-a".to_owned(), "jobGraph-b".to_owned()],
    });
    bench.does(remove.clone()).await;
    assert_eq!(bench.cluster.objects(Kind::CONFIG_MAP)[0].data, json!({"data": {"counter": "1"}}));
    bench.cluster.clear(Kind::CONFIG_MAP);
    bench.does(remove).await;
}

#[tokio::test]
async fn an_object_is_changed_in_place_as_long_as_it_is_what_was_seen() {
    let bench = Bench::new();
    let ingress = bench.cluster.put(Kind::INGRESS, "app", |it| it.data = json!({"spec": {"a": 1, "b": 2}}));
    let seen = ingress.metadata.resource_version.clone();
    bench.caches.apply(Kind::INGRESS, None, WatchEvent::Restarted(vec![ingress]));
    let object = ObjectReference::new("networking.k8s.io/v1", "Ingress", "ns", "app", Some("uid-of-app"));
    let part = json!({"metadata": {"labels": {"l": "1"}}, "spec": {"a": null, "b": 3}});
    let change = |resource_version| {
        let (object, part) = (object.clone(), part.clone());
        Effect::Change(ChangeObject { object, resource_version, part })
    };
    assert_eq!(bench.does(change(seen.clone())).await, ["patch Ingress"]);
    let changed = bench.cluster.objects(Kind::INGRESS).remove(0);
    assert_eq!(changed.data, json!({"spec": {"b": 3}}));
    assert_eq!(changed.metadata.labels.unwrap()["l"], "1");
    assert!(bench.fails(change(seen)).await.look_again, "somebody has changed it meanwhile");
    bench.cluster.clear(Kind::INGRESS);
    bench.does(change(None)).await;
    assert!(bench.caches.ingresses.is_empty(), "it is known to be gone");
}

#[tokio::test]
async fn kinds_that_the_operator_does_not_know_are_refused() {
    let bench = Bench::new();
    let object: DynamicObject = serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"},
    }))
    .unwrap();
    let failure = bench.fails(Effect::Apply(Box::new(object))).await;
    assert!(failure.message.contains("v1 Namespace"), "{}", failure.message);
    assert!(bench.cluster.calls().is_empty());
}

#[tokio::test]
async fn the_first_failure_ends_the_list_and_events_never_do() {
    let bench = Bench::new();
    let event = EventRecord::normal(Reason::Cleanup, Component::Operator, "Cleaning up FlinkDeployment");
    let delete = DeleteObject {
        object: ObjectReference::deployment("ns", "app", None),
        propagation: Propagation::Foreground,
    };
    bench.cluster.fail_next("create Event", unreachable());
    bench.cluster.fail_next("create Event", unreachable());
    bench.cluster.fail_next("delete Deployment", unreachable());
    let effects = vec![Effect::Event(event), Effect::Delete(delete), Effect::RemoveFinalizer];
    let performed = bench.executor.perform(&bench.resource, effects).await;
    assert_eq!(performed.failure.unwrap().action, "delete Deployment ns/app");
    assert_eq!(bench.cluster.calls(), ["create Event", "create Event", "delete Deployment"]);
}

#[tokio::test]
async fn nodes_in_zookeeper_are_deleted_or_it_is_told_why_not() {
    let bench = Bench::new();
    let nodes = ZooKeeperNodes { servers: "zk:2181".to_owned(), path: "/flink/app".to_owned() };
    *bench.zookeeper.refuses.lock().unwrap() = Some("not authorized".to_owned());
    let failure = bench.fails(Effect::DeleteNodes(nodes.clone())).await;
    assert_eq!((failure.action, failure.message), (nodes.deletion(), "not authorized".to_owned()));
    assert!(!failure.look_again && !failure.needs_user);
    *bench.zookeeper.refuses.lock().unwrap() = None;
    bench.does(Effect::DeleteNodes(nodes)).await;
    let deleted = bench.zookeeper.deleted.lock().unwrap().clone();
    assert_eq!(deleted, [("zk:2181".to_owned(), "/flink/app".to_owned())]);
}
