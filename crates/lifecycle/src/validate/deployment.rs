//! Rules of a `FlinkDeployment`.
//!
//! Upstream: `DefaultValidator.validateDeployment`.

use api::{FlinkDeploymentSpec, FlinkVersion, JobState, UpgradeMode, flink_configuration};
use flink_conf::FlinkConf;
use flink_conf::option::state;
use serde_json::Value;

use super::{Findings, Rule, Violation, autoscaler, job, options, resource_amounts, spec_change, version};

/// Longest name of a cluster: Flink appends to it, and Kubernetes allows 63 characters.
const LONGEST_NAME: usize = 45;

/// Files that can be configured, which are those that Flink's scripts name.
const LOG_FILES: [&str; 2] = ["log4j-console.properties", "logback-console.xml"];

/// Checks the spec of a `FlinkDeployment`. No violations: it may be deployed.
///
/// - `name`, `namespace`: of the resource.
/// - `last`: the last reconciled spec; `None` before the first deployment, when nothing can have changed.
/// - `effective`: the operator's defaults for the namespace and Flink version, overlaid by `flinkConfiguration`.
///   Fields of the spec are *not* merged in.
///
/// Resources with the canary label are not validated at all; that is the caller's to know.
#[must_use]
pub fn deployment(
    name: &str,
    namespace: &str,
    spec: &FlinkDeploymentSpec,
    last: Option<&FlinkDeploymentSpec>,
    effective: &FlinkConf,
) -> Vec<Violation> {
    let mut findings = Findings::default();
    check_configuration_form(spec.flink_configuration.as_ref(), &mut findings);
    check_cluster_name(name, &mut findings);
    check_flink_version(spec, last, &mut findings);
    options::check(effective, &mut findings);
    check_ingress(spec, name, namespace, &mut findings);
    check_log_configuration(spec, &mut findings);
    if let Some(job) = &spec.job {
        job::check(job, spec.task_manager_replicas(), effective, &mut findings);
    }
    check_job_managers(spec, effective, &mut findings);
    check_task_managers(spec, effective, &mut findings);
    if let Some(last) = last {
        spec_change::check(last, spec, &mut findings);
    }
    if spec.service_account.is_none() {
        findings.add(
            Rule::ServiceAccountMissing,
            "spec.serviceAccount must be defined. If you use helm, its value should be the same with the name of jobServiceAccount.",
            "Name a service account of the namespace that has the rights that Flink needs.",
        );
    }
    autoscaler::check(effective, &mut findings);
    options::check_readable(effective, &mut findings);
    findings.into_violations()
}

pub(super) fn check_configuration_form(configuration: Option<&Value>, findings: &mut Findings) {
    if let Err(error) = flink_configuration::flatten(configuration) {
        findings.add(
            Rule::FlinkConfigurationForm,
            format!("spec.{error}"),
            "Write options as `key: value`, without quotes around the whole.",
        );
    }
}

/// D1, E1.
pub(super) fn check_cluster_name(name: &str, findings: &mut Findings) {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let valid = name.len() <= LONGEST_NAME
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.chars().all(inner);
    if !valid {
        findings.add(
            Rule::ClusterName,
            format!(
                "The FlinkDeployment name: {name} is invalid, must consist of lower case alphanumeric characters or '-', \
                 start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or \
                 'abc-123'), and the length must be no more than {LONGEST_NAME} characters."
            ),
            "A resource cannot be renamed: delete it and create one with another name.",
        );
    }
}

/// D2 to D4.
fn check_flink_version(
    spec: &FlinkDeploymentSpec,
    last: Option<&FlinkDeploymentSpec>,
    findings: &mut Findings,
) {
    let remedy = "Set spec.flinkVersion to the version of Flink in the image.";
    match spec.flink_version {
        None => findings.add(Rule::FlinkVersionMissing, "spec.flinkVersion must be defined", remedy),
        Some(found) if !found.is_supported() => {
            findings.add(Rule::FlinkVersionUnsupported, version::unsupported_message(Some(found)), remedy);
        }
        Some(found) => check_version_change(found, spec, last, findings),
    }
}

