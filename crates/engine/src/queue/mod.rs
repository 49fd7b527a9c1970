//! Which resource is reconciled when: a plain data structure without threads, timers or a clock of its own.
//!
//! The rules are those that the Java operator's framework keeps (`EventProcessor`, `GenericRetryExecution` and
//! `LinearRateLimiter` of JOSDK), except that retries never end:
//!
//! 1. One run at a time for each key; different keys are independent.
//! 2. A wake-up during a run leads to another run right after it; what the run asked for is then dropped.
//! 3. A run that ends well replaces every timer of its key.
//! 4. A run that fails is repeated after a back-off that grows up to a cap, for ever. A wake-up in the meantime runs at
//!    once; if that fails as well, the rest of the back-off is waited for and does not count as another try.
//! 5. No key runs more often than the rate limit allows.
//!
//! Times are durations since some moment in the past, as [`crate::ports::Clock::monotonic`] gives them.

#[cfg(test)]
mod properties;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

/// Settings of a [`Queue`].
#[derive(Clone, Debug, PartialEq)]
pub struct QueueConfig {
    /// First wait after a failure (`kubernetes.operator.retry.initial.interval`). Default: 5 s.
    pub retry_initial: Duration,
    /// Growth of the wait (`kubernetes.operator.retry.interval.multiplier`). Default: 1.5.
    pub retry_multiplier: f64,
    /// Longest wait after a failure (`kubernetes.operator.retry.max.interval`). Default: 5 min.
    pub retry_max: Duration,
    /// Most runs of a key in [`QueueConfig::rate_period`] (`kubernetes.operator.rate-limiter.limit`); 0 switches the
    /// limit off. Default: 60, which only stops a loop (the Java operator: 5).
    pub rate_limit: usize,
    /// Window of the rate limit (`kubernetes.operator.rate-limiter.refresh-period`). Default: 15 s.
    pub rate_period: Duration,
    /// When a key runs again that asked for nothing. Default: 10 h, as JOSDK's.
    pub resync: Duration,
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self {
            retry_initial: Duration::from_secs(5),
            retry_multiplier: 1.5,
            retry_max: Duration::from_mins(5),
            rate_limit: 60,
            rate_period: Duration::from_secs(15),
            resync: Duration::from_hours(10),
        }
    }
}

impl QueueConfig {
    /// The wait after so many failures in a row (from 1).
    #[must_use]
    pub fn back_off(&self, failures: u32) -> Duration {
        let mut wait = self.retry_initial.min(self.retry_max);
        for _ in 1..failures {
            if wait >= self.retry_max {
                break;
            }
            let longer = wait.as_secs_f64() * self.retry_multiplier.max(1.0);
            wait = Duration::try_from_secs_f64(longer).unwrap_or(self.retry_max).min(self.retry_max);
            if self.retry_multiplier <= 1.0 {
                break;
            }
        }
        wait
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Well; run again after this time.
    After(Duration),
    /// Well; nothing more to do until something changes.
    OnChange,
    /// Badly; run again after a back-off.
    Failed,
    /// The thing is gone: forget all about it.
    Gone,
}

impl QueueConfig {
    /// When a key that has just failed runs again. A failure during the back-off of an earlier one does not count.
    fn retry_at(&self, item: &mut Item, now: Duration) -> Duration {
        if let Some(retry_at) = item.retry_at.filter(|retry_at| *retry_at > now) {
            return retry_at;
        }
        item.failures = item.failures.saturating_add(1);
        let retry_at = now.saturating_add(self.back_off(item.failures));
        item.retry_at = Some(retry_at);
        retry_at
    }
}

#[derive(Debug, Default)]
struct Item {
    /// Its place in the timeline.
    due: Option<(Duration, u64)>,
    running: bool,
    /// The earliest wake-up that came during the run.
    again: Option<Duration>,
    failures: u32,
    /// When the back-off of the last counted failure ends.
    retry_at: Option<Duration>,
    /// Starts within the last rate period, oldest first.
    starts: VecDeque<Duration>,
}

/// The schedule of all keys.
#[derive(Debug)]
pub struct Queue<K> {
    config: QueueConfig,
    items: HashMap<K, Item>,
    timeline: BTreeMap<(Duration, u64), K>,
    sequence: u64,
    running: usize,
}

impl<K: Clone + Eq + Hash> Queue<K> {
    /// An empty queue.
    #[must_use]
    pub fn new(config: QueueConfig) -> Self {
        Self { config, items: HashMap::new(), timeline: BTreeMap::new(), sequence: 0, running: 0 }
    }

