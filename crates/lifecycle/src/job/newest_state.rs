//! What is recorded about the newest state of a job.

use api::{ReconciliationState, UpgradeMode};

use super::failure::class;
use super::pass::Pass;
use super::resource::{JobResource, JobResourceStatus};
use super::upgrade::{KnownState, Restore};
use crate::event::Reason;

/// Written as savepoint path when a job is restored from HA metadata: a cluster whose HA metadata got lost then fails
/// instead of starting empty. Also stands for state of which no path is known.
pub(crate) const LAST_STATE_MARKER: &str = api::names::LAST_STATE_DUMMY_SAVEPOINT_PATH;

/// Where the state of a deployment comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) restore: Restore,
    pub(crate) path: Option<String>,
}

impl Source {
    pub(crate) fn empty() -> Self {
        Self { restore: Restore::Stateless, path: None }
    }

    pub(crate) fn path(path: Option<String>) -> Self {
        Self { restore: Restore::Savepoint, path }
    }

    pub(crate) fn ha_metadata() -> Self {
        Self { restore: Restore::LastState, path: Some(LAST_STATE_MARKER.to_owned()) }
    }
}

impl<R: JobResource> Pass<'_, R> {
    /// The upgrade mode that the user wants to count now. A rollback keeps the state of what failed, whatever mode the
    /// stable spec was deployed with.
    pub(crate) fn wanted_mode(&self) -> UpgradeMode {
        if self.reconciliation_state() == ReconciliationState::RollingBack {
            return match self.recorded_mode() {
                UpgradeMode::Stateless => UpgradeMode::Stateless,
                UpgradeMode::Savepoint | UpgradeMode::LastState => UpgradeMode::LastState,
            };
        }
        self.wanted_job().map_or(UpgradeMode::Stateless, api::JobSpec::upgrade_mode_or_default)
    }

    /// What is known of the newest state of a job that has ended.
    pub(crate) fn known_state(&self) -> KnownState {
        let path = self.status.job_status().and_then(|job| job.upgrade_savepoint_path.as_deref());
        if path == Some(LAST_STATE_MARKER) { KnownState::OnlyInHaMetadata } else { KnownState::Known }
    }

    /// The newest savepoint or checkpoint that is known by path.
    pub(crate) fn known_path(&self) -> Option<String> {
        self.recorded_path().or_else(|| {
            let info = self.status.job_status()?.savepoint_info.as_ref()?;
            info.last_savepoint.as_ref()?.location.clone()
        })
    }

    /// Where the job that runs was started from, or where the one that has ended left off.
    pub(crate) fn recorded_path(&self) -> Option<String> {
        let path = self.status.job_status()?.upgrade_savepoint_path.clone();
        path.filter(|path| path != LAST_STATE_MARKER)
    }

    /// `initialSavepointPath`, when a new `savepointRedeployNonce` asks to start from it.
    pub(crate) fn redeploy_path(&self) -> Option<String> {
        if self.reconciliation_state() == ReconciliationState::RollingBack {
            return None;
        }
        let wanted = self.wanted_job()?;
        let nonce = wanted.savepoint_redeploy_nonce?;
        let recorded = self.recorded_job().and_then(|job| job.savepoint_redeploy_nonce);
        wanted.initial_savepoint_path.clone().filter(|_| recorded != Some(nonce))
    }

    /// Whether a redeployment was recorded, and has not begun.
    pub(crate) fn redeploys(&self) -> bool {
        let wanted = self.wanted_job();
        let recorded = self.recorded_job();
        let known = self.status.job_status().and_then(|job| job.upgrade_savepoint_path.as_ref());
        self.recorded_mode() == UpgradeMode::Savepoint
            && self.reconciliation_state() != ReconciliationState::RollingBack
            && wanted.is_some_and(|wanted| {
                wanted.savepoint_redeploy_nonce.is_some()
                    && wanted.savepoint_redeploy_nonce
                        == recorded.and_then(|old| old.savepoint_redeploy_nonce)
                    && wanted.initial_savepoint_path.is_some()
                    && wanted.initial_savepoint_path.as_ref() == known
            })
    }

    pub(crate) fn ask_for_manual_restore(&mut self, reason: Reason) {
        let message = format!(
            "{} {} {} Remedy: set spec.job.initialSavepointPath to the savepoint or checkpoint to start from, together \
             with a new spec.job.savepointRedeployNonce; or upgradeMode stateless to start from empty.",
            api::names::MSG_MANUAL_RESTORE_REQUIRED,
            api::names::MSG_HA_METADATA_NOT_AVAILABLE,
            api::names::MSG_JOB_FINISHED_OR_CONFIGMAPS_DELETED,
        );
        self.fail_once(class::UPGRADE, reason, &message);
        self.hold("ManualRestoreRequired", message);
    }
}
