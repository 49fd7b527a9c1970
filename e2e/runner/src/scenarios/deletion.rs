//! Deletion of FlinkDeployments: everything that belongs to them goes, nothing else, from every state.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::expectations::{error_message, nothing_left, stable};
use super::space::{Space, TO_NOTICE};
use super::specs::{Flink, application};
use crate::kubernetes::{Kind, uid};

pub(super) async fn of_a_running_job(space: &Space) -> Result<()> {
    let others = others(space).await?;
    space.create(application(space, "app", Flink::V1_20)).await?;
    stable(space, "app").await?;
    space.cluster.delete(Kind::FlinkDeployment, &space.name, "app").await?;
    space.say("deleted app");
    nothing_left(space, "app", &["users-own"]).await?;
    for (kind, name, before) in others {
        let now = space.cluster.get(kind, &space.name, name).await?.unwrap_or_default();
        ensure!(uid(&now) == uid(&before), "{kind:?} {name} was touched: {now}");
    }
    Ok(())
}

/// Objects of others in the same namespace; one has a label that objects of the cluster have, too.
async fn others(space: &Space) -> Result<Vec<(Kind, &'static str, Value)>> {
    let config_map = |name: &str, label: &str| {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "labels": {"app": label}}, "data": {"a": "b"},
        })
    };
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "app-other", "labels": {"app": "other"}},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "other"}},
            "template": {
                "metadata": {"labels": {"app": "other"}},
                "spec": {"containers": [{"name": "c", "image": "flink:1.20"}]},
            },
        },
    });
    let mut others = Vec::new();
    for (kind, name, object) in [
        (Kind::ConfigMap, "unrelated", config_map("unrelated", "other")),
        (Kind::ConfigMap, "users-own", config_map("users-own", "app")),
        (Kind::Deployment, "app-other", deployment),
    ] {
        others.push((kind, name, space.cluster.create(kind, &space.name, object).await?));
    }
    Ok(others)
}

/// Deleted at once, while the image cannot be pulled, and with a spec that was never valid.
pub(super) async fn before_stable(space: &Space) -> Result<()> {
    space.create(application(space, "at-once", Flink::V1_20)).await?;
    space.cluster.delete(Kind::FlinkDeployment, &space.name, "at-once").await?;

    let mut broken = application(space, "broken", Flink::V1_20);
    broken["spec"]["image"] = "flink:does-not-exist".into();
    space.create(broken).await?;
    let mut invalid = application(space, "invalid", Flink::V1_20);
    invalid["spec"]["job"]["parallelism"] = 0.into();
    space.create(invalid).await?;
    for name in ["broken", "invalid"] {
        space.until_deployment(name, "has an error", TO_NOTICE, |now| !error_message(now).is_empty()).await?;
        space.cluster.delete(Kind::FlinkDeployment, &space.name, name).await?;
        space.say(&format!("deleted {name}"));
    }
    for name in ["at-once", "broken", "invalid"] {
        nothing_left(space, name, &[]).await?;
    }
    Ok(())
}
