//! What is known about the world when a decision is made. An observation that failed is data as well.

mod ingress;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::{FlinkDeployment, JobStatusState, SnapshotState, SnapshotTriggerType, SnapshotType};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};

pub use ingress::{IngressView, OwnedIngress, SPEAKERS};

use crate::effect::{Begun, ParallelismBounds};

/// Everything that [`crate::decide`] may look at besides the resource itself.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The JobManager Deployment, if one of the cluster's name exists.
    pub job_manager: Option<JobManager>,
    /// Whether [`Observed::job_manager`] is unknown, because nobody could be asked: then nothing is decided.
    pub job_manager_unread: bool,
    /// Its pods, read only while the JobManager is not ready.
    pub pods: Vec<PodProblem>,
    /// How many pods the JobManager Deployment has, those that are ending included; `None` when they were not read.
    pub job_manager_pods: Option<usize>,
    /// The TaskManager Deployment of a standalone cluster, read when [`crate::reads`] says so.
    pub task_managers: TaskManagersView,
    /// What Flink last said, about the cluster that the Deployment of this uid runs.
    pub flink: FlinkView,
    /// HA metadata in Kubernetes; `None` when it was not read (see [`crate::reads`]).
    pub ha: Option<HaMetadata>,
    /// The Ingress of the cluster's name; where the cache has none, it is read when [`crate::reads`] says so.
    pub ingress: IngressView,
    /// Whether the Service of the REST API exists; `None` when it was not read (see [`crate::reads`]).
    pub rest_service: Option<bool>,
    /// FlinkSessionJobs that refer to this resource.
    pub session_jobs: Vec<SessionJob>,
    /// FlinkStateSnapshots that refer to this resource.
    pub snapshots: Vec<Snapshot>,
    /// Whether there can be none, as their definition is not installed.
    pub no_snapshot_resources: bool,
    /// Those savepoints of the status history that another resource lists or may start a job from.
    pub savepoints_needed_by_others: BTreeSet<String>,
    /// What Flink has begun for this resource, as far as this process knows.
    pub begun: Option<Begun>,
    /// The session cluster of a FlinkSessionJob, if there is one of that name.
    pub session_cluster: Option<Arc<FlinkDeployment>>,
    /// The job whose submission Flink has confirmed to this process.
    pub submitted_job: Option<String>,
    /// The attempt whose objects were all created by this process.
    pub created_attempt: Option<String>,
    /// Time of the newest job exception that was told as an Event, milliseconds since 1970; `None` after a restart.
    pub exceptions_reported: Option<i64>,
    /// The last failure of an effect of this resource, not yet recorded.
    pub failure: Option<EffectFailure>,
}

/// The Deployment of the name that a standalone cluster's TaskManagers have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TaskManagersView {
    /// It was not read.
    #[default]
    Unread,
    /// It was to be read, and that failed.
    Unknown,
    /// There is none.
    Absent,
    /// There is one, ours or somebody else's.
    There(TaskManagers),
}

/// A FlinkSessionJob, as far as its session cluster has to know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionJob {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: Option<String>,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// The id of its job.
    pub job_id: Option<String>,
    /// Whether it is recorded that this job has ended.
    pub ended: bool,
    /// Whether that job is being submitted or ended.
    pub under_way: bool,
}

/// A FlinkStateSnapshot, as far as the resource of its job has to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// What it is; `None` when its spec does not say so.
    pub snapshot_type: Option<SnapshotType>,
    /// What caused it.
    pub trigger_type: SnapshotTriggerType,
    /// How far it is.
    pub state: SnapshotState,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// uid of the resource that it is of, where that is recorded.
    pub job_uid: Option<String>,
    /// Where it lies.
    pub path: Option<String>,
}

/// A JobManager Deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct JobManager {
    /// Its uid.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: Option<String>,
    /// Generation of the FlinkDeployment that it was made from (Java operators write it too).
    pub generation: Option<i64>,
    /// Our identity of the deployment attempt; Deployments made by the Java operator have none.
    pub attempt: Option<String>,
    /// Whether an owner reference names the FlinkDeployment that is reconciled, by uid.
    pub owned: bool,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// Since when it is being deleted.
    pub terminating_since: Option<Timestamp>,
    /// `spec.paused`: it was created and has not been allowed to start yet.
    pub paused: bool,
    /// `spec.replicas`.
    pub desired_replicas: i32,
    /// `status.replicas`.
    pub replicas: i32,
    /// `status.availableReplicas`.
    pub available_replicas: i32,
    /// Message of the condition `ReplicaFailure` with reason `FailedCreate`.
    pub failed_create: Option<String>,
    /// Whether condition `Available` is False since the Deployment was created: no JobManager ever ran.
    pub never_started: bool,
}

