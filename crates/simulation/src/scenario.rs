//! Scenarios: data that says what a user wants, does, and expects in the end.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// One scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// What it is about, in a sentence.
    pub about: String,
    /// What the resource is made from: `application`, `session`, or nothing.
    #[serde(default)]
    pub base: Base,
    /// Merged over the base.
    #[serde(default = "nothing")]
    pub spec: Value,
    /// Merged over the spec of the session cluster of a session job.
    #[serde(default = "nothing")]
    pub cluster: Value,
    /// Whether the session cluster of a session job is there from the beginning. Default: true.
    #[serde(default = "yes", rename = "clusterExists")]
    pub cluster_exists: bool,
    /// Whether Apache's CRDs are installed, which prune what only our statuses have. Default: false.
    #[serde(default, rename = "apacheCrds")]
    pub apache_crds: bool,
    /// Configuration of the operator itself.
    #[serde(default)]
    pub operator: BTreeMap<String, String>,
    /// How jobs behave from the beginning.
    #[serde(default)]
    pub job: Option<JobBehaviour>,
    /// What is done, in this order. The creation of the resource comes before.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// What must hold in the end, and be kept.
    pub end: Condition,
    /// Why the end may be another one than without faults, as long as `end` holds. Absent: it may not.
    #[serde(default, rename = "endVaries")]
    pub end_varies: Option<String>,
    /// Other ends that are as good, where `end_varies` says why.
    #[serde(default, rename = "orEnd")]
    pub or_end: Vec<Condition>,
    /// Whether nothing is written any more in the end. Default: true.
    #[serde(default = "yes")]
    pub quiet: bool,
    /// Minutes of virtual time until the end is reached, after the last step and the last fault. Default: 15.
    #[serde(default = "fifteen")]
    pub minutes: u64,
}

fn nothing() -> Value {
    Value::Object(serde_json::Map::new())
}

fn yes() -> bool {
    true
}

fn fifteen() -> u64 {
    15
}

/// What the resource is made from.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Base {
    /// An application cluster.
    #[default]
    Application,
    /// An application cluster with high availability.
    ApplicationHa,
    /// A session cluster.
    Session,
    /// A session cluster with high availability.
    SessionHa,
    /// A job on a session cluster.
    SessionJob,
    /// A job on a session cluster with high availability.
    SessionJobHa,
}

/// Something that is done when its time has come.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What must hold before.
    #[serde(default)]
    pub when: Condition,
    /// Seconds to wait after that began to hold.
    #[serde(default)]
    pub after: f64,
    /// What is done.
    #[serde(rename = "do")]
    pub action: Action,
}

/// What users, other controllers, nodes and jobs do.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Merge patch of the resource.
    Patch(Value),
    /// Deletion of the resource.
    Delete,
    /// Creation of the resource, again.
    Create,
    /// Creation of the session cluster of a session job.
    CreateCluster,
    /// Merge patch of the session cluster of a session job.
    PatchCluster(Value),
    /// Deletion of the session cluster of a session job.
    DeleteCluster,
    /// Deletion of the JobManager's pod.
    DeletePod,
    /// Deletion of the pods of a standalone cluster's TaskManagers.
    DeleteTaskManagerPods,
    /// Deletion of the TaskManagers' Deployment, in the foreground.
    DeleteTaskManagers,
    /// What `kubectl scale` does through the scale subresource: another number of TaskManagers.
    Scale(i32),
    /// Deletion of the JobManager's Deployment, in the foreground.
    DeleteDeployment,
    /// The operator is killed and comes back.
    RestartOperator,
    /// Another object is created.
    CreateObject(Value),
    /// Another object of the namespace is deleted: kind and name.
    DeleteObject(ObjectName),
    /// FlinkStateSnapshots of this type, cause and state are deleted, `SAVEPOINT UPGRADE COMPLETED` for instance.
    DeleteSnapshots(String),
    /// A FlinkStateSnapshot of this name is created for the last savepoint of the status, and keeps its files.
    KeepLastSavepoint(String),
    /// Another object of the namespace is changed by a merge patch.
    PatchObject(PatchedObject),
    /// ConfigMaps with HA metadata are deleted.
    DeleteHaMetadata,
    /// The API server refuses objects.
    Reject(RejectedObjects),
    /// The API server refuses nothing.
    Accept,
    /// Pods are refused with this message; `null`: they are not.
    RefusePods(Option<String>),
    /// JobManagers end right after they have begun, with this message; `null`: they do not.
    CrashLoop(Option<String>),
    /// How jobs behave from now on, the one that runs included.
    Job(JobBehaviour),
    /// The job finishes by itself.
    FinishJob,
    /// The job fails for good.
    FailJob(String),
    /// Somebody else cancels the job.
    CancelJob,
    /// Somebody runs another job of that number on the cluster.
    RunJob(u32),
    /// The Java operator was in charge until now: its status, its Deployment, and now our operator begins.
    TakeOver,
    /// JobManagers do not answer any more, and their pods are ready nevertheless; `false`: they answer again.
    Silence(bool),
    /// Nothing; the next step's time counts from here.
    Wait,
}

