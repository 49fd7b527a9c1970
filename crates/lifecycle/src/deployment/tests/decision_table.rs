//! The decision table for applications, in every cell, against two statements of it that are not made from its code.
//!
//! [`ROWS`] are the rows of the Java operator (`AbstractJobReconciler`, `ApplicationReconciler`) in its order: the first
//! that matches answers. They know every input. [`MATRIX`] is what a user sees of them: the job and its JobManager,
//! everything else as it is by default.
//!
//! What is ours differs in three rows, each marked there: a job is RUNNING only where a JobManager answers for it, a job
//! that its JobManager does not know counts as lost, and where HA metadata cannot be looked at nobody is asked to restore
//! by hand.

use std::collections::BTreeMap;

use api::{JobManagerDeploymentStatus as Jm, JobStatusState as Job, UpgradeMode};

use super::super::upgrade::{CheckpointAge, KnownState, Plan, Restore, Stop, UpgradeInput, plan};

const SAVEPOINT: Plan = Plan::Go(Stop::Savepoint, Restore::Savepoint);
const CANCEL: Plan = Plan::Go(Stop::Cancel, Restore::Savepoint);
const LAST_STATE: Plan = Plan::Go(Stop::KeepHaMetadata, Restore::LastState);
const PATH: Plan = Plan::Go(Stop::Nothing, Restore::Savepoint);
const WAIT: Plan = Plan::Wait { exclusive: false };
const BUSY: Plan = Plan::Wait { exclusive: true };
const DELETE: Plan = Plan::DeleteNeverStarted;
const ASK: Plan = Plan::ManualRestore;

// ---- words of the rows ----------------------------------------------------------------------------------------------

fn stateless(cell: &UpgradeInput) -> bool {
    cell.mode == UpgradeMode::Stateless
}

fn savepoint(cell: &UpgradeInput) -> bool {
    cell.mode == UpgradeMode::Savepoint
}

fn ended(cell: &UpgradeInput) -> bool {
    matches!(cell.job, Some(Job::Finished | Job::Failed | Job::Canceled))
}

fn answers(cell: &UpgradeInput) -> bool {
    cell.job_manager == Jm::Ready
}

/// Ours: a state that was seen before the JobManager went away does not count.
fn running(cell: &UpgradeInput) -> bool {
    cell.job == Some(Job::Running) && answers(cell)
}

/// No newer state can turn up.
fn ended_for_good(cell: &UpgradeInput) -> bool {
    ended(cell) && (cell.job == Some(Job::Canceled) || !cell.ha_metadata || answers(cell))
}

/// Row 7: a savepoint cannot be taken, and the last state may stand in for it.
fn takes_last_state(cell: &UpgradeInput) -> bool {
    cell.mode == UpgradeMode::LastState
        || savepoint(cell) && !running(cell) && (cell.version_changes || cell.last_state_fallback)
}

fn cancellable(cell: &UpgradeInput) -> bool {
    !matches!(cell.job, None | Some(Job::Reconciling)) && !ended(cell) && answers(cell)
}

fn may_cancel_for_last_state(cell: &UpgradeInput) -> bool {
    cancellable(cell) && (cell.last_state_cancel || !cell.ha_metadata)
}

fn aged(cell: &UpgradeInput, age: CheckpointAge) -> bool {
    takes_last_state(cell) && running(cell) && cell.checkpoint_age == age
}

