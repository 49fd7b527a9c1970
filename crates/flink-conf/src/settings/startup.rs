//! Options that count when the operator starts.

use std::time::Duration;

use super::{Reader, key};
use crate::conf::FlinkConf;
use crate::error::ConfError;

/// What the Java operator's framework means by "all".
const ALL_NAMESPACES: &str = "JOSDK_ALL_NAMESPACES";
/// What it means by "the namespace of the operator".
const OWN_NAMESPACE: &str = "JOSDK_WATCH_CURRENT";

/// How failed reconciles are repeated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retry {
    /// `retry.initial.interval`, default 5 s.
    pub initial_interval: Duration,
    /// `retry.interval.multiplier`, default 1.5.
    pub multiplier: f64,
    /// `retry.max.interval`, no default.
    pub max_interval: Option<Duration>,
    /// `retry.max.attempts`, default 15. Negative: without end.
    pub max_attempts: i32,
}

/// Leader election among operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaderElection {
    /// `leader-election.lease-name`. Needed.
    pub lease_name: String,
    /// `leader-election.lease-duration`, default 15 s.
    pub lease_duration: Duration,
    /// `leader-election.renew-deadline`, default 10 s.
    pub renew_deadline: Duration,
    /// `leader-election.retry-period`, default 2 s.
    pub retry_period: Duration,
}

/// The HTTP probe of the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthProbe {
    /// `health.probe.enabled`, default true.
    pub enabled: bool,
    /// `health.probe.port`, default 8085.
    pub port: u16,
}

/// Options that are read once, from the operator's file alone. Names are those of the options without
/// `kubernetes.operator.`.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "one field per switch of the operator")]
pub struct StartupSettings {
    /// `reconcile.parallelism`, default 50; -1 for no limit (`None`).
    pub reconcile_parallelism: Option<usize>,
    /// Repetition of failed reconciles.
    pub retry: Retry,
    /// `rate-limiter.limit` (default 5) reconciles of one resource per `rate-limiter.refresh-period`
    /// (default 15 s); `None` for no limit (0 or less).
    pub rate_limit: Option<(usize, Duration)>,
    /// `termination.timeout`, default 10 s: how long running reconciles may go on at shutdown.
    pub termination_timeout: Duration,
    /// `startup.stop-on-informer-error`, default true: whether to end when a watch cannot start.
    pub stop_on_informer_error: bool,
    /// `dynamic.config.enabled`, default true, and `dynamic.config.check.interval`, default 5 min: how
    /// often the file is read again; `None` if never.
    pub dynamic_config_interval: Option<Duration>,
    /// `dynamic.namespaces.enabled`, default false: whether a changed list of namespaces counts.
    pub dynamic_namespaces: bool,
    /// `watched.namespaces`: a list separated by commas. Empty: all namespaces.
    pub watched_namespaces: Vec<String>,
    /// Whether `watched.namespaces` asks for the operator's own namespace (`JOSDK_WATCH_CURRENT`).
    pub watch_own_namespace: bool,
    /// `label.selector` of all custom resources.
    pub label_selector: Option<String>,
    /// `leader-election.*`, if enabled.
    pub leader_election: Option<LeaderElection>,
    /// `health.probe.*`.
    pub health_probe: HealthProbe,
    /// `snapshot.resource.enabled`, default true: whether FlinkStateSnapshots are handled at all.
    pub snapshot_resources: bool,
    /// `ingress.manage`, default true.
    pub manage_ingress: bool,
}

impl StartupSettings {
    /// Reads the settings.
    ///
    /// # Errors
    /// [`ConfError::Value`] for an option that has not its type, and for leader election without a lease
    /// name.
    pub fn read(conf: &FlinkConf) -> Result<Self, ConfError> {
        let read = Reader(conf);
        let parallelism = conf
            .int(key(
                "kubernetes.operator.reconcile.parallelism",
                &["kubernetes.operator.reconciler.max.parallelism"],
            ))?
            .unwrap_or(50);
        let namespaces = read.text("kubernetes.operator.watched.namespaces");
        let namespaces = namespaces_of(namespaces.as_deref().unwrap_or(ALL_NAMESPACES));
        Ok(Self {
            reconcile_parallelism: usize::try_from(parallelism).ok().filter(|number| *number > 0),
            retry: retry(&read)?,
            rate_limit: rate_limit(&read)?,
            termination_timeout: read.seconds("kubernetes.operator.termination.timeout", 10)?,
            stop_on_informer_error: read.flag("kubernetes.operator.startup.stop-on-informer-error", true)?,
            dynamic_config_interval: {
                let interval = read.seconds("kubernetes.operator.dynamic.config.check.interval", 300)?;
                read.flag("kubernetes.operator.dynamic.config.enabled", true)?.then_some(interval)
            },
            dynamic_namespaces: read.flag("kubernetes.operator.dynamic.namespaces.enabled", false)?,
            watch_own_namespace: namespaces.iter().any(|name| name == OWN_NAMESPACE),
            watched_namespaces: namespaces
                .into_iter()
                .filter(|name| name != ALL_NAMESPACES && name != OWN_NAMESPACE)
                .collect(),
            label_selector: read.text("kubernetes.operator.label.selector"),
            leader_election: leader_election(&read)?,
            health_probe: HealthProbe {
                enabled: read.flag("kubernetes.operator.health.probe.enabled", true)?,
                port: conf.port("kubernetes.operator.health.probe.port")?.unwrap_or(8085),
            },
            snapshot_resources: read.flag("kubernetes.operator.snapshot.resource.enabled", true)?,
            manage_ingress: read.flag("kubernetes.operator.ingress.manage", true)?,
        })
    }
}

