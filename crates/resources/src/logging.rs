//! Log configuration files of Flink clusters.

use std::collections::BTreeMap;

use crate::names::{LOG4J_FILE, LOGBACK_FILE};

/// Our default for log4j 2: console and a rolling file at INFO. The settings are those of Flink's own file.
pub const DEFAULT_LOG4J: &str = include_str!("logging/log4j-console.properties");
/// Our default for logback, used by operators that are set up with it (`logging.framework: logback` in Helm).
pub const DEFAULT_LOGBACK: &str = include_str!("logging/logback-console.xml");

/// The file names that Flink's start scripts look for, in the order in which they are mounted.
const KNOWN_FILES: [&str; 2] = [LOGBACK_FILE, LOG4J_FILE];

/// The operator-wide log files, which a cluster gets when its resource has no `spec.logConfiguration`.
///
/// They stand for files in a directory, as the Java operator reads them from its own configuration directory:
/// clusters that look for their configuration elsewhere do not get them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultLogFiles {
    /// The value of `kubernetes.flink.conf.dir` for which the files are used; `/opt/flink/conf` by default.
    pub directory: String,
    /// File name to content; only `log4j-console.properties` and `logback-console.xml` are used.
    pub files: BTreeMap<String, String>,
}

impl Default for DefaultLogFiles {
    fn default() -> Self {
        Self {
            directory: crate::options::DEFAULT_CONF_DIR.to_owned(),
            files: BTreeMap::from([(LOG4J_FILE.to_owned(), DEFAULT_LOG4J.to_owned())]),
        }
    }
}

/// The log files of a cluster, in the order in which they are mounted.
///
/// Any `spec.logConfiguration`, even an empty one, replaces all defaults. Files of other names are not used by
/// Flink's scripts and are left out; validation refuses them beforehand.
#[must_use]
pub(crate) fn files<'a>(
    of_resource: Option<&'a BTreeMap<String, String>>,
    defaults: &'a DefaultLogFiles,
    conf_dir: &str,
) -> Vec<(&'static str, &'a str)> {
    let files = match of_resource {
        Some(files) => files,
        None if defaults.directory.trim_end_matches('/') == conf_dir.trim_end_matches('/') => &defaults.files,
        None => return Vec::new(),
    };
    KNOWN_FILES.iter().filter_map(|name| Some((*name, files.get(*name)?.as_str()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_configuration_replaces_all_defaults() {
        let defaults = DefaultLogFiles::default();
        let names = |own: Option<&BTreeMap<_, _>>, dir: &str| -> Vec<&str> {
            files(own, &defaults, dir).into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(names(None, "/opt/flink/conf"), [LOG4J_FILE]);
        assert_eq!(names(None, "/etc/flink"), [""; 0]);
        assert_eq!(names(Some(&BTreeMap::new()), "/opt/flink/conf"), [""; 0]);
        let both =
            BTreeMap::from([LOG4J_FILE, LOGBACK_FILE, "other"].map(|name| (name.to_owned(), String::new())));
        assert_eq!(names(Some(&both), "/etc/flink"), [LOGBACK_FILE, LOG4J_FILE]);
    }
}
