//! One folder of recordings.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A folder cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file or folder.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that is not YAML or JSON.
    #[error("{path}: {reason}")]
    Syntax {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// What was posted, and what came of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// Name of the folder.
    pub name: String,
    /// The custom resources as posted, in file order.
    pub resources: Vec<Value>,
    /// The same resources posted again, or none.
    pub update: Vec<Value>,
    /// Objects in the namespace after the first reconcile.
    pub objects: Vec<Value>,
    /// Objects after the update, if they differ.
    pub objects_after_update: Option<Vec<Value>>,
    /// Content of `status.json`: statuses, Events, refusals by the API server.
    pub status: Value,
    /// The configuration file with its lines as the peer wrote them.
    pub raw_conf: Option<String>,
}

impl Case {
    /// Reads a folder.
    ///
    /// # Errors
    /// `cr.yaml`, `objects.yaml` or `status.json` is absent, or a file cannot be read.
    pub fn read(folder: &Path) -> Result<Self, ReadError> {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let documents =
            |file: &str| read(&folder.join(file)).and_then(|text| yaml(&folder.join(file), &text));
        let if_there = |file: &str| folder.join(file).exists().then(|| documents(file)).transpose();
        let status_path = folder.join("status.json");
        let status = read(&status_path)?;
        let status = serde_json::from_str(&status)
            .map_err(|error| ReadError::Syntax { path: status_path, reason: error.to_string() })?;
        let raw_path = folder.join("flink-conf.raw.txt");
        let raw_conf = raw_path.exists().then(|| read(&raw_path)).transpose()?;
        Ok(Self {
            name,
            resources: documents("cr.yaml")?,
            update: if_there("cr-update.yaml")?.unwrap_or_default(),
            objects: documents("objects.yaml")?,
            objects_after_update: if_there("objects-after-update.yaml")?,
            status,
            raw_conf,
        })
    }

    /// The posted resources of a kind.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.resources.iter().filter(move |resource| resource["kind"] == kind)
    }
}

/// The folders of cases below `folder`, sorted; `folder` itself if it is one.
///
/// # Errors
/// The folder cannot be read.
pub fn folders(folder: &Path) -> Result<Vec<PathBuf>, ReadError> {
    if folder.join("cr.yaml").is_file() {
        return Ok(vec![folder.to_owned()]);
    }
    let io = |source| ReadError::Io { path: folder.to_owned(), source };
    let mut folders = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.join("cr.yaml").is_file() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

fn read(path: &Path) -> Result<String, ReadError> {
    fs::read_to_string(path).map_err(|source| ReadError::Io { path: path.to_owned(), source })
}

fn yaml(path: &Path, text: &str) -> Result<Vec<Value>, ReadError> {
    // The recordings were written by a library to which a plain `y` is a text.
    let options = serde_saphyr::options! { strict_booleans: true };
    let documents: Vec<Option<Value>> = serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|error| ReadError::Syntax { path: path.to_owned(), reason: error.to_string() })?;
    // Without objects the file holds an empty list.
    Ok(documents.into_iter().flatten().filter(Value::is_object).collect())
}
