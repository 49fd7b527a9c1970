//! The life of a FlinkSessionJob: a job on a session cluster that others use as well.
//!
//! The stages ([`Stage`]) are those of a FlinkDeployment, without what concerns a cluster of its own:
//!
//! | stage | recorded as | leaves it when |
//! |---|---|---|
//! | Fresh | no recorded spec | a valid spec that wants to run, and a cluster that is ready |
//! | Deploying | state UPGRADING or ROLLING_BACK, job RECONCILING, with its id | Flink knows the job of that id |
//! | Deployed | state DEPLOYED or ROLLED_BACK | the spec changes, a rollback is due, the cluster is about to go |
//! | Stopping, Cancelling | `operation` with trigger id and job id | Flink says how it ended |
//! | Stopped | state UPGRADING or ROLLING_BACK, job ended | the cluster is ready |
//! | Suspended | state DEPLOYED, recorded job suspended | the user wants it to run |
//!
//! The id of a job is recorded before the job is submitted, and Flink refuses one that it has seen before: a submission
//! that is repeated, by whomever, starts no second job.

mod change;
mod cluster;
mod deletion;
mod polling;
mod pruned;
pub(crate) mod python;
mod resource;
mod submission;
#[cfg(test)]
mod tests;
mod validation;

use api::{FlinkSessionJob, FlinkSessionJobStatus};
use flink_conf::settings::OperatorSettings;

use crate::deployment::Context;
use crate::effect::Effect;
use crate::job::pass::{Sight, Stage};
use crate::observed::{Observed, SessionJob};
use crate::{Decision, Requeue};

pub use cluster::is_of_interest;

/// A pass over a FlinkSessionJob.
type Pass<'a> = crate::job::pass::Pass<'a, FlinkSessionJob>;

/// Decides the next step in the life of `resource`.
///
/// Total: there is an answer for every resource, every observation and every moment.
#[must_use]
pub fn decide(
    resource: &FlinkSessionJob,
    observed: &Observed,
    context: &Context<'_>,
) -> Decision<FlinkSessionJobStatus> {
    let deleting = resource.metadata.deletion_timestamp.is_some();
    if api::names::is_canary(resource.metadata.labels.as_ref()) {
        return canary(resource, deleting);
    }
    let namespace = resource.metadata.namespace.as_deref().unwrap_or_default();
    let cluster = observed.session_cluster.as_deref().map(|cluster| &cluster.spec);
    let settings = OperatorSettings::of_session_job(context.defaults, namespace, cluster, &resource.spec);
    let (settings, unreadable) = match settings {
        Ok(settings) => (settings, None),
        Err(error) => (OperatorSettings::of_operator(context.defaults), Some(error.to_string())),
    };
    let mut pass = Pass::new(resource, observed, context, settings);
    if deleting {
        pass.delete();
        return pass.finish();
    }
    if !has_finalizer(resource) {
        pass.effects.push(Effect::AddFinalizer);
        pass.again_at_once();
        return pass.finish();
    }
    if pass.record_is_unreadable() {
        return pass.finish();
    }
    pass.observe();
    if pass.use_valid_spec(unreadable) {
        pass.go_on();
    }
    pass.finish()
}

impl Pass<'_> {
    /// One arm for each stage.
    fn go_on(&mut self) {
        if self.stage() == Stage::Stopping
            && let Some(path) = self.goes_on_without_snapshot_resource()
        {
            self.stop_with_recorded_savepoint(path);
            return;
        }
        if self.stage() == Stage::Deploying && self.confirms_submission() {
            self.plan_poll();
            return;
        }
        if self.record_effect_failure() {
            if self.stage() == Stage::Deploying {
                self.roll_back_submission_if_due();
            }
            self.plan_poll();
            return;
        }
        match self.stage() {
            Stage::Fresh => self.submit_first(),
            Stage::Deploying => self.repeat_submission(),
            Stage::Stopping => self.follow_savepoint(),
            Stage::Cancelling => self.follow_cancel(),
            Stage::Stopped => self.submit_next(),
            Stage::Deployed => self.keep_or_change(),
            Stage::Suspended => self.stay_suspended_or_resume(),
            // These are stages of clusters; no status of a session job reads so.
            Stage::Restarting | Stage::Withdrawing => {}
        }
        self.schedule();
    }

    /// Asks for the next look, and says what the Flink poller shall ask.
    fn schedule(&mut self) {
        self.plan_poll();
        let delay = match self.stage() {
            Stage::Fresh | Stage::Suspended | Stage::Restarting | Stage::Withdrawing => return,
            // What happens to a settled job is told by the poller; this only heals a missed event.
            Stage::Deployed if self.is_settled() => self.settings.reconcile_interval * 10,
            Stage::Deployed | Stage::Deploying | Stage::Stopping | Stage::Cancelling | Stage::Stopped => {
                self.settings.progress_check_interval
            }
        };
        self.look_again(delay);
    }

    /// Whether what is recorded as deployed runs, or has ended, and nothing is expected to change.
    fn is_settled(&self) -> bool {
        let rests = self.job_ended()
            || self.job_state() == Some(api::JobStatusState::Running) && self.sight == Sight::Plain;
        self.stage() == Stage::Deployed && self.is_stable() && rests
    }

    /// Looks for the job, if there ought to be one.
    fn observe(&mut self) {
        match self.stage() {
            Stage::Fresh
            | Stage::Deploying
            | Stage::Stopped
            | Stage::Suspended
            | Stage::Restarting
            | Stage::Withdrawing => {}
            Stage::Deployed | Stage::Stopping | Stage::Cancelling => {
                self.observe_on_cluster();
                self.clear_error_when_healthy();
            }
        }
    }

    fn clear_error_when_healthy(&mut self) {
        let runs = self.job_state() == Some(api::JobStatusState::Running);
        if runs && self.failures_of(api::RetryKind::StopWithSavepoint) == 0 {
            self.status.error = None;
        }
    }
}

/// What a session cluster has to know of one of its jobs.
#[must_use]
pub fn seen_from_cluster(resource: &FlinkSessionJob) -> SessionJob {
    let meta = &resource.metadata;
    let status = resource.status.clone().map(pruned::restored).unwrap_or_default();
    let ended = status.job_state().is_none_or(api::JobStatusState::is_terminal);
    SessionJob {
        name: meta.name.clone().unwrap_or_default(),
        uid: meta.uid.clone(),
        terminating: meta.deletion_timestamp.is_some(),
        under_way: status.operation.is_some(),
        job_id: status.job_id().map(str::to_owned),
        ended,
    }
}

/// A canary proves that the operator is alive: it is reconciled without any effect.
fn canary(resource: &FlinkSessionJob, deleting: bool) -> Decision<FlinkSessionJobStatus> {
    let effects =
        if deleting && has_finalizer(resource) { vec![Effect::RemoveFinalizer] } else { Vec::new() };
    let status = resource.status.clone().unwrap_or_default();
    Decision { status, effects, requeue: Requeue::OnChange, poll: None }
}

fn has_finalizer(resource: &FlinkSessionJob) -> bool {
    resource
        .metadata
        .finalizers
        .iter()
        .flatten()
        .any(|finalizer| finalizer == api::names::FINALIZER_FLINK_SESSION_JOB)
}
