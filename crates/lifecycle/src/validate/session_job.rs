//! Rules of a `FlinkSessionJob`.
//!
//! Upstream: `DefaultValidator.validateSessionJob`.

use api::{FlinkDeploymentSpec, FlinkSessionJobSpec, FlinkVersion, JobSpec};
use flink_conf::FlinkConf;

use super::artifact_settings::ArtifactSettings;
use super::deployment::{check_cluster_name, check_configuration_form};
use super::jar_uri::{self, ResolvedHost};
use super::{Findings, Rule, Violation, autoscaler, job};
use crate::session_job::python;

/// The cluster of a session job, if it exists.
#[derive(Clone, Copy, Debug)]
pub struct SessionCluster<'a> {
    /// Name of the `FlinkDeployment`.
    pub name: &'a str,
    /// Its spec.
    pub spec: &'a FlinkDeploymentSpec,
    /// The operator's defaults for the namespace of the job and the Flink version of the cluster, overlaid by
    /// `flinkConfiguration` of the cluster and then by that of the job.
    pub effective: &'a FlinkConf,
}

/// Checks the spec of a `FlinkSessionJob`. No violations: it may be submitted.
///
/// - `last`: the last reconciled spec; `None` before the first submission.
/// - `cluster`: `None` if there is none yet, when only the rules about the job alone apply.
/// - `resolved`: what DNS said about [`host_to_resolve`](super::host_to_resolve).
#[must_use]
pub fn session_job(
    spec: &FlinkSessionJobSpec,
    last: Option<&FlinkSessionJobSpec>,
    cluster: Option<SessionCluster<'_>>,
    settings: &ArtifactSettings,
    resolved: &ResolvedHost,
) -> Vec<Violation> {
    let mut findings = Findings::default();
    check_configuration_form(spec.flink_configuration.as_ref(), &mut findings);
    match &spec.deployment_name {
        Some(name) => check_cluster_name(name, &mut findings),
        None => findings.add(
            Rule::ClusterName,
            "spec.deploymentName must be defined",
            "Set it to the name of a session cluster in the same namespace.",
        ),
    }
    if spec.job.is_none() {
        findings.add(Rule::JobMissing, "The job spec should not be empty", "Describe the job in spec.job.");
    }
    if last.is_some_and(|last| last.deployment_name != spec.deployment_name) {
        findings.add(
            Rule::DeploymentNameChange,
            "spec.deploymentName cannot be changed",
            "Undo the change; to move the job, delete this resource and create one for the other cluster.",
        );
    }
    let jar = spec.job.as_ref().and_then(|job| job.jar_uri.as_deref());
    jar_uri::check(jar, settings, resolved, &mut findings);
    if let Some(cluster) = cluster {
        check_with_cluster(spec, cluster, &mut findings);
    }
    findings.into_violations()
}

/// Not a rule upstream, where such a job ends the JobManager, and with it all other jobs, with each try. The driver of
/// Flink 2.2 knows the options of `flink run`; those of 2.0 and 2.1 get the benefit of the doubt.
fn check_python(job: &JobSpec, version: Option<FlinkVersion>, findings: &mut Findings) {
    let knows_options = version.is_none_or(|version| version >= FlinkVersion::V2_0);
    if !knows_options && python::is_python(job) && !python::names_program(job.args_or_default()) {
        findings.add(
            Rule::PythonArguments,
            "Before Flink 2.0, spec.job.args of a Python session job must begin with -py or -pym. What options like \
             -pyclientexec say belongs into spec.flinkConfiguration (python.client.executable, python.executable, \
             python.files, python.requirements, python.archives)",
            "Put -py or -pym first, then the program, then its own arguments.",
        );
    }
}

/// E5 to E8.
fn check_with_cluster(spec: &FlinkSessionJobSpec, cluster: SessionCluster<'_>, findings: &mut Findings) {
    let remedy = "Set spec.deploymentName to the name of a session cluster, which is a FlinkDeployment without spec.job.";
    if cluster.spec.job.is_some() {
        let message = "Can not submit session job to application cluster";
        findings.add(Rule::NotASessionCluster, message, remedy);
    }
    if let Some(name) = spec.deployment_name.as_deref().filter(|name| *name != cluster.name) {
        let message = format!("The session job is for cluster {name}, not for {}", cluster.name);
        findings.add(Rule::OtherSessionCluster, message, remedy);
    }
    if let Some(job) = &spec.job {
        check_python(job, cluster.spec.flink_version, findings);
        job::check(job, None, cluster.effective, findings);
    }
    autoscaler::check(cluster.effective, findings);
}
