//! Google Cloud Storage: `gs`. Keys are those of Hadoop's connector, which Flink hands on with and without `fs.`.

use std::path::PathBuf;

use lifecycle::validate::ChosenBy;

use super::s3::endpoint_url;
use super::{Found, JarUri, Object, Source, Store};
use crate::error::needs_user;
use crate::layers::Layers;

const GOOGLES: &str = "https://storage.googleapis.com";
const JSON: [&str; 2] = ["gs.auth.service.account.json", "fs.gs.auth.service.account.json"];
const KEY_FILE: [&str; 4] = [
    "gs.auth.service.account.json.keyfile",
    "fs.gs.auth.service.account.json.keyfile",
    "google.cloud.auth.service.account.json.keyfile",
    "fs.gs.google.cloud.auth.service.account.json.keyfile",
];

/// A bucket and how to enter it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct GcsBucket {
    pub(crate) name: String,
    pub(crate) base_url: String,
    pub(crate) credentials: GcsCredentials,
}

/// Who asks.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum GcsCredentials {
    /// The text of a service account's key file.
    Json(String),
    KeyFile(PathBuf),
    /// The identity of the operator's pod.
    Ambient,
    Anonymous,
}

pub(super) fn find(uri: &JarUri, layers: Layers<'_>) -> Found {
    let root = layers.find(["gs.storage.root.url", "fs.gs.storage.root.url"]);
    let (base_url, chosen_by) = match root {
        Some(root) => {
            let url = endpoint_url(root.text, true)?.as_str().trim_end_matches('/').to_owned();
            let by = if url == GOOGLES { ChosenBy::Operator } else { root.by };
            (url, by)
        }
        None => (GOOGLES.to_owned(), ChosenBy::Operator),
    };
    let (found, by) = credentials(layers)?;
    let withheld = by == ChosenBy::Operator && chosen_by == ChosenBy::Job;
    let credentials = if withheld { GcsCredentials::Anonymous } else { found };
    let host = super::host_of(&base_url);
    let store = Store::Gcs(GcsBucket { name: uri.bucket()?.to_owned(), base_url, credentials });
    Ok((Source::Object(Object { store, key: uri.key()?, host, chosen_by }), withheld))
}

fn credentials(layers: Layers<'_>) -> Result<(GcsCredentials, ChosenBy), engine::ports::ArtifactError> {
    if let Some(json) = layers.find(JSON) {
        return Ok((GcsCredentials::Json(json.text.to_owned()), json.by));
    }
    if let Some(file) = layers.find(KEY_FILE) {
        if file.by == ChosenBy::Job {
            return Err(needs_user(format!(
                "A job may not name a key file on the operator's disk. Put the text of the file into a Secret, under \
                 {}, or have it set in the operator's configuration.",
                JSON[0]
            )));
        }
        return Ok((GcsCredentials::KeyFile(PathBuf::from(file.text)), ChosenBy::Operator));
    }
    let anonymous = layers
        .find(["gs.auth.type", "fs.gs.auth.type"])
        .is_some_and(|setting| setting.text.eq_ignore_ascii_case("UNAUTHENTICATED"))
        || layers
            .find(["gs.auth.null.enable", "fs.gs.auth.null.enable"])
            .is_some_and(|setting| setting.text.eq_ignore_ascii_case("true"));
    Ok(if anonymous {
        (GcsCredentials::Anonymous, ChosenBy::Job)
    } else {
        (GcsCredentials::Ambient, ChosenBy::Operator)
    })
}
