use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use flink_client::{Endpoint, JarFile, RestRequest, RestResponse, Transport, TransportError};
use flink_conf::{FlinkConf, OperatorDefaults};
use jiff::Timestamp;
use kube::core::ObjectMeta;
use lifecycle::{Effect, FlinkCall, FlinkCluster, FlinkRequest, JobSubmission, PollPlan};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::*;
use crate::caches::ResourceId;
use crate::control::Selection;
use crate::engine::{Engine, Ways};
use crate::executor::Executor;
use crate::flink::FlinkAddresses;
use crate::ports::{
    Artifact, ArtifactError, ArtifactRequest, Artifacts, Clock, Kind, NoArtifacts, NoZooKeeper, ObjectKey,
    WatchEvent,
};
use crate::queue::{Outcome, QueueConfig};
use crate::resource::Resource;
use crate::testing::Cluster;

const KIND: Kind = Kind::FLINK_DEPLOYMENT;

/// tokio's clock, which stands still while something can run and jumps when everything waits.
struct TokioClock(Instant);

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH + self.monotonic()
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

/// A Flink whose only job changes its state with each answer.
#[derive(Debug, Default)]
struct Restless(AtomicUsize);

#[async_trait]
impl Transport for Restless {
    async fn send(&self, _: &Endpoint, _: RestRequest) -> Result<RestResponse, TransportError> {
        let state =
            if self.0.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) { "RUNNING" } else { "RESTARTING" };
        let job = json!({"jid": "0".repeat(32), "name": "n", "state": state, "start-time": 0, "end-time": -1,
            "tasks": {"total": 1, "running": 1, "finished": 0}});
        let body = json!({ "jobs": [job] }).to_string().into();
        Ok(RestResponse { status: 200, content_type: Some("application/json".to_owned()), body })
    }
}

/// A Flink that never answers.
#[derive(Debug)]
struct Silent;

#[async_trait]
impl Transport for Silent {
    async fn send(&self, _: &Endpoint, request: RestRequest) -> Result<RestResponse, TransportError> {
        tokio::time::sleep(request.time_limit).await;
        Err(TransportError::TimedOut { sent: true })
    }
}

fn flink() -> FlinkCluster {
    FlinkCluster { namespace: "ns".to_owned(), name: "app".to_owned(), rest_port: 8081, tls: false }
}

/// Cancels a job.
fn cancel() -> Effect {
    let request = FlinkRequest::Cancel { job_id: "0".repeat(32) };
    Effect::Flink(FlinkCall { cluster: flink(), request, tolerate_failure: true })
}

/// Submits a job.
fn submit() -> Effect {
    Effect::SubmitJob(Box::new(JobSubmission {
        cluster: flink(),
        job_id: "0".repeat(32),
        jar_uri: Some("https://jars.example.com/endless.jar".to_owned()),
        configuration: FlinkConf::new(),
        entry_class: None,
        args: Vec::new(),
        parallelism: None,
        savepoint_path: None,
        allow_non_restored_state: None,
        runs_alone: false,
        flink_version: None,
        time_limit: Duration::from_mins(10),
    }))
}

/// A host whose jars never end.
struct Endless;

#[async_trait]
impl Artifacts for Endless {
    async fn fetch(&self, _: &ArtifactRequest) -> Result<Artifact, ArtifactError> {
        std::future::pending().await
    }

    fn empty_jar(&self) -> JarFile {
        NoArtifacts.empty_jar()
    }
}

/// What a pass does.
type Pass = Box<dyn Fn(&ObjectKey) -> Outcome + Send + Sync>;

