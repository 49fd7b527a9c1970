//! Savepoints that upgrades take are made known: as FlinkStateSnapshot, or in the history of the status.

use api::{
    CheckpointInfo, FlinkStateSnapshotSpec, Savepoint, SavepointFormatType, SavepointInfo, SavepointSpec,
    SnapshotTriggerType, SnapshotType, UpgradeMode,
};
use kube::core::DynamicObject;

use super::pass::Pass;
use super::resource::{JobResource, JobResourceStatus};
use crate::effect::Effect;
use crate::event::{Component, EventRecord, Reason};

/// How often a FlinkStateSnapshot is tried to be created while the job stands still.
const TRIES: u32 = 3;

impl<R: JobResource> Pass<'_, R> {
    /// Makes a savepoint known whose path is recorded now. Returns whether that takes another round.
    ///
    /// The path is in the status before anything is created, so that it cannot get lost together with the resource that
    /// was to name it. A repeat applies the same resource again.
    pub(crate) fn register_savepoint(&mut self, path: &str) -> bool {
        if !self.settings.snapshot_resources {
            self.add_to_history(path);
            return false;
        }
        let Some(snapshot) = self.upgrade_snapshot(path) else {
            self.add_to_history(path);
            return false;
        };
        if let Some(operation) = self.status.operation_mut() {
            operation.restore_path = Some(path.to_owned());
        }
        self.effects.push(Effect::Apply(Box::new(snapshot)));
        self.again_at_once();
        true
    }

    /// Whether a savepoint was taken whose FlinkStateSnapshot cannot be created: it goes into the history, and the
    /// upgrade goes on from its path.
    pub(crate) fn goes_on_without_snapshot_resource(&mut self) -> Option<String> {
        let failure = self.observed.failure.as_ref()?;
        if !failure.needs_user && failure.attempts < TRIES {
            return None;
        }
        let path = self.operation().restore_path?;
        let message = format!(
            "{}: {}. The savepoint {path} is kept in status.jobStatus.savepointInfo instead. Remedy: install the CRD of \
             FlinkStateSnapshot and let the operator create them, or set \
             kubernetes.operator.snapshot.resource.enabled: false.",
            failure.action, failure.message
        );
        self.add_to_history(&path);
        self.event(EventRecord::warning(Reason::SavepointError, Component::Operator, message));
        Some(path)
    }

    /// The history of the status, which the Java operator keeps when snapshot resources are off.
    fn add_to_history(&mut self, path: &str) {
        let begun = self.operation().start_timestamp.unwrap_or_else(|| self.now().as_millisecond());
        let savepoint = Savepoint {
            time_stamp: Some(begun),
            location: Some(path.to_owned()),
            trigger_type: Some(SnapshotTriggerType::Upgrade),
            format_type: self.savepoint_format(),
            trigger_nonce: None,
        };
        let info = self.job().savepoint_info.get_or_insert_with(SavepointInfo::initial);
        add_savepoint(info, savepoint);
    }

    pub(crate) fn savepoint_format(&self) -> Option<SavepointFormatType> {
        self.settings.savepoint_format.parse().ok()
    }

    /// `<name>-savepoint-upgrade-<time>`, as the Java operator names it. The time is that of the recorded step.
    fn upgrade_snapshot(&self, path: &str) -> Option<DynamicObject> {
        let begun = self.operation().start_timestamp?;
        let savepoint = SavepointSpec {
            path: Some(path.to_owned()),
            format_type: self.savepoint_format(),
            dispose_on_delete: Some(self.settings.savepoint_dispose_on_delete),
            already_exists: Some(true),
        };
        let spec = FlinkStateSnapshotSpec { savepoint: Some(savepoint), ..FlinkStateSnapshotSpec::default() };
        Some(self.snapshot_resource(SnapshotType::Savepoint, SnapshotTriggerType::Upgrade, begun, spec))
    }

    /// The upgrade goes on from the savepoint at `path`, which is recorded.
    pub(crate) fn stop_with_recorded_savepoint(&mut self, path: String) {
        self.job().upgrade_savepoint_path = Some(path);
        self.record_stopped(UpgradeMode::Savepoint);
    }

    pub(crate) fn savepoint_info(&self) -> SavepointInfo {
        let job = self.status.job_status();
        job.and_then(|job| job.savepoint_info.clone()).unwrap_or_default()
    }

    pub(crate) fn checkpoint_info(&self) -> CheckpointInfo {
        let job = self.status.job_status();
        job.and_then(|job| job.checkpoint_info.clone()).unwrap_or_default()
    }
}

/// A new savepoint is the last one, and stands in the history once.
pub(crate) fn add_savepoint(info: &mut SavepointInfo, savepoint: Savepoint) {
    let history = info.savepoint_history.get_or_insert_default();
    if history.last().is_none_or(|last| last.location != savepoint.location) {
        history.push(savepoint.clone());
    }
    info.last_savepoint = Some(savepoint);
}
