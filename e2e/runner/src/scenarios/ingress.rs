//! The Ingress of a job's REST API, with requests through a controller: made, changed in place, put right, removed. The
//! job takes no notice.

mod controller;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::expectations::{condition, event, jobmanager, stable, stays_untouched};
use super::space::{Look, Space, TO_NOTICE, nothing};
use super::specs::{Flink, application};
use crate::kubernetes::{Kind, text, uid};
use controller::Controller;

const NAME: &str = "app";
const HOST: &str = "/spec/rules/0/host";
const CLASS: &str = "/spec/ingressClassName";

pub(super) async fn run(space: &Space) -> Result<()> {
    let controller = Controller::start()?;
    let mut deployment = application(space, NAME, Flink::V1_20);
    deployment["spec"]["ingress"] = json!({
        "template": "{{name}}.{{namespace}}.example.com",
        "className": "one",
        "labels": {"team": "data", "old": "1"},
        "annotations": {"example.com/a": "1", "example.com/old": "1"},
        "tls": [{"hosts": ["flink.example.com"], "secretName": "none"}],
    });
    space.create(deployment).await?;
    let before = Running::of(space).await?;
    let made = ingress(space, "is made", |_| true).await?;
    let first = format!("{NAME}.{}.example.com", space.name);
    ensure!(text(&made, HOST) == first && text(&made, CLASS) == "one", "{made}");
    ensure!(made["spec"]["tls"][0]["hosts"] == json!(["flink.example.com"]), "{made}");
    answers(space, &controller, &first).await?;

    changed_spec(space, &made).await?;
    answers(space, &controller, "second.example.com").await?;
    leads_nowhere(space, &controller, &first).await?;
    changed_by_hand(space, &made).await?;
    deleted_by_hand(space, &made).await?;
    answers(space, &controller, "second.example.com").await?;
    stays_untouched(space, NAME, 20).await?;

    space.change(NAME, json!({"ingress": null})).await?;
    gone(space).await?;
    leads_nowhere(space, &controller, "second.example.com").await?;
    foreign(space).await?;
    answers(space, &controller, "third.example.com").await?;
    ensure!(Running::of(space).await? == before, "the job or its JobManager is another one");
    space.say("the job has run all the time");
    Ok(())
}

/// What a restart would change.
#[derive(Debug, PartialEq, Eq)]
struct Running {
    jobmanager: String,
    job: String,
    start_time: String,
}

impl Running {
    async fn of(space: &Space) -> Result<Self> {
        let deployment = stable(space, NAME).await?;
        let of_status = |pointer: &str| text(&deployment, pointer).to_owned();
        Ok(Self {
            jobmanager: uid(&jobmanager(space, NAME).await?).to_owned(),
            job: of_status("/status/jobStatus/jobId"),
            start_time: of_status("/status/jobStatus/startTime"),
        })
    }
}

/// Every part of the Ingress changes.
async fn changed_spec(space: &Space, made: &Value) -> Result<()> {
    let spec = json!({
        "template": "second.example.com",
        "className": "two",
        "labels": {"team": "other", "old": null},
        "annotations": {"example.com/a": "2", "example.com/old": null, "example.com/b": "1"},
        "tls": null,
    });
    space.change(NAME, json!({"ingress": spec})).await?;
    let changed =
        ingress(space, "has the new host", |found| text(found, HOST) == "second.example.com").await?;
    ensure!(uid(&changed) == uid(made), "it was made anew");
    ensure!(text(&changed, CLASS) == "two" && changed["spec"].get("tls").is_none(), "{changed}");
    let metadata = &changed["metadata"];
    ensure!(metadata["labels"] == json!({"component": "ingress", "team": "other"}), "{metadata}");
    let annotations = json!({"example.com/a": "2", "example.com/b": "1"});
    ensure!(metadata["annotations"] == annotations, "{metadata}");
    let deployment = stable(space, NAME).await?;
    ensure!(deployment["status"]["observedGeneration"] == 2, "{}", deployment["status"]);
    Ok(())
}

