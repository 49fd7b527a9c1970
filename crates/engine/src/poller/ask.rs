//! One poll: the questions of a plan, put to Flink one after the other over one connection.

use std::collections::BTreeMap;
use std::time::Duration;

use flink_client::answers::{self, CheckpointStatistics, CheckpointStatus, JobState, Operation};
use flink_client::{FlinkCluster, FlinkError, JobId, Missing, VertexId, redact};
use jiff::Timestamp;
use lifecycle::observed::{
    Checkpoints, CompletedCheckpoint, FailureCause, FlinkAnswer, JobException, JobMetrics, JobOverview,
    OperationResult, Parallelism, VertexParallelism,
};
use lifecycle::{ParallelismBounds, PollPlan, Question};

use super::java_trace;
use crate::flink::Flink;
use crate::ports::Clock;

/// Key of `clusterInfo` with the bytes of the newest completed checkpoint.
pub(super) const STATE_SIZE: &str = "state-size";
const FLINK_VERSION: &str = "flink-version";
const FLINK_REVISION: &str = "flink-revision";

/// Exceptions that are asked for, as many as Flink gives by default.
const EXCEPTIONS: u32 = 20;

/// A poll without an answer.
#[derive(Debug)]
pub(super) struct Failure {
    /// Whether nobody answered, rather than an answer that says no.
    pub(super) unreachable: bool,
    /// Whether TLS failed.
    pub(super) untrusted: bool,
    pub(super) message: String,
}

impl From<&FlinkError> for Failure {
    fn from(error: &FlinkError) -> Self {
        let untrusted = matches!(error, FlinkError::Untrusted { .. });
        Self { unreachable: error.is_no_answer(), untrusted, message: error.to_string() }
    }
}

impl Failure {
    /// What is wrong before anything is sent.
    fn unsendable(message: String) -> Self {
        Self { unreachable: false, untrusted: false, message }
    }
}

/// The time that one poll may take.
struct Budget<'a> {
    clock: &'a dyn Clock,
    ends: Duration,
    each: Duration,
}

impl Budget<'_> {
    /// The limit for the next call; `None` when the time is over.
    fn next(&self) -> Option<Duration> {
        let left = self.ends.saturating_sub(self.clock.monotonic());
        (!left.is_zero()).then(|| left.min(self.each))
    }
}

/// What is remembered of a cluster from one poll to the next.
#[derive(Clone, Debug, Default)]
pub(super) struct Remembered {
    /// Version and revision of Flink, as `GET /config` said them last.
    version: BTreeMap<String, String>,
    /// Whether that was said twice. From then on it is not asked for: it stays the same as long as the Deployment does.
    version_is_sure: bool,
    /// When each ended job was first seen so: in [`Clock::monotonic`] time, and as a time of day.
    ended: BTreeMap<String, (Duration, Timestamp)>,
    /// Since when each job that is asked about is not there.
    absent: BTreeMap<String, Timestamp>,
    /// Since when it is asked how parallel the job is.
    parallelism: Option<Timestamp>,
    /// When to ask again at the latest, because an answer would have been too early now.
    pub(super) again: Option<Duration>,
}

impl Remembered {
    /// Takes in the list of jobs, as it is known now.
    fn look(&mut self, plan: &PollPlan, answer: &mut FlinkAnswer, clock: &dyn Clock) {
        let (monotonic, now) = (clock.monotonic(), clock.now());
        self.again = None;
        for job in answer.jobs.iter_mut().filter(|job| job.state.is_terminal()) {
            let (_, since) = *self.ended.entry(job.job_id.clone()).or_insert((monotonic, now));
            job.ended_since = Some(since);
        }
        let state = |id: &str| answer.jobs.iter().find(|job| job.job_id == id).map(|job| job.state);
        self.ended.retain(|id, _| state(id).is_some_and(api::JobStatusState::is_terminal));
        for id in plan.questions.iter().filter_map(Question::job_id).chain(plan.job_id.as_deref()) {
            if state(id).is_none() {
                self.absent.entry(id.to_owned()).or_insert(now);
            }
        }
        self.absent.retain(|id, _| state(id).is_none());
        let asks = plan.questions.iter().any(|question| matches!(question, Question::Parallelism { .. }));
        self.parallelism = asks.then(|| self.parallelism.unwrap_or(now));
        answer.absent.clone_from(&self.absent);
    }

