//! Whether the chart gives the operator all the rights that it needs, by the API server's audit log.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, ensure};
use jiff::Timestamp;

use crate::audit::{self, Request};

/// Fails if a request of the operator was forbidden since `began`; prints the rights that it used.
pub(super) fn check(log: &Path, namespace: &str, began: Timestamp) -> Result<()> {
    let account = format!("system:serviceaccount:{namespace}:flink-operator");
    let requests: Vec<Request> = audit::read(log)?
        .into_iter()
        .filter(|request| request.user == account && request.received >= began)
        .collect();
    ensure!(!requests.is_empty(), "the audit log has no request of {account}");
    let forbidden: BTreeSet<_> = requests
        .iter()
        // Nobody may create anything in a namespace that is being removed.
        .filter(|request| request.code == 403 && !request.message.contains("being terminated"))
        .map(|request| format!("{} {}", request.verb, request.resource))
        .collect();
    let used: BTreeSet<_> =
        requests.iter().map(|request| format!("{} {}", request.resource, request.verb)).collect();
    println!("rights that the operator used: {}", used.into_iter().collect::<Vec<_>>().join(", "));
    ensure!(forbidden.is_empty(), "the chart does not allow what the operator needs: {forbidden:?}");
    Ok(())
}
