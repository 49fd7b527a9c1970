//! One job of the stub and the steps it goes through.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::operations::{Operations, Outcome, Raised};
use super::plan::{JobEnd, JobPlan, SavepointBehaviour};
use super::snapshots::{Entry, Log, Purpose, RestoredFrom, checkpoint_path, savepoint_path};
use super::storage::{SnapshotKind, Storage, StoredSnapshot};
use crate::answers::{CheckpointStatus, JobState};
use crate::identifiers::JobId;

const CHECKPOINT_EXCEPTION: &str = "org.apache.flink.runtime.checkpoint.CheckpointException";

/// What happens to a job at a point in time.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Created,
    Running,
    TasksRunning,
    Periodic,
    SnapshotDone(u64),
    Finish,
    Fail(String),
    Restart,
    Cancelled,
}

/// What a step may touch besides its job.
pub(super) struct Surroundings<'a> {
    pub(super) operations: &'a mut Operations,
    pub(super) storage: &'a Storage,
    pub(super) checkpoint_directory: &'a str,
    pub(super) adaptive: bool,
    pub(super) reactive: bool,
    /// All slots of all TaskManagers.
    pub(super) slots: u32,
}

/// An exception in the history of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ExceptionRecord {
    pub(super) raised: Raised,
    pub(super) at: i64,
    pub(super) task: Option<String>,
}

/// A job of the stub.
#[derive(Debug, Clone)]
pub struct StubJob {
    pub(super) id: JobId,
    pub(super) plan: JobPlan,
    pub(super) restore_path: Option<String>,
    pub(super) state: JobState,
    pub(super) entered: BTreeMap<JobState, i64>,
    pub(super) started: i64,
    pub(super) ended: Option<i64>,
    pub(super) tasks_running: bool,
    pub(super) restarts: u64,
    pub(super) exceptions: Vec<ExceptionRecord>,
    pub(super) failure: Option<Raised>,
    /// `None` when the job has no checkpointing or only its end is known.
    pub(super) log: Option<Log>,
    steps: Vec<(Timestamp, Step)>,
    records_before: u64,
    running_since: Option<Timestamp>,
    stopping: bool,
    /// Whether its tasks are to run as soon as there are slots for them.
    pub(super) waits_for_slots: bool,
}

impl StubJob {
    /// A job that begins to start now.
    pub(super) fn submitted(id: JobId, plan: JobPlan, restore_path: Option<String>, now: Timestamp) -> Self {
        let initializing = plan.initializing;
        let mut job = Self {
            id,
            plan,
            restore_path,
            state: JobState::Initializing,
            entered: BTreeMap::new(),
            started: now.as_millisecond(),
            ended: None,
            tasks_running: false,
            restarts: 0,
            exceptions: Vec::new(),
            failure: None,
            log: Some(Log { next_id: 1, ..Log::default() }),
            steps: Vec::new(),
            records_before: 0,
            running_since: None,
            stopping: false,
            waits_for_slots: false,
        };
        job.enter(JobState::Initializing, now);
        job.schedule(now, initializing, Step::Created);
        job
    }

    /// State as Flink reports it.
    #[must_use]
    pub fn state(&self) -> JobState {
        self.state
    }

    /// Id.
    #[must_use]
    pub fn id(&self) -> &JobId {
        &self.id
    }

    /// What the job was asked to start from.
    #[must_use]
    pub fn restore_path(&self) -> Option<&str> {
        self.restore_path.as_deref()
    }

    /// Records processed until now, counted from the first start of the lineage: after a restore it goes on
    /// from the number in the snapshot, so that lost or repeated state shows.
    #[must_use]
    pub fn records(&self, now: Timestamp) -> u64 {
        let Some(since) = self.running_since else { return self.records_before };
        let milliseconds = u64::try_from(now.as_millisecond() - since.as_millisecond()).unwrap_or(0);
        self.records_before + milliseconds * self.plan.records_per_second / 1000
    }

    /// When the next step is due.
    pub(super) fn next_step(&self) -> Option<Timestamp> {
        self.steps.iter().map(|(at, _)| *at).min()
    }

    fn schedule(&mut self, now: Timestamp, after: Duration, step: Step) {
        self.steps.push((now + after, step));
    }

    fn enter(&mut self, state: JobState, now: Timestamp) {
        self.state = state;
        self.entered.insert(state, now.as_millisecond());
    }

