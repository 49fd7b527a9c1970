//! Answers that several rooms need from an effective configuration.

use std::time::Duration;

use crate::conf::FlinkConf;
use crate::error::ConfError;
use crate::high_availability::HighAvailability;
use crate::option::{process, state};

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

/// How the REST endpoint of a cluster answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestEndpoint {
    /// Port of Service `<name>-rest`, and on the JobManager's host outside of Kubernetes: `rest.port`,
    /// default 8081.
    pub port: u16,
    /// Whether it speaks TLS: `security.ssl.rest.enabled`, default false.
    pub tls: bool,
}

/// The REST endpoint. Ask with the configuration that the cluster was deployed with.
///
/// # Errors
/// [`ConfError::Value`] if the port is no port or the switch no boolean.
pub fn rest_endpoint(conf: &FlinkConf) -> Result<RestEndpoint, ConfError> {
    Ok(RestEndpoint {
        port: conf.port(process::REST_PORT)?.unwrap_or(8081),
        tls: conf.boolean("security.ssl.rest.enabled")?.unwrap_or(false),
    })
}

/// How long a checkpoint or savepoint may take: `execution.checkpointing.timeout`, default 10 min.
///
/// # Errors
/// [`ConfError::Value`] if it is no duration.
pub fn checkpoint_timeout(conf: &FlinkConf) -> Result<Duration, ConfError> {
    Ok(conf.duration(state::CHECKPOINT_TIMEOUT)?.unwrap_or(Duration::from_mins(10)))
}

#[cfg(test)]
mod tests {
    use super::*;

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
