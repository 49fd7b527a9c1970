//! Canaries: resources without a cluster that show whether changes reach the operator.
//!
//! Each one's `spec.restartNonce` is changed again and again, and each change has to come round as a new generation within
//! `kubernetes.operator.health.canary.resource.timeout`. Source: `CanaryResourceManager` of the Java operator.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::FlinkDeployment;
use engine::course::{Pass, Round};
use engine::ports::{ApiError, Kind, ObjectKey};
use flink_conf::OperatorSettings;
use serde_json::json;

use crate::reconciler::DeploymentReconciler;

/// One canary. Times are those of the monotonic clock.
#[derive(Clone, Debug)]
struct Canary {
    uid: String,
    /// Generation before the newest change.
    before: i64,
    /// Newest generation that came round.
    seen: i64,
    /// When the change must have come round, and the next one is made.
    due: Duration,
    timeout: Duration,
}

impl Canary {
    fn is_late(&self, now: Duration) -> bool {
        let lost = now >= self.due && self.seen <= self.before;
        // Nobody has looked at it since: then nothing is reconciled at all.
        lost || now >= self.due.saturating_add(self.timeout)
    }
}

/// All canaries.
#[derive(Debug, Default)]
pub(crate) struct Canaries(Mutex<HashMap<ObjectKey, Canary>>);

impl Canaries {
    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectKey, Canary>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A canary was looked at. Returns how long to wait before it is changed; `None`: it is time.
    fn see(&self, key: &ObjectKey, uid: &str, generation: i64, now: Duration) -> Option<Duration> {
        let mut all = self.lock();
        let canary = all.get_mut(key).filter(|canary| canary.uid == uid)?;
        canary.seen = canary.seen.max(generation);
        if now >= canary.due && canary.seen > canary.before {
            tracing::info!(resource = %key, generation, "the change of the canary came round");
        }
        canary.due.checked_sub(now).filter(|left| !left.is_zero())
    }

    /// A canary of that generation was changed.
    fn changed(&self, key: &ObjectKey, uid: &str, before: i64, now: Duration, timeout: Duration) {
        let due = now.saturating_add(timeout);
        self.lock().insert(key.clone(), Canary { uid: uid.to_owned(), before, seen: before, due, timeout });
    }

    pub(crate) fn forget(&self, key: &ObjectKey) {
        self.lock().remove(key);
    }

    /// The canaries whose last change did not come round in time.
    fn late(&self, now: Duration) -> Option<String> {
        let all = self.lock();
        let mut late: Vec<String> =
            all.iter().filter(|(_, canary)| canary.is_late(now)).map(|(key, _)| key.to_string()).collect();
        late.sort();
        (!late.is_empty()).then(|| format!("changes of canaries do not come round: {}", late.join(", ")))
    }
}

impl DeploymentReconciler {
    /// Why a restart of the process may help: changes of canaries do not reach it.
    #[must_use]
    pub fn unhealthy(&self) -> Option<String> {
        self.canaries.late(self.engine.clock.monotonic())
    }

    pub(crate) async fn canary(
        &self,
        key: &ObjectKey,
        resource: &FlinkDeployment,
    ) -> Result<Round, ApiError> {
        let uid = resource.metadata.uid.as_deref().unwrap_or_default();
        let generation = resource.metadata.generation.unwrap_or_default();
        let now = self.engine.clock.monotonic();
        if let Some(left) = self.canaries.see(key, uid, generation, now) {
            return Ok(Round::Done(Pass::Again(Some(left))));
        }
        let nonce = resource.spec.restart_nonce.unwrap_or_default().wrapping_add(1);
        let part = json!({
            "metadata": {"uid": uid, "resourceVersion": resource.metadata.resource_version},
            "spec": {"restartNonce": nonce},
        });
        self.engine.api.patch(Kind::FLINK_DEPLOYMENT, key, &part).await?;
        let timeout = OperatorSettings::of_operator(&self.engine.defaults.current()).canary_timeout;
        self.canaries.changed(key, uid, generation, now, timeout);
        Ok(Round::Done(Pass::Again(Some(timeout))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn second(second: u64) -> Duration {
        Duration::from_secs(second)
    }

    /// A canary of generation 4, changed in second 100.
    fn changed() -> (Canaries, ObjectKey) {
        let (canaries, key) = (Canaries::default(), ObjectKey::new("ns", "canary"));
        assert_eq!(canaries.see(&key, "u", 4, second(100)), None, "a new one is changed at once");
        canaries.changed(&key, "u", 4, second(100), MINUTE);
        (canaries, key)
    }

    #[test]
    fn a_change_that_comes_round_is_good_for_another_one() {
        let (canaries, key) = changed();
        assert_eq!(canaries.see(&key, "u", 5, second(101)), Some(second(59)));
        assert_eq!(canaries.late(second(160)), None);
        assert_eq!(canaries.see(&key, "u", 5, second(160)), None);
    }

    #[test]
    fn a_change_that_is_lost_is_told_until_one_comes_round() {
        let (canaries, key) = changed();
        assert_eq!(canaries.see(&key, "u", 4, second(130)), Some(second(30)));
        assert_eq!(canaries.late(second(159)), None);
        let late = canaries.late(second(160)).unwrap();
        assert!(late.contains("ns/canary"), "{late}");
        canaries.changed(&key, "u", 4, second(160), MINUTE);
        canaries.see(&key, "u", 5, second(161));
        assert_eq!(canaries.late(second(220)), None);
    }

    #[test]
    fn a_canary_that_nobody_looks_at_any_more_is_told() {
        let (canaries, key) = changed();
        canaries.see(&key, "u", 5, second(101));
        assert_eq!(canaries.late(second(219)), None);
        assert!(canaries.late(second(220)).is_some());
        canaries.forget(&key);
        assert_eq!(canaries.late(second(220)), None);
    }

    #[test]
    fn another_canary_of_that_name_begins_anew() {
        let (canaries, key) = changed();
        assert_eq!(canaries.see(&key, "other", 1, second(101)), None);
    }
}