/// The TaskManager Deployment of a standalone cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskManagers {
    /// Its uid.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: Option<String>,
    /// Whether it belongs to the FlinkDeployment, as those of the Java operator do; ours belong to the JobManager
    /// Deployment.
    pub owned_by_resource: bool,
    /// Whether it belongs to the JobManager Deployment with this uid.
    pub job_manager: Option<String>,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// `spec.replicas`.
    pub desired_replicas: i32,
    /// Whether a HorizontalPodAutoscaler of the Deployment itself has set that.
    pub autoscaled: bool,
}

impl TaskManagers {
    /// The subresource through which HorizontalPodAutoscalers and `kubectl scale` change `spec.replicas`.
    pub const SCALE: &str = "scale";

    /// The field manager of HorizontalPodAutoscalers.
    const AUTOSCALER: &str = "kube-controller-manager";

    /// Reads what matters from a Deployment; `owner_uid` is the uid of the FlinkDeployment.
    #[must_use]
    pub fn from_deployment(deployment: &Deployment, owner_uid: &str) -> Self {
        let meta = &deployment.metadata;
        let owners = || meta.owner_references.iter().flatten();
        let mut managed = meta.managed_fields.iter().flatten();
        Self {
            uid: meta.uid.clone().unwrap_or_default(),
            resource_version: meta.resource_version.clone(),
            owned_by_resource: owners().any(|owner| owner.uid == owner_uid),
            job_manager: owners().find(|owner| owner.kind == "Deployment").map(|owner| owner.uid.clone()),
            terminating: meta.deletion_timestamp.is_some(),
            desired_replicas: deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1),
            autoscaled: managed.any(|entry| {
                entry.subresource.as_deref() == Some(Self::SCALE)
                    && entry.manager.as_deref() == Some(Self::AUTOSCALER)
            }),
        }
    }
}

/// Annotation with the generation of the FlinkDeployment, as the Java operator writes it.
pub const GENERATION_ANNOTATION: &str = "flinkdeployment.flink.apache.org/generation";

/// How long after a Deployment was created its controller may look at it first, and say that it is not available. No
/// JobManager comes up and goes again within that time.
const FIRST_LOOK: SignedDuration = SignedDuration::from_secs(4);

impl JobManager {
    /// Reads what matters from a Deployment; `owner_uid` is the uid of the FlinkDeployment.
    #[must_use]
    pub fn from_deployment(deployment: &Deployment, owner_uid: &str) -> Self {
        let meta = &deployment.metadata;
        let annotation = |name: &str| meta.annotations.as_ref().and_then(|all| all.get(name));
        let status = deployment.status.as_ref();
        let condition = |kind: &str| {
            status
                .and_then(|status| status.conditions.as_ref())
                .and_then(|conditions| conditions.iter().find(|condition| condition.type_ == kind))
        };
        let failed_create = condition("ReplicaFailure")
            .filter(|condition| {
                condition.status == "True" && condition.reason.as_deref() == Some("FailedCreate")
            })
            .map(|condition| condition.message.clone().unwrap_or_default());
        let never_started = condition("Available").is_some_and(|available| {
            let since = available.last_transition_time.as_ref().zip(meta.creation_timestamp.as_ref());
            available.status == "False"
                && since.is_some_and(|(since, created)| since.0.duration_since(created.0) <= FIRST_LOOK)
        });
        let was_complete = condition("Progressing")
            .is_some_and(|progressing| progressing.reason.as_deref() == Some("NewReplicaSetAvailable"));
        Self {
            uid: meta.uid.clone().unwrap_or_default(),
            resource_version: meta.resource_version.clone(),
            generation: annotation(GENERATION_ANNOTATION).and_then(|text| text.parse().ok()),
            attempt: annotation(resources::ATTEMPT_ANNOTATION).cloned(),
            owned: meta.owner_references.iter().flatten().any(|owner| owner.uid == owner_uid),
            terminating: meta.deletion_timestamp.is_some(),
            terminating_since: meta.deletion_timestamp.as_ref().map(|time| time.0),
            paused: deployment.spec.as_ref().and_then(|spec| spec.paused).unwrap_or(false),
            desired_replicas: deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1),
            replicas: status.and_then(|status| status.replicas).unwrap_or(0),
            available_replicas: status.and_then(|status| status.available_replicas).unwrap_or(0),
            failed_create,
            never_started: never_started && !was_complete,
        }
    }

    /// Whether a JobManager answers its startup probe.
    #[must_use]
    pub fn is_available(&self) -> bool {
        !self.terminating && self.replicas > 0 && self.available_replicas > 0
    }
}

