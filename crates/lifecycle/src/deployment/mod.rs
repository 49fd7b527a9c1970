//! The life of a FlinkDeployment: application and session clusters.
//!
//! The stages, in the order in which a cluster passes through them ([`pass::Stage`]); each pass moves at most from one
//! to the next and records that before it does anything:
//!
//! | stage | recorded as | leaves it when |
//! |---|---|---|
//! | Fresh | no recorded spec | a valid spec that wants to run |
//! | Deploying | `operation: DEPLOYING` with the attempt | the Deployment carries the attempt and all objects exist |
//! | Deployed | state DEPLOYED or ROLLED_BACK | the spec changes, the cluster is lost, a rollback is due |
//! | Stopping, Cancelling | `operation` with trigger id and job id | Flink says how it ended |
//! | Withdrawing | `operation: WITHDRAWING` | the cluster, which never came up, is gone, or came up after all |
//! | Restarting | `operation: RESTARTING` | the old cluster is gone |
//! | Stopped | state UPGRADING or ROLLING_BACK, recorded job suspended | the old cluster is gone |
//! | Suspended | state DEPLOYED, recorded job suspended | the user wants it to run |
//!
//! Deletion ([`deletion`]) can begin in each of them.

mod build;
mod cluster_info;
mod deletion;
mod deploy;
mod health;
mod ingress;
mod observation;
mod pass;
mod polling;
mod pruned;
mod quiet;
mod recovery;
mod replacement;
mod resource;
mod restart;
mod restore;
mod rollback;
mod scaling;
mod session;
mod spec_change;
mod stopping;
mod suspension;
mod teardown;
#[cfg(test)]
mod tests;
mod validation;
mod withdrawal;

pub use crate::job::exceptions::look_back as exception_look_back;
pub use crate::job::failure::back_off;
pub use pruned::recorded_attempt;
pub use session::{JOBS_UNKNOWN, STOPPING_SESSION_JOBS};

use api::{FlinkDeployment, FlinkDeploymentStatus, JobManagerDeploymentStatus, JobStatusState};
use flink_conf::operator_defaults::OperatorDefaults;
use flink_conf::settings::OperatorSettings;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use resources::OperatorFiles;

use crate::effect::Effect;
use crate::job::{failure, identity, upgrade};
use crate::observed::{JobManager, Observed, TaskManagers};
use crate::{Decision, Requeue};
use pass::{Pass, Sight, Stage};

/// What a decision needs besides the resource and what was observed.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The moment of the decision.
    pub now: Timestamp,
    /// Time zone of the operator, which cron expressions are about.
    pub zone: &'a TimeZone,
    /// The operator's own configuration.
    pub defaults: &'a OperatorDefaults,
    /// Files of the operator that go into clusters.
    pub files: &'a OperatorFiles,
}

/// Which live reads a decision needs; caches answer the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// The JobManager Deployment, if the cache has none: what is hidden from the cache is not gone.
    pub job_manager: bool,
    /// Pods of the JobManager, to say why it does not start.
    pub pods: bool,
    /// ConfigMaps with HA metadata.
    pub ha: bool,
    /// The Ingress, if the cache has none.
    pub ingress: bool,
    /// The TaskManager Deployment of a standalone cluster.
    pub task_managers: bool,
    /// The Service of the REST API, when nobody can be reached through it.
    pub rest_service: bool,
}

/// Which live reads the next [`decide`] of this resource needs. `job_manager` and `task_managers` are the cached
/// Deployments.
#[must_use]
pub fn reads(
    resource: &FlinkDeployment,
    job_manager: Option<&JobManager>,
    task_managers: Option<&TaskManagers>,
    context: &Context<'_>,
) -> Reads {
    let status = resource.status.as_ref();
    let deployed = status.is_some_and(|status| status.last_reconciled_spec().is_some());
    let deleting = resource.metadata.deletion_timestamp.is_some();
    if !deployed {
        return Reads { job_manager: true, ..Reads::default() };
    }
    let observed = Observed::default();
    let Ok(settings) = settings(resource, context) else {
        return Reads { job_manager: true, pods: true, ha: true, ingress: true, ..Reads::default() };
    };
    let pass = Pass::new(resource, &observed, context, settings);
    let changed = pass.status.observed_generation != Some(pass.generation);
    let steady = !deleting && !changed && pass.is_steady(job_manager);
    let available = job_manager.is_some_and(JobManager::is_available);
    // Between its deployment and the moment in which it is stable, a cluster is looked at often.
    let settles = pass.stage() == Stage::Deployed && !changed && !deleting && pass.status.error.is_none();
    let without_ha = settles && matches!(pass.ha(), restore::Ha::Off);
    // One that is not wanted any more may still be there.
    let ingress = pass.looks_after_ingress() && (pass.wants_ingress() || !steady && !settles);
    Reads {
        job_manager: !steady,
        pods: !steady
            && (!available
                || changed
                || matches!(pass.stage(), Stage::Stopped | Stage::Restarting | Stage::Withdrawing)),
        ha: !steady && !without_ha,
        task_managers: pass.is_standalone()
            && (pass.scales()
                || changed
                || deleting
                || pass.takes_down(job_manager)
                || pass.task_managers_look_wrong(job_manager, task_managers)),
        rest_service: !deleting
            && available
            && pass.stage() == Stage::Deployed
            && pass.job_manager_status() == JobManagerDeploymentStatus::DeployedNotReady,
        ingress: !deleting && ingress && pass.settings.manage_ingress,
    }
}

