//! `status.conditions`.

use api::condition::{Condition, STATUS_TRUE, TYPE_DELETING, TYPE_RUNNING, TYPE_SPEC_ACCEPTED};
use api::{ErrorReport, ReconciliationState};

use super::pass::{Hold, Pass, Stage};
use super::resource::{JobResource, JobResourceStatus};

/// Longest message of a condition, in characters.
const MESSAGE_LIMIT: usize = 1024;

/// Brings our conditions up to date. Conditions of other types are left as they are.
///
/// `Running` is the Java operator's. `SpecAccepted` is there, and False, only while the newest generation is not what
/// runs or cannot go on; `Deleting` is there only while a deletion waits for something.
pub(crate) fn update<R: JobResource>(pass: &mut Pass<'_, R>) {
    let before = pass.status.conditions().map(<[_]>::to_vec).unwrap_or_default();
    let running = pass.last.is_some().then(|| running(pass, &before));
    let hold = pass.hold.take().or_else(|| under_way(pass)).or_else(|| rolled_back(pass));
    let deletion = pass.deletion.take();
    let condition = |type_: &str, status: bool, why: Hold| {
        let message: String = why.message.chars().take(MESSAGE_LIMIT).collect();
        let mut condition = Condition::new(type_, status, why.reason, &message, &before, pass.context.now);
        condition.observed_generation = pass.resource.metadata().generation;
        condition
    };
    let ours = [TYPE_RUNNING, TYPE_SPEC_ACCEPTED, TYPE_DELETING];
    let others = before
        .iter()
        .filter(|condition| !condition.type_.as_deref().is_some_and(|type_| ours.contains(&type_)))
        .cloned();
    let conditions: Vec<Condition> = running
        .into_iter()
        .chain(hold.map(|hold| condition(TYPE_SPEC_ACCEPTED, false, hold)))
        .chain(deletion.map(|hold| condition(TYPE_DELETING, true, hold)))
        .chain(others)
        .collect();
    if pass.status.conditions().is_some() || !conditions.is_empty() {
        pass.status.set_conditions(conditions);
    }
}

fn running<R: JobResource>(pass: &Pass<'_, R>, before: &[Condition]) -> Condition {
    let mut running = R::running(pass, before);
    if running.status.as_deref() != Some(STATUS_TRUE)
        && let Some(reason) = pass.status.error().and_then(|error| ErrorReport::from_text(error).message)
    {
        let message = format!("{}. {reason}", running.message.unwrap_or_default());
        running.message = Some(message.chars().take(MESSAGE_LIMIT).collect());
    }
    running
}

/// The newest spec failed, and the last stable one runs.
fn rolled_back<R: JobResource>(pass: &Pass<'_, R>) -> Option<Hold> {
    let deleted = pass.resource.metadata().deletion_timestamp.is_some();
    (pass.reconciliation_state() == ReconciliationState::RolledBack && !deleted).then(|| Hold {
        reason: "RolledBack",
        message: "The newest spec was not stable within kubernetes.operator.deployment.readiness.timeout, so the last \
                  stable one was deployed again. Remedy: change the spec, or set it back to what runs, which \
                  status.reconciliationStatus.lastStableSpec says; lastReconciledSpec beside it is what was tried."
            .to_owned(),
    })
}

/// A generation that was not taken yet needs a reason, whatever it is.
fn under_way<R: JobResource>(pass: &Pass<'_, R>) -> Option<Hold> {
    let newest = pass.resource.metadata().generation.unwrap_or_default();
    let taken = pass.status.observed_generation() == Some(newest);
    if taken || pass.last.is_none() || pass.resource.metadata().deletion_timestamp.is_some() {
        return None;
    }
    let (reason, message) = match pass.stage() {
        Stage::Fresh => return None,
        Stage::Deploying => ("Deploying", "The cluster of an earlier generation is being created first."),
        Stage::Stopping => ("StoppingJob", "The job is being stopped with a savepoint first."),
        Stage::Cancelling => ("CancellingJob", "The job is being cancelled first."),
        Stage::Restarting => ("Restarting", "The cluster is being restarted first."),
        Stage::Withdrawing => ("ReplacingCluster", "The cluster that never came up goes first."),
        Stage::Stopped => ("ReplacingCluster", "The old cluster goes first."),
        Stage::Deployed | Stage::Suspended => ("Pending", "The change was not looked at yet."),
    };
    Some(Hold { reason, message: message.to_owned() })
}
