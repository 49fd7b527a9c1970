//! Every call, and every fault, over a real connection.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy exempts only test functions, not what they share"
)]

use std::time::Duration;

use bytes::Bytes;
use flink_client::answers::{JobState, Operation, ParallelismBounds, VertexRequirements};
use flink_client::stub::{
    ClusterSettings, Fault, FaultRule, FlinkState, JobPlan, Storage, StubServer, Submission,
};
use flink_client::{
    CheckpointTrigger, CheckpointType, Endpoint, ErrorClass, FlinkClient, FlinkCluster, FlinkError,
    HttpOptions, JarFile, JarRun, JobId, Limits, Missing, RestoreMode, SavepointFormat, SavepointTrigger,
    StopWithSavepoint, TriggerId, VertexId,
};
use jiff::Timestamp;

/// A job that runs from the first request on.
fn instant_plan() -> JobPlan {
    JobPlan {
        initializing: Duration::ZERO,
        scheduling: Duration::ZERO,
        deploying: Duration::ZERO,
        cancelling: Duration::ZERO,
        snapshot: Duration::ZERO,
        checkpoint_interval: None,
        ..JobPlan::default()
    }
}

fn job() -> JobId {
    JobId::from_u128(1)
}

fn trigger(number: u128) -> TriggerId {
    TriggerId::from_u128(number)
}

async fn serve(settings: ClusterSettings) -> (StubServer, FlinkCluster) {
    let now = Timestamp::now();
    let mut state = FlinkState::new(settings, Storage::default(), now);
    state.submit(Submission { job: job(), plan: instant_plan(), restore_path: None }, now).unwrap();
    let server = StubServer::start(state).await.unwrap();
    let client = FlinkClient::over_http(&HttpOptions::default()).unwrap();
    let cluster = client.cluster(&server.endpoint().unwrap());
    (server, cluster)
}

async fn plain() -> (StubServer, FlinkCluster) {
    serve(ClusterSettings::default()).await
}

#[tokio::test]
async fn the_cluster_describes_itself() {
    for version in ["1.20.3", "2.2.1"] {
        let mut settings =
            ClusterSettings { version: version.to_owned(), taskmanagers: 2, ..Default::default() };
        settings.configuration.insert("rest.port".to_owned(), "8081".to_owned());
        let (_server, flink) = serve(settings).await;
        let config = flink.dashboard_config().await.unwrap();
        assert_eq!((config.flink_version.as_str(), config.features.web_submit), (version, true));
        let overview = flink.overview().await.unwrap();
        assert_eq!((overview.taskmanagers, overview.slots_total, overview.jobs_running), (2, 16, 1));
        assert_eq!(flink.taskmanagers().await.unwrap().len(), 2);
        let entries = flink.cluster_config().await.unwrap();
        assert_eq!((entries[0].key.as_str(), entries[0].value.as_str()), ("rest.port", "8081"));
        let metrics = flink.jobmanager_metrics(&["Status.JVM.CPU.Load", "nonsense"]).await.unwrap();
        assert_eq!(metrics.len(), 1);
        assert_eq!(flink.job_exceptions(&job(), 5).await.unwrap().entries.len(), 0);
    }
}

#[tokio::test]
async fn a_job_is_read_and_cancelled() {
    let (server, flink) = plain().await;
    assert_eq!(flink.jobs_overview().await.unwrap()[0].state, JobState::Running);
    assert_eq!(flink.job_status(&job()).await, Ok(JobState::Running));
    let details = flink.job_details(&job()).await.unwrap();
    assert_eq!((details.id, details.vertices.len()), (job(), 2));
    assert_eq!(flink.job_result(&job()).await, Ok(None));
    assert_eq!(flink.job_metrics(&job(), &["numRestarts"]).await.unwrap()[0].number(), Some(0.0));
    assert_eq!(flink.checkpoint_config(&job()).await.unwrap().interval, i64::MAX);
    assert_eq!(flink.checkpoints(&job()).await.unwrap().newest_restore_point(), None);
    let none = flink.checkpoint_details(&job(), 99).await.unwrap_err();
    assert!(matches!(none, FlinkError::NotFound { missing: Missing::Other, .. }), "{none}");
    flink.cancel(&job()).await.unwrap();
    assert_eq!(flink.job_status(&job()).await, Ok(JobState::Canceled));
    assert!(server.state().requests().contains(&format!("PATCH /jobs/{}?mode=cancel", job())));
}

