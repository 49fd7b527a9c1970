//! The JobManager's pod of a native cluster.
//!
//! Source: Flink 1.20, `kubeclient/decorators/*.java`, applied in the order of `KubernetesJobManagerFactory`.

use std::collections::BTreeMap;

use flink_conf::FlinkConf;
use flink_conf::option::kubernetes;
use serde_json::{Map, Value, json};

use crate::container_resources::ContainerResources;
use crate::names;
use crate::options::{self, Ports, PullPolicy};
use crate::pod::FlinkPod;
use crate::{BuildError, hash_order};

const ARTIFACTS_VOLUME: &str = "user-artifacts-volume";
const CONF_VOLUME: &str = "flink-config-volume";
const POD_TEMPLATE_VOLUME: &str = "pod-template-volume";

/// Fields of the template that Flink decides: identity, image, network, what it needs to run.
pub(crate) fn init(
    pod: &mut FlinkPod,
    conf: &FlinkConf,
    labels: &BTreeMap<String, String>,
    resources: ContainerResources,
    default_image: &str,
) -> Result<(), BuildError> {
    add_scheduling(pod, conf)?;
    add_image(pod, conf, default_image)?;
    let host_network = options::host_network(conf)?;
    pod.set("hostNetwork", host_network);
    let dns_policy = match pod.text("dnsPolicy") {
        _ if host_network => "ClusterFirstWithHostNet",
        Some(of_template) => of_template,
        None => "ClusterFirst",
    };
    pod.set("dnsPolicy", dns_policy.to_owned());
    pod.add_labels(labels);
    pod.add_annotations(&options::map(conf, kubernetes::JOB_MANAGER_ANNOTATIONS)?);
    resources.write_to(pod.main());
    if !host_network {
        pod.append_main("ports", container_ports(Ports::read(conf)?))?;
    }
    pod.append_main("env", environment(conf))?;
    pod.append("volumes", [json!({"name": ARTIFACTS_VOLUME, "emptyDir": {}})])?;
    let mount = json!({"name": ARTIFACTS_VOLUME, "mountPath": options::artifacts_dir(conf)});
    pod.append_main("volumeMounts", [mount])
}

fn add_scheduling(pod: &mut FlinkPod, conf: &FlinkConf) -> Result<(), BuildError> {
    let service_account = conf
        .text(kubernetes::JOB_MANAGER_SERVICE_ACCOUNT)
        .or_else(|| pod.text("serviceAccount"))
        .or_else(|| pod.text("serviceAccountName"))
        .unwrap_or("default")
        .to_owned();
    pod.set("serviceAccount", service_account.clone());
    pod.set("serviceAccountName", service_account);
    let pull_secrets = conf.list(kubernetes::IMAGE_PULL_SECRETS)?.unwrap_or_default();
    let pull_secrets = pull_secrets.iter().map(|name| name.trim()).filter(|name| !name.is_empty());
    pod.append("imagePullSecrets", pull_secrets.map(|name| json!({"name": name})))?;
    pod.add_node_selector(&options::map(conf, kubernetes::JOB_MANAGER_NODE_SELECTOR)?);
    let tolerations = conf.map_list(kubernetes::JOB_MANAGER_TOLERATIONS)?.unwrap_or_default();
    let tolerations: Result<Vec<_>, _> = tolerations.iter().map(toleration).collect();
    pod.append("tolerations", tolerations?)
}

fn toleration(of_option: &BTreeMap<String, String>) -> Result<Value, BuildError> {
    let mut toleration = Map::new();
    for (key, value) in of_option {
        let (field, value) = match key.to_ascii_lowercase().as_str() {
            "key" => ("key", Value::from(value.clone())),
            "operator" => ("operator", Value::from(value.clone())),
            "value" => ("value", Value::from(value.clone())),
            "effect" => ("effect", Value::from(value.clone())),
            "tolerationseconds" => ("tolerationSeconds", Value::from(toleration_seconds(value)?)),
            // Flink ignores fields that it does not know.
            _ => continue,
        };
        toleration.insert(field.to_owned(), value);
    }
    Ok(Value::Object(toleration))
}

