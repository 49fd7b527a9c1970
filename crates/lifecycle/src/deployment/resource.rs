//! A FlinkDeployment as the owner of a job: it has a cluster of its own.

use api::condition::{self, Condition};
use api::{
    FlinkDeployment, FlinkDeploymentSpec, FlinkDeploymentStatus, FlinkVersion, JobKind,
    JobManagerDeploymentStatus as Jm, JobSpec, JobState, JobStatusState, OperationKind, ReconciliationState,
};
use flink_conf::FlinkConf;
use kube::core::ObjectMeta;

use super::pass::{Pass, Stage};
use crate::diff::{self, SpecDiff};
use crate::effect::FlinkCluster;
use crate::event::{Component, EventRecord, Reason};
use crate::job::resource::JobResource;
use crate::observed::FlinkAnswer;

impl JobResource for FlinkDeployment {
    type Spec = FlinkDeploymentSpec;
    type Status = FlinkDeploymentStatus;

    const KIND: JobKind = JobKind::FlinkDeployment;
    const COMPONENT: Component = Component::JobManagerDeployment;
    const OWNS_CLUSTER: bool = true;

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn spec(&self) -> &FlinkDeploymentSpec {
        &self.spec
    }

    fn status(&self) -> Option<&FlinkDeploymentStatus> {
        self.status.as_ref()
    }

    fn job(spec: &FlinkDeploymentSpec) -> Option<&JobSpec> {
        spec.job.as_ref()
    }

    fn job_mut(spec: &mut FlinkDeploymentSpec) -> Option<&mut JobSpec> {
        spec.job.as_mut()
    }

    fn diff(_: &Pass<'_>, old: &FlinkDeploymentSpec, new: &FlinkDeploymentSpec) -> SpecDiff {
        diff::spec_diff(old, new)
    }

    fn first_status() -> FlinkDeploymentStatus {
        FlinkDeploymentStatus::initial()
    }

    fn restored(status: FlinkDeploymentStatus) -> FlinkDeploymentStatus {
        super::pruned::restored(status)
    }

    fn keep(status: &mut FlinkDeploymentStatus) {
        super::pruned::keep(status);
    }

    fn only_noise_differs(current: &FlinkDeploymentStatus, next: &FlinkDeploymentStatus) -> bool {
        super::quiet::only_noise_differs(current, next)
    }

    fn stage(pass: &Pass<'_>) -> Stage {
        let Some(last) = &pass.last else { return Stage::Fresh };
        match pass.status.operation.as_ref().and_then(|operation| operation.kind) {
            Some(OperationKind::Deploying) => return Stage::Deploying,
            Some(OperationKind::Stopping) => return Stage::Stopping,
            Some(OperationKind::Cancelling) => return Stage::Cancelling,
            Some(OperationKind::Restarting) => return Stage::Restarting,
            Some(OperationKind::Withdrawing) => return Stage::Withdrawing,
            Some(OperationKind::Scaling | OperationKind::Deleting) | None => {}
        }
        let suspended =
            last.spec.job.as_ref().is_some_and(|job| job.state_or_default() == JobState::Suspended);
        match pass.reconciliation_state() {
            ReconciliationState::Upgrading | ReconciliationState::RollingBack => {
                if pass.job_state() == Some(JobStatusState::Cancelling) && !suspended {
                    Stage::Cancelling
                } else {
                    Stage::Stopped
                }
            }
            ReconciliationState::Deployed | ReconciliationState::RolledBack if suspended => Stage::Suspended,
            ReconciliationState::Deployed | ReconciliationState::RolledBack => Stage::Deployed,
        }
    }

    fn configuration(pass: &Pass<'_>) -> Option<FlinkConf> {
        pass.deployed_spec().and_then(|spec| super::build::configuration(pass, &spec).ok())
    }

    fn configuration_of(pass: &Pass<'_>, spec: &FlinkDeploymentSpec) -> Option<FlinkConf> {
        super::build::configuration(pass, spec).ok()
    }

    /// A port that the wanted spec changes counts only once it is deployed.
    fn flink_cluster(pass: &Pass<'_>) -> FlinkCluster {
        let rest = Self::configuration(pass).and_then(|conf| flink_conf::rest_endpoint(&conf).ok());
        FlinkCluster {
            namespace: pass.namespace.to_owned(),
            name: pass.name.to_owned(),
            rest_port: rest.as_ref().map_or(pass.settings.rest_port, |rest| rest.port),
            tls: rest.as_ref().map_or(pass.settings.rest_tls, |rest| rest.tls),
        }
    }

    fn is_ready(pass: &Pass<'_>) -> bool {
        pass.job_manager_status() == Jm::Ready
    }

    fn is_gone(pass: &Pass<'_>) -> bool {
        pass.job_manager_status() == Jm::Missing
    }

    fn has_job(pass: &Pass<'_>) -> bool {
        pass.is_application()
    }

    fn is_standalone(pass: &Pass<'_>) -> bool {
        pass.is_standalone()
    }

    fn changed_since_start(pass: &Pass<'_>) -> bool {
        let made_from = pass.observed.job_manager.as_ref().and_then(|job_manager| job_manager.generation);
        made_from != pass.status.observed_generation
    }

    fn flink_version(pass: &Pass<'_>) -> Option<FlinkVersion> {
        pass.deployed_spec()?.flink_version
    }

    fn running(pass: &Pass<'_>, before: &[Condition]) -> Condition {
        if pass.is_application() {
            condition::running_for_job(pass.job_state(), before, pass.now())
        } else {
            condition::running_for_session(pass.job_manager_status(), before, pass.now())
        }
    }

    fn observe(pass: &mut Pass<'_>) {
        pass.observe();
    }

    fn observe_running_job(pass: &mut Pass<'_>, answer: &FlinkAnswer) {
        pass.observe_health(answer);
    }

    /// An application has one job. Others are not looked after, and end when the cluster is replaced.
    fn observe_other_jobs(pass: &mut Pass<'_>, job_id: &str, answer: &FlinkAnswer) {
        let others: Vec<&str> = answer
            .jobs
            .iter()
            .filter(|job| job.job_id != job_id && !job.state.is_terminal())
            .map(|job| job.job_id.as_str())
            .collect();
        if others.is_empty() {
            return;
        }
        let message = format!(
            "Besides job {job_id}, the cluster runs {}. Nobody looks after them, and they end without a savepoint when \
             the cluster is replaced. Remedy: let the main method execute one job only, or use a session cluster.",
            others.join(", ")
        );
        let event = EventRecord::warning(Reason::Error, Component::Job, message);
        pass.event(event.once(format!("other-jobs-{}", others.join("-"))));
    }

    fn give_up_job(pass: &mut Pass<'_>) {
        pass.give_up_job_with_cluster();
    }

    fn record_spec(
        pass: &mut Pass<'_>,
        spec: FlinkDeploymentSpec,
        state: ReconciliationState,
        job: JobState,
    ) {
        pass.record_spec(spec, state, job);
    }

    fn job_has_stopped(pass: &mut Pass<'_>) {
        pass.cluster_may_go();
    }

    fn resolve_lost_job(pass: &mut Pass<'_>, what: &str) {
        pass.resolve_lost_job_by_metadata(what);
    }
}
