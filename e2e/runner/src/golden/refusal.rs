//! Where a resource is refused, and with which words.

use anyhow::Context;
use api::error::types;
use api::{FlinkDeployment, FlinkDeploymentSpec, FlinkSessionJobSpec, FlinkStateSnapshotSpec, decode};
use flink_conf::{FlinkConf, OperatorDefaults, effective};
use golden::{Case, ours};
use lifecycle::validate::{self, ArtifactSettings, ResolvedHost, SessionCluster, VersionGate, flink_version};
use serde_json::Value;

use super::schema::Schema;
use super::stage::Stage;
use super::walk::Walk;

/// Cases that were recorded with more schemes allowed for jars than by default, as the recordings' README says.
const ANY_JAR: [&str; 3] = [
    "invalid-session-job-on-app-cluster",
    "invalid-session-job-parallelism-zero",
    "session-job-waits-for-cluster",
];

/// One resource at one moment: what was recorded, and ours.
#[derive(Debug)]
struct Step {
    at: String,
    recorded: Stage,
    ours: Stage,
}

/// All refusals of a case, and what is created nevertheless.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    steps: Vec<Step>,
    objects: Vec<Value>,
    of_the_api_server: Option<String>,
}

impl Refusals {
    pub(super) fn of(case: &Case, schema: &Schema) -> anyhow::Result<Self> {
        let mut refusals = Self::default();
        for resource in &case.resources {
            refusals.add(case, schema, resource).with_context(|| case.name.clone())?;
        }
        Ok(refusals)
    }

    /// What our operator created on the way.
    pub(super) fn objects(&self) -> &[Value] {
        &self.objects
    }

    /// The Java operator's words for an object that the API server refused.
    pub(super) fn of_the_api_server(&self) -> Option<&str> {
        self.of_the_api_server.as_deref()
    }

    /// Names of listed differences, and all others for people.
    pub(super) fn compare(&self) -> (Vec<&'static str>, Vec<String>) {
        let (mut listed, mut differences) = (Vec::new(), Vec::new());
        for step in self.steps.iter().filter(|step| step.recorded != step.ours) {
            match listed_difference(&step.recorded, &step.ours) {
                Some(id) => listed.push(id),
                None => differences
                    .push(format!("{}\n- recorded {:?}\n+ ours     {:?}", step.at, step.recorded, step.ours)),
            }
        }
        (listed, differences)
    }

    fn add(&mut self, case: &Case, schema: &Schema, resource: &Value) -> anyhow::Result<()> {
        let at = name_of(resource);
        let recorded = Stage::recorded(case, "afterFirstReconcile", &at);
        if let Some(warnings) = refused_by_the_api_server(&recorded) {
            let mut walk = Walk::new(decode(resource.clone())?, ours::operator_defaults()?);
            walk.go()?;
            self.objects.extend(walk.objects()?);
            self.of_the_api_server = Some(warnings.join("\n"));
            return Ok(());
        }
        if let Some(message) = schema.refusal(resource) {
            self.steps.push(Step { at, recorded, ours: Stage::Schema(message) });
            return Ok(());
        }
        let ours = match resource["kind"].as_str() {
            Some("FlinkDeployment") => return self.add_deployment(case, resource, &at, recorded),
            Some("FlinkSessionJob") => session_job(case, resource)?,
            Some("FlinkStateSnapshot") => snapshot(case, resource)?,
            _ => return Ok(()),
        };
        self.steps.push(Step { at, recorded, ours });
        Ok(())
    }

    fn add_deployment(
        &mut self,
        case: &Case,
        resource: &Value,
        at: &str,
        recorded: Stage,
    ) -> anyhow::Result<()> {
        let mut walk = Walk::new(decode(resource.clone())?, ours::operator_defaults()?);
        let ours = walk.go()?;
        self.objects.extend(walk.objects()?);
        self.steps.push(Step { at: at.to_owned(), recorded, ours });
        if let Some(update) = case.update.iter().find(|update| name_of(update) == at) {
            walk.change(decode::<FlinkDeployment>(update.clone())?);
            let ours = walk.go()?;
            let recorded = Stage::recorded(case, "afterUpdate", at);
            self.steps.push(Step { at: format!("{at} after the update"), recorded, ours });
        }
        Ok(())
    }
}

/// Differences of `docs/differences.md`, section "Objects".
fn listed_difference(recorded: &Stage, ours: &Stage) -> Option<&'static str> {
    match (recorded, ours) {
        (Stage::Refused { class: theirs, message, .. }, Stage::Refused { class, .. })
            if theirs == types::RECONCILIATION && is_about_the_spec(message) =>
        {
            Some(if class == types::VALIDATION { "refused before it is deployed" } else { "words of errors" })
        }
        (Stage::Warned { warnings: theirs }, Stage::Refused { warnings, .. }) if theirs == warnings => {
            Some("unsupported version in the status")
        }
        (Stage::Warned { warnings }, Stage::Accepted) if warnings.iter().all(|it| is_about_a_size(it)) => {
            Some("sizes of Flink in resources")
        }
        (Stage::Refused { message, .. }, Stage::Accepted) if message.contains("/api/v1/nodes. ") => {
            Some("nodes are not listed")
        }
        _ => None,
    }
}