    /// Asks for a run of `key` at `at` or earlier.
    pub fn wake(&mut self, key: &K, at: Duration) {
        let item = self.items.entry(key.clone()).or_default();
        if item.running {
            item.again = Some(item.again.map_or(at, |earlier| earlier.min(at)));
        } else if item.due.is_none_or(|(due, _)| at < due) {
            self.schedule(key, at);
        }
    }

    /// The next key to run, if one is due at `now`: the one that has been due for longest. It counts as running until
    /// [`Queue::finish`].
    pub fn take(&mut self, now: Duration) -> Option<K> {
        loop {
            let (&(due, _), key) = self.timeline.first_key_value()?;
            if due > now {
                return None;
            }
            let key = key.clone();
            self.unschedule(&key);
            if let Some(later) = self.allowed_at(&key, now) {
                self.schedule(&key, later);
                continue;
            }
            let limited = self.config.rate_limit > 0;
            let item = self.items.entry(key.clone()).or_default();
            item.running = true;
            if limited {
                item.starts.push_back(now);
            }
            self.running += 1;
            return Some(key);
        }
    }

    /// Says how the run of `key` ended. Does nothing if it does not run.
    pub fn finish(&mut self, key: &K, outcome: Outcome, now: Duration) {
        let Some(item) = self.items.get_mut(key).filter(|item| item.running) else { return };
        item.running = false;
        self.running -= 1;
        let again = item.again.take();
        let next = match outcome {
            Outcome::Gone => None,
            Outcome::After(delay) => Some(now.saturating_add(delay)),
            Outcome::OnChange => Some(now.saturating_add(self.config.resync)),
            Outcome::Failed => Some(self.config.retry_at(item, now)),
        };
        if outcome != Outcome::Failed {
            item.failures = 0;
            item.retry_at = None;
        }
        match (again, next) {
            (Some(again), Some(next)) => self.schedule(key, again.max(now).min(next.max(now))),
            (Some(at), None) | (None, Some(at)) => self.schedule(key, at.max(now)),
            (None, None) => {
                self.items.remove(key);
            }
        }
    }

    /// When the next key becomes due.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        self.timeline.first_key_value().map(|((due, _), _)| *due)
    }

    /// Whether `key` runs at the moment.
    #[must_use]
    pub fn is_running(&self, key: &K) -> bool {
        self.items.get(key).is_some_and(|item| item.running)
    }

    /// Failures of `key` in a row.
    #[must_use]
    pub fn failures(&self, key: &K) -> u32 {
        self.items.get(key).map_or(0, |item| item.failures)
    }

