//! Amazon S3 and what speaks like it: `s3`, `s3a`, `s3p`.
//!
//! Keys are those of Flink's file systems: `s3.` is Flink's own prefix, the others those of Hadoop and Presto, which
//! Flink hands on (`AbstractS3FileSystemFactory`, `S3FileSystemFactory` of both kinds).

use lifecycle::validate::ChosenBy;
use reqwest::Url;

use super::uri::is_name;
use super::{Found, JarUri, Object, Source, Store};
use crate::error::needs_user;
use crate::layers::{Layers, Setting, owner};

const PREFIXES: [&str; 5] = ["s3.", "s3a.", "fs.s3a.", "fs.s3.", "presto.s3."];

/// A bucket and how to enter it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct S3Bucket {
    pub(crate) name: String,
    pub(crate) region: String,
    pub(crate) endpoint: Endpoint,
    pub(crate) credentials: S3Credentials,
}

/// Where a bucket is.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Endpoint {
    /// Without the bucket, unless that is a part of the host.
    pub(crate) url: String,
    /// Whether it is.
    pub(crate) virtual_hosted: bool,
}

/// Who asks.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum S3Credentials {
    Keys {
        id: String,
        secret: String,
        token: Option<String>,
    },
    /// The role of the operator's pod.
    Ambient,
    Anonymous,
}

pub(super) fn find(uri: &JarUri, layers: Layers<'_>) -> Found {
    let bucket = uri.bucket()?.to_owned();
    let options = Options { layers, bucket: &bucket };
    let secure = options
        .get(&["connection.ssl.enabled", "ssl.enabled"])
        .is_none_or(|s| !s.text.eq_ignore_ascii_case("false"));
    let endpoint = options.get(&["endpoint"]);
    let url = endpoint.map(|endpoint| endpoint_url(endpoint.text, secure)).transpose()?;
    let amazons = url.as_ref().and_then(amazons_region);
    let region = options
        .get(&["endpoint.region", "endpoint-region", "region"])
        .map(|setting| setting.text.to_owned())
        .or_else(|| amazons.clone())
        .unwrap_or_else(|| "us-east-1".to_owned());
    if !is_name(&region) || region.contains('.') {
        return Err(needs_user(format!(
            "'{}' is no region of S3. Correct s3.endpoint.region.",
            region.escape_debug()
        )));
    }
    let chosen_by = match endpoint {
        Some(endpoint) if amazons.is_none() => endpoint.by,
        Some(_) | None => ChosenBy::Operator,
    };
    let path_style = options
        .get(&["path.style.access", "path-style-access"])
        .is_some_and(|setting| setting.text.eq_ignore_ascii_case("true"));
    let endpoint = place(url, &bucket, &region, path_style);
    let (credentials, withheld) = credentials(&options, chosen_by);
    let host = super::host_of(&endpoint.url);
    let store = Store::S3(S3Bucket { name: bucket, region, endpoint, credentials });
    Ok((Source::Object(Object { store, key: uri.key()?, host, chosen_by }), withheld))
}

/// Options of one bucket, else of all: `s3.bucket.NAME.access-key`, `s3.access-key`.
struct Options<'a> {
    layers: Layers<'a>,
    bucket: &'a str,
}

impl<'a> Options<'a> {
    fn get(&self, names: &[&str]) -> Option<Setting<'a>> {
        let of_bucket = PREFIXES.iter().map(|prefix| format!("{prefix}bucket.{}.", self.bucket));
        let of_all = PREFIXES.iter().map(|prefix| (*prefix).to_owned());
        let keys = of_bucket
            .chain(of_all)
            .flat_map(|prefix| names.iter().map(move |name| format!("{prefix}{name}")));
        self.layers.find(keys)
    }
}

fn credentials(options: &Options<'_>, place: ChosenBy) -> (S3Credentials, bool) {
    let id = options.get(&["access-key", "access.key", "access-key-id"]);
    let secret = options.get(&["secret-key", "secret.key"]);
    let token = options.get(&["session.token", "session-token"]);
    let provider = options.get(&["aws.credentials.provider", "credentials-provider"]);
    let (found, by) = match (id, secret) {
        (Some(id), Some(secret)) => {
            let keys = S3Credentials::Keys {
                id: id.text.to_owned(),
                secret: secret.text.to_owned(),
                token: token.map(|token| token.text.to_owned()),
            };
            (keys, owner([id, secret].into_iter().chain(token)))
        }
        _ if provider.is_some_and(|provider| provider.text.contains("Anonymous")) => {
            (S3Credentials::Anonymous, ChosenBy::Job)
        }
        _ => (S3Credentials::Ambient, ChosenBy::Operator),
    };
    if by == ChosenBy::Operator && place == ChosenBy::Job {
        (S3Credentials::Anonymous, true)
    } else {
        (found, false)
    }
}

/// `host`, `host:port` or a URL.
pub(super) fn endpoint_url(text: &str, secure: bool) -> Result<Url, engine::ports::ArtifactError> {
    let whole = if text.contains("://") {
        text.to_owned()
    } else {
        format!("{}://{text}", if secure { "https" } else { "http" })
    };
    let url = Url::parse(&whole).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.query().is_none()
    });
    url.ok_or_else(|| {
        needs_user("The endpoint of the object store is no URL such as https://minio.example.com:9000.")
    })
}

/// Puts the bucket where the endpoint expects it: in the host as Amazon's clients do, or in the path where that cannot be.
pub(super) fn place(url: Option<Url>, bucket: &str, region: &str, path_style: bool) -> Endpoint {
    let url = url.map_or_else(
        || {
            let end = if region.starts_with("cn-") { ".cn" } else { "" };
            format!("https://s3.{region}.amazonaws.com{end}")
        },
        |url| url.as_str().trim_end_matches('/').to_owned(),
    );
    let is_address = Url::parse(&url).is_ok_and(|url| url.domain().is_none());
    let fits_host = !bucket.contains(['.', '_']) && !bucket.bytes().any(|byte| byte.is_ascii_uppercase());
    if path_style || is_address || !fits_host {
        return Endpoint { url, virtual_hosted: false };
    }
    Endpoint { url: url.replacen("://", &format!("://{bucket}."), 1), virtual_hosted: true }
}

/// The region of an endpoint of Amazon, of whose names others cannot have one: `s3.REGION.amazonaws.com`.
fn amazons_region(url: &Url) -> Option<String> {
    if url.scheme() != "https" || url.port().is_some() {
        return None;
    }
    let host = url.domain()?;
    let labels: Vec<&str> = host
        .strip_suffix(".amazonaws.com")
        .or_else(|| host.strip_suffix(".amazonaws.com.cn"))?
        .split('.')
        .collect();
    match labels.as_slice() {
        ["s3"] => Some("us-east-1".to_owned()),
        ["s3" | "s3-fips", region] | ["s3" | "s3-fips", "dualstack", region] => Some((*region).to_owned()),
        _ => None,
    }
}