    /// Takes the earliest step, which must be due at `at`.
    pub(super) fn step(&mut self, at: Timestamp, around: &mut Surroundings<'_>) {
        let Some(index) = self.steps.iter().position(|(due, _)| *due == at) else { return };
        let (_, step) = self.steps.remove(index);
        match step {
            Step::Created => self.create(at, around),
            Step::Running => self.run(at),
            Step::TasksRunning => self.tasks_run(at, around),
            Step::Periodic => {
                self.begin_snapshot(&Purpose::Periodic, at, around);
                self.schedule_periodic(at);
            }
            Step::SnapshotDone(id) => self.snapshot_done(id, at, around),
            Step::Finish => self.end(JobState::Finished, at, around),
            Step::Fail(text) => self.fail(&text, at, around),
            Step::Restart => self.restart(at),
            Step::Cancelled => self.end(JobState::Canceled, at, around),
        }
    }

    fn create(&mut self, at: Timestamp, around: &mut Surroundings<'_>) {
        if let Some(path) = self.restore_path.clone() {
            let Some(snapshot) = around.storage.get(&path) else {
                self.cannot_start(&path, at, around);
                return;
            };
            self.restore(RestoredFrom {
                id: snapshot.checkpoint_id,
                at: at.as_millisecond(),
                is_savepoint: snapshot.kind == SnapshotKind::Savepoint,
                path,
                records: snapshot.records,
            });
        }
        self.enter(JobState::Created, at);
        self.schedule(at, self.plan.scheduling, Step::Running);
    }

    /// The id of the job is used up by this, although the submission is refused.
    fn cannot_start(&mut self, path: &str, at: Timestamp, around: &mut Surroundings<'_>) {
        let cause = format!(
            "java.io.FileNotFoundException: Cannot find checkpoint or savepoint file/directory '{path}' on file \
             system 'file'."
        );
        if around.adaptive {
            self.failure = Some(Raised::new("java.util.concurrent.CompletionException", &cause, &[&cause]));
        } else {
            let class = "org.apache.flink.runtime.client.JobInitializationException";
            let raised = Raised::new(class, "Could not start the JobMaster.", &[&cause]);
            let record = ExceptionRecord { raised: raised.clone(), at: at.as_millisecond(), task: None };
            self.exceptions.insert(0, record);
            self.failure = Some(raised);
            self.log = None;
        }
        self.end(JobState::Failed, at, around);
    }

    /// Goes back to a snapshot.
    pub(super) fn restore(&mut self, from: RestoredFrom) {
        self.records_before = from.records;
        self.running_since = None;
        if let Some(log) = &mut self.log {
            log.next_id = log.next_id.max(from.id + 1);
            log.restores += 1;
            log.restored = Some(from);
        }
    }

    fn run(&mut self, at: Timestamp) {
        self.enter(JobState::Running, at);
        self.schedule(at, self.plan.deploying, Step::TasksRunning);
    }