/// D4. The state of a job that was suspended with `last-state` lies in HA data, which only the same version reads.
fn check_version_change(
    version: FlinkVersion,
    spec: &FlinkDeploymentSpec,
    last: Option<&FlinkDeploymentSpec>,
    findings: &mut Findings,
) {
    let Some((last, last_job)) = last.and_then(|last| Some((last, last.job.as_ref()?))) else { return };
    let Some(job) = &spec.job else { return };
    if job.upgrade_mode_or_default() != UpgradeMode::Stateless
        && last_job.state_or_default() == JobState::Suspended
        && last_job.upgrade_mode_or_default() == UpgradeMode::LastState
        && last.flink_version != Some(version)
    {
        findings.add(
            Rule::FlinkVersionChange,
            "The job was suspended with its last state, which another Flink version cannot restore: \
             spec.flinkVersion must not change now",
            "Resume the job with the version that it had, then change the version.",
        );
    }
}

/// D8 and D9.
fn check_ingress(spec: &FlinkDeploymentSpec, name: &str, namespace: &str, findings: &mut Findings) {
    let Some(ingress) = &spec.ingress else { return };
    let Some(template) = &ingress.template else {
        let remedy = "Set spec.ingress.template, for instance to \"{{name}}.{{namespace}}.example.com\".";
        return findings.add(Rule::IngressTemplateMissing, "Ingress template must be defined", remedy);
    };
    if let Err(error) = resources::ingress_address(template, name, namespace) {
        let remedy = "Write it as host, path, or host and path; a port must be a number.";
        findings.add(Rule::IngressTemplateInvalid, error.to_string(), remedy);
    }
}

/// D10.
fn check_log_configuration(spec: &FlinkDeploymentSpec, findings: &mut Findings) {
    let files = spec.log_configuration.iter().flat_map(|files| files.keys());
    for file in files.filter(|file| !LOG_FILES.contains(&file.as_str())) {
        findings.add(
            Rule::LogConfigurationKey,
            format!("Invalid log config key: {file}. Allowed keys are [{}]", LOG_FILES.join(", ")),
            "Use the name of the file that Flink's scripts read in a container.",
        );
    }
}

/// D18 to D22.
fn check_job_managers(spec: &FlinkDeploymentSpec, conf: &FlinkConf, findings: &mut Findings) {
    let component = resource_amounts::Component {
        name: "JobManager",
        field: "jobManager",
        resource: spec.job_manager.as_ref().and_then(|part| part.resource.as_ref()),
        resources: spec.job_manager.as_ref().and_then(|part| part.resources.as_ref()),
    };
    component.check(|| flink_conf::process_memory::job_manager(conf).err(), findings);
    let replicas = spec.job_manager_replicas_or_default();
    if replicas < 1 {
        findings.add(
            Rule::JobManagerReplicas,
            format!("spec.jobManager.replicas must be at least 1, found {replicas}"),
            "Set it to 1, or to more with high availability.",
        );
    } else if replicas > 1 && !options::high_availability(conf) {
        findings.add(
            Rule::StandbyNeedsHighAvailability,
            "High availability should be enabled when starting standby JobManagers.",
            format!(
                "Set {} and {}, or spec.jobManager.replicas to 1.",
                state::HA_TYPE.name,
                state::HA_STORAGE_DIR.name
            ),
        );
    }
}

/// D23 to D26.
fn check_task_managers(spec: &FlinkDeploymentSpec, conf: &FlinkConf, findings: &mut Findings) {
    let component = resource_amounts::Component {
        name: "TaskManager",
        field: "taskManager",
        resource: spec.task_manager.as_ref().and_then(|part| part.resource.as_ref()),
        resources: spec.task_manager.as_ref().and_then(|part| part.resources.as_ref()),
    };
    component.check(|| flink_conf::process_memory::task_manager(conf).err(), findings);
    // With a job, its own rule has reported it already. A session cluster may wait for its jobs without TaskManagers.
    if let Some(replicas) =
        spec.task_manager_replicas().filter(|replicas| *replicas < 0 && spec.job.is_none())
    {
        findings.add(
            Rule::TaskManagerReplicas,
            format!("spec.taskManager.replicas must be at least 0, found {replicas}"),
            "Set it to the number of TaskManagers, or remove it.",
        );
    }
}
