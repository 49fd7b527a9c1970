//! The stub passes the checks that real Flink passes. Against a real Flink: the example `conformance`.

#![allow(clippy::unwrap_used, reason = "clippy exempts only test functions, not what they share")]

#[path = "../examples/conformance/checks.rs"]
mod checks;
#[path = "../examples/conformance/stub_cluster.rs"]
mod stub_cluster;

use flink_client::{FlinkClient, HttpOptions};

async fn differences(adaptive: bool) -> Vec<String> {
    let server = stub_cluster::start().await.unwrap();
    server.state().settings_mut().adaptive = adaptive;
    let cluster =
        FlinkClient::over_http(&HttpOptions::default()).unwrap().cluster(&server.endpoint().unwrap());
    let bench =
        checks::Bench::new(&cluster, stub_cluster::jar(), "file:///savepoints".to_owned(), Vec::new());
    let outcomes = checks::run_all(&bench).await;
    assert!(outcomes.len() > 20);
    outcomes.iter().filter(|it| it.difference.is_some()).map(ToString::to_string).collect()
}

#[tokio::test]
async fn the_stub_behaves_as_flink_does() {
    assert_eq!(differences(false).await, Vec::<String>::new());
}

#[tokio::test]
async fn the_stub_behaves_as_flink_does_with_the_adaptive_scheduler() {
    assert_eq!(differences(true).await, Vec::<String>::new());
}