/// The names in a text such as `watched.namespaces` or the environment variable `WATCH_NAMESPACES`:
/// separated by commas, blanks around them allowed.
#[must_use]
pub fn namespaces_of(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn retry(read: &Reader<'_>) -> Result<Retry, ConfError> {
    let conf = read.0;
    Ok(Retry {
        initial_interval: read.seconds("kubernetes.operator.retry.initial.interval", 5)?,
        multiplier: conf.double("kubernetes.operator.retry.interval.multiplier")?.unwrap_or(1.5),
        max_interval: conf.duration("kubernetes.operator.retry.max.interval")?,
        max_attempts: conf.int("kubernetes.operator.retry.max.attempts")?.unwrap_or(15),
    })
}

fn rate_limit(read: &Reader<'_>) -> Result<Option<(usize, Duration)>, ConfError> {
    let period = read.seconds("kubernetes.operator.rate-limiter.refresh-period", 15)?;
    let limit = read.0.int("kubernetes.operator.rate-limiter.limit")?.unwrap_or(5);
    Ok(usize::try_from(limit).ok().filter(|limit| *limit > 0).map(|limit| (limit, period)))
}

fn leader_election(read: &Reader<'_>) -> Result<Option<LeaderElection>, ConfError> {
    const LEASE_NAME: &str = "kubernetes.operator.leader-election.lease-name";
    if !read.flag("kubernetes.operator.leader-election.enabled", false)? {
        return Ok(None);
    }
    let lease_name = read
        .text(LEASE_NAME)
        .ok_or_else(|| ConfError::value(LEASE_NAME, "", "a name, as leader election is enabled"))?;
    Ok(Some(LeaderElection {
        lease_name,
        lease_duration: read.seconds("kubernetes.operator.leader-election.lease-duration", 15)?,
        renew_deadline: read.seconds("kubernetes.operator.leader-election.renew-deadline", 10)?,
        retry_period: read.seconds("kubernetes.operator.leader-election.retry-period", 2)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(entries: &[(&str, &str)]) -> Result<StartupSettings, ConfError> {
        let conf =
            entries.iter().map(|(key, value)| (format!("kubernetes.operator.{key}"), *value)).collect();
        StartupSettings::read(&conf)
    }

    #[test]
    fn defaults() -> Result<(), ConfError> {
        let settings = settings(&[])?;
        assert_eq!(settings.reconcile_parallelism, Some(50));
        assert_eq!(settings.rate_limit, Some((5, Duration::from_secs(15))));
        assert_eq!(settings.retry.max_attempts, 15);
        assert_eq!(settings.dynamic_config_interval, Some(Duration::from_mins(5)));
        assert_eq!(settings.watched_namespaces, Vec::<String>::new());
        assert_eq!(settings.health_probe, HealthProbe { enabled: true, port: 8085 });
        assert_eq!(settings.leader_election, None);
        Ok(())
    }

    #[test]
    fn configured() -> Result<(), ConfError> {
        let settings = settings(&[
            ("reconciler.max.parallelism", "-1"),
            ("rate-limiter.limit", "0"),
            ("dynamic.config.enabled", "false"),
            ("watched.namespaces", "a, b ,,JOSDK_WATCH_CURRENT"),
            ("leader-election.enabled", "true"),
            ("leader-election.lease-name", "flink"),
        ])?;
        assert_eq!(settings.reconcile_parallelism, None);
        assert_eq!(settings.rate_limit, None);
        assert_eq!(settings.dynamic_config_interval, None);
        assert_eq!(settings.watched_namespaces, ["a", "b"]);
        assert!(settings.watch_own_namespace);
        assert_eq!(settings.leader_election.map(|leader| leader.lease_name).as_deref(), Some("flink"));
        Ok(())
    }

    #[test]
    fn leader_election_needs_a_name() {
        let error = settings(&[("leader-election.enabled", "true")]).expect_err("no name").to_string();
        assert!(error.contains("kubernetes.operator.leader-election.lease-name"), "{error}");
    }
}
