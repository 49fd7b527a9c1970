//! What a JobManager does when its process begins: it reads its configuration and its HA metadata.

use engine::ports::{Kind, ObjectKey};
use flink_client::JobId;
use flink_client::stub::{ClusterSettings, JobPlan};
use flink_conf::option::{internal, job, kubernetes, state};
use flink_conf::{FlinkConf, HighAvailability, flat_file, nested_file};
use serde_json::{Value, json};

use super::entry_point::{JobArguments, Process};
use crate::api_server::ApiServer;

/// Key of the job's program in the HA metadata, up to Flink 1.20 and since 2.0.
const GRAPHS: (&str, &str) = ("jobGraph-", "executionPlan-");
const CHECKPOINT: &str = "checkpointID-";

/// What a JobManager was told.
#[derive(Clone, Debug)]
pub(super) struct Boot {
    pub(super) cluster: ObjectKey,
    /// `None`: a session cluster.
    pub(super) job: Option<JobId>,
    pub(super) restore_path: Option<String>,
    pub(super) allows_non_restored_state: bool,
    pub(super) ha: bool,
    /// Whether its TaskManagers are pods that somebody else makes.
    pub(super) standalone: bool,
    /// Whether the image is Flink 2.0 or newer, which keeps its HA metadata under other names.
    newer: bool,
    /// Where results of ended jobs are stored.
    pub(super) result_store: String,
    pub(super) settings: ClusterSettings,
    pub(super) plan: JobPlan,
}

/// The configuration in the ConfigMaps that a pod mounts. `Err`: a volume's source does not exist.
pub(super) fn configuration(server: &ApiServer, pod: &Value) -> Result<FlinkConf, String> {
    let namespace = text(pod, "/metadata/namespace");
    let volumes = pod.pointer("/spec/volumes").and_then(Value::as_array);
    let mut conf = FlinkConf::new();
    for volume in volumes.into_iter().flatten() {
        let Some(name) = volume.pointer("/configMap/name").and_then(Value::as_str) else { continue };
        let Some(map) = server.read(Kind::CONFIG_MAP, &ObjectKey::new(namespace, name)) else {
            return Err(format!("MountVolume.SetUp failed for volume: configmap \"{name}\" not found"));
        };
        let file = |file: &str| map.pointer("/data").and_then(|data| data.get(file)).and_then(Value::as_str);
        if let Some(text) = file("flink-conf.yaml") {
            conf.overlay(&flat_file::parse(text).0);
        }
        if let Some(text) = file("config.yaml") {
            conf.overlay(&nested_file::parse(text).map_err(|error| error.to_string())?);
        }
    }
    Ok(conf)
}

