//! What differs between the resources whose jobs this operator looks after.

use api::reconciled::RecordedSpec;
use api::{
    Condition, FlinkDeploymentStatus, FlinkSessionJobStatus, FlinkVersion, JobKind, JobSpec, JobState,
    JobStatus, LifecycleState, Operation, ReconciliationState, ReconciliationStatus, Retry,
};
use flink_conf::FlinkConf;
use kube::core::ObjectMeta;

use super::pass::{Pass, Stage};
use crate::diff::SpecDiff;
use crate::effect::FlinkCluster;
use crate::event::Component;
use crate::observed::FlinkAnswer;

/// A resource with a Flink job: a FlinkDeployment, or a FlinkSessionJob.
pub(crate) trait JobResource: Sized {
    /// `spec`.
    type Spec: RecordedSpec + Clone;
    /// `status`.
    type Status: JobResourceStatus;

    /// Its name in references.
    const KIND: JobKind;
    /// What Events about errors are about.
    const COMPONENT: Component;
    /// Whether the cluster is there for this job alone, and may be ended instead of it.
    const OWNS_CLUSTER: bool;

    fn metadata(&self) -> &ObjectMeta;
    fn spec(&self) -> &Self::Spec;
    fn status(&self) -> Option<&Self::Status>;

    /// `spec.job`.
    fn job(spec: &Self::Spec) -> Option<&JobSpec>;
    /// `spec.job`, to be changed.
    fn job_mut(spec: &mut Self::Spec) -> Option<&mut JobSpec>;

