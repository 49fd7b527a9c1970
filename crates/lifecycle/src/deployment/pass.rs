//! One decision in the making: the resource, what is recorded, and what has been decided so far.

use std::time::Duration;

use api::reconciled::{ReconciledSpec, ReconciliationMetadata};
use api::{
    FlinkDeployment, FlinkDeploymentSpec, FlinkDeploymentStatus, JobManagerDeploymentStatus, JobState,
    JobStatus, JobStatusState, LifecycleState, Operation, OperationKind, ReconciliationState,
    ReconciliationStatus, TaskManagerInfo, UpgradeMode,
};
use flink_conf::settings::OperatorSettings;
use jiff::Timestamp;
use resources::ClusterKind;

use super::Context;
use crate::effect::{Effect, FlinkCluster};
use crate::event::EventRecord;
use crate::observed::Observed;
use crate::{Decision, PollPlan, Requeue};

/// The recorded spec of a FlinkDeployment.
pub(super) type Recorded = ReconciledSpec<FlinkDeploymentSpec>;

/// Where in its life the resource is, read from its status alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing was ever recorded.
    Fresh,
    /// A cluster is being created; which one is recorded.
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

pub(super) struct Pass<'a> {
    pub(super) resource: &'a FlinkDeployment,
    pub(super) observed: &'a Observed,
    pub(super) context: &'a Context<'a>,
    pub(super) name: &'a str,
    pub(super) namespace: &'a str,
    pub(super) uid: &'a str,
    /// Generation of [`Pass::spec`].
    pub(super) generation: i64,
    /// The wanted spec; the recorded one while the resource's own is invalid.
    pub(super) spec: FlinkDeploymentSpec,
    pub(super) settings: OperatorSettings,
    pub(super) status: FlinkDeploymentStatus,
    pub(super) last: Option<Recorded>,
    pub(super) effects: Vec<Effect>,
    pub(super) requeue: Option<Requeue>,
    pub(super) poll: Option<PollPlan>,
    /// What Flink says of the job besides its state.
    pub(super) sight: Sight,
    /// Why the newest generation is not what runs.
    pub(super) hold: Option<Hold>,
    /// What a deletion waits for.
    pub(super) deletion: Option<Hold>,
    /// Events that explain an error, by their place in the effects.
    pub(super) explained: Vec<(usize, String)>,
}

/// What Flink says of the job besides its state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sight {
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
pub(super) struct Hold {
    /// A word for programs.
    pub(super) reason: &'static str,
    /// A sentence for people, with the remedy where there is one.
    pub(super) message: String,
}