/// Why a JobManager pod does not run, as the kubelet says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodProblem {
    /// `CrashLoopBackOff`, `ImagePullBackOff`, `FailedMount` …
    pub reason: String,
    /// `[container] text`.
    pub message: String,
}

/// Reasons of waiting containers that need a change by a user.
const FATAL_WAITING: [&str; 6] = [
    "CrashLoopBackOff",
    "ImagePullBackOff",
    "ErrImagePull",
    "RunContainerError",
    "CreateContainerConfigError",
    "OOMKilled",
];

impl PodProblem {
    /// The problems of a pod's containers and init containers.
    ///
    /// A crash loop is explained by the last termination message rather than by the back-off.
    #[must_use]
    pub fn of_containers(pod: &Pod) -> Vec<Self> {
        let Some(status) = &pod.status else { return Vec::new() };
        let init = status.init_container_statuses.iter().flatten();
        let main = status.container_statuses.iter().flatten();
        init.chain(main)
            .filter_map(|container| {
                let waiting = container.state.as_ref()?.waiting.as_ref()?;
                let reason =
                    waiting.reason.clone().filter(|reason| FATAL_WAITING.contains(&reason.as_str()))?;
                let last = container.last_state.as_ref().and_then(|state| state.terminated.as_ref());
                let text = match (reason.as_str(), last.and_then(|last| last.message.clone())) {
                    ("CrashLoopBackOff", Some(message)) => format!("CrashLoop - {message}"),
                    _ => waiting.message.clone().unwrap_or_else(|| reason.clone()),
                };
                Some(Self { reason, message: format!("[{}] {text}", container.name) })
            })
            .collect()
    }

    /// Whether a pod waits for its volumes: then Events of reason `FailedMount` explain it.
    #[must_use]
    pub fn waits_for_volumes(pod: &Pod) -> bool {
        let is_false = |kind: &str| {
            pod.status
                .iter()
                .flat_map(|status| status.conditions.iter().flatten())
                .find(|condition| condition.type_ == kind)
                .map(|condition| condition.status == "False")
        };
        is_false("Ready") == Some(true)
            && is_false("PodReadyToStartContainers").or_else(|| is_false("Initialized")) == Some(true)
    }
}

/// The last answers of a Flink cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FlinkView {
    /// The newest complete answer.
    pub answer: Option<FlinkAnswer>,
    /// Set while the newest try failed.
    pub failure: Option<FlinkFailure>,
}

impl FlinkView {
    /// The newest answer, unless a later try failed.
    #[must_use]
    pub fn current(&self) -> Option<&FlinkAnswer> {
        if self.failure.is_some() { None } else { self.answer.as_ref() }
    }
}

/// A failed try to ask Flink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlinkFailure {
    /// When the failures began.
    pub since: Timestamp,
    /// Whether nobody answered (refused, reset, name unknown, too late, 503), rather than an answer that says no.
    pub unreachable: bool,
    /// Whether TLS failed: somebody has to look after certificates, here or there.
    pub untrusted: bool,
    /// For a person to read.
    pub message: String,
}

/// What a Flink cluster said in one poll.
#[derive(Clone, Debug, PartialEq)]
pub struct FlinkAnswer {
    /// When the poll began.
    pub at: Timestamp,
    /// uid of the JobManager Deployment that ran then; an answer of another cluster is never used.
    pub cluster: String,
    /// `GET /jobs/overview`.
    pub jobs: Vec<JobOverview>,
    /// Jobs that were asked about and that the cluster does not know, and since when that is so. An application's job is
    /// not known before its main method has come to it, and an ended one no longer after a restart of the JobManager.
    pub absent: BTreeMap<String, Timestamp>,
    /// Number of entries of `GET /taskmanagers`, when asked for.
    pub task_managers: Option<u32>,
    /// `GET /config` and what is computed from it; keys of `status.clusterInfo`.
    pub cluster_info: BTreeMap<String, String>,
    /// `GET /jobs/:jobid/checkpoints`, when asked for. Those of a job that has ended are final: while they may still be
    /// those of before its end, there are none.
    pub checkpoints: Option<Checkpoints>,
    /// Results of savepoints, checkpoints and stops, by our trigger id.
    pub operations: BTreeMap<String, OperationResult>,
    /// Why the job failed, when asked for: the cause chain, outermost first.
    pub failure_cause: Option<FailureCause>,
    /// Newest exceptions of the job first, when asked for.
    pub exceptions: Vec<JobException>,
    /// Restart and checkpoint counters of the job, when asked for.
    pub metrics: Option<JobMetrics>,
    /// How parallel the job is, when asked for.
    pub parallelism: Option<Parallelism>,
}

