//! `bad-input`: resources that no operator can make true, on an API server alone. Each is told so in its status and in
//! an Event, none delays another one, and each can be deleted.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::api_bench::{ApiBench, call, chart, until};
use crate::kubernetes::{Kind, text};
use crate::scenarios::specs::{Flink, session};

const OPERATOR: &str = "bad-input-operator";
const NAMESPACE: &str = "bad-input";

/// Creates resources that no operator can make true; ends with `N passed, N failed`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The operator.
    #[arg(long)]
    binary: PathBuf,
}

/// A resource, and what its error must say.
struct Bad {
    name: &'static str,
    spec: Value,
    says: &'static str,
}

/// What a JSON merge does to the spec of a good session cluster.
fn all() -> Vec<Bad> {
    let bad = |name, spec, says| Bad { name, spec, says };
    let job = |job: Value| json!({"job": job});
    vec![
        bad("unknown-version", json!({"flinkVersion": "v9_99"}), "v9_99"),
        bad("unsupported-version", json!({"flinkVersion": "v1_13"}), "v1_13"),
        bad("unknown-mode", json!({"mode": "sideways"}), "sideways"),
        bad(
            "text-for-number",
            job(json!({"jarURI": "local:///a.jar", "parallelism": "many"})),
            "parallelism",
        ),
        bad("list-for-object", json!({"jobManager": [1]}), "jobManager"),
        bad("memory", json!({"taskManager": {"resource": {"memory": "one giga"}}}), "memory"),
        bad("no-high-availability", json!({"jobManager": {"replicas": 2}}), "igh"),
        bad("huge", json!({"flinkConfiguration": {"a.key": "x".repeat(1_000_000)}}), "large"),
    ]
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let bench = ApiBench::install(&[OPERATOR, NAMESPACE], NAMESPACE).await?;
        let failed = check_all(&bench, arguments).await.inspect_err(|_| bench.print_log())?;
        if failed > 0 {
            bench.print_log();
        }
        bench.remove().await?;
        println!("{} passed, {failed} failed", all().len() + 1 - failed);
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

async fn check_all(bench: &ApiBench, arguments: &Arguments) -> Result<usize> {
    // As if the resources had been stored under CRDs of another version.
    with_any_schema(async || create_all(bench).await).await?;
    let _operator = bench.start(&arguments.binary)?;
    let mut failed = usize::from(is_failure("good", &good(bench).await));
    for bad in all() {
        failed += usize::from(is_failure(bad.name, &told_and_deleted(bench, &bad).await));
    }
    Ok(failed)
}

fn is_failure(what: &str, result: &Result<()>) -> bool {
    if let Err(error) = result {
        println!("{what}: FAILED: {error:#}");
    }
    result.is_err()
}

/// Runs something while the API server takes anything for a FlinkDeployment.
async fn with_any_schema(create: impl AsyncFn() -> Result<()>) -> Result<()> {
    let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let schema = "/spec/versions/0/schema/openAPIV3Schema";
    let patch = json!([{"op": "replace", "path": schema, "value": any}]).to_string();
    let crd = ["patch", "crd", "flinkdeployments.flink.apache.org", "--type=json", "--patch", &patch];
    call("kubectl", &crd, "")?;
    let result = create().await;
    let own = chart().join("crds/flinkdeployments.flink.apache.org-v1.yml");
    call("kubectl", &["replace", "-f", &own.to_string_lossy()], "")?;
    result
}

/// Creates all of them; the API server takes a moment to forget the schema.
async fn create_all(bench: &ApiBench) -> Result<()> {
    for bad in all() {
        let mut object = session(bad.name, Flink::V1_20);
        merge(&mut object["spec"], &bad.spec);
        let began = Instant::now();
        while let Err(error) = bench.cluster.create(Kind::FlinkDeployment, NAMESPACE, object.clone()).await {
            ensure!(began.elapsed() < Duration::from_secs(30), "{}: {error:#}", bad.name);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    Ok(())
}

/// RFC 7386.
fn merge(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in patch {
        merge(&mut target[key], value);
    }
}

/// A good resource among them is not delayed: its cluster is created at once.
async fn good(bench: &ApiBench) -> Result<()> {
    bench.cluster.create(Kind::FlinkDeployment, NAMESPACE, session("good", Flink::V1_20)).await?;
    until("the good cluster's Deployment", async || {
        Ok(bench.cluster.get(Kind::Deployment, NAMESPACE, "good").await?.is_some())
    })
    .await
}

async fn told_and_deleted(bench: &ApiBench, bad: &Bad) -> Result<()> {
    let cluster = &bench.cluster;
    until(&format!("an error that says {:?}", bad.says), async || {
        let object = cluster.get(Kind::FlinkDeployment, NAMESPACE, bad.name).await?.unwrap_or_default();
        Ok(text(&object, "/status/error").contains(bad.says))
    })
    .await?;
    until("a warning Event", async || {
        let events = cluster.list(Kind::Event, NAMESPACE, "").await?;
        let about = |event: &&Value| text(event, "/involvedObject/name") == bad.name;
        Ok(events.iter().filter(about).any(|event| event["type"] == "Warning"))
    })
    .await?;
    let deployment = cluster.get(Kind::Deployment, NAMESPACE, bad.name).await?;
    ensure!(deployment.is_none(), "a cluster was created");
    cluster.delete(Kind::FlinkDeployment, NAMESPACE, bad.name).await?;
    until("its deletion", async || {
        Ok(cluster.get(Kind::FlinkDeployment, NAMESPACE, bad.name).await?.is_none())
    })
    .await
}