fn settings(
    resource: &FlinkDeployment,
    context: &Context<'_>,
) -> Result<OperatorSettings, flink_conf::ConfError> {
    let namespace = resource.metadata.namespace.as_deref().unwrap_or_default();
    OperatorSettings::of_deployment(context.defaults, namespace, &resource.spec)
}

/// Decides the next step in the life of `resource`.
///
/// Total: there is an answer for every resource, every observation and every moment.
#[must_use]
pub fn decide(
    resource: &FlinkDeployment,
    observed: &Observed,
    context: &Context<'_>,
) -> Decision<FlinkDeploymentStatus> {
    let deleting = resource.metadata.deletion_timestamp.is_some();
    if api::names::is_canary(resource.metadata.labels.as_ref()) {
        return canary(resource, deleting);
    }
    let (settings, unreadable) = match settings(resource, context) {
        Ok(settings) => (settings, None),
        Err(error) => (OperatorSettings::of_operator(context.defaults), Some(error.to_string())),
    };
    let mut pass = Pass::new(resource, observed, context, settings);
    if observed.job_manager_unread {
        pass.look_again(pass.settings.progress_check_interval);
        return pass.finish();
    }
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
    if !pass.version_is_supported() {
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
        if self.record_effect_failure() {
            self.plan_poll();
            return;
        }
        match self.stage() {
            Stage::Fresh => self.deploy_first(),
            Stage::Deploying => self.confirm_deployment(),
            Stage::Stopping => self.follow_savepoint(),
            Stage::Cancelling => self.follow_cancel(),
            Stage::Restarting => self.follow_restart(),
            Stage::Withdrawing => self.follow_withdrawal(),
            Stage::Stopped => self.replace_cluster(),
            Stage::Deployed => {
                if !self.removes_what_nobody_started() {
                    self.mend_dependents();
                    self.keep_or_change();
                }
            }
            Stage::Suspended => self.stay_suspended_or_resume(),
        }
        self.mend_ingress();
        self.schedule();
    }

    /// Asks for the next look, and says what the Flink poller shall ask.
    fn schedule(&mut self) {
        self.plan_poll();
        let delay = match self.stage() {
            Stage::Fresh | Stage::Suspended => return,
            // What happens to a settled cluster is told by watches and by the poller; this only heals a missed event.
            // Counters of health change without being told.
            Stage::Deployed if self.is_settled() && self.settings.health_check => {
                self.settings.reconcile_interval
            }
            Stage::Deployed if self.is_settled() => self.settings.reconcile_interval * 10,
            Stage::Deployed
            | Stage::Deploying
            | Stage::Stopping
            | Stage::Cancelling
            | Stage::Restarting
            | Stage::Withdrawing
            | Stage::Stopped => self.settings.progress_check_interval,
        };
        self.look_again(delay);
    }

    /// Whether what is recorded as deployed runs, or has ended, and nothing is expected to change.
    fn is_settled(&self) -> bool {
        let job_rests = !self.is_application()
            || self.job_ended()
            || self.job_state() == Some(JobStatusState::Running) && self.sight == Sight::Plain;
        self.is_stable() && job_rests
    }

    /// Whether a cluster is there that goes, or may go.
    fn takes_down(&self, job_manager: Option<&JobManager>) -> bool {
        job_manager.is_some()
            && match self.stage() {
                Stage::Stopped | Stage::Suspended | Stage::Restarting | Stage::Withdrawing => true,
                Stage::Deployed => self.job_ended(),
                Stage::Fresh | Stage::Deploying | Stage::Stopping | Stage::Cancelling => false,
            }
    }

    /// Whether nothing has to be read about a resource whose spec has not changed.
    fn is_steady(&self, job_manager: Option<&JobManager>) -> bool {
        match self.stage() {
            Stage::Suspended => self.wants_suspended(),
            Stage::Deployed => {
                let rests = match job_manager {
                    Some(job_manager) => job_manager.is_available(),
                    // Removed after its time.
                    None => self.job_ended(),
                };
                let well = self.status.error.is_none() && self.stored_illness().is_none();
                rests && well && self.is_settled()
            }
            Stage::Fresh
            | Stage::Deploying
            | Stage::Stopping
            | Stage::Cancelling
            | Stage::Restarting
            | Stage::Withdrawing
            | Stage::Stopped => false,
        }
    }
}

/// A canary proves that the operator is alive: it is reconciled without any effect.
fn canary(resource: &FlinkDeployment, deleting: bool) -> Decision<FlinkDeploymentStatus> {
    let effects =
        if deleting && has_finalizer(resource) { vec![Effect::RemoveFinalizer] } else { Vec::new() };
    let status = resource.status.clone().unwrap_or_default();
    Decision { status, effects, requeue: Requeue::OnChange, poll: None }
}

fn has_finalizer(resource: &FlinkDeployment) -> bool {
    resource
        .metadata
        .finalizers
        .iter()
        .flatten()
        .any(|finalizer| finalizer == api::names::FINALIZER_FLINK_DEPLOYMENT)
}
