//! The checks can fail: bugs that are built in are found, and the same runs without them are fine.

#![allow(clippy::unwrap_used, reason = "clippy exempts only test functions, not what they share")]

use simulation::campaign::{Campaign, Share};
use simulation::fault::Fault;
use simulation::planted::Plant;
use simulation::run::{RunOptions, run};
use simulation::scenario::{self, Scenario};

fn scenario(name: &str) -> Scenario {
    let all = scenario::all().unwrap();
    all.into_iter().find(|scenario| scenario.name == name).unwrap()
}

/// What is found in one run without faults.
fn found(name: &str, plant: Option<Plant>) -> Vec<String> {
    let report = run(&RunOptions { scenario: scenario(name), points: Vec::new(), seed: 1, plant });
    report.problems(None)
}

/// What is found with these faults.
fn found_with(name: &str, faults: &[Fault], plant: Option<Plant>) -> Vec<String> {
    let scenarios = vec![scenario(name)];
    let campaign = Campaign {
        scenarios,
        faults: faults.to_vec(),
        every_call: false,
        share: Share::WHOLE,
        plant,
        seed: 1,
        threads: 2,
    };
    let results = campaign.run(|_| {});
    results.into_iter().flat_map(|result| result.failures).flat_map(|failure| failure.problems).collect()
}

fn assert_found(problems: &[String], what: &str) {
    assert!(problems.iter().any(|problem| problem.contains(what)), "'{what}' is not among {problems:#?}");
}

/// Bug, scenario, and what is said about it in a run without faults.
const BUGS: [(Plant, &str, &str); 24] = [
    (Plant::NotRecorded, "basic", "(d) Deployment"),
    (Plant::NotRecorded, "savepoint-upgrade", "(d) "),
    (Plant::NotRecordedKind("DEPLOYING"), "basic", "(d) Deployment"),
    (Plant::NotRecordedKind("STOPPING"), "savepoint-upgrade", "(d) stop-with-savepoint"),
    (Plant::NotRecordedKind("STOPPING"), "delete-with-savepoint", "(d) stop-with-savepoint"),
    (Plant::NotRecordedKind("CANCELLING"), "last-state-upgrade", "(d) job"),
    (Plant::NotRecordedKind("RESTARTING"), "no-checkpoint-progress", "(d) Deployment"),
    // Nothing is done for it before it is in the status, so it never comes to anything.
    (Plant::NotRecordedKind("WITHDRAWING"), "upgrade-to-broken-image-and-back", "(f) "),
    (Plant::OldSavepoint, "three-upgrades", "(b) job"),
    (Plant::NoUid, "stateless-upgrade", "names no uid"),
    (Plant::EmptyStart, "savepoint-upgrade", "(b) job"),
    (Plant::EarlyRemoval, "last-state-upgrade-ha", "(c) HA metadata"),
    (Plant::EarlyRemoval, "flink-2-last-state-upgrade", "(c) HA metadata"),
    (Plant::RemovalBeforeSavepoint, "delete-with-savepoint-ha", "(c) "),
    (Plant::InitialAgain, "from-savepoint-upgrade", "(b) job"),
    (Plant::NoWait, "upgrade-before-running", "(a) "),
    (Plant::Restless, "basic", "(e) "),
    (Plant::EmptyStart, "standalone-savepoint-upgrade", "(b) job"),
    (Plant::EarlyRemoval, "standalone-last-state-upgrade-ha", "(c) HA metadata"),
    (Plant::KeptTaskManagers, "standalone-stateless-upgrade", "(h) TaskManagers"),
    (Plant::TaskManagersFirst, "standalone-job-ends-with-its-task-managers", "(f) "),
    (Plant::ForeignTaskManagers, "standalone-session-foreign-task-managers", "(i) Deployment"),
    (Plant::LostTaskManagers, "standalone-task-managers-deleted", "(f) "),
    (Plant::ScaledTaskManagers, "standalone-task-managers-scaled-by-hand", "(f) "),
];