#[tokio::test]
async fn snapshots_are_taken_and_disposed_of() {
    let (_server, flink) = plain().await;
    let format_type = SavepointFormat::Canonical;
    let target_directory = Some("file:///s".to_owned());
    let savepoint =
        SavepointTrigger { target_directory: target_directory.clone(), format_type, trigger_id: trigger(1) };
    flink.trigger_savepoint(&job(), &savepoint).await.unwrap();
    let Operation::Completed(path) = flink.savepoint_result(&job(), &trigger(1)).await.unwrap() else {
        panic!("not completed")
    };
    let checkpoint = CheckpointTrigger { checkpoint_type: CheckpointType::Full, trigger_id: trigger(2) };
    flink.trigger_checkpoint(&job(), &checkpoint).await.unwrap();
    assert_eq!(flink.checkpoint_result(&job(), &trigger(2)).await, Ok(Operation::Completed(2)));
    let disposal = flink.dispose_savepoint(&path).await.unwrap();
    assert_eq!(flink.disposal_result(&disposal).await, Ok(Operation::Completed(())));
    let again = flink.dispose_savepoint(&path).await.unwrap();
    assert!(matches!(flink.disposal_result(&again).await, Ok(Operation::Failed(_))));
    let unknown = flink.disposal_result(&trigger(99)).await.unwrap_err();
    assert!(unknown.is_operation_not_found(), "{unknown}");
    let stop = StopWithSavepoint { target_directory, drain: true, format_type, trigger_id: trigger(3) };
    flink.stop_with_savepoint(&job(), &stop).await.unwrap();
    assert!(matches!(flink.savepoint_result(&job(), &trigger(3)).await, Ok(Operation::Completed(_))));
    assert_eq!(flink.job_status(&job()).await, Ok(JobState::Finished));
}

#[tokio::test]
async fn a_savepoint_without_directory_is_a_bad_request() {
    let (_server, flink) = plain().await;
    let trigger_id = trigger(1);
    let savepoint =
        SavepointTrigger { target_directory: None, format_type: SavepointFormat::Native, trigger_id };
    let refused = flink.trigger_savepoint(&job(), &savepoint).await.unwrap_err();
    assert!(matches!(refused, FlinkError::Client { status: 400, .. }), "{refused}");
    assert_eq!(refused.class(), ErrorClass::TellUser);
    assert!(refused.to_string().contains("execution.checkpointing.savepoint-dir"), "{refused}");
}

