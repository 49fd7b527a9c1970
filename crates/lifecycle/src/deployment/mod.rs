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
//! | Stopped | state UPGRADING or ROLLING_BACK, recorded job suspended | the old cluster is gone |
//! | Suspended | state DEPLOYED, recorded job suspended | the user wants it to run |
//!
//! Deletion ([`deletion`]) can begin in each of them.

mod build;
mod cluster_info;
mod conditions;
mod deletion;
mod deploy;
mod failure;
pub mod identity;
mod observation;
mod pass;
mod polling;
mod quiet;
mod recovery;
mod rollback;
mod spec_change;
mod stopping;
mod teardown;
#[cfg(test)]
mod tests;
pub mod upgrade;
mod validation;

use std::time::Duration;

use api::{FlinkDeployment, FlinkDeploymentStatus};
use flink_conf::operator_defaults::OperatorDefaults;
use flink_conf::settings::OperatorSettings;
use jiff::Timestamp;
use resources::OperatorFiles;

use crate::effect::Effect;
use crate::observed::Observed;
use crate::{Decision, Requeue};
use pass::{Pass, Stage};

/// What a decision needs besides the resource and what was observed.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The moment of the decision.
    pub now: Timestamp,
    /// The operator's own configuration.
    pub defaults: &'a OperatorDefaults,
    /// Files of the operator that go into clusters.
    pub files: &'a OperatorFiles,
}

/// Which live reads a decision needs; caches answer the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Pods of the JobManager, to say why it does not start.
    pub pods: bool,
    /// ConfigMaps with HA metadata.
    pub ha: bool,
    /// The Ingress.
    pub ingress: bool,
}

/// Which live reads the next [`decide`] of this resource needs. `job_manager_available` is what the cached Deployment
/// says.
#[must_use]
pub fn reads(resource: &FlinkDeployment, job_manager_available: bool, context: &Context<'_>) -> Reads {
    let status = resource.status.clone().unwrap_or_default();
    let deployed = status
        .reconciliation_status
        .as_ref()
        .is_some_and(|reconciliation| reconciliation.last_reconciled_spec.is_some());
    let deleting = resource.metadata.deletion_timestamp.is_some();
    if !deployed {
        return Reads { pods: false, ha: deleting, ingress: false };
    }
    let observed = Observed::default();
    let Ok(settings) = settings(resource, context) else {
        return Reads { pods: true, ha: true, ingress: true };
    };
    let pass = Pass::new(resource, &observed, context, settings);
    let changed = pass.generation != status.observed_generation.unwrap_or_default();
    let steady =
        matches!(pass.stage(), Stage::Deployed | Stage::Suspended) && !changed && job_manager_available;
    Reads {
        pods: !job_manager_available || pass.stage() == Stage::Stopped || changed,
        ha: deleting || !steady || pass.settings.health_check,
        ingress: !deleting && !steady && pass.settings.manage_ingress,
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
        if self.record_effect_failure() {
            return;
        }
        match self.stage() {
            Stage::Fresh => self.deploy_first(),
            Stage::Deploying => self.confirm_deployment(),
            Stage::Stopping => self.follow_savepoint(),
            Stage::Cancelling => self.follow_cancel(),
            Stage::Stopped => self.replace_cluster(),
            Stage::Deployed => self.keep_or_change(),
            Stage::Suspended => self.stay_suspended_or_resume(),
        }
        self.schedule();
    }

    /// Asks for the next look, and says what the Flink poller shall ask.
    fn schedule(&mut self) {
        self.plan_poll();
        let delay = match self.stage() {
            Stage::Fresh | Stage::Suspended => return,
            // What happens to a settled cluster is told by watches and by the poller; this only heals a missed event.
            Stage::Deployed if self.is_stable() => self.settings.reconcile_interval * 10,
            Stage::Deployed | Stage::Deploying | Stage::Stopping | Stage::Cancelling | Stage::Stopped => {
                self.settings.progress_check_interval
            }
        };
        self.look_again(delay);
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

/// How long to wait before a try number `attempts` (from 1): 5 s, growing by half each time, at most 5 min. It never
/// gives up (the Java operator leaves a resource alone for ten hours after 15 tries).
#[must_use]
pub fn back_off(attempts: u32) -> Duration {
    const FIRST_MILLIS: u64 = 5_000;
    const CAP_MILLIS: u64 = 300_000;
    let mut millis = FIRST_MILLIS;
    for _ in 1..attempts {
        millis = millis.saturating_mul(3) / 2;
        if millis >= CAP_MILLIS {
            return Duration::from_millis(CAP_MILLIS);
        }
    }
    Duration::from_millis(millis)
}
