//! Options that are read in more than one place, with their deprecated spellings.
//!
//! Sources: flink-core 1.20 (`*Options.java`), flink-kubernetes 1.20 (`KubernetesConfigOptions.java`,
//! `KubernetesConfigOptionsInternal.java`), and the Java operator.

/// A key that a typed getter can look up: a [`Key`] or a plain text.
pub trait OptionKey: Copy {
    /// The current key.
    fn name(&self) -> &str;
    /// Older keys, in the order in which Flink looks for them.
    fn fallbacks(&self) -> &'static [&'static str];
}

/// A key with its fallback and deprecated spellings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The current key.
    pub name: &'static str,
    /// Fallback and deprecated keys, in the order in which Flink looks for them.
    pub fallbacks: &'static [&'static str],
}

impl Key {
    /// A key with one spelling.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, fallbacks: &[] }
    }

    const fn with(name: &'static str, fallbacks: &'static [&'static str]) -> Self {
        Self { name, fallbacks }
    }
}

impl OptionKey for Key {
    fn name(&self) -> &str {
        self.name
    }

    fn fallbacks(&self) -> &'static [&'static str] {
        self.fallbacks
    }
}

impl OptionKey for &Key {
    fn name(&self) -> &str {
        self.name
    }

    fn fallbacks(&self) -> &'static [&'static str] {
        self.fallbacks
    }
}

impl OptionKey for &str {
    fn name(&self) -> &str {
        self
    }

    fn fallbacks(&self) -> &'static [&'static str] {
        &[]
    }
}

/// Keys the operator forces, and their prefixes.
pub mod internal {
    use super::Key;

    /// Every option of the operator itself.
    pub const OPERATOR_PREFIX: &str = "kubernetes.operator.";
    /// Every option of the autoscaler.
    pub const AUTOSCALER_PREFIX: &str = "job.autoscaler.";
    /// The CR's `flinkVersion`, in the spelling of the CR (`v1_20`).
    pub const FLINK_VERSION: Key = Key::new("$internal.flink.version");
    /// Entry class of an application.
    pub const APPLICATION_MAIN: Key = Key::new("$internal.application.main");
    /// Arguments of an application (list).
    pub const APPLICATION_ARGS: Key = Key::new("$internal.application.program-args");
    /// Job id of an application: 32 hexadecimal digits.
    pub const JOB_ID: Key = Key::new("$internal.pipeline.job-id");
    /// Directory with log configuration files on the client's side. Never written by this operator.
    pub const CONF_DIR: Key = Key::new("$internal.deployment.config-dir");
    /// Standalone mode: `APPLICATION` or `SESSION`.
    pub const CLUSTER_MODE: Key = Key::new("kubernetes.internal.cluster-mode");
    /// Number of TaskManagers (standalone mode; in native mode only informative).
    pub const TASK_MANAGER_REPLICAS: Key = Key::new("kubernetes.internal.taskmanager.replicas");
    /// Native mode: the class that the JobManager's container starts.
    pub const JOB_MANAGER_ENTRYPOINT: Key = Key::new("kubernetes.internal.jobmanager.entrypoint.class");
    /// Native mode: `NORMAL`.
    pub const EXECUTION_MODE: Key = Key::new("internal.cluster.execution-mode");
}

/// `kubernetes.*` options of Flink's Kubernetes integration.
pub mod kubernetes {
    use super::Key;

