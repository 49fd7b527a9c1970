//! When each cluster is asked, and what it last said. No IO.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use lifecycle::PollPlan;
use lifecycle::observed::{FlinkAnswer, FlinkFailure, FlinkView};

use crate::ports::ObjectKey;

/// Polls to do, and the last answers, of all resources.
#[derive(Debug, Default)]
pub struct Schedule {
    entries: HashMap<ObjectKey, Entry>,
}

#[derive(Debug)]
struct Entry {
    plan: PollPlan,
    due: Duration,
    in_flight: bool,
    view: FlinkView,
    /// Whether a reconcile has been woken for the failure that lasts.
    failure_told: bool,
}

impl Schedule {
    /// Takes over what a decision wants to know. A new question, or a shorter interval, brings the next poll forward.
    pub fn set_plan(&mut self, key: &ObjectKey, plan: Option<PollPlan>, now: Duration) {
        let Some(plan) = plan else {
            self.entries.remove(key);
            return;
        };
        match self.entries.get_mut(key) {
            Some(entry) if entry.plan.deployment_uid == plan.deployment_uid => {
                let asks_more =
                    plan.questions.iter().any(|question| !entry.plan.questions.contains(question));
                let soonest = if asks_more { now } else { now + plan.interval };
                if !entry.in_flight {
                    entry.due = entry.due.min(soonest);
                }
                entry.plan = plan;
            }
            Some(_) | None => {
                let entry = Entry {
                    plan,
                    due: now,
                    in_flight: false,
                    view: FlinkView::default(),
                    failure_told: false,
                };
                self.entries.insert(key.clone(), entry);
            }
        }
    }

    /// The plan of a resource.
    #[must_use]
    pub fn plan(&self, key: &ObjectKey) -> Option<PollPlan> {
        self.entries.get(key).map(|entry| entry.plan.clone())
    }

    /// The last answers about one cluster; those about another cluster of the same name do not count.
    #[must_use]
    pub fn view(&self, key: &ObjectKey, deployment_uid: &str) -> FlinkView {
        let entry = self.entries.get(key).filter(|entry| entry.plan.deployment_uid == deployment_uid);
        entry.map(|entry| entry.view.clone()).unwrap_or_default()
    }

    /// When the next poll is due.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        self.entries.values().filter(|entry| !entry.in_flight).map(|entry| entry.due).min()
    }

    /// At most `limit` resources whose poll is due, those that wait longest first.
    pub fn take_due(&mut self, now: Duration, limit: usize) -> Vec<ObjectKey> {
        let mut due: Vec<(Duration, ObjectKey)> = self
            .entries
            .iter()
            .filter(|(_, entry)| !entry.in_flight && entry.due <= now)
            .map(|(key, entry)| (entry.due, key.clone()))
            .collect();
        due.sort();
        due.truncate(limit);
        for (_, key) in &due {
            if let Some(entry) = self.entries.get_mut(key) {
                entry.in_flight = true;
            }
        }
        due.into_iter().map(|(_, key)| key).collect()
    }

    /// Stores an answer. Returns whether it says something that a reconcile has not seen.
    pub fn answered(
        &mut self,
        key: &ObjectKey,
        deployment_uid: &str,
        answer: Result<FlinkAnswer, FlinkFailure>,
        now: Duration,
    ) -> bool {
        let Some(entry) = self.entries.get_mut(key) else { return false };
        entry.in_flight = false;
        if entry.plan.deployment_uid != deployment_uid {
            entry.due = now;
            return false;
        }
        let pause = entry.plan.interval.saturating_add(jitter(key, entry.plan.interval));
        entry.due = now.saturating_add(pause);
        match answer {
            Ok(answer) => {
                let news = entry.view.failure.is_some()
                    || entry.view.answer.as_ref().is_none_or(|old| digest(old) != digest(&answer));
                entry.view = FlinkView { answer: Some(answer), failure: None };
                entry.failure_told = false;
                news
            }
            Err(failure) => {
                let since = entry.view.failure.as_ref().map_or(failure.since, |first| first.since);
                let lasts = failure.since.duration_since(since).unsigned_abs() >= entry.plan.timeout;
                let first = entry.view.failure.is_none();
                entry.view.failure = Some(FlinkFailure { since, ..failure });
                // While it fails, it is asked again soon.
                entry.due = now.saturating_add(entry.plan.interval.min(RETRY));
                let news = first || (lasts && !entry.failure_told);
                entry.failure_told |= lasts;
                news
            }
        }
    }
}

/// The longest pause after a poll that failed.
const RETRY: Duration = Duration::from_secs(3);

/// Up to a tenth of the interval, the same for one resource each time, so that many clusters are not asked at once.
fn jitter(key: &ObjectKey, interval: Duration) -> Duration {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    interval.mul_f64((hasher.finish() % 1000) as f64 / 10_000.0)
}

