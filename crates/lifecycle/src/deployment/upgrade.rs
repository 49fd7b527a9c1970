//! How a running application is stopped before a change, and what it is restored from: the decision table.
//!
//! The table is the Java operator's (`AbstractJobReconciler`, `ApplicationReconciler`), with one addition: HA metadata
//! without a checkpoint is no state to restore from.

use api::{JobManagerDeploymentStatus, JobStatusState, UpgradeMode};

/// What the table looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpgradeInput {
    /// `spec.job.upgradeMode` of the wanted spec.
    pub mode: UpgradeMode,
    /// The job's state; `None` when none was ever seen.
    pub job: Option<JobStatusState>,
    /// Whether the JobManager answers.
    pub job_manager: JobManagerDeploymentStatus,
    /// The JobManager answers and has not known the job for longer than a start takes.
    pub job_lost: bool,
    /// HA metadata of the job exists, for the configuration that runs.
    pub ha_metadata: bool,
    /// HA metadata may exist where the operator cannot look.
    pub ha_elsewhere: bool,
    /// HA is configured both in the running and in the wanted configuration.
    pub ha_kept: bool,
    /// The Flink version changes: HA metadata cannot be used then.
    pub version_changes: bool,
    /// A savepoint directory is configured for the running job.
    pub savepoint_directory: bool,
    /// `kubernetes.operator.job.upgrade.last-state-fallback.enabled`.
    pub last_state_fallback: bool,
    /// `kubernetes.operator.job.upgrade.last-state.job-cancel.enabled`.
    pub last_state_cancel: bool,
    /// What is known about the newest state of a job that ended.
    pub known_state: KnownState,
    /// The age of the newest checkpoint against the allowed one.
    pub checkpoint_age: CheckpointAge,
    /// No JobManager of the running deployment ever started, and it was not started from HA metadata.
    pub never_started: bool,
}

/// What is known about the newest state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownState {
    /// A path, or the certainty that there is none.
    Known,
    /// The job was started from HA metadata, and nothing newer is known by path.
    OnlyInHaMetadata,
}

/// How the newest checkpoint compares with `kubernetes.operator.job.upgrade.last-state.max.allowed.checkpoint.age`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointAge {
    /// No limit is set, or the newest one is young enough.
    Fine,
    /// A checkpoint that will be young enough is in progress.
    InProgress,
    /// Too old: take a savepoint.
    TooOld,
}

/// How to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The job has ended.
    Nothing,
    /// Cancel and forget the state.
    Stateless,
    /// Stop with a savepoint.
    Savepoint,
    /// Cancel, then take the newest checkpoint.
    Cancel,
    /// Delete the cluster and keep its HA metadata.
    KeepHaMetadata,
}

/// What the next deployment starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restore {
    /// Nothing.
    Stateless,
    /// The path that is known then.
    Savepoint,
    /// HA metadata.
    LastState,
}

impl Restore {
    /// The upgrade mode that is recorded for it.
    #[must_use]
    pub fn upgrade_mode(self) -> UpgradeMode {
        match self {
            Self::Stateless => UpgradeMode::Stateless,
            Self::Savepoint => UpgradeMode::Savepoint,
            Self::LastState => UpgradeMode::LastState,
        }
    }
}

/// What the table answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Stop like this, and restore from that.
    Go(Stop, Restore),
    /// Not now; recovery of the JobManager may go on meanwhile, unless `exclusive`.
    Wait {
        /// Nothing else may be done to the job meanwhile.
        exclusive: bool,
    },
    /// The deployment never started: delete it, keeping HA metadata, and decide again as for a job that ended.
    DeleteNeverStarted,
    /// State may be lost: a person has to say what to restore from.
    ManualRestore,
}

/// The decision for an application.
#[must_use]
pub fn plan(input: &UpgradeInput) -> Plan {
    match common(input) {
        Common::Decided(plan) => plan,
        Common::Wait => application(input, false),
        Common::Unavailable => application(input, true),
    }
}

enum Common {
    Decided(Plan),
    Wait,
    Unavailable,
}