/// Names an object.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ObjectName {
    /// `apiVersion`.
    #[serde(rename = "apiVersion")]
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// A change of an object.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatchedObject {
    /// `apiVersion`.
    #[serde(rename = "apiVersion")]
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Merge patch.
    pub patch: Value,
}

/// What the API server refuses.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RejectedObjects {
    /// `apiVersion`.
    #[serde(rename = "apiVersion")]
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// HTTP status code.
    pub code: u16,
    /// The sentence.
    pub message: String,
}

/// How a job behaves.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct JobBehaviour {
    /// Savepoints fail with this text; an empty one: they work.
    #[serde(default)]
    pub savepoints_fail: Option<String>,
    /// A stop with savepoint completes the savepoint, then fails.
    #[serde(default)]
    pub stop_fails_after_savepoint: bool,
    /// Savepoints never end.
    #[serde(default)]
    pub savepoints_hang: bool,
    /// Seconds that a savepoint takes.
    #[serde(default)]
    pub snapshot_seconds: Option<f64>,
    /// Seconds that a cancel takes.
    #[serde(default)]
    pub cancel_seconds: Option<f64>,
    /// It fails so many seconds after each start, is restarted three times, and then fails for good.
    #[serde(default)]
    pub fails_after_seconds: Option<f64>,
    /// How often it is restarted then, instead of three times.
    #[serde(default)]
    pub restarts: Option<u32>,
    /// It takes no checkpoints any more.
    #[serde(default)]
    pub no_checkpoints: bool,
    /// It fails for good when it loses its TaskManagers.
    #[serde(default)]
    pub ends_without_slots: bool,
}

/// What is seen from outside. Everything that is named must hold.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Condition {
    /// `status.lifecycleState`.
    #[serde(default)]
    pub lifecycle: Option<String>,
    /// Values at JSON pointers below `status`; `null`: nothing is there.
    #[serde(default)]
    pub status: BTreeMap<String, Value>,
    /// Texts that are contained at JSON pointers below `status`.
    #[serde(default)]
    pub contains: BTreeMap<String, String>,
    /// Whether `status.observedGeneration` is the generation of the resource.
    #[serde(default)]
    pub observed: Option<bool>,
    /// Whether the JobManager's Deployment exists.
    #[serde(default)]
    pub deployment: Option<bool>,
    /// Whether it is available.
    #[serde(default)]
    pub available: Option<bool>,
    /// Whether the resource is gone.
    #[serde(default)]
    pub gone: Option<bool>,
    /// Whether nothing is left of the cluster (what the scenario itself created excepted).
    #[serde(default)]
    pub nothing_left: Option<bool>,
    /// Number of jobs that are alive.
    #[serde(default)]
    pub live_jobs: Option<usize>,
    /// With which parallelism the job runs: that of its widest vertex.
    #[serde(default)]
    pub parallelism: Option<u32>,
    /// Number of starts of jobs by a new Deployment so far, at least.
    #[serde(default)]
    pub starts: Option<usize>,
    /// Whether the newest start was from a snapshot.
    #[serde(default)]
    pub restored: Option<bool>,
    /// The newest call of the operator contains this text.
    #[serde(default)]
    pub call: Option<String>,
    /// Calls that the operator has made with success, such as `delete-nodes /flink/app`.
    #[serde(default)]
    pub called: Vec<String>,
    /// Texts that messages of Events contain.
    #[serde(default)]
    pub events: Vec<String>,
    /// Texts that the message of a condition contains, by the condition's type.
    #[serde(default)]
    pub conditions: BTreeMap<String, String>,
    /// Whether nothing but the resource and Events was written to since our operator took over.
    #[serde(default)]
    pub untouched: Option<bool>,
    /// What the newest start was restored from.
    #[serde(default)]
    pub restored_from: Option<String>,
    /// Other objects that must be there.
    #[serde(default)]
    pub objects: Vec<ObjectState>,
    /// Other objects that must not be there.
    #[serde(default)]
    pub absent: Vec<ObjectName>,
    /// How many FlinkStateSnapshots there are, by type, cause and state: `SAVEPOINT MANUAL COMPLETED`.
    #[serde(default)]
    pub snapshots: BTreeMap<String, usize>,
    /// How many savepoints exist that a job has written, and nobody has deleted.
    #[serde(default)]
    pub savepoints: Option<usize>,
    /// How many TaskManagers serve a standalone cluster.
    #[serde(default)]
    pub task_managers: Option<u32>,
    /// Whether the newest start may leave state behind.
    #[serde(default)]
    pub allows_non_restored_state: Option<bool>,
}

