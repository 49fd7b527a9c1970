//! Which Flink cluster is asked when. Plain data, like [`crate::queue::Queue`].

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use lifecycle::PollPlan;

use crate::caches::ResourceId;

/// Plans with at least this interval belong to settled clusters: their polls are spread over the interval, so that a
/// restart of the operator does not ask all of them at once.
const SETTLED: Duration = Duration::from_secs(5);

/// First and longest wait between two tries to ask a cluster that does not answer.
const FIRST_BACK_OFF: Duration = Duration::from_secs(1);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct Entry {
    plan: PollPlan,
    due: Option<(Duration, u64)>,
    running: bool,
    /// The plan asks something new since the poll began that runs now.
    again: bool,
    failures: u32,
    polls: u64,
}

/// The schedule of all polls.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    entries: HashMap<ResourceId, Entry>,
    timeline: BTreeMap<(Duration, u64), ResourceId>,
    sequence: u64,
    running: usize,
}

impl Schedule {
    /// Takes a new plan. What it asks that was not asked before is asked at once.
    pub(super) fn set(&mut self, key: &ResourceId, plan: PollPlan, now: Duration) {
        let Some(entry) = self.entries.get_mut(key) else {
            let wait = if plan.interval >= SETTLED {
                plan.interval.mul_f64(share(&plan, 0))
            } else {
                Duration::ZERO
            };
            let entry = Entry { plan, due: None, running: false, again: false, failures: 0, polls: 0 };
            self.entries.insert(key.clone(), entry);
            return self.plan(key, now.saturating_add(wait));
        };
        let news = entry.plan.cluster != plan.cluster
            || entry.plan.deployment_uid != plan.deployment_uid
            || entry.plan.job_id != plan.job_id
            || plan.questions.iter().any(|question| !entry.plan.questions.contains(question));
        let interval = plan.interval;
        entry.plan = plan;
        if news {
            entry.failures = 0;
        }
        if entry.running {
            entry.again |= news;
            return;
        }
        let latest = now.saturating_add(if news { Duration::ZERO } else { interval });
        if entry.due.is_none_or(|(due, _)| due > latest) {
            self.plan(key, latest);
        }
    }

    /// Forgets a cluster; the answer of a poll that runs is not wanted any more.
    pub(super) fn remove(&mut self, key: &ResourceId) {
        if let Some(entry) = self.entries.remove(key) {
            self.running -= usize::from(entry.running);
            if let Some(place) = entry.due {
                self.timeline.remove(&place);
            }
        }
    }

    /// The cluster that has been due for longest, if any is; its poll counts as running until [`Schedule::finish`].
    pub(super) fn take(&mut self, now: Duration) -> Option<(ResourceId, PollPlan)> {
        let (&(due, sequence), _) = self.timeline.first_key_value()?;
        if due > now {
            return None;
        }
        let key = self.timeline.remove(&(due, sequence))?;
        let entry = self.entries.get_mut(&key)?;
        entry.due = None;
        entry.running = true;
        entry.polls += 1;
        self.running += 1;
        Some((key, entry.plan.clone()))
    }

    /// Says how a poll ended.
    pub(super) fn finish(&mut self, key: &ResourceId, answered: bool, now: Duration) {
        let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.running) else { return };
        entry.running = false;
        self.running -= 1;
        let again = std::mem::take(&mut entry.again);
        entry.failures = if answered { 0 } else { entry.failures.saturating_add(1) };
        let wait = if again { Duration::ZERO } else { wait(entry) };
        self.plan(key, now.saturating_add(wait));
    }

    /// Has a cluster asked at `due` if it would be asked later.
    pub(super) fn at_the_latest(&mut self, key: &ResourceId, due: Duration) {
        let planned = self.entries.get(key).and_then(|entry| entry.due);
        if planned.is_some_and(|(planned, _)| planned > due) {
            self.plan(key, due);
        }
    }

    /// The current plan of a cluster.
    pub(super) fn current(&self, key: &ResourceId) -> Option<&PollPlan> {
        self.entries.get(key).map(|entry| &entry.plan)
    }

    pub(super) fn next_due(&self) -> Option<Duration> {
        self.timeline.first_key_value().map(|((due, _), _)| *due)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn running(&self) -> usize {
        self.running
    }

    fn plan(&mut self, key: &ResourceId, at: Duration) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        if let Some(place) = entry.due.take() {
            self.timeline.remove(&place);
        }
        self.sequence += 1;
        let place = (at, self.sequence);
        entry.due = Some(place);
        self.timeline.insert(place, key.clone());
    }
}

/// The interval, a tenth longer or shorter so that clusters do not keep in step. One that does not answer is asked again
/// soon, and then less and less often.
fn wait(entry: &Entry) -> Duration {
    let interval = entry.plan.interval;
    if entry.failures > 0 {
        let doublings = entry.failures.saturating_sub(1).min(8);
        return interval.min(FIRST_BACK_OFF).saturating_mul(1 << doublings).min(LONGEST_BACK_OFF);
    }
    interval.mul_f64(0.9 + 0.2 * share(&entry.plan, entry.polls))
}

/// A number from 0 to 1 that depends on the cluster and on the number of its poll only.
fn share(plan: &PollPlan, poll: u64) -> f64 {
    let mut hasher = DefaultHasher::new();
    (&plan.deployment_uid, &plan.job_id, poll).hash(&mut hasher);
    let thousandths = u32::try_from(hasher.finish() % 1000).unwrap_or_default();
    f64::from(thousandths) / 1000.0
}

