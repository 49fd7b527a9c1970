//! One Flink cluster: its jobs, and the clock that moves them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::Method;
use jiff::Timestamp;

use super::answer::StubResponse;
use super::faults::{self, Fault, FaultRule};
use super::job::{StubJob, Surroundings};
use super::operations::Operations;
use super::plan::JobPlan;
use super::routes;
use super::storage::Storage;
use crate::answers::JobState;
use crate::identifiers::JobId;

/// Settings of a cluster of the stub.
#[derive(Debug, Clone)]
pub struct ClusterSettings {
    /// Flink's version, which decides about the form of some answers. Default: `1.20.3`.
    pub version: String,
    /// `jobmanager.scheduler: adaptive`. Default: false.
    pub adaptive: bool,
    /// `scheduler-mode: reactive`: each job takes all slots there are. Default: false.
    pub reactive: bool,
    /// Registered TaskManagers. Jobs that are wider than all slots together wait; that several jobs share the slots
    /// does not count. Default: 1.
    pub taskmanagers: u32,
    /// Slots of each TaskManager. Default: 8.
    pub slots: u32,
    /// `execution.checkpointing.savepoint-dir`. Default: none.
    pub savepoint_directory: Option<String>,
    /// `execution.checkpointing.dir`. Default: `file:/checkpoints`.
    pub checkpoint_directory: String,
    /// How long ended operations are remembered (`rest.async.store-duration`). Default: 5 min.
    pub operation_memory: Duration,
    /// How long answers about a job's graph and its checkpoints are repeated unchanged (`web.refresh-interval`,
    /// `rest.cache.checkpoint-statistics.timeout`). They are out of date by so much, also when the job has ended
    /// meanwhile. Default: 3 s.
    pub statistics_memory: Duration,
    /// How long ended jobs are remembered (`jobstore.expiration-time`). Default: 1 h.
    pub job_memory: Duration,
    /// How long an application's main method runs before it submits its job; until then the list of jobs is empty
    /// although the REST API answers. Default: 300 ms.
    pub main_method: Duration,
    /// How jobs behave that are run from a jar.
    pub jar_plan: JobPlan,
    /// How they behave instead when they are given this argument. Default: none.
    pub plans_by_argument: BTreeMap<String, JobPlan>,
    /// Shown by `GET /jobmanager/config`.
    pub configuration: BTreeMap<String, String>,
}

impl Default for ClusterSettings {
    fn default() -> Self {
        Self {
            version: "1.20.3".to_owned(),
            adaptive: false,
            reactive: false,
            taskmanagers: 1,
            slots: 8,
            savepoint_directory: None,
            checkpoint_directory: "file:/checkpoints".to_owned(),
            operation_memory: Duration::from_mins(5),
            statistics_memory: Duration::from_secs(3),
            job_memory: Duration::from_hours(1),
            main_method: Duration::from_millis(300),
            jar_plan: JobPlan::default(),
            plans_by_argument: BTreeMap::new(),
            configuration: BTreeMap::new(),
        }
    }
}

impl ClusterSettings {
    /// Whether the version is 2 or newer.
    pub(super) fn is_newer(&self) -> bool {
        !self.version.starts_with("1.")
    }
}

/// A job to start.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Id of the job.
    pub job: JobId,
    /// How it behaves.
    pub plan: JobPlan,
    /// Snapshot to start from; `None`: start empty.
    pub restore_path: Option<String>,
}

/// Why a job is not started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmissionError {
    /// The id was used before, by a job that runs or has ended.
    #[error("Job has already been submitted.")]
    Duplicate,
}

/// What a new JobManager finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobManagerRestart {
    /// HA metadata: jobs go on from their newest checkpoint under their ids. Ended jobs are not found any more, but
    /// their ids stay refused (`job-result-store.delete-on-commit: false`), so that an application's main method
    /// which runs again does not run its job again.
    WithHa,
    /// Application cluster without HA: the main method runs again, with what it was first given to start from,
    /// whether or not its job had ended.
    ApplicationWithoutHa,
    /// Session cluster without HA: all jobs are gone, and nobody knows that they were.
    SessionWithoutHa,
}

