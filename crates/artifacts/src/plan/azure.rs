//! Azure Blob Storage and Data Lake: `abfs`, `abfss`, `wasb`, `wasbs`. Keys are those of Hadoop's connectors.

use engine::ports::ArtifactError;
use lifecycle::validate::ChosenBy;
use reqwest::Url;

use super::s3::endpoint_url;
use super::uri::is_name;
use super::{Found, JarUri, Object, Source, Store};
use crate::error::needs_user;
use crate::layers::{Layers, Setting, owner};

/// Ends of hosts below which every account is the vendor's own server.
const AZURES: [&str; 5] = [
    "core.windows.net",
    "core.chinacloudapi.cn",
    "core.usgovcloudapi.net",
    "core.cloudapi.de",
    "fabric.microsoft.com",
];
/// Servers of the vendor that hand out tokens.
const AUTHORITIES: [&str; 4] = [
    "login.microsoftonline.com",
    "login.chinacloudapi.cn",
    "login.partner.microsoftonline.cn",
    "login.microsoftonline.us",
];

/// A container and how to enter it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct AzureContainer {
    pub(crate) account: String,
    pub(crate) container: String,
    /// Of the blob service; with the account in it.
    pub(crate) endpoint: String,
    pub(crate) credentials: AzureCredentials,
}

/// Who asks.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum AzureCredentials {
    AccountKey(String),
    /// A shared access signature: a query.
    Sas(String),
    /// A service principal.
    Client {
        id: String,
        secret: String,
        tenant: String,
        authority: String,
    },
    /// The identity of the operator's pod.
    Ambient,
    Anonymous,
}

pub(super) fn find(uri: &JarUri, layers: Layers<'_>) -> Found {
    let form = "it must have the form abfss://container@account.dfs.core.windows.net/folder/job.jar";
    let container = uri.user().filter(|container| is_name(container) || *container == "$web");
    let container = container.ok_or_else(|| uri.unusable(form))?.to_owned();
    let host = uri.host();
    let (account, domain) =
        host.split_once('.').filter(|_| is_name(host)).ok_or_else(|| uri.unusable(form))?;
    let options = Options {
        layers,
        container: &container,
        account,
        host,
        blob_host: format!("{account}.{}", blob(domain)),
    };

    let configured = options.get(&["account.endpoint"]);
    let (endpoint, chosen_by) = if let Some(endpoint) = configured {
        (endpoint_url(endpoint.text, true)?.as_str().trim_end_matches('/').to_owned(), endpoint.by)
    } else {
        let service = domain.strip_prefix("dfs.").or_else(|| domain.strip_prefix("blob."));
        let azures = service.is_some_and(|service| AZURES.contains(&service));
        let by = if azures { ChosenBy::Operator } else { ChosenBy::Job };
        (format!("https://{}", options.blob_host), by)
    };
    let (found, by) = credentials(&options)?;
    let withheld = by == ChosenBy::Operator && chosen_by == ChosenBy::Job;
    let credentials = if withheld { AzureCredentials::Anonymous } else { found };
    let answers = super::host_of(&endpoint);
    let store =
        Store::Azure(AzureContainer { account: account.to_owned(), container, endpoint, credentials });
    Ok((Source::Object(Object { store, key: uri.key()?, host: answers, chosen_by }), withheld))
}

/// The blob service reads what the data lake service has written.
fn blob(domain: &str) -> String {
    domain.strip_prefix("dfs.").map_or_else(|| domain.to_owned(), |rest| format!("blob.{rest}"))
}

struct Options<'a> {
    layers: Layers<'a>,
    container: &'a str,
    account: &'a str,
    host: &'a str,
    blob_host: String,
}

impl<'a> Options<'a> {
    /// `fs.azure.NAME.ACCOUNT-HOST`, else `fs.azure.NAME`; Flink adds `fs.` where it is missing.
    fn get(&self, names: &[&str]) -> Option<Setting<'a>> {
        let dfs_host = self.blob_host.replacen(".blob.", ".dfs.", 1);
        let ends = [
            format!(".{}", self.host),
            format!(".{}", self.blob_host),
            format!(".{dfs_host}"),
            format!(".{}", self.account),
            String::new(),
        ];
        let keys = ends.iter().flat_map(|end| {
            names
                .iter()
                .flat_map(move |name| ["fs.azure.", "azure."].map(|prefix| format!("{prefix}{name}{end}")))
        });
        self.layers.find(keys)
    }
}

fn credentials(options: &Options<'_>) -> Result<(AzureCredentials, ChosenBy), ArtifactError> {
    let kind = options.get(&["account.auth.type"]).map(|setting| setting.text.to_ascii_lowercase());
    let kind = kind.as_deref();
    let of_container = format!("sas.{}", options.container);
    if kind == Some("oauth") {
        return client(options);
    }
    if kind != Some("sas")
        && let Some(key) = options.get(&["account.key"])
    {
        return Ok((AzureCredentials::AccountKey(key.text.to_owned()), key.by));
    }
    if let Some(sas) = options.get(&["sas.fixed.token", &of_container]) {
        return Ok((AzureCredentials::Sas(sas.text.trim_start_matches('?').to_owned()), sas.by));
    }
    Ok((AzureCredentials::Ambient, ChosenBy::Operator))
}

fn client(options: &Options<'_>) -> Result<(AzureCredentials, ChosenBy), ArtifactError> {
    let provider = options.get(&["account.oauth.provider.type"]);
    if provider
        .is_some_and(|provider| provider.text.contains("Msi") || provider.text.contains("WorkloadIdentity"))
    {
        return Ok((AzureCredentials::Ambient, ChosenBy::Operator));
    }
    let part = |name: &str| {
        let key = format!("account.oauth2.client.{name}");
        options.get(&[&key]).ok_or_else(|| {
            needs_user(format!("fs.azure.{key} is missing, which OAuth with a client's credentials needs."))
        })
    };
    let (id, secret, endpoint) = (part("id")?, part("secret")?, part("endpoint")?);
    let wrong = || {
        needs_user(
            "fs.azure.account.oauth2.client.endpoint is not of the form \
             https://login.microsoftonline.com/TENANT/oauth2/token.",
        )
    };
    let url = Url::parse(endpoint.text).map_err(|_| wrong())?;
    let host = url.host_str().filter(|_| url.scheme() == "https").ok_or_else(wrong)?;
    let tenant =
        url.path_segments().and_then(|mut segments| segments.next()).filter(|tenant| is_name(tenant));
    let tenant = tenant.ok_or_else(wrong)?.to_owned();
    if endpoint.by == ChosenBy::Job && !AUTHORITIES.contains(&host) {
        return Err(needs_user(format!(
            "{host} is not known to hand out Azure's tokens, so a job may not name it. Use \
             login.microsoftonline.com, or have the endpoint set in the operator's configuration."
        )));
    }
    let end = url.port().map_or(String::new(), |port| format!(":{port}"));
    let client = AzureCredentials::Client {
        id: id.text.to_owned(),
        secret: secret.text.to_owned(),
        tenant,
        authority: format!("https://{host}{end}"),
    };
    Ok((client, owner([id, secret])))
}
