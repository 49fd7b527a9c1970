//! What the API server drops from a status when Apache's CRDs are installed.
//!
//! Helm never changes CRDs that are there, and a user who replaces nothing but the image keeps Apache's, which know none
//! of `operation`, `retry` and `conditions` of a session job. What is under way therefore follows from the fields that
//! the Java operator has as well; the id of a savepoint that a job is stopped with is written a second time, as a pending
//! savepoint of type UPGRADE.

use api::{
    FlinkSessionJobStatus, JobStatusState, Operation, OperationKind, ReconciliationState, SavepointInfo,
    SnapshotTriggerType,
};

/// The status as it was written, whether the API server has kept everything or not.
pub(super) fn restored(mut status: FlinkSessionJobStatus) -> FlinkSessionJobStatus {
    let pending = take_trigger(&mut status);
    if status.operation.is_none() {
        status.operation = pending.or_else(|| implied(&status));
    }
    status
}

/// Adds the copy of the trigger.
pub(super) fn keep(status: &mut FlinkSessionJobStatus) {
    let Some(operation) = status.operation.clone().filter(|it| it.kind == Some(OperationKind::Stopping))
    else {
        return;
    };
    let info = status.job_status_mut().savepoint_info.get_or_insert_default();
    info.trigger_id = operation.trigger_id;
    info.trigger_timestamp = operation.start_timestamp;
    info.trigger_type = Some(SnapshotTriggerType::Upgrade);
}

/// Whether two statuses differ in nothing that the API server would keep. One that has none of our fields either was
/// pruned, or is the Java operator's; then they are written with the next change that matters.
pub(super) fn only_noise_differs(current: &FlinkSessionJobStatus, next: &FlinkSessionJobStatus) -> bool {
    let is_bare = current.conditions.is_none() && current.reconciliation_status.is_some();
    if !is_bare {
        return current == next;
    }
    let bare = FlinkSessionJobStatus { operation: None, retry: None, conditions: None, ..next.clone() };
    *current == bare
}

fn take_trigger(status: &mut FlinkSessionJobStatus) -> Option<Operation> {
    let ended = status.job_state() == Some(JobStatusState::Finished);
    let job_id = status.job_id().map(str::to_owned);
    let job = status.job_status.as_mut()?;
    let taken = job.upgrade_savepoint_path.clone().filter(|_| ended);
    let info = job.savepoint_info.as_mut()?;
    if info.trigger_type != Some(SnapshotTriggerType::Upgrade) {
        return None;
    }
    let SavepointInfo { trigger_id, trigger_timestamp, trigger_type, .. } = info;
    *trigger_type = None;
    Some(Operation {
        kind: Some(OperationKind::Stopping),
        trigger_id: trigger_id.take(),
        job_id,
        generation: status.observed_generation,
        restore_path: taken,
        start_timestamp: trigger_timestamp.take(),
        ..Operation::default()
    })
}

/// What the rest of the status says is under way.
fn implied(status: &FlinkSessionJobStatus) -> Option<Operation> {
    let under_way = matches!(
        status.reconciliation_state(),
        ReconciliationState::Upgrading | ReconciliationState::RollingBack
    );
    let job_id = status.job_id().filter(|_| under_way)?;
    let kind = match status.job_state()? {
        JobStatusState::Cancelling => OperationKind::Cancelling,
        JobStatusState::Reconciling => OperationKind::Deploying,
        _ => return None,
    };
    let job = status.job_status.as_ref();
    Some(Operation {
        kind: Some(kind),
        job_id: Some(job_id.to_owned()),
        attempt: (kind == OperationKind::Deploying).then(|| job_id.to_owned()),
        generation: status.observed_generation,
        restore_path: job
            .filter(|_| kind == OperationKind::Deploying)
            .and_then(|job| job.upgrade_savepoint_path.clone()),
        start_timestamp: status.reconciliation_status.as_ref().and_then(|all| all.reconciliation_timestamp),
        ..Operation::default()
    })
}