/// A Flink cluster as its REST API shows it.
#[derive(Debug, Clone)]
pub struct FlinkState {
    pub(super) settings: ClusterSettings,
    pub(super) storage: Storage,
    pub(super) jobs: BTreeMap<JobId, StubJob>,
    pub(super) operations: Operations,
    /// Uploaded jars: id, file name, time of upload.
    pub(super) jars: BTreeMap<String, (String, i64)>,
    submissions: BTreeMap<JobId, Submission>,
    /// Submissions that a main method makes later.
    arriving: Vec<(Timestamp, Submission)>,
    /// Ids that were ever submitted, as far as this JobManager knows.
    used_ids: BTreeSet<JobId>,
    views: BTreeMap<(JobId, View), (Timestamp, StubJob)>,
    faults: Vec<FaultRule>,
    not_ready_until: Option<Timestamp>,
    clock: Timestamp,
    log: Vec<String>,
}

/// Where an answer about a job comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum View {
    /// The job as it is.
    Live,
    /// The cached execution graph.
    Graph,
    /// The cached checkpoint statistics.
    Statistics,
}

impl FlinkState {
    /// An empty cluster that is ready at once. The storage is where its snapshots go.
    #[must_use]
    pub fn new(settings: ClusterSettings, storage: Storage, now: Timestamp) -> Self {
        Self {
            settings,
            storage,
            jobs: BTreeMap::new(),
            operations: Operations::default(),
            jars: BTreeMap::new(),
            submissions: BTreeMap::new(),
            arriving: Vec::new(),
            used_ids: BTreeSet::new(),
            views: BTreeMap::new(),
            faults: Vec::new(),
            not_ready_until: None,
            clock: now,
            log: Vec::new(),
        }
    }

    /// Answers a request. `path` starts with a slash and has its query.
    pub fn handle(&mut self, method: &Method, path: &str, body: &[u8], now: Timestamp) -> StubResponse {
        self.advance(now);
        self.log.push(format!("{method} {path}"));
        let Some(rule) = faults::take(&mut self.faults, method, path) else {
            return self.answer(method, path, body);
        };
        let unaffected = !rule.applied || rule.fault == Fault::Refuse;
        let answer = if let Fault::AboutJob(job) = &rule.fault {
            routes::route_about(self, method, path, body, job)
        } else if unaffected {
            StubResponse::plain_error(500, "the request was not handled")
        } else {
            self.answer(method, path, body)
        };
        rule.fault.spoil(answer)
    }

    fn answer(&mut self, method: &Method, path: &str, body: &[u8]) -> StubResponse {
        if self.not_ready_until.is_some_and(|until| self.clock < until) {
            let text = "Service temporarily unavailable due to an ongoing leader election. Please refresh.";
            return StubResponse::plain_error(503, text);
        }
        routes::route(self, method, path, body)
    }

    /// Moves jobs along to a point in time, step by step in the order of time. An earlier time does nothing.
    pub fn advance(&mut self, now: Timestamp) {
        loop {
            let step = self.next_step().filter(|(at, _)| *at <= now);
            let arrival = self.next_arrival().filter(|at| *at <= now);
            match (step, arrival) {
                (Some((at, id)), arrival) if arrival.is_none_or(|arrival| at <= arrival) => {
                    self.clock = self.clock.max(at);
                    self.with_job(&id, |job, around| job.step(at, around));
                }
                (_, Some(at)) => self.arrive(at),
                (_, None) => break,
            }
        }
        self.clock = self.clock.max(now);
        self.operations.forget(self.clock, self.settings.operation_memory);
        let remembered_since = (self.clock - self.settings.job_memory).as_millisecond();
        self.jobs.retain(|_, job| job.ended.is_none_or(|ended| ended > remembered_since));
    }