/// One job of `GET /jobs/overview`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobOverview {
    /// 32 hexadecimal digits.
    pub job_id: String,
    /// `pipeline.name`.
    pub name: String,
    /// Flink's own state, before [`JobOverview::effective_state`].
    pub state: JobStatusState,
    /// Milliseconds since 1970.
    pub start_time: i64,
    /// All tasks.
    pub tasks_total: i64,
    /// Tasks in state RUNNING.
    pub tasks_running: i64,
    /// Tasks in state FINISHED.
    pub tasks_finished: i64,
    /// When it was first seen to have ended.
    pub ended_since: Option<Timestamp>,
}

impl JobOverview {
    /// A RUNNING job counts as CREATED until all its tasks run or have finished
    /// (`JobStatusUtils` of the Java operator).
    #[must_use]
    pub fn effective_state(&self) -> JobStatusState {
        if self.state == JobStatusState::Running
            && self.tasks_running + self.tasks_finished != self.tasks_total
        {
            JobStatusState::Created
        } else {
            self.state
        }
    }
}

/// Checkpoint statistics of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoints {
    /// The job asked about.
    pub job_id: String,
    /// Completed checkpoints, savepoints and the restored one, as far as they name a path.
    pub completed: Vec<CompletedCheckpoint>,
    /// When the newest checkpoint in progress was triggered, milliseconds since 1970.
    pub in_progress_since: Option<i64>,
    /// Bytes of the newest completed one.
    pub state_size: Option<i64>,
}

impl Checkpoints {
    /// The completed one with the highest id, which may be discarded: an older one never stands in for it.
    #[must_use]
    pub fn newest(&self) -> Option<&CompletedCheckpoint> {
        self.completed.iter().max_by_key(|checkpoint| checkpoint.id)
    }
}

/// A checkpoint or savepoint that a job can be restored from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompletedCheckpoint {
    /// Flink's number of it.
    pub id: i64,
    /// Where it is.
    pub external_path: String,
    /// Milliseconds since 1970.
    pub trigger_timestamp: i64,
    /// Whether it is a savepoint: those are the user's and outlive every end of a job.
    pub is_savepoint: bool,
    /// Whether Flink says that it has deleted the files.
    pub discarded: bool,
}

/// Result of an asynchronous operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperationResult {
    /// Flink works on it.
    InProgress,
    /// Done; the path of the savepoint or checkpoint, empty if Flink cannot say where a checkpoint lies.
    Completed(String),
    /// It failed; Flink's reason.
    Failed(String),
    /// Flink knows no operation of that id: the JobManager was restarted, or the call never arrived.
    Unknown,
}

/// Why a job failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailureCause {
    /// The job asked about.
    pub job_id: String,
    /// Exception class and message of each level, outermost first.
    pub chain: Vec<(String, String)>,
}

/// One entry of a job's exception history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobException {
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// Class name.
    pub exception: String,
    /// The stack trace.
    pub stacktrace: String,
    /// The task that failed.
    pub task_name: Option<String>,
    /// Host and port of the TaskManager.
    pub endpoint: Option<String>,
    /// Id of the TaskManager.
    pub task_manager_id: Option<String>,
    /// Labels that failure enrichers added.
    pub failure_labels: BTreeMap<String, String>,
}

/// Counters for the health check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobMetrics {
    /// `numRestarts`, or `fullRestarts` of old versions.
    pub restarts: Option<i64>,
    /// `numberOfCompletedCheckpoints`.
    pub completed_checkpoints: Option<i64>,
}

/// How parallel a job is, and may become while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parallelism {
    /// The job asked about.
    pub job_id: String,
    /// Since when it has been asked about without a break.
    pub since: Timestamp,
    /// Why Flink does not tell: only the adaptive scheduler does.
    pub refusal: Option<String>,
    /// By the vertex's id, 32 hexadecimal digits.
    pub vertices: BTreeMap<String, VertexParallelism>,
}

/// How parallel a vertex is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VertexParallelism {
    /// `GET /jobs/:jobid/resource-requirements`.
    pub bounds: ParallelismBounds,
    /// Subtasks that it has, by `GET /jobs/:jobid`; may be 3 s old.
    pub current: Option<u32>,
}

/// HA metadata of a cluster in Kubernetes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HaMetadata {
    /// Its ConfigMaps, by name and uid.
    pub config_maps: Vec<(String, String)>,
    /// Programs of jobs.
    pub job_graphs: Vec<JobGraphs>,
    /// Those of single jobs.
    pub jobs: Vec<HaJob>,
}

