use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use serde_json::{Value, json};

use super::*;

// ---- JobManager Deployments -----------------------------------------------------------------------------------------

const CREATED: &str = "2026-01-01T00:00:00Z";

fn deployment() -> Value {
    json!({
        "metadata": {
            "name": "app",
            "uid": "jm",
            "resourceVersion": "17",
            "creationTimestamp": CREATED,
            "annotations": {
                GENERATION_ANNOTATION: "4",
                resources::ATTEMPT_ANNOTATION: "attempt",
            },
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Other", "name": "app", "uid": "somebody"},
                {"apiVersion": "v1", "kind": "FlinkDeployment", "name": "app", "uid": "owner"},
            ],
        },
        "spec": {"paused": true, "replicas": 3, "selector": {}, "template": {}},
        "status": {"replicas": 2, "availableReplicas": 1},
    })
}

fn job_manager(deployment: Value) -> JobManager {
    let deployment: Deployment = serde_json::from_value(deployment).unwrap();
    JobManager::from_deployment(&deployment, "owner")
}

#[test]
fn a_deployment_says_whose_it_is_and_how_far_it_is() {
    let read = job_manager(deployment());
    assert_eq!(
        read,
        JobManager {
            uid: "jm".to_owned(),
            resource_version: Some("17".to_owned()),
            generation: Some(4),
            attempt: Some("attempt".to_owned()),
            owned: true,
            terminating: false,
            terminating_since: None,
            paused: true,
            desired_replicas: 3,
            replicas: 2,
            available_replicas: 1,
            failed_create: None,
            never_started: false,
        }
    );
}

#[test]
fn what_a_deployment_leaves_out_is_what_kubernetes_takes_for_it() {
    let read = job_manager(json!({"metadata": {"name": "app"}, "spec": {"selector": {}, "template": {}}}));
    assert!(!read.owned && !read.paused && !read.terminating && !read.never_started);
    assert_eq!((read.desired_replicas, read.replicas, read.available_replicas), (1, 0, 0));
    assert_eq!((read.generation, read.attempt), (None, None));
    let mut foreign = deployment();
    foreign["metadata"]["ownerReferences"].as_array_mut().unwrap().pop();
    assert!(!job_manager(foreign).owned);
    let mut going = deployment();
    going["metadata"]["deletionTimestamp"] = json!(CREATED);
    let going = job_manager(going);
    assert!(going.terminating && going.terminating_since == Some(CREATED.parse().unwrap()));
}

#[test]
fn a_deployment_has_never_started_while_it_is_unavailable_since_its_creation() {
    for (kind, status, since, never) in [
        ("Available", "False", Some(CREATED), true),
        ("Available", "True", Some(CREATED), false),
        ("Available", "False", Some("2026-01-01T00:00:04Z"), true),
        ("Available", "False", Some("2026-01-01T00:00:05Z"), false),
        ("Available", "False", None, false),
        ("Progressing", "False", Some(CREATED), false),
    ] {
        let mut seen = deployment();
        seen["status"]["conditions"] = json!([{"type": kind, "status": status, "lastTransitionTime": since}]);
        assert_eq!(job_manager(seen.clone()).never_started, never, "{seen}");
    }
    let mut timeless = deployment();
    timeless["status"]["conditions"] = json!([{"type": "Available", "status": "False"}]);
    timeless["metadata"]["creationTimestamp"] = Value::Null;
    assert!(!job_manager(timeless).never_started, "two times that are not known are not the same");
}

#[test]
fn pods_that_are_refused_are_told_from_other_failures() {
    for (status, reason, refused) in
        [("True", "FailedCreate", true), ("False", "FailedCreate", false), ("True", "Other", false)]
    {
        let mut seen = deployment();
        seen["status"]["conditions"] = json!([
            {"type": "Available", "status": "True"},
            {"type": "ReplicaFailure", "status": status, "reason": reason, "message": "quota"},
        ]);
        let expected = refused.then(|| "quota".to_owned());
        assert_eq!(job_manager(seen).failed_create, expected, "{status} {reason}");
    }
}

#[test]
fn a_job_manager_is_available_when_one_of_its_pods_is() {
    for (terminating, replicas, available, is_available) in [
        (false, 1, 1, true),
        (false, 2, 1, true),
        (true, 1, 1, false),
        (false, 1, 0, false),
        (false, 0, 1, false),
        (false, 0, 0, false),
    ] {
        let seen =
            JobManager { terminating, replicas, available_replicas: available, ..job_manager(deployment()) };
        assert_eq!(seen.is_available(), is_available, "{seen:?}");
    }
}

// ---- pods -----------------------------------------------------------------------------------------------------------

fn pod(status: &Value) -> Pod {
    serde_json::from_value(json!({"metadata": {"name": "app-1"}, "status": status})).unwrap()
}