fn toleration_seconds(text: &str) -> Result<i64, BuildError> {
    let key = kubernetes::JOB_MANAGER_TOLERATIONS.name;
    let error = || flink_conf::ConfError::value(key, text, "a whole number of seconds in tolerationSeconds");
    text.parse().map_err(|_| error().into())
}

fn add_image(pod: &mut FlinkPod, conf: &FlinkConf, default_image: &str) -> Result<(), BuildError> {
    let image = conf.text(kubernetes::IMAGE).or(pod.main_text("image")).unwrap_or(default_image).to_owned();
    let of_option = conf.choice::<PullPolicy>(kubernetes::IMAGE_PULL_POLICY)?.map(PullPolicy::as_str);
    let pull_policy =
        of_option.or(pod.main_text("imagePullPolicy")).unwrap_or(PullPolicy::IfNotPresent.as_str());
    let pull_policy = pull_policy.to_owned();
    pod.set_main("image", image);
    pod.set_main("imagePullPolicy", pull_policy);
    Ok(())
}

fn container_ports(ports: Ports) -> [Value; 3] {
    [
        // The port that the process listens on: the startup probe goes to it by this name.
        json!({"name": names::PORT_REST, "containerPort": ports.rest_bind}),
        json!({"name": names::PORT_JOB_MANAGER_RPC, "containerPort": ports.job_manager_rpc}),
        json!({"name": names::PORT_BLOB_SERVER, "containerPort": ports.blob_server}),
    ]
}

fn environment(conf: &FlinkConf) -> Vec<Value> {
    let mut variables: Vec<(&str, &str)> =
        conf.with_prefix(options::MASTER_ENV_PREFIX).filter(|(name, _)| !name.is_empty()).collect();
    hash_order::sort(&mut variables, |(name, _)| *name);
    let mut environment: Vec<Value> =
        variables.into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    let pod_ip = json!({"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}});
    environment.push(json!({"name": "_POD_IP_ADDRESS", "valueFrom": pod_ip}));
    if let Some(directory) = conf.text(kubernetes::FLINK_LOG_DIR) {
        environment.push(json!({"name": "FLINK_LOG_DIR", "value": directory}));
    }
    environment
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

/// What the container starts. `entry_point` is an argument of Flink's script: `kubernetes-application` or
/// `kubernetes-session`.
pub(crate) fn add_command(pod: &mut FlinkPod, conf: &FlinkConf, entry_point: &str) {
    let entry_path = conf.text(kubernetes::ENTRY_PATH).unwrap_or(options::DEFAULT_ENTRY_PATH);
    let arguments = conf.text(kubernetes::JOB_MANAGER_ENTRYPOINT_ARGS).unwrap_or_default();
    pod.set_main("command", json!([entry_path]));
    pod.set_main(
        "args",
        json!(["bash", "-c", format!("kubernetes-jobmanager.sh {entry_point} {arguments}")]),
    );
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

/// Mounts the TaskManagers' pod template where the JobManager looks for it when it makes TaskManager pods.
pub(crate) fn add_pod_template_volume(pod: &mut FlinkPod, cluster_id: &str) -> Result<(), BuildError> {
    let file = names::TASK_MANAGER_TEMPLATE_FILE;
    let config_map =
        json!({"name": names::pod_template_config_map(cluster_id), "items": [{"key": file, "path": file}]});
    pod.append("volumes", [json!({"name": POD_TEMPLATE_VOLUME, "configMap": config_map})])?;
    pod.append_main(
        "volumeMounts",
        [json!({"name": POD_TEMPLATE_VOLUME, "mountPath": names::POD_TEMPLATE_DIR})],
    )
}
