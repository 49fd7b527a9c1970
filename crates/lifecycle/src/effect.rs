//! Everything that the lifecycle can want done, as data. One executor performs it.

use std::collections::BTreeMap;
use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;
use std::time::Duration;

use api::FlinkVersion;
use flink_conf::FlinkConf;
use jiff::Timestamp;
use kube::core::DynamicObject;
use resources::ClusterObjects;
use serde_json::Value;

use crate::event::EventRecord;

/// One thing to do, performed in the order of [`crate::Decision::effects`]; after the first failure only Events are.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Record an Event on the resource. Failing to do so never stops what follows.
    Event(EventRecord),
    /// Put our finalizer onto the resource.
    AddFinalizer,
    /// Take our finalizer off the resource: its deletion is complete.
    RemoveFinalizer,
    /// Create a cluster: the JobManager Deployment first, then its dependents, owned by it.
    ///
    /// Repeatable: a Deployment that exists and carries the same attempt annotation is ours.
    CreateCluster(Box<ClusterObjects>),
    /// Create an object that a JobManager Deployment or the resource owns. One that exists stays as it is.
    CreateOwned(Box<DynamicObject>),
    /// Server-side apply of one object under our field manager.
    Apply(Box<DynamicObject>),
    /// Change a part of an object that exists. Absent, or there with another uid, counts as done.
    Change(ChangeObject),
    /// Change the number of replicas.
    Scale(ScaleObject),
    /// Delete one object. Absent, or there with another uid, counts as done.
    Delete(DeleteObject),
    /// Take keys out of a ConfigMap's `data`. Absent, or there with another uid, counts as done.
    RemoveData(RemoveData),
    /// Delete a node in `ZooKeeper` and all below it. Absent counts as done.
    DeleteNodes(ZooKeeperNodes),
    /// Ask Flink to do something.
    Flink(FlinkCall),
    /// Run a job on a session cluster. Flink refuses the id of a job that it has seen before, so that a repeat starts no
    /// second one.
    SubmitJob(Box<JobSubmission>),
}

/// A job for a session cluster.
#[derive(Clone, PartialEq)]
pub struct JobSubmission {
    /// The session cluster.
    pub cluster: FlinkCluster,
    /// Our identity of the job.
    pub job_id: String,
    /// Where its jar is; `None` when its classes are on the cluster's class path.
    pub jar_uri: Option<String>,
    /// The configuration of operator, cluster and job, in this order; may hold credentials.
    pub configuration: FlinkConf,
    /// Main class; `None` when the jar names it.
    pub entry_class: Option<String>,
    /// Arguments of the main method.
    pub args: Vec<String>,
    /// Parallelism; `None` for the configured one.
    pub parallelism: Option<u32>,
    /// What it starts from; `None` for empty.
    pub savepoint_path: Option<String>,
    /// Whether state may be left out that belongs to no operator of the job.
    pub allow_non_restored_state: Option<bool>,
    /// Whether the cluster may run no other program while it runs this one.
    pub runs_alone: bool,
    /// Version of the cluster.
    pub flink_version: Option<FlinkVersion>,
    /// Limit for the upload and for the main method, each (`kubernetes.operator.job.submission.timeout`).
    pub time_limit: Duration,
}

impl fmt::Debug for JobSubmission {
    /// Shows no configuration: credentials may be in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobSubmission")
            .field("cluster", &self.cluster)
            .field("job_id", &self.job_id)
            .field("jar_uri", &self.jar_uri)
            .field("savepoint_path", &self.savepoint_path)
            .finish_non_exhaustive()
    }
}

/// Names one Kubernetes object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectReference {
    /// For instance `apps/v1`.
    pub api_version: String,
    /// For instance `Deployment`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid; calls are refused by the API server when the object was replaced by another one of the same name.
    pub uid: Option<String>,
}

impl ObjectReference {
    /// A Deployment of group `apps/v1`.
    #[must_use]
    pub fn deployment(namespace: &str, name: &str, uid: Option<&str>) -> Self {
        Self::new("apps/v1", "Deployment", namespace, name, uid)
    }

    /// A ConfigMap.
    #[must_use]
    pub fn config_map(namespace: &str, name: &str, uid: Option<&str>) -> Self {
        Self::new("v1", "ConfigMap", namespace, name, uid)
    }

    /// Any object.
    #[must_use]
    pub fn new(api_version: &str, kind: &str, namespace: &str, name: &str, uid: Option<&str>) -> Self {
        Self {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            uid: uid.map(str::to_owned),
        }
    }
}

/// Which objects that depend on a deleted one go, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Propagation {
    /// Dependents first; the object stays visible until they are gone.
    Foreground,
    /// The object first, its dependents later.
    Background,
    /// Dependents stay.
    Orphan,
}

impl Propagation {
    /// The text of `propagationPolicy`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Foreground => "Foreground",
            Self::Background => "Background",
            Self::Orphan => "Orphan",
        }
    }
}

/// A deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteObject {
    /// What to delete.
    pub object: ObjectReference,
    /// What happens to its dependents.
    pub propagation: Propagation,
}

