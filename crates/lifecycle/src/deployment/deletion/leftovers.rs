//! What of a deleted cluster stays because the operator does not reach it: Flink's files of high availability, and whatever
//! a class of one's own keeps. An Event tells it once, when the deletion begins, and only where there is something of the kind;
//! the files are named by the condition `Deleting` too, while the cluster goes.
//!
//! Flink removes most of it when the job ends. The Java operator leaves the files, and says nothing.

use flink_conf::option::state;
use flink_conf::{FlinkConf, HighAvailability};

use super::super::pass::Pass;
use crate::event::{Component, EventRecord, Reason};

impl Pass<'_> {
    /// Tells of the deletion, and of what it leaves.
    pub(super) fn announce_with_leftovers(&mut self) {
        let conf = self.deployed_configuration();
        let message = match self.files_that_stay() {
            Some(files) => format!("Cleaning up FlinkDeployment. {files}"),
            None => "Cleaning up FlinkDeployment".to_owned(),
        };
        self.event(EventRecord::normal(Reason::Cleanup, Component::Operator, message).once("Cleanup"));
        if let Some(message) = conf.as_ref().and_then(|conf| self.metadata_that_stays(conf)) {
            let event = EventRecord::warning(Reason::CleanupFailed, Component::Operator, message);
            self.event(event.once("metadata stays"));
        }
    }

    /// None where nothing was ever deployed, or nothing of it is ours.
    pub(super) fn deployed_configuration(&self) -> Option<FlinkConf> {
        if self.observed.job_manager.as_ref().is_some_and(|job_manager| !job_manager.owned) {
            return None;
        }
        let spec = self.deployed_spec()?;
        super::super::build::configuration(self, &spec).ok()
    }

    /// Names the directories with files of high availability, and says what to do with them. None without high availability.
    pub(super) fn files_that_stay(&self) -> Option<String> {
        let conf = self.deployed_configuration()?;
        if !HighAvailability::of(&conf).is_active() {
            return None;
        }
        let directory = conf.text(state::HA_STORAGE_DIR)?.trim_end_matches('/');
        let name = self.name;
        Some(format!(
            "Files of its high availability may stay, since the operator does not reach them: {directory}/{name} and \
             {directory}/job-result-store/{name}. Remedy: remove these directories when the cluster is gone, unless \
             a cluster of this name in another namespace uses them too."
        ))
    }

    fn metadata_that_stays(&self, conf: &FlinkConf) -> Option<String> {
        match HighAvailability::of(conf) {
            // ConfigMaps and nodes go with the cluster.
            HighAvailability::None | HighAvailability::Kubernetes | HighAvailability::ZooKeeper => None,
            HighAvailability::Custom => {
                let class = conf.text(state::HA_TYPE).unwrap_or_default();
                Some(format!(
                    "The operator does not know where {class} keeps the HA metadata of the cluster, so it may stay. \
                     Remedy: remove what belongs to {} when the cluster is gone, before another cluster has this name.",
                    self.name
                ))
            }
        }
    }
}