fn problems(status: &Value) -> Vec<(String, String)> {
    let problems = PodProblem::of_containers(&pod(status));
    problems.into_iter().map(|problem| (problem.reason, problem.message)).collect()
}

#[test]
fn waiting_containers_say_what_a_user_has_to_change() {
    for reason in FATAL_WAITING {
        let container = json!({"name": "main", "state": {"waiting": {"reason": reason, "message": "why"}}});
        for status in
            [json!({"containerStatuses": [container]}), json!({"initContainerStatuses": [container]})]
        {
            assert_eq!(problems(&status), [(reason.to_owned(), "[main] why".to_owned())]);
        }
    }
    for state in [
        json!({"waiting": {"reason": "ContainerCreating", "message": "why"}}),
        json!({"waiting": {}}),
        json!({"running": {}}),
    ] {
        assert!(problems(&json!({"containerStatuses": [{"name": "main", "state": state}]})).is_empty());
    }
    assert!(PodProblem::of_containers(&Pod::default()).is_empty());
}

#[test]
fn a_crash_is_explained_by_what_the_process_said_last() {
    let waiting = |reason: &str, last: Value| {
        json!({"containerStatuses": [{
            "name": "main",
            "state": {"waiting": {"reason": reason, "message": "back-off 10s"}},
            "lastState": last,
        }]})
    };
    let said = json!({"terminated": {"exitCode": 1, "message": "no such class"}});
    let silent = json!({"terminated": {"exitCode": 1}});
    let text = |status: &Value| problems(status)[0].1.clone();
    assert_eq!(text(&waiting("CrashLoopBackOff", said.clone())), "[main] CrashLoop - no such class");
    assert_eq!(text(&waiting("CrashLoopBackOff", silent)), "[main] back-off 10s");
    assert_eq!(text(&waiting("ErrImagePull", said)), "[main] back-off 10s");
    let nothing =
        json!({"containerStatuses": [{"name": "main", "state": {"waiting": {"reason": "OOMKilled"}}}]});
    assert_eq!(text(&nothing), "[main] OOMKilled");
}

#[test]
fn a_pod_waits_for_its_volumes_while_it_is_neither_ready_nor_may_start() {
    for (conditions, waits) in [
        (json!([["Ready", "False"], ["PodReadyToStartContainers", "False"]]), true),
        (json!([["Ready", "False"], ["Initialized", "False"]]), true),
        (json!([["Ready", "True"], ["PodReadyToStartContainers", "False"]]), false),
        (json!([["Ready", "False"], ["PodReadyToStartContainers", "True"]]), false),
        // The newer of both conditions counts.
        (json!([["Ready", "False"], ["Initialized", "False"], ["PodReadyToStartContainers", "True"]]), false),
        (json!([["Ready", "False"], ["Initialized", "True"], ["PodReadyToStartContainers", "False"]]), true),
        (json!([["Ready", "False"]]), false),
        (json!([["Initialized", "False"]]), false),
        (json!([]), false),
    ] {
        let list: Vec<Value> = conditions
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| json!({"type": pair[0], "status": pair[1]}))
            .collect();
        assert_eq!(PodProblem::waits_for_volumes(&pod(&json!({"conditions": list}))), waits, "{conditions}");
    }
    assert!(!PodProblem::waits_for_volumes(&Pod::default()));
}

// ---- HA metadata ----------------------------------------------------------------------------------------------------

const JOB: &str = "00000000000000000000000000000001";
const OTHER: &str = "00000000000000000000000000000002";

fn config_map(name: &str, keys: &[&str]) -> ConfigMap {
    let data: BTreeMap<&str, &str> = keys.iter().map(|key| (*key, "x")).collect();
    let value = json!({
        "metadata": {"name": name, "uid": format!("uid of {name}"), "resourceVersion": "7"},
        "data": data,
    });
    serde_json::from_value(value).unwrap()
}

fn metadata(maps: &[ConfigMap]) -> HaMetadata {
    HaMetadata::from_config_maps(maps)
}

#[test]
fn config_maps_of_a_cluster_and_of_its_jobs_are_told_apart() {
    for (name, ours, of_job) in [
        ("app-cluster-config-map", true, false),
        (&*format!("app-{JOB}-config-map"), true, true),
        // Flink before 1.15.
        ("app-dispatcher-leader", true, false),
        (&*format!("app-{JOB}-jobmanager-leader"), true, true),
        ("flink-config-app", false, false),
        ("app-config-map-of-somebody", false, false),
    ] {
        let read = metadata(&[config_map(name, &["checkpointID-1"])]);
        let maps = vec![(name.to_owned(), format!("uid of {name}"))];
        assert_eq!(read.config_maps, if ours { maps } else { Vec::new() }, "{name}");
        let jobs = vec![HaJob { config_map: name.to_owned(), has_checkpoint: true }];
        assert_eq!(read.jobs, if of_job { jobs } else { Vec::new() }, "{name}");
        assert!(read.job_graphs.is_empty());
    }
    let mut going = config_map("app-cluster-config-map", &["jobGraph-1"]);
    going.metadata.deletion_timestamp =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(CREATED.parse().unwrap()));
    assert_eq!(metadata(&[going]), HaMetadata::default());
}