/// Everything of an answer that a decision could depend on. Times of asking, sizes and counters are left out: they
/// change with every checkpoint of a healthy job.
fn digest(answer: &FlinkAnswer) -> FlinkAnswer {
    let mut digest = answer.clone();
    digest.at = jiff::Timestamp::UNIX_EPOCH;
    digest.cluster_info.remove("state-size");
    if let Some(checkpoints) = &mut digest.checkpoints {
        let ended = answer.jobs.iter().any(|job| job.job_id == checkpoints.job_id && job.state.is_terminal());
        checkpoints.state_size = None;
        checkpoints.in_progress_since = None;
        if !ended {
            checkpoints.completed.clear();
        }
    }
    for job in &mut digest.jobs {
        // Counts matter only as far as they decide whether the job runs.
        job.state = job.effective_state();
        job.tasks_total = 0;
        job.tasks_running = 0;
        job.tasks_finished = 0;
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::JobStatusState;
    use jiff::Timestamp;
    use lifecycle::observed::{Checkpoints, JobOverview};
    use lifecycle::{FlinkCluster, Question};

    fn plan(uid: &str, seconds: u64) -> PollPlan {
        PollPlan {
            cluster: FlinkCluster {
                namespace: "ns".to_owned(),
                name: "app".to_owned(),
                rest_port: 8081,
                tls: false,
            },
            deployment_uid: uid.to_owned(),
            interval: Duration::from_secs(seconds),
            timeout: Duration::from_secs(10),
            questions: Vec::new(),
        }
    }

    fn answer(state: JobStatusState, size: i64) -> FlinkAnswer {
        FlinkAnswer {
            at: Timestamp::from_second(size).unwrap(),
            cluster: "u".to_owned(),
            jobs: vec![JobOverview {
                job_id: "j".to_owned(),
                name: "n".to_owned(),
                state,
                start_time: 0,
                tasks_total: 1,
                tasks_running: 1,
                tasks_finished: 0,
            }],
            task_managers: Some(1),
            cluster_info: [("state-size".to_owned(), size.to_string())].into(),
            checkpoints: Some(Checkpoints {
                job_id: "j".to_owned(),
                state_size: Some(size),
                ..Checkpoints::default()
            }),
            operations: [].into(),
            failure_cause: None,
            exceptions: Vec::new(),
            metrics: None,
        }
    }

    fn failure(second: i64) -> FlinkFailure {
        let since = Timestamp::from_second(second).unwrap();
        FlinkFailure { since, unreachable: true, message: "refused".to_owned() }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn wakes_only_for_news() {
        let key = ObjectKey::new("ns", "app");
        let mut schedule = Schedule::default();
        schedule.set_plan(&key, Some(plan("u", 60)), seconds(0));
        assert_eq!(schedule.take_due(seconds(0), 5), [key.clone()]);
        assert!(schedule.take_due(seconds(0), 5).is_empty(), "one poll at a time");
        assert!(schedule.answered(&key, "u", Ok(answer(JobStatusState::Running, 1)), seconds(0)));
        assert!(!schedule.answered(&key, "u", Ok(answer(JobStatusState::Running, 2)), seconds(60)));
        assert!(schedule.answered(&key, "u", Ok(answer(JobStatusState::Failed, 3)), seconds(120)));
    }

    #[test]
    fn a_failure_is_told_at_its_beginning_and_when_it_lasts() {
        let key = ObjectKey::new("ns", "app");
        let mut schedule = Schedule::default();
        schedule.set_plan(&key, Some(plan("u", 60)), seconds(0));
        assert!(schedule.answered(&key, "u", Err(failure(0)), seconds(0)));
        assert!(!schedule.answered(&key, "u", Err(failure(3)), seconds(3)));
        assert!(schedule.answered(&key, "u", Err(failure(12)), seconds(12)));
        assert!(!schedule.answered(&key, "u", Err(failure(15)), seconds(15)));
        assert!(schedule.answered(&key, "u", Ok(answer(JobStatusState::Running, 1)), seconds(16)));
        assert!(schedule.view(&key, "u").failure.is_none());
    }

    #[test]
    fn an_answer_of_another_cluster_is_dropped() {
        let key = ObjectKey::new("ns", "app");
        let mut schedule = Schedule::default();
        schedule.set_plan(&key, Some(plan("old", 60)), seconds(0));
        assert_eq!(schedule.take_due(seconds(0), 5).len(), 1);
        schedule.set_plan(&key, Some(plan("new", 60)), seconds(1));
        assert!(!schedule.answered(&key, "old", Ok(answer(JobStatusState::Running, 1)), seconds(2)));
        assert_eq!(schedule.view(&key, "new"), FlinkView::default());
    }

    #[test]
    fn a_new_question_or_a_shorter_interval_brings_the_poll_forward() {
        let key = ObjectKey::new("ns", "app");
        let mut schedule = Schedule::default();
        schedule.set_plan(&key, Some(plan("u", 60)), seconds(0));
        schedule.take_due(seconds(0), 1);
        schedule.answered(&key, "u", Ok(answer(JobStatusState::Running, 1)), seconds(0));
        assert!(schedule.next_due() >= Some(seconds(60)));
        schedule.set_plan(&key, Some(plan("u", 1)), seconds(10));
        assert_eq!(schedule.next_due(), Some(seconds(11)));
        let asks = PollPlan { questions: vec![Question::ClusterInfo], ..plan("u", 60) };
        schedule.set_plan(&key, Some(asks), seconds(10));
        assert_eq!(schedule.next_due(), Some(seconds(10)));
        schedule.set_plan(&key, None, seconds(10));
        assert_eq!(schedule.next_due(), None);
    }
}
