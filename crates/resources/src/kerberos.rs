//! Kerberos credentials in a cluster's pods.
//!
//! Source: Flink 1.20, `KerberosMountDecorator`.

use flink_conf::FlinkConf;
use flink_conf::option::Key;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use serde_json::json;

use crate::object::metadata;
use crate::operator_files::{OperatorFiles, file_name};
use crate::pod::FlinkPod;
use crate::{BuildError, options};

const ENABLED: Key = Key::new("kubernetes.decorator.kerberos-mount.enabled");
const KEYTAB: Key = Key::new("security.kerberos.login.keytab");
const PRINCIPAL: Key = Key::new("security.kerberos.login.principal");
const KRB5_CONF: Key = Key::new("security.kerberos.krb5-conf.path");

const KEYTAB_VOLUME: &str = "kerberos-keytab-volume";
const KEYTAB_DIR: &str = "/opt/kerberos/kerberos-keytab";
const KRB5_VOLUME: &str = "kerberos-krb5conf-volume";
const KRB5_FILE: &str = "krb5.conf";
const KRB5_PATH: &str = "/etc/krb5.conf";

/// The files that a cluster needs and the operator has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kerberos {
    keytab: Option<(String, Vec<u8>)>,
    krb5_conf: Option<(String, Vec<u8>)>,
}

impl Kerberos {
    /// What the configuration names, as far as the operator offers it. Other paths stay as they are: the user mounts
    /// the files by a pod template then.
    pub(crate) fn of(conf: &FlinkConf, files: &OperatorFiles) -> Result<Self, BuildError> {
        if !options::flag(conf, ENABLED, true)? {
            return Ok(Self::default());
        }
        let file = |key: Key| {
            let path = conf.text(key)?;
            Some((file_name(path).to_owned(), files.kerberos.get(path)?.clone()))
        };
        let keytab = conf.text(PRINCIPAL).and_then(|_| file(KEYTAB));
        Ok(Self { keytab, krb5_conf: file(KRB5_CONF) })
    }

    /// In the cluster the keytab is where the Secret is mounted.
    pub(crate) fn rewrite(&self, conf: &mut FlinkConf) {
        if let Some((name, _)) = &self.keytab {
            conf.set(KEYTAB.name, format!("{KEYTAB_DIR}/{name}"));
        }
    }

    /// Mounts the files.
    pub(crate) fn add_to(&self, pod: &mut FlinkPod, cluster_id: &str) -> Result<(), BuildError> {
        if self.keytab.is_some() {
            let secret = json!({"secretName": keytab_secret(cluster_id)});
            pod.append("volumes", [json!({"name": KEYTAB_VOLUME, "secret": secret})])?;
            pod.append_main("volumeMounts", [json!({"name": KEYTAB_VOLUME, "mountPath": KEYTAB_DIR})])?;
        }
        if let Some((name, _)) = &self.krb5_conf {
            let config_map =
                json!({"name": krb5_config_map(cluster_id), "items": [{"key": name, "path": KRB5_FILE}]});
            pod.append("volumes", [json!({"name": KRB5_VOLUME, "configMap": config_map})])?;
            let mount = json!({"name": KRB5_VOLUME, "mountPath": KRB5_PATH, "subPath": KRB5_FILE});
            pod.append_main("volumeMounts", [mount])?;
        }
        Ok(())
    }

    /// The Secret with the keytab.
    pub(crate) fn secret(&self, cluster_id: &str, namespace: &str) -> Option<Secret> {
        let (name, content) = self.keytab.clone()?;
        Some(Secret {
            metadata: metadata(keytab_secret(cluster_id), namespace),
            data: Some([(name, ByteString(content))].into()),
            ..Secret::default()
        })
    }

    /// The ConfigMap with `krb5.conf`.
    pub(crate) fn config_map(&self, cluster_id: &str, namespace: &str) -> Option<ConfigMap> {
        let (name, content) = self.krb5_conf.clone()?;
        Some(ConfigMap {
            metadata: metadata(krb5_config_map(cluster_id), namespace),
            data: Some([(name, String::from_utf8_lossy(&content).into_owned())].into()),
            ..ConfigMap::default()
        })
    }
}

fn keytab_secret(cluster_id: &str) -> String {
    format!("kerberos-keytab-{cluster_id}")
}

fn krb5_config_map(cluster_id: &str) -> String {
    format!("kerberos-krb5conf-{cluster_id}")
}