    /// From when on the statistics of a job are not those of before its end; `None` for one that goes on.
    fn final_statistics_from(&self, job_id: &str, lag: Duration) -> Option<Duration> {
        self.ended.get(job_id).map(|(since, _)| since.saturating_add(lag))
    }
}

/// Asks everything in `plan`. `remembered` is what the poll before left, and is given back with the answer.
pub(super) async fn ask(
    flink: &Flink,
    clock: &dyn Clock,
    plan: &PollPlan,
    mut remembered: Remembered,
) -> Result<(FlinkAnswer, Remembered), Failure> {
    let ends = clock.monotonic().saturating_add(plan.timeout.saturating_mul(2));
    let budget = Budget { clock, ends, each: plan.timeout };
    let cluster = flink
        .cluster(&plan.cluster, plan.timeout)
        .map_err(|error| Failure::unsendable(format!("the cluster's address is unusable: {error}")))?;
    let jobs = jobs(&cluster, plan).await?;
    let mut answer = empty(plan, jobs);
    remembered.look(plan, &mut answer, clock);
    let mut poll = Poll { budget, answer, remembered, cluster, statistics_lag: plan.statistics_lag };
    for question in &plan.questions {
        poll.put(question).await?;
    }
    Ok((poll.answer, poll.remembered))
}

/// The jobs of the cluster, or the only one that is asked about: others may be many.
async fn jobs(cluster: &FlinkCluster, plan: &PollPlan) -> Result<Vec<JobOverview>, Failure> {
    let Some(job_id) = &plan.job_id else {
        let jobs = cluster.jobs_overview().await.map_err(|error| Failure::from(&error))?;
        return Ok(jobs.iter().map(job).collect());
    };
    let id = job_id.parse::<JobId>().map_err(|error| Failure::unsendable(error.to_string()))?;
    match cluster.job_details(&id).await {
        Ok(details) => Ok(vec![details_of(&details)]),
        Err(FlinkError::NotFound { missing: Missing::Job, .. }) => Ok(Vec::new()),
        Err(error) => Err(Failure::from(&error)),
    }
}

fn empty(plan: &PollPlan, jobs: Vec<JobOverview>) -> FlinkAnswer {
    FlinkAnswer {
        at: Timestamp::UNIX_EPOCH,
        cluster: plan.deployment_uid.clone(),
        jobs,
        absent: BTreeMap::new(),
        task_managers: None,
        cluster_info: BTreeMap::new(),
        checkpoints: None,
        operations: BTreeMap::new(),
        failure_cause: None,
        exceptions: Vec::new(),
        metrics: None,
        parallelism: None,
    }
}

struct Poll<'a> {
    budget: Budget<'a>,
    cluster: FlinkCluster,
    statistics_lag: Duration,
    remembered: Remembered,
    answer: FlinkAnswer,
}