/// The part that applications and session jobs share.
fn common(input: &UpgradeInput) -> Common {
    let terminal = input.job.is_some_and(JobStatusState::is_terminal);
    let running = input.job == Some(JobStatusState::Running);
    if input.mode == UpgradeMode::Stateless {
        let stop = if terminal { Stop::Nothing } else { Stop::Stateless };
        return Common::Decided(Plan::Go(stop, Restore::Stateless));
    }
    if terminal && state_is_settled(input) {
        return Common::Decided(match input.known_state {
            KnownState::Known => Plan::Go(Stop::Nothing, Restore::Savepoint),
            KnownState::OnlyInHaMetadata => Plan::ManualRestore,
        });
    }
    if input.job == Some(JobStatusState::Cancelling) {
        return Common::Decided(Plan::Wait { exclusive: true });
    }
    if input.mode == UpgradeMode::Savepoint {
        if running {
            return Common::Decided(Plan::Go(Stop::Savepoint, Restore::Savepoint));
        }
        if !input.version_changes && !input.last_state_fallback {
            return Common::Wait;
        }
    }
    last_state(input, running)
}

/// Whether nothing newer can turn up for a job that ended: it was cancelled, there is no HA metadata, or the
/// JobManager that knows its last checkpoint answers.
fn state_is_settled(input: &UpgradeInput) -> bool {
    input.job == Some(JobStatusState::Canceled)
        || !input.ha_metadata
        || input.job_manager == JobManagerDeploymentStatus::Ready
}

fn last_state(input: &UpgradeInput, running: bool) -> Common {
    let cancellable = is_cancellable(input);
    if input.version_changes {
        return if running && input.savepoint_directory {
            Common::Decided(Plan::Go(Stop::Savepoint, Restore::Savepoint))
        } else if cancellable {
            Common::Decided(Plan::Go(Stop::Cancel, Restore::Savepoint))
        } else {
            Common::Wait
        };
    }
    let may_cancel = cancellable && (!input.ha_metadata || input.last_state_cancel);
    if running {
        return Common::Decided(match (input.checkpoint_age, may_cancel) {
            (CheckpointAge::InProgress, _) => Plan::Wait { exclusive: false },
            (CheckpointAge::TooOld, _) => Plan::Go(Stop::Savepoint, Restore::Savepoint),
            (CheckpointAge::Fine, true) => Plan::Go(Stop::Cancel, Restore::Savepoint),
            (CheckpointAge::Fine, false) => Plan::Go(Stop::KeepHaMetadata, Restore::LastState),
        });
    }
    if may_cancel { Common::Decided(Plan::Go(Stop::Cancel, Restore::Savepoint)) } else { Common::Unavailable }
}

/// Whether a cancel can reach the job.
fn is_cancellable(input: &UpgradeInput) -> bool {
    let known = input.job.is_some_and(|job| job != JobStatusState::Reconciling && !job.is_terminal());
    known && input.job_manager == JobManagerDeploymentStatus::Ready
}

