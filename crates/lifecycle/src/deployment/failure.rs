//! How failures are put into `status.error`, Events and back-off.

use api::error::ErrorReport;

use super::back_off;
use super::pass::Pass;
use crate::event::{Component, EventRecord, Reason};

/// Java classes that tools look for in `status.error`.
pub(super) mod class {
    pub(crate) use api::error::types::{
        DEPLOYMENT_FAILED as DEPLOYMENT, MISSING_JOB_MANAGER as MISSING, RECONCILIATION,
        SERIALIZED_THROWABLE as JOB, UPGRADE_FAILURE as UPGRADE, VALIDATION,
    };
}

impl Pass<'_> {
    /// Puts an error into the status, in the JSON form of the Java operator.
    pub(super) fn set_error(&mut self, class: &str, message: &str) {
        self.set_error_report(&ErrorReport::new(class, message));
    }

    pub(super) fn set_error_report(&mut self, report: &ErrorReport) {
        self.status.error = Some(report.to_text(self.settings.error_limits));
    }

    /// An error of the deployment itself: status and a Warning Event of component JobManagerDeployment.
    pub(super) fn fail(&mut self, class: &str, reason: Reason, message: &str) {
        self.set_error(class, message);
        self.event(EventRecord::warning(reason, Component::JobManagerDeployment, message));
    }

    /// The same as [`Pass::fail`], with an Event only when the error is new.
    pub(super) fn fail_once(&mut self, class: &str, reason: Reason, message: &str) {
        let before = self.status.error.clone();
        self.set_error(class, message);
        if self.status.error != before {
            self.event(EventRecord::warning(reason, Component::JobManagerDeployment, message));
        }
    }

    /// Records the failure of an effect and waits before the next try. Returns whether there was one.
    pub(super) fn record_effect_failure(&mut self) -> bool {
        let Some(failure) = &self.observed.failure else { return false };
        let message = format!("{}: {}", failure.action, failure.message);
        self.fail_once(class::RECONCILIATION, Reason::Error, &message);
        self.look_again(back_off(failure.attempts));
        true
    }

    /// A recorded spec that cannot be read must not count as "nothing was ever deployed".
    pub(super) fn record_is_unreadable(&mut self) -> bool {
        if self.status.last_reconciled_spec().is_none() || self.last.is_some() {
            return false;
        }
        self.fail_once(
            class::RECONCILIATION,
            Reason::Error,
            "status.reconciliationStatus.lastReconciledSpec cannot be read, so what runs is unknown and nothing is \
             changed. Remedy: put back the status that was there, or delete the resource and create it again with \
             spec.job.initialSavepointPath.",
        );
        true
    }
}