#[test]
fn programs_of_jobs_are_found_under_the_keys_of_both_flink_versions() {
    let keys = ["executionPlan-1", "jobGraph-1", "leader"];
    let read = metadata(&[config_map("app-cluster-config-map", &keys)]);
    assert_eq!(
        read.job_graphs,
        [JobGraphs {
            config_map: "app-cluster-config-map".to_owned(),
            uid: "uid of app-cluster-config-map".to_owned(),
            resource_version: Some("7".to_owned()),
            keys: vec!["executionPlan-1".to_owned(), "jobGraph-1".to_owned()],
        }]
    );
}

#[test]
fn a_job_goes_on_when_its_own_config_map_says_so() {
    let name = format!("app-{JOB}-config-map");
    for (keys, has_checkpoint) in [(&["checkpointID-1"][..], true), (&["leader", "xcheckpointID-1"], false)] {
        let read = metadata(&[config_map(&name, keys)]);
        assert!(read.has_job(Some(JOB)) && read.has_job(None));
        assert!(!read.has_job(Some(OTHER)) && !read.has_checkpoint(Some(OTHER)));
        assert_eq!(
            (read.has_checkpoint(Some(JOB)), read.has_checkpoint(None)),
            (has_checkpoint, has_checkpoint)
        );
    }
    assert!(!HaMetadata::default().has_job(None) && !HaMetadata::default().has_checkpoint(None));
}

#[test]
fn config_maps_of_the_autoscaler_are_not_asked_for() {
    assert_eq!(HaMetadata::selector("app"), "app=app,type=flink-native-kubernetes,component!=autoscaler");
}

// ---- Flink ----------------------------------------------------------------------------------------------------------

#[test]
fn a_job_runs_when_all_its_tasks_run_or_have_finished() {
    for (state, running, finished, expected) in [
        (JobStatusState::Running, 3, 0, JobStatusState::Running),
        (JobStatusState::Running, 1, 2, JobStatusState::Running),
        (JobStatusState::Running, 2, 0, JobStatusState::Created),
        (JobStatusState::Running, 1, 1, JobStatusState::Created),
        (JobStatusState::Restarting, 1, 0, JobStatusState::Restarting),
        (JobStatusState::Finished, 0, 3, JobStatusState::Finished),
    ] {
        let job = JobOverview {
            job_id: JOB.to_owned(),
            name: "app".to_owned(),
            state,
            start_time: 0,
            tasks_total: 3,
            tasks_running: running,
            tasks_finished: finished,
            ended_since: None,
        };
        assert_eq!(job.effective_state(), expected, "{job:?}");
    }
}

#[test]
fn the_newest_checkpoint_is_the_one_with_the_highest_id() {
    let checkpoint = |id, trigger_timestamp| CompletedCheckpoint {
        id,
        external_path: id.to_string(),
        trigger_timestamp,
        is_savepoint: false,
        discarded: id == 9,
    };
    let completed = vec![checkpoint(8, 30), checkpoint(9, 10), checkpoint(7, 20)];
    let checkpoints = Checkpoints { completed, ..Checkpoints::default() };
    assert_eq!(checkpoints.newest().unwrap().id, 9, "although it is discarded");
    assert_eq!(Checkpoints::default().newest(), None);
}

fn never_started(available: &str, since: &str, progress: &str) -> bool {
    let deployment = json!({
        "metadata": {"name": "app", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "status": {"conditions": [
            {"type": "Available", "status": available, "lastTransitionTime": since},
            {"type": "Progressing", "status": "True", "reason": progress},
        ]},
    });
    JobManager::from_deployment(&serde_json::from_value(deployment).unwrap(), "uid").never_started
}

#[test]
fn the_controller_may_look_at_a_deployment_a_moment_late() {
    for since in ["2026-01-01T00:00:00Z", "2026-01-01T00:00:02Z"] {
        assert!(never_started("False", since, "ReplicaSetUpdated"));
        assert!(!never_started("True", since, "ReplicaSetUpdated"));
        assert!(!never_started("False", since, "NewReplicaSetAvailable"), "it was up once");
    }
    assert!(!never_started("False", "2026-01-01T00:00:20Z", "ReplicaSetUpdated"), "it was up until then");
}
