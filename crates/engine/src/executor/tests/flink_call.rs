//! Calls that change something in Flink.

use super::*;

const TRIGGER: &str = "fedcba9876543210fedcba9876543210";

fn flink(request: FlinkRequest, tolerate_failure: bool) -> Effect {
    let cluster =
        FlinkCluster { namespace: "ns".to_owned(), name: "app".to_owned(), rest_port: 8081, tls: false };
    Effect::Flink(FlinkCall { cluster, request, tolerate_failure })
}

fn cancel(tolerate_failure: bool) -> Effect {
    flink(FlinkRequest::Cancel { job_id: JOB.to_owned() }, tolerate_failure)
}

fn stop() -> Effect {
    let request = FlinkRequest::StopWithSavepoint {
        job_id: JOB.to_owned(),
        trigger_id: TRIGGER.to_owned(),
        target_directory: Some("s3://b/savepoints".to_owned()),
        drain: false,
        format_type: "CANONICAL".to_owned(),
    };
    flink(request, false)
}

#[tokio::test]
async fn a_job_that_has_ended_is_cancelled() {
    let bench = Bench::new();
    bench.answers(202, json!({}));
    bench.does(cancel(false)).await;
    let asked = bench.flink.asked.lock().unwrap().remove(0).0;
    assert_eq!(asked, format!("PATCH http://app-rest.ns:8081/jobs/{JOB}?mode=cancel"));
    bench.answers(409, json!({"errors": ["already reached another terminal state"]}));
    bench.does(cancel(false)).await;
    bench.answers(404, json!({"errors": ["Job not found"]}));
    bench.does(cancel(false)).await;
}

#[tokio::test]
async fn a_flink_that_does_not_answer_is_a_failure_unless_it_does_not_matter() {
    let bench = Bench::new();
    for _ in 0..2 {
        bench.flink.prepared.lock().unwrap().push(Err(TransportError::NotSent("refused".to_owned())));
    }
    let failure = bench.fails(cancel(false)).await;
    assert_eq!(failure.action, format!("cancel job {JOB}"));
    assert!(failure.message.contains("refused"));
    bench.does(cancel(true)).await;
}

#[tokio::test]
async fn a_stop_carries_our_id_and_a_repeat_of_it_is_done() {
    let bench = Bench::new();
    bench.answers(202, json!({"request-id": TRIGGER}));
    bench.does(stop()).await;
    let (url, body) = bench.flink.asked.lock().unwrap().remove(0);
    assert_eq!(url, format!("POST http://app-rest.ns:8081/jobs/{JOB}/stop"));
    assert_eq!(
        body,
        json!({"targetDirectory": "s3://b/savepoints", "drain": false, "formatType": "CANONICAL",
            "triggerId": TRIGGER})
    );
    bench.answers(409, json!({"errors": ["OperationAlreadyFailedException"]}));
    bench.does(stop()).await;
    bench.answers(503, json!({"errors": ["starting"]}));
    assert!(!bench.fails(stop()).await.look_again);
}

fn trigger_savepoint() -> FlinkRequest {
    FlinkRequest::TriggerSavepoint {
        job_id: JOB.to_owned(),
        trigger_id: TRIGGER.to_owned(),
        target_directory: Some("s3://b/savepoints".to_owned()),
        format_type: "NATIVE".to_owned(),
    }
}

fn trigger_checkpoint() -> FlinkRequest {
    FlinkRequest::TriggerCheckpoint {
        job_id: JOB.to_owned(),
        trigger_id: TRIGGER.to_owned(),
        checkpoint_type: "INCREMENTAL".to_owned(),
    }
}

fn dispose() -> FlinkRequest {
    FlinkRequest::DisposeSavepoint { path: "s3://b/one".to_owned() }
}

fn begun(operation: &str, id: &str) -> Begun {
    let at = Timestamp::UNIX_EPOCH + Duration::from_secs(7);
    Begun { operation: operation.to_owned(), id: id.to_owned(), at }
}