    /// Number of keys that run.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running
    }

    /// Number of keys that could run at `now`: what waits for a worker.
    #[must_use]
    pub fn due(&self, now: Duration) -> usize {
        self.timeline.range(..=(now, u64::MAX)).count()
    }

    /// Number of keys that wait for their time, due ones included.
    #[must_use]
    pub fn scheduled(&self) -> usize {
        self.timeline.len()
    }

    fn schedule(&mut self, key: &K, at: Duration) {
        self.unschedule(key);
        self.sequence += 1;
        let place = (at, self.sequence);
        self.timeline.insert(place, key.clone());
        self.items.entry(key.clone()).or_default().due = Some(place);
    }

    fn unschedule(&mut self, key: &K) {
        if let Some(place) = self.items.get_mut(key).and_then(|item| item.due.take()) {
            self.timeline.remove(&place);
        }
    }

    /// `None` if the rate limit lets `key` run now, otherwise when it will.
    fn allowed_at(&mut self, key: &K, now: Duration) -> Option<Duration> {
        let QueueConfig { rate_limit, rate_period, .. } = self.config;
        if rate_limit == 0 {
            return None;
        }
        let starts = &mut self.items.get_mut(key)?.starts;
        while starts.front().is_some_and(|start| start.saturating_add(rate_period) <= now) {
            starts.pop_front();
        }
        if starts.len() < rate_limit {
            None
        } else {
            starts.front().map(|start| start.saturating_add(rate_period))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn queue() -> Queue<&'static str> {
        Queue::new(QueueConfig::default())
    }

    #[test]
    fn what_was_due_first_runs_first() {
        let mut queue = queue();
        queue.wake(&"b", at(2));
        queue.wake(&"a", at(1));
        queue.wake(&"c", at(2));
        assert_eq!(queue.next_due(), Some(at(1)));
        assert_eq!(queue.take(at(0)), None);
        let order: Vec<_> = std::iter::from_fn(|| queue.take(at(2))).collect();
        assert_eq!(order, ["a", "b", "c"]);
        assert_eq!(queue.running(), 3);
        assert_eq!(queue.next_due(), None);
    }

    #[test]
    fn an_earlier_wake_up_wins_over_a_later_one() {
        let mut queue = queue();
        queue.wake(&"a", at(10));
        queue.wake(&"a", at(5));
        queue.wake(&"a", at(20));
        assert_eq!(queue.next_due(), Some(at(5)));
        assert_eq!(queue.scheduled(), 1);
    }

    #[test]
    fn a_key_does_not_run_twice_at_once() {
        let mut queue = queue();
        queue.wake(&"a", at(0));
        assert_eq!(queue.take(at(0)), Some("a"));
        queue.wake(&"a", at(0));
        assert!(queue.is_running(&"a"));
        assert_eq!(queue.take(at(1)), None);
        queue.finish(&"a", Outcome::After(60 * SECOND), at(1));
        assert_eq!(queue.take(at(1)), Some("a"), "the wake-up during the run leads to a run right after it");
    }

    #[test]
    fn a_run_replaces_the_timer_of_its_key() {
        let mut queue = queue();
        queue.wake(&"a", at(0));
        queue.take(at(0));
        queue.finish(&"a", Outcome::After(60 * SECOND), at(0));
        queue.wake(&"a", at(3));
        queue.take(at(3));
        queue.finish(&"a", Outcome::After(15 * SECOND), at(3));
        assert_eq!((queue.next_due(), queue.scheduled()), (Some(at(18)), 1));
        queue.wake(&"a", at(4));
        queue.take(at(4));
        queue.finish(&"a", Outcome::OnChange, at(4));
        assert_eq!(queue.next_due(), Some(at(4 + 36_000)));
    }

    #[test]
    fn failures_back_off_up_to_the_cap_and_never_end() {
        let mut queue = queue();
        queue.wake(&"a", at(0));
        let mut now = at(0);
        let mut waits = Vec::new();
        for _ in 0..200 {
            assert_eq!(queue.take(now), Some("a"));
            queue.finish(&"a", Outcome::Failed, now);
            let due = queue.next_due().unwrap();
            waits.push(due.saturating_sub(now));
            now = due;
        }
        assert_eq!(waits[..3], [at(5), Duration::from_millis(7500), Duration::from_millis(11250)]);
        assert_eq!(waits[199], at(300));
        assert_eq!(queue.failures(&"a"), 200);
        queue.take(now);
        queue.finish(&"a", Outcome::OnChange, now);
        assert_eq!(queue.failures(&"a"), 0);
    }

    #[test]
    fn a_failure_caused_by_an_event_does_not_shorten_or_lengthen_the_back_off() {
        let mut queue = queue();
        queue.wake(&"a", at(0));
        queue.take(at(0));
        queue.finish(&"a", Outcome::Failed, at(0));
        queue.wake(&"a", at(1));
        assert_eq!(queue.take(at(1)), Some("a"), "an event does not wait for the back-off");
        queue.finish(&"a", Outcome::Failed, at(2));
        assert_eq!((queue.next_due(), queue.failures(&"a")), (Some(at(5)), 1));
    }

    #[test]
    fn a_key_that_is_always_woken_is_held_to_the_rate_limit() {
        let config = QueueConfig { rate_limit: 5, ..QueueConfig::default() };
        let mut queue = Queue::new(config);
        for second in 0..5 {
            queue.wake(&"a", at(second));
            assert_eq!(queue.take(at(second)), Some("a"));
            queue.finish(&"a", Outcome::After(Duration::ZERO), at(second));
        }
        queue.wake(&"b", at(5));
        assert_eq!(queue.take(at(5)), Some("b"), "other keys go on");
        queue.finish(&"b", Outcome::Gone, at(5));
        assert_eq!(queue.take(at(5)), None);
        assert_eq!(queue.next_due(), Some(at(15)), "the oldest of five runs began at 0");
        assert_eq!(queue.take(at(15)), Some("a"));
    }

    #[test]
    fn what_is_gone_is_forgotten_unless_it_came_back_meanwhile() {
        let mut queue = queue();
        queue.wake(&"a", at(0));
        queue.take(at(0));
        queue.finish(&"a", Outcome::Gone, at(0));
        assert_eq!((queue.scheduled(), queue.items.len()), (0, 0));
        queue.wake(&"a", at(1));
        queue.take(at(1));
        queue.wake(&"a", at(1));
        queue.finish(&"a", Outcome::Gone, at(1));
        assert_eq!(queue.take(at(1)), Some("a"));
    }

    #[test]
    fn finishing_what_does_not_run_changes_nothing() {
        let mut queue = queue();
        queue.wake(&"a", at(3));
        queue.finish(&"a", Outcome::Gone, at(1));
        queue.finish(&"b", Outcome::Failed, at(1));
        assert_eq!((queue.next_due(), queue.running(), queue.scheduled()), (Some(at(3)), 0, 1));
    }
}
