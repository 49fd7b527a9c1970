//! The checks: facts about Flink that the operator relies on. Each is true of the stub and of real Flink.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use flink_client::answers::{
    ApplicationStatus, CheckpointStatistics, FailureCause, JobState, Metric, Operation,
};
use flink_client::{
    CheckpointTrigger, CheckpointType, ErrorClass, FlinkCluster, FlinkError, JarFile, JarRun, JobId, Limits,
    SavepointFormat, SavepointTrigger, StopWithSavepoint, TriggerId,
};

/// What one check found.
pub(crate) struct Outcome {
    name: &'static str,
    /// Why Flink does not behave as expected.
    pub(crate) difference: Option<String>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.difference {
            None => write!(f, "agrees   {}", self.name),
            Some(difference) => write!(f, "DIFFERS  {}: {difference}", self.name),
        }
    }
}

/// The cluster under test.
pub(crate) struct Bench {
    flink: FlinkCluster,
    jar: JarFile,
    savepoints: String,
    arguments: Vec<String>,
    /// Makes the ids of this run differ from those of earlier runs against the same cluster.
    run: u128,
}

type Check = Result<(), String>;

fn ensure(holds: bool, what: impl Fn() -> String) -> Check {
    if holds { Ok(()) } else { Err(what()) }
}

fn said<T, E: fmt::Display>(result: Result<T, E>, what: &str) -> Result<T, String> {
    result.map_err(|error| format!("{what}: {error}"))
}

fn refused<T: fmt::Debug>(result: Result<T, FlinkError>, what: &str) -> Result<FlinkError, String> {
    match result {
        Err(error) => Ok(error),
        Ok(value) => Err(format!("{what} is not refused: {value:?}")),
    }
}

impl Bench {
    /// A cluster at the start of a run.
    pub(crate) fn new(
        flink: &FlinkCluster,
        jar: JarFile,
        savepoints: String,
        arguments: Vec<String>,
    ) -> Self {
        let limits = Limits::default().with_time(Duration::from_mins(1));
        let run = u128::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default() << 32;
        Self { flink: flink.with_limits(limits), jar, savepoints, arguments, run }
    }

    fn job(&self, number: u128) -> JobId {
        JobId::from_u128(self.run | number)
    }

    fn trigger(&self, number: u128) -> TriggerId {
        TriggerId::from_u128(self.run | number)
    }

    fn savepoint(&self, number: u128) -> SavepointTrigger {
        SavepointTrigger {
            target_directory: Some(self.savepoints.clone()),
            format_type: SavepointFormat::Canonical,
            trigger_id: self.trigger(number),
        }
    }

    fn stop(&self, number: u128) -> StopWithSavepoint {
        StopWithSavepoint {
            target_directory: Some(self.savepoints.clone()),
            drain: false,
            format_type: SavepointFormat::Canonical,
            trigger_id: self.trigger(number),
        }
    }

    /// Runs the jar as a job. A failing one restarts once.
    async fn submit(&self, job: &JobId, more: &[&str], savepoint: Option<&str>) -> Result<JobId, FlinkError> {
        let jar = self.flink.upload_jar(&self.jar).await?;
        let mut run = JarRun {
            program_args: self
                .arguments
                .iter()
                .cloned()
                .chain(more.iter().map(ToString::to_string))
                .collect(),
            parallelism: Some(1),
            job_id: Some(job.clone()),
            savepoint_path: savepoint.map(ToOwned::to_owned),
            ..JarRun::default()
        };
        for (key, value) in [
            ("restart-strategy.type", "fixed-delay"),
            ("restart-strategy.fixed-delay.attempts", "1"),
            ("restart-strategy.fixed-delay.delay", "100 ms"),
        ] {
            run.flink_configuration.insert(key.to_owned(), value.to_owned());
        }
        let started = self.flink.run_jar(&jar, &run).await;
        self.flink.delete_jar(&jar).await?;
        started
    }