    /// What differs between two specs.
    fn diff(pass: &Pass<'_, Self>, old: &Self::Spec, new: &Self::Spec) -> SpecDiff;

    /// The first status of a resource.
    fn first_status() -> Self::Status;
    /// The status as it was written, whether the API server has kept everything or not.
    fn restored(status: Self::Status) -> Self::Status;
    /// Adds what lets [`JobResource::restored`] do its work.
    fn keep(status: &mut Self::Status);
    /// Whether two statuses differ in nothing that is worth a write.
    fn only_noise_differs(current: &Self::Status, next: &Self::Status) -> bool;

    // ---- the cluster that runs the job --------------------------------------------------------------------------

    /// Where in its life the resource is.
    fn stage(pass: &Pass<'_, Self>) -> Stage;
    /// The configuration of what runs.
    fn configuration(pass: &Pass<'_, Self>) -> Option<FlinkConf>;
    /// The configuration that a spec of this resource comes to.
    fn configuration_of(pass: &Pass<'_, Self>, spec: &Self::Spec) -> Option<FlinkConf>;
    /// The REST API of the cluster that runs.
    fn flink_cluster(pass: &Pass<'_, Self>) -> FlinkCluster;
    /// Whether a JobManager is there that answers.
    fn is_ready(pass: &Pass<'_, Self>) -> bool;
    /// Whether there is no JobManager any more.
    fn is_gone(pass: &Pass<'_, Self>) -> bool;
    /// Whether the resource is about a job; a session cluster is not.
    fn has_job(pass: &Pass<'_, Self>) -> bool;
    /// Whether the cluster is a standalone one.
    fn is_standalone(pass: &Pass<'_, Self>) -> bool;
    /// Whether the spec may have changed, without a restart, since the cluster of this job alone was made.
    fn changed_since_start(pass: &Pass<'_, Self>) -> bool;
    /// The version of Flink that runs.
    fn flink_version(pass: &Pass<'_, Self>) -> Option<FlinkVersion>;
    /// `status` and message of the condition `Running`.
    fn running(pass: &Pass<'_, Self>, before: &[Condition]) -> Condition;

    // ---- steps --------------------------------------------------------------------------------------------------

    /// Brings the status up to date with what was observed.
    fn observe(pass: &mut Pass<'_, Self>);
    /// A running job was seen: takes in what else is to be known of it.
    fn observe_running_job(pass: &mut Pass<'_, Self>, answer: &FlinkAnswer);
    /// Jobs besides that of the resource were seen.
    fn observe_other_jobs(pass: &mut Pass<'_, Self>, job_id: &str, answer: &FlinkAnswer);
    /// The job and its state are given up.
    fn give_up_job(pass: &mut Pass<'_, Self>);
    /// Records `spec` as the one that is about to be deployed, was deployed, or was suspended.
    fn record_spec(pass: &mut Pass<'_, Self>, spec: Self::Spec, state: ReconciliationState, job: JobState);
    /// How the job ended is recorded.
    fn job_has_stopped(pass: &mut Pass<'_, Self>);
    /// The job has ended in a way that nobody saw.
    fn resolve_lost_job(pass: &mut Pass<'_, Self>, what: &str);
}

/// The parts that both kinds of status have.
pub(crate) trait JobResourceStatus: Clone + Default + PartialEq {
    fn job_status(&self) -> Option<&JobStatus>;
    fn job_status_mut(&mut self) -> &mut JobStatus;
    fn error(&self) -> Option<&str>;
    fn error_mut(&mut self) -> &mut Option<String>;
    fn observed_generation(&self) -> Option<i64>;
    fn set_observed_generation(&mut self, generation: i64);
    fn set_lifecycle_state(&mut self, state: LifecycleState);
    /// The one that follows from the rest.
    fn lifecycle_state(&self) -> LifecycleState;
    fn reconciliation(&self) -> Option<&ReconciliationStatus>;
    fn reconciliation_mut(&mut self) -> &mut ReconciliationStatus;
    fn operation(&self) -> Option<&Operation>;
    fn operation_mut(&mut self) -> &mut Option<Operation>;
    fn retry(&self) -> Option<&Retry>;
    fn retry_mut(&mut self) -> &mut Option<Retry>;
    fn conditions(&self) -> Option<&[Condition]>;
    fn set_conditions(&mut self, conditions: Vec<Condition>);
}

macro_rules! job_resource_status {
    ($($status:ty),*) => {$(
        impl JobResourceStatus for $status {
            fn job_status(&self) -> Option<&JobStatus> {
                self.job_status.as_ref()
            }

            fn job_status_mut(&mut self) -> &mut JobStatus {
                self.job_status.get_or_insert_with(JobStatus::initial)
            }

            fn error(&self) -> Option<&str> {
                self.error.as_deref()
            }

            fn error_mut(&mut self) -> &mut Option<String> {
                &mut self.error
            }

            fn observed_generation(&self) -> Option<i64> {
                self.observed_generation
            }

            fn set_observed_generation(&mut self, generation: i64) {
                self.observed_generation = Some(generation);
            }

            fn set_lifecycle_state(&mut self, state: LifecycleState) {
                self.lifecycle_state = Some(state);
            }

            fn lifecycle_state(&self) -> LifecycleState {
                <$status>::lifecycle_state(self)
            }

            fn reconciliation(&self) -> Option<&ReconciliationStatus> {
                self.reconciliation_status.as_ref()
            }

            fn reconciliation_mut(&mut self) -> &mut ReconciliationStatus {
                self.reconciliation_status.get_or_insert_with(ReconciliationStatus::initial)
            }

            fn operation(&self) -> Option<&Operation> {
                self.operation.as_ref()
            }

            fn operation_mut(&mut self) -> &mut Option<Operation> {
                &mut self.operation
            }

            fn retry(&self) -> Option<&Retry> {
                self.retry.as_ref()
            }

            fn retry_mut(&mut self) -> &mut Option<Retry> {
                &mut self.retry
            }

            fn conditions(&self) -> Option<&[Condition]> {
                self.conditions.as_deref()
            }

            fn set_conditions(&mut self, conditions: Vec<Condition>) {
                self.conditions = Some(conditions);
            }
        }
    )*};
}

job_resource_status!(FlinkDeploymentStatus, FlinkSessionJobStatus);
