use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use flink_client::{Endpoint, RestRequest, RestResponse, Transport, TransportError};
use lifecycle::observed::{OperationResult, VertexParallelism};
use lifecycle::{FlinkCluster, ParallelismBounds, Question};
use serde_json::{Value, json};

use super::*;
use crate::flink::FlinkAddresses;
use crate::ports::{Kind, ObjectKey};
use crate::testing::TestClock;

const JOB: &str = "0123456789abcdef0123456789abcdef";
const TRIGGER: &str = "fedcba9876543210fedcba9876543210";

/// A Flink with an answer for each path, and a clock that each call moves.
#[derive(Debug)]
struct Flinks {
    clock: Arc<TestClock>,
    answers: Mutex<HashMap<String, (u16, Value)>>,
    down: Mutex<bool>,
    untrusted: Mutex<bool>,
    slow: Mutex<Duration>,
    asked: Mutex<Vec<String>>,
    limits: Mutex<Vec<Duration>>,
}

#[async_trait]
impl Transport for Flinks {
    async fn send(&self, _target: &Endpoint, request: RestRequest) -> Result<RestResponse, TransportError> {
        self.asked.lock().unwrap().push(request.path.clone());
        self.limits.lock().unwrap().push(request.time_limit);
        self.clock.pass(*self.slow.lock().unwrap());
        if *self.down.lock().unwrap() {
            return Err(TransportError::NotSent("refused".to_owned()));
        }
        if *self.untrusted.lock().unwrap() {
            return Err(TransportError::Untrusted("expired".to_owned()));
        }
        let answers = self.answers.lock().unwrap();
        let path = request.path.split('?').next().unwrap_or_default();
        let (status, body) = answers.get(path).cloned().unwrap_or((404, json!({"errors": ["Not found: x"]})));
        let content_type = Some("application/json".to_owned());
        Ok(RestResponse { status, content_type, body: body.to_string().into() })
    }
}

impl Flinks {
    fn says(&self, path: &str, body: Value) {
        self.answers.lock().unwrap().insert(path.to_owned(), (200, body));
    }

    fn refuses(&self, path: &str, status: u16, error: &str) {
        self.answers.lock().unwrap().insert(path.to_owned(), (status, json!({ "errors": [error] })));
    }

    fn job_is(&self, state: &str, running: u32) {
        let tasks = json!({"total": 2, "running": running, "finished": 0});
        let job =
            json!({"jid": JOB, "name": "n", "state": state, "start-time": 7, "end-time": -1, "tasks": tasks});
        self.says("/jobs/overview", json!({ "jobs": [job] }));
    }
}

struct Bench {
    flinks: Arc<Flinks>,
    clock: Arc<TestClock>,
    poller: Poller,
}

fn key() -> ResourceId {
    ResourceId::new(Kind::FLINK_DEPLOYMENT, ObjectKey::new("ns", "app"))
}

fn plan(questions: Vec<Question>) -> PollPlan {
    PollPlan {
        cluster: FlinkCluster {
            namespace: "ns".to_owned(),
            name: "app".to_owned(),
            rest_port: 8081,
            tls: false,
        },
        deployment_uid: "jm".to_owned(),
        interval: Duration::from_secs(1),
        timeout: Duration::from_secs(10),
        patience: Duration::from_secs(15),
        statistics_lag: flink_client::answers::STATISTICS_LAG,
        job_id: None,
        questions,
    }
}

fn all() -> Vec<Question> {
    let job_id = JOB.to_owned();
    vec![
        Question::ClusterInfo,
        Question::Checkpoints { job_id: job_id.clone() },
        Question::FailureCause { job_id: job_id.clone() },
        Question::Exceptions { job_id: job_id.clone() },
        Question::Metrics { job_id: job_id.clone() },
        Question::Savepoint { job_id, trigger_id: TRIGGER.to_owned() },
    ]
}