/// A row: its number, when it applies, and what it answers.
type Row = (&'static str, fn(&UpgradeInput) -> bool, Plan);

const ROWS: [Row; 17] = [
    ("1", |cell| stateless(cell) && ended(cell), Plan::Go(Stop::Nothing, Restore::Stateless)),
    ("2", stateless, Plan::Go(Stop::Stateless, Restore::Stateless)),
    ("3", |cell| ended_for_good(cell) && cell.known_state == KnownState::Known, PATH),
    ("4", ended_for_good, ASK),
    ("5", |cell| cell.job == Some(Job::Cancelling), BUSY),
    ("6", |cell| savepoint(cell) && running(cell), SAVEPOINT),
    // 7 goes on with last-state, 8 has no answer.
    (
        "9",
        |cell| takes_last_state(cell) && cell.version_changes && running(cell) && cell.savepoint_directory,
        SAVEPOINT,
    ),
    ("10", |cell| takes_last_state(cell) && cell.version_changes && cancellable(cell), CANCEL),
    // 11 has no answer.
    ("12, in progress", |cell| !cell.version_changes && aged(cell, CheckpointAge::InProgress), WAIT),
    ("12, too old", |cell| !cell.version_changes && aged(cell, CheckpointAge::TooOld), SAVEPOINT),
    ("12, cancel", |cell| aged(cell, CheckpointAge::Fine) && may_cancel_for_last_state(cell), CANCEL),
    ("12", |cell| aged(cell, CheckpointAge::Fine), LAST_STATE),
    ("13", |cell| takes_last_state(cell) && may_cancel_for_last_state(cell), CANCEL),
    // 14 has no answer; only after it HA metadata may be used.
    (
        "A1",
        |cell| takes_last_state(cell) && !cell.version_changes && cell.ha_kept && cell.ha_metadata,
        LAST_STATE,
    ),
    ("A2", |cell| cell.job_manager != Jm::Missing && cell.never_started, DELETE),
    (
        "A3",
        |cell| {
            // Ours: what is said of lost jobs (W-19), and of metadata elsewhere, which a JobManager has looked for that
            // answers.
            let nobody_answers = matches!(cell.job_manager, Jm::Missing | Jm::Error) && !cell.ha_elsewhere;
            (nobody_answers || cell.job_lost) && !cell.ha_metadata
        },
        ASK,
    ),
    ("A4", |_| true, WAIT),
];

const SWITCH: [bool; 2] = [false, true];
const AGES: [CheckpointAge; 3] = [CheckpointAge::Fine, CheckpointAge::InProgress, CheckpointAge::TooOld];
const STATES: [KnownState; 2] = [KnownState::Known, KnownState::OnlyInHaMetadata];

fn jobs() -> impl Iterator<Item = Option<Job>> {
    std::iter::once(None).chain(Job::ALL.iter().copied().map(Some))
}

/// Every mode, job and JobManager, with everything else as it is by default.
fn plain_cells() -> impl Iterator<Item = UpgradeInput> {
    UpgradeMode::ALL.iter().flat_map(|mode| {
        jobs().flat_map(move |job| Jm::ALL.iter().map(move |job_manager| cell(*mode, job, *job_manager)))
    })
}

fn cell(mode: UpgradeMode, job: Option<Job>, job_manager: Jm) -> UpgradeInput {
    UpgradeInput {
        mode,
        job,
        job_manager,
        job_lost: false,
        ha_metadata: false,
        ha_elsewhere: false,
        ha_kept: false,
        version_changes: false,
        savepoint_directory: true,
        last_state_fallback: true,
        last_state_cancel: false,
        known_state: KnownState::Known,
        checkpoint_age: CheckpointAge::Fine,
        never_started: false,
    }
}

/// Boxed: nested types of iterators would grow beyond what a linker takes.
type Cells = Box<dyn Iterator<Item = UpgradeInput>>;

/// The cells of `set` with both positions of a switch.
fn both(set: Cells, turn: fn(&mut UpgradeInput, bool)) -> Cells {
    Box::new(set.flat_map(move |cell| {
        SWITCH.map(|position| {
            let mut turned = cell.clone();
            turn(&mut turned, position);
            turned
        })
    }))
}

/// Every cell that there is.
fn all_cells() -> impl Iterator<Item = UpgradeInput> {
    let cells = both(Box::new(plain_cells()), |cell, on| cell.job_lost = on);
    let cells = both(cells, |cell, on| cell.ha_metadata = on);
    let cells = both(cells, |cell, on| cell.ha_elsewhere = on);
    let cells = both(cells, |cell, on| cell.ha_kept = on);
    let cells = both(cells, |cell, on| cell.version_changes = on);
    let cells = both(cells, |cell, on| cell.savepoint_directory = on);
    let cells = both(cells, |cell, on| cell.last_state_fallback = on);
    let cells = both(cells, |cell, on| cell.last_state_cancel = on);
    let cells = both(cells, |cell, on| cell.never_started = on);
    let cells = cells.flat_map(|cell| STATES.map(|known_state| UpgradeInput { known_state, ..cell.clone() }));
    cells.flat_map(|cell| AGES.map(|checkpoint_age| UpgradeInput { checkpoint_age, ..cell.clone() }))
}

#[test]
fn every_cell_is_what_the_first_matching_row_says() {
    let mut cells = 0;
    let mut hits = BTreeMap::<&str, u32>::new();
    for cell in all_cells() {
        let (row, _, wanted) = ROWS.iter().find(|(_, applies, _)| applies(&cell)).unwrap();
        assert_eq!(plan(&cell), *wanted, "row {row}: {cell:?}");
        *hits.entry(row).or_default() += 1;
        cells += 1;
    }
    assert_eq!(cells, 3 * 12 * 5 * 512 * 2 * 3);
    assert_eq!(hits.len(), ROWS.len(), "a row that nothing comes to: {hits:?}");
}

/// Jobs, JobManagers, and the answers: last-state with and without HA metadata, savepoint with and without.
type MatrixRow = (&'static [Option<Job>], &'static [Jm], [Plan; 4]);

const MATRIX: [MatrixRow; 9] = [
    (&[Some(Job::Running)], &[Jm::Ready], [LAST_STATE, CANCEL, SAVEPOINT, SAVEPOINT]),
    (
        &[
            Some(Job::Created),
            Some(Job::Initializing),
            Some(Job::Restarting),
            Some(Job::Failing),
            Some(Job::Suspended),
        ],
        &[Jm::Ready],
        [LAST_STATE, CANCEL, LAST_STATE, CANCEL],
    ),
    (&[Some(Job::Reconciling), None], &[Jm::Ready], [LAST_STATE, WAIT, LAST_STATE, WAIT]),
    (LIVE, &[Jm::DeployedNotReady, Jm::Deploying], [LAST_STATE, WAIT, LAST_STATE, WAIT]),
    (LIVE, &[Jm::Error, Jm::Missing], [LAST_STATE, ASK, LAST_STATE, ASK]),
    (&[Some(Job::Cancelling)], Jm::ALL, [BUSY, BUSY, BUSY, BUSY]),
    (&[Some(Job::Canceled)], Jm::ALL, [PATH, PATH, PATH, PATH]),
    (&[Some(Job::Finished), Some(Job::Failed)], &[Jm::Ready], [PATH, PATH, PATH, PATH]),
    (
        &[Some(Job::Finished), Some(Job::Failed)],
        &[Jm::Deploying, Jm::DeployedNotReady, Jm::Missing, Jm::Error],
        [LAST_STATE, PATH, LAST_STATE, PATH],
    ),
];

const LIVE: &[Option<Job>] = &[
    None,
    Some(Job::Reconciling),
    Some(Job::Initializing),
    Some(Job::Created),
    Some(Job::Running),
    Some(Job::Restarting),
    Some(Job::Failing),
    Some(Job::Suspended),
];

#[test]
fn the_matrix_says_the_same_of_every_job_and_job_manager() {
    let columns = [
        (UpgradeMode::LastState, true),
        (UpgradeMode::LastState, false),
        (UpgradeMode::Savepoint, true),
        (UpgradeMode::Savepoint, false),
    ];
    for job in jobs() {
        for job_manager in Jm::ALL {
            let rows: Vec<_> = MATRIX
                .iter()
                .filter(|(jobs, job_managers, _)| jobs.contains(&job) && job_managers.contains(job_manager))
                .collect();
            let [(_, _, plans)] = rows.as_slice() else { panic!("{job:?} {job_manager}: {rows:?}") };
            for ((mode, ha), wanted) in columns.into_iter().zip(plans) {
                let cell = UpgradeInput { ha_metadata: ha, ha_kept: ha, ..cell(mode, job, *job_manager) };
                assert_eq!(plan(&cell), *wanted, "{cell:?}");
            }
        }
    }
}

/// What must never happen, whatever the rows say.
#[test]
fn no_cell_gives_state_up() {
    for cell in all_cells().filter(|cell| !stateless(cell)) {
        let plan = plan(&cell);
        match plan {
            Plan::Go(stop, restore) => {
                assert!(stop != Stop::Stateless && restore != Restore::Stateless, "{cell:?}");
                assert!(stop != Stop::KeepHaMetadata || cell.ha_metadata, "nothing to keep: {cell:?}");
                assert!(restore != Restore::LastState || !cell.version_changes, "other version: {cell:?}");
                assert!(stop != Stop::Nothing || ended(&cell), "{cell:?}");
                assert!(
                    stop != Stop::Nothing || cell.known_state == KnownState::Known,
                    "nobody knows where it is: {cell:?}"
                );
            }
            Plan::Wait { .. } | Plan::DeleteNeverStarted | Plan::ManualRestore => {}
        }
    }
}
