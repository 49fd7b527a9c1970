//! Rules of `spec.job`, of an application and of a session job.
//!
//! Upstream: `DefaultValidator.validateJobSpec`.

use api::{JobSpec, UpgradeMode};
use flink_conf::FlinkConf;
use flink_conf::option::{Key, OptionKey, state};

use super::{Findings, Rule};

/// When to take savepoints regularly: a duration or a cron expression; empty means never.
const PERIODIC_SAVEPOINTS: Key = Key::new("kubernetes.operator.periodic.savepoint.interval");
/// How old a checkpoint may be to upgrade from it; any age if not set.
const CHECKPOINT_AGE: Key = Key::new("kubernetes.operator.job.upgrade.last-state.max.allowed.checkpoint.age");

/// J1 to J7. `task_managers` is `spec.taskManager.replicas` of an application.
pub(super) fn check(job: &JobSpec, task_managers: Option<i32>, conf: &FlinkConf, findings: &mut Findings) {
    if job.upgrade_mode_or_default() != UpgradeMode::Stateless && is_blank(conf, state::CHECKPOINT_DIR) {
        findings.add(
            Rule::CheckpointDirectoryMissing,
            format!(
                "Checkpoint directory[{}] must be defined for last-state and savepoint upgrade modes",
                state::CHECKPOINT_DIR.name
            ),
            "Set it to a directory that every pod of the cluster and its successors can reach.",
        );
    }
    check_savepoint_directory(job, conf, findings);
    check_width(job, task_managers, findings);
}

/// J2 to J5: the first of them, as the same directory mends all.
fn check_savepoint_directory(job: &JobSpec, conf: &FlinkConf, findings: &mut Findings) {
    if !is_blank(conf, state::SAVEPOINT_DIR) {
        return;
    }
    let key = state::SAVEPOINT_DIR.name;
    let message = if job.upgrade_mode_or_default() == UpgradeMode::Savepoint {
        format!("Job could not be upgraded with savepoint while config key[{key}] is not set")
    } else if job.savepoint_trigger_nonce.is_some() {
        format!("A savepoint of the job cannot be triggered by nonce while config key[{key}] is not set")
    } else if conf.text(PERIODIC_SAVEPOINTS).is_some() {
        format!("Periodic savepoints cannot be enabled when config key[{key}] is not set")
    } else if findings.option(CHECKPOINT_AGE, conf.duration(CHECKPOINT_AGE)).is_some() {
        format!(
            "A limit of the age of checkpoints ({}) makes upgrades take a savepoint, so config key[{key}] must be set",
            CHECKPOINT_AGE.name
        )
    } else {
        return;
    };
    let remedy = "Set it to a directory that every pod of the cluster and its successors can reach.";
    findings.add(Rule::SavepointDirectoryMissing, message, remedy);
}

/// J6 and J7.
fn check_width(job: &JobSpec, task_managers: Option<i32>, findings: &mut Findings) {
    match task_managers {
        Some(replicas) if replicas < 1 => findings.add(
            Rule::TaskManagerReplicas,
            "TaskManager replicas must be larger than 0",
            "Set spec.taskManager.replicas to at least 1, or remove it and set spec.job.parallelism.",
        ),
        None if job.parallelism_or_default() < 1 => findings.add(
            Rule::Parallelism,
            "Job parallelism must be larger than 0",
            "Set spec.job.parallelism to at least 1; to stop the job, set spec.job.state to suspended.",
        ),
        Some(_) | None => {}
    }
}

fn is_blank(conf: &FlinkConf, key: impl OptionKey) -> bool {
    conf.text(key).is_none_or(|text| text.trim().is_empty())
}
