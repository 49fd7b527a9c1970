//! A deployed cluster whose spec changes, or stays the same.

use api::{JobState, JobStatusState, ReconciliationState, UpgradeMode};

use super::pass::{Pass, Sight};
use super::restore::Ha;
use super::upgrade::{self, KnownState, Plan, Stop, UpgradeInput};
use crate::diff::{self, DiffType};
use crate::event::Reason;
use crate::job::change;
use crate::observed::JobManager;

impl Pass<'_> {
    /// The arm of a deployed cluster.
    pub(super) fn keep_or_change(&mut self) {
        if self.sight == Sight::Ending {
            // How far the job came is known in a moment, and decides what can be done.
            self.look_again(self.settings.progress_check_interval);
            return;
        }
        self.follow_scaling();
        self.follow_rescaling();
        let Some(recorded) = self.last.as_ref().map(|last| last.spec.clone()) else { return };
        let change = diff::spec_diff(&recorded, &self.spec);
        if change.kind == DiffType::Ignore {
            if !self.roll_back_if_due() {
                self.acknowledge_generation();
                self.keep_running();
            }
            return;
        }
        if self.is_back_to_stable_spec() {
            self.record_spec(self.spec.clone(), ReconciliationState::Deployed, JobState::Running);
            self.again_at_once();
            return;
        }
        if self.refuse_what_cannot_be_built() {
            self.keep_running();
            return;
        }
        if self.waits_for_pending_savepoint() {
            return;
        }
        self.tell_change(&change);
        if self.scale_task_managers(&change) || self.rescale_job(&change) {
            return;
        }
        if self.is_application() {
            self.change_application(change.kind);
        } else {
            self.change_session();
        }
    }

    /// A spec that no cluster can be built from must not stop the one that runs.
    pub(super) fn refuse_what_cannot_be_built(&mut self) -> bool {
        let Err(error) = super::build::rehearse(self, &self.spec) else { return false };
        self.refuse(Reason::ValidationError, &error.to_string());
        true
    }

    /// Nothing to do to the cluster for this generation: says so. Its Ingress counts as deployed, and follows.
    pub(super) fn acknowledge_generation(&mut self) {
        let Some(mut last) = self.last.clone() else { return };
        let same_ingress = last.spec.ingress == self.spec.ingress;
        if same_ingress && self.status.observed_generation == Some(self.generation) {
            return;
        }
        self.status.observed_generation = Some(self.generation);
        last.spec.ingress.clone_from(&self.spec.ingress);
        let metadata =
            last.metadata.get_or_insert_with(|| api::reconciled::ReconciliationMetadata::new(false));
        metadata.first_deployment &= self.reconciliation_state() == ReconciliationState::Deployed;
        let was_stable = self.is_stable();
        self.set_last(last);
        if was_stable {
            self.mark_stable();
        }
        if !same_ingress {
            self.tell_unmanaged_ingress();
        }
    }

    // ---- applications -------------------------------------------------------------------------------------------

    fn change_application(&mut self, kind: DiffType) {
        if kind == DiffType::SavepointRedeploy {
            self.redeploy_from_initial_savepoint();
            return;
        }
        if matches!(self.ha(), Ha::Unread) && self.wanted_mode() != UpgradeMode::Stateless {
            self.hold("HaMetadataUnread", "The ConfigMaps with HA metadata could not be read.");
            self.look_again(self.settings.progress_check_interval);
            return;
        }
        if self.wanted_mode() == UpgradeMode::Savepoint && self.waits_for_first_answer() {
            return;
        }
        let input = self.upgrade_input(self.wanted_mode());
        match upgrade::plan(&input) {
            Plan::Go(Stop::Savepoint, _) if self.waits_before_next_savepoint() => self.keep_running(),
            Plan::Go(Stop::Cancel, _) if self.is_recovering() => {
                self.hold("WaitingForJob", change::waiting_for(&input));
                self.keep_running();
            }
            Plan::Go(stop, restore) => self.stop_job(stop, restore),
            Plan::Wait { exclusive } => {
                self.hold("WaitingForJob", change::waiting_for(&input));
                if !exclusive {
                    self.keep_running();
                }
            }
            Plan::DeleteNeverStarted if self.known_state() == KnownState::OnlyInHaMetadata => {
                self.ask_for_manual_restore(Reason::UpgradeFailed);
            }
            Plan::DeleteNeverStarted => {
                self.tell_suspended();
                self.withdraw();
            }
            Plan::ManualRestore => self.ask_for_manual_restore(Reason::UpgradeFailed),
        }
    }

    /// A job that ran before and is being initialised again by another JobManager. Cancelled now, it would end without
    /// telling which checkpoint it was about to go on from.
    fn is_recovering(&self) -> bool {
        self.job_state() == Some(JobStatusState::Initializing) && self.is_stable()
    }

    /// A JobManager that has just come up will say in a moment whether a savepoint can be taken; until then nothing else
    /// is taken in its place.
    fn waits_for_first_answer(&mut self) -> bool {
        let available = self.observed.job_manager.as_ref().is_some_and(JobManager::is_available);
        let due = available && self.answer().is_none() && !self.flink_is_silent();
        if due && self.job_state() == Some(JobStatusState::Reconciling) {
            self.hold("WaitingForJob", "The change waits for what the JobManager says of the job.");
            self.look_again(self.settings.progress_check_interval);
            return true;
        }
        false
    }

    pub(super) fn upgrade_input(&self, mode: UpgradeMode) -> UpgradeInput {
        let wanted = super::build::configuration(self, &self.spec).ok();
        let running = self.deployed_spec().and_then(|spec| super::build::configuration(self, &spec).ok());
        let configured = |conf: &Option<flink_conf::FlinkConf>| {
            conf.as_ref().is_some_and(flink_conf::is_high_availability_active)
        };
        let deployed_version = self.deployed_spec().and_then(|spec| spec.flink_version);
        UpgradeInput {
            mode,
            job: self.job_state(),
            job_manager: self.job_manager_status(),
            job_lost: self.sight == Sight::Lost,
            ha_metadata: self.has_ha_job() || self.has_checkpoint_in_zookeeper(),
            ha_elsewhere: matches!(self.ha(), Ha::ZooKeeper | Ha::Elsewhere),
            ha_kept: configured(&running) && configured(&wanted),
            version_changes: deployed_version != self.spec.flink_version,
            savepoint_directory: running.as_ref().and_then(flink_conf::savepoint_directory).is_some(),
            last_state_fallback: self.settings.last_state_fallback,
            last_state_cancel: self.settings.last_state_job_cancel,
            known_state: self.known_state(),
            checkpoint_age: self.checkpoint_age(),
            never_started: self.never_started(),
        }
    }

    /// Whether no JobManager of what runs ever came up, and it was not started from HA metadata: then there is no newer
    /// state than what it was started from.
    pub(super) fn never_started(&self) -> bool {
        self.recorded_mode() != UpgradeMode::LastState
            && self.observed.job_manager.as_ref().is_some_and(|job_manager| job_manager.never_started)
    }
}
