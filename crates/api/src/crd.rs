//! `CustomResourceDefinition`s, generated from the types of this crate.
//!
//! Schema style: `kubectl explain` shows our doc comments; the parts of a pod have no descriptions, so that
//! a definition fits into the annotation of `kubectl apply`; nothing is required and nothing has a
//! default, as in Apache's definitions, whose objects must stay valid.

use k8s_openapi::api::core::v1::Pod;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::{
    FlinkDeployment, FlinkDeploymentSpec, FlinkDeploymentStatus, FlinkSessionJob, FlinkSessionJobSpec,
    FlinkSessionJobStatus, FlinkStateSnapshot, FlinkStateSnapshotSpec, FlinkStateSnapshotStatus, GROUP,
    VERSION, pod_template::POD_PLACEHOLDER,
};

mod pod;

/// A `CustomResourceDefinition` as JSON, with the name of its file in `crds/`.
pub struct Definition {
    /// `<plural>.<group>-v1.yml`, the name that Apache's chart uses.
    pub file_name: String,
    /// The whole object.
    pub object: Value,
}

impl Definition {
    /// Text of the file: a line on where it comes from, then YAML.
    ///
    /// # Errors
    /// The object cannot be written as YAML.
    pub fn to_yaml(&self) -> Result<String, serde_saphyr::ser::Error> {
        let yaml = serde_saphyr::to_string(&self.object)?;
        Ok(format!(
            "# Generated from crates/api by `cargo run -p api --bin crds -- crds`. Do not edit.\n{yaml}"
        ))
    }
}

/// The definitions of all kinds.
#[must_use]
pub fn definitions() -> Vec<Definition> {
    let job_columns =
        [("Job Status", ".status.jobStatus.state"), ("Lifecycle State", ".status.lifecycleState")];
    vec![
        Kind {
            name: FlinkDeployment::KIND,
            plural: FlinkDeployment::PLURAL,
            short_name: "flinkdep",
            description: FlinkDeployment::DESCRIPTION,
            columns: &job_columns,
            scale: Some(json!({
                "specReplicasPath": ".spec.taskManager.replicas",
                "statusReplicasPath": ".status.taskManager.replicas",
                "labelSelectorPath": ".status.taskManager.labelSelector",
            })),
        }
        .definition(&schema_of::<FlinkDeploymentSpec>(), &schema_of::<FlinkDeploymentStatus>()),
        Kind {
            name: FlinkSessionJob::KIND,
            plural: FlinkSessionJob::PLURAL,
            short_name: "sessionjob",
            description: FlinkSessionJob::DESCRIPTION,
            columns: &job_columns,
            scale: None,
        }
        .definition(&schema_of::<FlinkSessionJobSpec>(), &schema_of::<FlinkSessionJobStatus>()),
        Kind {
            name: FlinkStateSnapshot::KIND,
            plural: FlinkStateSnapshot::PLURAL,
            short_name: "flinksnp",
            description: FlinkStateSnapshot::DESCRIPTION,
            columns: &[
                ("Path", ".status.path"),
                ("Result Timestamp", ".status.resultTimestamp"),
                ("Snapshot State", ".status.state"),
            ],
            scale: None,
        }
        .definition(&schema_of::<FlinkStateSnapshotSpec>(), &schema_of::<FlinkStateSnapshotStatus>()),
    ]
}

/// What a definition says of a kind beside the schemas of its spec and status.
struct Kind<'a> {
    name: &'a str,
    plural: &'a str,
    short_name: &'a str,
    description: &'a str,
    columns: &'a [(&'a str, &'a str)],
    scale: Option<Value>,
}

