//! Native clusters: a JobManager that asks Kubernetes for its TaskManagers itself.

use std::collections::BTreeMap;

use api::{FlinkDeploymentSpec, FlinkVersion, KubernetesDeploymentMode, Resource, ResourceRequirements};
use flink_conf::option::{Key, kubernetes};
use flink_conf::{ClusterIdentity, ConfError, FlinkConf, process_memory};
use k8s_openapi::api::core::v1::ConfigMap;
use kube_core::{DynamicObject, TypeMeta};
use serde_json::{Map, Value, json};

use crate::cluster::{ATTEMPT_ANNOTATION, ClusterObjects};
use crate::container_resources::ContainerResources;
use crate::hadoop::HadoopConf;
use crate::job_manager_pod;
use crate::kerberos::Kerberos;
use crate::object::{metadata, untyped};
use crate::operator_files::OperatorFiles;
use crate::options::{ExposedType, Ports};
use crate::pod::FlinkPod;
use crate::pod_template::{self, ArrayMerge, ExtraResources, Layers};
use crate::services::ServiceOwner;
use crate::{BuildError, cluster_conf, logging, names, options, owner};

const MERGE_BY_NAME: Key = Key::new("kubernetes.operator.pod-template.merge-arrays-by-name");
const STARTUP_PROBE: Key = Key::new("kubernetes.operator.jm-deployment.startup.probe.enabled");
/// Names of resources that come from the configuration instead of the pod template.
const CONFIGURED_RESOURCES: [&str; 2] = ["cpu", "memory"];

/// Everything that the objects of a cluster follow from.
#[derive(Clone, Copy, Debug)]
pub struct ClusterInput<'a> {
    /// The FlinkDeployment.
    pub identity: &'a ClusterIdentity,
    /// Its spec, for what is not configuration: pod templates, log files, job.
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

/// Which of its two entry points the JobManager starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClusterKind {
    Application,
    Session,
}

impl ClusterKind {
    pub(crate) fn entry_point_class(self) -> &'static str {
        match self {
            Self::Application => {
                "org.apache.flink.kubernetes.entrypoint.KubernetesApplicationClusterEntrypoint"
            }
            Self::Session => "org.apache.flink.kubernetes.entrypoint.KubernetesSessionClusterEntrypoint",
        }
    }

    fn script_argument(self) -> &'static str {
        match self {
            Self::Application => "kubernetes-application",
            Self::Session => "kubernetes-session",
        }
    }
}

/// The objects of a cluster that runs one job.
///
/// # Errors
/// Whatever Flink's client would refuse: bad options, memory that does not fit, pod templates that are none.
pub fn application(input: &ClusterInput<'_>) -> Result<ClusterObjects, BuildError> {
    build(input, ClusterKind::Application)
}

/// The objects of a cluster that waits for jobs.
///
/// # Errors
/// As for [`application`].
pub fn session(input: &ClusterInput<'_>) -> Result<ClusterObjects, BuildError> {
    build(input, ClusterKind::Session)
}

