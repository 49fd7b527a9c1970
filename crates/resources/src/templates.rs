//! The pod templates of a FlinkDeployment's components.
//!
//! Source: the Java operator's `FlinkConfigBuilder.applyPodTemplate`.

use std::collections::BTreeMap;

use api::{Resource, ResourceRequirements};
use flink_conf::FlinkConf;
use flink_conf::option::Key;
use serde_json::{Map, Value};

use crate::input::ClusterInput;
use crate::pod_template::{self, ArrayMerge, ExtraResources, Layers, StartupProbe};
use crate::{BuildError, options};

const MERGE_BY_NAME: Key = Key::new("kubernetes.operator.pod-template.merge-arrays-by-name");
const STARTUP_PROBE: Key = Key::new("kubernetes.operator.jm-deployment.startup.probe.enabled");
/// Names of resources that come from the configuration instead of the pod template.
const CONFIGURED_RESOURCES: [&str; 2] = ["cpu", "memory"];

/// The JobManager's template with the operator's startup probe.
pub(crate) fn job_manager(input: &ClusterInput<'_>) -> Result<Option<Map<String, Value>>, BuildError> {
    let component = input.spec.job_manager.as_ref().map(|it| Component {
        template: it.pod_template.as_ref(),
        resource: it.resource.as_ref(),
        resources: it.resources.as_ref(),
    });
    let mut template = merged(input, component, "spec.jobManager.podTemplate")?;
    // In the node's network the container has no port of the probe's name, and Flink takes any free port.
    if options::flag(input.conf, STARTUP_PROBE, true)? && !options::host_network(input.conf)? {
        let probe = startup_probe(input.conf)?;
        pod_template::add_startup_probe(template.get_or_insert_with(Map::new), probe);
    }
    Ok(template)
}

/// Flink redirects a plain request to `https`. The kubelet takes that for success if the redirect goes to another host,
/// and else follows it. With HA a JobManager goes by its pod's address, so that the redirect is followed; where it asks
/// for a certificate, which the kubelet has not got, only the port itself can be probed.
fn startup_probe(conf: &FlinkConf) -> Result<StartupProbe, BuildError> {
    let closed =
        flink_conf::rest_asks_for_certificates(conf)? && flink_conf::is_high_availability_active(conf);
    Ok(if closed { StartupProbe::OpenPort } else { StartupProbe::Answer })
}

/// The TaskManagers' template, if anything asks for one.
pub(crate) fn task_manager(input: &ClusterInput<'_>) -> Result<Option<Map<String, Value>>, BuildError> {
    let component = input.spec.task_manager.as_ref().map(|it| Component {
        template: it.pod_template.as_ref(),
        resource: it.resource.as_ref(),
        resources: it.resources.as_ref(),
    });
    merged(input, component, "spec.taskManager.podTemplate")
}

/// What a spec says of one component's pods.
#[derive(Default)]
struct Component<'a> {
    template: Option<&'a Value>,
    resource: Option<&'a Resource>,
    resources: Option<&'a ResourceRequirements>,
}

fn merged(
    input: &ClusterInput<'_>,
    component: Option<Component<'_>>,
    component_path: &'static str,
) -> Result<Option<Map<String, Value>>, BuildError> {
    let Component { template, resource, resources } = component.unwrap_or_default();
    let layers = Layers {
        common: input.spec.pod_template.as_ref(),
        component: template,
        component_path,
        resources: extra_resources(resource, resources),
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
