//! Options that count for one custom resource.

use std::time::Duration;

use api::error::ErrorLimits;
use api::{FlinkDeploymentSpec, FlinkSessionJobSpec, FlinkVersion};
use serde_json::Value;

use super::{Reader, key, lenient};
use crate::conf::{Choice, FlinkConf};
use crate::error::ConfError;
use crate::operator_defaults::OperatorDefaults;
use crate::option::Key;
use crate::{effective, reading};

/// How Kubernetes deletes what belongs to a Deployment: `resource.deletion.propagation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// Dependents first (default).
    Foreground,
    /// The owner first.
    Background,
    /// Dependents stay.
    Orphan,
}

impl Choice for Propagation {
    const VALUES: &'static [(&'static str, Self)] =
        &[("FOREGROUND", Self::Foreground), ("BACKGROUND", Self::Background), ("ORPHAN", Self::Orphan)];
}

/// Values of `savepoint.format.type`, and the text that Flink's REST API wants.
#[derive(Clone)]
struct SavepointFormat(&'static str);

impl Choice for SavepointFormat {
    const VALUES: &'static [(&'static str, Self)] =
        &[("DEFAULT", Self("CANONICAL")), ("CANONICAL", Self("CANONICAL")), ("NATIVE", Self("NATIVE"))];
}

/// Values of `checkpoint.type`, which are those of Flink's REST API.
#[derive(Clone)]
struct CheckpointType(&'static str);

impl Choice for CheckpointType {
    const VALUES: &'static [(&'static str, Self)] =
        &[("FULL", Self("FULL")), ("INCREMENTAL", Self("INCREMENTAL"))];
}

/// Settings of the operator for one custom resource. Names in backquotes are options without
/// `kubernetes.operator.`.
///
/// Those marked *operator* come from the operator's file with its defaults for the namespace and Flink
/// version, never from the resource, as in the Java operator. All others may also stand in the
/// resource's `flinkConfiguration`, and count without a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "one field per switch of the operator")]
pub struct OperatorSettings {
    /// `reconcile.interval` (*operator*), default 60 s: how often a settled resource is looked at.
    pub reconcile_interval: Duration,
    /// `observer.progress-check.interval` (*operator*), default 10 s: the same while something goes on.
    pub progress_check_interval: Duration,
    /// `observer.rest-ready.delay` (*operator*), default 10 s.
    pub rest_ready_delay: Duration,
    /// `flink.client.timeout` (*operator*), default 10 s: of a call to Flink.
    pub flink_client_timeout: Duration,
    /// `flink.client.cancel.timeout` (*operator*), default 1 min.
    pub cancel_timeout: Duration,
    /// `job.submission.timeout` (*operator*), default 10 min.
    pub job_submission_timeout: Duration,
    /// `resource.cleanup.timeout` (*operator*), default 5 min: how long a cluster may take to go.
    pub cleanup_timeout: Duration,
    /// `resource.deletion.propagation` (*operator*), default `FOREGROUND`.
    pub deletion_propagation: Propagation,
    /// `ingress.manage` (*operator*), default true.
    pub manage_ingress: bool,
    /// `health.canary.resource.timeout` (*operator*), default 1 min.
    pub canary_timeout: Duration,
    /// `exception.*` (*operator*): limits of `status.error`.
    pub error_limits: ErrorLimits,
    /// `events.exceptions.stacktrace-lines` (*operator*), default 5.
    pub exception_stacktrace_lines: usize,
    /// `events.exceptions.limit-per-reconciliation` (*operator*), default 10.
    pub exceptions_per_reconciliation: usize,
    /// `savepoint.history.max.count.threshold` (*operator*), no default.
    pub savepoint_history_max_count_threshold: Option<usize>,
    /// `savepoint.history.max.age.threshold` (*operator*), no default.
    pub savepoint_history_max_age_threshold: Option<Duration>,

