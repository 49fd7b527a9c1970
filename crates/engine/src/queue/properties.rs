//! What holds for every history of a queue.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Outcome, Queue, QueueConfig};

#[derive(Clone, Debug)]
enum Step {
    /// A wake-up of a key, so many milliseconds from now.
    Wake(u8, u64),
    /// Time passes.
    Pass(u64),
    /// Whatever is due begins.
    Take,
    /// The n-th running key ends.
    Finish(usize, Outcome),
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        (0u64..30_000).prop_map(|millis| Outcome::After(Duration::from_millis(millis))),
        Just(Outcome::OnChange),
        Just(Outcome::Failed),
        Just(Outcome::Gone),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0u8..4, 0u64..2_000).prop_map(|(key, delay)| Step::Wake(key, delay)),
        (0u64..20_000).prop_map(Step::Pass),
        Just(Step::Take),
        (0usize..4, outcome()).prop_map(|(index, outcome)| Step::Finish(index, outcome)),
    ]
}

/// A queue, and what has been promised to each key.
struct Model {
    queue: Queue<u8>,
    config: QueueConfig,
    now: Duration,
    running: Vec<u8>,
    /// The latest moment at which a key must become due because somebody asked for it.
    promised: HashMap<u8, Duration>,
    starts: HashMap<u8, Vec<Duration>>,
}

impl Model {
    fn new() -> Self {
        let config =
            QueueConfig { rate_limit: 3, rate_period: Duration::from_secs(10), ..QueueConfig::default() };
        Self {
            queue: Queue::new(config.clone()),
            config,
            now: Duration::ZERO,
            running: Vec::new(),
            promised: HashMap::new(),
            starts: HashMap::new(),
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Wake(key, delay) => {
                let at = self.now + Duration::from_millis(*delay);
                self.queue.wake(key, at);
                let promise = self.promised.entry(*key).or_insert(at);
                *promise = at.min(*promise);
            }
            Step::Pass(millis) => self.now += Duration::from_millis(*millis),
            Step::Take => {
                while let Some(key) = self.queue.take(self.now) {
                    assert!(!self.running.contains(&key), "{key} runs twice at once");
                    self.running.push(key);
                    self.promised.remove(&key);
                    self.starts.entry(key).or_default().push(self.now);
                }
            }
            Step::Finish(index, outcome) => {
                if *index < self.running.len() {
                    let key = self.running.remove(*index);
                    self.queue.finish(&key, *outcome, self.now);
                }
            }
        }
        self.check();
    }

    fn check(&self) {
        assert_eq!(self.queue.running(), self.running.len());
        let running: HashSet<_> = self.running.iter().collect();
        assert_eq!(running.len(), self.running.len());
        for (key, starts) in &self.starts {
            for window in starts.windows(self.config.rate_limit + 1) {
                let first = window.first().copied().unwrap_or_default();
                let last = window.last().copied().unwrap_or_default();
                assert!(last.saturating_sub(first) >= self.config.rate_period, "{key} beyond its rate limit");
            }
        }
    }

    /// Ends all runs and waits: every promise must be kept.
    fn drain(&mut self) {
        while !self.running.is_empty() {
            self.step(&Step::Finish(0, Outcome::OnChange));
        }
        // A promise is late at most by the rate limit.
        let last = self.promised.values().max().copied().unwrap_or_default();
        self.now = self.now.max(last);
        for _ in 0..2 {
            self.step(&Step::Take);
            while !self.running.is_empty() {
                self.step(&Step::Finish(0, Outcome::OnChange));
            }
            self.now += self.config.rate_period;
        }
        assert!(self.promised.is_empty(), "lost wake-ups: {:?}", self.promised);
    }
}

proptest! {
    #[test]
    fn no_wake_up_is_lost_and_no_key_runs_twice_at_once(steps in vec(step(), 0..120)) {
        let mut model = Model::new();
        for step in &steps {
            model.step(step);
        }
        model.drain();
    }

    #[test]
    fn back_off_grows_and_is_capped(failures in 1u32..500, initial in 1u64..100_000, multiplier in 0.0f64..5.0) {
        let config = QueueConfig {
            retry_initial: Duration::from_millis(initial),
            retry_multiplier: multiplier,
            ..QueueConfig::default()
        };
        let wait = config.back_off(failures);
        prop_assert!(wait <= config.retry_max);
        prop_assert!(wait >= config.retry_initial.min(config.retry_max));
        prop_assert!(config.back_off(failures + 1) >= wait);
    }
}