impl Bench {
    fn new() -> Self {
        let clock = Arc::new(TestClock::default());
        let flinks = Arc::new(Flinks {
            clock: clock.clone(),
            answers: Mutex::default(),
            down: Mutex::default(),
            untrusted: Mutex::default(),
            slow: Mutex::default(),
            asked: Mutex::default(),
            limits: Mutex::default(),
        });
        flinks.job_is("RUNNING", 2);
        let checkpoint = json!({"id": 4, "status": "COMPLETED", "trigger_timestamp": 40, "state_size": 17,
            "external_path": "s3://b/chk-4"});
        flinks.says("/config", json!({"flink-version": "1.20.3", "flink-revision": "01e3a6d"}));
        flinks
            .says("/taskmanagers", json!({"taskmanagers": [{"id": "tm", "slotsNumber": 1, "freeSlots": 0}]}));
        flinks.says(
            &format!("/jobs/{JOB}/checkpoints"),
            json!({"latest": {"completed": checkpoint}, "history": [checkpoint]}),
        );
        flinks.says(&format!("/jobs/{JOB}/exceptions"), json!({"exceptionHistory": {"entries": []}}));
        flinks.says(&format!("/jobs/{JOB}/metrics"), json!([{"id": "numRestarts", "value": "3"}]));
        flinks.says(
            &format!("/jobs/{JOB}/savepoints/{TRIGGER}"),
            json!({"status": {"id": "COMPLETED"}, "operation": {"location": "s3://b/sp"}}),
        );
        let flink = Flink::new(flinks.clone(), FlinkAddresses::ServiceDns);
        let poller = Poller::new(flink, clock.clone());
        Self { flinks, clock, poller }
    }

    /// Lets the next poll become due and runs it; `None` when there is none.
    async fn poll(&self) -> Option<bool> {
        let due = self.poller.next_due()?;
        self.clock.pass(due.saturating_sub(self.clock.monotonic()));
        self.flinks.asked.lock().unwrap().clear();
        self.flinks.limits.lock().unwrap().clear();
        Some(self.poller.poll_once(self.poller.take()?).await)
    }

    fn view(&self) -> FlinkView {
        self.poller.view(&key(), "jm")
    }

    fn answer(&self) -> FlinkAnswer {
        self.view().answer.expect("there is an answer")
    }
}

#[tokio::test]
async fn everything_that_is_asked_is_answered() {
    let bench = Bench::new();
    bench.poller.set_plan(&key(), Some(plan(all())));
    assert_eq!(bench.poll().await, Some(true));
    let answer = bench.answer();
    assert_eq!(answer.cluster, "jm");
    assert_eq!(answer.jobs.first().unwrap().effective_state(), api::JobStatusState::Running);
    assert_eq!(answer.task_managers, Some(1));
    let info: Vec<_> =
        answer.cluster_info.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(info, [("flink-revision", "01e3a6d"), ("flink-version", "1.20.3"), ("state-size", "17")]);
    let checkpoints = answer.checkpoints.unwrap();
    assert_eq!(checkpoints.newest().map(|one| one.external_path.as_str()), Some("s3://b/chk-4"));
    assert_eq!(checkpoints.completed.len(), 1, "the history repeats the newest");
    assert_eq!(answer.metrics.and_then(|metrics| metrics.restarts), Some(3));
    let done = OperationResult::Completed("s3://b/sp".to_owned());
    assert_eq!(answer.operations.get(TRIGGER), Some(&done));
    assert_eq!(answer.failure_cause, None);
}

#[tokio::test]
async fn a_healthy_job_wakes_nobody_and_is_not_asked_for_what_cannot_change() {
    let bench = Bench::new();
    bench.poller.set_plan(&key(), Some(plan(all())));
    bench.poll().await;
    bench.poll().await;
    let checkpoint = json!({"id": 5, "status": "COMPLETED", "trigger_timestamp": 50, "state_size": 99,
        "external_path": "s3://b/chk-5"});
    bench.flinks.says(
        &format!("/jobs/{JOB}/checkpoints"),
        json!({"latest": {"completed": checkpoint}, "history": [checkpoint]}),
    );
    assert_eq!(bench.poll().await, Some(false));
    assert!(!bench.flinks.asked.lock().unwrap().contains(&"/config".to_owned()));
    let answer = bench.answer();
    assert_eq!(answer.cluster_info.get("flink-version").map(String::as_str), Some("1.20.3"));
    assert_eq!(
        answer.checkpoints.unwrap().newest().map(|one| one.id),
        Some(5),
        "the view is new all the same"
    );
}