    /// `deployment.rollback.enabled`, default false.
    pub rollback_enabled: bool,
    /// `deployment.readiness.timeout`, default 5 min: until when an upgrade must be stable.
    pub readiness_timeout: Duration,
    /// `jm-deployment-recovery.enabled`, default true: whether a lost JobManager comes back.
    pub jm_deployment_recovery: bool,
    /// `jm-deployment.shutdown-ttl`, default 1 d: how long a finished application's JobManager stays.
    pub jm_shutdown_ttl: Duration,
    /// `job.restart.failed`, default false: whether failed jobs are restarted.
    pub restart_failed_jobs: bool,
    /// `job.restart.failed.max-attempts`, no default: after how many restarts in a row a failing job is left alone. Not
    /// an option of the Java operator.
    pub restart_failed_limit: Option<u32>,
    /// `job.upgrade.ignore-pending-savepoint`, default false.
    pub ignore_pending_savepoint: bool,
    /// `job.upgrade.inplace-scaling.enabled`, default true.
    pub inplace_scaling: bool,
    /// `job.upgrade.last-state-fallback.enabled`, default true: whether a savepoint upgrade may use HA
    /// metadata instead.
    pub last_state_fallback: bool,
    /// `job.upgrade.last-state.max.allowed.checkpoint.age`, no default.
    pub last_state_max_checkpoint_age: Option<Duration>,
    /// `job.upgrade.last-state.job-cancel.enabled`, default false.
    pub last_state_job_cancel: bool,
    /// `job.savepoint-on-deletion`, default false.
    pub savepoint_on_deletion: bool,
    /// `job.drain-on-savepoint-deletion`, default false.
    pub drain_on_savepoint: bool,
    /// `session.deletion.block-on-session-jobs`, default true.
    pub session_deletion_blocks_on_jobs: bool,
    /// `session.deletion.cascade-to-session-jobs`, default false: whether FlinkSessionJobs are deleted with their cluster.
    /// Not an option of the Java operator.
    pub session_deletion_cascades: bool,
    /// `session.deletion.block-on-unmanaged-jobs`, default true.
    pub session_deletion_blocks_on_unmanaged_jobs: bool,
    /// `session.upgrade.block-on-running-jobs`, default true: whether a session cluster without high availability is
    /// replaced only when no job runs on it whose state would be lost. Not an option of the Java operator.
    pub session_upgrade_blocks_on_jobs: bool,
    /// `cluster.health-check.enabled`, default false.
    pub health_check: bool,
    /// `cluster.health-check.restarts.window`, default 2 min.
    pub health_restarts_window: Duration,
    /// `cluster.health-check.restarts.threshold`, default 64.
    pub health_restarts_threshold: usize,
    /// `cluster.health-check.checkpoint-progress.enabled`, default true.
    pub health_checkpoint_progress: bool,
    /// `cluster.health-check.checkpoint-progress.window`, no default.
    pub health_checkpoint_progress_window: Option<Duration>,
    /// `snapshot.resource.enabled`, default true; must be true for the operator *and* the resource.
    pub snapshot_resources: bool,
    /// `savepoint.trigger.grace-period`, default 1 min.
    pub savepoint_grace_period: Duration,
    /// `checkpoint.trigger.grace-period`, default 1 min.
    pub checkpoint_grace_period: Duration,
    /// `savepoint.format.type`, as Flink's REST API spells it: `CANONICAL` (also for the option's
    /// `DEFAULT`, which is the default) or `NATIVE`.
    pub savepoint_format: String,
    /// `checkpoint.type`, as Flink's REST API spells it: `FULL` (default) or `INCREMENTAL`.
    pub checkpoint_type: String,
    /// `savepoint.dispose-on-delete`, default false.
    pub savepoint_dispose_on_delete: bool,
    /// `savepoint.cleanup.enabled`, default true.
    pub savepoint_cleanup: bool,
    /// `savepoint.history.max.count`, default 10, at most the threshold.
    pub savepoint_history_max_count: usize,
    /// `savepoint.history.max.age`, default 24 h, at most the threshold.
    pub savepoint_history_max_age: Duration,
    /// `periodic.savepoint.interval`, no default: a duration or a Quartz cron expression, as text.
    pub periodic_savepoint_interval: Option<String>,
    /// `periodic.checkpoint.interval`, no default: a duration or a Quartz cron expression, as text.
    pub periodic_checkpoint_interval: Option<String>,

