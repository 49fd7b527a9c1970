//! The session cluster, as one of its jobs sees it.

use api::condition::{STATUS_FALSE, TYPE_SPEC_ACCEPTED};
use api::reconciled::ReconciledSpec;
use api::{
    FlinkDeployment, FlinkDeploymentSpec, FlinkSessionJobSpec, FlinkVersion,
    JobManagerDeploymentStatus as Jm, KubernetesDeploymentMode, ReconciliationState,
};
use flink_conf::{ClusterIdentity, ConfError, FlinkConf, effective};
use jiff::Timestamp;

use super::Pass;
use crate::deployment::{JOBS_UNKNOWN, STOPPING_SESSION_JOBS};
use crate::effect::FlinkCluster;
use crate::observed::JobManager;

/// How it is about the session cluster.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cluster<'a> {
    /// There is no FlinkDeployment of that name.
    Absent,
    /// It is being deleted.
    Deleting(&'a FlinkDeployment),
    /// Its JobManager does not answer, is not there, or is about to be replaced.
    NotReady(&'a FlinkDeployment),
    /// It is about to be replaced, and waits until its jobs have stopped.
    Stopping(&'a FlinkDeployment),
    /// Jobs can be submitted.
    Ready(&'a FlinkDeployment),
}

/// Whether a change of a session cluster makes a difference to the jobs on it.
#[must_use]
pub fn is_of_interest(old: &FlinkDeployment, new: &FlinkDeployment) -> bool {
    let seen = |cluster: &FlinkDeployment| {
        let status = cluster.status.as_ref();
        (
            cluster.metadata.uid.clone(),
            cluster.metadata.generation,
            cluster.metadata.deletion_timestamp.is_some(),
            status.and_then(|status| status.job_manager_deployment_status),
            status.and_then(|status| status.reconciliation_status.as_ref()?.state),
            stops_jobs(cluster),
            counts_jobs(cluster),
        )
    };
    seen(old) != seen(new)
}

fn stops_jobs(cluster: &FlinkDeployment) -> bool {
    holds_for(cluster) == Some(STOPPING_SESSION_JOBS)
}

/// Whether a cluster finds out which jobs it has, to be replaced when it has none: then no job is added.
fn counts_jobs(cluster: &FlinkDeployment) -> bool {
    matches!(holds_for(cluster), Some(STOPPING_SESSION_JOBS | JOBS_UNKNOWN))
}

/// Why the newest spec of a cluster is not what runs.
fn holds_for(cluster: &FlinkDeployment) -> Option<&str> {
    let conditions = cluster.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let held = conditions.into_iter().find(|condition| {
        condition.type_.as_deref() == Some(TYPE_SPEC_ACCEPTED)
            && condition.status.as_deref() == Some(STATUS_FALSE)
    });
    held?.reason.as_deref()
}

/// The spec that a cluster runs.
pub(super) fn deployed_spec(cluster: &FlinkDeployment) -> Option<FlinkDeploymentSpec> {
    let status = cluster.status.as_ref()?;
    let text = match status.reconciliation_state() {
        ReconciliationState::RolledBack => status.last_stable_spec(),
        ReconciliationState::Upgrading | ReconciliationState::Deployed | ReconciliationState::RollingBack => {
            status.last_reconciled_spec()
        }
    };
    Some(ReconciledSpec::decode(text?).ok()?.spec)
}

impl<'a> Pass<'a> {
    pub(super) fn cluster(&self) -> Cluster<'a> {
        let Some(cluster) = self.observed.session_cluster.as_deref() else { return Cluster::Absent };
        if cluster.metadata.deletion_timestamp.is_some() {
            return Cluster::Deleting(cluster);
        }
        let status = cluster.status.as_ref();
        let deployed = status.is_some_and(|status| {
            status.job_manager_deployment_status_or_default() == Jm::Ready
                && matches!(
                    status.reconciliation_state(),
                    ReconciliationState::Deployed | ReconciliationState::RolledBack
                )
        });
        let is_session = deployed_spec(cluster).is_some_and(|spec| spec.job.is_none());
        let there = self.observed.job_manager.as_ref().is_some_and(JobManager::is_available);
        if !(deployed && is_session && there) {
            return Cluster::NotReady(cluster);
        }
        if stops_jobs(cluster) { Cluster::Stopping(cluster) } else { Cluster::Ready(cluster) }
    }

    pub(super) fn cluster_name(&self) -> &str {
        self.resource.spec.deployment_name.as_deref().unwrap_or_default()
    }

    /// Whether the job can be spoken to.
    pub(super) fn cluster_answers(&self) -> bool {
        matches!(self.cluster(), Cluster::Ready(_) | Cluster::Stopping(_)) && !self.flink_is_silent()
    }

    /// Whether everything has ended that ran on the cluster: it is not there, and nobody brings its jobs back.
    pub(super) fn cluster_is_gone(&self) -> bool {
        if self.observed.job_manager_unread {
            return false;
        }
        match self.cluster() {
            Cluster::Absent => true,
            Cluster::Deleting(_) | Cluster::NotReady(_) => {
                let there =
                    self.observed.job_manager.as_ref().is_some_and(|job_manager| !job_manager.terminating);
                let recovers = self
                    .cluster_configuration()
                    .is_some_and(|conf| flink_conf::is_high_availability_active(&conf));
                !there && !recovers
            }
            Cluster::Stopping(_) | Cluster::Ready(_) => false,
        }
    }

    fn cluster_spec(&self) -> Option<FlinkDeploymentSpec> {
        let cluster = self.observed.session_cluster.as_deref()?;
        Some(deployed_spec(cluster).unwrap_or_else(|| cluster.spec.clone()))
    }

    pub(super) fn cluster_version(&self) -> Option<FlinkVersion> {
        self.cluster_spec()?.flink_version
    }

    pub(super) fn cluster_mode(&self) -> KubernetesDeploymentMode {
        self.cluster_spec().map_or(KubernetesDeploymentMode::Native, |spec| spec.mode_or_default())
    }

    /// The configuration of the cluster that runs.
    pub(super) fn cluster_configuration(&self) -> Option<FlinkConf> {
        let cluster = self.observed.session_cluster.as_deref()?;
        let identity = ClusterIdentity {
            name: cluster.metadata.name.clone().unwrap_or_default(),
            namespace: cluster.metadata.namespace.clone().unwrap_or_default(),
            uid: cluster.metadata.uid.clone().unwrap_or_default(),
            generation: cluster.metadata.generation.unwrap_or_default(),
        };
        let deployed = deployed_spec(cluster).unwrap_or_else(|| cluster.spec.clone());
        effective::observe(self.context.defaults, &identity, &deployed, &cluster.spec).ok()
    }

    /// The configuration that a spec of the job comes to on this cluster.
    ///
    /// A recorded spec has the upgrade mode that was really used; what the configuration derives from the mode follows
    /// the one that the user wrote.
    pub(super) fn job_configuration(&self, spec: &FlinkSessionJobSpec) -> Result<FlinkConf, ConfError> {
        let mut spec = spec.clone();
        let wished = self.resource.spec.job.as_ref().and_then(|job| job.upgrade_mode);
        if let (Some(job), Some(wished)) = (&mut spec.job, wished) {
            job.upgrade_mode = Some(wished);
        }
        let cluster = self.cluster_configuration().unwrap_or_default();
        effective::session_job(&cluster, self.name, &spec)
    }

    pub(super) fn rest_api(&self) -> FlinkCluster {
        let rest = self.cluster_configuration().and_then(|conf| flink_conf::rest_endpoint(&conf).ok());
        FlinkCluster {
            namespace: self.namespace.to_owned(),
            name: self.cluster_name().to_owned(),
            rest_port: rest.as_ref().map_or(self.settings.rest_port, |rest| rest.port),
            tls: rest.as_ref().map_or(self.settings.rest_tls, |rest| rest.tls),
        }
    }

    /// Whether jobs can be submitted now. Otherwise says what is waited for.
    pub(super) fn cluster_takes_jobs(&mut self) -> bool {
        let name = self.cluster_name().to_owned();
        let (reason, message) = match self.cluster() {
            Cluster::Ready(cluster) if !counts_jobs(cluster) => return true,
            Cluster::Absent => (
                "ClusterNotFound",
                format!(
                    "There is no FlinkDeployment {name} in namespace {}, which spec.deploymentName says is the session \
                     cluster. The job is submitted when there is one.",
                    self.namespace
                ),
            ),
            Cluster::Deleting(_) => (
                "ClusterNotReady",
                format!("The session cluster {name} is being deleted. The job is submitted to the next one."),
            ),
            Cluster::NotReady(cluster) => {
                let state = cluster.status.as_ref().map_or(
                    Jm::Missing,
                    api::FlinkDeploymentStatus::job_manager_deployment_status_or_default,
                );
                (
                    "ClusterNotReady",
                    format!(
                        "The session cluster {name} is not ready (JobManager {state}). The job is submitted when it is; \
                         if it does not become ready, see the status of FlinkDeployment {name}."
                    ),
                )
            }
            Cluster::Stopping(_) | Cluster::Ready(_) => (
                "ClusterNotReady",
                format!(
                    "The session cluster {name} is about to be replaced. The job is submitted to the next one."
                ),
            ),
        };
        self.hold(reason, message);
        false
    }

    /// Since when the deletion of the resource is asked for.
    pub(super) fn deletion_asked(&self) -> Option<Timestamp> {
        self.resource.metadata.deletion_timestamp.as_ref().map(|time| time.0)
    }

    // ---- observation --------------------------------------------------------------------------------------------

    /// What the JobManager says of the job. What it said before it went away does not count: the job may have ended
    /// with it.
    pub(super) fn observe_on_cluster(&mut self) {
        let ready = matches!(self.cluster(), Cluster::Ready(_) | Cluster::Stopping(_) | Cluster::Deleting(_));
        match self.answer() {
            Some(answer) if ready => self.observe_job(answer),
            _ if !ready || self.flink_is_silent() => self.job_is_out_of_sight(),
            _ => {}
        }
    }
}
