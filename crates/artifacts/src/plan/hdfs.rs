//! HDFS, through the REST API that every NameNode has: `webhdfs`, `swebhdfs` (with TLS), and `hdfs` by the same way.

use lifecycle::validate::ChosenBy;
use reqwest::Url;

use super::{Found, JarUri, Source};
use crate::error::needs_user;
use crate::keys;
use crate::layers::{Layers, Setting};
use crate::options::ArtifactOptions;

/// The port of a NameNode's REST API, without and with TLS, unless said otherwise (`hdfs-default.xml` of Hadoop 3).
const PORTS: (u16, u16) = (9870, 9871);

/// A file of HDFS.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct HdfsFile {
    /// Requests that read the file, one for each NameNode; credentials are in the queries.
    pub(crate) urls: Vec<Url>,
    pub(crate) host: String,
    pub(crate) chosen_by: ChosenBy,
}

pub(super) fn find(uri: &JarUri, layers: Layers<'_>, options: &ArtifactOptions) -> Found {
    uri.key()?;
    let hadoop = Hadoop { layers };
    let (authority, uri_chosen_by) = match uri.host() {
        "" => default_authority(uri, &hadoop)?,
        authority => (authority.to_owned(), named_by(authority, &hadoop)),
    };
    let secure = uri.scheme == "swebhdfs";
    let (addresses, chosen_by) = if uri.scheme == "hdfs" {
        hadoop.name_nodes(&authority, uri_chosen_by)
    } else {
        let port = if secure { PORTS.1 } else { PORTS.0 };
        (
            vec![if has_port(&authority) { authority.clone() } else { format!("{authority}:{port}") }],
            uri_chosen_by,
        )
    };
    let (login, withheld) = login(layers, chosen_by, &addresses, options);
    let scheme = if secure { "https" } else { "http" };
    let url = |address: &String| {
        let mut url = Url::parse(&format!("{scheme}://{address}/"))
            .map_err(|_| uri.unusable("it names no NameNode"))?;
        url.set_path(&format!("/webhdfs/v1{}", uri.path));
        url.query_pairs_mut().append_pair("op", "OPEN").extend_pairs(&login);
        Ok(url)
    };
    let urls = addresses.iter().map(url).collect::<Result<Vec<_>, _>>()?;
    let host = urls.first().and_then(Url::host_str).unwrap_or_default().to_owned();
    Ok((Source::Hdfs(HdfsFile { urls, host, chosen_by }), withheld))
}

/// Options of Hadoop, which Flink takes with the prefix `flink.hadoop.`.
struct Hadoop<'a> {
    layers: Layers<'a>,
}

impl<'a> Hadoop<'a> {
    fn get(&self, key: &str) -> Option<Setting<'a>> {
        self.layers.find([format!("flink.hadoop.{key}"), key.to_owned()])
    }

    /// Where the REST APIs of an HDFS are: of a name service as `hdfs-site.xml` has it, else at the host.
    fn name_nodes(&self, authority: &str, by: ChosenBy) -> (Vec<String>, ChosenBy) {
        if let Some(nodes) = self.get(&format!("dfs.ha.namenodes.{authority}")) {
            let addresses: Vec<Setting<'_>> = nodes
                .text
                .split(',')
                .filter_map(|node| {
                    self.get(&format!("dfs.namenode.http-address.{authority}.{}", node.trim()))
                })
                .collect();
            if !addresses.is_empty() {
                let jobs = addresses.iter().any(|address| address.by == ChosenBy::Job);
                let by = if jobs { ChosenBy::Job } else { ChosenBy::Operator };
                return (addresses.iter().map(|address| address.text.to_owned()).collect(), by);
            }
        }
        if let Some(address) = self.get("dfs.namenode.http-address") {
            return (vec![address.text.to_owned()], address.by);
        }
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        (vec![format!("{host}:{}", PORTS.0)], by)
    }
}

/// `hdfs:///path` means the default file system.
fn default_authority(
    uri: &JarUri,
    hadoop: &Hadoop<'_>,
) -> Result<(String, ChosenBy), engine::ports::ArtifactError> {
    let default = hadoop.layers.get("fs.default-scheme").or_else(|| hadoop.get("fs.defaultFS"));
    let authority = default.and_then(|setting| {
        let (_, rest) = setting.text.split_once("://")?;
        Some((rest.split('/').next()?.to_owned(), setting.by))
    });
    authority.filter(|(authority, _)| !authority.is_empty()).ok_or_else(|| {
        needs_user(format!("{uri} names no NameNode. Write hdfs://namenode/path, or set fs.default-scheme."))
    })
}

/// Whether the operator's own default file system is meant.
fn named_by(authority: &str, hadoop: &Hadoop<'_>) -> ChosenBy {
    let default = hadoop.layers.get("fs.default-scheme").or_else(|| hadoop.get("fs.defaultFS"));
    match default {
        Some(setting) if setting.by == ChosenBy::Operator => {
            let rest = setting.text.split_once("://").map_or("", |(_, rest)| rest);
            if rest.split('/').next() == Some(authority) { ChosenBy::Operator } else { ChosenBy::Job }
        }
        _ => ChosenBy::Job,
    }
}

/// As whom to ask. Of the operator's, only where the operator's configuration names the server.
fn login(
    layers: Layers<'_>,
    place: ChosenBy,
    addresses: &[String],
    options: &ArtifactOptions,
) -> (Vec<(&'static str, String)>, bool) {
    let host =
        |address: &str| address.rsplit_once(':').map_or(address.to_owned(), |(host, _)| host.to_owned());
    let trusted =
        place == ChosenBy::Operator || addresses.iter().all(|address| options.trusts(&host(address)));
    let mut pairs = Vec::new();
    let mut withheld = false;
    for (key, parameter) in
        [(keys::WEBHDFS_DELEGATION_TOKEN, "delegation"), (keys::WEBHDFS_USER, "user.name")]
    {
        match layers.get(key) {
            Some(setting) if setting.by == ChosenBy::Job || trusted => {
                pairs.push((parameter, setting.text.to_owned()));
            }
            Some(_) => withheld = true,
            None => {}
        }
    }
    // A token says who asks; both together are refused.
    pairs.truncate(1);
    (pairs, withheld)
}

fn has_port(authority: &str) -> bool {
    authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok())
}