    /// Cluster id: the name of the FlinkDeployment.
    pub const CLUSTER_ID: Key = Key::new("kubernetes.cluster-id");
    /// Namespace of the cluster.
    pub const NAMESPACE: Key = Key::new("kubernetes.namespace");
    /// Image of all containers of Flink.
    pub const IMAGE: Key = Key::with("kubernetes.container.image.ref", &["kubernetes.container.image"]);
    /// `IfNotPresent` (default), `Always` or `Never`.
    pub const IMAGE_PULL_POLICY: Key = Key::new("kubernetes.container.image.pull-policy");
    /// Names of pull secrets (list).
    pub const IMAGE_PULL_SECRETS: Key = Key::new("kubernetes.container.image.pull-secrets");
    /// Service account of both components.
    pub const SERVICE_ACCOUNT: Key = Key::new("kubernetes.service-account");
    /// Service account of the JobManager.
    pub const JOB_MANAGER_SERVICE_ACCOUNT: Key =
        Key::with("kubernetes.jobmanager.service-account", &["kubernetes.service-account"]);
    /// Service account of the TaskManagers.
    pub const TASK_MANAGER_SERVICE_ACCOUNT: Key =
        Key::with("kubernetes.taskmanager.service-account", &["kubernetes.service-account"]);
    /// CPU of the JobManager, in cores; default 1.0.
    pub const JOB_MANAGER_CPU: Key =
        Key::with("kubernetes.jobmanager.cpu.amount", &["kubernetes.jobmanager.cpu"]);
    /// CPU of a TaskManager, in cores; default -1.0 (as many as slots, in native mode).
    pub const TASK_MANAGER_CPU: Key =
        Key::with("kubernetes.taskmanager.cpu.amount", &["kubernetes.taskmanager.cpu"]);
    /// CPU limit / request of the JobManager; at least and by default 1.0.
    pub const JOB_MANAGER_CPU_LIMIT_FACTOR: Key = Key::new("kubernetes.jobmanager.cpu.limit-factor");
    /// CPU limit / request of a TaskManager; at least and by default 1.0.
    pub const TASK_MANAGER_CPU_LIMIT_FACTOR: Key = Key::new("kubernetes.taskmanager.cpu.limit-factor");
    /// Memory limit / request of the JobManager; at least and by default 1.0.
    pub const JOB_MANAGER_MEMORY_LIMIT_FACTOR: Key = Key::new("kubernetes.jobmanager.memory.limit-factor");
    /// Memory limit / request of a TaskManager; at least and by default 1.0.
    pub const TASK_MANAGER_MEMORY_LIMIT_FACTOR: Key = Key::new("kubernetes.taskmanager.memory.limit-factor");
    /// Labels of the JobManager (map).
    pub const JOB_MANAGER_LABELS: Key = Key::new("kubernetes.jobmanager.labels");
    /// Labels of TaskManagers (map).
    pub const TASK_MANAGER_LABELS: Key = Key::new("kubernetes.taskmanager.labels");
    /// Annotations of the JobManager (map).
    pub const JOB_MANAGER_ANNOTATIONS: Key = Key::new("kubernetes.jobmanager.annotations");
    /// Annotations of TaskManagers (map).
    pub const TASK_MANAGER_ANNOTATIONS: Key = Key::new("kubernetes.taskmanager.annotations");
    /// Node selector of the JobManager (map).
    pub const JOB_MANAGER_NODE_SELECTOR: Key = Key::new("kubernetes.jobmanager.node-selector");
    /// Node selector of TaskManagers (map).
    pub const TASK_MANAGER_NODE_SELECTOR: Key = Key::new("kubernetes.taskmanager.node-selector");
    /// Tolerations of the JobManager (list of maps).
    pub const JOB_MANAGER_TOLERATIONS: Key = Key::new("kubernetes.jobmanager.tolerations");
    /// Tolerations of TaskManagers (list of maps).
    pub const TASK_MANAGER_TOLERATIONS: Key = Key::new("kubernetes.taskmanager.tolerations");
    /// Text appended to the JobManager's bash command.
    pub const JOB_MANAGER_ENTRYPOINT_ARGS: Key = Key::new("kubernetes.jobmanager.entrypoint.args");
    /// Text appended to the TaskManager's bash command.
    pub const TASK_MANAGER_ENTRYPOINT_ARGS: Key = Key::new("kubernetes.taskmanager.entrypoint.args");
    /// Owner references of the JobManager Deployment (list of maps).
    pub const JOB_MANAGER_OWNER_REFERENCE: Key = Key::new("kubernetes.jobmanager.owner.reference");
    /// Number of JobManagers; default 1.
    pub const JOB_MANAGER_REPLICAS: Key = Key::new("kubernetes.jobmanager.replicas");
    /// How the REST Service is exposed; default `ClusterIP`.
    pub const REST_SERVICE_EXPOSED_TYPE: Key = Key::new("kubernetes.rest-service.exposed.type");
    /// Annotations of the REST Service (map).
    pub const REST_SERVICE_ANNOTATIONS: Key = Key::new("kubernetes.rest-service.annotations");
    /// Annotations of the internal Service (map).
    pub const INTERNAL_SERVICE_ANNOTATIONS: Key = Key::new("kubernetes.internal-service.annotations");
    /// Command of the containers; default `/docker-entrypoint.sh`.
    pub const ENTRY_PATH: Key = Key::new("kubernetes.entry.path");
    /// Where the configuration is mounted; default `/opt/flink/conf`.
    pub const FLINK_CONF_DIR: Key = Key::new("kubernetes.flink.conf.dir");
    /// Where Flink writes logs; no default.
    pub const FLINK_LOG_DIR: Key = Key::new("kubernetes.flink.log.dir");
    /// Pod template file of the JobManager, a path in the operator's file system.
    pub const JOB_MANAGER_POD_TEMPLATE: Key = Key::with(
        "kubernetes.pod-template-file.jobmanager",
        &["kubernetes.pod-template-file.default", "kubernetes.pod-template-file"],
    );
    /// Pod template file of the TaskManagers, a path in the operator's file system.
    pub const TASK_MANAGER_POD_TEMPLATE: Key = Key::with(
        "kubernetes.pod-template-file.taskmanager",
        &["kubernetes.pod-template-file.default", "kubernetes.pod-template-file"],
    );
    /// Secrets to mount: `name:path` (map).
    pub const SECRETS: Key = Key::new("kubernetes.secrets");
    /// Environment variables from Secrets (list of maps with `env`, `secret`, `key`).
    pub const ENV_SECRET_KEY_REF: Key = Key::new("kubernetes.env.secretKeyRef");
    /// ConfigMap with Hadoop's configuration files.
    pub const HADOOP_CONF_CONFIG_MAP: Key = Key::new("kubernetes.hadoop.conf.config-map.name");
    /// Use the node's network; default false.
    pub const HOST_NETWORK: Key = Key::new("kubernetes.hostnetwork.enabled");
    /// Kubeconfig of the client; stays on the client's side.
    pub const CONFIG_FILE: Key = Key::new("kubernetes.config.file");
}

