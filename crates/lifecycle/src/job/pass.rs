//! One decision in the making: the resource, what is recorded, and what has been decided so far.

use std::time::Duration;

use api::reconciled::{ReconciledSpec, ReconciliationMetadata};
use api::{
    JobSpec, JobState, JobStatus, JobStatusState, LifecycleState, Operation, OperationKind,
    ReconciliationState, ReconciliationStatus, UpgradeMode,
};
use flink_conf::settings::OperatorSettings;
use jiff::Timestamp;

use super::resource::{JobResource, JobResourceStatus};
use crate::deployment::Context;
use crate::effect::{Effect, FlinkCluster};
use crate::event::EventRecord;
use crate::observed::Observed;
use crate::{Decision, PollPlan, Requeue};

/// Where in its life the resource is, read from its status alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing was ever recorded.
    Fresh,
    /// A cluster is being created, or a job submitted; which one is recorded.
    Deploying,
    /// The job is being stopped with a savepoint.
    Stopping,
    /// The job is being cancelled.
    Cancelling,
    /// The cluster goes, and comes back with the same spec.
    Restarting,
    /// A cluster that never came up goes.
    Withdrawing,
    /// The old job has ended and what to restore is recorded; its cluster goes, then the next one comes.
    Stopped,
    /// A cluster runs the recorded spec.
    Deployed,
    /// The user wants no job to run.
    Suspended,
}

pub(crate) struct Pass<'a, R: JobResource> {
    pub(crate) resource: &'a R,
    pub(crate) observed: &'a Observed,
    pub(crate) context: &'a Context<'a>,
    pub(crate) name: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) uid: &'a str,
    /// Generation of [`Pass::spec`].
    pub(crate) generation: i64,
    /// The wanted spec; the recorded one while the resource's own is invalid.
    pub(crate) spec: R::Spec,
    pub(crate) settings: OperatorSettings,
    pub(crate) status: R::Status,
    pub(crate) last: Option<ReconciledSpec<R::Spec>>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) requeue: Option<Requeue>,
    pub(crate) poll: Option<PollPlan>,
    /// What Flink says of the job besides its state.
    pub(crate) sight: Sight,
    /// Why the newest generation is not what runs.
    pub(crate) hold: Option<Hold>,
    /// What a deletion waits for.
    pub(crate) deletion: Option<Hold>,
    /// Events that explain an error, by their place in the effects.
    pub(crate) explained: Vec<(usize, String)>,
}

/// What Flink says of the job besides its state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Nothing.
    #[default]
    Plain,
    /// The job has ended, and its last checkpoint is not known yet.
    Ending,
    /// The JobManager answers and does not know the job, for longer than a start takes.
    Lost,
}

/// A reason and what to do about it, for a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    /// A word for programs.
    pub(crate) reason: &'static str,
    /// A sentence for people, with the remedy where there is one.
    pub(crate) message: String,
}

