//! `status.conditions`.

use api::condition::{self, TYPE_RUNNING};

use super::pass::Pass;

/// Brings the condition `Running` up to date. Conditions of other types are left as they are.
pub(super) fn update(pass: &mut Pass<'_>) {
    if pass.last.is_none() {
        return;
    }
    let before = pass.status.conditions.clone().unwrap_or_default();
    let now = pass.now();
    let running = if pass.is_application() {
        condition::running_for_job(pass.job_state(), &before, now)
    } else {
        condition::running_for_session(pass.job_manager_status(), &before, now)
    };
    let others = before.into_iter().filter(|condition| condition.type_.as_deref() != Some(TYPE_RUNNING));
    pass.status.conditions = Some(std::iter::once(running).chain(others).collect());
}