/// Options of the JobManager, TaskManager and REST endpoint.
pub mod process {
    use super::Key;

    /// Address of the JobManager's RPC.
    pub const JOB_MANAGER_RPC_ADDRESS: Key = Key::new("jobmanager.rpc.address");
    /// Port of the JobManager's RPC; default 6123.
    pub const JOB_MANAGER_RPC_PORT: Key = Key::new("jobmanager.rpc.port");
    /// Interface of the JobManager's RPC; images set localhost.
    pub const JOB_MANAGER_BIND_HOST: Key = Key::new("jobmanager.bind-host");
    /// Port of the TaskManager's RPC; default 0, fixed to 6122 on Kubernetes.
    pub const TASK_MANAGER_RPC_PORT: Key = Key::new("taskmanager.rpc.port");
    /// Interface of the TaskManager; images set localhost.
    pub const TASK_MANAGER_BIND_HOST: Key = Key::new("taskmanager.bind-host");
    /// Host name of the TaskManager.
    pub const TASK_MANAGER_HOST: Key = Key::with("taskmanager.host", &["taskmanager.hostname"]);
    /// Slots per TaskManager; default 1.
    pub const TASK_SLOTS: Key = Key::new("taskmanager.numberOfTaskSlots");
    /// CPU of a TaskManager, in cores; no default.
    pub const TASK_MANAGER_CPU_CORES: Key = Key::new("taskmanager.cpu.cores");
    /// Port of the blob server; default 0, fixed to 6124 on Kubernetes.
    pub const BLOB_SERVER_PORT: Key = Key::new("blob.server.port");
    /// Port of the REST Service; default 8081.
    pub const REST_PORT: Key = Key::with("rest.port", &["web.port", "jobmanager.web.port"]);
    /// Port that the JobManager listens on for REST; default 8081 (falls back to `rest.port`).
    pub const REST_BIND_PORT: Key =
        Key::with("rest.bind-port", &["rest.port", "web.port", "jobmanager.web.port"]);
    /// Interface that the JobManager listens on for REST; images set localhost.
    pub const REST_BIND_ADDRESS: Key =
        Key::with("rest.bind-address", &["web.address", "jobmanager.web.address"]);
    /// Whether REST speaks TLS; default false.
    pub const REST_TLS: Key = Key::new("security.ssl.rest.enabled");
    /// Default of [`REST_TLS`] before Flink 2.0, which does not know it any more.
    pub const LEGACY_TLS: Key = Key::new("security.ssl.enabled");
    /// Whether REST with TLS asks its clients for a certificate; default false.
    pub const REST_TLS_MUTUAL: Key = Key::new("security.ssl.rest.authentication-enabled");
    /// Cipher suites of REST and of Flink's parts among themselves.
    pub const TLS_ALGORITHMS: Key = Key::new("security.ssl.algorithms");
    /// Whether the web UI can cancel jobs; the operator's default is false.
    pub const WEB_CANCEL: Key = Key::new("web.cancel.enable");
    /// How long answers about checkpoints are repeated; `web.refresh-interval` when not set.
    pub const CHECKPOINT_STATISTICS_CACHE: Key = Key::with(
        "rest.cache.checkpoint-statistics.timeout",
        &["web.refresh-interval", "jobmanager.web.refresh-interval"],
    );
    /// `default`, `adaptive` or `adaptivebatch`.
    pub const SCHEDULER: Key = Key::new("jobmanager.scheduler");
    /// `default` or `reactive`.
    pub const SCHEDULER_MODE: Key = Key::new("scheduler-mode");
}