impl Boot {
    /// Reads arguments and configuration as Flink does.
    pub(super) fn read(conf: &FlinkConf, process: &Process, pod: &Value, plan: &JobPlan) -> Self {
        let no_arguments = JobArguments::default();
        let (arguments, standalone) = match process {
            Process::StandaloneJob(arguments) => (arguments, true),
            Process::StandaloneSession => (&no_arguments, true),
            Process::NativeJobManager | Process::TaskManager => (&no_arguments, false),
        };
        let conf = &arguments.complete(conf);
        let name = conf.text(kubernetes::CLUSTER_ID).unwrap_or_default();
        let cluster = ObjectKey::new(text(pod, "/metadata/namespace"), name);
        let entry_point = conf.text(internal::JOB_MANAGER_ENTRYPOINT).unwrap_or_default();
        let image = text(pod, "/spec/containers/0/image");
        let version = image.rsplit_once(':').map(|(_, version)| version).unwrap_or_default();
        let newer = version.starts_with("2.");
        let is_application = match process {
            Process::StandaloneJob(_) => true,
            Process::StandaloneSession => false,
            Process::NativeJobManager | Process::TaskManager => entry_point.contains("Application"),
        };
        let job = is_application.then(|| job_id(conf, arguments, pod));
        let checkpoints = flink_conf::checkpoint_directory(conf).map(str::to_owned);
        let mut plan = plan.clone();
        plan.name.clone_from(&cluster.name);
        plan.checkpoint_interval = conf.duration(state::CHECKPOINT_INTERVAL).ok().flatten();
        plan.addressable_checkpoints = checkpoints.is_some();
        plan.retain_on_cancellation =
            conf.text(state::EXTERNALIZED_RETENTION) == Some("RETAIN_ON_CANCELLATION");
        let version = if newer { "2.1.0" } else { "1.20.3" };
        if standalone {
            // Native clusters have as many slots as their jobs need.
            let parallelism = conf.int(job::PARALLELISM).ok().flatten();
            let parallelism = parallelism.and_then(|it| u32::try_from(it).ok()).unwrap_or(1);
            for vertex in &mut plan.vertices {
                vertex.parallelism = parallelism;
            }
        }
        for vertex in &mut plan.vertices {
            let overrides = flink_conf::parallelism_overrides(conf).unwrap_or_default();
            vertex.parallelism = overrides.get(vertex.id.as_str()).copied().unwrap_or(vertex.parallelism);
        }
        let defaults = ClusterSettings::default();
        let settings = ClusterSettings {
            reactive: flink_conf::is_reactive(conf),
            taskmanagers: if standalone { 0 } else { defaults.taskmanagers },
            slots: if standalone { slots(conf) } else { defaults.slots },
            version: version.to_owned(),
            adaptive: flink_conf::is_adaptive(conf),
            savepoint_directory: flink_conf::savepoint_directory(conf).map(str::to_owned),
            checkpoint_directory: checkpoints.unwrap_or_else(|| "memory:".to_owned()),
            jar_plan: plan.clone(),
            ..defaults
        };
        Self {
            cluster,
            job,
            restore_path: arguments
                .from_savepoint
                .clone()
                .or_else(|| conf.text(state::RESTORE_PATH).map(str::to_owned)),
            allows_non_restored_state: match process {
                // It overwrites the option with what its arguments say.
                Process::StandaloneJob(arguments) => arguments.allow_non_restored_state,
                _ => conf.boolean(state::ALLOW_NON_RESTORED_STATE).ok().flatten().unwrap_or(false),
            },
            standalone,
            ha: HighAvailability::of(conf) == HighAvailability::Kubernetes,
            newer,
            result_store: conf.text(state::JOB_RESULT_STORE_PATH).unwrap_or_default().to_owned(),
            settings,
            plan,
        }
    }

    fn cluster_map(&self) -> ObjectKey {
        ObjectKey::new(&self.cluster.namespace, format!("{}-cluster-config-map", self.cluster.name))
    }

    fn job_map(&self, job: &JobId) -> ObjectKey {
        ObjectKey::new(&self.cluster.namespace, format!("{}-{job}-config-map", self.cluster.name))
    }

    fn graph(&self, job: &JobId) -> String {
        let prefix = if self.newer { GRAPHS.1 } else { GRAPHS.0 };
        format!("{prefix}{job}")
    }