impl<'a> Pass<'a> {
    pub(super) fn new(
        resource: &'a FlinkDeployment,
        observed: &'a Observed,
        context: &'a Context<'a>,
        settings: OperatorSettings,
    ) -> Self {
        let meta = &resource.metadata;
        let status = resource.status.clone().unwrap_or_else(FlinkDeploymentStatus::initial);
        let status = super::pruned::restored(status);
        let last = recorded(status.last_reconciled_spec());
        Self {
            resource,
            observed,
            context,
            name: meta.name.as_deref().unwrap_or_default(),
            namespace: meta.namespace.as_deref().unwrap_or_default(),
            uid: meta.uid.as_deref().unwrap_or_default(),
            generation: meta.generation.unwrap_or_default(),
            spec: resource.spec.clone(),
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

    pub(super) fn now(&self) -> Timestamp {
        self.context.now
    }

    pub(super) fn stage(&self) -> Stage {
        let Some(last) = &self.last else { return Stage::Fresh };
        match self.status.operation.as_ref().and_then(|operation| operation.kind) {
            Some(OperationKind::Deploying) => return Stage::Deploying,
            Some(OperationKind::Stopping) => return Stage::Stopping,
            Some(OperationKind::Cancelling) => return Stage::Cancelling,
            Some(OperationKind::Restarting) => return Stage::Restarting,
            Some(OperationKind::Withdrawing) => return Stage::Withdrawing,
            Some(OperationKind::Scaling | OperationKind::Deleting) | None => {}
        }
        let suspended =
            last.spec.job.as_ref().is_some_and(|job| job.state_or_default() == JobState::Suspended);
        match self.reconciliation_state() {
            ReconciliationState::Upgrading | ReconciliationState::RollingBack => {
                if self.job_state() == Some(JobStatusState::Cancelling) && !suspended {
                    Stage::Cancelling
                } else {
                    Stage::Stopped
                }
            }
            ReconciliationState::Deployed | ReconciliationState::RolledBack if suspended => Stage::Suspended,
            ReconciliationState::Deployed | ReconciliationState::RolledBack => Stage::Deployed,
        }
    }

    // ---- reading the status -------------------------------------------------------------------------------------

    pub(super) fn reconciliation(&mut self) -> &mut ReconciliationStatus {
        self.status.reconciliation_status_mut()
    }

    pub(super) fn reconciliation_state(&self) -> ReconciliationState {
        self.status.reconciliation_state()
    }

    pub(super) fn job(&mut self) -> &mut JobStatus {
        self.status.job_status_mut()
    }

    pub(super) fn job_state(&self) -> Option<JobStatusState> {
        self.status.job_state()
    }

    pub(super) fn job_id(&self) -> Option<&str> {
        self.status.job_id()
    }

    pub(super) fn job_ended(&self) -> bool {
        self.job_state().is_some_and(JobStatusState::is_terminal)
    }

    pub(super) fn job_manager_status(&self) -> JobManagerDeploymentStatus {
        self.status.job_manager_deployment_status_or_default()
    }

    pub(super) fn operation(&self) -> Operation {
        self.status.operation.clone().unwrap_or_default()
    }

    /// Whether this is an application; a recorded session cluster stays one.
    pub(super) fn is_application(&self) -> bool {
        self.last.as_ref().map_or(&self.spec, |last| &last.spec).job.is_some()
    }

    pub(super) fn last_stable(&self) -> Option<Recorded> {
        recorded(self.status.last_stable_spec())
    }

    pub(super) fn is_stable(&self) -> bool {
        self.status.is_last_reconciled_spec_stable()
    }

    /// The spec that runs: the last stable one after a rollback.
    pub(super) fn deployed_spec(&self) -> Option<FlinkDeploymentSpec> {
        let rolled = match self.reconciliation_state() {
            ReconciliationState::RolledBack => true,
            // What failed is still there while it is being cancelled.
            ReconciliationState::RollingBack => {
                !matches!(self.stage(), Stage::Cancelling | Stage::Withdrawing)
            }
            ReconciliationState::Upgrading | ReconciliationState::Deployed => false,
        };
        if rolled && let Some(stable) = self.last_stable() {
            return Some(stable.spec);
        }
        self.last.as_ref().map(|last| last.spec.clone())
    }

    pub(super) fn recorded_mode(&self) -> UpgradeMode {
        self.last
            .as_ref()
            .and_then(|last| last.spec.job.as_ref())
            .map_or(UpgradeMode::Stateless, api::JobSpec::upgrade_mode_or_default)
    }

    /// The REST API of the cluster that runs: a port that the wanted spec changes counts only once it is deployed.
    pub(super) fn flink_cluster(&self) -> FlinkCluster {
        let deployed = self.deployed_spec().and_then(|spec| super::build::configuration(self, &spec).ok());
        let rest = deployed.and_then(|conf| flink_conf::rest_endpoint(&conf).ok());
        FlinkCluster {
            namespace: self.namespace.to_owned(),
            name: self.name.to_owned(),
            rest_port: rest.as_ref().map_or(self.settings.rest_port, |rest| rest.port),
            tls: rest.as_ref().map_or(self.settings.rest_tls, |rest| rest.tls),
        }
    }

    // ---- writing the status -------------------------------------------------------------------------------------

    pub(super) fn event(&mut self, event: EventRecord) {
        self.effects.push(Effect::Event(event));
    }

    pub(super) fn set_last(&mut self, last: Recorded) {
        let before = self.status.last_reconciled_spec();
        let text = before.map_or_else(|| last.encode(), |before| last.encode_keeping(before));
        self.reconciliation().last_reconciled_spec = Some(text);
        self.last = Some(last);
    }

    pub(super) fn mark_stable(&mut self) {
        let text = self.reconciliation().last_reconciled_spec.clone();
        self.reconciliation().last_stable_spec = text;
    }

    /// Records `spec` as the one that is about to be deployed, or was suspended.
    ///
    /// Nonces that trigger snapshots are kept from the recorded spec, so that one bumped together with an upgrade
    /// still fires afterwards (`ReconciliationUtils.updateStatusForSpecReconciliation`).
    pub(super) fn record_spec(
        &mut self,
        mut spec: FlinkDeploymentSpec,
        state: ReconciliationState,
        job: JobState,
    ) {
        let before = self.last.as_ref();
        if let Some(new) = &mut spec.job {
            let old = before.and_then(|last| last.spec.job.as_ref());
            if let Some(old) = old {
                new.savepoint_trigger_nonce = old.savepoint_trigger_nonce;
                new.checkpoint_trigger_nonce = old.checkpoint_trigger_nonce;
            }
            new.state = Some(job);
        }
        let was_first =
            before.is_none_or(|last| last.metadata.as_ref().is_some_and(|meta| meta.first_deployment));
        let first_deployment = before.is_none() || (state == ReconciliationState::Deployed && was_first);
        let wanted_suspended = spec.job.is_some() && job == JobState::Suspended;
        self.status.retry.take_if(|retry| retry.generation != Some(self.generation));
        let stable = wanted_suspended && state == ReconciliationState::Deployed;
        self.status.error = None;
        self.status.observed_generation = Some(self.generation);
        let now = self.now().as_millisecond();
        let reconciliation = self.reconciliation();
        reconciliation.state = Some(state);
        reconciliation.reconciliation_timestamp = Some(now);
        self.set_last(Recorded { spec, metadata: Some(ReconciliationMetadata::new(first_deployment)) });
        if stable {
            self.mark_stable();
        }
        self.record_task_managers(!wanted_suspended);
    }

    /// `status.taskManager`, which the scale subresource shows. Native session clusters have none: Flink makes as many
    /// TaskManagers as their jobs need.
    pub(super) fn record_task_managers(&mut self, running: bool) {
        if !self.is_application() && !self.is_standalone() {
            return;
        }
        let replicas = if running { self.task_manager_replicas() } else { 0 };
        let label_selector =
            if running { format!("component=taskmanager,app={}", self.name) } else { String::new() };
        self.status.task_manager =
            Some(TaskManagerInfo { label_selector: Some(label_selector), replicas: Some(replicas) });
    }

    /// ceil(parallelism ÷ slots), or what the spec says of a session cluster; 0 when the configuration cannot be read,
    /// which is reported elsewhere.
    fn task_manager_replicas(&self) -> i32 {
        let spec = self.last.as_ref().map_or(&self.spec, |last| &last.spec);
        let Ok(conf) = super::build::configuration(self, spec) else { return 0 };
        let replicas = if self.is_application() {
            flink_conf::task_manager_replicas(&conf).ok()
        } else {
            resources::options::task_manager_replicas(&conf, ClusterKind::Session).ok()
        };
        replicas.unwrap_or(0)
    }

    /// Records that `operation` is about to begin.
    pub(super) fn begin(&mut self, operation: Operation) {
        let start = self.now().as_millisecond();
        self.status.operation = Some(Operation { start_timestamp: Some(start), ..operation });
    }

    pub(super) fn mark_job_ended(&mut self) {
        if self.is_application() && !self.job_ended() {
            self.job().state = Some(JobStatusState::Finished);
        }
    }

    /// Says why the newest generation is not what runs.
    pub(super) fn hold(&mut self, reason: &'static str, message: impl Into<String>) {
        self.hold = Some(Hold { reason, message: message.into() });
    }

    /// Ends the pass.
    pub(super) fn finish(mut self) -> Decision<FlinkDeploymentStatus> {
        self.leave_out_what_was_told();
        super::conditions::update(&mut self);
        self.status.lifecycle_state = Some(self.status.lifecycle_state());
        super::pruned::keep(&mut self.status);
        calls_first(&mut self.effects);
        let current = self.resource.status.clone().unwrap_or_default();
        if super::quiet::only_noise_differs(&current, &self.status) {
            self.status = current;
        }
        Decision {
            status: self.status,
            effects: self.effects,
            requeue: self.requeue.unwrap_or(Requeue::OnChange),
            poll: self.poll,
        }
    }

    pub(super) fn set_deleting(&mut self) {
        self.status.lifecycle_state = Some(LifecycleState::Deleting);
    }

    /// Looks again after `delay` at the latest.
    pub(super) fn look_again(&mut self, delay: Duration) {
        self.requeue = Some(match self.requeue {
            Some(Requeue::AtOnce) => Requeue::AtOnce,
            Some(Requeue::After(earlier)) => Requeue::After(earlier.min(delay)),
            Some(Requeue::OnChange) | None => Requeue::After(delay),
        });
    }

    pub(super) fn again_at_once(&mut self) {
        self.requeue = Some(Requeue::AtOnce);
    }
}

/// What Flink is told follows the status at once, and is explained afterwards: the longer it waits, the more likely its job
/// has been replaced by one of the same id.
fn calls_first(effects: &mut [Effect]) {
    effects.sort_by_key(|effect| !matches!(effect, Effect::Flink(_)));
}

/// A recorded spec; an unreadable one counts as absent only after [`super::Context`] users were told, see
/// [`super::decide`].
fn recorded(text: Option<&str>) -> Option<Recorded> {
    text.and_then(|text| Recorded::decode(text).ok())
}