#[tokio::test]
async fn what_flink_has_begun_is_told_with_its_id_and_the_time() {
    let savepoint = json!({"target-directory": "s3://b/savepoints", "formatType": "NATIVE",
        "triggerId": TRIGGER});
    let checkpoint = json!({"checkpointType": "INCREMENTAL", "triggerId": TRIGGER});
    for (request, url, sent) in [
        (trigger_savepoint(), format!("jobs/{JOB}/savepoints"), savepoint),
        (trigger_checkpoint(), format!("jobs/{JOB}/checkpoints"), checkpoint),
    ] {
        let bench = Bench::new();
        bench.clock.pass(Duration::from_secs(7));
        bench.answers(202, json!({"request-id": TRIGGER}));
        let performed = bench.perform(flink(request.clone(), false)).await;
        assert_eq!((performed.begun, performed.failure), (Some(begun(TRIGGER, TRIGGER)), None));
        let asked = bench.flink.asked.lock().unwrap().remove(0);
        assert_eq!(asked, (format!("POST http://app-rest.ns:8081/{url}"), sent));
        bench.answers(409, json!({"errors": ["OperationAlreadyFailedException"]}));
        let repeated = bench.perform(flink(request, false)).await;
        assert_eq!((repeated.begun, repeated.failure), (Some(begun(TRIGGER, TRIGGER)), None));
    }
}

#[tokio::test]
async fn a_disposal_is_known_by_its_path_and_found_by_the_id_that_flink_chooses() {
    let bench = Bench::new();
    bench.clock.pass(Duration::from_secs(7));
    bench.answers(202, json!({"request-id": TRIGGER}));
    let performed = bench.perform(flink(dispose(), true)).await;
    assert_eq!((performed.begun, performed.failure), (Some(begun("s3://b/one", TRIGGER)), None));
    let asked = bench.flink.asked.lock().unwrap().remove(0);
    let url = "POST http://app-rest.ns:8081/savepoint-disposal".to_owned();
    assert_eq!(asked, (url, json!({"savepoint-path": "s3://b/one"})));
}

#[tokio::test]
async fn what_another_resource_needs_is_not_disposed_of() {
    for (name, needed) in [("other", true), ("app", false)] {
        let bench = Bench::new();
        bench.cluster.put(KIND, name, |object| {
            object.data = json!({"spec": {"job": {"initialSavepointPath": "s3://b/one"}}});
        });
        bench.answers(202, json!({"request-id": TRIGGER}));
        let performed = bench.perform(flink(dispose(), true)).await;
        let by = ("s3://b/one".to_owned(), "FlinkDeployment other".to_owned());
        assert_eq!(performed.needed_savepoint, needed.then_some(by));
        assert_eq!(bench.flink.asked.lock().unwrap().len(), usize::from(!needed));
        assert_eq!((performed.begun.is_some(), performed.failure), (!needed, None));
    }
}

/// How often the API server is asked for lists because of a disposal.
async fn lists_for_disposal(bench: &Bench, path: &str) -> usize {
    bench.answers(202, json!({"request-id": TRIGGER}));
    let request = FlinkRequest::DisposeSavepoint { path: path.to_owned() };
    bench.perform(flink(request, true)).await;
    bench.cluster.calls().iter().filter(|call| call.starts_with("list ")).count()
}

#[tokio::test]
async fn disposals_within_five_seconds_share_a_look_unless_something_needs_the_files() {
    let bench = Bench::new();
    let needs = |path: &'static str| {
        move |object: &mut DynamicObject| {
            object.data = json!({"spec": {"job": {"initialSavepointPath": path}}});
        }
    };
    bench.cluster.put(KIND, "other", needs("s3://b/two"));
    assert_eq!(lists_for_disposal(&bench, "s3://b/one").await, 3, "one of each kind");
    bench.clock.pass(Duration::from_millis(4999));
    assert_eq!(lists_for_disposal(&bench, "s3://b/three").await, 0);
    assert_eq!(lists_for_disposal(&bench, "s3://b/two").await, 3, "it may not be needed any more");
    assert_eq!(bench.flink.asked.lock().unwrap().len(), 2, "it is needed");
    bench.cluster.put(KIND, "other", needs("s3://b/four"));
    assert_eq!(lists_for_disposal(&bench, "s3://b/two").await, 3);
    assert_eq!(bench.flink.asked.lock().unwrap().len(), 3, "it is not any more");
    assert_eq!(lists_for_disposal(&bench, "s3://b/five").await, 0);
    bench.clock.pass(Duration::from_secs(5));
    assert_eq!(lists_for_disposal(&bench, "s3://b/six").await, 3);
}