impl Poll<'_> {
    /// Puts one question. An answer that says no leaves the answer's part empty; nobody answering ends the poll.
    async fn put(&mut self, question: &Question) -> Result<(), Failure> {
        let asked = match question {
            Question::ClusterInfo => self.cluster_info().await,
            Question::Checkpoints { job_id }
            | Question::FailureCause { job_id }
            | Question::Exceptions { job_id }
            | Question::Metrics { job_id }
            | Question::Parallelism { job_id }
                if self.state(job_id).is_none() =>
            {
                Ok(())
            }
            Question::Checkpoints { job_id } => self.checkpoints(job_id).await,
            Question::Savepoint { job_id, trigger_id } => self.savepoint(job_id, trigger_id).await,
            Question::Checkpoint { job_id, trigger_id } => self.checkpoint(job_id, trigger_id).await,
            Question::Disposal { trigger_id } => self.disposal(trigger_id).await,
            Question::FailureCause { job_id } => self.failure_cause(job_id).await,
            Question::Exceptions { job_id } => self.exceptions(job_id).await,
            Question::Metrics { job_id } => self.metrics(job_id).await,
            Question::Parallelism { job_id } => self.parallelism(job_id).await,
        };
        match asked {
            Err(Unanswered::TooSlow) => {
                let message = "Flink answers too slowly".to_owned();
                Err(Failure { unreachable: true, untrusted: false, message })
            }
            Err(Unanswered::Flink(error)) if error.is_no_answer() => Err(Failure::from(&error)),
            Ok(()) | Err(Unanswered::Flink(_)) => Ok(()),
            Err(Unanswered::Unsendable(message)) => Err(Failure::unsendable(message)),
        }
    }

    /// The cluster, limited to the time that is left.
    fn cluster(&self) -> Result<FlinkCluster, Unanswered> {
        let limit = self.budget.next().ok_or(Unanswered::TooSlow)?;
        Ok(self.cluster.with_limits(self.cluster.limits().with_time(limit)))
    }

    /// State of a job in the list of jobs. About one that is not there, Flink has nothing to say.
    fn state(&self, job_id: &str) -> Option<api::JobStatusState> {
        self.answer.jobs.iter().find(|job| job.job_id == job_id).map(|job| job.state)
    }

    async fn cluster_info(&mut self) -> Result<(), Unanswered> {
        if !self.remembered.version_is_sure {
            let config = self.cluster()?.dashboard_config().await?;
            let version = BTreeMap::from([
                (FLINK_VERSION.to_owned(), config.flink_version),
                (FLINK_REVISION.to_owned(), config.flink_revision),
            ]);
            // The first may be what a JobManager says that is about to go.
            self.remembered.version_is_sure = self.remembered.version == version;
            self.remembered.version = version;
        }
        self.answer.cluster_info.extend(self.remembered.version.clone());
        let task_managers = self.cluster()?.taskmanagers().await?.len();
        self.answer.task_managers = u32::try_from(task_managers).ok();
        Ok(())
    }

    async fn checkpoints(&mut self, job_id: &str) -> Result<(), Unanswered> {
        // Flink repeats an answer for a while, also across the end of the job: it would lack the last checkpoint.
        if let Some(from) = self.remembered.final_statistics_from(job_id, self.statistics_lag)
            && self.budget.clock.monotonic() < from
        {
            self.remembered.again = Some(from);
            return Ok(());
        }
        let statistics = match self.cluster()?.checkpoints(&job_id.parse()?).await {
            Ok(statistics) => statistics,
            // Then it is known that there is nothing.
            Err(FlinkError::NotFound { missing: Missing::Checkpointing, .. }) => {
                CheckpointStatistics::default()
            }
            Err(error) => return Err(error.into()),
        };
        let finished = self.state(job_id) == Some(api::JobStatusState::Finished);
        let checkpoints = checkpoints(job_id, &statistics, finished);
        if let Some(size) = checkpoints.state_size {
            self.answer.cluster_info.insert(STATE_SIZE.to_owned(), size.to_string());
        }
        self.answer.checkpoints = Some(checkpoints);
        Ok(())
    }

    async fn parallelism(&mut self, job_id: &str) -> Result<(), Unanswered> {
        let job = job_id.parse()?;
        let mut parallelism = Parallelism {
            job_id: job_id.to_owned(),
            since: self.remembered.parallelism.unwrap_or_else(|| self.budget.clock.now()),
            refusal: None,
            vertices: BTreeMap::new(),
        };
        match self.cluster()?.resource_requirements(&job).await {
            Err(error) if error.is_no_answer() => return Err(error.into()),
            Err(error) => parallelism.refusal = Some(error.to_string()),
            Ok(requirements) => {
                let details = self.cluster()?.job_details(&job).await?;
                let current = |id: &VertexId| {
                    details.vertices.iter().find(|vertex| vertex.id == *id).map(|vertex| vertex.parallelism)
                };
                for (id, vertex) in &requirements.vertices {
                    let bounds = ParallelismBounds {
                        lower: vertex.parallelism.lower_bound,
                        upper: vertex.parallelism.upper_bound,
                    };
                    let current = current(id);
                    parallelism.vertices.insert(id.to_string(), VertexParallelism { bounds, current });
                }
            }
        }
        self.answer.parallelism = Some(parallelism);
        Ok(())
    }

    async fn savepoint(&mut self, job_id: &str, trigger_id: &str) -> Result<(), Unanswered> {
        let result = self.cluster()?.savepoint_result(&job_id.parse()?, &trigger_id.parse()?).await;
        self.operation(trigger_id, result, |path| path)
    }

    /// Flink says the number of a checkpoint first, and where it lies when asked for that.
    async fn checkpoint(&mut self, job_id: &str, trigger_id: &str) -> Result<(), Unanswered> {
        let job = job_id.parse()?;
        let result = self.cluster()?.checkpoint_result(&job, &trigger_id.parse()?).await;
        let result = match result {
            Ok(Operation::Completed(id)) => self.checkpoint_path(&job, id).await?,
            Ok(Operation::InProgress) => Ok(Operation::InProgress),
            Ok(Operation::Failed(cause)) => Ok(Operation::Failed(cause)),
            Err(error) => Err(error),
        };
        self.operation(trigger_id, result, |path| path)
    }

    /// Where a completed checkpoint lies. Flink repeats its statistics unchanged for some seconds: then they do not know
    /// the checkpoint yet, and are asked again. Those that have newer ones have forgotten it.
    async fn checkpoint_path(
        &self,
        job: &JobId,
        id: u64,
    ) -> Result<Result<Operation<String>, FlinkError>, Unanswered> {
        Ok(match self.cluster()?.checkpoint_details(job, id).await {
            Ok(details) if details.status == CheckpointStatus::InProgress => Ok(Operation::InProgress),
            Ok(details) => Ok(Operation::Completed(details.external_path.unwrap_or_default())),
            Err(FlinkError::NotFound { .. }) => {
                let statistics = self.cluster()?.checkpoints(job).await;
                statistics.map(|statistics| {
                    let forgotten = statistics.newest_id().is_some_and(|newest| newest >= id);
                    if forgotten { Operation::Completed(String::new()) } else { Operation::InProgress }
                })
            }
            Err(error) => Err(error),
        })
    }

    async fn disposal(&mut self, trigger_id: &str) -> Result<(), Unanswered> {
        let result = self.cluster()?.disposal_result(&trigger_id.parse()?).await;
        self.operation(trigger_id, result, |()| String::new())
    }

    fn operation<T>(
        &mut self,
        trigger_id: &str,
        result: Result<Operation<T>, FlinkError>,
        text: impl FnOnce(T) -> String,
    ) -> Result<(), Unanswered> {
        let result = match result {
            Ok(Operation::InProgress) => OperationResult::InProgress,
            Ok(Operation::Completed(value)) => OperationResult::Completed(text(value)),
            // A savepoint may be whole although the job could not be stopped after it: the text says where it is.
            Ok(Operation::Failed(cause)) => OperationResult::Failed(cause.summary()),
            Err(FlinkError::NotFound { missing: Missing::Operation | Missing::Job, .. }) => {
                OperationResult::Unknown
            }
            Err(error) => return Err(error.into()),
        };
        self.answer.operations.insert(trigger_id.to_owned(), result);
        Ok(())
    }

    /// Only a job that has failed has a cause; one that Flink does not know is an empty chain.
    async fn failure_cause(&mut self, job_id: &str) -> Result<(), Unanswered> {
        if self.state(job_id) != Some(api::JobStatusState::Failed) {
            return Ok(());
        }
        let result = self.cluster()?.job_result(&job_id.parse()?).await?;
        if let Some(result) = result {
            let trace = result.failure_cause.map(|cause| cause.stack_trace).unwrap_or_default();
            let chain = java_trace::causes(&redact(&trace));
            self.answer.failure_cause = Some(FailureCause { job_id: job_id.to_owned(), chain });
        }
        Ok(())
    }

    async fn exceptions(&mut self, job_id: &str) -> Result<(), Unanswered> {
        let exceptions = self.cluster()?.job_exceptions(&job_id.parse()?, EXCEPTIONS).await?;
        self.answer.exceptions = exceptions.entries.into_iter().map(exception).collect();
        Ok(())
    }

    async fn metrics(&mut self, job_id: &str) -> Result<(), Unanswered> {
        const NAMES: [&str; 3] = ["numRestarts", "fullRestarts", "numberOfCompletedCheckpoints"];
        let metrics = self.cluster()?.job_metrics(&job_id.parse()?, &NAMES).await?;
        let value = |name: &str| {
            let metric = metrics.iter().find(|metric| metric.id == name)?;
            #[expect(clippy::cast_possible_truncation, reason = "counters are far below 2^53")]
            metric.number().map(|number| number as i64)
        };
        self.answer.metrics = Some(JobMetrics {
            restarts: value("numRestarts").or_else(|| value("fullRestarts")),
            completed_checkpoints: value("numberOfCompletedCheckpoints"),
        });
        Ok(())
    }
}

