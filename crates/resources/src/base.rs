//! What native and standalone clusters have in common: the completed configuration, the JobManager, its Services, and
//! the ConfigMap and Secrets that pods mount.
//!
//! Source: Flink 1.20, `KubernetesJobManagerFactory`; the Java operator's `StandaloneKubernetesJobManagerFactory` and
//! `StandaloneKubernetesTaskManagerFactory`, which run the same decorators in the same order.

use std::collections::BTreeMap;

use api::{FlinkVersion, KubernetesDeploymentMode};
use flink_conf::cluster_side::{self, ConfigFile};
use flink_conf::option::kubernetes;
use flink_conf::{ConfError, FlinkConf, process_memory};
use k8s_openapi::api::core::v1::ConfigMap;
use kube_core::{DynamicObject, TypeMeta};
use serde_json::json;

use crate::cluster::ATTEMPT_ANNOTATION;
use crate::component::{Component, JOB_MANAGER};
use crate::container_resources::ContainerResources;
use crate::hadoop::HadoopConf;
use crate::input::{ClusterInput, ClusterKind};
use crate::kerberos::Kerberos;
use crate::object::{metadata, untyped};
use crate::options::{ExposedType, Ports};
use crate::pod::FlinkPod;
use crate::services::ServiceOwner;
use crate::{
    BuildError, cluster_conf, decorators, job_manager_pod, logging, names, options, owner, templates,
};

/// What the objects of one cluster are built from.
pub(crate) struct Base<'a> {
    pub(crate) input: &'a ClusterInput<'a>,
    /// The configuration as the cluster gets it.
    pub(crate) conf: FlinkConf,
    /// The image of pods that nothing names one for.
    pub(crate) default_image: String,
    /// Total process memory of a TaskManager.
    pub(crate) task_manager_mebibytes: i32,
    mode: KubernetesDeploymentMode,
    job_manager_resources: ContainerResources,
    hadoop: Option<HadoopConf>,
    kerberos: Kerberos,
    logs: Vec<(&'static str, &'a str)>,
    conf_file: ConfigFile,
}

impl<'a> Base<'a> {
    pub(crate) fn new(input: &'a ClusterInput<'a>) -> Result<Self, BuildError> {
        let mode = input.spec.mode_or_default();
        let mut conf = cluster_conf::complete(input, mode, ClusterKind::of(input.spec))?;
        let memory = process_memory::job_manager(&conf)?.process().mebibytes();
        let cpu = conf.double(kubernetes::JOB_MANAGER_CPU)?.unwrap_or(1.0);
        let job_manager_resources = JOB_MANAGER.resources(&conf, cpu, saturated(memory))?;
        // Also in native mode, where TaskManagers are made by Flink: it would fail much later and far away from the user.
        let task_manager_mebibytes = saturated(process_memory::task_manager(&conf)?.process().mebibytes());
        let hadoop = HadoopConf::of(&conf, input.files)?;
        let kerberos = Kerberos::of(&conf, input.files)?;
        kerberos.rewrite(&mut conf);
        let logs = input.spec.log_configuration.as_ref();
        let logs = logging::files(logs, &input.files.logs, options::conf_dir(&conf));
        let version = input.spec.flink_version.ok_or(ConfError::Missing { field: "spec.flinkVersion" })?;
        let conf_file = cluster_side::config_file(&conf, version)?;
        Ok(Self {
            input,
            conf,
            default_image: default_image(version),
            task_manager_mebibytes,
            mode,
            job_manager_resources,
            hadoop,
            kerberos,
            logs,
            conf_file,
        })
    }

    /// The JobManager's pod, but for its command.
    pub(crate) fn job_manager_pod(&self) -> Result<FlinkPod, BuildError> {
        let template = templates::job_manager(self.input)?.unwrap_or_default();
        let mut pod = FlinkPod::from_template(template);
        let labels = self.labels(&JOB_MANAGER)?;
        let image = &self.default_image;
        job_manager_pod::init(&mut pod, &self.conf, &labels, self.job_manager_resources, image)?;
        self.add_secrets_and_files(&mut pod)?;
        Ok(pod)
    }

    /// What every pod of the operator's making mounts.
    pub(crate) fn add_secrets_and_files(&self, pod: &mut FlinkPod) -> Result<(), BuildError> {
        decorators::add_env_secrets(pod, &self.conf)?;
        decorators::add_mounted_secrets(pod, &self.conf)?;
        let cluster_id = self.cluster_id();
        if let Some(hadoop) = &self.hadoop {
            hadoop.add_to(pod, cluster_id)?;
        }
        self.kerberos.add_to(pod, cluster_id)?;
        let files = self.logs.iter().map(|(name, _)| *name);
        let files: Vec<&str> = files.chain([self.conf_file.name]).collect();
        decorators::add_conf_volume(pod, &self.conf, cluster_id, &files)
    }

    /// Labels of a component's Deployment and pods.
    pub(crate) fn labels(&self, component: &Component) -> Result<BTreeMap<String, String>, BuildError> {
        component.labels(&self.conf, &self.selector(component))
    }

