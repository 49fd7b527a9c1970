//! Uploaded jars.

use serde::Deserialize;

use crate::identifiers::JobId;

/// A jar in `GET /jars`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
pub struct Jar {
    /// Id: a random prefix and the file name.
    pub id: String,
    /// File name at upload.
    pub name: String,
    /// Milliseconds since the epoch.
    pub uploaded: i64,
    /// Main classes that the manifest names.
    #[serde(default)]
    pub entry: Vec<JarEntry>,
}

/// A main class of a jar.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
pub struct JarEntry {
    /// Class.
    pub name: String,
    /// Description, if the class gives one.
    #[serde(default)]
    pub description: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Jars {
    pub(crate) files: Vec<Jar>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct UploadedJar {
    pub(crate) filename: String,
}

impl UploadedJar {
    /// The id is the last segment of the path that Flink stored the jar at.
    pub(crate) fn id(&self) -> Option<String> {
        self.filename.rsplit(['/', '\\']).next().filter(|id| !id.is_empty()).map(ToOwned::to_owned)
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct StartedJob {
    pub(crate) jobid: JobId,
}
