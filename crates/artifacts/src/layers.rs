//! Who has written an option: the operator's configuration, or a custom resource.

use flink_conf::FlinkConf;
use lifecycle::validate::ChosenBy;

/// Defaults for custom resources of a namespace or a Flink version; the key they are for comes last.
const DEFAULTS: &str = "kubernetes.operator.default-configuration.";

/// The configuration of a job on top of the operator's.
#[derive(Clone, Copy)]
pub(crate) struct Layers<'a> {
    /// What applies to the job.
    pub(crate) effective: &'a FlinkConf,
    /// What the operator's configuration says.
    pub(crate) operator: &'a FlinkConf,
}

/// A value and who has chosen it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Setting<'a> {
    pub(crate) text: &'a str,
    pub(crate) by: ChosenBy,
}

impl<'a> Layers<'a> {
    /// The value of the first key that has one.
    pub(crate) fn find<S: AsRef<str>>(&self, keys: impl IntoIterator<Item = S>) -> Option<Setting<'a>> {
        keys.into_iter().find_map(|key| self.get(key.as_ref()))
    }

    /// The value of a key; blank ones count as absent.
    pub(crate) fn get(&self, key: &str) -> Option<Setting<'a>> {
        let text = self.effective.text(key).map(str::trim).filter(|text| !text.is_empty())?;
        let by = if self.operator_says(key, text) { ChosenBy::Operator } else { ChosenBy::Job };
        Some(Setting { text, by })
    }

    /// Whoever repeats what the operator says names nothing new.
    fn operator_says(&self, key: &str, text: &str) -> bool {
        let says = |value: &str| value.trim() == text;
        // After the prefix come `namespace.NAME.` or `flink-version.VERSION.`, and neither name has dots.
        let is_default = |found: &str| found.splitn(3, '.').nth(2) == Some(key);
        self.operator.text(key).is_some_and(says)
            || self.operator.with_prefix(DEFAULTS).any(|(found, value)| is_default(found) && says(value))
    }
}

/// Credentials of several parts are the operator's if any part is.
pub(crate) fn owner<'a>(parts: impl IntoIterator<Item = Setting<'a>>) -> ChosenBy {
    let operator = parts.into_iter().any(|part| part.by == ChosenBy::Operator);
    if operator { ChosenBy::Operator } else { ChosenBy::Job }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_operator_says_is_not_a_jobs_choice() {
        let operator: FlinkConf = [
            ("s3.endpoint", "http://minio"),
            ("kubernetes.operator.default-configuration.namespace.team.s3.region", "eu"),
        ]
        .into_iter()
        .collect();
        let effective: FlinkConf = [
            ("s3.endpoint", "http://minio"),
            ("s3.region", "eu"),
            ("region", "eu"),
            ("s3.x", " "),
            ("s3.y", "1"),
        ]
        .into_iter()
        .collect();
        let layers = Layers { effective: &effective, operator: &operator };
        let by = |key| layers.get(key).map(|setting| setting.by);
        assert_eq!(by("s3.endpoint"), Some(ChosenBy::Operator));
        assert_eq!(by("s3.region"), Some(ChosenBy::Operator));
        assert_eq!(by("region"), Some(ChosenBy::Job));
        assert_eq!(by("s3.x"), None);
        assert_eq!(by("s3.y"), Some(ChosenBy::Job));
        let other: FlinkConf = [("s3.endpoint", "http://evil")].into_iter().collect();
        let by =
            Layers { effective: &other, operator: &operator }.get("s3.endpoint").map(|setting| setting.by);
        assert_eq!(by, Some(ChosenBy::Job));
    }
}
