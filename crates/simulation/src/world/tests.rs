//! JobManagers that boot from what the product builds.

use flink_client::stub::SnapshotKind;
use flink_client::{FlinkClient, Scheme};
use futures::FutureExt;
use serde_json::{Value, json};
use std::sync::Arc;

use engine::ports::{DeleteOptions, Kind, KubernetesApi};
use flink_client::answers::JobState;
use lifecycle::Propagation;

use super::*;

const JOB: &str = "0123456789abcdef0123456789abcdef";

struct Bench {
    server: ApiServer,
    world: World,
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("ns", name)
}

impl Bench {
    fn new() -> Self {
        let clock = VirtualClock::new(Timestamp::from_second(1_000_000).unwrap());
        let server = ApiServer::new(Arc::new(clock.clone()));
        let world = World::new(server.clone(), clock, WorldSettings::default());
        Self { server, world }
    }

    fn create(&self, kind: Kind, data: &Value, owner: Option<&str>) -> String {
        let mut object = kind.object(&key(data["name"].as_str().unwrap()));
        object.data = data["body"].clone();
        if let Some(uid) = owner {
            let owner = json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "app", "uid": uid,
                "blockOwnerDeletion": true}]);
            object.metadata.owner_references = serde_json::from_value(owner).unwrap();
        }
        self.server.create(kind, &object).now_or_never().unwrap().unwrap().metadata.uid.unwrap()
    }

    /// A cluster with these lines of configuration.
    fn cluster(&self, image: &str, conf: &str) -> String {
        let labels = json!({"app": "app", "component": "jobmanager"});
        let body = json!({"spec": {"replicas": 1, "template": {
            "metadata": {"labels": labels},
            "spec": {
                "containers": [{"name": "flink-main-container", "image": image}],
                "volumes": [{"name": "conf", "configMap": {"name": "flink-config-app"}}],
            },
        }}});
        let uid = self.create(Kind::DEPLOYMENT, &json!({"name": "app", "body": body}), None);
        let common = format!(
            "kubernetes.cluster-id: app\n$internal.pipeline.job-id: {JOB}\nexecution.checkpointing.interval: 5 s\n\
             execution.checkpointing.dir: s3://c\nkubernetes.internal.jobmanager.entrypoint.class: x.ApplicationX\n\
             execution.checkpointing.externalized-checkpoint-retention: RETAIN_ON_CANCELLATION\n{conf}"
        );
        let body = json!({"data": {"flink-conf.yaml": common}});
        self.create(Kind::CONFIG_MAP, &json!({"name": "flink-config-app", "body": body}), Some(&uid));
        let body = json!({"spec": {"ports": [{"port": 8081}], "selector": labels}});
        self.create(Kind::SERVICE, &json!({"name": "app-rest", "body": body}), Some(&uid));
        uid
    }

    fn until(&self, seconds: u64) {
        let end = self.world.clock().monotonic() + Duration::from_secs(seconds);
        self.world.step();
        while let Some(next) = self.world.next_due().filter(|next| *next <= end) {
            self.world.clock().move_to(next);
            self.world.step();
        }
        self.world.clock().move_to(end);
        self.world.step();
    }

    fn job_state(&self) -> Option<JobState> {
        let client = FlinkClient::new(Arc::new(WorldTransport::new(self.world.clone())));
        let endpoint = Endpoint::new(Scheme::Http, "app-rest.ns", 8081).unwrap();
        let jobs = client.cluster(&endpoint).jobs_overview().now_or_never().unwrap().ok()?;
        jobs.first().map(|job| job.state)
    }

    fn delete(&self) {
        let options = DeleteOptions { uid: None, propagation: Propagation::Foreground };
        self.server.delete_object(Kind::DEPLOYMENT, &key("app"), &options).unwrap();
    }

    fn maps(&self) -> Vec<String> {
        let name = |map: &Value| map["metadata"]["name"].as_str().unwrap().to_owned();
        self.server.all(Kind::CONFIG_MAP).iter().map(|map| name(map)).collect()
    }
}

use flink_client::Endpoint;