struct Scripted {
    /// A pass takes one of these, if there are to be any.
    permits: Option<Arc<Semaphore>>,
    pass: Pass,
    /// What else is done in a pass over the resource with this name.
    does: Option<(&'static str, Effect, Arc<Executor>)>,
    running: AtomicUsize,
    most: AtomicUsize,
    passes: Mutex<Vec<(String, u64)>>,
    clock: Arc<TokioClock>,
}

#[async_trait]
impl Reconciler for Scripted {
    fn kind(&self) -> Kind {
        KIND
    }

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(running, Ordering::SeqCst);
        self.passes.lock().unwrap().push((key.name.clone(), self.clock.monotonic().as_secs()));
        if let Some(permits) = &self.permits {
            permits.acquire().await.unwrap().forget();
        }
        if let Some((_, effect, executor)) = self.does.as_ref().filter(|(name, ..)| *name == key.name) {
            let metadata = ObjectMeta {
                namespace: Some(key.namespace.clone()),
                name: Some(key.name.clone()),
                ..ObjectMeta::default()
            };
            executor.perform(&Resource::new(KIND, &metadata), vec![effect.clone()]).await;
        }
        self.running.fetch_sub(1, Ordering::SeqCst);
        (self.pass)(key)
    }
}

struct Bench {
    cluster: Arc<Cluster>,
    control: Arc<Control>,
    reconciler: Arc<Scripted>,
    stop: watch::Sender<bool>,
    stopped: watch::Receiver<bool>,
}

impl Bench {
    fn new(permits: Option<usize>, pass: impl Fn(&ObjectKey) -> Outcome + Send + Sync + 'static) -> Self {
        Self::over(Arc::new(Restless::default()), permits, None, pass)
    }