    /// The parallelism of its widest vertex, which is how many slots it needs.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.plan.vertices.iter().map(|vertex| vertex.parallelism).max().unwrap_or(0)
    }

    /// Whether its tasks run.
    #[must_use]
    pub fn has_running_tasks(&self) -> bool {
        self.tasks_running
    }

    fn fits(&self, around: &Surroundings<'_>) -> bool {
        around.slots > 0 && (around.reactive || self.width() <= around.slots)
    }

    fn tasks_run(&mut self, at: Timestamp, around: &Surroundings<'_>) {
        if around.reactive && around.slots > 0 {
            // As many as there are, whatever was asked for.
            for vertex in &mut self.plan.vertices {
                vertex.parallelism = around.slots.min(vertex.max_parallelism);
            }
        }
        self.waits_for_slots = !self.fits(around);
        if self.waits_for_slots {
            if around.adaptive {
                self.enter(JobState::Created, at);
            }
            return;
        }
        self.tasks_running = true;
        self.running_since = Some(at);
        self.schedule_periodic(at);
        match self.plan.end.clone() {
            JobEnd::Never => {}
            JobEnd::Finishes(after) => self.schedule(at, after, Step::Finish),
            JobEnd::Fails { after, text, .. } => self.schedule(at, after, Step::Fail(text)),
        }
    }

    fn schedule_periodic(&mut self, at: Timestamp) {
        if let Some(interval) = self.plan.checkpoint_interval {
            self.schedule(at, interval, Step::Periodic);
        }
    }

    /// Begins a snapshot, or says why it cannot. Periodic ones that cannot begin are left out.
    pub(super) fn begin_snapshot(&mut self, purpose: &Purpose, at: Timestamp, around: &mut Surroundings<'_>) {
        let refuse = |operations: &mut Operations, message: &str| {
            if let Some(key) = purpose.key() {
                let raised = Raised::in_future(CHECKPOINT_EXCEPTION, message);
                operations.end(key, Outcome::Failed(raised), at);
            }
        };
        if self.state != JobState::Running || !self.tasks_running {
            let task = self.plan.vertices.first().map_or("", |vertex| vertex.name.as_str());
            let message = format!(
                "Checkpoint triggering task {task} (1/1) of job {} is not being executed at the moment. Aborting \
                 checkpoint. Failure reason: Not all required tasks are currently running.",
                self.id
            );
            return refuse(around.operations, &message);
        }
        if self.stopping {
            return refuse(around.operations, "Checkpoint Coordinator is suspending.");
        }
        let records = self.records(at);
        let Some(log) = &mut self.log else { return };
        let id = log.next_id;
        log.next_id += 1;
        let mut entry = Entry {
            id,
            purpose: purpose.clone(),
            status: CheckpointStatus::InProgress,
            triggered: at.as_millisecond(),
            ended: at.as_millisecond(),
            records,
            path: String::new(),
            discarded: false,
            failure: String::new(),
        };
        if let Some(directory) = purpose.directory().filter(|it| around.storage.refuses(it)) {
            let message = "An Exception occurred while triggering the checkpoint. IO-problem detected.";
            let cause = format!("java.io.IOException: Failed to create savepoint directory at {directory}");
            let raised = Raised::new(CHECKPOINT_EXCEPTION, message, &[&cause]);
            entry.status = CheckpointStatus::Failed;
            message.clone_into(&mut entry.failure);
            log.entries.push(entry);
            if let Some(key) = purpose.key() {
                around.operations.end(key, Outcome::Failed(raised), at);
            }
            return;
        }
        log.entries.push(entry);
        self.stopping = matches!(purpose, Purpose::Stop(..));
        if purpose.directory().is_none() || self.plan.savepoints != SavepointBehaviour::Hangs {
            self.schedule(at, self.plan.snapshot, Step::SnapshotDone(id));
        }
    }

    fn snapshot_done(&mut self, id: u64, at: Timestamp, around: &mut Surroundings<'_>) {
        let Some(entry) = self.log.as_mut().and_then(|log| log.get_mut(id)) else { return };
        entry.ended = at.as_millisecond();
        let purpose = entry.purpose.clone();
        if let (Some(_), SavepointBehaviour::Fails(text)) = (purpose.directory(), &self.plan.savepoints) {
            let text = text.clone();
            entry.status = CheckpointStatus::Failed;
            entry.failure.clone_from(&text);
            self.snapshot_failed(&purpose, &text, at, around);
            return;
        }
        entry.status = CheckpointStatus::Completed;
        let path = self.store(id, &purpose, around);
        match purpose {
            Purpose::Periodic => {}
            Purpose::Checkpoint(key) => around.operations.end(&key, Outcome::Checkpoint(id), at),
            Purpose::Savepoint(key, _) => around.operations.end(&key, Outcome::Location(path), at),
            Purpose::Stop(key, _) if self.plan.savepoints == SavepointBehaviour::FailsAfterCompletion => {
                let class =
                    "org.apache.flink.runtime.scheduler.stopwithsavepoint.StopWithSavepointStoppingException";
                let message = format!(
                    "A savepoint has been created at: {path}, but the corresponding job {} didn't terminate \
                     successfully.",
                    self.id
                );
                around.operations.end(&key, Outcome::Failed(Raised::in_future(class, &message)), at);
                self.fail_over("Stop-with-savepoint failed.", Duration::ZERO, at, around);
            }
            Purpose::Stop(key, _) => {
                around.operations.end(&key, Outcome::Location(path), at);
                self.end(JobState::Finished, at, around);
            }
        }
    }

    /// A stop whose savepoint fails restarts the job, because its sources had stopped already.
    fn snapshot_failed(
        &mut self,
        purpose: &Purpose,
        text: &str,
        at: Timestamp,
        around: &mut Surroundings<'_>,
    ) {
        if let Some(key) = purpose.key() {
            let raised = Raised::in_future(CHECKPOINT_EXCEPTION, text);
            around.operations.end(key, Outcome::Failed(raised), at);
        }
        if matches!(purpose, Purpose::Stop(..)) {
            self.fail_over("Stop-with-savepoint failed.", Duration::ZERO, at, around);
        }
    }

    /// Writes a completed snapshot and gives up the checkpoint before it (`num-retained: 1`).
    fn store(&mut self, id: u64, purpose: &Purpose, around: &mut Surroundings<'_>) -> String {
        let job = self.id.as_str();
        let addressable = self.plan.addressable_checkpoints;
        let path = match purpose.directory() {
            Some(directory) => savepoint_path(directory, job, around.storage.next_number()),
            None => checkpoint_path(around.checkpoint_directory, job, id, addressable),
        };
        let Some(log) = &mut self.log else { return path };
        let parent = log.restored.as_ref().map(|it| it.path.clone());
        let is_savepoint = purpose.directory().is_some();
        for entry in &mut log.entries {
            if entry.id == id {
                entry.path.clone_from(&path);
                around.storage.put(StoredSnapshot {
                    path: path.clone(),
                    kind: if is_savepoint { SnapshotKind::Savepoint } else { SnapshotKind::Checkpoint },
                    job: self.id.clone(),
                    checkpoint_id: id,
                    records: entry.records,
                    trigger_timestamp: entry.triggered,
                    parent: parent.clone(),
                    deleted: false,
                });
            } else if !is_savepoint && entry.status == CheckpointStatus::Completed && !entry.is_savepoint() {
                entry.discarded = true;
                around.storage.delete(&entry.path);
            }
        }
        path
    }

    /// A failure of the job's own, with the restarts of its plan.
    pub(super) fn fail(&mut self, text: &str, at: Timestamp, around: &mut Surroundings<'_>) {
        if self.state.is_globally_terminal() {
            return;
        }
        let (allowed, delay) = match &self.plan.end {
            JobEnd::Fails { restarts, delay, .. } => (u64::from(*restarts), *delay),
            JobEnd::Never | JobEnd::Finishes(_) => (0, Duration::ZERO),
        };
        if self.restarts < allowed {
            self.fail_over(text, delay, at, around);
            return;
        }
        let cause = format!("java.lang.IllegalStateException: {text}");
        let class = "org.apache.flink.runtime.JobException";
        let message = format!(
            "Recovery is suppressed by FixedDelayRestartBackoffTimeStrategy(maxNumberRestartAttempts={allowed}, backoffTimeMS={})",
            delay.as_millis()
        );
        let raised = Raised::new(class, &message, &[&cause]);
        self.exceptions
            .insert(0, ExceptionRecord { raised: raised.clone(), at: at.as_millisecond(), task: None });
        self.failure = Some(raised);
        self.enter(JobState::Failing, at);
        self.end(JobState::Failed, at, around);
    }

    /// A failure after which the job goes back to its newest checkpoint.
    fn fail_over(&mut self, text: &str, delay: Duration, at: Timestamp, around: &mut Surroundings<'_>) {
        let task =
            self.plan.vertices.first().map(|vertex| format!("{} (1/{})", vertex.name, vertex.parallelism));
        let raised = Raised::new("java.lang.IllegalStateException", text, &[]);
        self.exceptions.insert(0, ExceptionRecord { raised, at: at.as_millisecond(), task });
        self.abandon_snapshots("Checkpoint Coordinator is suspending.", at, around);
        self.steps.clear();
        self.tasks_running = false;
        self.waits_for_slots = false;
        self.stopping = false;
        self.enter(JobState::Restarting, at);
        self.schedule(at, delay, Step::Restart);
    }

    fn restart(&mut self, at: Timestamp) {
        self.restarts += 1;
        self.go_back(at);
        self.run(at);
    }

    /// Goes back to the newest checkpoint, else to what the job was started from, else to nothing. Savepoints
    /// that were taken meanwhile belong to the user and are not used.
    fn go_back(&mut self, at: Timestamp) {
        let Some(log) = &self.log else { return };
        let checkpoint = log.newest_checkpoint().map(|it| RestoredFrom {
            id: it.id,
            at: at.as_millisecond(),
            is_savepoint: false,
            path: it.path.clone(),
            records: it.records,
        });
        if let Some(from) = checkpoint.or_else(|| log.restored.clone()) {
            self.restore(from);
        } else {
            self.records_before = 0;
            self.running_since = None;
        }
    }

    /// There are other slots than before. With fewer, those that go take tasks with them.
    pub(super) fn slots_changed(&mut self, fewer: bool, at: Timestamp, around: &mut Surroundings<'_>) {
        if self.waits_for_slots {
            if self.fits(around) {
                let step = if self.state == JobState::Created { Step::Running } else { Step::TasksRunning };
                self.waits_for_slots = false;
                self.schedule(at, self.plan.deploying, step);
            }
        } else if self.tasks_running && fewer && self.plan.ends_without_slots {
            let text = "Heartbeat of TaskManager timed out.";
            self.failure = Some(Raised::new("org.apache.flink.runtime.JobException", text, &[]));
            self.end(JobState::Failed, at, around);
        } else if self.tasks_running && fewer {
            self.fail_over("The TaskManager is shutting down.", Duration::from_secs(1), at, around);
        } else if self.tasks_running && around.reactive {
            self.rescale(at, around);
        }
    }

    /// Rescales: the tasks go back to the newest checkpoint and start again.
    pub(super) fn rescale(&mut self, at: Timestamp, around: &mut Surroundings<'_>) {
        self.abandon_snapshots("Checkpoint Coordinator is suspending.", at, around);
        self.steps.clear();
        self.tasks_running = false;
        self.stopping = false;
        self.go_back(at);
        self.run(at);
    }

    /// The same job under a new JobManager that knows it from HA metadata.
    pub(super) fn recover(&mut self, at: Timestamp) {
        self.steps.clear();
        self.tasks_running = false;
        self.waits_for_slots = false;
        self.stopping = false;
        self.restarts = 0;
        self.exceptions.clear();
        if let Some(log) = &mut self.log {
            log.entries.retain(|it| it.status == CheckpointStatus::Completed);
        }
        self.go_back(at);
        if let Some(log) = &mut self.log {
            // The new JobManager's statistics begin with the restore.
            let from = log.restored.take();
            let restores = u64::from(from.is_some());
            *log = Log { restored: from, restores, next_id: log.next_id, entries: Vec::new() };
        }
        self.started = at.as_millisecond();
        self.enter(JobState::Initializing, at);
        self.enter(JobState::Created, at + self.plan.initializing);
        self.schedule(at, self.plan.initializing + self.plan.scheduling, Step::Running);
    }

    fn abandon_snapshots(&mut self, reason: &str, at: Timestamp, around: &mut Surroundings<'_>) {
        let raised = Raised::in_future(CHECKPOINT_EXCEPTION, reason);
        around.operations.fail_open(&self.id, &raised, at);
        let Some(log) = &mut self.log else { return };
        for entry in log.entries.iter_mut().filter(|it| it.status == CheckpointStatus::InProgress) {
            entry.status = CheckpointStatus::Failed;
            entry.ended = at.as_millisecond();
            reason.clone_into(&mut entry.failure);
        }
    }

    /// Begins to cancel. False when the job has ended otherwise.
    pub(super) fn cancel(&mut self, at: Timestamp, around: &mut Surroundings<'_>) -> bool {
        match self.state {
            JobState::Canceled | JobState::Cancelling => true,
            JobState::Finished | JobState::Failed => false,
            JobState::Initializing
            | JobState::Created
            | JobState::Running
            | JobState::Failing
            | JobState::Restarting
            | JobState::Suspended
            | JobState::Reconciling => {
                self.records_before = self.records(at);
                self.running_since = None;
                self.abandon_snapshots("Checkpoint Coordinator is suspending.", at, around);
                self.steps.clear();
                self.tasks_running = false;
                self.waits_for_slots = false;
                self.enter(JobState::Cancelling, at);
                self.schedule(at, self.plan.cancelling, Step::Cancelled);
                true
            }
        }
    }

    /// Ends the job for good.
    pub(super) fn end(&mut self, state: JobState, at: Timestamp, around: &mut Surroundings<'_>) {
        self.records_before = self.records(at);
        self.running_since = None;
        self.abandon_snapshots("Checkpoint Coordinator is suspending.", at, around);
        self.steps.clear();
        self.tasks_running = false;
        self.waits_for_slots = false;
        self.stopping = false;
        self.ended = Some(at.as_millisecond());
        self.enter(state, at);
        // A finished job leaves no checkpoints behind, whatever is configured; its statistics say so.
        let kept = match state {
            JobState::Finished => false,
            JobState::Canceled => self.plan.retain_on_cancellation,
            _ => true,
        };
        let Some(log) = self.log.as_mut().filter(|_| !kept) else { return };
        for entry in log.entries.iter_mut().filter(|it| !it.is_savepoint()) {
            entry.discarded = true;
            around.storage.delete(&entry.path);
        }
    }
}