#[tokio::test]
async fn what_did_not_begin_is_not_told() {
    let bench = Bench::new();
    bench.answers(202, json!({}));
    assert_eq!(bench.perform(cancel(false)).await.begun, None, "it is over");
    for (request, action) in [
        (trigger_savepoint(), format!("take a savepoint of job {JOB}")),
        (trigger_checkpoint(), format!("take a checkpoint of job {JOB}")),
        (dispose(), "dispose of savepoint s3://b/one".to_owned()),
    ] {
        bench.answers(503, json!({"errors": ["starting"]}));
        let performed = bench.perform(flink(request.clone(), false)).await;
        assert_eq!((performed.begun, performed.failure.unwrap().action), (None, action));
        bench.answers(503, json!({"errors": ["starting"]}));
        let performed = bench.perform(flink(request, true)).await;
        assert_eq!((performed.begun, performed.failure), (None, None));
    }
}

#[tokio::test]
async fn of_several_operations_the_last_one_that_began_is_told() {
    let bench = Bench::new();
    bench.clock.pass(Duration::from_secs(7));
    bench.answers(202, json!({"request-id": TRIGGER}));
    bench.answers(202, json!({"request-id": JOB}));
    bench.answers(202, json!({}));
    let effects = vec![flink(trigger_savepoint(), false), flink(dispose(), false), cancel(false)];
    let performed = bench.executor.perform(&bench.resource, effects).await;
    assert_eq!((performed.begun, performed.failure), (Some(begun("s3://b/one", JOB)), None));
}

#[tokio::test]
async fn a_job_is_told_the_bounds_of_all_its_vertices() {
    let bench = Bench::new();
    let vertices = [("a".repeat(32), 1, 4), ("b".repeat(32), 2, 2)]
        .map(|(id, lower, upper)| (id, ParallelismBounds { lower, upper }));
    let request = FlinkRequest::Rescale { job_id: JOB.to_owned(), vertices: BTreeMap::from(vertices) };
    bench.answers(200, json!({}));
    bench.does(flink(request.clone(), false)).await;
    let (url, body) = bench.flink.asked.lock().unwrap().remove(0);
    assert_eq!(url, format!("PUT http://app-rest.ns:8081/jobs/{JOB}/resource-requirements"));
    let bounds = |lower: u32, upper: u32| json!({"parallelism": {"lowerBound": lower, "upperBound": upper}});
    assert_eq!(body, json!({"a".repeat(32): bounds(1, 4), "b".repeat(32): bounds(2, 2)}));
    bench.answers(409, json!({"errors": ["Another update is pending"]}));
    assert_eq!(bench.fails(flink(request, false)).await.action, format!("rescale job {JOB}"));
    let unknown = BTreeMap::from([("x".to_owned(), ParallelismBounds { lower: 1, upper: 1 })]);
    let request = FlinkRequest::Rescale { job_id: JOB.to_owned(), vertices: unknown };
    bench.fails(flink(request, false)).await;
    assert_eq!(bench.flink.asked.lock().unwrap().len(), 1, "an id that is none is not sent");
}

#[tokio::test]
async fn texts_that_flink_does_not_know_are_not_sent() {
    let bench = Bench::new();
    let failure = bench.fails(flink(FlinkRequest::Cancel { job_id: "../x".to_owned() }, false)).await;
    assert!(failure.message.contains("32 hexadecimal digits"), "{}", failure.message);
    let request = FlinkRequest::TriggerCheckpoint {
        job_id: JOB.to_owned(),
        trigger_id: TRIGGER.to_owned(),
        checkpoint_type: "SMALL".to_owned(),
    };
    assert!(bench.fails(flink(request, false)).await.message.contains("checkpoint types"));
    assert!(bench.flink.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn events_are_told_although_what_they_explain_has_failed() {
    let bench = Bench::new();
    let event = EventRecord::normal(Reason::Suspended, Component::Job, "why");
    let refused = create(&bench, "a1");
    bench.record("a2");
    let effects = vec![refused, Effect::AddFinalizer, Effect::Event(event)];
    let performed = bench.executor.perform(&bench.resource, effects).await;
    assert!(performed.failure.is_some());
    assert_eq!(bench.cluster.objects(Kind::EVENT).len(), 1);
    assert!(bench.finalizers().iter().all(Vec::is_empty), "nothing else is done");
}
