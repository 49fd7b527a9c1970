//! What keeps a deployed cluster running: recovery of a lost JobManager, removal of a finished cluster.

use api::{JobManagerDeploymentStatus as Jm, UpgradeMode};

use super::failure::class;
use super::pass::{Pass, Sight};
use super::restore::{Ha, Source};
use crate::event::{Component, EventRecord, Reason};
use crate::observed::JobManager;

impl Pass<'_> {
    /// Everything that is done without a change of the spec.
    pub(super) fn keep_running(&mut self) {
        if self.restarts_failed_job() || self.restarts_unhealthy_job() {
            return;
        }
        if self.job_manager_status() == Jm::Missing && !self.job_ended() {
            self.recover_lost_cluster();
        } else if self.job_ended() {
            self.remove_finished_cluster();
        } else if self.sight == Sight::Lost {
            self.explain_lost_job();
        } else {
            self.look_after_snapshots();
        }
    }

    /// A Deployment that was created and never allowed to start, while another one is recorded as deployed: an operator
    /// that was replaced has sent it too late, and ended.
    pub(super) fn removes_what_nobody_started(&mut self) -> bool {
        let idle = |it: &JobManager| it.paused && it.attempt.is_some() && it.owned && it.replicas == 0;
        let Some(job_manager) = self.observed.job_manager.clone().filter(idle) else { return false };
        self.delete_unstarted(&job_manager);
        true
    }

    /// The JobManager does not know the job any more, so the job has ended, and nobody has seen how. Whether it is to run
    /// again only its user knows.
    fn explain_lost_job(&mut self) {
        self.hold(
            "JobNotFound",
            "The JobManager does not know the job: it has ended, and the JobManager was restarted since. Remedy: to run \
             it again, change spec.restartNonce; where its state is not in HA metadata, also set \
             spec.job.initialSavepointPath with a new spec.job.savepointRedeployNonce, or upgradeMode stateless.",
        );
    }

    fn recover_lost_cluster(&mut self) {
        if !self.settings.jm_deployment_recovery || !self.deployed_job_runs() {
            return;
        }
        if let Some(job_manager) = self.observed.job_manager.clone() {
            // It is on its way out: the next one can come only when the name is free.
            if !job_manager.terminating {
                self.foreign_deployment();
            }
            self.look_again(self.settings.progress_check_interval);
            return;
        }
        let Some(source) = self.source_of_recovery() else { return };
        if self.is_application() {
            self.event(EventRecord::warning(
                Reason::RecoverDeployment,
                Component::Job,
                "Recovering lost deployment",
            ));
        }
        self.deploy_again(source);
    }

    /// Creates the cluster of the recorded spec once more.
    pub(super) fn deploy_again(&mut self, source: Source) {
        let generation = self.status.observed_generation.unwrap_or(self.generation);
        self.begin_deployment(source, generation);
        self.submit();
    }

    /// What a lost cluster is restored from. State is never given up: without HA metadata only a stateless job, or a
    /// session cluster, comes back by itself.
    pub(super) fn source_of_recovery(&mut self) -> Option<Source> {
        if !self.is_application() {
            return Some(Source::empty());
        }
        let stateless = self.wanted_mode() == UpgradeMode::Stateless;
        match self.ha() {
            Ha::Metadata(metadata) if stateless && !metadata.has_job(self.job_id()) => Some(Source::empty()),
            Ha::Metadata(_) | Ha::Unread | Ha::ZooKeeper | Ha::Elsewhere => self.last_state_source(),
            // Savepoints that are only listed are of earlier jobs.
            Ha::Off if stateless => Some(Source::path(self.recorded_path())),
            Ha::Off => {
                let message = "The JobManager Deployment is gone and the cluster has no HA metadata, so the newest \
                               state of the job is unknown. Remedy: set spec.job.initialSavepointPath to the savepoint \
                               or checkpoint to start from, together with a new spec.job.savepointRedeployNonce; or \
                               upgradeMode stateless to start from empty. With high-availability.type: kubernetes this \
                               recovers by itself.";
                self.fail_once(class::MISSING, Reason::Missing, message);
                self.hold("ManualRestoreRequired", message);
                None
            }
        }
    }

    /// A cluster whose job ended keeps its JobManager for a while, so that its pages can be read.
    pub(super) fn remove_finished_cluster(&mut self) {
        let Some(job_manager) = self.observed.job_manager.clone() else {
            return self.forget_failed_effect();
        };
        if !job_manager.owned {
            return;
        }
        let ended =
            self.status.job_status.as_ref().and_then(|job| job.update_time.as_deref()?.parse::<i64>().ok());
        let Some(ended) = ended else { return };
        let lives_until = ended
            .saturating_add(i64::try_from(self.settings.jm_shutdown_ttl.as_millis()).unwrap_or(i64::MAX));
        let left = lives_until.saturating_sub(self.now().as_millisecond());
        if left > 0 {
            self.look_again(std::time::Duration::from_millis(left.unsigned_abs()));
        } else {
            self.delete_deployment(&job_manager);
        }
    }
}
