//! Keys of the operator's own options for artifacts.

/// Folder for fetched jars.
pub(crate) const BASE_DIR: &str = "kubernetes.operator.user.artifacts.base.dir";
pub(crate) const ALLOWED_SCHEMES: &str = "kubernetes.operator.user.artifacts.allowed-schemes";
#[cfg(test)]
pub(crate) const DISALLOW_RESTRICTED_HOSTS: &str =
    "kubernetes.operator.user.artifacts.disallow-restricted-hosts";
pub(crate) const ALLOWED_HOSTS: &str = "kubernetes.operator.user.artifacts.allowed-hosts";
#[cfg(test)]
pub(crate) const ALLOWED_HOSTS_ONLY: &str = "kubernetes.operator.user.artifacts.allowed-hosts-only";
pub(crate) const CREDENTIALS_HOSTS: &str = "kubernetes.operator.user.artifacts.credentials-hosts";
pub(crate) const DENIED_HOSTS: &str = "kubernetes.operator.user.artifacts.denied-hosts";
pub(crate) const MAX_SIZE: &str = "kubernetes.operator.user.artifacts.max-size";
pub(crate) const TIMEOUT: &str = "kubernetes.operator.user.artifacts.timeout";
pub(crate) const CONCURRENCY: &str = "kubernetes.operator.user.artifacts.max-concurrent";
pub(crate) const CONCURRENCY_PER_HOST: &str = "kubernetes.operator.user.artifacts.max-concurrent-per-host";
pub(crate) const CACHE_SIZE: &str = "kubernetes.operator.user.artifacts.cache.size";
pub(crate) const FILE_DIRECTORIES: &str = "kubernetes.operator.user.artifacts.file.directories";
pub(crate) const TRUSTED_CERTIFICATES: &str = "kubernetes.operator.user.artifacts.trusted-certificates";

/// Of a job: what its jar must be.
pub(crate) const CHECKSUM: &str = "kubernetes.operator.user.artifacts.checksum";
pub(crate) const HTTP_HEADER: &str = "kubernetes.operator.user.artifacts.http.header";
pub(crate) const HTTP_USERNAME: &str = "kubernetes.operator.user.artifacts.http.username";
pub(crate) const HTTP_PASSWORD: &str = "kubernetes.operator.user.artifacts.http.password";
pub(crate) const HTTP_BEARER_TOKEN: &str = "kubernetes.operator.user.artifacts.http.bearer-token";
pub(crate) const WEBHDFS_USER: &str = "kubernetes.operator.user.artifacts.webhdfs.user";
pub(crate) const WEBHDFS_DELEGATION_TOKEN: &str =
    "kubernetes.operator.user.artifacts.webhdfs.delegation-token";
