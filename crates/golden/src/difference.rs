//! The differences that we want. `docs/differences.md`, section "Objects", says why; each is taken out of the
//! comparison as narrowly as it can be stated, and only where it occurs.

use std::collections::BTreeMap;

use flink_conf::structured;
use resources::{ATTEMPT_ANNOTATION, logging, names};
use serde_json::{Map, Value, json};

use crate::ours::ATTEMPT;
use crate::text;

/// Objects by `Kind/name`, in comparable form.
pub type Objects = BTreeMap<String, Value>;

/// One listed difference.
#[derive(Clone, Copy, Debug)]
pub struct Difference {
    /// Its name in `docs/differences.md`.
    pub id: &'static str,
    /// Takes the difference out of both sides; true if there was one.
    apply: fn(&mut Objects, &mut Objects) -> bool,
}

/// All of them.
pub const LISTED: &[Difference] = &[
    Difference { id: "attempt annotation", apply: attempt_annotation },
    Difference { id: "owner of TaskManagers", apply: owner_of_task_managers },
    Difference { id: "autoscaler ConfigMap", apply: autoscaler_config_map },
    Difference { id: "pod template paths", apply: pod_template_paths },
    Difference { id: "order of maps", apply: order_of_maps },
    Difference { id: "default log4j file", apply: default_log_file },
    Difference { id: "no probe in the node's network", apply: probe_in_host_network },
    Difference { id: "container port of REST", apply: rest_container_port },
    Difference { id: "default image", apply: default_image },
    Difference { id: "job graphs in ZooKeeper", apply: job_graphs_in_zookeeper },
];

/// Takes all listed differences out of both sides and names those that occurred.
pub fn take_out(recorded: &mut Objects, ours: &mut Objects) -> Vec<&'static str> {
    LISTED.iter().filter(|difference| (difference.apply)(recorded, ours)).map(|it| it.id).collect()
}

/// Recorded TaskManager Deployments belong to the FlinkDeployment like JobManagers', ours to the JobManager's.
fn owner_of_task_managers(recorded: &mut Objects, ours: &mut Objects) -> bool {
    const SUFFIX: &str = "-taskmanager";
    let owners = |object: &Value| object.pointer("/metadata/ownerReferences").cloned();
    let keys: Vec<_> =
        ours.keys().filter(|key| key.starts_with("Deployment/") && key.ends_with(SUFFIX)).cloned().collect();
    let mut found = false;
    for key in keys {
        let job_manager = key.trim_end_matches(SUFFIX);
        let resource = ours.get(job_manager).and_then(owners);
        if resource.is_none() || recorded.get(&key).and_then(owners) != resource {
            continue;
        }
        let Some(deployment) = ours.get_mut(&key) else { continue };
        let belongs = owners(deployment).is_some_and(|owners| owners[0]["kind"] == "Deployment");
        if let (true, Some(resource)) = (belongs, resource) {
            deployment["metadata"]["ownerReferences"] = resource;
            found = true;
        }
    }
    found
}

fn attempt_annotation(_: &mut Objects, ours: &mut Objects) -> bool {
    let mut found = false;
    for (_, deployment) in ours.iter_mut().filter(|(key, _)| key.starts_with("Deployment/")) {
        let Some(Value::Object(metadata)) = deployment.get_mut("metadata") else { continue };
        let Some(Value::Object(annotations)) = metadata.get_mut("annotations") else { continue };
        let is_marked = annotations.remove(ATTEMPT_ANNOTATION).is_some();
        // TaskManagers have no annotation but this one, unless the user gives them some.
        if is_marked && annotations.is_empty() {
            metadata.remove("annotations");
        }
        found |= is_marked;
    }
    found
}

fn autoscaler_config_map(recorded: &mut Objects, _: &mut Objects) -> bool {
    let before = recorded.len();
    recorded.retain(|key, object| {
        let is_it = key.starts_with("ConfigMap/autoscaler-")
            && object.pointer("/metadata/labels/component") == Some(&json!("autoscaler"));
        !is_it
    });
    recorded.len() < before
}

fn pod_template_paths(recorded: &mut Objects, _: &mut Objects) -> bool {
    let mut found = false;
    for key in ["kubernetes.pod-template-file.jobmanager", "kubernetes.pod-template-file.taskmanager"] {
        each_configuration(recorded, |data| {
            let is_generated = text::option(data, key).is_some_and(|path| path.starts_with("<TMPDIR>/"));
            if is_generated {
                found = true;
                text::edit_option(data, key, |_| None);
            }
        });
    }
    found
}

fn order_of_maps(recorded: &mut Objects, ours: &mut Objects) -> bool {
    let mut found = false;
    for key in ["kubernetes.jobmanager.annotations", "kubernetes.jobmanager.owner.reference"] {
        let mut sort = |data: &mut Map<String, Value>| {
            text::edit_option(data, key, |value| {
                let mut pairs = structured::split_map(value)?;
                pairs.sort_unstable();
                let sorted = structured::join_map(pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())));
                found |= sorted != value;
                Some(sorted)
            });
        };
        each_configuration(recorded, &mut sort);
        each_configuration(ours, &mut sort);
    }
    found
}