#[tokio::test]
async fn how_parallel_a_job_is_comes_from_its_requirements_and_its_vertices() {
    let bench = Bench::new();
    bench.flinks.job_is("RUNNING", 2);
    let (source, sink) = ("a".repeat(32), "b".repeat(32));
    let bounds = |lower: u32, upper: u32| json!({"parallelism": {"lowerBound": lower, "upperBound": upper}});
    bench.flinks.says(
        &format!("/jobs/{JOB}/resource-requirements"),
        json!({&source: bounds(1, 4), &sink: bounds(1, 2)}),
    );
    let vertex = json!({"id": source, "name": "s", "parallelism": 3, "status": "RUNNING"});
    let details = json!({"jid": JOB, "name": "n", "state": "RUNNING", "start-time": 7, "end-time": -1,
        "vertices": [vertex]});
    bench.flinks.says(&format!("/jobs/{JOB}"), details);
    let questions = vec![Question::Parallelism { job_id: JOB.to_owned() }];
    bench.poller.set_plan(&key(), Some(plan(questions)));
    bench.poll().await;
    let known = bench.answer().parallelism.unwrap();
    let vertex =
        |upper, current| VertexParallelism { bounds: ParallelismBounds { lower: 1, upper }, current };
    assert_eq!(known.vertices, BTreeMap::from([(source, vertex(4, Some(3))), (sink, vertex(2, None))]));
    assert_eq!((known.job_id.as_str(), known.refusal), (JOB, None));
    bench.flinks.refuses(&format!("/jobs/{JOB}/resource-requirements"), 500, "The DefaultScheduler does not");
    assert_eq!(bench.poll().await, Some(true));
    let refusal = bench.answer().parallelism.unwrap().refusal.unwrap();
    assert!(refusal.contains("DefaultScheduler"), "{refusal}");
}

#[tokio::test]
async fn a_checkpoint_that_statistics_do_not_know_yet_goes_on() {
    let bench = Bench::new();
    let done = json!({"status": {"id": "COMPLETED"}, "operation": {"checkpointId": 12}});
    bench.flinks.says(&format!("/jobs/{JOB}/checkpoints/{TRIGGER}"), done);
    let details = format!("/jobs/{JOB}/checkpoints/details/12");
    bench.flinks.refuses(&details, 404, "Could not find checkpointing statistics for checkpoint 12.");
    let checkpoint = |id: u64, path: &str| {
        json!({"id": id, "status": "COMPLETED", "is_savepoint": false, "trigger_timestamp": 5,
            "latest_ack_timestamp": 6, "external_path": path, "discarded": false})
    };
    let statistics = format!("/jobs/{JOB}/checkpoints");
    bench.flinks.says(&statistics, json!({"latest": {"completed": checkpoint(11, "file:/chk-11")}}));
    let questions = vec![Question::Checkpoint { job_id: JOB.to_owned(), trigger_id: TRIGGER.to_owned() }];
    bench.poller.set_plan(&key(), Some(plan(questions)));
    let result = async || {
        bench.poll().await;
        bench.answer().operations.get(TRIGGER).cloned()
    };
    assert_eq!(result().await, Some(OperationResult::InProgress));
    bench.flinks.says(&details, checkpoint(12, "file:/chk-12"));
    assert_eq!(result().await, Some(OperationResult::Completed("file:/chk-12".to_owned())));
    bench.flinks.refuses(&details, 404, "Could not find checkpointing statistics for checkpoint 12.");
    bench.flinks.says(&statistics, json!({"latest": {"completed": checkpoint(13, "file:/chk-13")}}));
    assert_eq!(result().await, Some(OperationResult::Completed(String::new())), "nobody knows where it lies");
}

#[tokio::test]
async fn a_changed_job_is_news() {
    let bench = Bench::new();
    bench.flinks.job_is("RUNNING", 0);
    bench.poller.set_plan(&key(), Some(plan(vec![])));
    assert_eq!(bench.poll().await, Some(true));
    bench.flinks.job_is("RUNNING", 1);
    assert_eq!(bench.poll().await, Some(false), "it counts as CREATED until all tasks run");
    bench.flinks.job_is("RUNNING", 2);
    assert_eq!(bench.poll().await, Some(true));
    bench.flinks.job_is("RESTARTING", 0);
    assert_eq!(bench.poll().await, Some(true));
    assert_eq!(bench.poll().await, Some(false));
}

#[tokio::test]
async fn a_connection_that_is_not_trusted_is_another_kind_of_silence() {
    let bench = Bench::new();
    bench.poller.set_plan(&key(), Some(plan(vec![])));
    *bench.flinks.down.lock().unwrap() = true;
    bench.poll().await;
    assert!(!bench.view().failure.unwrap().untrusted);
    *bench.flinks.down.lock().unwrap() = false;
    *bench.flinks.untrusted.lock().unwrap() = true;
    assert_eq!(bench.poll().await, Some(true));
    let failure = bench.view().failure.unwrap();
    assert!(failure.untrusted && failure.unreachable && failure.message.ends_with("expired"), "{failure:?}");
}