#[cfg(test)]
mod tests {
    use lifecycle::{FlinkCluster, Question};

    use crate::ports::{Kind, ObjectKey};

    use super::*;

    fn plan(name: &str, interval: u64, questions: Vec<Question>) -> PollPlan {
        let cluster =
            FlinkCluster { namespace: "ns".to_owned(), name: name.to_owned(), rest_port: 8081, tls: false };
        PollPlan {
            cluster,
            deployment_uid: format!("uid-{name}"),
            interval: Duration::from_secs(interval),
            timeout: Duration::from_secs(10),
            patience: Duration::from_secs(15),
            statistics_lag: Duration::from_secs(3),
            job_id: None,
            questions,
        }
    }

    fn key(name: &str) -> ResourceId {
        ResourceId::new(Kind::FLINK_DEPLOYMENT, ObjectKey::new("ns", name))
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn names(schedule: &mut Schedule, now: Duration) -> Vec<String> {
        std::iter::from_fn(|| schedule.take(now)).map(|(id, _)| id.key.name).collect()
    }

    #[test]
    fn a_busy_cluster_is_asked_at_once_and_then_at_its_interval() {
        let mut schedule = Schedule::default();
        schedule.set(&key("a"), plan("a", 1, vec![]), at(5));
        assert_eq!(names(&mut schedule, at(5)), ["a"]);
        assert_eq!((schedule.running(), schedule.next_due()), (1, None));
        schedule.finish(&key("a"), true, at(6));
        let due = schedule.next_due().unwrap();
        assert!(due >= Duration::from_millis(6900) && due <= Duration::from_millis(7100), "{due:?}");
    }

    #[test]
    fn settled_clusters_are_spread_over_their_interval() {
        let mut schedule = Schedule::default();
        for number in 0..300 {
            let name = number.to_string();
            schedule.set(&key(&name), plan(&name, 60, vec![]), at(0));
        }
        for minute_part in 1..=6 {
            let due = names(&mut schedule, at(minute_part * 10)).len();
            assert!((25..=75).contains(&due), "{due} of 300 in one sixth of the interval");
        }
    }

    #[test]
    fn a_new_question_is_asked_at_once() {
        let mut schedule = Schedule::default();
        schedule.set(&key("a"), plan("a", 1, vec![]), at(0));
        schedule.take(at(0));
        schedule.finish(&key("a"), true, at(0));
        schedule.set(&key("a"), plan("a", 60, vec![Question::ClusterInfo]), at(0));
        assert_eq!(names(&mut schedule, at(0)), ["a"]);
        schedule.set(&key("a"), plan("a", 60, vec![]), at(0));
        schedule.set(&key("a"), plan("a", 60, vec![Question::ClusterInfo]), at(0));
        schedule.finish(&key("a"), true, at(1));
        assert_eq!(schedule.next_due(), Some(at(1)), "asked during the poll");
    }

    #[test]
    fn a_shorter_interval_counts_at_once_and_a_longer_one_with_the_next_poll() {
        let mut schedule = Schedule::default();
        schedule.set(&key("a"), plan("a", 1, vec![]), at(0));
        schedule.take(at(0));
        schedule.finish(&key("a"), true, at(0));
        schedule.set(&key("a"), plan("a", 60, vec![]), at(0));
        assert!(schedule.next_due().unwrap() < at(2));
        schedule.take(at(2));
        schedule.finish(&key("a"), true, at(2));
        assert!(schedule.next_due().unwrap() > at(50));
        schedule.set(&key("a"), plan("a", 1, vec![]), at(10));
        assert_eq!(schedule.next_due(), Some(at(11)));
    }

    #[test]
    fn a_cluster_that_does_not_answer_is_asked_less_often() {
        let mut schedule = Schedule::default();
        schedule.set(&key("a"), plan("a", 60, vec![]), at(0));
        let mut now = at(60);
        let mut waits = Vec::new();
        for _ in 0..6 {
            schedule.take(now).unwrap();
            schedule.finish(&key("a"), false, now);
            let due = schedule.next_due().unwrap();
            waits.push(due.saturating_sub(now).as_secs());
            now = due;
        }
        assert_eq!(waits, [1, 2, 4, 8, 10, 10]);
        schedule.take(now).unwrap();
        schedule.finish(&key("a"), true, now);
        assert!(schedule.next_due().unwrap().saturating_sub(now) > at(50));
    }

    #[test]
    fn an_answer_that_would_come_too_early_is_asked_for_again() {
        let mut schedule = Schedule::default();
        schedule.set(&key("a"), plan("a", 60, vec![]), at(0));
        schedule.take(at(60)).unwrap();
        schedule.finish(&key("a"), true, at(60));
        schedule.at_the_latest(&key("a"), at(63));
        assert_eq!(schedule.next_due(), Some(at(63)));
        schedule.at_the_latest(&key("a"), at(70));
        assert_eq!(schedule.next_due(), Some(at(63)), "never later than planned");
    }

    #[test]
    fn what_was_removed_is_not_asked_again() {
        let mut schedule = Schedule::default();
        schedule.set(&key("a"), plan("a", 1, vec![]), at(0));
        schedule.set(&key("b"), plan("b", 1, vec![]), at(0));
        assert_eq!(schedule.take(at(0)).unwrap().0, key("a"));
        schedule.remove(&key("a"));
        schedule.remove(&key("b"));
        schedule.finish(&key("a"), true, at(1));
        assert_eq!((schedule.next_due(), schedule.len(), schedule.running()), (None, 0, 0));
    }
}
