//! The fields of the specs, in the order in which the Java operator compares them, and what each one asks for.

use api::reconciled::RecordedSpec;
use api::{FlinkDeploymentSpec, FlinkSessionJobSpec, KubernetesDeploymentMode, flink_configuration};
use serde_json::{Map, Value};

use super::leaf::{self, Equal};
use super::{Change, DiffType, pod_template};

/// What a difference in a field asks for.
#[derive(Clone, Copy)]
enum Rule {
    Always(DiffType),
    /// A standalone cluster may be rescaled in place; a native one is started again.
    ScalesStandalone,
    /// Only a new number counts. A number that was taken away is no difference.
    Nonce(DiffType),
}

const UPGRADE: Rule = Rule::Always(DiffType::Upgrade);
const IGNORE: Rule = Rule::Always(DiffType::Ignore);

const JOB: [(&str, Rule); 12] = [
    ("jarURI", UPGRADE),
    ("parallelism", Rule::ScalesStandalone),
    ("entryClass", UPGRADE),
    ("args", UPGRADE),
    ("state", UPGRADE),
    ("savepointTriggerNonce", IGNORE),
    ("initialSavepointPath", IGNORE),
    ("checkpointTriggerNonce", IGNORE),
    ("upgradeMode", IGNORE),
    ("allowNonRestoredState", IGNORE),
    ("savepointRedeployNonce", Rule::Nonce(DiffType::SavepointRedeploy)),
    ("autoscalerResetNonce", IGNORE),
];

const TASK_MANAGER: [(&str, Rule); 4] = [
    ("resource", UPGRADE),
    ("resources", UPGRADE),
    ("replicas", Rule::ScalesStandalone),
    ("podTemplate", UPGRADE),
];

/// Differences of two specs of a `FlinkDeployment`.
pub(super) fn deployment(
    old: &FlinkDeploymentSpec,
    new: &FlinkDeploymentSpec,
    mode: KubernetesDeploymentMode,
) -> Vec<Change> {
    let (old, new) = (old.recorded(), new.recorded());
    let mut found = Comparison { mode, changes: Vec::new() };
    let mut field = |name: &str, rule| found.field(name, rule, &old[name], &new[name], leaf::by_text);
    field("image", UPGRADE);
    // It counts for pods that are made later.
    field("imagePullPolicy", IGNORE);
    field("serviceAccount", UPGRADE);
    field("flinkVersion", UPGRADE);
    // The Ingress is changed in place, and Flink does not know of it (W-50 of the Java operator).
    found.field("ingress", IGNORE, &old["ingress"], &new["ingress"], leaf::by_text);
    let template = |spec: &Value| pod_template::template_only(&spec["podTemplate"]);
    found.field("podTemplate", UPGRADE, &template(&old), &template(&new), pod_template::same_quantity);
    let job_manager = |spec: &Value| pod_template::with_template_only(&spec["jobManager"]);
    found.field("jobManager", UPGRADE, &job_manager(&old), &job_manager(&new), pod_template::same_quantity);
    let task_manager = |spec: &Value| pod_template::with_template_only(&spec["taskManager"]);
    let (before, after) = (task_manager(&old), task_manager(&new));
    found.part("taskManager", &TASK_MANAGER, &before, &after, pod_template::same_quantity);
    for name in ["logConfiguration", "mode"] {
        found.field(name, UPGRADE, &old[name], &new[name], leaf::by_text);
    }
    found.common(&old, &new);
    found.changes
}

/// Differences of two specs of a `FlinkSessionJob`.
pub(super) fn session_job(
    old: &FlinkSessionJobSpec,
    new: &FlinkSessionJobSpec,
    mode: KubernetesDeploymentMode,
) -> Vec<Change> {
    let (old, new) = (old.recorded(), new.recorded());
    let mut found = Comparison { mode, changes: Vec::new() };
    let name = "deploymentName";
    found.field(name, UPGRADE, &old[name], &new[name], leaf::by_text);
    found.common(&old, &new);
    found.changes
}

/// The differences found so far.
struct Comparison {
    mode: KubernetesDeploymentMode,
    changes: Vec<Change>,
}

impl Comparison {
    /// `job`, `restartNonce` and `flinkConfiguration`, which both kinds of spec have.
    fn common(&mut self, old: &Value, new: &Value) {
        self.part("job", &JOB, &old["job"], &new["job"], leaf::by_text);
        let restart = Rule::Nonce(DiffType::Upgrade);
        self.field("restartNonce", restart, &old["restartNonce"], &new["restartNonce"], leaf::by_text);
        self.flink_configuration(&old["flinkConfiguration"], &new["flinkConfiguration"]);
    }

    /// A part of the spec whose fields have rules of their own, as long as it is there on both sides.
    fn part(&mut self, path: &str, rules: &[(&str, Rule)], old: &Value, new: &Value, equal: Equal) {
        if !(old.is_object() && new.is_object()) {
            return self.field(path, UPGRADE, old, new, equal);
        }
        for (name, rule) in rules {
            self.field(&format!("{path}.{name}"), *rule, &old[name], &new[name], equal);
        }
    }

    /// Compares flat: `2` and `"2"`, and nested and dotted keys, are the same.
    fn flink_configuration(&mut self, old: &Value, new: &Value) {
        let (old, new) = (flat(old), flat(new));
        let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
        keys.sort();
        keys.dedup();
        for key in keys {
            let rule = Rule::Always(option_kind(key, self.mode));
            let value = |options: &Map<String, Value>| options.get(key).cloned().unwrap_or_default();
            let path = format!("flinkConfiguration.{key}");
            self.field(&path, rule, &value(&old), &value(&new), leaf::by_text);
        }
    }

    fn field(&mut self, path: &str, rule: Rule, old: &Value, new: &Value, equal: Equal) {
        let kind = match rule {
            Rule::Nonce(_) if new.is_null() => return,
            Rule::Nonce(kind) | Rule::Always(kind) => kind,
            Rule::ScalesStandalone => match self.mode {
                KubernetesDeploymentMode::Standalone => DiffType::Scale,
                KubernetesDeploymentMode::Native => DiffType::Upgrade,
            },
        };
        for leaf in leaf::differences(old, new, equal) {
            let path = format!("{path}{}", leaf.path);
            self.changes.push(Change { path, old: leaf.old, new: leaf.new, kind });
        }
    }
}

/// What a difference in a key of `flinkConfiguration` asks for. Plain prefixes: there is no dot at their ends.
fn option_kind(key: &str, mode: KubernetesDeploymentMode) -> DiffType {
    let ignored = ["job.autoscaler", "parallelism.default", "kubernetes.operator"];
    if ignored.iter().any(|prefix| key.starts_with(prefix)) {
        return DiffType::Ignore;
    }
    // A standalone cluster has a fixed number of TaskManagers, so new overrides alone do not fit it.
    if key.starts_with("pipeline.jobvertex-parallelism-overrides") && mode == KubernetesDeploymentMode::Native
    {
        return DiffType::Scale;
    }
    DiffType::Upgrade
}

/// Flat options. A configuration that is no object holds none: such a resource is refused before it gets here.
fn flat(configuration: &Value) -> Map<String, Value> {
    let options = flink_configuration::flatten(Some(configuration)).unwrap_or_default();
    options.into_iter().map(|(key, value)| (key, Value::String(value))).collect()
}
