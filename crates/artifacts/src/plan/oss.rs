//! Alibaba Cloud's OSS, through the protocol of S3, which it speaks at hosts of its own
//! (<https://help.aliyun.com/en/oss/developer-reference/use-aws-sdks-to-access-oss>).

use engine::ports::ArtifactError;
use lifecycle::validate::ChosenBy;
use reqwest::Url;

use super::s3::{endpoint_url, place};
use super::uri::is_name;
use super::{Found, JarUri, Object, S3Bucket, S3Credentials, Source, Store};
use crate::error::needs_user;
use crate::layers::{Layers, owner};
use crate::options::ArtifactOptions;

pub(super) fn find(uri: &JarUri, layers: Layers<'_>, options: &ArtifactOptions) -> Found {
    let bucket = uri.bucket()?.to_owned();
    let Some(endpoint) = layers.get("fs.oss.endpoint") else {
        return Err(needs_user(format!(
            "{uri} cannot be fetched without fs.oss.endpoint, for instance oss-cn-hangzhou.aliyuncs.com."
        )));
    };
    let url = endpoint_url(endpoint.text, true)?;
    let alibabas = alibabas_region(&url);
    let (url, region, chosen_by) = match &alibabas {
        Some(region) => {
            let own = format!("https://s3.oss-{region}.aliyuncs.com");
            (endpoint_url(&own, true)?, region.trim_end_matches("-internal").to_owned(), ChosenBy::Operator)
        }
        None => (url, region(layers)?, endpoint.by),
    };
    let endpoint = place(Some(url), &bucket, &region, false);
    let (credentials, withheld) = credentials(layers, options, chosen_by);
    let host = super::host_of(&endpoint.url);
    let store = Store::S3(S3Bucket { name: bucket, region, endpoint, credentials });
    Ok((Source::Object(Object { store, key: uri.key()?, host, chosen_by }), withheld))
}

/// Of a server that speaks like S3 and is not Alibaba's.
fn region(layers: Layers<'_>) -> Result<String, ArtifactError> {
    let region = layers.get("fs.oss.region").map_or("us-east-1", |setting| setting.text);
    if is_name(region) { Ok(region.to_owned()) } else { Err(needs_user("fs.oss.region is no region.")) }
}

fn credentials(layers: Layers<'_>, options: &ArtifactOptions, place: ChosenBy) -> (S3Credentials, bool) {
    let token = layers.get("fs.oss.securityToken");
    let configured = match (layers.get("fs.oss.accessKeyId"), layers.get("fs.oss.accessKeySecret")) {
        (Some(id), Some(secret)) => {
            let by = owner([id, secret].into_iter().chain(token));
            Some((id.text, secret.text, token.map(|token| token.text), by))
        }
        _ => None,
    };
    let ambient = || {
        let (id, secret) =
            (options.variable("OSS_ACCESS_KEY_ID")?, options.variable("OSS_ACCESS_KEY_SECRET")?);
        Some((id, secret, options.variable("OSS_SESSION_TOKEN"), ChosenBy::Operator))
    };
    match configured.or_else(ambient) {
        None => (S3Credentials::Anonymous, false),
        Some((_, _, _, ChosenBy::Operator)) if place == ChosenBy::Job => (S3Credentials::Anonymous, true),
        Some((id, secret, token, _)) => {
            let token = token.map(str::to_owned);
            (S3Credentials::Keys { id: id.to_owned(), secret: secret.to_owned(), token }, false)
        }
    }
}

/// `cn-hangzhou` or `cn-hangzhou-internal` of `oss-cn-hangzhou….aliyuncs.com` and `s3.oss-cn-hangzhou….aliyuncs.com`.
fn alibabas_region(url: &Url) -> Option<String> {
    let host = url.domain().filter(|_| url.port().is_none())?;
    let name = host.strip_suffix(".aliyuncs.com")?;
    let region = name.strip_prefix("s3.").unwrap_or(name).strip_prefix("oss-")?;
    (!region.contains('.')).then(|| region.to_owned())
}
