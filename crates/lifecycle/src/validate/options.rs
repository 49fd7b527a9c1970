//! Rules about Flink options alone.
//!
//! Upstream: `DefaultValidator.validateFlinkDeploymentConfig`.

use flink_conf::FlinkConf;
use flink_conf::option::{Key, kubernetes, process, state};

use super::{Findings, Rule};

/// Whether to go back to the last stable spec when an upgrade does not become ready; default false.
const ROLLBACK: Key = Key::new("kubernetes.operator.deployment.rollback.enabled");
/// Whether to restart clusters that do not make progress; default false.
const HEALTH_CHECK: Key = Key::new("kubernetes.operator.cluster.health-check.enabled");
/// Whether to bring back a JobManager's Deployment that is gone; default true.
const RECOVERY: Key = Key {
    name: "kubernetes.operator.jm-deployment-recovery.enabled",
    fallbacks: &["kubernetes.operator.reconciler.jm-deployment-recovery.enabled"],
};

/// D5 to D7.
pub(super) fn check(conf: &FlinkConf, findings: &mut Findings) {
    // Exactly these spellings: an older one of the third is accepted, and then overwritten.
    for key in [kubernetes::NAMESPACE.name, kubernetes::CLUSTER_ID.name, state::HA_CLUSTER_ID.name] {
        if conf.get(key).is_some() {
            findings.add(
                Rule::ForbiddenOption,
                format!("Forbidden Flink config key: {key}"),
                "Remove it: the operator sets it from the name and namespace of the resource.",
            );
        }
    }
    if findings.option(ROLLBACK, conf.boolean(ROLLBACK)).unwrap_or(false) && !high_availability(conf) {
        findings.add(
            Rule::RollbackNeedsHighAvailability,
            "HA must be enabled for rollback support.",
            format!(
                "Set {} and {}, or turn {} off.",
                state::HA_TYPE.name,
                state::HA_STORAGE_DIR.name,
                ROLLBACK.name
            ),
        );
    }
    if findings.option(HEALTH_CHECK, conf.boolean(HEALTH_CHECK)).unwrap_or(false)
        && findings.option(RECOVERY, conf.boolean(RECOVERY)) == Some(false)
    {
        findings.add(
            Rule::HealthCheckNeedsRecovery,
            format!(
                "The health check of the cluster ({}) restarts it by recovering its deployment, so {} must be true",
                HEALTH_CHECK.name, RECOVERY.name
            ),
            "Turn recovery on, or the health check off.",
        );
    }
}

/// Options that every deployment reads as they are. Upstream finds out only after it has stopped the running job.
pub(super) fn check_readable(conf: &FlinkConf, findings: &mut Findings) {
    for key in [process::TASK_SLOTS, process::REST_PORT] {
        findings.option(key, conf.int(key));
    }
}

/// Whether Flink keeps what a JobManager knows beyond its life: any kind but `NONE`, also a class of one's own.
pub(super) fn high_availability(conf: &FlinkConf) -> bool {
    conf.text(state::HA_TYPE).is_some_and(|kind| !kind.eq_ignore_ascii_case("NONE"))
}