    fn arrive(&mut self, at: Timestamp) {
        self.clock = self.clock.max(at);
        let (due, later) = std::mem::take(&mut self.arriving).into_iter().partition(|(due, _)| *due <= at);
        self.arriving = later;
        let due: Vec<(Timestamp, Submission)> = due;
        for (at, submission) in due {
            // A main method whose job has ended before is told so, and leaves it at that.
            let _refused = self.accept(submission, at);
        }
    }

    /// When something happens next by itself: a simulation may sleep until then.
    #[must_use]
    pub fn next_event(&self) -> Option<Timestamp> {
        let steps = self.next_step().map(|(at, _)| at).into_iter().chain(self.next_arrival());
        steps.chain(self.not_ready_until).filter(|at| *at > self.clock).min()
    }

    fn next_step(&self) -> Option<(Timestamp, JobId)> {
        self.jobs.values().filter_map(|job| Some((job.next_step()?, job.id.clone()))).min()
    }

    fn next_arrival(&self) -> Option<Timestamp> {
        self.arriving.iter().map(|(at, _)| *at).min()
    }

    /// A job as Flink shows it: perhaps out of date. Only whether checkpoints were discarded is always current,
    /// because Flink's cache holds the very objects that are marked.
    pub(super) fn view(&mut self, id: &JobId, view: View) -> Option<StubJob> {
        let live = self.jobs.get(id)?;
        if view == View::Live {
            return Some(live.clone());
        }
        let cached = self.views.entry((id.clone(), view)).or_insert_with(|| (self.clock, live.clone()));
        if self.clock >= cached.0 + self.settings.statistics_memory {
            *cached = (self.clock, live.clone());
        }
        let mut job = cached.1.clone();
        if let (Some(shown), Some(current)) = (&mut job.log, &live.log) {
            for entry in &mut shown.entries {
                entry.discarded = current.entries.iter().any(|it| it.id == entry.id && it.discarded);
            }
        }
        Some(job)
    }

    pub(super) fn clock(&self) -> Timestamp {
        self.clock
    }