/// The Java operator deploys sizes such as `2g`, and then stumbles over them while it sums up resources.
fn is_about_a_size(warning: &str) -> bool {
    warning.starts_with("Error/JobManagerDeployment: Character ")
        && warning.contains("is neither a decimal digit number")
}

/// Exceptions of the Java operator that only the spec or the configuration can cause.
fn is_about_the_spec(message: &str) -> bool {
    const CLASSES: [&str; 3] = [
        "java.lang.IllegalArgumentException",
        "org.apache.flink.configuration.IllegalConfigurationException",
        "com.google.common.util.concurrent.UncheckedExecutionException",
    ];
    CLASSES.iter().any(|class| message.starts_with(class))
}

/// Its Events hold the API server's message.
fn refused_by_the_api_server(recorded: &Stage) -> Option<&[String]> {
    const CLASS: &str = "org.apache.flink.client.deployment.ClusterDeploymentException";
    match recorded {
        Stage::Refused { message, warnings, .. } if message.starts_with(CLASS) => Some(warnings),
        _ => None,
    }
}

fn name_of(resource: &Value) -> String {
    let part = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!("{}/{}", part(&resource["kind"]), part(&resource["metadata"]["name"]))
}

fn namespace_of(resource: &Value) -> &str {
    resource["metadata"]["namespace"].as_str().unwrap_or_default()
}

fn session_job(case: &Case, resource: &Value) -> anyhow::Result<Stage> {
    let spec: FlinkSessionJobSpec = decode(resource["spec"].clone())?;
    let cluster = case
        .of_kind("FlinkDeployment")
        .find(|cluster| cluster["metadata"]["name"].as_str() == spec.deployment_name.as_deref());
    let cluster_spec: Option<FlinkDeploymentSpec> =
        cluster.map(|cluster| decode(cluster["spec"].clone())).transpose()?;
    let version = cluster_spec.as_ref().and_then(|cluster| cluster.flink_version);
    if let VersionGate::Unsupported(message) = flink_version(version) {
        return Ok(Stage::warned("UnsupportedFlinkVersion", &message));
    }
    let conf = configuration(&ours::operator_defaults()?, resource, cluster_spec.as_ref(), &spec)?;
    let cluster = cluster.zip(cluster_spec.as_ref()).map(|(cluster, spec)| SessionCluster {
        name: cluster["metadata"]["name"].as_str().unwrap_or_default(),
        spec,
        effective: &conf,
    });
    let settings = if ANY_JAR.contains(&case.name.as_str()) {
        let allowed_schemes = ["https", "http", "local"].map(str::to_owned).to_vec();
        ArtifactSettings { allowed_schemes, disallow_restricted_hosts: false, ..ArtifactSettings::default() }
    } else {
        ArtifactSettings::default()
    };
    let violations = validate::session_job(&spec, None, cluster, &settings, &ResolvedHost::NotAsked);
    Ok(Stage::violated(&violations))
}

/// Operator defaults, the session cluster's options, the job's.
fn configuration(
    defaults: &OperatorDefaults,
    resource: &Value,
    cluster: Option<&FlinkDeploymentSpec>,
    job: &FlinkSessionJobSpec,
) -> anyhow::Result<FlinkConf> {
    let version = cluster.and_then(|cluster| cluster.flink_version);
    let of_cluster = cluster.and_then(|cluster| cluster.flink_configuration.as_ref());
    let namespace = namespace_of(resource);
    let mut conf = effective::configured(defaults, namespace, version, of_cluster)?;
    let none = OperatorDefaults::new(FlinkConf::new());
    conf.overlay(&effective::configured(&none, namespace, version, job.flink_configuration.as_ref())?);
    Ok(conf)
}

/// The Java operator writes no status for a snapshot that it refuses.
fn snapshot(case: &Case, resource: &Value) -> anyhow::Result<Stage> {
    let spec: FlinkStateSnapshotSpec = decode(resource["spec"].clone())?;
    let target =
        spec.job_reference.as_ref().and_then(|job| Some(format!("{}/{}", job.kind?, job.name.as_ref()?)));
    let found = target.is_some_and(|target| case.resources.iter().any(|other| name_of(other) == target));
    let violations = validate::snapshot(namespace_of(resource), &spec, None, found);
    Ok(match validate::status_message(&violations) {
        None => Stage::Accepted,
        Some(message) => Stage::warned("ValidationError", message),
    })
}
