//! What the operator's configuration says about artifacts.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use flink_conf::{ConfError, FlinkConf, MemorySize};
use lifecycle::validate::{ArtifactSettings, HostList};

use crate::keys;

const GIBIBYTE: u64 = 1 << 30;

/// Settings of an [`ArtifactStore`](crate::ArtifactStore). They are the operator's alone: what a custom resource says
/// about the same keys is not looked at.
///
/// Names of options are given without `kubernetes.operator.user.artifacts.`.
#[derive(Clone, PartialEq)]
pub struct ArtifactOptions {
    /// `base.dir`, default `/opt/flink/artifacts`: where fetched jars lie until they are uploaded.
    pub base_dir: PathBuf,
    /// Schemes, hosts and addresses that may be used.
    pub settings: ArtifactSettings,
    /// `credentials-hosts`, default none: servers to which credentials in the operator's configuration go, although a job
    /// has named them. (A list of its own: whoever allows a network does not trust everybody in it.)
    pub credentials_hosts: HostList,
    /// `max-size`, default 1 GiB: bytes of the largest jar.
    pub max_size: u64,
    /// `timeout`, default 10 min: for the whole of one fetch. The wait for its turn is limited by the same time.
    pub timeout: Duration,
    /// `max-concurrent`, default 8: fetches at the same time. At least 1.
    pub concurrency: usize,
    /// `max-concurrent-per-host`, default 4: the same, from one host. At least 1.
    pub concurrency_per_host: usize,
    /// `cache.size`, default 2 GiB: bytes of jars that are kept although nobody uploads them now. 0: none is kept.
    pub cache_size: u64,
    /// `file.directories`, default `/opt/flink/usrlib` and [`base_dir`](Self::base_dir): the folders from which
    /// `file:` and `local:` may read.
    pub file_directories: Vec<PathBuf>,
    /// `trusted-certificates`, default none: PEM file with authorities that are trusted besides the public ones.
    pub trusted_certificates: Option<PathBuf>,
    /// The whole of the operator's configuration: what is written there was chosen by the operator and not by a job.
    pub operator: FlinkConf,
    /// Environment variables from which the credentials of the operator's pod come (`AWS_…`, `AZURE_…`, `GOOGLE_…`,
    /// `OSS_…`).
    pub environment: BTreeMap<String, String>,
}

impl ArtifactOptions {
    /// Reads the operator's configuration, of which defaults for namespaces and Flink versions are a part.
    ///
    /// # Errors
    /// [`ConfError::Value`] for an option that has not its type.
    pub fn read(operator: &FlinkConf) -> Result<Self, ConfError> {
        let size = |key: &str, default: u64| -> Result<u64, ConfError> {
            Ok(operator.memory(key)?.map_or(default, MemorySize::bytes))
        };
        let base_dir =
            text(operator, keys::BASE_DIR).map_or_else(|| PathBuf::from("/opt/flink/artifacts"), Into::into);
        let file_directories = match lifecycle::validate::plain_list(operator, keys::FILE_DIRECTORIES)? {
            Some(directories) => directories.into_iter().map(PathBuf::from).collect(),
            None => vec![PathBuf::from("/opt/flink/usrlib"), base_dir.clone()],
        };
        Ok(Self {
            base_dir,
            settings: ArtifactSettings::read(operator)?,
            credentials_hosts: hosts(operator, keys::CREDENTIALS_HOSTS)?,
            max_size: size(keys::MAX_SIZE, GIBIBYTE)?,
            timeout: operator.duration(keys::TIMEOUT)?.unwrap_or(Duration::from_mins(10)),
            concurrency: count(operator, keys::CONCURRENCY, 8)?,
            concurrency_per_host: count(operator, keys::CONCURRENCY_PER_HOST, 4)?,
            cache_size: size(keys::CACHE_SIZE, 2 * GIBIBYTE)?,
            file_directories,
            trusted_certificates: text(operator, keys::TRUSTED_CERTIFICATES).map(Into::into),
            operator: operator.clone(),
            environment: BTreeMap::new(),
        })
    }

    /// Whether credentials in the operator's configuration may go to a host that a job has named.
    pub(crate) fn trusts(&self, host: &str) -> bool {
        let address = host.trim_start_matches('[').trim_end_matches(']').parse();
        self.credentials_hosts.has_name(host)
            || address.is_ok_and(|address| self.credentials_hosts.has_address(address))
    }