/// What only an application can do when the common part has no answer.
fn application(input: &UpgradeInput, ha_allowed: bool) -> Plan {
    use JobManagerDeploymentStatus::{Error, Missing};
    if ha_allowed && input.ha_kept && input.ha_metadata {
        return Plan::Go(Stop::KeepHaMetadata, Restore::LastState);
    }
    if input.job_manager != Missing && input.never_started {
        return Plan::DeleteNeverStarted;
    }
    let gone = matches!(input.job_manager, Missing | Error) || input.job_lost;
    if gone && !input.ha_metadata && !input.ha_elsewhere {
        return Plan::ManualRestore;
    }
    Plan::Wait { exclusive: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use JobManagerDeploymentStatus as Jm;
    use JobStatusState as Job;

    fn input(mode: UpgradeMode, job: Job, job_manager: Jm, ha: bool) -> UpgradeInput {
        UpgradeInput {
            mode,
            job: Some(job),
            job_manager,
            job_lost: false,
            ha_metadata: ha,
            ha_elsewhere: false,
            ha_kept: ha,
            version_changes: false,
            savepoint_directory: true,
            last_state_fallback: true,
            last_state_cancel: false,
            known_state: KnownState::Known,
            checkpoint_age: CheckpointAge::Fine,
            never_started: false,
        }
    }

    const SAVEPOINT: Plan = Plan::Go(Stop::Savepoint, Restore::Savepoint);
    const CANCEL: Plan = Plan::Go(Stop::Cancel, Restore::Savepoint);
    const LAST_STATE: Plan = Plan::Go(Stop::KeepHaMetadata, Restore::LastState);
    const PATH: Plan = Plan::Go(Stop::Nothing, Restore::Savepoint);
    const WAIT: Plan = Plan::Wait { exclusive: false };
    const BUSY: Plan = Plan::Wait { exclusive: true };
    const LIVE: [Job; 6] =
        [Job::Initializing, Job::Created, Job::Running, Job::Failing, Job::Restarting, Job::Reconciling];

    /// The matrix for applications: same Flink version, no limit of the checkpoint age, fallback on. Columns:
    /// last-state with and without HA metadata, savepoint with and without.
    const MATRIX: [(&[Job], &[Jm], [Plan; 4]); 9] = [
        (&[Job::Running], &[Jm::Ready], [LAST_STATE, CANCEL, SAVEPOINT, SAVEPOINT]),
        (
            &[Job::Created, Job::Initializing, Job::Restarting, Job::Failing],
            &[Jm::Ready],
            [LAST_STATE, CANCEL, LAST_STATE, CANCEL],
        ),
        (&[Job::Reconciling], &[Jm::Ready], [LAST_STATE, WAIT, LAST_STATE, WAIT]),
        (
            &[Job::Reconciling, Job::Created],
            &[Jm::DeployedNotReady, Jm::Deploying],
            [LAST_STATE, WAIT, LAST_STATE, WAIT],
        ),
        (
            &[Job::Reconciling, Job::Created, Job::Restarting],
            &[Jm::Error, Jm::Missing],
            [LAST_STATE, Plan::ManualRestore, LAST_STATE, Plan::ManualRestore],
        ),
        (&[Job::Cancelling], &[Jm::Ready], [BUSY, BUSY, BUSY, BUSY]),
        (
            &[Job::Canceled],
            &[Jm::Ready, Jm::Deploying, Jm::DeployedNotReady, Jm::Missing, Jm::Error],
            [PATH, PATH, PATH, PATH],
        ),
        (&[Job::Finished, Job::Failed], &[Jm::Ready], [PATH, PATH, PATH, PATH]),
        (
            &[Job::Finished, Job::Failed],
            &[Jm::Deploying, Jm::DeployedNotReady, Jm::Missing, Jm::Error],
            [LAST_STATE, PATH, LAST_STATE, PATH],
        ),
    ];

    #[test]
    fn follows_the_matrix_for_applications() {
        let columns = [
            (UpgradeMode::LastState, true),
            (UpgradeMode::LastState, false),
            (UpgradeMode::Savepoint, true),
            (UpgradeMode::Savepoint, false),
        ];
        for (jobs, job_managers, plans) in MATRIX {
            for (job, job_manager) in
                jobs.iter().flat_map(|job| job_managers.iter().map(move |jm| (*job, *jm)))
            {
                for ((mode, ha), wanted) in columns.into_iter().zip(plans) {
                    let input = input(mode, job, job_manager, ha);
                    assert_eq!(plan(&input), wanted, "{input:?}");
                }
            }
        }
    }

    #[test]
    fn stateless_never_waits() {
        for job_manager in [Jm::Ready, Jm::DeployedNotReady, Jm::Deploying, Jm::Missing, Jm::Error] {
            for (ha, job) in [true, false].into_iter().flat_map(|ha| LIVE.map(|job| (ha, job))) {
                let live = input(UpgradeMode::Stateless, job, job_manager, ha);
                assert_eq!(plan(&live), Plan::Go(Stop::Stateless, Restore::Stateless));
            }
            let ended = input(UpgradeMode::Stateless, Job::Failed, job_manager, true);
            assert_eq!(plan(&ended), Plan::Go(Stop::Nothing, Restore::Stateless));
        }
    }

    #[test]
    fn state_that_only_ha_metadata_had_is_asked_for() {
        for mode in [UpgradeMode::LastState, UpgradeMode::Savepoint] {
            for (job, ha) in [(Job::Canceled, true), (Job::Canceled, false), (Job::Finished, false)] {
                let known_state = KnownState::OnlyInHaMetadata;
                let input = UpgradeInput { known_state, ..input(mode, job, Jm::Missing, ha) };
                assert_eq!(plan(&input), Plan::ManualRestore, "{input:?}");
            }
        }
    }

    #[test]
    fn without_the_fallback_a_savepoint_upgrade_waits_for_the_job() {
        for (job, ha) in [(Job::Restarting, true), (Job::Created, false), (Job::Reconciling, true)] {
            let input = UpgradeInput {
                last_state_fallback: false,
                ..input(UpgradeMode::Savepoint, job, Jm::Ready, ha)
            };
            assert_eq!(plan(&input), WAIT, "{input:?}");
        }
        let lost = UpgradeInput {
            last_state_fallback: false,
            ..input(UpgradeMode::Savepoint, Job::Reconciling, Jm::Missing, false)
        };
        assert_eq!(plan(&lost), Plan::ManualRestore);
    }

    #[test]
    fn ha_metadata_is_never_used_across_versions() {
        let version = |mode, job, job_manager, savepoint_directory| {
            plan(&UpgradeInput {
                version_changes: true,
                savepoint_directory,
                ..input(mode, job, job_manager, true)
            })
        };
        assert_eq!(version(UpgradeMode::LastState, Job::Running, Jm::Ready, true), SAVEPOINT);
        assert_eq!(version(UpgradeMode::LastState, Job::Running, Jm::Ready, false), CANCEL);
        assert_eq!(version(UpgradeMode::Savepoint, Job::Restarting, Jm::Ready, true), CANCEL);
        assert_eq!(version(UpgradeMode::LastState, Job::Reconciling, Jm::Deploying, true), WAIT);
    }

    #[test]
    fn checkpoint_age_decides_for_a_running_job() {
        let aged = |checkpoint_age, ha| {
            plan(&UpgradeInput {
                checkpoint_age,
                ..input(UpgradeMode::LastState, Job::Running, Jm::Ready, ha)
            })
        };
        assert_eq!(aged(CheckpointAge::TooOld, true), SAVEPOINT);
        assert_eq!(aged(CheckpointAge::InProgress, true), WAIT);
        assert_eq!(aged(CheckpointAge::Fine, false), CANCEL);
    }

    #[test]
    fn job_cancel_replaces_deleting_the_cluster() {
        let input = UpgradeInput {
            last_state_cancel: true,
            ..input(UpgradeMode::LastState, Job::Restarting, Jm::Ready, true)
        };
        assert_eq!(plan(&input), CANCEL);
    }

    #[test]
    fn w_19_a_job_that_its_job_manager_does_not_know_is_not_waited_for() {
        for mode in [UpgradeMode::LastState, UpgradeMode::Savepoint] {
            for (ha, wanted) in [(true, LAST_STATE), (false, Plan::ManualRestore)] {
                let input = UpgradeInput { job_lost: true, ..input(mode, Job::Reconciling, Jm::Ready, ha) };
                assert_eq!(plan(&input), wanted, "{input:?}");
            }
        }
    }

    #[test]
    fn where_the_operator_cannot_look_a_lost_job_manager_is_recovered_first() {
        for job_manager in [Jm::Missing, Jm::Error] {
            let ha_elsewhere = true;
            let input = UpgradeInput {
                ha_elsewhere,
                ..input(UpgradeMode::LastState, Job::Reconciling, job_manager, false)
            };
            assert_eq!(plan(&input), WAIT);
        }
    }

    #[test]
    fn a_deployment_that_never_started_is_deleted() {
        for job_manager in [Jm::Deploying, Jm::Error] {
            let input = UpgradeInput {
                never_started: true,
                ..input(UpgradeMode::Savepoint, Job::Reconciling, job_manager, false)
            };
            assert_eq!(plan(&input), Plan::DeleteNeverStarted);
        }
    }
}