impl<'a, R: JobResource> Pass<'a, R> {
    pub(crate) fn new(
        resource: &'a R,
        observed: &'a Observed,
        context: &'a Context<'a>,
        mut settings: OperatorSettings,
    ) -> Self {
        settings.snapshot_resources &= !observed.no_snapshot_resources;
        let meta = resource.metadata();
        let status = R::restored(resource.status().cloned().unwrap_or_else(R::first_status));
        let last = recorded(last_reconciled_spec::<R>(&status));
        Self {
            resource,
            observed,
            context,
            name: meta.name.as_deref().unwrap_or_default(),
            namespace: meta.namespace.as_deref().unwrap_or_default(),
            uid: meta.uid.as_deref().unwrap_or_default(),
            generation: meta.generation.unwrap_or_default(),
            spec: resource.spec().clone(),
            settings,
            status,
            last,
            effects: Vec::new(),
            requeue: None,
            poll: None,
            sight: Sight::Plain,
            hold: None,
            deletion: None,
            explained: Vec::new(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.context.now
    }

    pub(crate) fn stage(&self) -> Stage {
        R::stage(self)
    }

    // ---- reading the status -------------------------------------------------------------------------------------

    pub(crate) fn reconciliation(&mut self) -> &mut ReconciliationStatus {
        self.status.reconciliation_mut()
    }

    pub(crate) fn reconciliation_state(&self) -> ReconciliationState {
        self.status
            .reconciliation()
            .map_or(ReconciliationState::Upgrading, ReconciliationStatus::state_or_default)
    }

    /// When a spec was last recorded, in milliseconds since 1970.
    pub(crate) fn recorded_at(&self) -> Option<i64> {
        self.status.reconciliation().and_then(|all| all.reconciliation_timestamp)
    }

    pub(crate) fn job(&mut self) -> &mut JobStatus {
        self.status.job_status_mut()
    }

    pub(crate) fn job_state(&self) -> Option<JobStatusState> {
        self.status.job_status().and_then(|job| job.state)
    }

    pub(crate) fn job_id(&self) -> Option<&str> {
        self.status.job_status().and_then(|job| job.job_id.as_deref())
    }

    pub(crate) fn job_ended(&self) -> bool {
        self.job_state().is_some_and(JobStatusState::is_terminal)
    }

    pub(crate) fn operation(&self) -> Operation {
        self.status.operation().cloned().unwrap_or_default()
    }

    /// The REST API of the cluster that runs.
    pub(crate) fn flink_cluster(&self) -> FlinkCluster {
        R::flink_cluster(self)
    }

    /// Whether something is being scaled while it runs.
    pub(crate) fn scales(&self) -> bool {
        self.status.operation().and_then(|operation| operation.kind) == Some(OperationKind::Scaling)
    }

    /// `spec.job` of the wanted spec.
    pub(crate) fn wanted_job(&self) -> Option<&JobSpec> {
        R::job(&self.spec)
    }

    pub(crate) fn wants_suspended(&self) -> bool {
        self.wanted_job().is_some_and(|job| job.state_or_default() == JobState::Suspended)
    }

    /// `spec.job` of the recorded spec.
    pub(crate) fn recorded_job(&self) -> Option<&JobSpec> {
        self.last.as_ref().and_then(|last| R::job(&last.spec))
    }

    pub(crate) fn last_stable(&self) -> Option<ReconciledSpec<R::Spec>> {
        recorded(last_stable_spec::<R>(&self.status))
    }

    pub(crate) fn is_stable(&self) -> bool {
        let last = last_reconciled_spec::<R>(&self.status);
        last.is_some() && last == last_stable_spec::<R>(&self.status)
    }

    pub(crate) fn recorded_mode(&self) -> UpgradeMode {
        self.recorded_job().map_or(UpgradeMode::Stateless, JobSpec::upgrade_mode_or_default)
    }

    /// The spec that runs: the last stable one after a rollback.
    pub(crate) fn deployed_spec(&self) -> Option<R::Spec> {
        let rolled = match self.reconciliation_state() {
            ReconciliationState::RolledBack => true,
            // What failed is still there while it is being ended.
            ReconciliationState::RollingBack => {
                !matches!(self.stage(), Stage::Stopping | Stage::Cancelling | Stage::Withdrawing)
            }
            ReconciliationState::Upgrading | ReconciliationState::Deployed => false,
        };
        if rolled && let Some(stable) = self.last_stable() {
            return Some(stable.spec);
        }
        self.last.as_ref().map(|last| last.spec.clone())
    }

    /// Whether the spec that runs is one that wants to run.
    pub(crate) fn deployed_job_runs(&self) -> bool {
        let runs =
            |spec: R::Spec| R::job(&spec).is_none_or(|job| job.state_or_default() == JobState::Running);
        self.deployed_spec().is_some_and(runs)
    }

    // ---- writing the status -------------------------------------------------------------------------------------

    pub(crate) fn event(&mut self, event: EventRecord) {
        self.effects.push(Effect::Event(event));
    }

    pub(crate) fn set_last(&mut self, last: ReconciledSpec<R::Spec>) {
        let before = last_reconciled_spec::<R>(&self.status);
        let text = before.map_or_else(|| last.encode(), |before| last.encode_keeping(before));
        self.reconciliation().last_reconciled_spec = Some(text);
        self.last = Some(last);
    }

    /// Changes `job` of the recorded spec.
    pub(crate) fn change_recorded_job(&mut self, change: impl FnOnce(&mut JobSpec)) {
        let Some(mut last) = self.last.clone() else { return };
        if let Some(job) = R::job_mut(&mut last.spec) {
            change(job);
        }
        self.set_last(last);
    }

    pub(crate) fn mark_stable(&mut self) {
        let text = self.reconciliation().last_reconciled_spec.clone();
        self.reconciliation().last_stable_spec = text;
    }

    /// Records `spec` as the one that is about to be deployed, or was suspended.
    ///
    /// Nonces that trigger snapshots are kept from the recorded spec, so that one bumped together with an upgrade
    /// still fires afterwards (`ReconciliationUtils.updateStatusForSpecReconciliation`).
    pub(crate) fn record_job_spec(&mut self, mut spec: R::Spec, state: ReconciliationState, job: JobState) {
        let before = self.last.as_ref();
        if let Some(new) = R::job_mut(&mut spec) {
            let old = before.and_then(|last| R::job(&last.spec));
            if let Some(old) = old {
                new.savepoint_trigger_nonce = old.savepoint_trigger_nonce;
                new.checkpoint_trigger_nonce = old.checkpoint_trigger_nonce;
            }
            new.state = Some(job);
        }
        let was_first =
            before.is_none_or(|last| last.metadata.as_ref().is_some_and(|meta| meta.first_deployment));
        let first_deployment = before.is_none() || (state == ReconciliationState::Deployed && was_first);
        let stable =
            R::job(&spec).is_some() && job == JobState::Suspended && state == ReconciliationState::Deployed;
        let generation = self.generation;
        self.status.retry_mut().take_if(|retry| retry.generation != Some(generation));
        *self.status.error_mut() = None;
        self.status.set_observed_generation(generation);
        let now = self.now().as_millisecond();
        let reconciliation = self.reconciliation();
        reconciliation.state = Some(state);
        reconciliation.reconciliation_timestamp = Some(now);
        self.set_last(ReconciledSpec { spec, metadata: Some(ReconciliationMetadata::new(first_deployment)) });
        if stable {
            self.mark_stable();
        }
    }

    /// In the states of a rollback the failed spec stays recorded; only the mode really used is replaced.
    pub(crate) fn record_rolling_back(&mut self, mode: UpgradeMode) {
        *self.status.error_mut() = None;
        let now = self.now().as_millisecond();
        self.reconciliation().reconciliation_timestamp = Some(now);
        self.change_recorded_job(|job| job.upgrade_mode = Some(mode));
    }

    /// Records that `operation` is about to begin.
    pub(crate) fn begin(&mut self, operation: Operation) {
        let start = self.now().as_millisecond();
        *self.status.operation_mut() = Some(Operation { start_timestamp: Some(start), ..operation });
    }

    pub(crate) fn mark_job_ended(&mut self) {
        if R::has_job(self) && !self.job_ended() {
            self.record_job_finished();
        }
    }

    /// The job has ended as it was told to. What Flink said before does not count any more.
    pub(crate) fn record_job_finished(&mut self) {
        let now = self.now().as_millisecond().to_string();
        let job = self.job();
        job.state = Some(JobStatusState::Finished);
        job.update_time = Some(now);
    }

    /// Says why the newest generation is not what runs.
    pub(crate) fn hold(&mut self, reason: &'static str, message: impl Into<String>) {
        self.hold = Some(Hold { reason, message: message.into() });
    }

    /// Says what the deletion waits for.
    pub(crate) fn deletion_waits(&mut self, reason: &'static str, message: impl Into<String>) {
        self.deletion = Some(Hold { reason, message: message.into() });
    }

    /// Ends the pass.
    pub(crate) fn finish(mut self) -> Decision<R::Status> {
        self.leave_out_what_was_told();
        super::conditions::update(&mut self);
        let state = self.status.lifecycle_state();
        self.status.set_lifecycle_state(state);
        R::keep(&mut self.status);
        calls_first(&mut self.effects);
        let current = self.resource.status().cloned().unwrap_or_default();
        if R::only_noise_differs(&current, &self.status) {
            self.status = current;
        }
        Decision {
            status: self.status,
            effects: self.effects,
            requeue: self.requeue.unwrap_or(Requeue::OnChange),
            poll: self.poll,
        }
    }

    pub(crate) fn set_deleting(&mut self) {
        self.status.set_lifecycle_state(LifecycleState::Deleting);
    }

    /// Looks again after `delay` at the latest.
    pub(crate) fn look_again(&mut self, delay: Duration) {
        self.requeue = Some(match self.requeue {
            Some(Requeue::AtOnce) => Requeue::AtOnce,
            Some(Requeue::After(earlier)) => Requeue::After(earlier.min(delay)),
            Some(Requeue::OnChange) | None => Requeue::After(delay),
        });
    }

    pub(crate) fn again_at_once(&mut self) {
        self.requeue = Some(Requeue::AtOnce);
    }
}

/// What Flink is told follows the status at once, and is explained afterwards: the longer it waits, the more likely its job
/// has been replaced by one of the same id.
fn calls_first(effects: &mut [Effect]) {
    effects.sort_by_key(|effect| !matches!(effect, Effect::Flink(_)));
}

pub(crate) fn last_reconciled_spec<R: JobResource>(status: &R::Status) -> Option<&str> {
    status.reconciliation().and_then(|all| all.last_reconciled_spec.as_deref())
}

fn last_stable_spec<R: JobResource>(status: &R::Status) -> Option<&str> {
    status.reconciliation().and_then(|all| all.last_stable_spec.as_deref())
}

/// A recorded spec; an unreadable one counts as absent only after users were told, see
/// [`Pass::record_is_unreadable`].
fn recorded<S: api::reconciled::RecordedSpec>(text: Option<&str>) -> Option<ReconciledSpec<S>> {
    text.and_then(|text| ReconciledSpec::decode(text).ok())
}
