//! What the API server drops from a status when Apache's CRDs are installed.
//!
//! Helm never changes CRDs that are there, and a user who replaces nothing but the image keeps Apache's, which know
//! neither `status.operation` nor `status.retry`. Both are therefore written a second time, as JSON in
//! `status.clusterInfo`, which has room for any text. The copy counts only for the state that it was written with: a Java
//! operator that goes on leaves the entry as it is.

use std::collections::BTreeMap;

use api::{FlinkDeploymentStatus, Operation, Retry};
use serde::{Deserialize, Serialize};

/// Key of `status.clusterInfo`.
const KEY: &str = "pending-operation";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Copy {
    /// `reconciliationTimestamp` of the state that it belongs to.
    reconciliation_timestamp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    operation: Option<Operation>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    retry: Option<Retry>,
}

fn timestamp(status: &FlinkDeploymentStatus) -> Option<i64> {
    status.reconciliation_status.as_ref().and_then(|it| it.reconciliation_timestamp)
}

/// The status as it was written, whether the API server has kept everything or not.
pub(super) fn restored(mut status: FlinkDeploymentStatus) -> FlinkDeploymentStatus {
    let copy = status.cluster_info.as_mut().and_then(|info| info.remove(KEY));
    let copy = copy.and_then(|text| serde_json::from_str::<Copy>(&text).ok());
    let was_pruned = status.operation.is_none() && status.retry.is_none();
    if let Some(copy) = copy
        && was_pruned
        && copy.reconciliation_timestamp == timestamp(&status)
    {
        status.operation = copy.operation;
        status.retry = copy.retry;
    }
    status
}

/// Adds the copy.
pub(super) fn keep(status: &mut FlinkDeploymentStatus) {
    if status.operation.is_none() && status.retry.is_none() {
        return;
    }
    let copy = Copy {
        reconciliation_timestamp: timestamp(status),
        operation: status.operation.clone(),
        retry: status.retry.clone(),
    };
    if let Ok(text) = serde_json::to_string(&copy) {
        status.cluster_info.get_or_insert_with(BTreeMap::new).insert(KEY.to_owned(), text);
    }
}

/// The attempt that a stored status says is being deployed.
#[must_use]
pub fn recorded_attempt(status: &serde_json::Value) -> Option<String> {
    let status: FlinkDeploymentStatus = serde_json::from_value(status.clone()).ok()?;
    restored(status).operation?.attempt
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> FlinkDeploymentStatus {
        let mut status = FlinkDeploymentStatus::initial();
        status.reconciliation_status_mut().reconciliation_timestamp = Some(7);
        status.operation = Some(Operation { attempt: Some("a".to_owned()), ..Operation::default() });
        status.retry = Some(Retry { count: Some(2), ..Retry::default() });
        status
    }

    fn pruned(mut status: FlinkDeploymentStatus) -> FlinkDeploymentStatus {
        keep(&mut status);
        status.operation = None;
        status.retry = None;
        status
    }

    #[test]
    fn what_is_pruned_comes_back() {
        let back = restored(pruned(status()));
        assert_eq!((&back.operation, &back.retry), (&status().operation, &status().retry));
        assert_eq!(recorded_attempt(&serde_json::to_value(pruned(status())).unwrap()).as_deref(), Some("a"));
        let mut kept = status();
        keep(&mut kept);
        assert_eq!(restored(kept).operation, status().operation);
    }

    #[test]
    fn a_copy_of_another_state_does_not_count() {
        let mut later = pruned(status());
        later.reconciliation_status_mut().reconciliation_timestamp = Some(8);
        let back = restored(later);
        assert_eq!((back.operation, back.retry), (None, None));
        assert!(!back.cluster_info.unwrap_or_default().contains_key(KEY), "it goes with the next write");
    }
}
