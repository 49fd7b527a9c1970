//! What keeps a deployed cluster running: recovery of a lost JobManager, removal of a finished cluster.

use api::{JobManagerDeploymentStatus as Jm, UpgradeMode};

use super::deploy::Source;
use super::failure::class;
use super::pass::Pass;
use super::upgrade::Restore;
use crate::event::{Component, EventRecord, Reason};

impl Pass<'_> {
    /// Everything that is done without a change of the spec.
    pub(super) fn keep_running(&mut self) {
        if self.job_manager_status() == Jm::Missing && !self.job_ended() {
            self.recover_lost_cluster();
        } else if self.job_ended() {
            self.remove_finished_cluster();
        }
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
        let Ok(source) = self.source_of_recovery() else { return };
        self.event(EventRecord::warning(
            Reason::RecoverDeployment,
            Component::Job,
            "Recovering lost deployment",
        ));
        self.event(EventRecord::normal(
            Reason::Submit,
            Component::JobManagerDeployment,
            "Starting deployment",
        ));
        let generation = self.status.observed_generation.unwrap_or(self.generation);
        self.begin_deployment(source, generation);
        self.create_cluster();
    }

    /// What a lost cluster is restored from. State is never given up: without HA metadata only a stateless job, or a
    /// session cluster, comes back by itself.
    fn source_of_recovery(&mut self) -> Result<Source, ()> {
        if !self.is_application() {
            return Ok(Source::empty());
        }
        let spec = self.deployed_spec();
        let mode =
            self.spec.job.as_ref().map_or(UpgradeMode::Stateless, api::JobSpec::upgrade_mode_or_default);
        let ha = spec
            .and_then(|spec| super::build::configuration(self, &spec).ok())
            .is_some_and(|conf| flink_conf::is_high_availability_active(&conf));
        if ha {
            let metadata = self.observed.ha.clone();
            let stateless_without = mode == UpgradeMode::Stateless && metadata.is_some_and(|ha| !ha.has_job);
            if stateless_without {
                return Ok(Source::empty());
            }
            let path = self.known_path();
            return self.last_state_source(path);
        }
        if mode == UpgradeMode::Stateless {
            let path = self.known_path();
            let restore = if path.is_some() { Restore::Savepoint } else { Restore::Stateless };
            return Ok(Source { restore, path });
        }
        let message = "The JobManager Deployment is gone and the cluster has no HA metadata, so the newest state of the \
                       job is unknown. Remedy: set spec.job.initialSavepointPath to the savepoint or checkpoint to \
                       start from, together with a new spec.job.savepointRedeployNonce. With \
                       high-availability.type: kubernetes this recovers by itself.";
        self.fail_once(class::MISSING, Reason::Missing, message);
        Err(())
    }

    /// A cluster whose job ended keeps its JobManager for a while, so that its pages can be read.
    pub(super) fn remove_finished_cluster(&mut self) {
        let Some(job_manager) = self.observed.job_manager.clone().filter(|job_manager| job_manager.owned)
        else {
            return;
        };
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
