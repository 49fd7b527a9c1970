//! A clock that only moves when it is told to.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::ports::Clock;
use jiff::{SignedDuration, Timestamp};

/// Time as the simulation makes it. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct VirtualClock {
    start: Timestamp,
    passed: Arc<Mutex<Duration>>,
}

impl VirtualClock {
    /// A clock that shows `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self { start, passed: Arc::default() }
    }

    fn passed(&self) -> MutexGuard<'_, Duration> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets time pass.
    pub fn pass(&self, time: Duration) {
        let mut passed = self.passed();
        *passed = passed.saturating_add(time);
    }

    /// Moves to a moment of [`Clock::monotonic`]. One that is past changes nothing.
    pub fn move_to(&self, moment: Duration) {
        let mut passed = self.passed();
        *passed = (*passed).max(moment);
    }

    /// The moment of [`Clock::monotonic`] at which the clock shows `time`, rounded up to whole milliseconds.
    #[must_use]
    pub fn moment_of(&self, time: Timestamp) -> Duration {
        let nanos = time.duration_since(self.start).as_nanos().max(0);
        let millis = u64::try_from(nanos.unsigned_abs().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        Duration::from_millis(millis)
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(*self.passed()).unwrap_or(SignedDuration::MAX);
        self.start.saturating_add(passed).unwrap_or(Timestamp::MAX)
    }

    fn monotonic(&self) -> Duration {
        *self.passed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_forward_only_and_rounds_up() {
        let start = Timestamp::from_second(1_000).unwrap();
        let clock = VirtualClock::new(start);
        clock.pass(Duration::from_secs(5));
        clock.move_to(Duration::from_secs(3));
        assert_eq!(clock.monotonic(), Duration::from_secs(5));
        assert_eq!(clock.now(), Timestamp::from_second(1_005).unwrap());
        let nanosecond = SignedDuration::from_nanos(1);
        assert_eq!(clock.moment_of(start.checked_add(nanosecond).unwrap()), Duration::from_millis(1));
    }
}