    fn selector(&self, component: &Component) -> BTreeMap<String, String> {
        names::selector(self.mode, component.label, self.cluster_id())
    }

    /// The Deployment that runs the JobManagers.
    pub(crate) fn job_manager_deployment(&self, pod: FlinkPod) -> Result<DynamicObject, BuildError> {
        let replicas = options::job_manager_replicas(&self.conf)?;
        self.deployment(&JOB_MANAGER, self.cluster_id().to_owned(), replicas, pod)
    }

    /// A Deployment that belongs to the FlinkDeployment and is marked with the attempt.
    pub(crate) fn deployment(
        &self,
        component: &Component,
        name: String,
        replicas: i32,
        pod: FlinkPod,
    ) -> Result<DynamicObject, BuildError> {
        let identity = self.input.identity;
        let mut metadata = metadata(name, &identity.namespace);
        let mut annotations = component.annotations(&self.conf)?;
        annotations.insert(ATTEMPT_ANNOTATION.to_owned(), self.input.attempt.to_owned());
        metadata.annotations = Some(annotations);
        metadata.labels = Some(self.labels(component)?);
        metadata.owner_references = Some(vec![owner::reference(identity, false)]);
        let spec = json!({
            "replicas": replicas,
            "selector": {"matchLabels": self.selector(component)},
            "template": pod.into_template(),
        });
        let types = TypeMeta { api_version: "apps/v1".to_owned(), kind: "Deployment".to_owned() };
        Ok(DynamicObject { types: Some(types), metadata, data: json!({"spec": spec}) })
    }

    /// Services, ConfigMaps and Secrets, in the order in which they are sent.
    pub(crate) fn dependents(&self) -> Result<Vec<DynamicObject>, BuildError> {
        let (cluster_id, namespace) = (self.cluster_id(), self.input.identity.namespace.as_str());
        let labels = names::labels(self.mode, cluster_id);
        let hadoop = self.hadoop.as_ref().and_then(|it| it.config_map(cluster_id, namespace, &labels));
        let kerberos = &self.kerberos;
        let mut dependents = self.services()?;
        dependents.extend(hadoop.map(|object| untyped(&object)).transpose()?);
        dependents.extend(kerberos.secret(cluster_id, namespace).map(|object| untyped(&object)).transpose()?);
        dependents
            .extend(kerberos.config_map(cluster_id, namespace).map(|object| untyped(&object)).transpose()?);
        let data = cluster_conf::data(&self.logs, &self.conf_file);
        dependents.push(self.config_map(names::config_map(cluster_id), data)?);
        Ok(dependents)
    }

    fn services(&self) -> Result<Vec<DynamicObject>, BuildError> {
        let conf = &self.conf;
        let ports = Ports::read(conf)?;
        let service_owner = ServiceOwner {
            cluster_id: self.cluster_id(),
            namespace: &self.input.identity.namespace,
            labels: names::labels(self.mode, self.cluster_id()),
            selector: self.selector(&JOB_MANAGER),
        };
        let mut services = Vec::new();
        if has_internal_service(conf, self.mode) {
            let annotations = options::map(conf, kubernetes::INTERNAL_SERVICE_ANNOTATIONS)?;
            services.push(untyped(&service_owner.internal(ports, annotations))?);
        }
        let exposed = conf.choice(kubernetes::REST_SERVICE_EXPOSED_TYPE)?.unwrap_or(ExposedType::ClusterIp);
        let annotations = options::map(conf, kubernetes::REST_SERVICE_ANNOTATIONS)?;
        services.push(untyped(&service_owner.rest(ports, exposed, annotations))?);
        Ok(services)
    }

    /// A ConfigMap of the cluster.
    pub(crate) fn config_map(
        &self,
        name: String,
        data: BTreeMap<String, String>,
    ) -> Result<DynamicObject, BuildError> {
        let mut metadata = metadata(name, &self.input.identity.namespace);
        metadata.labels = Some(names::labels(self.mode, self.cluster_id()));
        untyped(&ConfigMap { metadata, data: Some(data), ..ConfigMap::default() })
    }

    /// The FlinkDeployment's name.
    pub(crate) fn cluster_id(&self) -> &'a str {
        &self.input.identity.name
    }
}

/// Whether there is a Service by which others find the JobManager. With high availability the leader election tells its
/// address, and native clusters need none; standalone ones always have it.
pub(crate) fn has_internal_service(conf: &FlinkConf, mode: KubernetesDeploymentMode) -> bool {
    mode == KubernetesDeploymentMode::Standalone || !options::is_ha(conf)
}

/// The image of a cluster that names none, of the Flink version that it declares.
fn default_image(version: FlinkVersion) -> String {
    let (major, minor) = version.major_minor();
    format!("apache/flink:{major}.{minor}-scala_2.12")
}

fn saturated(mebibytes: u64) -> i32 {
    i32::try_from(mebibytes).unwrap_or(i32::MAX)
}