/// An object, and what is seen in it.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ObjectState {
    /// `apiVersion`.
    #[serde(rename = "apiVersion")]
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Values at JSON pointers; `null`: nothing is there.
    #[serde(default)]
    pub at: BTreeMap<String, Value>,
}

/// Why a file of scenarios cannot be used.
#[derive(Debug)]
pub struct ScenarioError(pub String);

impl std::fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ScenarioError {}

const FILES: [(&str, &str); 16] = [
    ("deploying.yaml", include_str!("../scenarios/deploying.yaml")),
    ("upgrading.yaml", include_str!("../scenarios/upgrading.yaml")),
    ("recovering.yaml", include_str!("../scenarios/recovering.yaml")),
    ("deleting.yaml", include_str!("../scenarios/deleting.yaml")),
    ("apache-crds.yaml", include_str!("../scenarios/apache-crds.yaml")),
    ("from-savepoint.yaml", include_str!("../scenarios/from-savepoint.yaml")),
    ("health.yaml", include_str!("../scenarios/health.yaml")),
    ("deletion-with-state.yaml", include_str!("../scenarios/deletion-with-state.yaml")),
    ("rollback.yaml", include_str!("../scenarios/rollback.yaml")),
    ("rescaling.yaml", include_str!("../scenarios/rescaling.yaml")),
    ("take-over.yaml", include_str!("../scenarios/take-over.yaml")),
    ("session.yaml", include_str!("../scenarios/session.yaml")),
    ("ingress.yaml", include_str!("../scenarios/ingress.yaml")),
    ("standalone.yaml", include_str!("../scenarios/standalone.yaml")),
    ("session-job.yaml", include_str!("../scenarios/session-job.yaml")),
    ("snapshots.yaml", include_str!("../scenarios/snapshots.yaml")),
];

/// Scenarios of native clusters that are tried with standalone ones as well.
const SAME_LIFE: (&str, &str) =
    ("standalone-same-life.yaml", include_str!("../scenarios/standalone-same-life.yaml"));

/// A scenario of a native cluster that a standalone cluster lives as well.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SameLife {
    /// The scenario.
    like: String,
    /// With which versions of Flink: images of that tag.
    #[serde(default = "one_version")]
    flink: Vec<String>,
}

fn one_version() -> Vec<String> {
    vec!["1.20".to_owned()]
}

