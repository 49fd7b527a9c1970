//! A stored object that is not what its kind says, as this operator knows it: it is told to its user, everything else goes
//! on, and it can be deleted.

use api::{ErrorReport, FlinkDeploymentStatus, FlinkSessionJobStatus, FlinkStateSnapshotStatus, error};
use lifecycle::{Component, Effect, EventRecord, Reason};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::caches::Undecodable;
use crate::course::{Pass, Round};
use crate::engine::Engine;
use crate::ports::{ApiError, Kind};
use crate::resource::Resource;

/// A status with a field `error`.
pub trait ReportsError: Serialize + DeserializeOwned + PartialEq + Sync {
    /// The status of a resource that nobody has looked at.
    fn first() -> Self;
    /// What it reports.
    fn error(&self) -> Option<&str>;
    /// Reports that.
    fn report(&mut self, error: String);
}

macro_rules! reports_error {
    ($status:ty, $($also:expr)?) => {
        impl ReportsError for $status {
            fn first() -> Self {
                Self::initial()
            }

            fn error(&self) -> Option<&str> {
                self.error.as_deref()
            }

            fn report(&mut self, error: String) {
                self.error = Some(error);
                $($also(self);)?
            }
        }
    };
}

reports_error!(FlinkDeploymentStatus, |status: &mut Self| {
    status.lifecycle_state = Some(status.lifecycle_state());
});
reports_error!(FlinkSessionJobStatus, |status: &mut Self| {
    status.lifecycle_state = Some(status.lifecycle_state());
});
reports_error!(FlinkStateSnapshotStatus,);

/// The status, which only this operator writes and which is therefore good even when the spec is not.
#[must_use]
pub fn readable_status<S: ReportsError>(object: &Undecodable) -> S {
    let status = object.object.data.get("status");
    status.and_then(|status| api::decode(status.clone()).ok()).unwrap_or_else(S::first)
}

/// Tells the user what is wrong, once, in the status and as an Event.
///
/// # Errors
/// The API server did not take the status, for another reason than that somebody else was faster.
pub async fn tell<S: ReportsError>(
    engine: &Engine,
    kind: Kind,
    object: &Undecodable,
) -> Result<Round, ApiError> {
    let message = format!(
        "This {} cannot be read, so nothing is done about it: {}. Remedy: correct that field.",
        kind.name, object.error
    );
    let mut status: S = readable_status(object);
    let report = ErrorReport::new(error::types::VALIDATION, message.as_str());
    let text = report.to_text(error::ErrorLimits::default());
    if status.error() != Some(text.as_str()) {
        status.report(text);
        let identity = Resource::new(kind, &object.object.metadata);
        if engine.status.write(&identity, &status).await?.is_none() {
            return Ok(Round::Again);
        }
        let event = EventRecord::warning(Reason::ValidationError, Component::Operator, message);
        engine.executor.perform(&identity, vec![Effect::Event(event)]).await;
    }
    Ok(Round::Done(Pass::Again(None)))
}