fn build(input: &ClusterInput<'_>, kind: ClusterKind) -> Result<ClusterObjects, BuildError> {
    if input.spec.mode_or_default() != KubernetesDeploymentMode::Native {
        return Err(BuildError::Rule(
            "a native cluster was asked for, but spec.mode is standalone".to_owned(),
        ));
    }
    let identity = input.identity;
    let (cluster_id, namespace) = (identity.name.as_str(), identity.namespace.as_str());
    let mut conf = cluster_conf::complete(input, kind)?;
    let resources = job_manager_resources(&conf)?;
    // TaskManagers are made by Flink, which would fail much later and far away from the user.
    process_memory::task_manager(&conf)?;
    let task_manager_template = task_manager_template(input)?;
    let hadoop = HadoopConf::of(&conf, input.files)?;
    let kerberos = Kerberos::of(&conf, input.files)?;
    kerberos.rewrite(&mut conf);
    let conf = &conf;
    let logs =
        logging::files(input.spec.log_configuration.as_ref(), &input.files.logs, options::conf_dir(conf));
    let version = input.spec.flink_version.ok_or(ConfError::Missing { field: "spec.flinkVersion" })?;
    let conf_file = flink_conf::cluster_side::config_file(conf, version)?;
    let mounted: Vec<&str> = logs.iter().map(|(name, _)| *name).chain([conf_file.name]).collect();

    let mut pod = FlinkPod::from_template(job_manager_template(input)?.unwrap_or_default());
    let labels = job_manager_labels(conf, cluster_id)?;
    job_manager_pod::init(&mut pod, conf, &labels, resources, &default_image(version))?;
    job_manager_pod::add_env_secrets(&mut pod, conf)?;
    job_manager_pod::add_mounted_secrets(&mut pod, conf)?;
    job_manager_pod::add_command(&mut pod, conf, kind.script_argument());
    if let Some(hadoop) = &hadoop {
        hadoop.add_to(&mut pod, cluster_id)?;
    }
    kerberos.add_to(&mut pod, cluster_id)?;
    job_manager_pod::add_conf_volume(&mut pod, conf, cluster_id, &mounted)?;
    if task_manager_template.is_some() {
        job_manager_pod::add_pod_template_volume(&mut pod, cluster_id)?;
    }

    let mut dependents = services(conf, identity)?;
    let labels_of_all = names::native_labels(cluster_id);
    let own_hadoop = hadoop.and_then(|hadoop| hadoop.config_map(cluster_id, namespace, &labels_of_all));
    dependents.extend(own_hadoop.map(|object| untyped(&object)).transpose()?);
    dependents.extend(kerberos.secret(cluster_id, namespace).map(|object| untyped(&object)).transpose()?);
    dependents.extend(kerberos.config_map(cluster_id, namespace).map(|object| untyped(&object)).transpose()?);
    let data = cluster_conf::data(&logs, conf_file);
    dependents.push(config_map(names::config_map(cluster_id), identity, data)?);
    if let Some(template) = task_manager_template {
        let text = pod_template::render(&template);
        let data = BTreeMap::from([(names::TASK_MANAGER_TEMPLATE_FILE.to_owned(), text)]);
        dependents.push(config_map(names::pod_template_config_map(cluster_id), identity, data)?);
    }
    Ok(ClusterObjects { deployment: deployment(input, conf, &labels, pod)?, dependents })
}

fn deployment(
    input: &ClusterInput<'_>,
    conf: &FlinkConf,
    labels: &BTreeMap<String, String>,
    pod: FlinkPod,
) -> Result<DynamicObject, BuildError> {
    let identity = input.identity;
    let mut metadata = metadata(identity.name.clone(), &identity.namespace);
    let mut annotations = options::map(conf, kubernetes::JOB_MANAGER_ANNOTATIONS)?;
    annotations.insert(ATTEMPT_ANNOTATION.to_owned(), input.attempt.to_owned());
    metadata.annotations = Some(annotations);
    metadata.labels = Some(labels.clone());
    metadata.owner_references = Some(vec![owner::reference(identity, false)]);
    let spec = json!({
        "replicas": options::job_manager_replicas(conf)?,
        "selector": {"matchLabels": names::native_job_manager_selector(&identity.name)},
        "template": pod.into_template(),
    });
    let types = TypeMeta { api_version: "apps/v1".to_owned(), kind: "Deployment".to_owned() };
    Ok(DynamicObject { types: Some(types), metadata, data: json!({"spec": spec}) })
}

fn job_manager_labels(conf: &FlinkConf, cluster_id: &str) -> Result<BTreeMap<String, String>, BuildError> {
    let mut labels = options::map(conf, kubernetes::JOB_MANAGER_LABELS)?;
    // The selector wins, or the Deployment would not find its pods.
    labels.extend(names::native_job_manager_selector(cluster_id));
    Ok(labels)
}

fn job_manager_resources(conf: &FlinkConf) -> Result<ContainerResources, BuildError> {
    let memory = process_memory::job_manager(conf)?.process().mebibytes();
    Ok(ContainerResources {
        cpu: conf.double(kubernetes::JOB_MANAGER_CPU)?.unwrap_or(1.0),
        cpu_limit_factor: options::limit_factor(conf, kubernetes::JOB_MANAGER_CPU_LIMIT_FACTOR)?,
        memory_mebibytes: i32::try_from(memory).unwrap_or(i32::MAX),
        memory_limit_factor: options::limit_factor(conf, kubernetes::JOB_MANAGER_MEMORY_LIMIT_FACTOR)?,
    })
}