/// Keys to take out of a ConfigMap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoveData {
    /// The ConfigMap.
    pub object: ObjectReference,
    /// The state in which they are there: once somebody has changed it, they may mean something else.
    pub resource_version: Option<String>,
    /// Keys of `data`.
    pub keys: Vec<String>,
}

/// Nodes in `ZooKeeper`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZooKeeperNodes {
    /// `high-availability.zookeeper.quorum`: `host:port`, separated by commas.
    pub servers: String,
    /// The path of the topmost one.
    pub path: String,
}

impl ZooKeeperNodes {
    /// What deleting them is called when it fails.
    #[must_use]
    pub fn deletion(&self) -> String {
        format!("delete node {} in ZooKeeper at {}", self.path, self.servers)
    }
}

/// A change in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeObject {
    /// What to change.
    pub object: ObjectReference,
    /// The state that was seen: once somebody has changed it, something else may be to do.
    pub resource_version: Option<String>,
    /// A JSON merge patch (RFC 7396).
    pub part: Value,
}

/// A change of `spec.replicas` through the scale subresource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScaleObject {
    /// What to scale.
    pub object: ObjectReference,
    /// The state that was seen, if the change must not meet another one.
    pub resource_version: Option<String>,
    /// How many replicas it shall have.
    pub replicas: i32,
}

/// A call to a Flink cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlinkCall {
    /// Where its REST API is.
    pub cluster: FlinkCluster,
    /// What to ask.
    pub request: FlinkRequest,
    /// Whether a failure is only logged: used where the cluster is deleted right afterwards anyway.
    pub tolerate_failure: bool,
}

/// Identifies a Flink cluster's REST API.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FlinkCluster {
    /// Namespace of its Services.
    pub namespace: String,
    /// `kubernetes.cluster-id`, which is the FlinkDeployment's name.
    pub name: String,
    /// `rest.port`; 8081 by default.
    pub rest_port: u16,
    /// Whether it speaks TLS: see `flink_conf::rest_endpoint`.
    pub tls: bool,
}

/// Between what the adaptive scheduler may choose for a vertex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParallelismBounds {
    /// The job waits until it can have this many subtasks.
    pub lower: u32,
    /// It takes no more than this.
    pub upper: u32,
}

/// `1-4`.
impl fmt::Display for ParallelismBounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.lower, self.upper)
    }
}

impl FromStr for ParallelismBounds {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (lower, upper) = text.split_once('-').unwrap_or((text, text));
        Ok(Self { lower: lower.parse()?, upper: upper.parse()? })
    }
}

/// Calls that change something in Flink. Each carries an identity that we chose and recorded before the call, so
/// that a repeat is recognised by Flink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlinkRequest {
    /// Cancel a job. A job that has ended counts as cancelled.
    Cancel {
        /// The job.
        job_id: String,
    },
    /// Stop a job with a savepoint.
    StopWithSavepoint {
        /// The job.
        job_id: String,
        /// Our identity of this call.
        trigger_id: String,
        /// Directory for the savepoint.
        target_directory: Option<String>,
        /// Whether sources shall emit their last watermark, so that windows and timers fire.
        drain: bool,
        /// `CANONICAL` or `NATIVE`.
        format_type: String,
    },
    /// Take a savepoint of a job that goes on.
    TriggerSavepoint {
        /// The job.
        job_id: String,
        /// Our identity of this call.
        trigger_id: String,
        /// Directory for the savepoint.
        target_directory: Option<String>,
        /// `CANONICAL` or `NATIVE`.
        format_type: String,
    },
    /// Take a checkpoint.
    TriggerCheckpoint {
        /// The job.
        job_id: String,
        /// Our identity of this call.
        trigger_id: String,
        /// `FULL`, `INCREMENTAL` or `CONFIGURED`.
        checkpoint_type: String,
    },
    /// Tell a running job how parallel its vertices shall be. It says all there is to say, so that a repeat changes
    /// nothing.
    Rescale {
        /// The job.
        job_id: String,
        /// Every vertex of the job, by its id.
        vertices: BTreeMap<String, ParallelismBounds>,
    },
    /// Delete the files of a savepoint. Flink chooses the id of this operation: see [`Begun`].
    DisposeSavepoint {
        /// Where it is.
        path: String,
    },
}

impl FlinkRequest {
    /// What the operation is known by that this call begins: our trigger id, or the path of a savepoint that is disposed
    /// of. `None` for calls that are over when they are answered.
    #[must_use]
    pub fn operation(&self) -> Option<&str> {
        match self {
            Self::Cancel { .. } | Self::Rescale { .. } => None,
            Self::StopWithSavepoint { trigger_id, .. }
            | Self::TriggerSavepoint { trigger_id, .. }
            | Self::TriggerCheckpoint { trigger_id, .. } => Some(trigger_id),
            Self::DisposeSavepoint { path } => Some(path),
        }
    }
}

/// An operation that Flink has begun for this process. Losing this knowledge, as a restart does, costs a repeated call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// [`FlinkRequest::operation`].
    pub operation: String,
    /// The id that its result is found under.
    pub id: String,
    /// When Flink's answer was there.
    pub at: Timestamp,
}