impl Kind<'_> {
    fn definition(self, spec: &Value, status: &Value) -> Definition {
        let columns = self
            .columns
            .iter()
            .map(|(name, path)| json!({ "name": name, "type": "string", "priority": 0, "jsonPath": path }));
        let mut subresources = json!({ "status": {} });
        if let Some(scale) = self.scale {
            subresources["scale"] = scale;
        }
        let object = json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": { "name": format!("{}.{GROUP}", self.plural) },
            "spec": {
                "group": GROUP,
                "names": {
                    "kind": self.name,
                    "plural": self.plural,
                    "singular": self.name.to_lowercase(),
                    "shortNames": [self.short_name],
                },
                "scope": "Namespaced",
                "versions": [{
                    "name": VERSION,
                    "served": true,
                    "storage": true,
                    "additionalPrinterColumns": columns.collect::<Vec<_>>(),
                    "subresources": subresources,
                    "schema": {
                        "openAPIV3Schema": {
                            "description": self.description,
                            "type": "object",
                            "properties": { "spec": spec, "status": status },
                        },
                    },
                }],
            },
        });
        Definition { file_name: format!("{}.{GROUP}-v1.yml", self.plural), object }
    }
}

/// Structural schema of a type.
fn schema_of<T: JsonSchema>() -> Value {
    structural(&raw_schema::<T>(), Origin::Ours)
}

/// Structural schema of a Pod without origin.
pub(crate) fn pod_schema() -> Value {
    let mut schema = structural(&raw_schema::<Pod>(), Origin::Kubernetes);
    pod::add_later_fields(&mut schema);
    schema
}

/// What schemars makes of a type, with everything in place.
fn raw_schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::openapi3().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// Whose types a schema is made from: ours are described and bounded, those of a pod are kept small.
#[derive(Clone, Copy, PartialEq)]
enum Origin {
    Ours,
    Kubernetes,
}

/// Brings a schema into the form of Apache's definitions: only what says which values there are. No
/// `required`, `default`, `nullable` or `format`; a 32-bit integer is bounded instead, because one that
/// does not fit cannot be decoded.
fn structural(schema: &Value, origin: Origin) -> Value {
    if schema.get(POD_PLACEHOLDER).is_some() {
        let mut pod = pod_schema();
        copy_description(schema, &mut pod, origin);
        return pod;
    }
    let mut result = json!({});
    copy_description(schema, &mut result, origin);
    if schema.get("x-kubernetes-int-or-string").is_some() {
        result["anyOf"] = json!([{ "type": "integer" }, { "type": "string" }]);
        result["x-kubernetes-int-or-string"] = true.into();
        return result;
    }
    if let Some(kind) = schema.get("type").map(not_null) {
        result["type"] = kind;
    }
    if schema.get("format").and_then(Value::as_str) == Some("int32") && origin == Origin::Ours {
        result["minimum"] = i32::MIN.into();
        result["maximum"] = i32::MAX.into();
    }
    if let Some(Value::Array(texts)) = schema.get("enum") {
        result["enum"] = texts.iter().filter(|text| !text.is_null()).cloned().collect();
    }
    if let Some(Value::Object(properties)) = schema.get("properties") {
        let mut sorted: Vec<_> = properties.iter().collect();
        sorted.sort_by_key(|(name, _)| *name);
        let structural = |(name, property): (&String, _)| (name.clone(), structural(property, origin));
        result["properties"] = sorted.into_iter().map(structural).collect::<Map<_, _>>().into();
    }
    for keyword in ["items", "additionalProperties"] {
        if let Some(inner @ Value::Object(_)) = schema.get(keyword) {
            result[keyword] = structural(inner, origin);
        }
    }
    if let Some(preserve) = schema.get("x-kubernetes-preserve-unknown-fields") {
        result["x-kubernetes-preserve-unknown-fields"] = preserve.clone();
    }
    result
}

fn copy_description(from: &Value, to: &mut Value, origin: Origin) {
    if let (Some(Value::String(text)), Origin::Ours) = (from.get("description"), origin) {
        // Line breaks of a doc comment are not meant; paragraphs are.
        let paragraphs = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " "));
        to["description"] = paragraphs.collect::<Vec<_>>().join("\n\n").into();
    }
}

/// The type without the `null` that stands for an optional field.
fn not_null(kind: &Value) -> Value {
    match kind {
        Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null").cloned().unwrap_or_default(),
        other => other.clone(),
    }
}