    /// `rest.port` of the configuration that was read, default 8081. A running cluster has that of the
    /// spec it was deployed with: see [`crate::rest_endpoint`].
    pub rest_port: u16,
    /// Whether REST speaks TLS by the configuration that was read, default false: see [`crate::rest_endpoint`].
    pub rest_tls: bool,
    /// `execution.checkpointing.timeout` of the configuration that was read, default 10 min: how long
    /// Flink tries to take a savepoint.
    pub savepoint_timeout: Duration,
}

const RECONCILE_INTERVAL: Key =
    key("kubernetes.operator.reconcile.interval", &["kubernetes.operator.reconciler.reschedule.interval"]);
const CLIENT_TIMEOUT: Key =
    key("kubernetes.operator.flink.client.timeout", &["kubernetes.operator.observer.flink.client.timeout"]);
const CANCEL_TIMEOUT: Key = key(
    "kubernetes.operator.flink.client.cancel.timeout",
    &["kubernetes.operator.reconciler.flink.cancel.job.timeout"],
);
const CLEANUP_TIMEOUT: Key = key(
    "kubernetes.operator.resource.cleanup.timeout",
    &["kubernetes.operator.reconciler.flink.cluster.shutdown.timeout"],
);
const JM_RECOVERY: Key = key(
    "kubernetes.operator.jm-deployment-recovery.enabled",
    &["kubernetes.operator.reconciler.jm-deployment-recovery.enabled"],
);
const BLOCK_ON_UNMANAGED: Key = key(
    "kubernetes.operator.session.deletion.block-on-unmanaged-jobs",
    &["kubernetes.operator.session.block-on-unmanaged-jobs"],
);
const SAVEPOINT_GRACE: Key = key(
    "kubernetes.operator.savepoint.trigger.grace-period",
    &["kubernetes.operator.observer.savepoint.trigger.grace-period"],
);
const SNAPSHOT_RESOURCES: &str = "kubernetes.operator.snapshot.resource.enabled";

impl OperatorSettings {
    /// The settings for a FlinkDeployment with this spec, in this namespace.
    ///
    /// # Errors
    /// [`ConfError::Value`] for an option that has not its type; [`ConfError::Field`] if
    /// `flinkConfiguration` is not an object.
    pub fn of_deployment(
        defaults: &OperatorDefaults,
        namespace: &str,
        spec: &FlinkDeploymentSpec,
    ) -> Result<Self, ConfError> {
        Self::of_resource(defaults, namespace, spec.flink_version, spec.flink_configuration.as_ref())
    }

    /// The settings for any resource with this Flink version and `flinkConfiguration`, in this namespace.
    ///
    /// # Errors
    /// As [`Self::of_deployment`].
    pub fn of_resource(
        defaults: &OperatorDefaults,
        namespace: &str,
        version: Option<FlinkVersion>,
        flink_configuration: Option<&Value>,
    ) -> Result<Self, ConfError> {
        let operator = defaults.for_resource(namespace, version);
        let resource = effective::configured(defaults, namespace, version, flink_configuration)?;
        Self::read(&operator, &resource)
    }

    /// The settings for a FlinkSessionJob: its own `flinkConfiguration` over that of its session cluster.
    ///
    /// # Errors
    /// As [`Self::of_deployment`].
    pub fn of_session_job(
        defaults: &OperatorDefaults,
        namespace: &str,
        cluster: Option<&FlinkDeploymentSpec>,
        spec: &FlinkSessionJobSpec,
    ) -> Result<Self, ConfError> {
        let version = cluster.and_then(|cluster| cluster.flink_version);
        let operator = defaults.for_resource(namespace, version);
        let of_cluster = cluster.and_then(|cluster| cluster.flink_configuration.as_ref());
        let mut resource = effective::configured(defaults, namespace, version, of_cluster)?;
        resource.overlay(&effective::flat(spec.flink_configuration.as_ref())?);
        Self::read(&operator, &resource)
    }

    /// The settings of the operator's file alone, with the default for every option that cannot be read:
    /// there must be settings to report that very error.
    #[must_use]
    pub fn of_operator(defaults: &OperatorDefaults) -> Self {
        let read = |conf: &FlinkConf| Self::read(conf, conf);
        lenient(defaults.base(), read).unwrap_or_default()
    }