/// Programs of jobs in a ConfigMap: a JobManager that finds one recovers it instead of running the new program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobGraphs {
    /// Name of the ConfigMap.
    pub config_map: String,
    /// uid of the ConfigMap.
    pub uid: String,
    /// The state in which the ConfigMap was read.
    pub resource_version: Option<String>,
    /// Keys of `data` that hold them.
    pub keys: Vec<String>,
}

/// The ConfigMap of one job. It exists from the election of the job's leader on, and Flink removes it when the job has
/// ended for good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HaJob {
    /// Its name, which contains the id of the job.
    pub config_map: String,
    /// Whether it names a checkpoint (`checkpointID-…`).
    pub has_checkpoint: bool,
}

/// Keys of `data` under which Flink 1.x and 2.x keep the program of a job.
const JOB_GRAPHS: [&str; 2] = ["jobGraph-", "executionPlan-"];

impl HaMetadata {
    /// Label selector of the ConfigMaps to read for a cluster.
    #[must_use]
    pub fn selector(cluster: &str) -> String {
        format!("app={cluster},type=flink-native-kubernetes,component!=autoscaler")
    }

    /// Reads what matters from the ConfigMaps that [`HaMetadata::selector`] finds (`FlinkUtils` of the Java operator).
    /// The ConfigMaps of the cluster itself bear the same labels and are left out: they go with its Deployment.
    #[must_use]
    pub fn from_config_maps(maps: &[ConfigMap]) -> Self {
        let mut metadata = Self::default();
        for map in maps.iter().filter(|map| map.metadata.deletion_timestamp.is_none()) {
            let name = map.metadata.name.clone().unwrap_or_default();
            let uid = map.metadata.uid.clone().unwrap_or_default();
            let old_layout = name.ends_with("-leader");
            if !name.ends_with("-config-map") && !old_layout {
                continue;
            }
            let of_cluster = name.ends_with("-cluster-config-map");
            let of_job = (!of_cluster && !old_layout) || name.ends_with("-jobmanager-leader");
            let keys = || map.data.iter().flatten().map(|(key, _)| key.clone());
            if of_job {
                let has_checkpoint = keys().any(|key| key.starts_with("checkpointID-"));
                metadata.jobs.push(HaJob { config_map: name.clone(), has_checkpoint });
            }
            let graphs: Vec<String> =
                keys().filter(|key| JOB_GRAPHS.iter().any(|prefix| key.starts_with(prefix))).collect();
            if !graphs.is_empty() {
                metadata.job_graphs.push(JobGraphs {
                    config_map: name.clone(),
                    uid: uid.clone(),
                    resource_version: map.metadata.resource_version.clone(),
                    keys: graphs,
                });
            }
            metadata.config_maps.push((name, uid));
        }
        metadata
    }

    /// The ConfigMaps of the job of that id; those of all jobs when the id is not known.
    fn of_job(&self, job_id: Option<&str>) -> impl Iterator<Item = &HaJob> {
        self.jobs.iter().filter(move |job| job_id.is_none_or(|id| job.config_map.contains(id)))
    }

    /// Whether the job goes on, as far as Flink has written down.
    #[must_use]
    pub fn has_job(&self, job_id: Option<&str>) -> bool {
        self.of_job(job_id).next().is_some()
    }

    /// Whether there is a checkpoint that the job can go on from.
    #[must_use]
    pub fn has_checkpoint(&self, job_id: Option<&str>) -> bool {
        self.of_job(job_id).any(|job| job.has_checkpoint)
    }
}

/// An effect that failed, as data for the next decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectFailure {
    /// What was tried, for instance `create Deployment my-app`.
    pub action: String,
    /// What came back.
    pub message: String,
    /// How often it has failed in a row, from 1.
    pub attempts: u32,
    /// Whether a repeat fails as well, until somebody changes something.
    pub needs_user: bool,
    /// The operation that Flink did not begin, if it was about one: [`FlinkRequest::operation`].
    ///
    /// [`FlinkRequest::operation`]: crate::FlinkRequest::operation
    pub operation: Option<String>,
}

/// After how many calls that failed an operation counts as refused: one or two may be lost on the way.
const CALLS: u32 = 3;

impl EffectFailure {
    /// Whether Flink does not begin this operation, however often it is asked.
    #[must_use]
    pub fn refuses(&self, operation: &str) -> bool {
        self.operation.as_deref() == Some(operation) && (self.needs_user || self.attempts >= CALLS)
    }
}

#[cfg(test)]
mod tests;
