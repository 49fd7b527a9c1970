//! The operator's configuration files. They are read once, when the process starts.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context;
use flink_conf::operator_defaults::{ConfFolder, OperatorDefaults};
use flink_conf::settings::StartupSettings;
use resources::OperatorFiles;
use resources::names::{LOG4J_FILE, LOGBACK_FILE};

use crate::arguments::Arguments;

/// Everything that the files say.
pub(crate) struct Configuration {
    pub(crate) defaults: OperatorDefaults,
    pub(crate) startup: StartupSettings,
    pub(crate) files: OperatorFiles,
}

/// Reads the folders that the arguments name. An absent folder or file is an empty one.
///
/// # Errors
/// A file exists and cannot be read, or says what cannot be understood.
pub(crate) fn read(arguments: &Arguments) -> anyhow::Result<Configuration> {
    let folder = Folder::read(arguments.conf_dir.as_deref())?;
    let overrides = Folder::read(arguments.conf_override_dir.as_deref())?;
    let (defaults, skipped) = OperatorDefaults::read(folder.as_conf(), overrides.as_conf())
        .context("the operator's configuration cannot be read")?;
    for line in skipped {
        tracing::warn!(?line, "a line of the operator's configuration is not `key: value` and is skipped");
    }
    for key in defaults.unknown_versions() {
        tracing::warn!(key, "no such Flink version is known, so this default never applies");
    }
    let startup =
        StartupSettings::read(defaults.base()).context("the operator's configuration has a bad value")?;
    let mut files = OperatorFiles::default();
    files.logs.files.extend(folder.logs);
    Ok(Configuration { defaults, startup, files })
}

#[derive(Default)]
struct Folder {
    flink_conf_yaml: Option<String>,
    config_yaml: Option<String>,
    /// Log files for clusters that bring none.
    logs: BTreeMap<String, String>,
}

impl Folder {
    fn read(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self::default()) };
        let mut logs = BTreeMap::new();
        for name in [LOG4J_FILE, LOGBACK_FILE] {
            if let Some(text) = file(path, name)? {
                logs.insert(name.to_owned(), text);
            }
        }
        Ok(Self {
            flink_conf_yaml: file(path, "flink-conf.yaml")?,
            config_yaml: file(path, "config.yaml")?,
            logs,
        })
    }

    fn as_conf(&self) -> ConfFolder<'_> {
        ConfFolder {
            flink_conf_yaml: self.flink_conf_yaml.as_deref(),
            config_yaml: self.config_yaml.as_deref(),
        }
    }
}

fn file(folder: &Path, name: &str) -> anyhow::Result<Option<String>> {
    let path = folder.join(name);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}