    fn read(operator: &FlinkConf, resource: &FlinkConf) -> Result<Self, ConfError> {
        let settings = Self::default().with_operator_options(&Reader(operator))?;
        let snapshot_resources = Reader(operator).flag(SNAPSHOT_RESOURCES, settings.snapshot_resources)?;
        let settings = settings
            .with_upgrade_options(&Reader(resource))?
            .with_cluster_options(&Reader(resource))?
            .with_snapshot_options(&Reader(resource))?;
        let rest = reading::rest_endpoint(resource)?;
        Ok(Self {
            snapshot_resources: snapshot_resources && settings.snapshot_resources,
            rest_port: rest.port,
            rest_tls: rest.tls,
            savepoint_timeout: reading::checkpoint_timeout(resource)?,
            ..settings
        })
    }

    fn with_operator_options(self, read: &Reader<'_>) -> Result<Self, ConfError> {
        Ok(Self {
            reconcile_interval: read.duration(RECONCILE_INTERVAL, self.reconcile_interval)?,
            progress_check_interval: read.duration(
                "kubernetes.operator.observer.progress-check.interval",
                self.progress_check_interval,
            )?,
            rest_ready_delay: read
                .duration("kubernetes.operator.observer.rest-ready.delay", self.rest_ready_delay)?,
            flink_client_timeout: read.duration(CLIENT_TIMEOUT, self.flink_client_timeout)?,
            cancel_timeout: read.duration(CANCEL_TIMEOUT, self.cancel_timeout)?,
            job_submission_timeout: read
                .duration("kubernetes.operator.job.submission.timeout", self.job_submission_timeout)?,
            cleanup_timeout: read.duration(CLEANUP_TIMEOUT, self.cleanup_timeout)?,
            deletion_propagation: read
                .0
                .choice("kubernetes.operator.resource.deletion.propagation")?
                .unwrap_or(self.deletion_propagation),
            manage_ingress: read.flag("kubernetes.operator.ingress.manage", self.manage_ingress)?,
            canary_timeout: read
                .duration("kubernetes.operator.health.canary.resource.timeout", self.canary_timeout)?,
            error_limits: error_limits(read, self.error_limits)?,
            exception_stacktrace_lines: read.count(
                "kubernetes.operator.events.exceptions.stacktrace-lines",
                self.exception_stacktrace_lines,
            )?,
            exceptions_per_reconciliation: read.count(
                "kubernetes.operator.events.exceptions.limit-per-reconciliation",
                self.exceptions_per_reconciliation,
            )?,
            savepoint_history_max_count_threshold: read
                .optional_count("kubernetes.operator.savepoint.history.max.count.threshold")?,
            savepoint_history_max_age_threshold: read
                .0
                .duration("kubernetes.operator.savepoint.history.max.age.threshold")?,
            ..self
        })
    }

    fn with_upgrade_options(self, read: &Reader<'_>) -> Result<Self, ConfError> {
        let flag = |name: &str, default| read.flag(name, default);
        Ok(Self {
            rollback_enabled: flag("kubernetes.operator.deployment.rollback.enabled", self.rollback_enabled)?,
            readiness_timeout: read
                .duration("kubernetes.operator.deployment.readiness.timeout", self.readiness_timeout)?,
            restart_failed_jobs: flag("kubernetes.operator.job.restart.failed", self.restart_failed_jobs)?,
            restart_failed_limit: read
                .optional_count("kubernetes.operator.job.restart.failed.max-attempts")?
                .map(|limit| u32::try_from(limit).unwrap_or(u32::MAX)),
            ignore_pending_savepoint: flag(
                "kubernetes.operator.job.upgrade.ignore-pending-savepoint",
                self.ignore_pending_savepoint,
            )?,
            inplace_scaling: flag(
                "kubernetes.operator.job.upgrade.inplace-scaling.enabled",
                self.inplace_scaling,
            )?,
            last_state_fallback: flag(
                "kubernetes.operator.job.upgrade.last-state-fallback.enabled",
                self.last_state_fallback,
            )?,
            last_state_max_checkpoint_age: read
                .0
                .duration("kubernetes.operator.job.upgrade.last-state.max.allowed.checkpoint.age")?,
            last_state_job_cancel: flag(
                "kubernetes.operator.job.upgrade.last-state.job-cancel.enabled",
                self.last_state_job_cancel,
            )?,
            savepoint_on_deletion: flag(
                "kubernetes.operator.job.savepoint-on-deletion",
                self.savepoint_on_deletion,
            )?,
            drain_on_savepoint: flag(
                "kubernetes.operator.job.drain-on-savepoint-deletion",
                self.drain_on_savepoint,
            )?,
            ..self
        })
    }

