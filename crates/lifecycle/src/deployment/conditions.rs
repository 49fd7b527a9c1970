//! `status.conditions`.

use api::ErrorReport;
use api::condition::{self, STATUS_TRUE, TYPE_RUNNING};

use super::pass::Pass;

/// Longest message of a condition, in characters.
const MESSAGE_LIMIT: usize = 1024;

/// Brings the condition `Running` up to date. Conditions of other types are left as they are.
pub(super) fn update(pass: &mut Pass<'_>) {
    if pass.last.is_none() {
        return;
    }
    let before = pass.status.conditions.clone().unwrap_or_default();
    let now = pass.now();
    let mut running = if pass.is_application() {
        condition::running_for_job(pass.job_state(), &before, now)
    } else {
        condition::running_for_session(pass.job_manager_status(), &before, now)
    };
    if running.status.as_deref() != Some(STATUS_TRUE)
        && let Some(reason) =
            pass.status.error.as_deref().and_then(|error| ErrorReport::from_text(error).message)
    {
        let message = format!("{}. {reason}", running.message.unwrap_or_default());
        running.message = Some(message.chars().take(MESSAGE_LIMIT).collect());
    }
    let others = before.into_iter().filter(|condition| condition.type_.as_deref() != Some(TYPE_RUNNING));
    pass.status.conditions = Some(std::iter::once(running).chain(others).collect());
}
