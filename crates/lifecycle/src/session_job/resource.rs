//! A FlinkSessionJob as the owner of a job: it lives on a cluster of others.

use api::condition::{self, Condition};
use api::{
    FlinkSessionJob, FlinkSessionJobSpec, FlinkSessionJobStatus, FlinkVersion, JobKind, JobSpec, JobState,
    KubernetesDeploymentMode, OperationKind, ReconciliationState, UpgradeMode,
};
use flink_conf::FlinkConf;
use kube::core::ObjectMeta;

use super::Pass;
use crate::diff::{self, SpecDiff};
use crate::effect::FlinkCluster;
use crate::event::Component;
use crate::job::pass::Stage;
use crate::job::resource::JobResource;
use crate::observed::FlinkAnswer;

impl JobResource for FlinkSessionJob {
    type Spec = FlinkSessionJobSpec;
    type Status = FlinkSessionJobStatus;

    const KIND: JobKind = JobKind::FlinkSessionJob;
    const COMPONENT: Component = Component::Job;
    const OWNS_CLUSTER: bool = false;

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn spec(&self) -> &FlinkSessionJobSpec {
        &self.spec
    }

    fn status(&self) -> Option<&FlinkSessionJobStatus> {
        self.status.as_ref()
    }

    fn job(spec: &FlinkSessionJobSpec) -> Option<&JobSpec> {
        spec.job.as_ref()
    }

    fn job_mut(spec: &mut FlinkSessionJobSpec) -> Option<&mut JobSpec> {
        spec.job.as_mut()
    }

    fn diff(pass: &Pass<'_>, old: &FlinkSessionJobSpec, new: &FlinkSessionJobSpec) -> SpecDiff {
        diff::session_job_spec_diff(old, new, pass.cluster_mode())
    }

    fn first_status() -> FlinkSessionJobStatus {
        FlinkSessionJobStatus::initial()
    }

    fn restored(status: FlinkSessionJobStatus) -> FlinkSessionJobStatus {
        super::pruned::restored(status)
    }

    fn keep(status: &mut FlinkSessionJobStatus) {
        super::pruned::keep(status);
    }

    fn only_noise_differs(current: &FlinkSessionJobStatus, next: &FlinkSessionJobStatus) -> bool {
        super::pruned::only_noise_differs(current, next)
    }

    fn stage(pass: &Pass<'_>) -> Stage {
        let Some(last) = &pass.last else { return Stage::Fresh };
        match pass.status.operation.as_ref().and_then(|operation| operation.kind) {
            Some(OperationKind::Deploying) => return Stage::Deploying,
            Some(OperationKind::Stopping) => return Stage::Stopping,
            Some(OperationKind::Cancelling) => return Stage::Cancelling,
            Some(
                OperationKind::Restarting
                | OperationKind::Withdrawing
                | OperationKind::Scaling
                | OperationKind::Deleting,
            )
            | None => {}
        }
        let suspended =
            last.spec.job.as_ref().is_some_and(|job| job.state_or_default() == JobState::Suspended);
        match pass.reconciliation_state() {
            ReconciliationState::Upgrading | ReconciliationState::RollingBack => Stage::Stopped,
            ReconciliationState::Deployed | ReconciliationState::RolledBack if suspended => Stage::Suspended,
            ReconciliationState::Deployed | ReconciliationState::RolledBack => Stage::Deployed,
        }
    }

    fn configuration(pass: &Pass<'_>) -> Option<FlinkConf> {
        pass.deployed_spec().and_then(|spec| pass.job_configuration(&spec).ok())
    }

    fn configuration_of(pass: &Pass<'_>, spec: &FlinkSessionJobSpec) -> Option<FlinkConf> {
        pass.job_configuration(spec).ok()
    }

    fn flink_cluster(pass: &Pass<'_>) -> FlinkCluster {
        pass.rest_api()
    }

    fn is_ready(pass: &Pass<'_>) -> bool {
        pass.cluster_answers()
    }

    fn is_gone(pass: &Pass<'_>) -> bool {
        pass.cluster_is_gone()
    }

    fn has_job(_: &Pass<'_>) -> bool {
        true
    }

    fn is_standalone(pass: &Pass<'_>) -> bool {
        pass.cluster_mode() == KubernetesDeploymentMode::Standalone
    }

    /// Without HA metadata a session cluster that begins again has no jobs.
    fn changed_since_start(_: &Pass<'_>) -> bool {
        false
    }

    fn flink_version(pass: &Pass<'_>) -> Option<FlinkVersion> {
        pass.cluster_version()
    }

    fn running(pass: &Pass<'_>, before: &[Condition]) -> Condition {
        condition::running_for_job(pass.job_state(), before, pass.now())
    }

    fn observe(pass: &mut Pass<'_>) {
        pass.observe();
    }

    /// The health of single jobs on a shared cluster is not judged, as by the Java operator.
    fn observe_running_job(_: &mut Pass<'_>, _: &FlinkAnswer) {}

    /// Those of others, and nobody's business here.
    fn observe_other_jobs(_: &mut Pass<'_>, _: &str, _: &FlinkAnswer) {}

    /// The cluster stays, so the end of the job is waited for.
    fn give_up_job(pass: &mut Pass<'_>) {
        pass.begin_cancel(UpgradeMode::Stateless);
    }

    fn record_spec(
        pass: &mut Pass<'_>,
        spec: FlinkSessionJobSpec,
        state: ReconciliationState,
        job: JobState,
    ) {
        pass.record_job_spec(spec, state, job);
    }

    fn job_has_stopped(pass: &mut Pass<'_>) {
        if pass.recorded_mode() == UpgradeMode::Stateless {
            // Its state is given up; nothing of it may come back later.
            pass.job().upgrade_savepoint_path = None;
        }
        pass.again_at_once();
    }

    fn resolve_lost_job(pass: &mut Pass<'_>, what: &str) {
        pass.resolve_lost_session_job(what);
    }
}