#[tokio::test]
async fn nobody_answering_is_news_when_it_begins_when_it_lasts_and_when_it_ends() {
    let bench = Bench::new();
    bench.poller.set_plan(&key(), Some(plan(vec![])));
    bench.poll().await;
    *bench.flinks.down.lock().unwrap() = true;
    assert_eq!(bench.poll().await, Some(true));
    let since = bench.view().failure.unwrap().since;
    let mut told = 0;
    for _ in 0..8 {
        told += u32::from(bench.poll().await == Some(true));
    }
    assert_eq!(told, 1, "once more, after the plan's patience");
    let failure = bench.view().failure.unwrap();
    assert_eq!((failure.since, failure.unreachable), (since, true));
    assert!(bench.view().answer.is_some() && bench.view().current().is_none());
    *bench.flinks.down.lock().unwrap() = false;
    assert_eq!(bench.poll().await, Some(true));
    assert!(bench.view().current().is_some());
}

#[tokio::test]
async fn a_question_without_an_answer_leaves_the_others_theirs() {
    let bench = Bench::new();
    bench.flinks.refuses(&format!("/jobs/{JOB}/exceptions"), 500, "something");
    bench.flinks.refuses(
        &format!("/jobs/{JOB}/savepoints/{TRIGGER}"),
        404,
        "There is no savepoint operation with triggerId=x for job y.",
    );
    bench.flinks.refuses(&format!("/jobs/{JOB}/checkpoints"), 404, "Checkpointing has not been enabled.");
    bench.poller.set_plan(&key(), Some(plan(all())));
    bench.poll().await;
    let answer = bench.answer();
    assert_eq!(answer.operations.get(TRIGGER), Some(&OperationResult::Unknown));
    assert_eq!(answer.checkpoints.map(|it| it.completed.len()), Some(0), "it is known that there are none");
    assert!(answer.metrics.is_some());
}

/// What Flink says about the job's checkpoints from now on.
fn checkpoint_is(bench: &Bench, id: u64, discarded: bool) {
    let checkpoint = json!({"id": id, "status": "COMPLETED", "trigger_timestamp": id * 10, "state_size": 1,
        "external_path": format!("s3://b/chk-{id}"), "discarded": discarded});
    bench.flinks.says(
        &format!("/jobs/{JOB}/checkpoints"),
        json!({"latest": {"completed": checkpoint}, "history": [checkpoint]}),
    );
}

#[tokio::test]
async fn the_checkpoints_of_an_ended_job_are_asked_for_when_no_older_answer_can_come_any_more() {
    let bench = Bench::new();
    let settled = PollPlan { interval: Duration::from_mins(1), ..plan(all()) };
    bench.poller.set_plan(&key(), Some(settled));
    bench.poll().await;
    assert_eq!(bench.answer().checkpoints.unwrap().newest().map(|one| one.id), Some(4));
    bench.flinks.job_is("CANCELED", 0);
    assert_eq!(bench.poll().await, Some(true));
    assert_eq!(bench.answer().checkpoints, None, "Flink may still repeat the answer of before");
    let seen = bench.clock.monotonic();
    let ended = bench.answer().jobs.first().unwrap().ended_since;
    assert!(ended.is_some());
    checkpoint_is(&bench, 5, false);
    assert_eq!(bench.poll().await, Some(true));
    assert_eq!(bench.clock.monotonic().saturating_sub(seen), flink_client::answers::STATISTICS_LAG);
    assert_eq!(bench.answer().checkpoints.unwrap().newest().map(|one| one.id), Some(5));
    assert_eq!(bench.answer().jobs.first().unwrap().ended_since, ended, "the first time counts");
}

#[tokio::test]
async fn a_deleted_checkpoint_is_told_and_no_older_one_instead() {
    let bench = Bench::new();
    let older =
        json!({"id": 3, "status": "COMPLETED", "trigger_timestamp": 30, "external_path": "s3://b/chk-3"});
    let newest = json!({"id": 4, "status": "COMPLETED", "trigger_timestamp": 40, "external_path": "s3://b/chk-4",
        "discarded": true});
    bench.flinks.says(
        &format!("/jobs/{JOB}/checkpoints"),
        json!({"latest": {"completed": newest}, "history": [newest, older]}),
    );
    bench.poller.set_plan(&key(), Some(plan(all())));
    bench.poll().await;
    let checkpoints = bench.answer().checkpoints.unwrap();
    assert_eq!(checkpoints.newest().map(|one| (one.id, one.discarded)), Some((4, true)));
}

