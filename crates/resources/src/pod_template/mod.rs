//! From the pod templates of a FlinkDeployment to the one that its JobManager or TaskManagers are made of.
//!
//! Templates stay JSON until the very end: users write quantities as numbers, leave out `containers`, and use fields
//! that Kubernetes gained after this operator was compiled. Source of the rules: the Java operator's
//! `FlinkConfigBuilder.applyPodTemplate` and `FlinkUtils`.

mod merge;
#[cfg(test)]
mod merge_tests;
mod normal;
mod text;

pub use merge::{ArrayMerge, merge};
pub use text::render;

use serde_json::{Map, Value, json};

use crate::{BuildError, names};

/// Resources of the main container besides CPU and memory (which come from the configuration), as pairs of resource
/// name and quantity: ephemeral storage, GPUs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtraResources {
    /// Go to `resources.requests`.
    pub requests: Vec<(String, String)>,
    /// Go to `resources.limits`.
    pub limits: Vec<(String, String)>,
}

/// Where a template comes from: the common one, the one of the component laid over it, and extra resources.
#[derive(Clone, Debug)]
pub struct Layers<'a> {
    /// `spec.podTemplate`.
    pub common: Option<&'a Value>,
    /// `spec.jobManager.podTemplate` or `spec.taskManager.podTemplate`.
    pub component: Option<&'a Value>,
    /// Path of the component's template, for messages.
    pub component_path: &'static str,
    /// Written over what the templates say.
    pub resources: ExtraResources,
    /// What to do with lists.
    pub arrays: ArrayMerge,
}

impl Layers<'_> {
    /// The merged template as a JSON object, or `None` if nothing asks for one.
    ///
    /// # Errors
    /// A template that is no PodTemplateSpec.
    pub fn merged(&self) -> Result<Option<Map<String, Value>>, BuildError> {
        let common = self.common.map(|template| normal::form(template, "spec.podTemplate")).transpose()?;
        let component =
            self.component.map(|template| normal::form(template, self.component_path)).transpose()?;
        let mut template = match merge(common, component, self.arrays) {
            Some(Value::Object(template)) => Some(template),
            _ => None,
        };
        self.add_resources(&mut template);
        Ok(template)
    }

    fn add_resources(&self, template: &mut Option<Map<String, Value>>) {
        let ExtraResources { requests, limits } = &self.resources;
        for (kind, quantities) in [("limits", limits), ("requests", requests)] {
            if quantities.is_empty() {
                continue;
            }
            let container = main_container(template.get_or_insert_with(Map::new));
            let resources = object_field(container, "resources");
            let quantities_there = object_field(resources, kind);
            for (name, quantity) in quantities {
                quantities_there.insert(name.clone(), Value::String(quantity.clone()));
            }
        }
    }
}

/// What a JobManager has to do to pass its startup probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartupProbe {
    /// Answer a request to its REST API, as with the Java operator.
    Answer,
    /// Listen on the REST API's port.
    OpenPort,
}

/// Adds the startup probe that keeps a JobManager from being ready before its REST API answers, unless the template
/// has one already. Option `kubernetes.operator.jm-deployment.startup.probe.enabled`, on by default.
///
/// It never fails the container: a JobManager may take any time to start.
pub fn add_startup_probe(template: &mut Map<String, Value>, probe: StartupProbe) {
    let container = main_container(template);
    if container.contains_key("startupProbe") {
        return;
    }
    let probe = match probe {
        StartupProbe::Answer => json!({
            "failureThreshold": i32::MAX,
            "httpGet": {"path": "/config", "port": names::PORT_REST},
            "periodSeconds": 1,
        }),
        StartupProbe::OpenPort => json!({
            "failureThreshold": i32::MAX,
            "periodSeconds": 1,
            "tcpSocket": {"port": names::PORT_REST},
        }),
    };
    container.insert("startupProbe".to_owned(), probe);
}

/// The main container of a template; it is appended if the template does not speak of it.
fn main_container(template: &mut Map<String, Value>) -> &mut Map<String, Value> {
    let containers = array_field(object_field(template, "spec"), "containers");
    let is_main =
        |container: &Value| container.get("name").and_then(Value::as_str) == Some(names::MAIN_CONTAINER);
    let position = containers.iter().position(is_main).unwrap_or(containers.len());
    if position == containers.len() {
        containers.push(json!({"name": names::MAIN_CONTAINER}));
    }
    as_object(&mut containers[position])
}

/// The object in a field, which is made (or replaces what is no object there) if needed.
pub(crate) fn object_field<'a>(
    object: &'a mut Map<String, Value>,
    field: &str,
) -> &'a mut Map<String, Value> {
    as_object(object.entry(field).or_insert_with(|| Value::Object(Map::new())))
}

/// The list in a field, which is made (or replaces what is no list there) if needed.
pub(crate) fn array_field<'a>(object: &'a mut Map<String, Value>, field: &str) -> &'a mut Vec<Value> {
    let value = object.entry(field).or_insert_with(|| Value::Array(Vec::new()));
    loop {
        match *value {
            Value::Array(ref mut array) => return array,
            ref mut other => *other = Value::Array(Vec::new()),
        }
    }
}

fn as_object(value: &mut Value) -> &mut Map<String, Value> {
    loop {
        match *value {
            Value::Object(ref mut object) => return object,
            ref mut other => *other = Value::Object(Map::new()),
        }
    }
}
