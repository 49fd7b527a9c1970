//! What the objects of a cluster follow from.

use api::FlinkDeploymentSpec;
use flink_conf::{ClusterIdentity, FlinkConf};

use crate::operator_files::OperatorFiles;

/// Everything that the objects of a cluster follow from.
#[derive(Clone, Copy, Debug)]
pub struct ClusterInput<'a> {
    /// The FlinkDeployment.
    pub identity: &'a ClusterIdentity,
    /// Its spec, for what is not configuration: mode, pod templates, log files, job.
    pub spec: &'a FlinkDeploymentSpec,
    /// The deploy configuration of the spec, as [`flink_conf::effective::deploy`] gives it.
    pub conf: &'a FlinkConf,
    /// Identity of this deployment attempt, recorded in the status beforehand. Also names the directory for the job's
    /// result, so it must be new for each attempt.
    pub attempt: &'a str,
    /// Id of the job of an application, recorded beforehand: 32 hexadecimal digits.
    pub job_id: Option<&'a str>,
    /// Savepoint or checkpoint that the job starts from (or the marker for the state in HA data); from nothing
    /// without. It replaces whatever the configuration says.
    pub restore_path: Option<&'a str>,
    /// Files of the operator that go into clusters.
    pub files: &'a OperatorFiles,
}

/// Whether a cluster runs one job or waits for jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterKind {
    /// One job, which the cluster starts and ends with.
    Application,
    /// Many jobs, which come and go.
    Session,
}

impl ClusterKind {
    /// What a spec asks for: a job makes an application.
    #[must_use]
    pub fn of(spec: &FlinkDeploymentSpec) -> Self {
        if spec.job.is_some() { Self::Application } else { Self::Session }
    }
}
