//! Answers that several rooms need from an effective configuration.

use std::collections::BTreeMap;
use std::time::Duration;

use api::FlinkVersion;

use crate::conf::FlinkConf;
use crate::error::ConfError;
use crate::high_availability::HighAvailability;
use crate::option::{internal, job, process, state};

/// Directory of savepoints, if one is configured (an empty text counts as none).
#[must_use]
pub fn savepoint_directory(conf: &FlinkConf) -> Option<&str> {
    conf.text(state::SAVEPOINT_DIR).filter(|directory| !directory.trim().is_empty())
}

/// Directory of checkpoints, if one is configured (an empty text counts as none).
#[must_use]
pub fn checkpoint_directory(conf: &FlinkConf) -> Option<&str> {
    conf.text(state::CHECKPOINT_DIR).filter(|directory| !directory.trim().is_empty())
}

/// Whether Flink's high availability is on, of whatever kind.
#[must_use]
pub fn is_high_availability_active(conf: &FlinkConf) -> bool {
    HighAvailability::of(conf).is_active()
}

/// Whether jobs take all the slots that there are: `scheduler-mode: reactive`.
#[must_use]
pub fn is_reactive(conf: &FlinkConf) -> bool {
    conf.text(process::SCHEDULER_MODE).is_some_and(|mode| mode.eq_ignore_ascii_case("reactive"))
}

/// Whether jobs can be rescaled while they run: `jobmanager.scheduler: adaptive`.
#[must_use]
pub fn is_adaptive(conf: &FlinkConf) -> bool {
    conf.text(process::SCHEDULER).is_some_and(|scheduler| scheduler.eq_ignore_ascii_case("adaptive"))
}

/// Parallelism by vertex: `pipeline.jobvertex-parallelism-overrides`, none by default.
///
/// # Errors
/// [`ConfError::Value`] if it is no map, or a parallelism is no number above 0.
pub fn parallelism_overrides(conf: &FlinkConf) -> Result<BTreeMap<String, u32>, ConfError> {
    let overrides = conf.map(job::PARALLELISM_OVERRIDES)?.unwrap_or_default();
    let number = |(vertex, text): (String, String)| match text.trim().parse::<u32>() {
        Ok(parallelism) if parallelism > 0 => Ok((vertex, parallelism)),
        Ok(_) | Err(_) => {
            let key = format!("{}.{vertex}", job::PARALLELISM_OVERRIDES.name);
            Err(ConfError::value(key, &text, "a number above 0"))
        }
    };
    overrides.into_iter().map(number).collect()
}

/// How the REST endpoint of a cluster answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestEndpoint {
    /// Port of Service `<name>-rest`, and on the JobManager's host outside of Kubernetes: `rest.port`,
    /// default 8081.
    pub port: u16,
    /// Whether it speaks TLS: `security.ssl.rest.enabled`, before Flink 2.0 else `security.ssl.enabled`, default false.
    pub tls: bool,
}

/// The REST endpoint. Ask with the configuration that the cluster was deployed with.
///
/// # Errors
/// [`ConfError::Value`] if the port is no port or the switch no boolean.
pub fn rest_endpoint(conf: &FlinkConf) -> Result<RestEndpoint, ConfError> {
    Ok(RestEndpoint { port: conf.port(process::REST_PORT)?.unwrap_or(8081), tls: rest_tls(conf)? })
}

/// Whether the REST endpoint speaks TLS, and only with those who show a certificate:
/// `security.ssl.rest.authentication-enabled`, default false.
///
/// # Errors
/// [`ConfError::Value`] if a switch is no boolean.
pub fn rest_asks_for_certificates(conf: &FlinkConf) -> Result<bool, ConfError> {
    Ok(rest_tls(conf)? && conf.boolean(process::REST_TLS_MUTUAL)?.unwrap_or(false))
}

/// As `SecurityOptions.isRestSSLEnabled` of the Flink version that the configuration is for.
pub(crate) fn rest_tls(conf: &FlinkConf) -> Result<bool, ConfError> {
    if let Some(enabled) = conf.boolean(process::REST_TLS)? {
        return Ok(enabled);
    }
    let version = conf.text(internal::FLINK_VERSION).and_then(|text| text.parse::<FlinkVersion>().ok());
    let knows_legacy_option = version.is_none_or(|version| version < FlinkVersion::V2_0);
    Ok(knows_legacy_option && conf.boolean(process::LEGACY_TLS)?.unwrap_or(false))
}

/// How long a checkpoint or savepoint may take: `execution.checkpointing.timeout`, default 10 min.
///
/// # Errors
/// [`ConfError::Value`] if it is no duration.
pub fn checkpoint_timeout(conf: &FlinkConf) -> Result<Duration, ConfError> {
    Ok(conf.duration(state::CHECKPOINT_TIMEOUT)?.unwrap_or(Duration::from_mins(10)))
}

/// How long Flink repeats an answer about the checkpoints of a job, also across the job's end:
/// `rest.cache.checkpoint-statistics.timeout`, else `web.refresh-interval`, default 3 s.
///
/// # Errors
/// [`ConfError::Value`] if it is no duration.
pub fn checkpoint_statistics_lag(conf: &FlinkConf) -> Result<Duration, ConfError> {
    Ok(conf.duration(process::CHECKPOINT_STATISTICS_CACHE)?.unwrap_or(Duration::from_secs(3)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoint_statistics_lag_behind_as_long_as_they_are_repeated() {
        let lag = |entries: &[(&str, &str)]| {
            let conf: FlinkConf = entries.iter().copied().collect();
            checkpoint_statistics_lag(&conf).unwrap()
        };
        assert_eq!(lag(&[]), Duration::from_secs(3));
        assert_eq!(lag(&[("web.refresh-interval", "7000")]), Duration::from_secs(7));
        let both = [("rest.cache.checkpoint-statistics.timeout", "1 s"), ("web.refresh-interval", "9 s")];
        assert_eq!(lag(&both), Duration::from_secs(1));
    }

    #[test]
    fn tls_has_a_legacy_option_before_flink_2() {
        let tls = |entries: &[(&str, &str)]| {
            let conf: FlinkConf = entries.iter().copied().collect();
            rest_endpoint(&conf).unwrap().tls
        };
        let (one, two) = (("$internal.flink.version", "v1_20"), ("$internal.flink.version", "v2_0"));
        let legacy = ("security.ssl.enabled", "true");
        assert!(!tls(&[one]));
        assert!(tls(&[one, legacy]));
        assert!(!tls(&[two, legacy]));
        assert!(!tls(&[one, legacy, ("security.ssl.rest.enabled", "false")]));
        assert!(tls(&[two, ("security.ssl.rest.enabled", "true")]));
        assert!(!tls(&[one, ("security.ssl.internal.enabled", "true")]));
    }

    #[test]
    fn directories_have_deprecated_spellings() {
        for key in ["execution.checkpointing.savepoint-dir", "state.savepoints.dir"] {
            let conf: FlinkConf = [(key, "s3://sp")].into_iter().collect();
            assert_eq!(savepoint_directory(&conf), Some("s3://sp"), "{key}");
        }
        for key in ["execution.checkpointing.dir", "state.checkpoints.dir"] {
            let conf: FlinkConf = [(key, "s3://cp")].into_iter().collect();
            assert_eq!(checkpoint_directory(&conf), Some("s3://cp"), "{key}");
        }
        let blank: FlinkConf = [("state.savepoints.dir", " ")].into_iter().collect();
        assert_eq!(savepoint_directory(&blank), None);
    }
}