    fn create_map(&self, server: &ApiServer, key: &ObjectKey) {
        let mut labels = json!({"app": self.cluster.name, "type": "flink-native-kubernetes"});
        if !self.newer {
            crate::api_server::merge(&mut labels, &json!({"configmap-type": "high-availability"}));
        }
        let object = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": key.name, "namespace": key.namespace, "labels": labels},
        });
        let _exists_already = server.create_object(Kind::CONFIG_MAP, object);
    }

    /// Becomes the leader. Answers with the checkpoint to restore from, and whether the program of an earlier
    /// Deployment is there.
    pub(super) fn lead(&self, server: &ApiServer) -> (Option<String>, bool) {
        self.create_map(server, &self.cluster_map());
        let Some(job) = &self.job else { return (None, false) };
        let graph = self.graph(job);
        let old_program = server
            .read(Kind::CONFIG_MAP, &self.cluster_map())
            .is_some_and(|map| map.pointer("/data").is_some_and(|data| data.get(&graph).is_some()));
        (self.newest_checkpoint(server, job).map(|(_, path)| path), old_program)
    }

    /// Whether the HA metadata knows programs of jobs.
    pub(super) fn has_programs(&self, server: &ApiServer) -> bool {
        let map = server.read(Kind::CONFIG_MAP, &self.cluster_map());
        let prefix = if self.newer { GRAPHS.1 } else { GRAPHS.0 };
        map.is_some_and(|map| {
            let data = map.get("data").and_then(Value::as_object);
            data.is_some_and(|data| data.keys().any(|key| key.starts_with(prefix)))
        })
    }

    /// The job is accepted: its program and a place for its checkpoints are stored.
    pub(super) fn accept(&self, server: &ApiServer, job: &JobId) {
        let graph = self.graph(job);
        set_data(server, &self.cluster_map(), &graph, Some("handle"));
        self.create_map(server, &self.job_map(job));
        let map = server.read(Kind::CONFIG_MAP, &self.job_map(job));
        if map.is_some_and(|map| map.pointer("/data/counter").is_none()) {
            set_data(server, &self.job_map(job), "counter", Some("1"));
        }
    }

    /// The checkpoint that HA metadata names: its id and path.
    pub(super) fn newest_checkpoint(&self, server: &ApiServer, job: &JobId) -> Option<(u64, String)> {
        let map = server.read(Kind::CONFIG_MAP, &self.job_map(job))?;
        let data = map.get("data")?.as_object()?;
        let checkpoints = data.iter().filter_map(|(key, path)| {
            let id = key.strip_prefix(CHECKPOINT)?.parse().ok()?;
            Some((id, path.as_str()?.to_owned()))
        });
        checkpoints.max()
    }

    /// A checkpoint is complete. Answers with the path of the one that it replaces.
    ///
    /// Simplified: the value is the path instead of a serialized handle of a file that names it.
    pub(super) fn store_checkpoint(
        &self,
        server: &ApiServer,
        job: &JobId,
        id: u64,
        path: &str,
    ) -> Option<String> {
        let before = self.newest_checkpoint(server, job);
        if before.as_ref().is_some_and(|(known, _)| *known >= id) {
            return None;
        }
        let key = self.job_map(job);
        let counter = (id + 1).to_string();
        if !set_data(server, &key, &format!("{CHECKPOINT}{id:019}"), Some(path)) {
            return None;
        }
        set_data(server, &key, "counter", Some(&counter));
        let (known, replaced) = before?;
        set_data(server, &key, &format!("{CHECKPOINT}{known:019}"), None);
        Some(replaced)
    }

    /// The job has ended for good: Flink removes what it kept about it.
    pub(super) fn forget(&self, server: &ApiServer, job: &JobId) {
        set_data(server, &self.cluster_map(), &self.graph(job), None);
        let options =
            engine::ports::DeleteOptions { uid: None, propagation: lifecycle::Propagation::Background };
        let _is_gone = server.delete_object(Kind::CONFIG_MAP, &self.job_map(job), &options);
    }
}

/// Sets or removes one key of a ConfigMap; `false` when there is no such ConfigMap.
fn set_data(server: &ApiServer, key: &ObjectKey, field: &str, value: Option<&str>) -> bool {
    server.merge_patch(Kind::CONFIG_MAP, key, &json!({ "data": { field: value } })).is_ok()
}

/// `taskmanager.numberOfTaskSlots`.
fn slots(conf: &FlinkConf) -> u32 {
    flink_conf::task_slots(conf).ok().and_then(|slots| u32::try_from(slots).ok()).unwrap_or(1)
}

/// The id in the arguments or in the configuration, or else one that depends on the cluster, as with high availability.
fn job_id(conf: &FlinkConf, arguments: &JobArguments, pod: &Value) -> JobId {
    let id = arguments.job_id.as_deref().or_else(|| conf.text(internal::JOB_ID));
    let configured = id.and_then(|id| id.parse().ok());
    configured.unwrap_or_else(|| {
        let digits: u128 =
            text(pod, "/metadata/uid").bytes().fold(0, |sum, byte| sum * 31 + u128::from(byte));
        JobId::from_u128(digits)
    })
}

pub(super) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