    fn with_cluster_options(self, read: &Reader<'_>) -> Result<Self, ConfError> {
        Ok(Self {
            jm_deployment_recovery: read.flag(JM_RECOVERY, self.jm_deployment_recovery)?,
            jm_shutdown_ttl: read
                .duration("kubernetes.operator.jm-deployment.shutdown-ttl", self.jm_shutdown_ttl)?,
            session_deletion_blocks_on_jobs: read.flag(
                "kubernetes.operator.session.deletion.block-on-session-jobs",
                self.session_deletion_blocks_on_jobs,
            )?,
            session_deletion_cascades: read.flag(
                "kubernetes.operator.session.deletion.cascade-to-session-jobs",
                self.session_deletion_cascades,
            )?,
            session_deletion_blocks_on_unmanaged_jobs: read
                .flag(BLOCK_ON_UNMANAGED, self.session_deletion_blocks_on_unmanaged_jobs)?,
            session_upgrade_blocks_on_jobs: read.flag(
                "kubernetes.operator.session.upgrade.block-on-running-jobs",
                self.session_upgrade_blocks_on_jobs,
            )?,
            health_check: read.flag("kubernetes.operator.cluster.health-check.enabled", self.health_check)?,
            health_restarts_window: read.duration(
                "kubernetes.operator.cluster.health-check.restarts.window",
                self.health_restarts_window,
            )?,
            health_restarts_threshold: read.count(
                "kubernetes.operator.cluster.health-check.restarts.threshold",
                self.health_restarts_threshold,
            )?,
            health_checkpoint_progress: read.flag(
                "kubernetes.operator.cluster.health-check.checkpoint-progress.enabled",
                self.health_checkpoint_progress,
            )?,
            health_checkpoint_progress_window: read
                .0
                .duration("kubernetes.operator.cluster.health-check.checkpoint-progress.window")?,
            ..self
        })
    }

    fn with_snapshot_options(self, read: &Reader<'_>) -> Result<Self, ConfError> {
        let max_count =
            read.count("kubernetes.operator.savepoint.history.max.count", self.savepoint_history_max_count)?;
        let max_age =
            read.duration("kubernetes.operator.savepoint.history.max.age", self.savepoint_history_max_age)?;
        let format: Option<SavepointFormat> = read.0.choice("kubernetes.operator.savepoint.format.type")?;
        let checkpoint: Option<CheckpointType> = read.0.choice("kubernetes.operator.checkpoint.type")?;
        Ok(Self {
            snapshot_resources: read.flag(SNAPSHOT_RESOURCES, self.snapshot_resources)?,
            savepoint_grace_period: read.duration(SAVEPOINT_GRACE, self.savepoint_grace_period)?,
            checkpoint_grace_period: read.duration(
                "kubernetes.operator.checkpoint.trigger.grace-period",
                self.checkpoint_grace_period,
            )?,
            savepoint_format: format.map_or(self.savepoint_format, |format| format.0.to_owned()),
            checkpoint_type: checkpoint.map_or(self.checkpoint_type, |checkpoint| checkpoint.0.to_owned()),
            savepoint_dispose_on_delete: read
                .flag("kubernetes.operator.savepoint.dispose-on-delete", self.savepoint_dispose_on_delete)?,
            savepoint_cleanup: read
                .flag("kubernetes.operator.savepoint.cleanup.enabled", self.savepoint_cleanup)?,
            savepoint_history_max_count: self
                .savepoint_history_max_count_threshold
                .map_or(max_count, |threshold| max_count.min(threshold)),
            savepoint_history_max_age: self
                .savepoint_history_max_age_threshold
                .map_or(max_age, |threshold| max_age.min(threshold)),
            periodic_savepoint_interval: read.text("kubernetes.operator.periodic.savepoint.interval"),
            periodic_checkpoint_interval: read.text("kubernetes.operator.periodic.checkpoint.interval"),
            ..self
        })
    }
}

