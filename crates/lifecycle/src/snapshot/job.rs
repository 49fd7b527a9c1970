//! The job that a snapshot is of, as its resource tells it; and the snapshot, as its job sees it.

use std::sync::Arc;

use api::{
    FlinkDeployment, FlinkSessionJob, FlinkStateSnapshot, FlinkVersion, JobStatusState, SnapshotState,
    SnapshotTriggerType, names,
};
use flink_conf::settings::OperatorSettings;

use crate::deployment::Context;
use crate::effect::FlinkCluster;
use crate::job::pass::{Pass, Stage};
use crate::job::resource::{JobResource, JobResourceStatus};
use crate::observed::{JobManager, Observed, Snapshot};

/// What is known of the job.
#[derive(Clone, Debug, Default)]
pub enum JobView {
    /// Its resource, or its JobManager, could not be read.
    #[default]
    Unknown,
    /// There is no such resource.
    Missing,
    /// There is one.
    Found(Box<SnapshotJob>),
}

/// Whether the job can be asked for a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It was last seen running, and nothing else is being done to it.
    Running,
    /// Not now; why, for a person to read.
    Changing(String),
    /// It has ended or is suspended, and its spec does not want it otherwise.
    Ended,
}

/// A job that snapshots are taken of.
#[derive(Clone, Debug)]
pub struct SnapshotJob {
    /// uid of its resource.
    pub uid: String,
    /// Whether the resource is being deleted.
    pub deleting: bool,
    /// Whether it can be asked.
    pub phase: Phase,
    /// Flink's id of it.
    pub job_id: Option<String>,
    /// Where its JobManager is.
    pub cluster: FlinkCluster,
    /// uid of the Deployment of a JobManager that can be asked.
    pub job_manager: Option<String>,
    /// Version of Flink that runs it.
    pub version: Option<FlinkVersion>,
    /// Where its savepoints go if nobody says otherwise.
    pub savepoint_directory: Option<String>,
    /// `kubernetes.operator.checkpoint.type`.
    pub checkpoint_type: String,
}

impl SnapshotJob {
    /// The job of an application. `job_manager` is the Deployment of that name.
    #[must_use]
    pub fn of_deployment(
        resource: &FlinkDeployment,
        job_manager: Option<JobManager>,
        context: &Context<'_>,
    ) -> Self {
        let namespace = resource.metadata.namespace.as_deref().unwrap_or_default();
        let settings = OperatorSettings::of_deployment(context.defaults, namespace, &resource.spec);
        let settings = settings.unwrap_or_else(|_| OperatorSettings::of_operator(context.defaults));
        let observed = Observed { job_manager, ..Observed::default() };
        Self::of(&Pass::new(resource, &observed, context, settings))
    }

    /// The job of a session cluster. `job_manager` is the Deployment of the cluster's name.
    #[must_use]
    pub fn of_session_job(
        resource: &FlinkSessionJob,
        cluster: Option<Arc<FlinkDeployment>>,
        job_manager: Option<JobManager>,
        context: &Context<'_>,
    ) -> Self {
        let namespace = resource.metadata.namespace.as_deref().unwrap_or_default();
        let spec = cluster.as_deref().map(|cluster| &cluster.spec);
        let settings = OperatorSettings::of_session_job(context.defaults, namespace, spec, &resource.spec);
        let settings = settings.unwrap_or_else(|_| OperatorSettings::of_operator(context.defaults));
        let observed = Observed { job_manager, session_cluster: cluster, ..Observed::default() };
        Self::of(&Pass::new(resource, &observed, context, settings))
    }

    fn of<R: JobResource>(pass: &Pass<'_, R>) -> Self {
        let conf = R::configuration(pass);
        let job_manager = pass.observed.job_manager.as_ref().filter(|it| it.is_available() && !it.paused);
        Self {
            uid: pass.uid.to_owned(),
            deleting: pass.resource.metadata().deletion_timestamp.is_some(),
            phase: phase(pass),
            job_id: pass.job_id().map(str::to_owned),
            cluster: pass.flink_cluster(),
            job_manager: job_manager.map(|it| it.uid.clone()),
            version: R::flink_version(pass),
            savepoint_directory: conf.as_ref().and_then(flink_conf::savepoint_directory).map(str::to_owned),
            checkpoint_type: pass.settings.checkpoint_type.clone(),
        }
    }
}

fn phase<R: JobResource>(pass: &Pass<'_, R>) -> Phase {
    let changing = |what: &str| Phase::Changing(format!("The snapshot waits: {what}"));
    // A session cluster has no job of its own.
    if !R::has_job(pass) && pass.wanted_job().is_none() {
        return Phase::Ended;
    }
    if pass.resource.metadata().deletion_timestamp.is_some() {
        return changing("the resource of the job is being deleted");
    }
    let acknowledged = pass.status.observed_generation() == Some(pass.generation);
    match pass.stage() {
        Stage::Suspended if pass.wants_suspended() => Phase::Ended,
        Stage::Deployed => match pass.job_state() {
            Some(JobStatusState::Running) => Phase::Running,
            Some(state) if state.is_terminal() && acknowledged => Phase::Ended,
            Some(state) => changing(&format!("the job is {state}")),
            None => changing("nothing is known of the job yet"),
        },
        Stage::Stopping | Stage::Cancelling => changing("the job is being stopped"),
        Stage::Fresh
        | Stage::Deploying
        | Stage::Restarting
        | Stage::Withdrawing
        | Stage::Stopped
        | Stage::Suspended => changing("the job is about to start"),
    }
}

/// What the resource of a job has to know of one of its snapshots.
#[must_use]
pub fn seen_from_job(resource: &FlinkStateSnapshot) -> Snapshot {
    let meta = &resource.metadata;
    let label = |name: &str| meta.labels.as_ref().and_then(|labels| labels.get(name));
    let trigger = label(names::LABEL_SNAPSHOT_TRIGGER_TYPE).and_then(|text| text.parse().ok());
    let status = resource.status.as_ref();
    Snapshot {
        name: meta.name.clone().unwrap_or_default(),
        uid: meta.uid.clone().unwrap_or_default(),
        snapshot_type: resource.spec.snapshot_type(),
        trigger_type: trigger.unwrap_or(SnapshotTriggerType::Unknown),
        state: status.and_then(|status| status.state).unwrap_or(SnapshotState::TriggerPending),
        created: meta.creation_timestamp.as_ref().map(|time| time.0),
        terminating: meta.deletion_timestamp.is_some(),
        job_uid: label(names::LABEL_JOB_REFERENCE_UID).cloned(),
        path: status.and_then(|status| status.path.clone()).filter(|path| !path.is_empty()),
    }
}