/// Options of the job.
pub mod job {
    use super::Key;

    /// `kubernetes-application`, `kubernetes-session` or `remote`.
    pub const TARGET: Key = Key::new("execution.target");
    /// Default parallelism of a job; 1.
    pub const PARALLELISM: Key = Key::new("parallelism.default");
    /// Name of the job.
    pub const NAME: Key = Key::new("pipeline.name");
    /// Jars of the job (list).
    pub const JARS: Key = Key::new("pipeline.jars");
    /// Class path of the job (list of URLs).
    pub const CLASSPATHS: Key = Key::new("pipeline.classpaths");
    /// Parallelism per job vertex (map of hexadecimal vertex id to number).
    pub const PARALLELISM_OVERRIDES: Key = Key::new("pipeline.jobvertex-parallelism-overrides");
    /// Whether the cluster ends with its application; the operator forces false.
    pub const SHUTDOWN_ON_APPLICATION_FINISH: Key = Key::new("execution.shutdown-on-application-finish");
    /// Whether an application that fails before submission shows a failed job; the operator's default is true.
    pub const SUBMIT_FAILED_JOB: Key = Key::new("execution.submit-failed-job-on-application-error");
}

/// Options of state: checkpoints, savepoints, high availability.
pub mod state {
    use super::Key;

