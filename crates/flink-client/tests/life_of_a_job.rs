//! How the stub's jobs live, seen through the client. What is claimed here was compared with real Flink by the
//! example `conformance`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy exempts only test functions, not what they share"
)]

mod bench_cluster;

use std::time::Duration;

use bench_cluster::{BenchCluster, job, stop, trigger};
use flink_client::answers::{
    ApplicationStatus, CheckpointStatus, JobState, NON_ADDRESSABLE, Operation, STATISTICS_LAG,
};
use flink_client::stub::{
    ClusterSettings, JobEnd, JobManagerRestart, JobPlan, SavepointBehaviour, Submission, SubmissionError,
};
use flink_client::{
    CheckpointTrigger, CheckpointType, ErrorClass, FlinkError, Missing, SavepointFormat, SavepointTrigger,
};

fn savepoint(number: u128) -> SavepointTrigger {
    SavepointTrigger {
        target_directory: Some("file:///savepoints".to_owned()),
        format_type: SavepointFormat::Native,
        trigger_id: trigger(number),
    }
}

fn location(operation: Operation<String>) -> String {
    match operation {
        Operation::Completed(location) => location,
        other => panic!("{other:?}"),
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_job_starts_step_by_step() {
    let bench = BenchCluster::new(ClusterSettings::default());
    bench.start(&job(1), JobPlan::named("cars"), None);
    let mut seen = Vec::new();
    for _ in 0..12 {
        let overview = bench.flink.jobs_overview().await.unwrap();
        assert_eq!((overview[0].id.clone(), overview[0].name.as_str()), (job(1), "cars"));
        let step = (overview[0].state, overview[0].all_tasks_running() && overview[0].tasks.total > 0);
        if seen.last() != Some(&step) {
            seen.push(step);
        }
        bench.pass(Duration::from_millis(100));
    }
    let (initializing, created, running) = (JobState::Initializing, JobState::Created, JobState::Running);
    assert_eq!(seen, [(initializing, false), (created, false), (running, false), (running, true)]);
}

#[tokio::test]
async fn a_stop_is_the_same_stop_whoever_asks_again() {
    let bench = BenchCluster::new(ClusterSettings::default());
    bench.running(&job(1), JobPlan::default());
    let before = bench.records(&job(1));
    bench.flink.stop_with_savepoint(&job(1), &stop(7)).await.unwrap();
    bench.flink.stop_with_savepoint(&job(1), &stop(7)).await.unwrap();
    assert_eq!(bench.flink.savepoint_result(&job(1), &trigger(7)).await, Ok(Operation::InProgress));
    assert_eq!(bench.flink.job_status(&job(1)).await, Ok(JobState::Running));

    bench.pass(SECOND);
    let path = location(bench.flink.savepoint_result(&job(1), &trigger(7)).await.unwrap());
    assert!(path.starts_with("file:/savepoints/savepoint-000000-"), "{path}");
    assert_eq!(bench.flink.job_status(&job(1)).await, Ok(JobState::Finished));
    // Another operator process repeats the call after the job has ended.
    bench.flink.stop_with_savepoint(&job(1), &stop(7)).await.unwrap();
    assert_eq!(location(bench.flink.savepoint_result(&job(1), &trigger(7)).await.unwrap()), path);
    assert_eq!(bench.storage.all().iter().filter(|it| it.path.contains("savepoint-")).count(), 1);
    assert_eq!(bench.storage.get(&path).unwrap().records, before);

    let result = bench.flink.job_result(&job(1)).await.unwrap().unwrap();
    assert_eq!((result.application_status, result.failure_cause), (ApplicationStatus::Succeeded, None));
    let statistics = bench.flink.checkpoints(&job(1)).await.unwrap();
    let newest = statistics.newest_restore_point().unwrap();
    assert_eq!((newest.path, newest.discarded), (path, false));
    assert!(statistics.latest.completed.unwrap().discarded, "a finished job deletes its checkpoints");
}

#[tokio::test]
async fn an_id_is_for_one_operation_of_one_kind() {
    let bench = BenchCluster::new(ClusterSettings::default());
    bench.running(&job(1), JobPlan::default());
    bench.flink.trigger_savepoint(&job(1), &savepoint(7)).await.unwrap();
    bench.pass(SECOND);
    bench.flink.stop_with_savepoint(&job(1), &stop(7)).await.unwrap();
    bench.pass(SECOND);
    assert_eq!(
        bench.flink.job_status(&job(1)).await,
        Ok(JobState::Running),
        "the stop was taken for a repeat"
    );
    // Checkpoints have a memory of their own.
    let checkpoint = CheckpointTrigger { checkpoint_type: CheckpointType::Full, trigger_id: trigger(7) };
    bench.flink.trigger_checkpoint(&job(1), &checkpoint).await.unwrap();
    bench.flink.trigger_checkpoint(&job(1), &checkpoint).await.unwrap();
    bench.pass(SECOND);
    let Ok(Operation::Completed(id)) = bench.flink.checkpoint_result(&job(1), &trigger(7)).await else {
        panic!("no checkpoint")
    };
    let details = bench.flink.checkpoint_details(&job(1), id).await.unwrap();
    assert_eq!((details.status, details.is_savepoint), (CheckpointStatus::Completed, false));
    assert!(details.external_path.unwrap().ends_with(&format!("/chk-{id}")));
}

#[tokio::test]
async fn triggers_for_jobs_that_are_none_fail_in_their_result() {
    let bench = BenchCluster::new(ClusterSettings::default());
    bench.flink.stop_with_savepoint(&job(9), &stop(1)).await.unwrap();
    let Ok(Operation::Failed(cause)) = bench.flink.savepoint_result(&job(9), &trigger(1)).await else {
        panic!("not failed")
    };
    assert!(cause.is_job_not_found(), "{cause:?}");
    // Not ready yet.
    bench.start(&job(1), JobPlan::default(), None);
    bench.flink.stop_with_savepoint(&job(1), &stop(2)).await.unwrap();
    let Ok(Operation::Failed(cause)) = bench.flink.savepoint_result(&job(1), &trigger(2)).await else {
        panic!("not failed")
    };
    assert!(cause.summary().contains("Not all required tasks are currently running"), "{}", cause.summary());
    assert!(!cause.is_job_not_found());
}

#[tokio::test]
async fn operations_are_forgotten_after_a_while_and_with_the_jobmanager() {
    let bench = BenchCluster::new(ClusterSettings::default());
    bench.running(&job(1), JobPlan::default());
    bench.flink.trigger_savepoint(&job(1), &savepoint(1)).await.unwrap();
    bench.pass(Duration::from_mins(5));
    assert!(matches!(bench.flink.savepoint_result(&job(1), &trigger(1)).await, Ok(Operation::Completed(_))));
    bench.pass(SECOND);
    let forgotten = bench.flink.savepoint_result(&job(1), &trigger(1)).await.unwrap_err();
    assert!(forgotten.is_operation_not_found(), "{forgotten}");
    // What is left is in the statistics.
    assert!(bench.flink.checkpoints(&job(1)).await.unwrap().latest.savepoint.is_some());

    bench.flink.trigger_savepoint(&job(1), &savepoint(2)).await.unwrap();
    let now = bench.now();
    bench.with(|flink| flink.restart_jobmanager(JobManagerRestart::WithHa, SECOND, now));
    let unready = bench.flink.savepoint_result(&job(1), &trigger(2)).await.unwrap_err();
    assert!(matches!(unready, FlinkError::Server { status: 503, .. }) && unready.is_no_answer(), "{unready}");
    bench.pass(SECOND);
    assert!(bench.flink.savepoint_result(&job(1), &trigger(2)).await.unwrap_err().is_operation_not_found());
}

#[tokio::test]
async fn cancel_is_accepted_until_the_job_ended_otherwise() {
    let bench = BenchCluster::new(ClusterSettings::default());
    bench.running(&job(1), JobPlan::default());
    bench.flink.cancel(&job(1)).await.unwrap();
    assert_eq!(bench.flink.job_status(&job(1)).await, Ok(JobState::Cancelling));
    bench.flink.cancel(&job(1)).await.unwrap();
    bench.pass(SECOND);
    assert_eq!(bench.flink.job_status(&job(1)).await, Ok(JobState::Canceled));
    bench.flink.cancel(&job(1)).await.unwrap();
    let newest = bench.flink.checkpoints(&job(1)).await.unwrap().newest_restore_point().unwrap();
    assert!(bench.storage.get(&newest.path).is_some(), "retained on cancellation");

    bench.running(&job(2), JobPlan { end: JobEnd::Finishes(SECOND), ..JobPlan::default() });
    let refused = bench.flink.cancel(&job(2)).await.unwrap_err();
    assert!(matches!(refused, FlinkError::Conflict { .. }), "{refused}");
    assert_eq!(refused.class(), ErrorClass::LookAgain);
    let unknown = bench.flink.cancel(&job(3)).await.unwrap_err();
    assert!(unknown.is_job_not_found(), "{unknown}");
}

#[tokio::test]
async fn a_failing_job_restarts_from_its_checkpoint_and_then_fails_for_good() {
    let bench = BenchCluster::new(ClusterSettings::default());
    let end = JobEnd::Fails { after: 7 * SECOND, text: "planned".to_owned(), restarts: 1, delay: SECOND };
    bench.start(&job(1), JobPlan { end, ..JobPlan::default() }, None);
    bench.pass(Duration::from_millis(7900));
    assert_eq!(bench.flink.job_status(&job(1)).await, Ok(JobState::Restarting));
    let exceptions = bench.flink.job_exceptions(&job(1), 10).await.unwrap();
    assert!(exceptions.entries[0].stacktrace.contains("planned"));
    assert_eq!(exceptions.entries[0].task_name.as_deref(), Some("Source (1/1)"));
    bench.pass(2 * SECOND);
    let restarts = bench.flink.job_metrics(&job(1), &["numRestarts", "nonsense"]).await.unwrap();
    assert_eq!((restarts.len(), restarts[0].number()), (1, Some(1.0)));
    // The checkpoint was taken 5 s after the tasks began to run, at 1000 records a second.
    let records = bench.records(&job(1));
    assert!((5000..6500).contains(&records), "{records}");
    bench.pass(10 * SECOND);
    assert_eq!(bench.flink.job_status(&job(1)).await, Ok(JobState::Failed));
    let cause = bench.flink.job_result(&job(1)).await.unwrap().unwrap().failure_cause.unwrap();
    assert!(cause.summary().ends_with("java.lang.IllegalStateException: planned"), "{}", cause.summary());
    assert_eq!(bench.flink.job_exceptions(&job(1), 1).await.unwrap().entries.len(), 1);
}

#[tokio::test]
async fn a_restored_job_goes_on_where_its_snapshot_was_taken() {
    let bench = BenchCluster::new(ClusterSettings::default());
    bench.running(&job(1), JobPlan::default());
    bench.flink.stop_with_savepoint(&job(1), &stop(1)).await.unwrap();
    bench.pass(SECOND);
    let path = location(bench.flink.savepoint_result(&job(1), &trigger(1)).await.unwrap());
    let at_stop = bench.storage.get(&path).unwrap();

    bench.start(&job(2), JobPlan::default(), Some(&path));
    bench.pass(Duration::from_millis(700));
    assert_eq!(bench.records(&job(2)), at_stop.records);
    let restored = bench.flink.checkpoints(&job(2)).await.unwrap().latest.restored.unwrap();
    assert_eq!((restored.id, restored.external_path), (at_stop.checkpoint_id, Some(path.clone())));
    bench.pass(6 * SECOND);
    let completed = bench.flink.checkpoints(&job(2)).await.unwrap().latest.completed.unwrap();
    assert_eq!(completed.id, at_stop.checkpoint_id + 1, "ids go on");
    assert_eq!(bench.storage.newest_of(&job(2)).unwrap().parent, Some(path));

    bench.start(&job(3), JobPlan::default(), Some("file:/savepoints/none"));
    bench.pass(SECOND);
    assert_eq!(bench.flink.job_status(&job(3)).await, Ok(JobState::Failed));
    let none = bench.flink.checkpoints(&job(3)).await.unwrap_err();
    assert!(matches!(none, FlinkError::NotFound { missing: Missing::Checkpointing, .. }), "{none}");
}

#[tokio::test]
async fn a_stop_can_fail_in_three_ways() {
    let bench = BenchCluster::new(ClusterSettings::default());
    // The savepoint cannot be written: the job goes on untouched.
    bench.storage.refuse_writes_below("file:/savepoints");
    bench.running(&job(1), JobPlan::default());
    bench.flink.stop_with_savepoint(&job(1), &stop(1)).await.unwrap();
    let Ok(Operation::Failed(cause)) = bench.flink.savepoint_result(&job(1), &trigger(1)).await else {
        panic!("not failed")
    };
    assert!(cause.summary().contains("Failed to create savepoint directory"), "{}", cause.summary());
    assert_eq!(bench.flink.job_metrics(&job(1), &["numRestarts"]).await.unwrap()[0].number(), Some(0.0));
    assert!(bench.flink.checkpoints(&job(1)).await.unwrap().latest.failed.is_some());
    bench.storage.accept_all_writes();

    // The savepoint is declined: the job restarts.
    let plan = JobPlan { savepoints: SavepointBehaviour::Fails("declined".to_owned()), ..JobPlan::default() };
    bench.running(&job(2), plan);
    bench.flink.stop_with_savepoint(&job(2), &stop(2)).await.unwrap();
    bench.pass(2 * SECOND);
    assert!(matches!(bench.flink.savepoint_result(&job(2), &trigger(2)).await, Ok(Operation::Failed(_))));
    assert_eq!(bench.flink.job_metrics(&job(2), &["numRestarts"]).await.unwrap()[0].number(), Some(1.0));

    // The savepoint is whole, stopping fails.
    let plan = JobPlan { savepoints: SavepointBehaviour::FailsAfterCompletion, ..JobPlan::default() };
    bench.running(&job(3), plan);
    bench.flink.stop_with_savepoint(&job(3), &stop(3)).await.unwrap();
    bench.pass(2 * SECOND);
    let Ok(Operation::Failed(cause)) = bench.flink.savepoint_result(&job(3), &trigger(3)).await else {
        panic!("not failed")
    };
    let path = cause.savepoint_before_failure().unwrap();
    assert!(bench.storage.get(path).is_some());
    assert_eq!(bench.flink.job_status(&job(3)).await, Ok(JobState::Running));

    // No answer ever: only the end of the job ends the operation.
    let plan = JobPlan { savepoints: SavepointBehaviour::Hangs, ..JobPlan::default() };
    bench.running(&job(4), plan);
    bench.flink.stop_with_savepoint(&job(4), &stop(4)).await.unwrap();
    bench.pass(Duration::from_hours(1));
    assert_eq!(bench.flink.savepoint_result(&job(4), &trigger(4)).await, Ok(Operation::InProgress));
    bench.flink.cancel(&job(4)).await.unwrap();
    assert!(matches!(bench.flink.savepoint_result(&job(4), &trigger(4)).await, Ok(Operation::Failed(_))));
}

#[tokio::test]
async fn a_jobmanager_with_ha_goes_on_with_what_runs_and_forgets_what_ended() {
    let bench = BenchCluster::new(ClusterSettings::default());
    bench.running(&job(1), JobPlan::default());
    bench.running(&job(2), JobPlan { end: JobEnd::Finishes(SECOND), ..JobPlan::default() });
    let now = bench.now();
    bench.with(|flink| flink.restart_jobmanager(JobManagerRestart::WithHa, SECOND, now));
    bench.pass(Duration::from_millis(1700));
    assert_eq!(bench.flink.job_status(&job(1)).await, Ok(JobState::Running));
    let newest = bench.storage.newest_of(&job(1)).unwrap();
    assert_eq!(bench.records(&job(1)), newest.records);
    let statistics = bench.flink.checkpoints(&job(1)).await.unwrap();
    assert_eq!(statistics.latest.restored.unwrap().id, newest.checkpoint_id);
    assert_eq!((statistics.counts.restored, statistics.counts.completed), (1, 0));
    assert!(bench.flink.job_status(&job(2)).await.unwrap_err().is_job_not_found());
    let again = Submission { job: job(2), plan: JobPlan::default(), restore_path: None };
    let now = bench.now();
    assert_eq!(bench.with(|flink| flink.submit(again, now)), Err(SubmissionError::Duplicate));
}

#[tokio::test]
async fn an_application_without_ha_begins_again_and_a_session_has_forgotten() {
    let bench = BenchCluster::new(ClusterSettings::default());
    bench.running(&job(1), JobPlan::default());
    let now = bench.now();
    bench.with(|flink| flink.restart_jobmanager(JobManagerRestart::ApplicationWithoutHa, SECOND, now));
    let unready = bench.flink.jobs_overview().await.unwrap_err();
    assert!(unready.is_no_answer(), "{unready}");
    bench.pass(SECOND);
    assert!(bench.flink.jobs_overview().await.unwrap().is_empty(), "main has not submitted yet");
    bench.pass(SECOND);
    assert_eq!(bench.flink.job_status(&job(1)).await, Ok(JobState::Running));
    assert!(bench.records(&job(1)) < 1000, "the state is lost");

    let now = bench.now();
    bench.with(|flink| flink.restart_jobmanager(JobManagerRestart::SessionWithoutHa, SECOND, now));
    bench.pass(10 * SECOND);
    assert!(bench.flink.jobs_overview().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_new_application_is_unready_then_empty_then_there() {
    let bench = BenchCluster::new(ClusterSettings::default());
    let submission = Submission { job: job(1), plan: JobPlan::default(), restore_path: None };
    let now = bench.now();
    bench.with(|flink| flink.start_application(submission, SECOND, now));
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(bench.flink.jobs_overview().await.map(|jobs| jobs.len()).ok());
        if let Some(at) = bench.with(|flink| flink.next_event()) {
            bench.pass(Duration::try_from(at - bench.now()).unwrap());
        }
    }
    assert_eq!(seen, [None, Some(0), Some(1), Some(1), Some(1)]);
}

#[tokio::test]
async fn ended_jobs_are_forgotten_after_an_hour() {
    let bench = BenchCluster::new(ClusterSettings::default());
    bench.running(&job(1), JobPlan { end: JobEnd::Finishes(SECOND), ..JobPlan::default() });
    bench.pass(Duration::from_secs(3500));
    assert_eq!(bench.flink.job_status(&job(1)).await, Ok(JobState::Finished));
    bench.pass(Duration::from_secs(200));
    assert!(bench.flink.job_status(&job(1)).await.unwrap_err().is_job_not_found());
}

#[tokio::test]
async fn a_job_that_finished_offers_no_older_state() {
    let bench = BenchCluster::new(ClusterSettings::default());
    bench.running(&job(1), JobPlan { end: JobEnd::Finishes(11 * SECOND), ..JobPlan::default() });
    bench.pass(SECOND);
    let newest = bench.flink.checkpoints(&job(1)).await.unwrap().newest_restore_point().unwrap();
    assert!(newest.discarded && bench.storage.get(&newest.path).is_none(), "{newest:?}");

    let plan = JobPlan { addressable_checkpoints: false, ..JobPlan::default() };
    bench.running(&job(2), plan);
    let newest = bench.flink.checkpoints(&job(2)).await.unwrap().newest_restore_point().unwrap();
    assert_eq!(newest.path, NON_ADDRESSABLE);
}

#[tokio::test]
async fn the_same_requests_give_the_same_life() {
    let mut lives = Vec::new();
    for _ in 0..2 {
        let bench = BenchCluster::new(ClusterSettings::default());
        let end = JobEnd::Fails { after: 3 * SECOND, text: "x".to_owned(), restarts: 9, delay: SECOND };
        bench.running(&job(1), JobPlan { end, ..JobPlan::default() });
        bench.flink.trigger_savepoint(&job(1), &savepoint(1)).await.unwrap();
        bench.pass(10 * SECOND);
        let overview = bench.flink.jobs_overview().await.unwrap();
        lives.push(format!(
            "{overview:?} {:?} {:?}",
            bench.storage.all(),
            bench.with(|it| it.requests().to_vec())
        ));
    }
    assert_eq!(lives[0], lives[1]);
}

#[tokio::test]
async fn statistics_lag_behind_the_end_of_a_job() {
    let bench = BenchCluster::new(ClusterSettings::default());
    bench.start(&job(1), JobPlan::default(), None);
    bench.pass(Duration::from_millis(10_500));
    let before = bench.flink.checkpoints(&job(1)).await.unwrap().newest_restore_point().unwrap();
    bench.pass(SECOND);
    bench.flink.cancel(&job(1)).await.unwrap();
    bench.pass(SECOND);
    assert_eq!(bench.flink.job_status(&job(1)).await, Ok(JobState::Canceled));
    let at_once = bench.flink.checkpoints(&job(1)).await.unwrap().newest_restore_point().unwrap();
    assert_eq!(at_once.id, before.id);
    assert!(at_once.discarded, "and the checkpoint that it names is gone");
    bench.pass(STATISTICS_LAG);
    let later = bench.flink.checkpoints(&job(1)).await.unwrap().newest_restore_point().unwrap();
    assert!(later.id > before.id && !later.discarded, "{later:?}");
}

#[tokio::test]
async fn a_job_waits_for_slots_and_goes_back_to_its_checkpoint_when_it_loses_them() {
    let settings = ClusterSettings { taskmanagers: 1, slots: 1, ..ClusterSettings::default() };
    let bench = BenchCluster::new(settings);
    let mut plan = JobPlan::default();
    plan.vertices[0].parallelism = 2;
    bench.running(&job(1), plan);
    let tasks_run = async || bench.flink.jobs_overview().await.unwrap()[0].all_tasks_running();
    assert!(!tasks_run().await, "two slots are needed, and one is there");
    let set = |number: u32| bench.with(|flink| flink.set_taskmanagers(number, bench.now()));
    set(2);
    bench.pass(12 * SECOND);
    assert!(tasks_run().await);
    let before = bench.records(&job(1));
    set(1);
    assert_eq!(bench.flink.job_status(&job(1)).await, Ok(JobState::Restarting));
    bench.pass(12 * SECOND);
    assert!(!tasks_run().await);
    set(2);
    bench.pass(SECOND);
    assert!(tasks_run().await);
    let after = bench.records(&job(1));
    assert!(after > 0 && after < before + 1000, "{after} after {before}: it was at the checkpoint");
}

#[tokio::test]
async fn a_reactive_job_takes_all_slots() {
    let settings =
        ClusterSettings { reactive: true, taskmanagers: 0, slots: 2, ..ClusterSettings::default() };
    let bench = BenchCluster::new(settings);
    bench.running(&job(1), JobPlan::default());
    assert_eq!(bench.flink.job_status(&job(1)).await, Ok(JobState::Created), "it waits for resources");
    for number in [1, 4, 2] {
        bench.with(|flink| flink.set_taskmanagers(number, bench.now()));
        bench.pass(12 * SECOND);
        let width = bench.with(|flink| {
            flink.advance(bench.now());
            flink.job(&job(1)).filter(|job| job.has_running_tasks()).map(flink_client::stub::StubJob::width)
        });
        assert_eq!(width, Some(2 * number));
    }
}

#[tokio::test]
async fn a_job_without_a_restart_strategy_ends_with_its_task_managers() {
    let bench = BenchCluster::new(ClusterSettings::default());
    bench.running(&job(1), JobPlan { ends_without_slots: true, ..JobPlan::default() });
    bench.with(|flink| flink.set_taskmanagers(0, bench.now()));
    assert_eq!(bench.flink.job_status(&job(1)).await, Ok(JobState::Failed));
}
