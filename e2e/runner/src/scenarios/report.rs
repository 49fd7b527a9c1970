//! What a person needs to find out why a scenario failed.

use serde_json::Value;

use super::space::Space;
use crate::kubernetes::{Kind, name, text};

/// Prints statuses, Events, pods and logs.
pub(super) async fn explain(space: &Space) {
    println!("----- {}: what is there", space.name);
    resources(space).await;
    events(space).await;
    pods(space).await;
    operator(space).await;
    println!("-----");
}

async fn resources(space: &Space) {
    for mut object in list(space, Kind::FlinkDeployment).await {
        object["metadata"]["managedFields"] = Value::Null;
        let status = serde_json::to_string_pretty(&object["status"]).unwrap_or_default();
        println!("FlinkDeployment {} {}\n{status}", name(&object), object["metadata"]);
    }
    for kind in [Kind::Deployment, Kind::ReplicaSet, Kind::Service, Kind::ConfigMap] {
        let names: Vec<_> = list(space, kind).await.iter().map(|object| name(object).to_owned()).collect();
        println!("{kind:?}: {}", names.join(" "));
    }
}

async fn events(space: &Space) {
    let mut events = list(space, Kind::Event).await;
    events.sort_by_key(|event| text(event, "/lastTimestamp").to_owned());
    for event in events {
        println!(
            "{} {} {}/{} {}: {}",
            text(&event, "/lastTimestamp"),
            text(&event, "/type"),
            text(&event, "/involvedObject/kind"),
            text(&event, "/involvedObject/name"),
            text(&event, "/reason"),
            text(&event, "/message"),
        );
    }
}

async fn pods(space: &Space) {
    for pod in list(space, Kind::Pod).await {
        println!("pod {} {} {}", name(&pod), text(&pod, "/status/phase"), pod["status"]["containerStatuses"]);
        match space.cluster.log(&space.name, name(&pod), 30, false).await {
            Ok(log) => println!("{log}"),
            Err(error) => println!("{error:#}"),
        }
    }
}

async fn operator(space: &Space) {
    match space.operator.log(&space.cluster, 2000, false).await {
        Ok(log) => {
            let lines: Vec<_> = log.lines().filter(|line| line.contains(&space.name)).collect();
            println!("operator, lines with {}:", space.name);
            println!("{}", lines[lines.len().saturating_sub(60)..].join("\n"));
        }
        Err(error) => println!("{error:#}"),
    }
}

async fn list(space: &Space, kind: Kind) -> Vec<Value> {
    match space.cluster.list(kind, &space.name, "").await {
        Ok(objects) => objects,
        Err(error) => {
            println!("{error:#}");
            Vec::new()
        }
    }
}