    /// Asks until the answer satisfies, for at most a minute.
    async fn until<T, F, Fut>(&self, what: &str, ask: F) -> Result<T, String>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<Option<T>, FlinkError>>,
    {
        for _ in 0..300 {
            if let Some(value) = said(ask().await, what)? {
                return Ok(value);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Err(format!("{what}: not within a minute"))
    }

    async fn reaches(&self, job: &JobId, state: JobState) -> Check {
        let what = format!("job {state}");
        self.until(&what, async || Ok((self.flink.job_status(job).await? == state).then_some(()))).await
    }

    /// A job whose tasks run and that has completed a checkpoint.
    async fn running(&self, number: u128, savepoint: Option<&str>) -> Result<JobId, String> {
        let job = self.job(number);
        said(self.submit(&job, &[], savepoint).await, "submission")?;
        self.until("tasks running", async || {
            let jobs = self.flink.jobs_overview().await?;
            let found = jobs.iter().find(|it| it.id == job);
            Ok(found.filter(|it| it.state == JobState::Running && it.all_tasks_running()).map(|_| ()))
        })
        .await?;
        self.until("first checkpoint", async || Ok(self.flink.checkpoints(&job).await?.latest.completed))
            .await?;
        Ok(job)
    }

    /// Statistics that are not older than the call: Flink repeats an answer for a while.
    async fn fresh_statistics(&self, job: &JobId) -> Result<CheckpointStatistics, String> {
        let lag = said(self.flink.dashboard_config().await, "config")?.refresh_interval;
        tokio::time::sleep(Duration::from_millis(lag + 100)).await;
        said(self.flink.checkpoints(job).await, "checkpoints")
    }

    /// Metrics are collected now and then; a job has none at first.
    async fn metrics(&self, job: &JobId, names: &[&str]) -> Result<Vec<Metric>, String> {
        self.until("metrics", async || {
            let metrics = self.flink.job_metrics(job, names).await?;
            Ok((!metrics.is_empty()).then_some(metrics))
        })
        .await
    }

    async fn savepoint_outcome(
        &self,
        job: &JobId,
        trigger: u128,
    ) -> Result<Result<String, FailureCause>, String> {
        let trigger = self.trigger(trigger);
        self.until("savepoint", async || {
            Ok(match self.flink.savepoint_result(job, &trigger).await? {
                Operation::InProgress => None,
                Operation::Completed(path) => Some(Ok(path)),
                Operation::Failed(cause) => Some(Err(cause)),
            })
        })
        .await
    }

    async fn completed_savepoint(&self, job: &JobId, trigger: u128) -> Result<String, String> {
        self.savepoint_outcome(job, trigger).await?.map_err(|cause| format!("failed: {}", cause.summary()))
    }
}

/// Runs all checks, one after the other.
pub(crate) async fn run_all(bench: &Bench) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let mut note = |name, result: Check| outcomes.push(Outcome { name, difference: result.err() });
    note("every reading call is understood", readings(bench).await);
    note("an unknown job is not found, whatever is asked", unknown_job(bench).await);
    note("a trigger for an unknown job is accepted and fails in its result", unknown_trigger(bench).await);
    note("a job id is refused while its job runs", duplicate(bench).await);
    note("a savepoint with the same trigger id is the same savepoint", savepoint_twice(bench).await);
    note(
        "a savepoint that cannot be written fails, twice the same, and harms nothing",
        bad_savepoint(bench).await,
    );
    note("a stop with the id of an earlier savepoint does nothing", stop_with_used_id(bench).await);
    note("a checkpoint with the same trigger id is the same checkpoint", checkpoint_twice(bench).await);
    note(
        "statistics show the newest checkpoint of an ended job after the lag",
        final_statistics(bench).await,
    );
    note("an incremental checkpoint on request is a server error", incremental(bench).await);
    note("a savepoint is disposed of once", disposal(bench).await);
    note(
        "a stop with the same trigger id is the same stop, also after the job ended",
        stop_twice(bench).await,
    );
    note("a stop that cannot write its savepoint leaves the job running", bad_stop(bench).await);
    note("an ended job refuses cancel, its id, and new triggers", after_the_end(bench).await);
    note("a restored job names what it was restored from and counts on", restore(bench).await);
    note("cancel is accepted until and after the job is CANCELED", cancel_twice(bench).await);
    note("a failing job restarts, fails, and says why", failure(bench).await);
    note("a job that finishes by itself keeps no checkpoints", finish(bench).await);
    note("a missing savepoint makes the job FAILED and uses up its id", missing_savepoint(bench).await);
    note("a jar that is gone is a server error to run and a bad request to delete", gone_jar(bench).await);
    note(
        "resource requirements are kept by the adaptive scheduler, refused by others",
        requirements(bench).await,
    );
    outcomes
}

async fn readings(bench: &Bench) -> Check {
    let flink = &bench.flink;
    let version = said(flink.dashboard_config().await, "config")?.flink_version;
    ensure(!version.is_empty(), || "no version".to_owned())?;
    said(flink.cluster_config().await, "jobmanager config")?;
    let overview = said(flink.overview().await, "overview")?;
    let taskmanagers = said(flink.taskmanagers().await, "taskmanagers")?.len();
    ensure(overview.taskmanagers as usize == taskmanagers, || format!("{taskmanagers} TaskManagers"))?;
    let names = ["Status.JVM.Memory.Heap.Used", "nonsense"];
    let known = bench
        .until("jobmanager metrics", async || {
            let metrics = flink.jobmanager_metrics(&names).await?;
            Ok((!metrics.is_empty()).then_some(metrics.len()))
        })
        .await?;
    ensure(known == 1, || "unknown metrics are not left out".to_owned())?;

    let job = bench.running(0x01, None).await?;
    let details = said(flink.job_details(&job).await, "details")?;
    ensure(details.state == JobState::Running && !details.vertices.is_empty(), || format!("{details:?}"))?;
    ensure(said(flink.job_result(&job).await, "result")?.is_none(), || {
        "a running job has a result".to_owned()
    })?;
    said(flink.job_exceptions(&job, 5).await, "exceptions")?;
    let names = ["numRestarts", "numberOfCompletedCheckpoints", "nonsense"];
    let metrics = bench.metrics(&job, &names).await?;
    ensure(metrics.len() == 2 && metrics.iter().all(|it| it.number().is_some()), || format!("{metrics:?}"))?;
    let config = said(flink.checkpoint_config(&job).await, "checkpoint config")?;
    ensure(config.interval > 0 && config.timeout > 0, || format!("{config:?}"))?;
    let newest = said(flink.checkpoints(&job).await, "checkpoints")?.newest_restore_point();
    let newest = newest.ok_or("no restore point")?;
    let details = said(flink.checkpoint_details(&job, newest.id).await, "checkpoint details")?;
    ensure(details.id == newest.id, || format!("{details:?}"))?;
    said(flink.cancel(&job).await, "cancel")
}

async fn unknown_job(bench: &Bench) -> Check {
    let (flink, job) = (&bench.flink, bench.job(0xff));
    let errors = [
        ("details", refused(flink.job_details(&job).await, "details")?),
        ("status", refused(flink.job_status(&job).await, "status")?),
        ("result", refused(flink.job_result(&job).await, "result")?),
        ("exceptions", refused(flink.job_exceptions(&job, 5).await, "exceptions")?),
        ("checkpoints", refused(flink.checkpoints(&job).await, "checkpoints")?),
        ("checkpoint config", refused(flink.checkpoint_config(&job).await, "checkpoint config")?),
        ("checkpoint details", refused(flink.checkpoint_details(&job, 1).await, "checkpoint details")?),
        ("requirements", refused(flink.resource_requirements(&job).await, "requirements")?),
        ("cancel", refused(flink.cancel(&job).await, "cancel")?),
    ];
    for (what, error) in &errors {
        ensure(error.is_job_not_found(), || format!("{what}: {error:?}"))?;
    }
    let operation = refused(flink.savepoint_result(&job, &bench.trigger(0xff)).await, "savepoint result")?;
    ensure(operation.is_operation_not_found(), || format!("{operation:?}"))?;
    let operation = refused(flink.checkpoint_result(&job, &bench.trigger(0xff)).await, "checkpoint result")?;
    ensure(operation.is_operation_not_found(), || format!("{operation:?}"))?;
    let metrics = said(flink.job_metrics(&job, &["numRestarts"]).await, "metrics")?;
    ensure(metrics.is_empty(), || format!("{metrics:?}"))
}

async fn unknown_trigger(bench: &Bench) -> Check {
    let job = bench.job(0xfe);
    for _ in 0..2 {
        said(bench.flink.stop_with_savepoint(&job, &bench.stop(0xfe)).await, "stop")?;
        match bench.savepoint_outcome(&job, 0xfe).await? {
            Ok(path) => return Err(format!("a savepoint of no job at {path}")),
            Err(cause) => ensure(cause.is_job_not_found(), || cause.summary())?,
        }
    }
    Ok(())
}

async fn duplicate(bench: &Bench) -> Check {
    let job = bench.running(0x02, None).await?;
    let error = refused(bench.submit(&job, &[], None).await, "a second submission")?;
    said(bench.flink.cancel(&job).await, "cancel")?;
    ensure(matches!(error, FlinkError::Conflict { .. }), || format!("{error:?}"))
}

async fn savepoint_twice(bench: &Bench) -> Check {
    let job = bench.running(0x03, None).await?;
    said(bench.flink.trigger_savepoint(&job, &bench.savepoint(0x31)).await, "savepoint")?;
    let path = bench.completed_savepoint(&job, 0x31).await?;
    said(bench.flink.trigger_savepoint(&job, &bench.savepoint(0x31)).await, "repeat")?;
    let again = bench.completed_savepoint(&job, 0x31).await?;
    let statistics = bench.fresh_statistics(&job).await?;
    let in_history = statistics.history.iter().filter(|it| it.is_savepoint).count();
    said(bench.flink.cancel(&job).await, "cancel")?;
    ensure(path == again && in_history == 1, || format!("{path}, {again}, {in_history} savepoints"))?;
    let latest = statistics.latest.savepoint.and_then(|it| it.external_path);
    ensure(latest.as_deref() == Some(path.as_str()), || format!("{latest:?} in the statistics"))
}

const UNWRITABLE: &str = "file:///proc/none";

async fn bad_savepoint(bench: &Bench) -> Check {
    let job = bench.running(0x04, None).await?;
    let trigger = SavepointTrigger { target_directory: Some(UNWRITABLE.to_owned()), ..bench.savepoint(0x41) };
    let mut causes = Vec::new();
    for _ in 0..2 {
        said(bench.flink.trigger_savepoint(&job, &trigger).await, "savepoint")?;
        match bench.savepoint_outcome(&job, 0x41).await? {
            Ok(path) => return Err(format!("a savepoint at {path}")),
            Err(cause) => causes.push(cause.summary()),
        }
    }
    let restarts = bench.metrics(&job, &["numRestarts"]).await?;
    said(bench.flink.cancel(&job).await, "cancel")?;
    ensure(causes.first() == causes.last(), || causes.join(" / "))?;
    ensure(restarts.first().and_then(flink_client::answers::Metric::number) == Some(0.0), || {
        format!("{restarts:?}")
    })
}

async fn stop_with_used_id(bench: &Bench) -> Check {
    let job = bench.running(0x05, None).await?;
    said(bench.flink.trigger_savepoint(&job, &bench.savepoint(0x51)).await, "savepoint")?;
    bench.completed_savepoint(&job, 0x51).await?;
    said(bench.flink.stop_with_savepoint(&job, &bench.stop(0x51)).await, "stop")?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let state = said(bench.flink.job_status(&job).await, "status")?;
    said(bench.flink.cancel(&job).await, "cancel")?;
    ensure(state == JobState::Running, || state.to_string())
}

async fn checkpoint_twice(bench: &Bench) -> Check {
    let job = bench.running(0x06, None).await?;
    let trigger = bench.trigger(0x61);
    let request = CheckpointTrigger { checkpoint_type: CheckpointType::Full, trigger_id: trigger.clone() };
    let mut numbers = Vec::new();
    for _ in 0..2 {
        said(bench.flink.trigger_checkpoint(&job, &request).await, "checkpoint")?;
        let done = bench
            .until("checkpoint", async || {
                let operation = bench.flink.checkpoint_result(&job, &trigger).await?;
                Ok((operation != Operation::InProgress).then_some(operation))
            })
            .await?;
        numbers.push(done);
    }
    said(bench.flink.cancel(&job).await, "cancel")?;
    ensure(numbers.first() == numbers.last(), || format!("{numbers:?}"))?;
    ensure(matches!(numbers.first(), Some(Operation::Completed(_))), || format!("{numbers:?}"))
}

async fn final_statistics(bench: &Bench) -> Check {
    let job = bench.running(0x13, None).await?;
    said(bench.flink.checkpoints(&job).await, "checkpoints")?;
    let trigger_id = bench.trigger(0x131);
    let request = CheckpointTrigger { checkpoint_type: CheckpointType::Full, trigger_id };
    said(bench.flink.trigger_checkpoint(&job, &request).await, "checkpoint")?;
    let id = bench
        .until("checkpoint", async || {
            match bench.flink.checkpoint_result(&job, &request.trigger_id).await? {
                Operation::Completed(id) => Ok(Some(id)),
                Operation::InProgress | Operation::Failed(_) => Ok(None),
            }
        })
        .await?;
    said(bench.flink.cancel(&job).await, "cancel")?;
    bench.reaches(&job, JobState::Canceled).await?;
    let newest = bench.fresh_statistics(&job).await?.newest_restore_point().ok_or("no restore point")?;
    ensure(newest.id >= id && !newest.discarded, || format!("checkpoint {id}, but {newest:?}"))
}

async fn incremental(bench: &Bench) -> Check {
    let job = bench.running(0x07, None).await?;
    let checkpoint_type = CheckpointType::Incremental;
    let request = CheckpointTrigger { checkpoint_type, trigger_id: bench.trigger(0x71) };
    let error = refused(bench.flink.trigger_checkpoint(&job, &request).await, "an incremental checkpoint");
    let unknown = bench.flink.checkpoint_result(&job, &request.trigger_id).await;
    said(bench.flink.cancel(&job).await, "cancel")?;
    ensure(matches!(error, Ok(FlinkError::Server { status: 500, .. })), || format!("{error:?}"))?;
    ensure(refused(unknown, "its result")?.is_operation_not_found(), || "its result is known".to_owned())
}

async fn disposal(bench: &Bench) -> Check {
    let job = bench.running(0x08, None).await?;
    said(bench.flink.trigger_savepoint(&job, &bench.savepoint(0x81)).await, "savepoint")?;
    let path = bench.completed_savepoint(&job, 0x81).await?;
    said(bench.flink.cancel(&job).await, "cancel")?;
    let mut results = Vec::new();
    for _ in 0..2 {
        let operation = said(bench.flink.dispose_savepoint(&path).await, "disposal")?;
        let result = bench
            .until("disposal", async || {
                let result = bench.flink.disposal_result(&operation).await?;
                Ok((result != Operation::InProgress).then_some(result))
            })
            .await?;
        results.push(matches!(result, Operation::Completed(())));
    }
    ensure(results == [true, false], || format!("{results:?}"))?;
    let unknown = refused(bench.flink.disposal_result(&bench.trigger(0x82)).await, "an unknown disposal")?;
    ensure(unknown.is_operation_not_found(), || format!("{unknown:?}"))
}

async fn stop_twice(bench: &Bench) -> Check {
    let job = bench.running(0x09, None).await?;
    said(bench.flink.stop_with_savepoint(&job, &bench.stop(0x91)).await, "stop")?;
    said(bench.flink.stop_with_savepoint(&job, &bench.stop(0x91)).await, "repeat")?;
    let path = bench.completed_savepoint(&job, 0x91).await?;
    bench.reaches(&job, JobState::Finished).await?;
    said(bench.flink.stop_with_savepoint(&job, &bench.stop(0x91)).await, "repeat after the end")?;
    let again = bench.completed_savepoint(&job, 0x91).await?;
    ensure(path == again, || format!("{path}, then {again}"))?;
    let statistics = bench.fresh_statistics(&job).await?;
    let savepoints = statistics.history.iter().filter(|it| it.is_savepoint).count();
    ensure(savepoints == 1, || format!("{savepoints} savepoints"))?;
    let newest = statistics.newest_restore_point().ok_or("no restore point")?;
    ensure(newest.path == path && !newest.discarded, || format!("{newest:?}"))?;
    let result = said(bench.flink.job_result(&job).await, "result")?.ok_or("no result")?;
    ensure(result.application_status == ApplicationStatus::Succeeded, || format!("{result:?}"))
}

async fn bad_stop(bench: &Bench) -> Check {
    let job = bench.running(0x0a, None).await?;
    let stop = StopWithSavepoint { target_directory: Some(UNWRITABLE.to_owned()), ..bench.stop(0xa1) };
    said(bench.flink.stop_with_savepoint(&job, &stop).await, "stop")?;
    let outcome = bench.savepoint_outcome(&job, 0xa1).await?;
    let state = said(bench.flink.job_status(&job).await, "status")?;
    // The stop that failed does not stand in the way of one that works.
    said(bench.flink.stop_with_savepoint(&job, &bench.stop(0xa2)).await, "second stop")?;
    bench.completed_savepoint(&job, 0xa2).await?;
    ensure(outcome.is_err() && state == JobState::Running, || format!("{outcome:?}, job {state}"))
}

async fn after_the_end(bench: &Bench) -> Check {
    let job = bench.running(0x0b, None).await?;
    said(bench.flink.stop_with_savepoint(&job, &bench.stop(0xb1)).await, "stop")?;
    bench.completed_savepoint(&job, 0xb1).await?;
    bench.reaches(&job, JobState::Finished).await?;
    let cancel = refused(bench.flink.cancel(&job).await, "cancel")?;
    ensure(matches!(cancel, FlinkError::Conflict { .. }), || format!("cancel: {cancel:?}"))?;
    let again = refused(bench.submit(&job, &[], None).await, "the id of an ended job")?;
    ensure(matches!(again, FlinkError::Conflict { .. }), || format!("submission: {again:?}"))?;
    said(bench.flink.stop_with_savepoint(&job, &bench.stop(0xb2)).await, "a new stop")?;
    match bench.savepoint_outcome(&job, 0xb2).await? {
        Ok(path) => Err(format!("a savepoint of an ended job at {path}")),
        Err(cause) => ensure(cause.is_job_not_found(), || cause.summary()),
    }
}

async fn restore(bench: &Bench) -> Check {
    let job = bench.running(0x0c, None).await?;
    said(bench.flink.stop_with_savepoint(&job, &bench.stop(0xc1)).await, "stop")?;
    let path = bench.completed_savepoint(&job, 0xc1).await?;
    let taken = bench.fresh_statistics(&job).await?.latest.savepoint.ok_or("no savepoint")?;
    let next = bench.running(0x0d, Some(&path)).await?;
    let statistics = said(bench.flink.checkpoints(&next).await, "checkpoints")?;
    said(bench.flink.cancel(&next).await, "cancel")?;
    let restored = statistics.latest.restored.ok_or("nothing restored")?;
    ensure(restored.id == taken.id && restored.is_savepoint, || format!("{restored:?}"))?;
    ensure(restored.external_path.as_deref() == Some(path.as_str()), || format!("{restored:?}"))?;
    let completed = statistics.latest.completed.ok_or("no checkpoint")?;
    ensure(completed.id > taken.id, || format!("checkpoint {} after savepoint {}", completed.id, taken.id))
}

async fn cancel_twice(bench: &Bench) -> Check {
    let job = bench.running(0x0e, None).await?;
    said(bench.flink.cancel(&job).await, "cancel")?;
    said(bench.flink.cancel(&job).await, "second cancel")?;
    bench.reaches(&job, JobState::Canceled).await?;
    said(bench.flink.cancel(&job).await, "cancel after the end")?;
    let newest = bench.fresh_statistics(&job).await?.newest_restore_point();
    ensure(newest.as_ref().is_some_and(|it| !it.discarded), || format!("{newest:?}"))?;
    let result = said(bench.flink.job_result(&job).await, "result")?.ok_or("no result")?;
    ensure(result.application_status == ApplicationStatus::Canceled, || format!("{result:?}"))
}

async fn failure(bench: &Bench) -> Check {
    let job = bench.job(0x0f);
    said(bench.submit(&job, &["--fail-at", "50"], None).await, "submission")?;
    bench.reaches(&job, JobState::Failed).await?;
    let result = said(bench.flink.job_result(&job).await, "result")?.ok_or("no result")?;
    let cause = result.failure_cause.ok_or("no cause")?;
    ensure(result.application_status == ApplicationStatus::Failed, || cause.summary())?;
    ensure(cause.stack_trace.contains("Caused by: "), || cause.stack_trace.clone())?;
    // Exceptions are cached like statistics.
    bench.fresh_statistics(&job).await?;
    let exceptions = said(bench.flink.job_exceptions(&job, 5).await, "exceptions")?.entries;
    ensure(exceptions.len() == 2, || format!("{} exceptions for two attempts", exceptions.len()))?;
    let newest_first = exceptions.is_sorted_by_key(|it| std::cmp::Reverse(it.timestamp));
    ensure(newest_first, || "not newest first".to_owned())?;
    let limited = said(bench.flink.job_exceptions(&job, 1).await, "exceptions")?;
    ensure(limited.entries.len() == 1 && limited.truncated, || format!("{limited:?}"))?;
    let cancel = refused(bench.flink.cancel(&job).await, "cancel")?;
    ensure(matches!(cancel, FlinkError::Conflict { .. }), || format!("cancel: {cancel:?}"))
}

async fn finish(bench: &Bench) -> Check {
    let job = bench.job(0x10);
    said(bench.submit(&job, &["--count", "300"], None).await, "submission")?;
    bench.reaches(&job, JobState::Finished).await?;
    let latest = bench.fresh_statistics(&job).await?.latest;
    let kept = latest.completed.is_some_and(|it| !it.discarded);
    let result = said(bench.flink.job_result(&job).await, "result")?.ok_or("no result")?;
    ensure(!kept && result.application_status == ApplicationStatus::Succeeded, || format!("{result:?}"))
}

async fn missing_savepoint(bench: &Bench) -> Check {
    let job = bench.job(0x11);
    let path = format!("{}/none", bench.savepoints);
    // The default scheduler looks for the savepoint before it answers, the adaptive one afterwards.
    if let Err(error) = bench.submit(&job, &[], Some(&path)).await {
        ensure(error.class() == ErrorClass::TellUser && error.may_have_happened(), || format!("{error:?}"))?;
        ensure(error.to_string().contains("FileNotFoundException"), || error.to_string())?;
    }
    bench.reaches(&job, JobState::Failed).await?;
    let result = said(bench.flink.job_result(&job).await, "result")?.ok_or("no result")?;
    let cause = result.failure_cause.ok_or("no cause")?.summary();
    ensure(cause.contains("FileNotFoundException"), || cause.clone())?;
    let again = refused(bench.submit(&job, &[], None).await, "the id of a job that could not start")?;
    ensure(matches!(again, FlinkError::Conflict { .. }), || format!("{again:?}"))
}

async fn gone_jar(bench: &Bench) -> Check {
    let jar = said(bench.flink.upload_jar(&bench.jar).await, "upload")?;
    let listed = said(bench.flink.list_jars().await, "list")?;
    ensure(listed.iter().any(|it| it.id == jar), || format!("{jar} is not among {listed:?}"))?;
    said(bench.flink.delete_jar(&jar).await, "delete")?;
    let run = refused(bench.flink.run_jar(&jar, &JarRun::default()).await, "a jar that is gone")?;
    ensure(matches!(run, FlinkError::Server { status: 500, .. }), || format!("run: {run:?}"))?;
    let delete = refused(bench.flink.delete_jar(&jar).await, "a second delete")?;
    ensure(matches!(delete, FlinkError::Client { status: 400, .. }), || format!("delete: {delete:?}"))
}

async fn requirements(bench: &Bench) -> Check {
    let job = bench.running(0x12, None).await?;
    let answer = bench.flink.resource_requirements(&job).await;
    let result = match &answer {
        Ok(requirements) => bench.flink.update_resource_requirements(&job, requirements).await,
        Err(_) => Ok(()),
    };
    said(bench.flink.cancel(&job).await, "cancel")?;
    match answer {
        Ok(requirements) => {
            ensure(!requirements.vertices.is_empty(), || "no vertices".to_owned())?;
            said(result, "update")
        }
        Err(FlinkError::Server { status: 500, text, .. }) => {
            ensure(text.text().contains("AdaptiveScheduler"), || text.to_string())
        }
        Err(other) => Err(format!("{other:?}")),
    }
}