#[test]
fn a_cluster_comes_up_takes_checkpoints_and_goes() {
    let bench = Bench::new();
    bench.cluster("flink:1.20", "");
    assert_eq!(bench.job_state(), None);
    bench.until(20);
    assert_eq!(bench.job_state(), Some(JobState::Running));
    let deployment = bench.server.read(Kind::DEPLOYMENT, &key("app")).unwrap();
    assert_eq!(deployment["status"]["availableReplicas"], 1);
    assert_eq!(bench.world.live_jobs().len(), 1);
    assert!(bench.world.storage().all().iter().any(|it| it.kind == SnapshotKind::Checkpoint));
    bench.delete();
    bench.world.step();
    assert_eq!(bench.world.live_jobs().len(), 1, "the process ends a little later");
    bench.until(6);
    assert_eq!(bench.server.everything().len(), 0);
    assert!(bench.world.live_jobs().is_empty());
}

#[test]
fn with_high_availability_the_next_cluster_goes_on_from_the_newest_checkpoint() {
    let bench = Bench::new();
    let conf = "high-availability.type: kubernetes\n";
    bench.cluster("flink:1.20", conf);
    bench.until(20);
    bench.delete();
    bench.until(5);
    assert_eq!(bench.maps(), [format!("app-{JOB}-config-map"), "app-cluster-config-map".to_owned()]);
    bench.cluster("flink:1.20", conf);
    bench.until(5);
    let runs = bench.world.runs();
    assert_eq!(runs.len(), 2);
    let second = runs.last().unwrap();
    assert!(second.restored.as_ref().unwrap().starts_with(&format!("s3://c/{JOB}/chk-")));
    assert!(second.old_program, "nobody removed the program of the first cluster");
    assert!(!second.is_restart);
}

#[test]
fn a_deleted_pod_is_replaced_and_its_job_starts_again() {
    for (conf, from_checkpoint) in [("", false), ("high-availability.type: kubernetes\n", true)] {
        let bench = Bench::new();
        bench.cluster("flink:1.20", conf);
        bench.until(20);
        let options = DeleteOptions { uid: None, propagation: Propagation::Background };
        bench.server.delete_object(Kind::POD, &key("app-1"), &options).unwrap();
        bench.until(10);
        let runs = bench.world.runs();
        assert_eq!(runs.len(), 2);
        assert!(runs.last().unwrap().is_restart);
        assert_eq!(runs.last().unwrap().restored.is_some(), from_checkpoint);
        assert_eq!(bench.world.live_jobs().len(), 1);
        assert_eq!(bench.job_state(), Some(JobState::Running));
    }
}

#[test]
fn an_ended_job_leaves_no_ha_metadata_and_is_not_run_again() {
    let bench = Bench::new();
    let uid = bench.cluster(
        "flink:1.20",
        "high-availability.type: kubernetes\njob-result-store.storage-path: s3://r/1\n",
    );
    bench.until(20);
    bench.world.with_flink(&key("app"), |flink, now| flink.finish_job(&JOB.parse().unwrap(), now));
    bench.until(1);
    assert!(!bench.maps().contains(&format!("app-{JOB}-config-map")));
    let options = DeleteOptions { uid: None, propagation: Propagation::Background };
    bench.server.delete_object(Kind::POD, &key("app-1"), &options).unwrap();
    bench.until(10);
    assert_eq!(bench.job_state(), None, "Flink does not find it any more");
    assert_eq!(bench.world.runs().len(), 1, "{uid}");
}

#[test]
fn images_that_are_missing_and_pods_that_are_refused_are_told() {
    let bench = Bench::new();
    bench.cluster("does-not-exist:1", "");
    bench.until(5);
    let pod = bench.server.read(Kind::POD, &key("app-1")).unwrap();
    assert_eq!(pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"], "ImagePullBackOff");
    let bench = Bench::new();
    bench.world.configure(|settings| settings.refuse_pods = Some("exceeded quota".to_owned()));
    bench.cluster("flink:1", "");
    bench.until(5);
    let deployment = bench.server.read(Kind::DEPLOYMENT, &key("app")).unwrap();
    assert_eq!(deployment["status"]["conditions"][1]["reason"], "FailedCreate");
    assert_eq!(
        deployment["status"]["conditions"][0]["lastTransitionTime"],
        deployment["metadata"]["creationTimestamp"]
    );
}
