//! What of a configuration a cluster gets to see, and in which file.

use api::FlinkVersion;

use crate::conf::FlinkConf;
use crate::error::ConfError;
use crate::option::{internal, kubernetes, process};
use crate::{flat_file, nested_file};

/// A configuration file for a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    /// `flink-conf.yaml` or `config.yaml`.
    pub name: &'static str,
    /// Its content.
    pub text: String,
}

/// Removes what is the operator's own business: `kubernetes.operator.*` and `job.autoscaler.*`; options of
/// the client's side; and addresses to bind to, which images set to localhost. Everything else stays,
/// deprecated spellings included. Sources: `AbstractFlinkService.removeOperatorConfigs`, and Flink's
/// `FlinkConfMountDecorator`.
#[must_use]
pub fn strip(conf: &FlinkConf) -> FlinkConf {
    let mut stripped = conf.clone();
    stripped.remove_prefix(internal::OPERATOR_PREFIX);
    stripped.remove_prefix(internal::AUTOSCALER_PREFIX);
    for key in [
        kubernetes::CONFIG_FILE,
        internal::CONF_DIR,
        process::REST_BIND_ADDRESS,
        process::JOB_MANAGER_BIND_HOST,
        process::TASK_MANAGER_BIND_HOST,
        process::TASK_MANAGER_HOST,
    ] {
        stripped.remove(key);
    }
    stripped
}

/// The file for a cluster of this version: flat for Flink 1.x (also 1.19 and 1.20, which could read both),
/// nested for 2.x. The configuration is written as it is; see [`strip`].
///
/// # Errors
/// For 2.x, those of [`nested_file::render`].
pub fn config_file(conf: &FlinkConf, version: FlinkVersion) -> Result<ConfigFile, ConfError> {
    Ok(if version.uses_config_yaml() {
        ConfigFile { name: "config.yaml", text: nested_file::render(conf)? }
    } else {
        ConfigFile { name: "flink-conf.yaml", text: flat_file::render(conf) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_what_is_not_the_clusters() {
        let all: FlinkConf = [
            ("kubernetes.operator.reconcile.interval", "1 s"),
            ("job.autoscaler.enabled", "true"),
            ("rest.bind-address", "localhost"),
            ("web.address", "localhost"),
            ("taskmanager.host", "localhost"),
            ("taskmanager.hostname", "localhost"),
            ("kubernetes.config.file", "/x"),
            ("$internal.deployment.config-dir", "/x"),
            ("$internal.flink.version", "v1_20"),
            ("rest.bind-port", "8081"),
            ("kubernetes.operators", "kept"),
        ]
        .into_iter()
        .collect();
        let kept: Vec<String> = strip(&all).into_iter().map(|(key, _)| key).collect();
        assert_eq!(kept, ["$internal.flink.version", "kubernetes.operators", "rest.bind-port"]);
    }

    #[test]
    fn file_by_version() -> Result<(), ConfError> {
        let conf: FlinkConf = [("a.b", "1")].into_iter().collect();
        let file = config_file(&conf, FlinkVersion::V1_20)?;
        assert_eq!((file.name, file.text.as_str()), ("flink-conf.yaml", "a.b: 1\n"));
        let file = config_file(&conf, FlinkVersion::V2_0)?;
        assert_eq!((file.name, file.text.as_str()), ("config.yaml", "a:\n  b: '1'\n"));
        Ok(())
    }
}
