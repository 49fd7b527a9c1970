//! What the pods of both components get, one part after the other.
//!
//! Source: Flink 1.20, `kubeclient/decorators/*.java`. The Java operator runs the same classes for standalone clusters,
//! with the exception of TaskManagers' `InitStandaloneTaskManagerDecorator`: that one ignores service account, image and
//! pull policy of a pod template. Here all pods follow the rules of JobManagers.

use std::collections::BTreeMap;

use flink_conf::FlinkConf;
use flink_conf::option::{Key, kubernetes};
use serde_json::{Map, Value, json};

use crate::component::Component;
use crate::options::{self, PullPolicy};
use crate::pod::FlinkPod;
use crate::{BuildError, hash_order, names};

const CONF_VOLUME: &str = "flink-config-volume";

/// Who the pod is, and where it may run.
pub(crate) fn add_scheduling(
    pod: &mut FlinkPod,
    conf: &FlinkConf,
    component: &Component,
) -> Result<(), BuildError> {
    let service_account = conf
        .text(component.service_account)
        .or_else(|| pod.text("serviceAccount"))
        .or_else(|| pod.text("serviceAccountName"))
        .unwrap_or("default")
        .to_owned();
    pod.set("serviceAccount", service_account.clone());
    pod.set("serviceAccountName", service_account);
    let pull_secrets = conf.list(kubernetes::IMAGE_PULL_SECRETS)?.unwrap_or_default();
    let pull_secrets = pull_secrets.iter().map(|name| name.trim()).filter(|name| !name.is_empty());
    pod.append("imagePullSecrets", pull_secrets.map(|name| json!({"name": name})))?;
    pod.add_node_selector(&options::map(conf, component.node_selector)?);
    let tolerations = conf.map_list(component.tolerations)?.unwrap_or_default();
    let tolerations: Result<Vec<_>, _> =
        tolerations.iter().map(|it| toleration(it, component.tolerations)).collect();
    pod.append("tolerations", tolerations?)
}

fn toleration(of_option: &BTreeMap<String, String>, option: Key) -> Result<Value, BuildError> {
    let mut toleration = Map::new();
    for (key, value) in of_option {
        let (field, value) = match key.to_ascii_lowercase().as_str() {
            "key" => ("key", Value::from(value.clone())),
            "operator" => ("operator", Value::from(value.clone())),
            "value" => ("value", Value::from(value.clone())),
            "effect" => ("effect", Value::from(value.clone())),
            "tolerationseconds" => ("tolerationSeconds", Value::from(toleration_seconds(value, option)?)),
            // Flink ignores fields that it does not know.
            _ => continue,
        };
        toleration.insert(field.to_owned(), value);
    }
    Ok(Value::Object(toleration))
}

fn toleration_seconds(text: &str, option: Key) -> Result<i64, BuildError> {
    let expected = "a whole number of seconds in tolerationSeconds";
    text.parse().map_err(|_| flink_conf::ConfError::value(option.name, text, expected).into())
}

/// The image of the main container, and when it is pulled.
pub(crate) fn add_image(pod: &mut FlinkPod, conf: &FlinkConf, default_image: &str) -> Result<(), BuildError> {
    let image = conf.text(kubernetes::IMAGE).or(pod.main_text("image")).unwrap_or(default_image).to_owned();
    let of_option = conf.choice::<PullPolicy>(kubernetes::IMAGE_PULL_POLICY)?.map(PullPolicy::as_str);
    let pull_policy =
        of_option.or(pod.main_text("imagePullPolicy")).unwrap_or(PullPolicy::IfNotPresent.as_str());
    let pull_policy = pull_policy.to_owned();
    pod.set_main("image", image);
    pod.set_main("imagePullPolicy", pull_policy);
    Ok(())
}

/// Environment variables of the configuration.
pub(crate) fn environment(conf: &FlinkConf, component: &Component) -> Vec<Value> {
    let mut variables: Vec<(&str, &str)> =
        conf.with_prefix(component.env_prefix).filter(|(name, _)| !name.is_empty()).collect();
    hash_order::sort(&mut variables, |(name, _)| *name);
    variables.into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
}

/// The environment variable that tells Flink's scripts where logs go, if the configuration does.
pub(crate) fn log_directory(conf: &FlinkConf) -> Option<Value> {
    let directory = conf.text(kubernetes::FLINK_LOG_DIR)?;
    Some(json!({"name": "FLINK_LOG_DIR", "value": directory}))
}

/// Environment variables from Secrets: `kubernetes.env.secretKeyRef`.
pub(crate) fn add_env_secrets(pod: &mut FlinkPod, conf: &FlinkConf) -> Result<(), BuildError> {
    let references = conf.map_list(kubernetes::ENV_SECRET_KEY_REF)?.unwrap_or_default();
    pod.append_main("env", references.iter().map(env_from_secret))
}

fn env_from_secret(reference: &BTreeMap<String, String>) -> Value {
    let part = |name: &str| reference.get(name).cloned();
    json!({
        "name": part("env"),
        "valueFrom": {"secretKeyRef": {"name": part("secret"), "key": part("key")}},
    })
}

/// Mounted Secrets: `kubernetes.secrets`.
pub(crate) fn add_mounted_secrets(pod: &mut FlinkPod, conf: &FlinkConf) -> Result<(), BuildError> {
    for (name, path) in options::mounted_secrets(conf)? {
        let volume = format!("{name}-volume");
        pod.append("volumes", [json!({"name": volume, "secret": {"secretName": name}})])?;
        pod.append_main("volumeMounts", [json!({"name": volume, "mountPath": path})])?;
    }
    Ok(())
}

/// What the container starts: the image's entry point with these arguments.
pub(crate) fn set_command(pod: &mut FlinkPod, conf: &FlinkConf, arguments: &[String]) {
    set_entry_point(pod, conf);
    pod.set_main("args", json!(arguments));
}

/// The image's entry point, with whatever arguments the container has: `kubernetes.entry.path`.
pub(crate) fn set_entry_point(pod: &mut FlinkPod, conf: &FlinkConf) {
    let entry_path = conf.text(kubernetes::ENTRY_PATH).unwrap_or(options::DEFAULT_ENTRY_PATH);
    pod.set_main("command", json!([entry_path]));
}

/// Mounts the ConfigMap with the configuration; `files` are its keys, in the order of the volume's items.
pub(crate) fn add_conf_volume(
    pod: &mut FlinkPod,
    conf: &FlinkConf,
    cluster_id: &str,
    files: &[&str],
) -> Result<(), BuildError> {
    let items: Vec<Value> = files.iter().map(|file| json!({"key": file, "path": file})).collect();
    let config_map = json!({"name": names::config_map(cluster_id), "items": items});
    pod.append("volumes", [json!({"name": CONF_VOLUME, "configMap": config_map})])?;
    pod.append_main("volumeMounts", [json!({"name": CONF_VOLUME, "mountPath": options::conf_dir(conf)})])
}