fn error_limits(read: &Reader<'_>, defaults: ErrorLimits) -> Result<ErrorLimits, ConfError> {
    Ok(ErrorLimits {
        field_length: read.count("kubernetes.operator.exception.field.max.length", defaults.field_length)?,
        stack_trace: read.flag("kubernetes.operator.exception.stacktrace.enabled", defaults.stack_trace)?,
        stack_trace_length: read
            .count("kubernetes.operator.exception.stacktrace.max.length", defaults.stack_trace_length)?,
        throwables: read
            .count("kubernetes.operator.exception.throwable.list.max.count", defaults.throwables)?,
    })
}

impl Default for OperatorSettings {
    /// The built-in defaults.
    fn default() -> Self {
        let minute = Duration::from_mins(1);
        let ten_seconds = Duration::from_secs(10);
        Self {
            reconcile_interval: minute,
            progress_check_interval: ten_seconds,
            rest_ready_delay: ten_seconds,
            flink_client_timeout: ten_seconds,
            cancel_timeout: minute,
            job_submission_timeout: minute * 10,
            cleanup_timeout: minute * 5,
            deletion_propagation: Propagation::Foreground,
            manage_ingress: true,
            canary_timeout: minute,
            error_limits: ErrorLimits::default(),
            exception_stacktrace_lines: 5,
            exceptions_per_reconciliation: 10,
            savepoint_history_max_count_threshold: None,
            savepoint_history_max_age_threshold: None,
            rollback_enabled: false,
            readiness_timeout: minute * 5,
            jm_deployment_recovery: true,
            jm_shutdown_ttl: minute * 60 * 24,
            restart_failed_jobs: false,
            restart_failed_limit: None,
            ignore_pending_savepoint: false,
            inplace_scaling: true,
            last_state_fallback: true,
            last_state_max_checkpoint_age: None,
            last_state_job_cancel: false,
            savepoint_on_deletion: false,
            drain_on_savepoint: false,
            session_deletion_blocks_on_jobs: true,
            session_deletion_cascades: false,
            session_deletion_blocks_on_unmanaged_jobs: true,
            session_upgrade_blocks_on_jobs: true,
            health_check: false,
            health_restarts_window: minute * 2,
            health_restarts_threshold: 64,
            health_checkpoint_progress: true,
            health_checkpoint_progress_window: None,
            snapshot_resources: true,
            savepoint_grace_period: minute,
            checkpoint_grace_period: minute,
            savepoint_format: "CANONICAL".to_owned(),
            checkpoint_type: "FULL".to_owned(),
            savepoint_dispose_on_delete: false,
            savepoint_cleanup: true,
            savepoint_history_max_count: 10,
            savepoint_history_max_age: minute * 60 * 24,
            periodic_savepoint_interval: None,
            periodic_checkpoint_interval: None,
            rest_port: 8081,
            rest_tls: false,
            savepoint_timeout: minute * 10,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn defaults(entries: &[(&str, &str)]) -> OperatorDefaults {
        let conf =
            entries.iter().map(|(key, value)| (format!("kubernetes.operator.{key}"), *value)).collect();
        OperatorDefaults::new(conf)
    }

    fn spec(configuration: Value) -> FlinkDeploymentSpec {
        FlinkDeploymentSpec {
            flink_version: Some(FlinkVersion::V1_20),
            flink_configuration: Some(configuration),
            ..FlinkDeploymentSpec::default()
        }
    }

    #[test]
    fn without_options_the_defaults_count() {
        let none = OperatorDefaults::default();
        let settings = OperatorSettings::of_deployment(&none, "ns", &FlinkDeploymentSpec::default());
        assert_eq!(settings, Ok(OperatorSettings::default()));
    }

    #[test]
    fn only_some_options_count_per_resource() -> Result<(), ConfError> {
        let defaults = defaults(&[("reconcile.interval", "15 s"), ("deployment.readiness.timeout", "1 min")]);
        let spec = spec(json!({
            "kubernetes.operator.reconcile.interval": "1 s",
            "kubernetes.operator": {"deployment": {"readiness": {"timeout": "2 min"}}},
            "kubernetes.operator.savepoint.format.type": "native",
            "rest.port": 9091,
        }));
        let settings = OperatorSettings::of_deployment(&defaults, "ns", &spec)?;
        assert_eq!(settings.reconcile_interval, Duration::from_secs(15));
        assert_eq!(settings.readiness_timeout, Duration::from_mins(2));
        assert_eq!(settings.savepoint_format, "NATIVE");
        assert_eq!(settings.rest_port, 9091);
        Ok(())
    }

    #[test]
    fn namespaces_and_versions_have_their_own() -> Result<(), ConfError> {
        let defaults = defaults(&[
            ("default-configuration.namespace.team.kubernetes.operator.reconcile.interval", "7 s"),
            ("default-configuration.flink-version.v1_19+.kubernetes.operator.flink.client.timeout", "8 s"),
        ]);
        let settings = OperatorSettings::of_deployment(&defaults, "team", &spec(json!({})))?;
        assert_eq!(settings.reconcile_interval, Duration::from_secs(7));
        assert_eq!(settings.flink_client_timeout, Duration::from_secs(8));
        Ok(())
    }

    #[test]
    fn schedules_are_texts() -> Result<(), ConfError> {
        let defaults =
            defaults(&[("periodic.savepoint.interval", "6 h"), ("periodic.checkpoint.interval", "1 h")]);
        let configuration = json!({
            "kubernetes.operator.periodic.savepoint.interval": "0 0 12 * * ?",
            "kubernetes.operator.periodic.checkpoint.interval": 60_000,
        });
        let settings = OperatorSettings::of_deployment(&defaults, "ns", &spec(configuration))?;
        assert_eq!(settings.periodic_savepoint_interval.as_deref(), Some("0 0 12 * * ?"));
        assert_eq!(settings.periodic_checkpoint_interval.as_deref(), Some("60000"));
        let configuration = json!({"kubernetes.operator.periodic.savepoint.interval": " "});
        let settings = OperatorSettings::of_deployment(&defaults, "ns", &spec(configuration))?;
        assert_eq!(settings.periodic_savepoint_interval, None, "switched off by the resource");
        assert_eq!(settings.periodic_checkpoint_interval.as_deref(), Some("1 h"));
        Ok(())
    }

    #[test]
    fn thresholds_cap_the_history() -> Result<(), ConfError> {
        let defaults = defaults(&[
            ("savepoint.history.max.count.threshold", "3"),
            ("savepoint.history.max.age.threshold", "1 h"),
        ]);
        let spec = spec(json!({"kubernetes.operator.savepoint.history.max.count": 50}));
        let settings = OperatorSettings::of_deployment(&defaults, "ns", &spec)?;
        assert_eq!(settings.savepoint_history_max_count, 3);
        assert_eq!(settings.savepoint_history_max_age, Duration::from_hours(1));
        Ok(())
    }

    #[test]
    fn snapshots_need_both_switches() -> Result<(), ConfError> {
        for (operator, resource, expected) in
            [("true", "true", true), ("true", "false", false), ("false", "true", false)]
        {
            let defaults = defaults(&[("snapshot.resource.enabled", operator)]);
            let spec = spec(json!({"kubernetes.operator.snapshot.resource.enabled": resource}));
            let settings = OperatorSettings::of_deployment(&defaults, "ns", &spec)?;
            assert_eq!(settings.snapshot_resources, expected);
        }
        Ok(())
    }

    #[test]
    fn errors_name_the_option_and_leave_settings_to_report_them_with() {
        let broken = defaults(&[
            ("reconcile.interval", "often"),
            ("flink.client.timeout", "3 s"),
            ("ingress.manage", "yes"),
        ]);
        let error =
            OperatorSettings::of_deployment(&broken, "ns", &spec(json!({}))).expect_err("not a duration");
        assert!(error.to_string().contains("kubernetes.operator.reconcile.interval"), "{error}");
        let settings = OperatorSettings::of_operator(&broken);
        assert_eq!(settings.reconcile_interval, Duration::from_mins(1));
        assert_eq!(settings.flink_client_timeout, Duration::from_secs(3));

        let not_an_object = OperatorSettings::of_deployment(&defaults(&[]), "ns", &spec(json!("a: b")));
        assert!(matches!(not_an_object, Err(ConfError::Field { .. })));
    }
}
