//! Standalone clusters: JobManagers and TaskManagers are Deployments of the operator's, and Flink asks Kubernetes for
//! nothing (but for the ConfigMaps of its high availability).
//!
//! Source: the Java operator, `KubernetesStandaloneClusterDescriptor`, `StandaloneKubernetesJobManagerFactory`,
//! `StandaloneKubernetesTaskManagerFactory`.

mod arguments;
mod task_managers;
mod user_lib;

use crate::base::Base;
use crate::cluster::ClusterObjects;
use crate::input::ClusterInput;
use crate::pod::FlinkPod;
use crate::{BuildError, decorators};

pub(crate) use user_lib::leave_to_flink;

/// The objects of a standalone cluster.
pub(crate) fn objects(input: &ClusterInput<'_>) -> Result<ClusterObjects, BuildError> {
    let base = Base::new(input)?;
    let mut pod = base.job_manager_pod()?;
    add_job_manager_command(&mut pod, &base)?;
    let task_managers = task_managers::deployment(&base)?;
    Ok(ClusterObjects {
        deployment: base.job_manager_deployment(pod)?,
        task_managers: Some(task_managers),
        dependents: base.dependents()?,
    })
}

/// An application starts with its job's arguments. A session cluster's arguments follow those of the pod template, if
/// there are any: a wrapper script may stand before them.
fn add_job_manager_command(pod: &mut FlinkPod, base: &Base<'_>) -> Result<(), BuildError> {
    let conf = &base.conf;
    if let Some(job) = &base.input.spec.job {
        decorators::set_command(pod, conf, &arguments::application(conf, job)?);
        user_lib::add_to(pod, conf)
    } else {
        decorators::set_entry_point(pod, conf);
        pod.append_main("args", arguments::session(conf))
    }
}
