//! Files of the operator's own pod that go into clusters.
//!
//! The caller reads them, once; nothing here does IO. Only what the administrator of the operator has put in place is
//! offered: a path that a resource names is never read, or it could name the operator's own credentials.

use std::collections::BTreeMap;

use crate::logging::DefaultLogFiles;

/// The files, by what they are for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperatorFiles {
    /// Log configuration of clusters that bring none.
    pub logs: DefaultLogFiles,
    /// `core-site.xml` and `hdfs-site.xml` of the directory that `HADOOP_CONF_DIR` (or `HADOOP_HOME`) of the operator
    /// names; empty without.
    pub hadoop: BTreeMap<String, String>,
    /// Kerberos files that the operator's own default configuration names, by their full path.
    pub kerberos: BTreeMap<String, Vec<u8>>,
}

/// Last part of a path.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
