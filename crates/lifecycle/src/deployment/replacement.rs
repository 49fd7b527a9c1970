//! The old cluster goes, the next one comes.

use api::{JobManagerDeploymentStatus as Jm, JobState, JobStatusState, ReconciliationState, UpgradeMode};

use super::failure::class;
use super::pass::Pass;
use super::restore::Source;
use super::upgrade::Restore;
use crate::event::Reason;

impl Pass<'_> {
    /// The arm of a job that has ended and whose state, if any, is recorded.
    pub(super) fn replace_cluster(&mut self) {
        if self.adopt_deployment_of_java_operator() {
            return;
        }
        self.take_the_spec_of_a_rollback();
        if self.old_cluster_goes() {
            return;
        }
        self.status.job_manager_deployment_status = Some(Jm::Missing);
        if self.wants_suspended() {
            self.record_suspended(self.recorded_mode());
            return;
        }
        let Some(source) = self.source_of_state() else { return };
        if source.restore == Restore::LastState && !self.wants_ha() {
            self.ask_for_ha();
            return;
        }
        let metadata_stays = !self.is_application() || source.restore == Restore::LastState;
        if !metadata_stays && self.metadata_is_in_the_way(&source) {
            return;
        }
        self.start_cluster(source);
    }

    fn wants_ha(&self) -> bool {
        super::build::configuration(self, &self.spec)
            .is_ok_and(|conf| flink_conf::is_high_availability_active(&conf))
    }

    fn ask_for_ha(&mut self) {
        let message = "The newest state of the job is in its HA metadata, and the spec switches high availability off, so \
                       it could not be restored. Remedy: keep high-availability.type as it was until the job runs again; \
                       or set spec.job.initialSavepointPath with a new spec.job.savepointRedeployNonce; or upgradeMode \
                       stateless to start from empty.";
        self.fail_once(class::UPGRADE, Reason::RestoreFailed, message);
        self.hold("HighAvailabilityNeeded", message);
    }

    /// HA metadata of the old job would win over what is to be restored, so it goes first; its replacement is recorded.
    fn metadata_is_in_the_way(&mut self, source: &Source) -> bool {
        if self.observed.ha.is_none() {
            self.hold("HaMetadataUnread", "The ConfigMaps with HA metadata could not be read.");
            self.look_again(self.settings.progress_check_interval);
            return true;
        }
        let there = self.delete_ha_metadata();
        if there {
            self.record_source(source);
            self.again_at_once();
        }
        there
    }

    /// What is to be restored was found out with the metadata that goes now: whoever comes next finds it in the status.
    fn record_source(&mut self, source: &Source) {
        self.job().upgrade_savepoint_path.clone_from(&source.path);
        let Some(mut last) = self.last.clone() else { return };
        if let Some(job) = &mut last.spec.job {
            job.upgrade_mode = Some(source.restore.upgrade_mode());
        }
        self.set_last(last);
    }

    /// A Java operator that stopped between creating the Deployment and recording that.
    fn adopt_deployment_of_java_operator(&mut self) -> bool {
        let Some(job_manager) = &self.observed.job_manager else { return false };
        let in_flight = self.job_manager_status() == Jm::Missing
            && job_manager.owned
            && !job_manager.terminating
            && job_manager.attempt.is_none()
            && job_manager.generation.is_some()
            && job_manager.generation == self.status.observed_generation;
        if !in_flight {
            return false;
        }
        let state = match self.reconciliation_state() {
            ReconciliationState::RollingBack | ReconciliationState::RolledBack => {
                ReconciliationState::RolledBack
            }
            ReconciliationState::Upgrading | ReconciliationState::Deployed => ReconciliationState::Deployed,
        };
        if let Some(mut last) = self.last.clone() {
            if let Some(job) = &mut last.spec.job {
                job.state = Some(JobState::Running);
            }
            self.set_last(last);
        }
        self.reconciliation().state = Some(state);
        self.status.job_manager_deployment_status = Some(Jm::Deploying);
        if self.is_application() {
            self.job().state = Some(JobStatusState::Reconciling);
        }
        self.again_at_once();
        true
    }

    /// The job has ended in a way that nobody saw: its JobManager is gone, or was restarted since. HA metadata says how
    /// far it came; without it, a person has to.
    pub(super) fn resolve_lost_job_by_metadata(&mut self, what: &str) {
        let message =
            format!("{what}, so the end of the job was not seen. HA metadata tells how far it came.");
        self.event(crate::event::EventRecord::warning(
            Reason::CleanupFailed,
            crate::event::Component::JobManagerDeployment,
            message,
        ));
        self.record_stopped(UpgradeMode::LastState);
    }
}
