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

/// The decision for a session job. Nothing but its cluster's JobManager knows its state.
#[must_use]
pub fn plan_session_job(input: &UpgradeInput) -> Plan {
    match common(input) {
        Common::Decided(plan) => plan,
        Common::Wait | Common::Unavailable if input.job_lost => Plan::ManualRestore,
        Common::Wait | Common::Unavailable => Plan::Wait { exclusive: false },
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
    // What was seen before the JobManager went away is not what is: nothing can be asked of it, and no metadata promised.
    let running =
        input.job == Some(JobStatusState::Running) && input.job_manager == JobManagerDeploymentStatus::Ready;
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
    let gone = matches!(input.job_manager, Missing | Error) && !input.ha_elsewhere;
    // A JobManager that answers has looked for metadata, wherever it may be.
    if (gone || input.job_lost) && !input.ha_metadata {
        return Plan::ManualRestore;
    }
    Plan::Wait { exclusive: false }
}