    /// Runs something on a job together with what it may touch.
    pub(super) fn with_job<T>(
        &mut self,
        id: &JobId,
        action: impl FnOnce(&mut StubJob, &mut Surroundings<'_>) -> T,
    ) -> Option<T> {
        let mut around = Surroundings {
            operations: &mut self.operations,
            storage: &self.storage,
            checkpoint_directory: &self.settings.checkpoint_directory,
            adaptive: self.settings.adaptive || self.settings.reactive,
            reactive: self.settings.reactive,
            slots: self.settings.taskmanagers.saturating_mul(self.settings.slots),
        };
        self.jobs.get_mut(id).map(|job| action(job, &mut around))
    }

    /// Starts a job at once.
    pub fn submit(&mut self, submission: Submission, now: Timestamp) -> Result<(), SubmissionError> {
        self.advance(now);
        self.accept(submission, now)
    }

    /// Starts a job as a new application cluster does: the REST API is ready after a while, and later the main
    /// method submits the job. In between the list of jobs is empty.
    pub fn start_application(&mut self, submission: Submission, ready_after: Duration, now: Timestamp) {
        self.advance(now);
        self.not_ready_until = Some(now + ready_after);
        self.arriving.push((now + ready_after + self.settings.main_method, submission));
    }

    fn accept(&mut self, submission: Submission, now: Timestamp) -> Result<(), SubmissionError> {
        if !self.used_ids.insert(submission.job.clone()) {
            return Err(SubmissionError::Duplicate);
        }
        let Submission { job, plan, restore_path } = submission.clone();
        self.jobs.insert(job.clone(), StubJob::submitted(job.clone(), plan, restore_path, now));
        self.submissions.insert(job, submission);
        Ok(())
    }

    /// A new JobManager takes over. It answers 503 until it is ready, and remembers no operation.
    pub fn restart_jobmanager(&mut self, restart: JobManagerRestart, ready_after: Duration, now: Timestamp) {
        self.advance(now);
        self.operations = Operations::default();
        self.views.clear();
        self.jars.clear();
        let ready = now + ready_after;
        self.not_ready_until = Some(ready);
        match restart {
            JobManagerRestart::SessionWithoutHa => {
                self.jobs.clear();
                self.submissions.clear();
                self.used_ids.clear();
            }
            JobManagerRestart::ApplicationWithoutHa => {
                self.jobs.clear();
                self.used_ids.clear();
                let again = std::mem::take(&mut self.submissions).into_values();
                let submits_at = ready + self.settings.main_method;
                self.arriving.extend(again.map(|submission| (submits_at, submission)));
            }
            JobManagerRestart::WithHa => {
                self.jobs.retain(|_, job| !job.state.is_globally_terminal());
                for job in self.jobs.values_mut() {
                    job.recover(ready);
                }
            }
        }
    }

    /// Answers 503 until a point in time, as a JobManager does while it waits for leadership.
    pub fn not_ready_until(&mut self, until: Timestamp) {
        self.not_ready_until = Some(until);
    }

    /// TaskManagers register, or are lost. Jobs that lose some go back to their newest checkpoint as soon as there are
    /// slots enough; jobs that wait for slots get them.
    pub fn set_taskmanagers(&mut self, number: u32, now: Timestamp) {
        self.advance(now);
        let before = std::mem::replace(&mut self.settings.taskmanagers, number);
        if before == number {
            return;
        }
        for id in self.live_jobs() {
            self.with_job(&id, |job, around| job.slots_changed(number < before, now, around));
        }
    }

    /// A job that runs or is remembered.
    #[must_use]
    pub fn job(&self, id: &JobId) -> Option<&StubJob> {
        self.jobs.get(id)
    }

    /// All jobs that run or are remembered.
    pub fn jobs(&self) -> impl Iterator<Item = &StubJob> {
        self.jobs.values()
    }

    /// Ids of jobs that have not ended.
    #[must_use]
    pub fn live_jobs(&self) -> Vec<JobId> {
        self.jobs.values().filter(|job| !job.state.is_globally_terminal()).map(|job| job.id.clone()).collect()
    }

    /// The plan of a job, to change how it behaves from now on.
    pub fn plan_mut(&mut self, id: &JobId) -> Option<&mut JobPlan> {
        self.jobs.get_mut(id).map(|job| &mut job.plan)
    }

    /// The settings as they are now.
    #[must_use]
    pub fn settings(&self) -> &ClusterSettings {
        &self.settings
    }

    /// The settings, to change how the cluster behaves from now on.
    pub fn settings_mut(&mut self) -> &mut ClusterSettings {
        &mut self.settings
    }

    /// The storage that the cluster writes to.
    #[must_use]
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Makes a job fail now, with the restarts of its plan.
    pub fn fail_job(&mut self, id: &JobId, text: &str, now: Timestamp) {
        self.advance(now);
        self.with_job(id, |job, around| job.fail(text, now, around));
    }

    /// Makes a job finish now by itself.
    pub fn finish_job(&mut self, id: &JobId, now: Timestamp) {
        self.advance(now);
        self.with_job(id, |job, around| {
            if !job.state.is_globally_terminal() {
                job.end(JobState::Finished, now, around);
            }
        });
    }

    /// Adds a fault after those that are there.
    pub fn add_fault(&mut self, rule: FaultRule) {
        self.faults.push(rule);
    }

    /// Removes all faults.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// Requests so far, each `METHOD path`, oldest first.
    #[must_use]
    pub fn requests(&self) -> &[String] {
        &self.log
    }
}