fn read<'a, T: Deserialize<'a>>((name, text): (&str, &'a str)) -> Result<Vec<T>, ScenarioError> {
    serde_saphyr::from_str(text).map_err(|error| ScenarioError(format!("{name}: {error}")))
}

/// All scenarios.
pub fn all() -> Result<Vec<Scenario>, ScenarioError> {
    let mut all: Vec<Scenario> = Vec::new();
    for file in FILES {
        all.extend(read(file)?);
    }
    for SameLife { like, flink } in read(SAME_LIFE)? {
        let native = all.iter().find(|scenario| scenario.name == like);
        let native = native.ok_or_else(|| ScenarioError(format!("{}: no scenario {like}", SAME_LIFE.0)))?;
        let standalone: Vec<Scenario> = flink.iter().map(|version| native.standalone(version)).collect();
        all.extend(standalone);
    }
    Ok(all)
}

impl Scenario {
    /// The same with a standalone cluster of that version of Flink, for instance `2.1`.
    fn standalone(&self, flink: &str) -> Self {
        let mut same = self.clone();
        let of_version = serde_json::json!({
            "mode": "standalone",
            "flinkVersion": format!("v{}", flink.replace('.', "_")),
        });
        crate::api_server::merge(&mut same.spec, &of_version);
        if self.spec.get("image").is_none() {
            let image = serde_json::json!({"image": format!("flink:{flink}")});
            crate::api_server::merge(&mut same.spec, &image);
        }
        let suffix = if flink == "1.20" { String::new() } else { format!("-flink-{flink}") };
        same.name = format!("standalone-{}{suffix}", self.name);
        same
    }

    /// The spec of the session cluster, if the resource is a session job.
    #[must_use]
    pub fn cluster_spec(&self) -> Option<Value> {
        let base = match self.base {
            Base::SessionJob => Base::Session,
            Base::SessionJobHa => Base::SessionHa,
            Base::Application | Base::ApplicationHa | Base::Session | Base::SessionHa => return None,
        };
        let mut spec = base.spec();
        crate::api_server::merge(&mut spec, &self.cluster);
        Some(spec)
    }

    /// The spec of the resource.
    #[must_use]
    pub fn spec(&self) -> Value {
        let mut spec = self.base.spec();
        crate::api_server::merge(&mut spec, &self.spec);
        spec
    }
}

impl Base {
    fn spec(self) -> Value {
        if matches!(self, Self::SessionJob | Self::SessionJobHa) {
            return serde_json::json!({
                "deploymentName": "cluster",
                "job": {"jarURI": "https://jars.example.com/job.jar", "parallelism": 2, "upgradeMode": "stateless"},
            });
        }
        let mut configuration = serde_json::json!({
            "taskmanager.numberOfTaskSlots": "2",
            "execution.checkpointing.interval": "30 s",
            "execution.checkpointing.dir": "s3://state/checkpoints",
            "execution.checkpointing.savepoint-dir": "s3://state/savepoints",
        });
        if matches!(self, Self::ApplicationHa | Self::SessionHa) {
            let ha = serde_json::json!({
                "high-availability.type": "kubernetes",
                "high-availability.storageDir": "s3://state/ha",
            });
            crate::api_server::merge(&mut configuration, &ha);
        }
        let resource = serde_json::json!({"resource": {"memory": "1024m", "cpu": 0.2}});
        let mut spec = serde_json::json!({
            "image": "flink:1.20",
            "flinkVersion": "v1_20",
            "serviceAccount": "flink",
            "flinkConfiguration": configuration,
            "jobManager": resource,
            "taskManager": resource,
        });
        if matches!(self, Self::Application | Self::ApplicationHa) {
            let job = serde_json::json!({
                "job": {"jarURI": "local:///opt/job.jar", "parallelism": 2, "upgradeMode": "stateless"},
            });
            crate::api_server::merge(&mut spec, &job);
        }
        spec
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_name_is_that_of_one_scenario() {
        let all = all().unwrap();
        let names: BTreeSet<&str> = all.iter().map(|scenario| scenario.name.as_str()).collect();
        assert_eq!(names.len(), all.len());
    }

    #[test]
    fn standalone_clusters_live_the_same_life() {
        let all = all().unwrap();
        let spec = |name: &str| all.iter().find(|scenario| scenario.name == name).unwrap().spec();
        let (native, standalone) = (spec("basic"), spec("standalone-basic-flink-2.1"));
        assert_eq!((native.get("mode"), &standalone["mode"]), (None, &serde_json::json!("standalone")));
        assert_eq!(
            (&standalone["image"], &standalone["flinkVersion"]),
            (&"flink:2.1".into(), &"v2_1".into())
        );
        assert_eq!(native["job"], standalone["job"]);
        assert_eq!(spec("standalone-broken-image-then-good")["image"], "does-not-exist:1");
    }
}