    fn over(
        transport: Arc<dyn Transport>,
        permits: Option<usize>,
        does: Option<(&'static str, Effect)>,
        pass: impl Fn(&ObjectKey) -> Outcome + Send + Sync + 'static,
    ) -> Self {
        let cluster = Arc::new(Cluster::default());
        let clock = Arc::new(TokioClock(Instant::now()));
        let ways = Ways {
            artifacts: Arc::new(Endless),
            zookeeper: Arc::new(NoZooKeeper),
            api: cluster.clone(),
            transport,
            addresses: FlinkAddresses::ServiceDns,
            clock: clock.clone(),
        };
        let engine = Engine::new(ways, OperatorDefaults::default()).unwrap();
        let executor = Arc::clone(&engine.executor);
        let selection = Selection { ingresses: true, ..Selection::default() };
        let control = Arc::new(Control::new(engine, &[KIND], &selection, QueueConfig::default()));
        let reconciler = Arc::new(Scripted {
            permits: permits.map(|permits| Arc::new(Semaphore::new(permits))),
            pass: Box::new(pass),
            does: does.map(|(name, effect)| (name, effect, executor)),
            running: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            passes: Mutex::default(),
            clock,
        });
        let (stop, stopped) = watch::channel(false);
        Self { cluster, control, reconciler, stop, stopped }
    }

    fn start(&self, config: DriverConfig) -> tokio::task::JoinHandle<Result<Stopped, DriverError>> {
        let driver = Driver::new(self.control.clone(), vec![self.reconciler.clone()], config);
        tokio::spawn(driver.run(self.stopped.clone()))
    }

    fn passes(&self) -> Vec<(String, u64)> {
        self.reconciler.passes.lock().unwrap().clone()
    }
}

async fn seconds(seconds: u64) {
    // A little more, so that what happens at that very second has happened.
    tokio::time::sleep(Duration::from_millis(seconds * 1000 + 10)).await;
}

#[tokio::test(start_paused = true)]
async fn resources_are_reconciled_at_start_on_change_and_after_their_delay() {
    let bench = Bench::new(None, |_| Outcome::After(Duration::from_mins(1)));
    bench.cluster.put(KIND, "old", |_| {});
    let run = bench.start(DriverConfig::default());
    seconds(10).await;
    bench.cluster.put(KIND, "new", |_| {});
    seconds(1).await;
    bench.cluster.put(KIND, "old", |it| it.metadata.generation = Some(2));
    seconds(60).await;
    let expected = [("old", 0), ("new", 10), ("old", 11), ("new", 70), ("old", 71)];
    let expected = expected.map(|(name, at)| (name.to_owned(), at));
    assert_eq!(bench.passes(), expected);
    bench.stop.send(true).unwrap();
    assert_eq!(run.await.unwrap().unwrap(), Stopped { given_up: 0 });
}

#[tokio::test(start_paused = true)]
async fn passes_are_bounded_and_a_resource_never_runs_twice_at_once() {
    let bench = Bench::new(Some(0), |_| Outcome::OnChange);
    for number in 0..20 {
        bench.cluster.put(KIND, &number.to_string(), |_| {});
    }
    let _run = bench.start(DriverConfig { reconciles: 3, ..DriverConfig::default() });
    seconds(1).await;
    assert_eq!(bench.passes().len(), 3);
    let (first, _) = bench.passes().remove(0);
    bench.cluster.put(KIND, &first, |it| it.metadata.generation = Some(2));
    seconds(1).await;
    assert_eq!(bench.passes().len(), 3);
    bench.reconciler.permits.as_ref().unwrap().add_permits(100);
    seconds(1).await;
    assert_eq!(bench.reconciler.most.load(Ordering::SeqCst), 3);
    let passes = bench.passes();
    assert_eq!(passes.len(), 21);
    assert_eq!(passes.iter().filter(|(name, _)| *name == first).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_job_manager_that_never_answers_holds_no_slot() {
    let pass = |_: &ObjectKey| Outcome::OnChange;
    let bench = Bench::over(Arc::new(Silent), None, Some(("silent", cancel())), pass);
    bench.cluster.put(KIND, "silent", |_| {});
    let _run = bench.start(DriverConfig { reconciles: 1, ..DriverConfig::default() });
    seconds(1).await;
    for number in 0..3 {
        bench.cluster.put(KIND, &number.to_string(), |_| {});
    }
    seconds(1).await;
    let done: Vec<_> = bench.passes().into_iter().map(|(name, _)| name).collect();
    assert_eq!(done, ["silent", "0", "1", "2"]);
    assert_eq!(bench.reconciler.running.load(Ordering::SeqCst), 1, "it still waits");
    seconds(10).await;
    assert_eq!(bench.reconciler.running.load(Ordering::SeqCst), 0, "and not for ever");
    bench.cluster.put(KIND, "late", |_| {});
    seconds(1).await;
    assert_eq!(bench.passes().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure_of_one_resource_that_its_user_is_told() {
    let bench = Bench::new(None, |key| {
        assert_ne!(key.name, "bad", "this pass panics");
        Outcome::OnChange
    });
    bench.cluster.put(KIND, "bad", |_| {});
    bench.cluster.put(KIND, "good", |_| {});
    let run = bench.start(DriverConfig::default());
    seconds(13).await;
    let at = |name: &str| {
        bench.passes().into_iter().filter(|(it, _)| it == name).map(|(_, at)| at).collect::<Vec<_>>()
    };
    assert_eq!(at("bad"), [0, 5, 12], "tried again after 5 s, and after 7.5 s more");
    assert_eq!(at("good"), [0]);
    let events = bench.cluster.objects(Kind::EVENT);
    assert_eq!(events.len(), 1);
    let event = &events.first().unwrap().data;
    assert_eq!(event["involvedObject"]["name"], "bad");
    assert!(event["message"].as_str().unwrap().contains("this pass panics"), "{event}");
    let text = bench.control.engine().metrics.text().unwrap();
    assert!(text.contains("flink_operator_reconcile_total{kind=\"FlinkDeployment\",result=\"panicked\"} 3"));
    bench.stop.send(true).unwrap();
    run.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_running_passes_end_and_begins_no_more() {
    let bench = Bench::new(Some(0), |_| Outcome::After(Duration::ZERO));
    bench.cluster.put(KIND, "a", |_| {});
    let run = bench.start(DriverConfig::default());
    seconds(1).await;
    bench.stop.send(true).unwrap();
    seconds(1).await;
    bench.cluster.put(KIND, "b", |_| {});
    assert!(!run.is_finished());
    bench.reconciler.permits.as_ref().unwrap().add_permits(100);
    assert_eq!(run.await.unwrap().unwrap(), Stopped { given_up: 0 });
    assert_eq!(bench.passes().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_does_not_end_is_given_up() {
    let bench = Bench::new(Some(0), |_| Outcome::OnChange);
    bench.cluster.put(KIND, "a", |_| {});
    let run = bench.start(DriverConfig::default());
    seconds(1).await;
    let begin = Instant::now();
    drop(bench.stop);
    assert_eq!(run.await.unwrap().unwrap(), Stopped { given_up: 1 });
    assert_eq!(begin.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_forbidden_ends_the_driver_if_that_is_wanted() {
    for stop_on_hopeless_watch in [true, false] {
        let bench = Bench::new(None, |_| Outcome::OnChange);
        let forbidden = ApiError::from_status(403, "Forbidden", "cannot list deployments", None);
        bench.cluster.break_watch(Kind::DEPLOYMENT, forbidden);
        bench.cluster.put(KIND, "a", |_| {});
        let run = bench.start(DriverConfig { stop_on_hopeless_watch, ..DriverConfig::default() });
        seconds(1).await;
        assert_eq!(run.is_finished(), stop_on_hopeless_watch);
        assert!(bench.passes().is_empty(), "nothing is reconciled before everything is known");
        let reason = bench.control.not_ready().unwrap();
        assert!(reason.contains("deployments of all namespaces (cannot list deployments)"), "{reason}");
        if stop_on_hopeless_watch {
            let error = run.await.unwrap().unwrap_err().to_string();
            assert_eq!(error, "deployments cannot be watched in all namespaces: cannot list deployments");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_turns_is_healthy_and_one_that_is_stuck_is_not() {
    let bench = Bench::new(Some(0), |_| Outcome::OnChange);
    bench.cluster.put(KIND, "hangs", |_| {});
    assert_eq!(bench.control.unhealthy(), None, "not started");
    let run = bench.start(DriverConfig::default());
    seconds(3600).await;
    assert_eq!(bench.control.unhealthy(), None, "a pass that hangs does not matter");
    run.abort();
    seconds(200).await;
    assert!(bench.control.unhealthy().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_kind_whose_crd_is_missing_is_done_without() {
    let bench = Bench::new(None, |_| Outcome::OnChange);
    bench.cluster.break_watch(Kind::FLINK_SESSION_JOB, ApiError::from_status(404, "NotFound", "", None));
    bench.cluster.put(KIND, "a", |_| {});
    let _run = bench.start(DriverConfig::default());
    seconds(1).await;
    assert_eq!(bench.control.not_ready(), None);
    assert_eq!(bench.passes().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn ingresses_that_may_not_be_watched_are_done_without() {
    let bench = Bench::new(None, |_| Outcome::OnChange);
    let forbidden = ApiError::from_status(403, "Forbidden", "cannot watch ingresses", None);
    bench.cluster.break_watch(Kind::INGRESS, forbidden);
    bench.cluster.put(KIND, "a", |_| {});
    let run = bench.start(DriverConfig::default());
    seconds(1).await;
    assert!(!run.is_finished());
    assert_eq!(bench.control.not_ready(), None);
    assert_eq!(bench.passes().len(), 1);
    let watched = bench.control.watches().iter().find(|watch| watch.kind == Kind::INGRESS).unwrap();
    assert_eq!(watched.scope.labels.as_deref(), Some("component=ingress"));

    // What was known while they could be watched is not known any more.
    let mut ingress = Kind::INGRESS.object(&ObjectKey::new("ns", "a"));
    ingress.metadata.uid = Some("u".to_owned());
    bench.control.watched(watched, WatchEvent::Restarted(vec![ingress]));
    let caches = &bench.control.engine().caches;
    assert_eq!(caches.ingresses.len(), 1);
    let forbidden = ApiError::from_status(403, "Forbidden", "cannot watch ingresses", None);
    bench.control.watched(watched, WatchEvent::Failed(forbidden));
    assert!(caches.ingresses.is_empty());
}

#[test]
fn ingresses_are_watched_only_if_they_are_managed_and_only_where_resources_are() {
    let kinds = [KIND];
    let of = |ingresses| Selection {
        namespaces: vec!["a".to_owned(), "b".to_owned()],
        labels: Some("mine".to_owned()),
        ingresses,
    };
    let watched = |selection: &Selection| {
        let watches = selection.watches(&kinds);
        let ingresses = watches.into_iter().filter(|watch| watch.kind == Kind::INGRESS);
        ingresses.map(|watch| watch.scope.namespace.unwrap()).collect::<Vec<_>>()
    };
    assert!(watched(&of(false)).is_empty());
    assert_eq!(watched(&of(true)), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn news_from_flink_wakes_its_resource() {
    let bench = Bench::new(None, |_| Outcome::OnChange);
    bench.cluster.put(KIND, "app", |_| {});
    let _run = bench.start(DriverConfig::default());
    seconds(1).await;
    let plan = PollPlan {
        cluster: FlinkCluster {
            namespace: "ns".to_owned(),
            name: "app".to_owned(),
            rest_port: 8081,
            tls: false,
        },
        deployment_uid: "jm".to_owned(),
        interval: Duration::from_secs(2),
        timeout: Duration::from_secs(10),
        patience: Duration::from_secs(15),
        statistics_lag: Duration::from_secs(3),
        job_id: None,
        questions: Vec::new(),
    };
    bench
        .control
        .engine()
        .poller
        .set_plan(&ResourceId::new(Kind::FLINK_DEPLOYMENT, ObjectKey::new("ns", "app")), Some(plan));
    bench.control.wake(&ResourceId::new(KIND, ObjectKey::new("ns", "app")));
    bench.cluster.put(KIND, "other", |_| {});
    seconds(10).await;
    let woken = bench.passes().iter().filter(|(name, _)| name == "app").count();
    assert!((6..=8).contains(&woken), "{:?}", bench.passes());
}

#[tokio::test(start_paused = true)]
async fn our_own_status_during_a_pass_is_no_reason_for_another() {
    let bench = Bench::new(Some(0), |_| Outcome::OnChange);
    bench.cluster.put(KIND, "a", |it| it.data = json!({"status": {"error": "one"}}));
    let _run = bench.start(DriverConfig::default());
    seconds(1).await;
    bench.cluster.put(KIND, "a", |it| it.data = json!({"status": {"error": "two"}}));
    seconds(1).await;
    bench.reconciler.permits.as_ref().unwrap().add_permits(100);
    seconds(1).await;
    assert_eq!(bench.passes().len(), 1);
    bench.cluster.put(KIND, "a", |it| it.data = json!({"status": {"error": "by somebody else"}}));
    seconds(1).await;
    assert_eq!(bench.passes().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_endless_jar_delays_nobody_and_ends_when_its_resource_changes() {
    let effect = Some(("slow", submit()));
    let bench = Bench::over(Arc::new(Silent), None, effect, |_| Outcome::OnChange);
    bench.cluster.put(KIND, "slow", |_| {});
    let run = bench.start(DriverConfig { reconciles: 1, ..DriverConfig::default() });
    seconds(1).await;
    bench.cluster.put(KIND, "other", |_| {});
    seconds(9).await;
    bench.cluster.put(KIND, "slow", |it| it.metadata.generation = Some(2));
    seconds(1).await;
    let passes = bench.passes();
    let expected = [("slow", 0), ("other", 1), ("slow", 10)];
    assert_eq!(passes.iter().map(|(name, at)| (name.as_str(), *at)).collect::<Vec<_>>(), expected);
    bench.stop.send(true).unwrap();
    run.await.unwrap().unwrap();
}