fn services(conf: &FlinkConf, identity: &ClusterIdentity) -> Result<Vec<DynamicObject>, BuildError> {
    let ports = Ports::read(conf)?;
    let service_owner = ServiceOwner {
        cluster_id: &identity.name,
        namespace: &identity.namespace,
        labels: names::native_labels(&identity.name),
        selector: names::native_job_manager_selector(&identity.name),
    };
    let mut services = Vec::new();
    if !options::is_ha(conf) {
        let annotations = options::map(conf, kubernetes::INTERNAL_SERVICE_ANNOTATIONS)?;
        services.push(untyped(&service_owner.internal(ports, annotations))?);
    }
    let exposed = conf.choice(kubernetes::REST_SERVICE_EXPOSED_TYPE)?.unwrap_or(ExposedType::ClusterIp);
    let annotations = options::map(conf, kubernetes::REST_SERVICE_ANNOTATIONS)?;
    services.push(untyped(&service_owner.rest(ports, exposed, annotations))?);
    Ok(services)
}

fn config_map(
    name: String,
    identity: &ClusterIdentity,
    data: BTreeMap<String, String>,
) -> Result<DynamicObject, BuildError> {
    let mut metadata = metadata(name, &identity.namespace);
    metadata.labels = Some(names::native_labels(&identity.name));
    untyped(&ConfigMap { metadata, data: Some(data), ..ConfigMap::default() })
}

fn job_manager_template(input: &ClusterInput<'_>) -> Result<Option<Map<String, Value>>, BuildError> {
    let job_manager = input.spec.job_manager.as_ref();
    let layers = Layers {
        common: input.spec.pod_template.as_ref(),
        component: job_manager.and_then(|it| it.pod_template.as_ref()),
        component_path: "spec.jobManager.podTemplate",
        resources: job_manager
            .map(|it| extra_resources(it.resource.as_ref(), it.resources.as_ref()))
            .unwrap_or_default(),
        arrays: array_merge(input.conf)?,
    };
    let mut template = layers.merged()?;
    // In the node's network the container has no port of the probe's name, and Flink takes any free port.
    if options::flag(input.conf, STARTUP_PROBE, true)? && !options::host_network(input.conf)? {
        pod_template::add_startup_probe(template.get_or_insert_with(Map::new));
    }
    Ok(template)
}

fn task_manager_template(input: &ClusterInput<'_>) -> Result<Option<Map<String, Value>>, BuildError> {
    let task_manager = input.spec.task_manager.as_ref();
    let layers = Layers {
        common: input.spec.pod_template.as_ref(),
        component: task_manager.and_then(|it| it.pod_template.as_ref()),
        component_path: "spec.taskManager.podTemplate",
        resources: task_manager
            .map(|it| extra_resources(it.resource.as_ref(), it.resources.as_ref()))
            .unwrap_or_default(),
        arrays: array_merge(input.conf)?,
    };
    layers.merged()
}

fn array_merge(conf: &FlinkConf) -> Result<ArrayMerge, BuildError> {
    let by_name = options::flag(conf, MERGE_BY_NAME, false)?;
    Ok(if by_name { ArrayMerge::ByName } else { ArrayMerge::ByPosition })
}

/// What a component asks for besides CPU and memory. `resources` hides `resource` entirely if it has any entry.
fn extra_resources(resource: Option<&Resource>, resources: Option<&ResourceRequirements>) -> ExtraResources {
    if let Some(resources) = resources.filter(|resources| resources.is_set()) {
        let extra = |quantities: Option<&BTreeMap<String, Value>>, text: &dyn Fn(&str) -> Option<String>| {
            let names = quantities.into_iter().flat_map(BTreeMap::keys);
            let names = names.filter(|name| !CONFIGURED_RESOURCES.contains(&name.as_str()));
            names.filter_map(|name| Some((name.clone(), text(name)?))).collect()
        };
        return ExtraResources {
            requests: extra(resources.requests.as_ref(), &|name| resources.request(name)),
            limits: extra(resources.limits.as_ref(), &|name| resources.limit(name)),
        };
    }
    let storage = resource.and_then(|resource| resource.ephemeral_storage.as_deref());
    let storage: Vec<_> = storage
        .filter(|storage| !storage.trim().is_empty())
        .map(|storage| ("ephemeral-storage".to_owned(), storage.to_owned()))
        .into_iter()
        .collect();
    ExtraResources { requests: storage.clone(), limits: storage }
}

/// The image of a cluster that names none, of the Flink version that it declares.
fn default_image(version: FlinkVersion) -> String {
    let (major, minor) = version.major_minor();
    format!("apache/flink:{major}.{minor}-scala_2.12")
}
