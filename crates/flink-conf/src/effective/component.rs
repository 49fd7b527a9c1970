//! `spec.jobManager` and `spec.taskManager`: resources and replicas.

use api::{FlinkDeploymentSpec, FlinkVersion, KubernetesDeploymentMode, Resource, ResourceRequirements};

use super::job;
use crate::conf::FlinkConf;
use crate::error::ConfError;
use crate::java_text;
use crate::memory_size::{self, MemorySize};
use crate::option::{Key, internal, kubernetes};
use crate::quantity::Quantity;
use crate::slots::{task_managers_for, task_slots};

/// Options that hold the resources of one component.
struct Component {
    field: &'static str,
    process_size: &'static str,
    cpu: Key,
    cpu_limit_factor: Key,
    memory_limit_factor: Key,
}

const JOB_MANAGER: Component = Component {
    field: "spec.jobManager",
    process_size: "jobmanager.memory.process.size",
    cpu: kubernetes::JOB_MANAGER_CPU,
    cpu_limit_factor: kubernetes::JOB_MANAGER_CPU_LIMIT_FACTOR,
    memory_limit_factor: kubernetes::JOB_MANAGER_MEMORY_LIMIT_FACTOR,
};

const TASK_MANAGER: Component = Component {
    field: "spec.taskManager",
    process_size: "taskmanager.memory.process.size",
    cpu: kubernetes::TASK_MANAGER_CPU,
    cpu_limit_factor: kubernetes::TASK_MANAGER_CPU_LIMIT_FACTOR,
    memory_limit_factor: kubernetes::TASK_MANAGER_MEMORY_LIMIT_FACTOR,
};

const QUANTITY: &str = "a Kubernetes quantity";

pub(super) fn apply_job_manager(
    conf: &mut FlinkConf,
    version: FlinkVersion,
    spec: &FlinkDeploymentSpec,
) -> Result<(), ConfError> {
    let Some(job_manager) = &spec.job_manager else { return Ok(()) };
    let (new, old) = (job_manager.resources.as_ref(), job_manager.resource.as_ref());
    JOB_MANAGER.apply(conf, version, new, old)?;
    let replicas = job_manager.replicas_or_default();
    if replicas > 0 {
        conf.set(kubernetes::JOB_MANAGER_REPLICAS.name, replicas.to_string());
    }
    Ok(())
}

pub(super) fn apply_task_manager(
    conf: &mut FlinkConf,
    version: FlinkVersion,
    spec: &FlinkDeploymentSpec,
) -> Result<(), ConfError> {
    let key = internal::TASK_MANAGER_REPLICAS;
    if let Some(task_manager) = &spec.task_manager {
        let (new, old) = (task_manager.resources.as_ref(), task_manager.resource.as_ref());
        TASK_MANAGER.apply(conf, version, new, old)?;
        // A session cluster may be without.
        if let Some(replicas) = task_manager.replicas.filter(|replicas| *replicas >= 0) {
            conf.set(key.name, replicas.to_string());
        }
    }
    let standalone = spec.mode_or_default() == KubernetesDeploymentMode::Standalone;
    if let Some(job) = spec.job.as_ref().filter(|_| standalone && !conf.contains(key)) {
        let parallelism = job::parallelism(conf, spec, job)?;
        let replicas = task_managers_for(parallelism, task_slots(conf)?);
        conf.set(key.name, replicas.to_string());
    }
    Ok(())
}

impl Component {
    /// Requests and limits in Kubernetes' form hide the deprecated form as soon as there are any.
    fn apply(
        &self,
        conf: &mut FlinkConf,
        version: FlinkVersion,
        requirements: Option<&ResourceRequirements>,
        resource: Option<&Resource>,
    ) -> Result<(), ConfError> {
        match (requirements.filter(|requirements| requirements.is_set()), resource) {
            (Some(requirements), _) => self.apply_requirements(conf, requirements),
            (None, Some(resource)) => self.apply_resource(conf, version, resource),
            (None, None) => Ok(()),
        }
    }

    fn apply_requirements(
        &self,
        conf: &mut FlinkConf,
        requirements: &ResourceRequirements,
    ) -> Result<(), ConfError> {
        if let Some((field, text)) = self.request_or_limit(requirements, "memory") {
            conf.set(self.process_size, memory(&field, &text)?);
        }
        if let Some((field, text)) = self.request_or_limit(requirements, "cpu") {
            conf.set(self.cpu.name, java_text::double(quantity(&field, &text)?.to_f64()));
        }
        self.apply_factor(conf, requirements, "cpu", self.cpu_limit_factor)?;
        self.apply_factor(conf, requirements, "memory", self.memory_limit_factor)
    }

    fn request_or_limit(&self, requirements: &ResourceRequirements, name: &str) -> Option<(String, String)> {
        let request = requirements.request(name).map(|text| (self.resource_field("requests", name), text));
        request.or_else(|| requirements.limit(name).map(|text| (self.resource_field("limits", name), text)))
    }

    fn resource_field(&self, section: &str, name: &str) -> String {
        format!("{}.resources.{section}.{name}", self.field)
    }

    /// Limit divided by request. Both are read as Kubernetes quantities, also where the size itself is
    /// read as Flink's: `2048m` over `4Gi` gives an absurd factor in the Java operator too.
    fn apply_factor(
        &self,
        conf: &mut FlinkConf,
        requirements: &ResourceRequirements,
        name: &str,
        key: Key,
    ) -> Result<(), ConfError> {
        let (Some(request), Some(limit)) = (requirements.request(name), requirements.limit(name)) else {
            return Ok(());
        };
        let request = quantity(&self.resource_field("requests", name), &request)?;
        let limit = quantity(&self.resource_field("limits", name), &limit)?;
        if request.is_positive() {
            conf.set(key.name, java_text::double(limit.to_f64() / request.to_f64()));
        }
        Ok(())
    }

    fn apply_resource(
        &self,
        conf: &mut FlinkConf,
        version: FlinkVersion,
        resource: &Resource,
    ) -> Result<(), ConfError> {
        if let Some(text) = resource.memory.as_deref().filter(|text| !text.trim().is_empty()) {
            conf.set(self.process_size, memory(&format!("{}.resource.memory", self.field), text)?);
        }
        if let Some(cpu) = resource.cpu {
            let cpu = java_text::double(cpu);
            if version < FlinkVersion::V1_17 {
                for deprecated in self.cpu.fallbacks {
                    conf.set(*deprecated, &cpu);
                }
            }
            conf.set(self.cpu.name, cpu);
        }
        Ok(())
    }
}

fn memory(field: &str, text: &str) -> Result<String, ConfError> {
    let parsed = MemorySize::parse_field(text);
    parsed
        .map(|memory| memory.written)
        .ok_or_else(|| ConfError::field(field, text, memory_size::FIELD_ACCEPTED))
}

fn quantity(field: &str, text: &str) -> Result<Quantity, ConfError> {
    Quantity::parse(text).ok_or_else(|| ConfError::field(field, text, QUANTITY))
}