    /// Interval of checkpoints; none without.
    pub const CHECKPOINT_INTERVAL: Key = Key::new("execution.checkpointing.interval");
    /// Timeout of a checkpoint; default 10 min.
    pub const CHECKPOINT_TIMEOUT: Key = Key::new("execution.checkpointing.timeout");
    /// Failed checkpoints that are tolerated; default 0.
    pub const TOLERABLE_FAILED_CHECKPOINTS: Key =
        Key::new("execution.checkpointing.tolerable-failed-checkpoints");
    /// Directory of checkpoints.
    pub const CHECKPOINT_DIR: Key = Key::with(
        "execution.checkpointing.dir",
        &["state.checkpoints.dir", "state.backend.fs.checkpointdir"],
    );
    /// Directory of savepoints.
    pub const SAVEPOINT_DIR: Key = Key::with(
        "execution.checkpointing.savepoint-dir",
        &["state.savepoints.dir", "savepoints.state.backend.fs.dir"],
    );
    /// Whether checkpoints stay after cancellation; the operator's default is `RETAIN_ON_CANCELLATION`.
    pub const EXTERNALIZED_RETENTION: Key =
        Key::new("execution.checkpointing.externalized-checkpoint-retention");
    /// Savepoint or checkpoint to restore from, as Flink 1.20 and later name it.
    pub const RESTORE_PATH: Key = Key::with("execution.state-recovery.path", &["execution.savepoint.path"]);
    /// Savepoint or checkpoint to restore from, as the operator writes it (read by every version).
    pub const SAVEPOINT_PATH: Key = Key::new("execution.savepoint.path");
    /// Whether state that no operator of the job claims may be dropped, as the operator writes it.
    pub const IGNORE_UNCLAIMED_STATE: Key = Key::new("execution.savepoint.ignore-unclaimed-state");
    /// The same under the name that Flink 1.20 and later prefer.
    pub const ALLOW_NON_RESTORED_STATE: Key = Key::with(
        "execution.state-recovery.ignore-unclaimed-state",
        &["execution.savepoint.ignore-unclaimed-state"],
    );
    /// Kind of high availability; default `NONE`.
    pub const HA_TYPE: Key = Key::with("high-availability.type", &["high-availability", "recovery.mode"]);
    /// Id of the cluster in HA data; the operator forces the cluster's name.
    pub const HA_CLUSTER_ID: Key = Key::with(
        "high-availability.cluster-id",
        &["high-availability.zookeeper.path.namespace", "recovery.zookeeper.path.namespace"],
    );
    /// Directory of HA data.
    pub const HA_STORAGE_DIR: Key = Key::with(
        "high-availability.storageDir",
        &["high-availability.zookeeper.storageDir", "recovery.zookeeper.storageDir"],
    );
    /// Servers of `ZooKeeper`, `host:port` separated by commas.
    pub const HA_ZOOKEEPER_QUORUM: Key =
        Key::with("high-availability.zookeeper.quorum", &["recovery.zookeeper.quorum"]);
    /// Node of `ZooKeeper` below which each cluster has its own; default `/flink`.
    pub const HA_ZOOKEEPER_ROOT: Key =
        Key::with("high-availability.zookeeper.path.root", &["recovery.zookeeper.path.root"]);
    /// Node of `ZooKeeper` below a cluster's own, with the programs of its jobs; default `/jobgraphs`, from Flink 2.0 on
    /// `/execution-plans`.
    pub const HA_ZOOKEEPER_JOB_GRAPHS: Key = Key::with(
        "high-availability.zookeeper.path.execution-plans",
        &["high-availability.zookeeper.path.jobgraphs", "recovery.zookeeper.path.jobgraphs"],
    );
    /// Port of the JobManager's RPC with HA; default 0.
    pub const HA_JOB_MANAGER_PORT: Key =
        Key::with("high-availability.jobmanager.port", &["recovery.jobmanager.port"]);
    /// Where results of ended jobs are kept.
    pub const JOB_RESULT_STORE_PATH: Key = Key::new("job-result-store.storage-path");
    /// Whether results are deleted once committed; the operator's default is false.
    pub const JOB_RESULT_STORE_DELETE: Key = Key::new("job-result-store.delete-on-commit");
}
