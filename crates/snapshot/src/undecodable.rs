//! A stored object that is not a FlinkStateSnapshot as this operator knows it: it is told to its user, everything else
//! goes on, and it can be deleted.

use api::{ErrorReport, FlinkStateSnapshot, FlinkStateSnapshotSpec, FlinkStateSnapshotStatus, error};
use engine::caches::Undecodable;
use engine::ports::{ApiError, Kind, ObjectKey};
use engine::resource::Resource;
use lifecycle::{Component, Effect, EventRecord, Reason};

use engine::course::{Pass, Round};

use crate::reconciler::SnapshotReconciler;

impl SnapshotReconciler {
    pub(crate) async fn undecodable(&self, key: &ObjectKey, object: &Undecodable) -> Result<Round, ApiError> {
        let identity = Resource::new(Kind::FLINK_STATE_SNAPSHOT, &object.object.metadata);
        let status = readable_status(object);
        if object.object.metadata.deletion_timestamp.is_some() {
            let stand_in = FlinkStateSnapshot {
                metadata: object.object.metadata.clone(),
                spec: FlinkStateSnapshotSpec::default(),
                status: Some(status),
            };
            return self.step(key, &stand_in).await;
        }
        let message = format!(
            "This FlinkStateSnapshot cannot be read, so nothing is done about it: {}. Remedy: correct that field.",
            object.error
        );
        let mut status = status;
        let report = ErrorReport::new(error::types::VALIDATION, message.as_str());
        let text = report.to_text(error::ErrorLimits::default());
        if status.error.as_deref() != Some(text.as_str()) {
            status.error = Some(text);
            if self.engine.status.write(&identity, &status).await?.is_none() {
                return Ok(Round::Again);
            }
            let event = EventRecord::warning(Reason::ValidationError, Component::Operator, message);
            self.engine.executor.perform(&identity, vec![Effect::Event(event)]).await;
        }
        Ok(Round::Done(Pass::Again(None)))
    }
}

/// The status, which only this operator writes and which is therefore good even when the spec is not.
fn readable_status(object: &Undecodable) -> FlinkStateSnapshotStatus {
    object
        .object
        .data
        .get("status")
        .and_then(|status| api::decode(status.clone()).ok())
        .unwrap_or_else(FlinkStateSnapshotStatus::initial)
}
