//! The operator's own configuration file, and the defaults for custom resources in it.

use api::FlinkVersion;

use crate::conf::FlinkConf;
use crate::error::ConfError;
use crate::flat_file::SkippedLine;
use crate::{flat_file, nested_file};

/// Prefix of defaults for the custom resources of one namespace; `NAMESPACE.` follows.
pub const NAMESPACE_PREFIX: &str = "kubernetes.operator.default-configuration.namespace.";
/// Prefix of defaults for the custom resources of one Flink version (`v1_20.` follows), or of that and all
/// later ones (`v1_20+.` follows).
pub const VERSION_PREFIX: &str = "kubernetes.operator.default-configuration.flink-version.";

/// The configuration files of one folder, as texts.
#[derive(Debug, Clone, Copy, Default)]
pub struct ConfFolder<'a> {
    /// `flink-conf.yaml`; if it exists, `config.yaml` is not looked at.
    pub flink_conf_yaml: Option<&'a str>,
    /// `config.yaml`.
    pub config_yaml: Option<&'a str>,
}

/// The operator's configuration: options of the operator itself, and defaults for all Flink clusters, for
/// those of one namespace, and for those of one Flink version.
///
/// Sources: `FlinkConfigManager.java`, Flink's `GlobalConfiguration.java`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OperatorDefaults {
    base: FlinkConf,
}

impl OperatorDefaults {
    /// Defaults from a configuration that was read already.
    #[must_use]
    pub fn new(base: FlinkConf) -> Self {
        Self { base }
    }

    /// Reads the operator's configuration folder (`FLINK_CONF_DIR`) and, over it, the folder with overrides
    /// (`CONF_OVERRIDE_DIR`), whose keys win one by one. The second value lists lines of a flat file that
    /// Flink skips; they deserve a warning.
    ///
    /// # Errors
    /// [`ConfError::Yaml`] if a `config.yaml` that counts cannot be read.
    pub fn read(
        folder: ConfFolder<'_>,
        overrides: ConfFolder<'_>,
    ) -> Result<(Self, Vec<SkippedLine>), ConfError> {
        let mut base = FlinkConf::new();
        let mut skipped = Vec::new();
        for folder in [folder, overrides] {
            if let Some(file) = folder.flink_conf_yaml {
                let (conf, lines) = flat_file::parse(file);
                base.overlay(&conf);
                skipped.extend(lines);
            } else if let Some(file) = folder.config_yaml {
                base.overlay(&nested_file::parse(file)?);
            }
        }
        Ok((Self { base }, skipped))
    }

    /// The configuration without any overlay: what counts for the operator itself.
    #[must_use]
    pub fn base(&self) -> &FlinkConf {
        &self.base
    }

    /// The defaults of one custom resource: the base, over it those of its namespace, over these the
    /// version defaults with `+` of all versions up to its own in ascending order, and last those of
    /// exactly its version. The prefixed keys stay in the result; they are removed before a cluster sees
    /// the configuration, because they start with `kubernetes.operator.`.
    #[must_use]
    pub fn for_resource(&self, namespace: &str, version: Option<FlinkVersion>) -> FlinkConf {
        let mut conf = self.base.clone();
        self.apply(&mut conf, &format!("{NAMESPACE_PREFIX}{namespace}."));
        if let Some(version) = version {
            for older in FlinkVersion::ALL.iter().filter(|older| **older <= version) {
                self.apply(&mut conf, &format!("{VERSION_PREFIX}{older}+."));
            }
            self.apply(&mut conf, &format!("{VERSION_PREFIX}{version}."));
        }
        conf
    }

    fn apply(&self, conf: &mut FlinkConf, prefix: &str) {
        conf.extend(self.base.with_prefix(prefix));
    }

    /// Keys of version defaults that can never apply, because no such Flink version is known. They deserve
    /// a warning.
    #[must_use]
    pub fn unknown_versions(&self) -> Vec<String> {
        let known = |rest: &str| {
            let version = rest.split_once('.').map_or(rest, |(version, _)| version);
            let version = version.strip_suffix('+').unwrap_or(version);
            FlinkVersion::ALL.iter().any(|known| known.as_str() == version)
        };
        let unknown = self.base.with_prefix(VERSION_PREFIX).filter(|(rest, _)| !known(rest));
        unknown.map(|(rest, _)| format!("{VERSION_PREFIX}{rest}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "
parallelism.default: 1
a: base
b: base
c: base
d: base
kubernetes.operator.default-configuration.namespace.team.a: team
kubernetes.operator.default-configuration.namespace.team.b: team
kubernetes.operator.default-configuration.namespace.teamwork.a: other
kubernetes.operator.default-configuration.flink-version.v1_20.d: exact
kubernetes.operator.default-configuration.flink-version.v1_18+.b: since 1.18
kubernetes.operator.default-configuration.flink-version.v1_18+.c: since 1.18
kubernetes.operator.default-configuration.flink-version.v1_19+.c: since 1.19
kubernetes.operator.default-configuration.flink-version.v1_19+.d: since 1.19
kubernetes.operator.default-configuration.flink-version.v2_0+.a: since 2.0
kubernetes.operator.default-configuration.flink-version.v9_9+.a: never
";

    fn defaults() -> OperatorDefaults {
        let folder = ConfFolder { flink_conf_yaml: Some(FILE), config_yaml: Some("a: not read") };
        OperatorDefaults::read(folder, ConfFolder::default()).expect("readable").0
    }

    #[test]
    fn overlays_in_order() {
        for (namespace, version, expected) in [
            ("team", Some(FlinkVersion::V1_20), ["team", "since 1.18", "since 1.19", "exact"]),
            ("other", Some(FlinkVersion::V1_19), ["base", "since 1.18", "since 1.19", "since 1.19"]),
            ("other", Some(FlinkVersion::V1_17), ["base", "base", "base", "base"]),
            ("team", Some(FlinkVersion::V2_1), ["since 2.0", "since 1.18", "since 1.19", "since 1.19"]),
            ("teamwork", None, ["other", "base", "base", "base"]),
        ] {
            let conf = defaults().for_resource(namespace, version);
            let found = ["a", "b", "c", "d"].map(|key| conf.get(key).unwrap_or_default());
            assert_eq!(found, expected, "{namespace} {version:?}");
        }
    }

    #[test]
    fn overrides_win_key_by_key() -> Result<(), ConfError> {
        let folder = ConfFolder { flink_conf_yaml: Some("a: 1\nb: 1\nbroken\n"), config_yaml: None };
        let overrides = ConfFolder { flink_conf_yaml: None, config_yaml: Some("b: 2\nc: {d: 3}\n") };
        let (defaults, skipped) = OperatorDefaults::read(folder, overrides)?;
        let expected: FlinkConf = [("a", "1"), ("b", "2"), ("c.d", "3")].into_iter().collect();
        assert_eq!(defaults.base(), &expected);
        assert_eq!(skipped.len(), 1);
        Ok(())
    }

    #[test]
    fn unknown_versions_are_named() {
        let unknown = defaults().unknown_versions();
        assert_eq!(unknown, ["kubernetes.operator.default-configuration.flink-version.v9_9+.a"]);
    }
}
