//! Hadoop's configuration files in a cluster's pods.
//!
//! Source: Flink 1.20, `HadoopConfMountDecorator`.

use std::collections::BTreeMap;

use flink_conf::FlinkConf;
use flink_conf::option::{Key, kubernetes};
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Value, json};

use crate::object::metadata;
use crate::operator_files::OperatorFiles;
use crate::pod::FlinkPod;
use crate::{BuildError, names, options};

const ENABLED: Key = Key::new("kubernetes.decorator.hadoop-conf-mount.enabled");
const VOLUME: &str = "hadoop-config-volume";
const MOUNT_PATH: &str = "/opt/hadoop/conf";
const FILES: [&str; 2] = ["core-site.xml", "hdfs-site.xml"];

/// Where the files come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HadoopConf {
    /// A ConfigMap that the user made.
    Existing(String),
    /// One of the cluster, with the operator's files.
    Own(BTreeMap<String, String>),
}

impl HadoopConf {
    /// What the configuration asks for; `None` without Hadoop.
    pub(crate) fn of(conf: &FlinkConf, files: &OperatorFiles) -> Result<Option<Self>, BuildError> {
        if !options::flag(conf, ENABLED, true)? {
            return Ok(None);
        }
        if let Some(name) =
            conf.text(kubernetes::HADOOP_CONF_CONFIG_MAP).filter(|name| !name.trim().is_empty())
        {
            return Ok(Some(Self::Existing(name.to_owned())));
        }
        let known = files.hadoop.iter().filter(|(name, _)| FILES.contains(&name.as_str()));
        let known: BTreeMap<_, _> = known.map(|(name, text)| (name.clone(), text.clone())).collect();
        Ok((!known.is_empty()).then_some(Self::Own(known)))
    }

    /// Mounts the files and tells Flink where they are.
    pub(crate) fn add_to(&self, pod: &mut FlinkPod, cluster_id: &str) -> Result<(), BuildError> {
        let config_map = match self {
            Self::Existing(name) => json!({"name": name}),
            Self::Own(files) => {
                let items: Vec<Value> = files.keys().map(|name| json!({"key": name, "path": name})).collect();
                json!({"name": names::hadoop_config_map(cluster_id), "items": items})
            }
        };
        pod.append("volumes", [json!({"name": VOLUME, "configMap": config_map})])?;
        pod.append_main("volumeMounts", [json!({"name": VOLUME, "mountPath": MOUNT_PATH})])?;
        pod.append_main("env", [json!({"name": "HADOOP_CONF_DIR", "value": MOUNT_PATH})])
    }

    /// The cluster's own ConfigMap, if it has one.
    pub(crate) fn config_map(
        &self,
        cluster_id: &str,
        namespace: &str,
        labels: &BTreeMap<String, String>,
    ) -> Option<ConfigMap> {
        let Self::Own(files) = self else { return None };
        let mut metadata = metadata(names::hadoop_config_map(cluster_id), namespace);
        metadata.labels = Some(labels.clone());
        Some(ConfigMap { metadata, data: Some(files.clone()), ..ConfigMap::default() })
    }
}
