//! What the next deployment starts from. State is never given up: where the newest is not known, the answer is an error
//! that names the remedy.

use api::UpgradeMode;
use flink_conf::HighAvailability;

pub(super) use crate::job::newest_state::{LAST_STATE_MARKER, Source};

use super::pass::Pass;
use super::upgrade::KnownState;
use crate::event::Reason;
use crate::observed::HaMetadata;

/// What is known of HA metadata.
pub(super) enum Ha<'a> {
    /// HA is off.
    Off,
    /// It is on, and could not be read now.
    Unread,
    /// In `ZooKeeper`, which the operator does not look into.
    ZooKeeper,
    /// Where only a class of the user's knows.
    Elsewhere,
    /// In ConfigMaps.
    Metadata(&'a HaMetadata),
}

impl<'a> Pass<'a> {
    /// HA metadata of the cluster that is recorded as deployed.
    pub(super) fn ha(&self) -> Ha<'a> {
        let conf = self.deployed_spec().and_then(|spec| super::build::configuration(self, &spec).ok());
        let observed = self.observed;
        match conf.map_or(HighAvailability::None, |conf| HighAvailability::of(&conf)) {
            HighAvailability::None => Ha::Off,
            HighAvailability::Kubernetes => observed.ha.as_ref().map_or(Ha::Unread, Ha::Metadata),
            HighAvailability::ZooKeeper => Ha::ZooKeeper,
            HighAvailability::Custom => Ha::Elsewhere,
        }
    }

    /// Whether Flink has written down that the recorded job goes on.
    pub(super) fn has_ha_job(&self) -> bool {
        matches!(self.ha(), Ha::Metadata(metadata) if metadata.has_job(self.job_id()))
    }

    /// Whether metadata in `ZooKeeper` leads to the newest state of the recorded job: Flink writes a checkpoint down there
    /// before it tells of it, and also the one that it was restored from.
    pub(super) fn has_checkpoint_in_zookeeper(&self) -> bool {
        let checkpoints = self.answer().and_then(|answer| answer.checkpoints.as_ref());
        matches!(self.ha(), Ha::ZooKeeper)
            && checkpoints
                .is_some_and(|all| Some(all.job_id.as_str()) == self.job_id() && !all.completed.is_empty())
    }

    /// What the next deployment is restored from, its job having ended; an error is already recorded, or another look
    /// asked for, when there is no answer.
    pub(super) fn source_of_state(&mut self) -> Option<Source> {
        if self.spec.job.is_none() {
            return Some(Source::empty());
        }
        if let Some(path) = self.redeploy_path() {
            return Some(Source::path(Some(path)));
        }
        if self.wanted_mode() == UpgradeMode::Stateless && !self.redeploys() {
            return Some(Source::empty());
        }
        match self.recorded_mode() {
            UpgradeMode::LastState => self.last_state_source(),
            UpgradeMode::Savepoint | UpgradeMode::Stateless => self.path_source(),
        }
    }

    /// The path that is recorded, or the certainty that there is no state.
    fn path_source(&mut self) -> Option<Source> {
        let path = self.known_path();
        if path.is_some() {
            return Some(Source::path(path));
        }
        let metadata = self.observed.ha.as_ref();
        if metadata.is_some_and(|metadata| metadata.has_checkpoint(self.job_id())) {
            return Some(Source::ha_metadata());
        }
        if self.known_state() == KnownState::Known {
            return Some(Source::path(None));
        }
        self.ask_for_manual_restore(Reason::RestoreFailed);
        None
    }

    /// HA metadata with a checkpoint. While there is none yet, the job is as far as where it was started from. When Flink
    /// has removed the metadata, the job has ended for good, and nobody has seen how far it came.
    pub(super) fn last_state_source(&mut self) -> Option<Source> {
        let metadata = match self.ha() {
            Ha::Metadata(metadata) => metadata,
            Ha::Unread => {
                self.hold("HaMetadataUnread", "The ConfigMaps with HA metadata could not be read.");
                self.look_again(self.settings.progress_check_interval);
                return None;
            }
            // The marker makes Flink fail where it finds nothing.
            Ha::ZooKeeper | Ha::Elsewhere => return Some(Source::ha_metadata()),
            Ha::Off => {
                self.ask_for_manual_restore(Reason::RestoreFailed);
                return None;
            }
        };
        if metadata.has_checkpoint(self.job_id()) {
            return Some(Source::ha_metadata());
        }
        if metadata.has_job(self.job_id()) && self.known_state() == KnownState::Known {
            return Some(Source::path(self.known_path()));
        }
        self.ask_for_manual_restore(Reason::RestoreFailed);
        None
    }
}