#[tokio::test]
async fn a_jar_is_uploaded_run_and_deleted() {
    let settings = ClusterSettings { jar_plan: instant_plan(), ..Default::default() };
    let (_server, flink) = serve(settings).await;
    let directory = std::env::temp_dir().join(format!("flink-client-jar-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("a.jar");
    std::fs::write(&path, vec![b'x'; 300_000]).unwrap();
    let from_disk = flink.upload_jar(&JarFile::Path { name: "my-job.jar".to_owned(), path }).await.unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    let content = Bytes::from_static(b"jar");
    let from_memory =
        flink.upload_jar(&JarFile::Bytes { name: "other.jar".to_owned(), content }).await.unwrap();
    assert!(from_disk.ends_with("_my-job.jar") && from_memory.ends_with("_other.jar"));
    let listed: Vec<String> = flink.list_jars().await.unwrap().into_iter().map(|jar| jar.name).collect();
    assert_eq!(listed, ["my-job.jar", "other.jar"]);

    let mut run = JarRun {
        entry_class: Some("com.example.Main".to_owned()),
        program_args: vec!["--a b".to_owned()],
        parallelism: Some(2),
        job_id: Some(JobId::from_u128(5)),
        allow_non_restored_state: Some(true),
        claim_mode: Some(RestoreMode::NoClaim),
        ..JarRun::default()
    };
    run.flink_configuration.insert("a.b".to_owned(), "c".to_owned());
    assert_eq!(flink.run_jar(&from_disk, &run).await, Ok(JobId::from_u128(5)));
    assert_eq!(flink.job_details(&JobId::from_u128(5)).await.unwrap().vertices[0].parallelism, 2);
    let duplicate = flink.run_jar(&from_disk, &run).await.unwrap_err();
    assert!(matches!(duplicate, FlinkError::Conflict { .. }), "{duplicate}");
    flink.cancel(&JobId::from_u128(5)).await.unwrap();
    let used_up = flink.run_jar(&from_disk, &run).await.unwrap_err();
    assert!(matches!(used_up, FlinkError::Conflict { .. }), "{used_up}");

    let lost =
        JarRun { job_id: Some(JobId::from_u128(6)), savepoint_path: Some("file:/none".to_owned()), ..run };
    let refused = flink.run_jar(&from_disk, &lost).await.unwrap_err();
    assert_eq!((refused.class(), refused.may_have_happened()), (ErrorClass::TellUser, true), "{refused}");
    assert!(refused.to_string().contains("Cannot find checkpoint or savepoint"), "{refused}");
    assert_eq!(flink.job_status(&JobId::from_u128(6)).await, Ok(JobState::Failed));

    flink.delete_jar(&from_disk).await.unwrap();
    let gone = flink.delete_jar(&from_disk).await.unwrap_err();
    assert!(matches!(gone, FlinkError::Client { status: 400, .. }), "{gone}");
    let missing = JarFile::Path { name: "a.jar".to_owned(), path: directory.join("none.jar") };
    assert!(matches!(flink.upload_jar(&missing).await, Err(FlinkError::Unsendable { .. })));
    let name = "a\"; filename=\"b.jar".to_owned();
    let hostile = JarFile::Bytes { name, content: Bytes::new() };
    assert!(matches!(flink.upload_jar(&hostile).await, Err(FlinkError::Unsendable { .. })));
}

#[tokio::test]
async fn the_adaptive_scheduler_takes_new_bounds() {
    let (_server, flink) = serve(ClusterSettings { adaptive: true, ..Default::default() }).await;
    let mut bounds = flink.resource_requirements(&job()).await.unwrap();
    let source = VertexId::from_u128(1);
    let wanted = ParallelismBounds { lower_bound: 1, upper_bound: 4 };
    bounds.vertices.insert(source.clone(), VertexRequirements { parallelism: wanted });
    flink.update_resource_requirements(&job(), &bounds).await.unwrap();
    assert_eq!(flink.resource_requirements(&job()).await.unwrap(), bounds);
    bounds.vertices.remove(&source);
    let incomplete = flink.update_resource_requirements(&job(), &bounds).await.unwrap_err();
    assert!(matches!(incomplete, FlinkError::Client { status: 400, .. }), "{incomplete}");

    let (_server, flink) = plain().await;
    let unsupported = flink.resource_requirements(&job()).await.unwrap_err();
    assert!(matches!(unsupported, FlinkError::Server { status: 500, .. }), "{unsupported}");
    assert!(unsupported.to_string().contains("AdaptiveScheduler"), "{unsupported}");
}

/// Every call about a job that Flink does not know, and every call with a trigger id that it does not know.
#[tokio::test]
async fn what_is_unknown_is_not_found() {
    let (_server, flink) = plain().await;
    let other = JobId::from_u128(99);
    let errors = [
        flink.job_details(&other).await.unwrap_err(),
        flink.job_status(&other).await.unwrap_err(),
        flink.job_result(&other).await.unwrap_err(),
        flink.job_exceptions(&other, 1).await.unwrap_err(),
        flink.checkpoints(&other).await.unwrap_err(),
        flink.checkpoint_config(&other).await.unwrap_err(),
        flink.checkpoint_details(&other, 1).await.unwrap_err(),
        flink.resource_requirements(&other).await.unwrap_err(),
        flink.cancel(&other).await.unwrap_err(),
    ];
    for error in errors {
        assert!(error.is_job_not_found(), "{error:?}");
        assert_eq!((error.class(), error.status()), (ErrorClass::LookAgain, Some(404)));
    }
    assert_eq!(flink.job_metrics(&other, &["numRestarts"]).await, Ok(Vec::new()));
    for error in [
        flink.savepoint_result(&job(), &trigger(9)).await.unwrap_err(),
        flink.checkpoint_result(&job(), &trigger(9)).await.unwrap_err(),
    ] {
        assert!(error.is_operation_not_found(), "{error:?}");
    }
}

async fn under(fault: Fault) -> FlinkError {
    let (server, flink) = plain().await;
    server.state().add_fault(FaultRule::once("/jobs/overview", fault));
    let limits = Limits { time: Duration::from_millis(500), answer_bytes: 10_000 };
    let error = flink.with_limits(limits).jobs_overview().await.unwrap_err();
    flink.jobs_overview().await.unwrap();
    error
}

#[tokio::test]
async fn every_fault_is_an_error_of_its_kind() {
    let text = |text: &str| text.to_owned();
    let kind = |error: FlinkError| (error.kind(), error.class(), error.status());
    let retry = ErrorClass::Retry;
    let late = kind(under(Fault::Delay(Duration::from_secs(30))).await);
    assert_eq!(late, ("too-late", retry, None));
    assert_eq!(kind(under(Fault::Hang).await), ("too-late", retry, None));
    let drip = Fault::Drip { piece: 1, pause: Duration::from_millis(50) };
    assert_eq!(kind(under(drip).await), ("too-late", retry, None));
    assert_eq!(kind(under(Fault::Reset).await), ("unreachable", retry, None));
    let status = |status| Fault::Status { status, text: "no".to_owned() };
    assert_eq!(kind(under(status(404)).await), ("not-found", ErrorClass::LookAgain, Some(404)));
    assert_eq!(kind(under(status(409)).await), ("conflict", ErrorClass::LookAgain, Some(409)));
    assert_eq!(kind(under(status(400)).await), ("client", ErrorClass::TellUser, Some(400)));
    assert_eq!(kind(under(status(429)).await), ("client", retry, Some(429)));
    assert_eq!(kind(under(status(500)).await), ("server", retry, Some(500)));
    assert_eq!(kind(under(status(503)).await), ("server", retry, Some(503)));
    assert_eq!(kind(under(Fault::Truncate(20)).await), ("malformed", retry, Some(200)));
    assert_eq!(kind(under(Fault::Huge(20_000)).await), ("too-large", ErrorClass::TellUser, Some(200)));
    let html = under(Fault::ContentType(text("text/html"))).await;
    assert_eq!(kind(html.clone()), ("malformed", ErrorClass::TellUser, Some(200)));
    assert!(html.to_string().contains("text/html"), "{html}");
    let foreign = |status, content_type: &str, body: &str| Fault::Foreign {
        status,
        content_type: content_type.to_owned(),
        body: body.to_owned(),
    };
    let login = under(foreign(200, "application/json", "{\"login\":true}")).await;
    assert_eq!(kind(login), ("malformed", ErrorClass::TellUser, Some(200)));
    let page = under(foreign(404, "text/html", "<html>nothing here</html>")).await;
    assert_eq!(kind(page.clone()), ("malformed", ErrorClass::TellUser, Some(404)));
    assert!(!page.is_job_not_found());
    assert_eq!(kind(under(foreign(502, "text/html", "bad gateway")).await), ("unreachable", retry, None));
    let proxy = r#"{"kind":"Status","message":"no endpoints available for service \"a-rest\""}"#;
    let nothing_behind = under(foreign(503, "application/json", proxy)).await;
    assert_eq!(kind(nothing_behind.clone()), ("unreachable", retry, None));
    assert!(nothing_behind.to_string().contains("no endpoints available"), "{nothing_behind}");
    let moved = under(foreign(301, "text/plain", "")).await;
    assert_eq!(kind(moved), ("client", ErrorClass::TellUser, Some(301)));
}

#[tokio::test]
async fn an_unknown_job_state_is_named() {
    let (server, flink) = plain().await;
    let body = r#"{"status":"HIBERNATING","more":1}"#.to_owned();
    let fault = Fault::Foreign { status: 200, content_type: "application/json".to_owned(), body };
    server.state().add_fault(FaultRule::once("/status", fault));
    let error = flink.job_status(&job()).await.unwrap_err();
    assert!(error.to_string().contains("HIBERNATING"), "{error}");
}

#[tokio::test]
async fn an_answer_about_another_job_is_not_taken() {
    let (server, flink) = plain().await;
    let other = JobId::from_u128(2);
    let submission = Submission { job: other.clone(), plan: instant_plan(), restore_path: None };
    server.state().submit(submission, Timestamp::now()).unwrap();
    server.state().add_fault(FaultRule::once("/jobs/", Fault::AboutJob(other.clone())).always());
    let error = flink.job_details(&job()).await.unwrap_err();
    assert_eq!(error.kind(), "malformed");
    let listed = flink.jobs_overview().await.unwrap();
    assert!(listed.iter().all(|it| it.id == other), "{listed:?}");
}

#[tokio::test]
async fn a_lost_answer_does_not_mean_a_lost_request() {
    for (fault, happened) in [
        (FaultRule::once("/stop", Fault::Reset), true),
        (FaultRule::once("/stop", Fault::Reset).before_effect(), false),
        (FaultRule::once("/stop", Fault::Truncate(3)), true),
    ] {
        let (server, flink) = plain().await;
        server.state().add_fault(fault);
        let stop = StopWithSavepoint {
            target_directory: Some("file:///s".to_owned()),
            drain: false,
            format_type: SavepointFormat::Canonical,
            trigger_id: trigger(1),
        };
        let error = flink.stop_with_savepoint(&job(), &stop).await.unwrap_err();
        assert!(error.may_have_happened(), "{error}");
        assert_eq!(error.class(), ErrorClass::LookAgain);
        let result = flink.savepoint_result(&job(), &trigger(1)).await;
        assert_eq!(matches!(result, Ok(Operation::Completed(_))), happened, "{result:?}");
        // The repeat is the same operation.
        flink.stop_with_savepoint(&job(), &stop).await.unwrap();
        assert!(matches!(flink.savepoint_result(&job(), &trigger(1)).await, Ok(Operation::Completed(_))));
        assert_eq!(server.state().storage().all().len(), 1);
    }
}

#[tokio::test]
async fn nobody_listening_is_known_not_to_have_been_sent() {
    let (server, flink) = plain().await;
    flink.cancel(&job()).await.unwrap();
    drop(server);
    // The listener goes with its task, which ends when the runtime next gets to it.
    let mut error = flink.cancel(&job()).await.unwrap_err();
    for _ in 0..100 {
        if matches!(&error, FlinkError::Unreachable { sent: false, .. }) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        error = flink.cancel(&job()).await.unwrap_err();
    }
    assert!(matches!(error, FlinkError::Unreachable { sent: false, .. }), "{error:?}");
    assert!(!error.may_have_happened() && error.is_no_answer());
    assert_eq!(error.class(), ErrorClass::Retry);
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_unreachable() {
    let endpoint: Endpoint = "http://no-such-cluster.invalid:8081".parse().unwrap();
    let client = FlinkClient::over_http(&HttpOptions::default()).unwrap();
    let error = client.cluster(&endpoint).jobs_overview().await.unwrap_err();
    assert!(error.is_no_answer(), "{error:?}");
}

#[tokio::test]
async fn a_huge_answer_without_declared_length_is_cut_off() {
    let pieces = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![0; 1000])));
    let endless = Box::pin(pieces);
    let error = flink_client::read_body(200, None, 5000, endless).await.unwrap_err();
    assert_eq!(error, flink_client::TransportError::TooLarge { status: 200 });
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let (server, flink) = plain().await;
    for _ in 0..20 {
        flink.jobs_overview().await.unwrap();
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn requests_pass_through_a_path_prefix() {
    let (server, _) = plain().await;
    let endpoint = server.endpoint().unwrap().with_path_prefix("/v1").unwrap();
    let client = FlinkClient::over_http(&HttpOptions::default()).unwrap();
    assert_eq!(client.cluster(&endpoint).jobs_overview().await.unwrap().len(), 1);
    assert_eq!(server.state().requests(), ["GET /v1/jobs/overview"]);
}

#[tokio::test]
async fn secrets_in_an_error_are_masked() {
    let (server, flink) = plain().await;
    let text = "Could not write with s3.secret-key: abc123".to_owned();
    server.state().add_fault(FaultRule::once("/jobs/overview", Fault::Status { status: 500, text }));
    let error = flink.jobs_overview().await.unwrap_err();
    assert!(error.to_string().contains("s3.secret-key: ******"), "{error}");
    assert!(!format!("{error:?}").contains("abc123"), "{error:?}");
    let options = HttpOptions { bearer_token: Some("abc123".to_owned()), ..HttpOptions::default() };
    let client = FlinkClient::over_http(&options).unwrap();
    assert!(!format!("{options:?} {client:?}").contains("abc123"));
}