/// What the spec says is put back; what it does not speak of stays.
async fn changed_by_hand(space: &Space, made: &Value) -> Result<()> {
    let hand = json!({
        "metadata": {
            "labels": {"component": null},
            "annotations": {"example.com/a": "by hand", "example.com/theirs": "1"},
        },
        "spec": {"ingressClassName": "by-hand"},
    });
    space.say("changing the Ingress by hand");
    space.cluster.patch(Kind::Ingress, &space.name, NAME, &hand).await?;
    let restored = ingress(space, "is put right", |found| text(found, CLASS) == "two").await?;
    ensure!(uid(&restored) == uid(made), "it was made anew");
    let metadata = &restored["metadata"];
    ensure!(metadata["labels"]["component"] == "ingress", "{metadata}");
    ensure!(metadata["annotations"]["example.com/a"] == "2", "{metadata}");
    ensure!(metadata["annotations"]["example.com/theirs"] == "1", "{metadata}");
    Ok(())
}

async fn deleted_by_hand(space: &Space, made: &Value) -> Result<()> {
    space.say("deleting the Ingress by hand");
    space.cluster.delete(Kind::Ingress, &space.name, NAME).await?;
    ingress(space, "is back", |found| uid(found) != uid(made)).await?;
    Ok(())
}

/// Somebody else's is left alone, and the user told.
async fn foreign(space: &Space) -> Result<()> {
    let theirs = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": NAME},
        "spec": {"defaultBackend": {"service": {"name": "theirs", "port": {"number": 80}}}},
    });
    let theirs = space.cluster.create(Kind::Ingress, &space.name, theirs).await?;
    space.change(NAME, json!({"ingress": {"template": "third.example.com"}})).await?;
    event(space, NAME, "Warning", &["IngressManagement"]).await?;
    let holds = |deployment: &Value| {
        condition(deployment, "SpecAccepted").is_some_and(|found| found["reason"] == "IngressExists")
    };
    space.until_deployment(NAME, "says that the Ingress is not its own", TO_NOTICE, holds).await?;
    let found = space.cluster.get(Kind::Ingress, &space.name, NAME).await?.context("it is gone")?;
    for part in ["/metadata/ownerReferences", "/metadata/labels", "/spec"] {
        ensure!(found.pointer(part) == theirs.pointer(part), "{found}");
    }
    space.cluster.delete(Kind::Ingress, &space.name, NAME).await?;
    ingress(space, "comes when the name is free", |found| text(found, HOST) == "third.example.com").await?;
    Ok(())
}

/// Waits until the Ingress fulfils a condition.
async fn ingress(space: &Space, what: &str, fulfils: impl Fn(&Value) -> bool) -> Result<Value> {
    let found = space
        .until(&format!("the Ingress {what}"), TO_NOTICE, async || {
            let found = space.cluster.get(Kind::Ingress, &space.name, NAME).await?;
            Ok(match found {
                Some(found) if fulfils(&found) => Look::Done(found),
                found => Look::NotYet(format!("{found:?}")),
            })
        })
        .await?;
    space.say(&format!("the Ingress {what}"));
    Ok(found)
}

async fn gone(space: &Space) -> Result<()> {
    space
        .until("the Ingress is gone", TO_NOTICE, async || {
            let left = space.cluster.get(Kind::Ingress, &space.name, NAME).await?;
            Ok(nothing(usize::from(left.is_some())))
        })
        .await?;
    space.say("the Ingress is gone");
    Ok(())
}

/// Waits until Flink answers under a host.
async fn answers(space: &Space, controller: &Controller, host: &str) -> Result<()> {
    let answer = space
        .until(&format!("Flink answers as {host}"), TO_NOTICE, async || {
            Ok(match controller.get(host, "/config").await? {
                Some(answer) => Look::Done(answer),
                None => Look::NotYet("no route".to_owned()),
            })
        })
        .await?;
    let config: Value = serde_json::from_str(&answer).with_context(|| answer.clone())?;
    let version = text(&config, "/flink-version");
    ensure!(version.starts_with(Flink::V1_20.reported()), "{config}");
    space.say(&format!("Flink {version} answers as {host}"));
    Ok(())
}

/// Waits until no route leads to Flink under a host.
async fn leads_nowhere(space: &Space, controller: &Controller, host: &str) -> Result<()> {
    space
        .until(&format!("{host} leads nowhere"), TO_NOTICE, async || {
            Ok(nothing(usize::from(controller.get(host, "/config").await?.is_some())))
        })
        .await
}