/// The same of jobs on session clusters.
const BUGS_OF_SESSION_JOBS: [(Plant, &str, &str); 9] = [
    (Plant::UnrecordedSubmission, "session-job-basic", "(d) run"),
    (Plant::FreshJobId, "session-job-basic", "(d) run"),
    (Plant::CancelledInWord, "session-job-stateless-upgrade", "(a) "),
    (Plant::OldSavepoint, "session-job-savepoint-upgrade", "(b) job"),
    (Plant::EmptyStart, "session-job-last-state-upgrade", "(b) job"),
    (Plant::NotRecordedKind("STOPPING"), "session-job-savepoint-upgrade", "(d) stop-with-savepoint"),
    (Plant::NotRecordedKind("STOPPING"), "session-job-cluster-upgrade", "(d) stop-with-savepoint"),
    (Plant::NotRecordedKind("CANCELLING"), "session-job-stateless-upgrade", "(d) job"),
    (Plant::EmptyStart, "session-job-rollback", "(b) job"),
];

/// The same of snapshots.
const BUGS_OF_SNAPSHOTS: [(Plant, &str, &str); 3] = [
    (Plant::WrongPath, "snapshot-savepoint", "(j) FlinkStateSnapshot"),
    (Plant::AlwaysDisposed, "snapshot-deleted-and-kept", "(k) the savepoint"),
    (Plant::UnseenReference, "snapshot-of-history-that-another-needs", "(k) the savepoint"),
];

fn all_are_found(bugs: &[(Plant, &str, &str)]) {
    for (plant, name, what) in bugs.iter().copied() {
        assert_eq!(found(name, None), [""; 0], "{name} is fine without the bug");
        assert_found(&found(name, Some(plant)), what);
    }
}

#[test]
fn bugs_are_found_in_runs_without_faults() {
    all_are_found(&BUGS);
}

#[test]
fn bugs_of_session_jobs_are_found_in_runs_without_faults() {
    all_are_found(&BUGS_OF_SESSION_JOBS);
}

#[test]
fn bugs_of_snapshots_are_found_in_runs_without_faults() {
    all_are_found(&BUGS_OF_SNAPSHOTS);
}

#[test]
fn a_deletion_that_never_ends_is_found() {
    assert_eq!(found("delete", None), [""; 0]);
    assert_found(&found("delete", Some(Plant::KeptFinalizer)), "(f) ");
}

/// These look right as long as nothing goes wrong.
#[test]
fn bugs_are_found_that_show_only_with_faults() {
    for (plant, name, fault) in [
        (Plant::NoFence, "savepoint-upgrade", Fault::OldLeader),
        (Plant::ForgottenFence, "deployment-deleted-savepoint-mode", Fault::OldLeader),
        (Plant::NoFence, "session-job-savepoint-upgrade", Fault::OldLeader),
        (Plant::ForgottenDependents, "basic", Fault::CrashAfter),
        (Plant::StartedAtOnce, "deployment-deleted-savepoint-mode", Fault::OldLeader),
    ] {
        assert_eq!(found(name, Some(plant)), [""; 0], "{plant}: nothing goes wrong without a fault");
        assert_eq!(found_with(name, &[fault], None), [""; 0], "{name} is fine without the bug");
        assert!(!found_with(name, &[fault], Some(plant)).is_empty(), "{plant} is not found");
    }
}

#[test]
fn every_bug_is_tried() {
    for plant in Plant::all() {
        let with_faults = [
            Plant::ForgottenFence,
            Plant::NoFence,
            Plant::ForgottenDependents,
            Plant::StartedAtOnce,
            Plant::KeptFinalizer,
        ];
        assert!(
            BUGS.iter()
                .chain(&BUGS_OF_SESSION_JOBS)
                .chain(&BUGS_OF_SNAPSHOTS)
                .any(|(tried, _, _)| *tried == plant)
                || with_faults.contains(&plant),
            "{plant}"
        );
        assert_eq!(plant.to_string().parse(), Ok(plant));
    }
}