/// The recorded default file and ours must have the same settings; comments, blank lines and order do not count.
fn default_log_file(recorded: &mut Objects, ours: &mut Objects) -> bool {
    let mut found = false;
    each_configuration(ours, |data| {
        if data.get(names::LOG4J_FILE).and_then(Value::as_str) == Some(logging::DEFAULT_LOG4J) {
            found = true;
            data.insert(names::LOG4J_FILE.to_owned(), json!(settings(logging::DEFAULT_LOG4J)));
        }
    });
    if found {
        each_configuration(recorded, |data| {
            if let Some(text) = data.get(names::LOG4J_FILE).and_then(Value::as_str) {
                let settings = settings(text);
                data.insert(names::LOG4J_FILE.to_owned(), json!(settings));
            }
        });
    }
    found
}

fn settings(properties: &str) -> BTreeMap<&str, &str> {
    let lines = properties.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let settings = lines.map(|line| line.split_once('=').unwrap_or((line, "")));
    settings.map(|(key, value)| (key.trim(), value.trim())).collect()
}

fn probe_in_host_network(recorded: &mut Objects, ours: &mut Objects) -> bool {
    let mut found = false;
    each_deployment(recorded, ours, |recorded, ours| {
        if recorded.pointer("/spec/template/spec/hostNetwork") != Some(&json!(true)) {
            return;
        }
        let generated = json!("rest");
        let in_ours = main_container(ours).is_some_and(|container| container.contains_key("startupProbe"));
        if let Some(container) = main_container(recorded)
            && !in_ours
            && container.get("startupProbe").and_then(|probe| probe.pointer("/httpGet/port"))
                == Some(&generated)
        {
            container.remove("startupProbe");
            found = true;
        }
    });
    found
}

/// Only where `rest.bind-port` is configured apart from `rest.port`, and the recorded container has the latter.
fn rest_container_port(recorded: &mut Objects, ours: &mut Objects) -> bool {
    let mut bind_port = None;
    each_configuration(recorded, |data| bind_port = text::option(data, "rest.bind-port"));
    let Some(bind_port) = bind_port.and_then(|port| port.parse::<i32>().ok()) else { return false };
    let service = recorded.iter().find(|(key, _)| key.starts_with("Service/") && key.ends_with("-rest"));
    let port = service.and_then(|(_, service)| service.pointer("/spec/ports/0/port")).cloned();
    let mut found = false;
    each_deployment(recorded, ours, |recorded, _| {
        let ports = main_container(recorded).and_then(|container| container.get_mut("ports"));
        for container_port in ports.and_then(Value::as_array_mut).into_iter().flatten() {
            let number = &mut container_port["containerPort"];
            if Some(&*number) == port.as_ref() && *number != json!(bind_port) {
                *number = json!(bind_port);
                found = true;
            }
        }
    });
    found
}

fn default_image(recorded: &mut Objects, ours: &mut Objects) -> bool {
    let mut found = false;
    each_deployment(recorded, ours, |recorded, ours| {
        let image =
            |container: Option<&mut Map<String, Value>>| Some(container?.get("image")?.as_str()?.to_owned());
        let (Some(theirs), Some(ours)) = (image(main_container(recorded)), image(main_container(ours)))
        else {
            return;
        };
        let is_default = |image: &str| image.starts_with("apache/flink:") && image.ends_with("-scala_2.12");
        if theirs != ours && is_default(&theirs) && is_default(&ours) {
            found = true;
            if let Some(container) = main_container(recorded) {
                container.insert("image".to_owned(), json!(ours));
            }
        }
    });
    found
}

/// Ours end with the attempt.
fn job_graphs_in_zookeeper(recorded: &mut Objects, ours: &mut Objects) -> bool {
    const OPTION: &str = "high-availability.zookeeper.path.jobgraphs";
    let mut configured = false;
    each_configuration(recorded, |data| configured |= text::option(data, OPTION).is_some());
    let mut found = false;
    each_configuration(ours, |data| {
        let node = text::option(data, OPTION);
        let Some(node) = node.as_deref().and_then(|node| node.strip_suffix(&format!("-{ATTEMPT}"))) else {
            return;
        };
        if configured || node == "/jobgraphs" {
            found = true;
            let node = Some(node.to_owned()).filter(|_| configured);
            text::edit_option(data, OPTION, |_| node.clone());
        }
    });
    found
}

fn each_configuration(objects: &mut Objects, mut edit: impl FnMut(&mut Map<String, Value>)) {
    for (_, object) in objects.iter_mut().filter(|(key, _)| key.starts_with("ConfigMap/flink-config-")) {
        if let Some(Value::Object(data)) = object.get_mut("data") {
            edit(data);
        }
    }
}

fn each_deployment(recorded: &mut Objects, ours: &mut Objects, mut edit: impl FnMut(&mut Value, &mut Value)) {
    for (key, recorded) in recorded.iter_mut().filter(|(key, _)| key.starts_with("Deployment/")) {
        if let Some(ours) = ours.get_mut(key) {
            edit(recorded, ours);
        }
    }
}

fn main_container(deployment: &mut Value) -> Option<&mut Map<String, Value>> {
    let containers = deployment.pointer_mut("/spec/template/spec/containers")?.as_array_mut()?;
    let main = containers.iter_mut().find(|container| container["name"] == names::MAIN_CONTAINER)?;
    main.as_object_mut()
}
