//! Whatever answers: every call ends with a value or an error of bearable size, and never with a panic.

#![allow(clippy::unwrap_used, reason = "clippy exempts only test functions, not what they share")]

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use flink_client::{
    Endpoint, FlinkClient, FlinkCluster, JobId, RestRequest, RestResponse, Transport, TransportError,
};
use futures::executor::block_on;
use proptest::prelude::*;

#[derive(Debug)]
struct Canned(RestResponse);

#[async_trait]
impl Transport for Canned {
    async fn send(&self, _target: &Endpoint, _request: RestRequest) -> Result<RestResponse, TransportError> {
        Ok(self.0.clone())
    }
}

fn cluster(status: u16, content_type: Option<String>, body: Vec<u8>) -> FlinkCluster {
    let answer = RestResponse { status, content_type, body: Bytes::from(body) };
    let endpoint: Endpoint = "http://127.0.0.1:8081".parse().unwrap();
    FlinkClient::new(Arc::new(Canned(answer))).cluster(&endpoint)
}

/// JSON that is nearly right: Flink's own words in any order and nesting.
fn nearly_flink() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(vec![
        "jobs",
        "jid",
        "state",
        "RUNNING",
        "status",
        "id",
        "COMPLETED",
        "operation",
        "location",
        "failure-cause",
        "class",
        "stack-trace",
        "errors",
        "tasks",
        "total",
        "latest",
        "completed",
        "history",
        "vertices",
        "00000000000000000000000000000001",
        "FlinkJobNotFoundException",
        "A savepoint has been created at: ",
        "\n\tat x",
        "Caused by: ",
        "password: ",
        "://u:p@",
        "é",
    ]);
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        word.clone().prop_map(serde_json::Value::from),
    ];
    let tree = leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
            prop::collection::vec((word.clone().prop_map(str::to_owned), inner), 0..6)
                .prop_map(|entries| serde_json::Value::Object(entries.into_iter().collect())),
        ]
    });
    tree.prop_map(|value| value.to_string().into_bytes())
}

fn every_call(flink: &FlinkCluster) -> Vec<Option<flink_client::FlinkError>> {
    let job = JobId::from_u128(1);
    let trigger = flink_client::TriggerId::from_u128(1);
    block_on(async {
        vec![
            flink.dashboard_config().await.err(),
            flink.overview().await.err(),
            flink.cluster_config().await.err(),
            flink.taskmanagers().await.err(),
            flink.jobs_overview().await.err(),
            flink.job_details(&job).await.err(),
            flink.job_status(&job).await.err(),
            flink.job_result(&job).await.err(),
            flink.job_exceptions(&job, 1).await.err(),
            flink.job_metrics(&job, &["a"]).await.err(),
            flink.checkpoints(&job).await.map(|it| it.newest_restore_point()).err(),
            flink.checkpoint_details(&job, 1).await.err(),
            flink.checkpoint_config(&job).await.err(),
            flink.savepoint_result(&job, &trigger).await.err(),
            flink.checkpoint_result(&job, &trigger).await.err(),
            flink.disposal_result(&trigger).await.err(),
            flink.resource_requirements(&job).await.err(),
            flink.list_jars().await.err(),
            flink.cancel(&job).await.err(),
            flink.dispose_savepoint("file:/a").await.err(),
            flink.delete_jar("a.jar").await.err(),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_answer_is_survived(
        status in 0u16..1000,
        json in any::<bool>(),
        body in prop_oneof![nearly_flink(), prop::collection::vec(any::<u8>(), 0..2000)],
    ) {
        let content_type = json.then(|| "application/json".to_owned());
        for error in every_call(&cluster(status, content_type, body)).into_iter().flatten() {
            let _class = error.class();
            prop_assert!(error.to_string().chars().count() < 1000, "{error}");
            prop_assert!(error.text().is_none_or(|it| it.text().chars().count() <= 2049));
        }
    }
}

#[test]
fn deep_nesting_is_an_error() {
    let body = "[".repeat(100_000).into_bytes();
    for error in every_call(&cluster(200, None, body)) {
        assert!(error.is_none_or(|it| it.kind() == "malformed"));
    }
}
