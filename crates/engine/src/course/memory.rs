//! What a reconciler remembers of each resource between passes. Losing it, as a restart does, costs a repeated call
//! and nothing else.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use lifecycle::Begun;
use lifecycle::deployment::back_off;
use lifecycle::observed::EffectFailure;

use crate::ports::ObjectKey;

/// Memory of one resource.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// uid of the resource: one of the same name that was created later starts with nothing.
    uid: String,
    /// The attempt whose objects were all created.
    pub created_attempt: Option<String>,
    /// The job whose submission Flink has confirmed.
    pub submitted_job: Option<String>,
    /// The last operation that Flink has begun.
    pub begun: Option<Begun>,
    /// Time of the newest job exception that was told.
    pub exceptions_reported: Option<i64>,
    /// Savepoints that were not disposed of, the resources that need them, and when that was read.
    needed: BTreeMap<String, (String, Timestamp)>,
    failure: Option<Failure>,
}

/// How long it counts that something needs a savepoint without the caches knowing of it. Then it is read again.
const NEEDED_FOR: SignedDuration = SignedDuration::from_mins(10);

#[derive(Clone, Debug)]
struct Failure {
    effect: EffectFailure,
    /// A changed spec is tried at once.
    generation: i64,
    retry_at: Timestamp,
    /// Whether the next try is under way.
    trying: bool,
}

impl Memory {
    /// The failure to report, as long as its back-off lasts and the spec is the same.
    #[must_use]
    pub fn failure(&self, generation: i64, now: Timestamp) -> Option<EffectFailure> {
        let failure = self.failure.as_ref()?;
        let waits = !failure.trying && failure.generation == generation && now < failure.retry_at;
        waits.then(|| failure.effect.clone())
    }

    /// A savepoint is needed by that resource.
    pub fn is_needed(&mut self, path: String, by: String, now: Timestamp) {
        self.needed.retain(|_, (_, at)| now.duration_since(*at) < NEEDED_FOR);
        self.needed.insert(path, (by, now));
    }

    /// What needs a savepoint, as was read a while ago.
    #[must_use]
    pub fn needed_by(&self, path: &str, now: Timestamp) -> Option<&str> {
        let (by, at) = self.needed.get(path)?;
        (now.duration_since(*at) < NEEDED_FOR).then_some(by)
    }

    /// The savepoints that something needs, as was read a while ago.
    pub fn needed_savepoints(&self, now: Timestamp) -> impl Iterator<Item = String> {
        let still =
            move |(_, (_, at)): &(&String, &(String, Timestamp))| now.duration_since(*at) < NEEDED_FOR;
        self.needed.iter().filter(still).map(|(path, _)| path.clone())
    }

    /// How long the back-off still lasts.
    #[must_use]
    pub fn back_off_left(&self, generation: i64, now: Timestamp) -> Option<std::time::Duration> {
        self.failure(generation, now)?;
        self.failure.as_ref().map(|failure| failure.retry_at.duration_since(now).unsigned_abs())
    }

    /// The effects were tried, and one has failed.
    pub fn failed(&mut self, failure: crate::executor::Failure, generation: i64, now: Timestamp) {
        let before = self.failure.take().filter(|before| before.generation == generation);
        let attempts = before.map_or(0, |before| before.effect.attempts).saturating_add(1);
        let wait = SignedDuration::try_from(back_off(attempts)).unwrap_or(SignedDuration::ZERO);
        let retry_at = now.checked_add(wait).unwrap_or(now);
        let crate::executor::Failure { action, message, look_again: _, needs_user, operation } = failure;
        let effect = EffectFailure { action, message, attempts, needs_user, operation };
        self.failure = Some(Failure { effect, generation, retry_at, trying: false });
    }

    /// Effects are about to be tried; a failure that was recorded before counts on if they fail again.
    pub fn tries(&mut self) {
        if let Some(failure) = &mut self.failure {
            failure.trying = true;
        }
    }

    /// The effects were tried, and none has failed.
    pub fn succeeded(&mut self) {
        self.failure = None;
    }
}

/// Memory of all resources.
#[derive(Debug, Default)]
pub(super) struct Memories(Mutex<HashMap<ObjectKey, Memory>>);

impl Memories {
    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectKey, Memory>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is remembered of the resource with that uid.
    pub(super) fn of(&self, key: &ObjectKey, uid: &str) -> Memory {
        let known = self.lock().get(key).filter(|memory| memory.uid == uid).cloned();
        known.unwrap_or_else(|| Memory { uid: uid.to_owned(), ..Memory::default() })
    }

    /// Remembers.
    pub(super) fn put(&self, key: &ObjectKey, memory: Memory) {
        self.lock().insert(key.clone(), memory);
    }

    /// The resource is gone.
    pub(super) fn forget(&self, key: &ObjectKey) {
        self.lock().remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> crate::executor::Failure {
        crate::executor::Failure {
            action: "create".to_owned(),
            message: "no".to_owned(),
            look_again: false,
            needs_user: true,
            operation: None,
        }
    }

    #[test]
    fn a_failure_is_reported_until_its_back_off_ends_or_the_spec_changes() {
        let start = Timestamp::from_second(1000).unwrap();
        let later = |seconds| start.checked_add(SignedDuration::from_secs(seconds)).unwrap();
        let mut memory = Memory::default();
        memory.failed(refused(), 1, start);
        assert_eq!(memory.failure(1, later(4)).map(|failure| failure.attempts), Some(1));
        assert_eq!(memory.failure(2, later(4)), None);
        assert_eq!(memory.failure(1, later(5)), None);
        memory.tries();
        assert_eq!(memory.failure(1, later(4)), None);
        memory.failed(refused(), 1, later(5));
        assert_eq!(memory.failure(1, later(6)).map(|failure| failure.attempts), Some(2));
        memory.succeeded();
        assert_eq!(memory.failure(1, later(6)), None);
    }

    #[test]
    fn what_is_needed_is_read_again_after_ten_minutes() {
        let start = Timestamp::from_second(1000).unwrap();
        let later = |seconds| start.checked_add(SignedDuration::from_secs(seconds)).unwrap();
        let mut memory = Memory::default();
        memory.is_needed("a".to_owned(), "one".to_owned(), start);
        memory.is_needed("b".to_owned(), "two".to_owned(), later(300));
        for (seconds, expected) in [(599, vec!["a", "b"]), (600, vec!["b"]), (900, vec![])] {
            assert_eq!(memory.needed_savepoints(later(seconds)).collect::<Vec<_>>(), expected, "{seconds}");
        }
        assert_eq!(memory.needed_by("a", later(599)), Some("one"));
        assert_eq!(memory.needed_by("a", later(600)), None);
        assert_eq!(memory.needed_by("c", start), None);
        memory.is_needed("c".to_owned(), "one".to_owned(), later(901));
        assert_eq!(memory.needed.len(), 1, "the others are forgotten");
    }

    #[test]
    fn a_resource_of_the_same_name_inherits_nothing() {
        let memories = Memories::default();
        let key = ObjectKey::new("ns", "app");
        let mut memory = memories.of(&key, "one");
        memory.created_attempt = Some("a".to_owned());
        memories.put(&key, memory);
        assert_eq!(memories.of(&key, "one").created_attempt.as_deref(), Some("a"));
        assert_eq!(memories.of(&key, "two").created_attempt, None);
    }
}