/// A question without an answer.
enum Unanswered {
    /// The time for the whole poll is over.
    TooSlow,
    Flink(FlinkError),
    /// The question itself is not one.
    Unsendable(String),
}

impl From<FlinkError> for Unanswered {
    fn from(error: FlinkError) -> Self {
        Self::Flink(error)
    }
}

impl From<flink_client::IdentifierError> for Unanswered {
    fn from(error: flink_client::IdentifierError) -> Self {
        Self::Unsendable(error.to_string())
    }
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn job(job: &answers::JobOverview) -> JobOverview {
    JobOverview {
        job_id: job.id.to_string(),
        name: job.name.clone(),
        state: state(job.state),
        start_time: job.start_time,
        tasks_total: number(job.tasks.total),
        tasks_running: number(job.tasks.running),
        tasks_finished: number(job.tasks.finished),
        ended_since: None,
    }
}

fn details_of(job: &answers::JobDetails) -> JobOverview {
    let tasks = |states: &[&str]| {
        let counts = job.vertices.iter().flat_map(|vertex| &vertex.tasks);
        number(counts.filter(|(state, _)| states.contains(&state.as_str())).map(|(_, count)| *count).sum())
    };
    JobOverview {
        job_id: job.id.to_string(),
        name: job.name.clone(),
        state: state(job.state),
        start_time: job.start_time,
        tasks_total: number(job.vertices.iter().map(|vertex| u64::from(vertex.parallelism)).sum()),
        tasks_running: tasks(&["RUNNING"]),
        tasks_finished: tasks(&["FINISHED"]),
        ended_since: None,
    }
}

fn state(state: JobState) -> api::JobStatusState {
    match state {
        JobState::Initializing => api::JobStatusState::Initializing,
        JobState::Created => api::JobStatusState::Created,
        JobState::Running => api::JobStatusState::Running,
        JobState::Failing => api::JobStatusState::Failing,
        JobState::Failed => api::JobStatusState::Failed,
        JobState::Cancelling => api::JobStatusState::Cancelling,
        JobState::Canceled => api::JobStatusState::Canceled,
        JobState::Finished => api::JobStatusState::Finished,
        JobState::Restarting => api::JobStatusState::Restarting,
        JobState::Suspended => api::JobStatusState::Suspended,
        JobState::Reconciling => api::JobStatusState::Reconciling,
    }
}

/// What a job can be restored from: what it started from, its newest checkpoint and savepoint, and those of its history.
/// One that Flink has deleted is among them, so that an older one is not taken for the newest. A job that has finished
/// deletes its own checkpoints, whatever their retention, and says so only afterwards.
fn checkpoints(job_id: &str, statistics: &answers::CheckpointStatistics, finished: bool) -> Checkpoints {
    let latest = &statistics.latest;
    let restored = latest.restored.iter().filter_map(|restored| {
        Some(CompletedCheckpoint {
            id: number(restored.id),
            external_path: restored.external_path.clone()?,
            trigger_timestamp: restored.restore_timestamp,
            is_savepoint: restored.is_savepoint,
            discarded: false,
        })
    });
    let taken = [&latest.completed, &latest.savepoint].into_iter().flatten();
    let history = statistics.history.iter().filter(|one| one.status == CheckpointStatus::Completed);
    let taken = taken.chain(history).filter_map(|one| {
        Some(CompletedCheckpoint {
            id: number(one.id),
            external_path: one.external_path.clone()?,
            trigger_timestamp: one.trigger_timestamp,
            is_savepoint: one.is_savepoint,
            discarded: one.discarded || (finished && !one.is_savepoint),
        })
    });
    let mut completed: Vec<CompletedCheckpoint> = Vec::new();
    for checkpoint in taken.chain(restored) {
        // The same one stands in the history as well; what the job started from counts under its own number.
        if !completed
            .iter()
            .any(|known| known.id == checkpoint.id && known.external_path == checkpoint.external_path)
        {
            completed.push(checkpoint);
        }
    }
    Checkpoints {
        job_id: job_id.to_owned(),
        completed,
        in_progress_since: statistics.in_progress().map(|one| one.trigger_timestamp),
        state_size: latest.completed.as_ref().map(|one| number(one.state_size)),
    }
}

fn exception(entry: answers::ExceptionEntry) -> JobException {
    JobException {
        timestamp: entry.timestamp,
        exception: entry.exception_name,
        stacktrace: redact(&entry.stacktrace),
        task_name: entry.task_name,
        endpoint: entry.endpoint,
        task_manager_id: entry.task_manager_id,
        failure_labels: entry.failure_labels,
    }
}
