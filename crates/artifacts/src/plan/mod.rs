//! From where exactly a jar is to be fetched, and with what: everything that is decided before the first connection.
//!
//! A plan is a value. Two requests with the same plan are one download, and share what was kept of it: same place,
//! same credentials, same expected checksum. It holds credentials, so it has no `Debug`.

mod azure;
mod checksum;
mod gcs;
mod hdfs;
mod http;
mod oss;
mod s3;
#[cfg(test)]
mod tests;
mod uri;

use std::path::PathBuf;

use engine::ports::{ArtifactError, ArtifactRequest};
use lifecycle::validate::ChosenBy;

pub(crate) use azure::{AzureContainer, AzureCredentials};
pub(crate) use checksum::Checksum;
pub(crate) use gcs::{GcsBucket, GcsCredentials};
pub(crate) use hdfs::HdfsFile;
pub(crate) use http::HttpFile;
pub(crate) use s3::{S3Bucket, S3Credentials};
pub(crate) use uri::{JarUri, host_of};

use crate::error::needs_user;
use crate::keys;
use crate::layers::Layers;
use crate::options::ArtifactOptions;

/// What to do for one jar.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Plan {
    pub(crate) uri: JarUri,
    pub(crate) checksum: Option<Checksum>,
    pub(crate) source: Source,
    /// The operator has credentials that are not for this place.
    pub(crate) withheld: bool,
}

/// The kinds of places.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    Http(HttpFile),
    Object(Object),
    Hdfs(HdfsFile),
    File(PathBuf),
}

/// An object of an object store.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Object {
    pub(crate) store: Store,
    pub(crate) key: String,
    /// The host that answers.
    pub(crate) host: String,
    /// Who has chosen that host.
    pub(crate) chosen_by: ChosenBy,
}

/// What a kind of source finds out: the source, and whether credentials were withheld from it.
type Found = Result<(Source, bool), ArtifactError>;

/// An object store and how to enter it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum Store {
    S3(S3Bucket),
    Gcs(GcsBucket),
    Azure(AzureContainer),
}

impl Plan {
    /// Plans a fetch.
    ///
    /// # Errors
    /// The URI or the options for it cannot be used, or the scheme is not allowed.
    pub(crate) fn new(request: &ArtifactRequest, options: &ArtifactOptions) -> Result<Self, ArtifactError> {
        let uri = JarUri::parse(&request.uri)?;
        if !options.settings.allows_scheme(&uri.scheme) {
            return Err(needs_user(format!(
                "{uri} cannot be fetched, because its scheme is not allowed. Use another one, or add it to {} of \
                 the operator.",
                keys::ALLOWED_SCHEMES
            )));
        }
        let layers = Layers { effective: &request.configuration, operator: &options.operator };
        let checksum = layers.get(keys::CHECKSUM).map(|setting| Checksum::parse(setting.text)).transpose()?;
        let (source, withheld) = match uri.scheme.as_str() {
            "http" | "https" => http::find(&request.uri, &uri, layers, options)?,
            "s3" | "s3a" | "s3p" | "s3n" => s3::find(&uri, layers)?,
            "gs" => gcs::find(&uri, layers)?,
            "abfs" | "abfss" | "wasb" | "wasbs" => azure::find(&uri, layers)?,
            "oss" => oss::find(&uri, layers, options)?,
            "hdfs" | "webhdfs" | "swebhdfs" => hdfs::find(&uri, layers, options)?,
            "file" | "local" => (Source::File(uri.file()?), false),
            other => {
                return Err(needs_user(format!(
                    "{uri} cannot be fetched: this operator knows no scheme '{other}'. It knows https, http, s3, s3a, \
                     s3p, gs, abfs, abfss, wasb, wasbs, oss, hdfs, webhdfs, swebhdfs, file and local."
                )));
            }
        };
        Ok(Self { uri, checksum, source, withheld })
    }

    /// The host whose share of the fetches this one counts to.
    pub(crate) fn host(&self) -> &str {
        match &self.source {
            Source::Http(file) => file.url.host_str().unwrap_or_default(),
            Source::Object(object) => &object.host,
            Source::Hdfs(file) => &file.host,
            Source::File(_) => "",
        }
    }
}
