//! How failures are put into `status.error`, Events and back-off.

use std::time::Duration;

use api::error::ErrorReport;
use api::{Retry, RetryKind};

use super::pass::{Pass, last_reconciled_spec};
use super::resource::{JobResource, JobResourceStatus};
use crate::event::{EventRecord, Reason};

/// A job that ran for this long before it failed has recovered from its earlier failures: they are not counted any more.
pub(crate) const RECOVERED: Duration = Duration::from_mins(10);

/// Java classes that tools look for in `status.error`.
pub(crate) mod class {
    pub(crate) use api::error::types::{
        DEPLOYMENT_FAILED as DEPLOYMENT, MISSING_JOB_MANAGER as MISSING, RECONCILIATION,
        SERIALIZED_THROWABLE as JOB, UPGRADE_FAILURE as UPGRADE, VALIDATION,
    };
}

/// Reason of a condition: something that was to be done has failed, and is tried again.
const EFFECT_FAILED: &str = "EffectFailed";

impl<R: JobResource> Pass<'_, R> {
    /// Puts an error into the status, in the JSON form of the Java operator.
    pub(crate) fn set_error(&mut self, class: &str, message: &str) {
        self.set_error_report(&ErrorReport::new(class, message));
    }

    pub(crate) fn set_error_report(&mut self, report: &ErrorReport) {
        *self.status.error_mut() = Some(report.to_text(self.settings.error_limits));
    }

    /// An error of the deployment itself: status and a Warning Event of component JobManagerDeployment.
    pub(crate) fn fail(&mut self, class: &str, reason: Reason, message: &str) {
        self.set_error(class, message);
        self.event(EventRecord::warning(reason, R::COMPONENT, message));
    }

    /// The same as [`Pass::fail`], with an Event only when the error is news.
    pub(crate) fn fail_once(&mut self, class: &str, reason: Reason, message: &str) {
        self.set_error(class, message);
        self.explain(EventRecord::warning(reason, R::COMPONENT, message));
    }

    /// An Event that explains the error of the status. It is told when the error is recorded, and not again as long as
    /// the status says the same.
    pub(crate) fn explain(&mut self, event: EventRecord) {
        let error = self.status.error().unwrap_or_default().to_owned();
        self.explained.push((self.effects.len(), error));
        self.event(event);
    }

    /// Several parts of a pass may find errors; the status has room for the last one. Events of errors that the status
    /// had before, or that make no difference to it, are left out.
    pub(crate) fn leave_out_what_was_told(&mut self) {
        let stored = self.resource.status().and_then(|status| status.error());
        let unchanged = self.status.error() == stored;
        for (place, error) in self.explained.drain(..).rev() {
            if unchanged || Some(error.as_str()) == stored {
                self.effects.remove(place);
            }
        }
    }

    /// Records the failure of an effect and waits before the next try. Returns whether there was one.
    pub(crate) fn record_effect_failure(&mut self) -> bool {
        let Some(failure) = &self.observed.failure else { return false };
        let message = format!("{}: {}", failure.action, failure.message);
        self.fail_once(class::RECONCILIATION, Reason::Error, &message);
        self.hold(EFFECT_FAILED, format!("{message}. It is tried again, less and less often."));
        self.look_again(back_off(failure.attempts));
        true
    }

    /// What could not be done is done by now, or not needed any more. Why the job has failed stays.
    pub(crate) fn forget_failed_effect(&mut self) {
        let known = self.status.conditions().unwrap_or_default();
        let of_effect = known.iter().any(|condition| condition.reason.as_deref() == Some(EFFECT_FAILED));
        if of_effect && self.observed.failure.is_none() {
            *self.status.error_mut() = None;
        }
    }

    /// A recorded spec that cannot be read must not count as "nothing was ever deployed".
    pub(crate) fn record_is_unreadable(&mut self) -> bool {
        if last_reconciled_spec::<R>(&self.status).is_none() || self.last.is_some() {
            return false;
        }
        let message = "status.reconciliationStatus.lastReconciledSpec cannot be read, so what runs is unknown and \
                       nothing is changed. Remedy: put back the status that was there, or delete the resource and \
                       create it again with spec.job.initialSavepointPath.";
        self.fail_once(class::RECONCILIATION, Reason::Error, message);
        self.hold("StatusUnreadable", message);
        true
    }

    // ---- tries that are repeated ---------------------------------------------------------------------------------

    /// How often `kind` has failed in a row for this generation.
    pub(crate) fn failures_of(&self, kind: RetryKind) -> u32 {
        let retry = self.status.retry();
        let same =
            retry.filter(|retry| retry.kind == Some(kind) && retry.generation == Some(self.generation));
        same.and_then(|retry| u32::try_from(retry.count?).ok()).unwrap_or(0)
    }

    /// How long to wait before `kind` is tried again; `None` when it may be tried now.
    pub(crate) fn wait_before(&self, kind: RetryKind) -> Option<Duration> {
        let failures = self.failures_of(kind);
        if failures == 0 {
            return None;
        }
        let failed = self.status.retry().and_then(|retry| retry.timestamp).unwrap_or_default();
        let waited = self.now().as_millisecond().saturating_sub(failed);
        let waited = Duration::from_millis(u64::try_from(waited).unwrap_or(0));
        back_off(failures).checked_sub(waited).filter(|left| !left.is_zero())
    }

    /// Records one more failure of `kind`.
    pub(crate) fn count_failure(&mut self, kind: RetryKind) {
        let count = i32::try_from(self.failures_of(kind)).unwrap_or(i32::MAX).saturating_add(1);
        *self.status.retry_mut() = Some(Retry {
            kind: Some(kind),
            count: Some(count),
            timestamp: Some(self.now().as_millisecond()),
            generation: Some(self.generation),
        });
    }

    /// `kind` has worked.
    pub(crate) fn forget_failures(&mut self, kind: RetryKind) {
        self.status.retry_mut().take_if(|retry| retry.kind == Some(kind));
    }
}

/// How long to wait before a try number `attempts` (from 1): 5 s, growing by half each time, at most 5 min. It never
/// gives up (the Java operator leaves a resource alone for ten hours after 15 tries).
#[must_use]
pub fn back_off(attempts: u32) -> Duration {
    const FIRST_MILLIS: u64 = 5_000;
    const CAP_MILLIS: u64 = 300_000;
    let mut millis = FIRST_MILLIS;
    for _ in 1..attempts {
        millis = millis.saturating_mul(3) / 2;
        if millis >= CAP_MILLIS {
            return Duration::from_millis(CAP_MILLIS);
        }
    }
    Duration::from_millis(millis)
}