    /// Takes the credentials of the pod from the environment of this process.
    #[must_use]
    pub fn with_environment(mut self) -> Self {
        let ours =
            |name: &str| ["AWS_", "AZURE_", "GOOGLE_", "OSS_"].iter().any(|start| name.starts_with(start));
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        self.environment = variables.filter(|(name, value)| ours(name) && !value.trim().is_empty()).collect();
        self
    }

    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str)
    }
}

impl Default for ArtifactOptions {
    fn default() -> Self {
        Self {
            base_dir: PathBuf::from("/opt/flink/artifacts"),
            settings: ArtifactSettings::default(),
            credentials_hosts: HostList::default(),
            max_size: GIBIBYTE,
            timeout: Duration::from_mins(10),
            concurrency: 8,
            concurrency_per_host: 4,
            cache_size: 2 * GIBIBYTE,
            file_directories: vec!["/opt/flink/usrlib".into(), "/opt/flink/artifacts".into()],
            trusted_certificates: None,
            operator: FlinkConf::new(),
            environment: BTreeMap::new(),
        }
    }
}

impl fmt::Debug for ArtifactOptions {
    /// Shows neither configuration nor environment: credentials are in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArtifactOptions")
            .field("base_dir", &self.base_dir)
            .field("settings", &self.settings)
            .field("max_size", &self.max_size)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

fn hosts(operator: &FlinkConf, key: &str) -> Result<HostList, ConfError> {
    HostList::read(operator, key)
}

fn count(operator: &FlinkConf, key: &str, default: usize) -> Result<usize, ConfError> {
    let Some(number) = operator.int(key)? else { return Ok(default) };
    usize::try_from(number)
        .ok()
        .filter(|number| (1..=1000).contains(number))
        .ok_or_else(|| ConfError::value(key, number.to_string(), "a whole number from 1 to 1000"))
}

fn text<'a>(operator: &'a FlinkConf, key: &str) -> Option<&'a str> {
    operator.text(key).map(str::trim).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(entries: &[(&str, &str)]) -> Result<ArtifactOptions, ConfError> {
        ArtifactOptions::read(&entries.iter().copied().collect())
    }

    #[test]
    fn an_empty_configuration_gives_the_defaults() {
        assert!(read(&[]).unwrap() == ArtifactOptions::default());
    }

    #[test]
    fn every_option_is_read() {
        let options = read(&[
            (keys::BASE_DIR, "/jars"),
            (keys::ALLOWED_SCHEMES, "https,s3; GS"),
            (keys::DISALLOW_RESTRICTED_HOSTS, "false"),
            (keys::ALLOWED_HOSTS, "jars.internal;10.0.0.0/8"),
            (keys::ALLOWED_HOSTS_ONLY, "true"),
            (keys::DENIED_HOSTS, "10.0.0.1"),
            (keys::CREDENTIALS_HOSTS, "jars.internal"),
            (keys::MAX_SIZE, "300 mb"),
            (keys::TIMEOUT, "90 s"),
            (keys::CONCURRENCY, "3"),
            (keys::CONCURRENCY_PER_HOST, "2"),
            (keys::CACHE_SIZE, "0"),
            (keys::TRUSTED_CERTIFICATES, "/ca.pem"),
        ])
        .unwrap();
        assert_eq!(options.settings.allowed_schemes, ["https", "s3", "GS"]);
        assert!(!options.settings.disallow_restricted_hosts && options.settings.allowed_hosts_only);
        assert!(options.settings.allowed_hosts.has_name("jars.internal"));
        assert!(options.credentials_hosts.has_name("jars.internal"));
        assert!(options.settings.denied_hosts.has_address([10, 0, 0, 1].into()));
        assert_eq!((options.max_size, options.timeout), (300 << 20, Duration::from_secs(90)));
        assert_eq!((options.concurrency, options.concurrency_per_host, options.cache_size), (3, 2, 0));
        assert_eq!(options.file_directories, [PathBuf::from("/opt/flink/usrlib"), PathBuf::from("/jars")]);
        assert_eq!(options.trusted_certificates, Some(PathBuf::from("/ca.pem")));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (key, value) in [
            (keys::CONCURRENCY, "0"),
            (keys::CONCURRENCY_PER_HOST, "-1"),
            (keys::MAX_SIZE, "big"),
            (keys::ALLOWED_HOSTS, "10.0.0.0/99"),
        ] {
            assert!(read(&[(key, value)]).unwrap_err().to_string().contains(key), "{key}");
        }
    }
}