#[tokio::test]
async fn a_finished_job_has_no_checkpoints_whatever_flink_says_at_first() {
    for (savepoint, discarded) in [(false, true), (true, false)] {
        let bench = Bench::new();
        bench.flinks.job_is("FINISHED", 0);
        let newest = json!({"id": 4, "status": "COMPLETED", "trigger_timestamp": 40, "external_path": "s3://b/4",
            "discarded": false, "is_savepoint": savepoint});
        bench.flinks.says(&format!("/jobs/{JOB}/checkpoints"), json!({"latest": {"completed": newest}}));
        bench.poller.set_plan(&key(), Some(plan(all())));
        while bench.view().answer.is_none_or(|answer| answer.checkpoints.is_none()) {
            bench.poll().await;
        }
        let checkpoints = bench.answer().checkpoints.unwrap();
        assert_eq!(checkpoints.newest().map(|one| one.discarded), Some(discarded));
    }
}

#[tokio::test]
async fn a_job_that_is_not_there_is_told_with_the_time_since_when() {
    let bench = Bench::new();
    bench.flinks.says("/jobs/overview", json!({"jobs": []}));
    bench.poller.set_plan(&key(), Some(plan(all())));
    assert_eq!(bench.poll().await, Some(true));
    let since = bench.answer().absent.get(JOB).copied().expect("it is absent");
    assert_eq!(bench.poll().await, Some(false), "that it still is absent is no news");
    assert_eq!(bench.answer().absent.get(JOB), Some(&since));
    bench.flinks.job_is("RUNNING", 2);
    assert_eq!(bench.poll().await, Some(true));
    assert!(bench.answer().absent.is_empty());
}

#[tokio::test]
async fn a_failed_job_says_why_without_its_secrets() {
    let bench = Bench::new();
    bench.flinks.job_is("FAILED", 0);
    let trace = "a.B: no access with password=hunter2\n\tat c.d\nCaused by: e.F: inner\n";
    let cause = json!({"class": "a.B", "stack-trace": trace});
    bench.flinks.says(
        &format!("/jobs/{JOB}/execution-result"),
        json!({"status": {"id": "COMPLETED"},
            "job-execution-result": {"id": JOB, "application-status": "FAILED", "failure-cause": cause}}),
    );
    bench.poller.set_plan(&key(), Some(plan(all())));
    bench.poll().await;
    let chain = bench.answer().failure_cause.unwrap().chain;
    assert_eq!(chain.iter().map(|(class, _)| class.as_str()).collect::<Vec<_>>(), ["a.B", "e.F"]);
    assert!(!format!("{chain:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_flink_that_drips_its_answers_is_left_after_twice_the_time_limit() {
    let bench = Bench::new();
    *bench.flinks.slow.lock().unwrap() = Duration::from_secs(9);
    bench.poller.set_plan(&key(), Some(plan(all())));
    bench.poll().await;
    assert!(bench.view().failure.is_some_and(|failure| failure.unreachable));
    let limits = bench.flinks.limits.lock().unwrap().clone();
    assert_eq!(limits.iter().map(Duration::as_secs).collect::<Vec<_>>(), [10, 10, 2]);
}

#[tokio::test]
async fn an_answer_of_an_older_cluster_is_not_taken() {
    let bench = Bench::new();
    bench.poller.set_plan(&key(), Some(plan(vec![])));
    let due = bench.poller.take().unwrap();
    bench.poller.set_plan(&key(), Some(PollPlan { deployment_uid: "new".to_owned(), ..plan(vec![]) }));
    assert!(!bench.poller.poll_once(due).await);
    assert_eq!(bench.poller.view(&key(), "new"), FlinkView::default());
    assert_eq!(bench.poll().await, Some(true), "the new one is asked right after");
    assert!(bench.poller.view(&key(), "new").answer.is_some());
    assert_eq!(bench.view(), FlinkView::default());
}

#[tokio::test]
async fn without_a_plan_nothing_is_asked_and_nothing_is_known() {
    let bench = Bench::new();
    bench.poller.set_plan(&key(), Some(plan(vec![])));
    let due = bench.poller.take().unwrap();
    bench.poller.set_plan(&key(), None);
    assert!(!bench.poller.poll_once(due).await);
    assert_eq!(bench.poll().await, None);
    assert_eq!(bench.view(), FlinkView::default());
    assert_eq!(bench.poller.counts(), (0, 0));
}
