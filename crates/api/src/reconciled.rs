//! `lastReconciledSpec` and `lastStableSpec`: the spec as the Java operator writes it, byte for byte, because
//! "stable" is plain equality of the two texts and that operator may take over again.
//! Source: `SpecUtils.java`.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::{
    API_VERSION, DecodeError, FlinkDeploymentSpec, FlinkSessionJobSpec, JobState, decode, json_text,
    pod_template,
};

/// A spec that was brought to the cluster, with what was noted beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct ReconciledSpec<S> {
    /// The spec. `job.state` and `job.upgradeMode` are what was really done, not what the user wrote.
    pub spec: S,
    /// Absent only in texts of very old operators.
    pub metadata: Option<ReconciliationMetadata>,
}

/// What is noted beside a reconciled spec, `resource_metadata` in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReconciliationMetadata {
    /// `apiVersion` of the resource.
    pub api_version: Option<String>,
    /// Whether the resource has never been upgraded since it was first deployed.
    pub first_deployment: bool,
}

impl ReconciliationMetadata {
    /// Metadata of the current API version.
    #[must_use]
    pub fn new(first_deployment: bool) -> Self {
        Self { api_version: Some(API_VERSION.to_owned()), first_deployment }
    }
}

/// A spec that has a recorded form.
pub trait RecordedSpec: DeserializeOwned {
    /// The recorded form: every field in the order of the Java class (superclass first), defaults filled
    /// in, nulls written.
    fn recorded(&self) -> Value;
}

impl<S: RecordedSpec> ReconciledSpec<S> {
    /// A spec with metadata of the current API version.
    #[must_use]
    pub fn new(spec: S, first_deployment: bool) -> Self {
        Self { spec, metadata: Some(ReconciliationMetadata::new(first_deployment)) }
    }

    /// Reads a recorded text: of today's form, with further metadata (dropped), of the old flat form whose
    /// root is the spec itself, with unknown keys or without some.
    ///
    /// # Errors
    /// The text is no JSON object, or a field has a value that its type does not allow.
    pub fn decode(text: &str) -> Result<Self, DecodeError> {
        let mut root: Map<String, Value> = serde_json::from_str(text)
            .map_err(|error| DecodeError { path: ".".to_owned(), reason: error.to_string() })?;
        if !root.contains_key("spec") {
            return Ok(Self { spec: decode::decode(Value::Object(root))?, metadata: None });
        }
        let spec = decode_below("spec", root.remove("spec").unwrap_or_default())?;
        let metadata = root.remove("resource_metadata").and_then(|metadata| match metadata {
            Value::Object(metadata) => Some(ReconciliationMetadata {
                api_version: metadata.get("apiVersion").and_then(Value::as_str).map(str::to_owned),
                first_deployment: metadata.get("firstDeployment").and_then(Value::as_bool).unwrap_or(false),
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
        });
        Ok(Self { spec, metadata })
    }

    /// Writes the text. Metadata that is absent is written for the current API version, not the first
    /// deployment: without it the Java operator fails.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut metadata = Map::new();
        let current = ReconciliationMetadata::new(false);
        let from = self.metadata.as_ref().unwrap_or(&current);
        if let Some(api_version) = &from.api_version {
            metadata.insert("apiVersion".to_owned(), api_version.as_str().into());
        }
        metadata.insert("firstDeployment".to_owned(), from.first_deployment.into());
        json_text::write(&json!({ "spec": self.spec.recorded(), "resource_metadata": metadata }))
    }

    /// Writes the text, or gives back `previous` if that says the same in another form. "Stable" is equality of
    /// texts, so a text that was written by another version of the operator is kept as long as it is true.
    #[must_use]
    pub fn encode_keeping(&self, previous: &str) -> String {
        let encoded = self.encode();
        match Self::decode(previous) {
            Ok(read) if read.encode() == encoded => previous.to_owned(),
            Ok(_) | Err(_) => encoded,
        }
    }

    /// Whether this is the first deployment; false when the text does not say.
    #[must_use]
    pub fn first_deployment(&self) -> bool {
        self.metadata.as_ref().is_some_and(|metadata| metadata.first_deployment)
    }
}

fn decode_below<S: DeserializeOwned>(parent: &str, value: Value) -> Result<S, DecodeError> {
    decode::decode(value).map_err(|error| DecodeError {
        path: if error.path == "." { parent.to_owned() } else { format!("{parent}.{}", error.path) },
        reason: error.reason,
    })
}

/// `spec.job.state` of a recorded text, without decoding the rest; `running` if the job does not say.
/// `None` if there is no job or the text cannot be read.
pub(crate) fn recorded_job_state(text: &str) -> Option<JobState> {
    let root: Value = serde_json::from_str(text).ok()?;
    let job = root.get("spec").unwrap_or(&root).get("job")?.as_object()?;
    match job.get("state") {
        None | Some(Value::Null) => Some(JobState::Running),
        Some(state) => state.as_str()?.parse().ok(),
    }
}

impl RecordedSpec for FlinkDeploymentSpec {
    fn recorded(&self) -> Value {
        let mut spec = json_of(self);
        for_object(&mut spec, "job", complete_job);
        for_object(&mut spec, "ingress", complete_ingress);
        for_value(&mut spec, "podTemplate", pod_template::as_recorded);
        for_object(&mut spec, "jobManager", |component| complete_component(component, json!(1)));
        for_object(&mut spec, "taskManager", |component| complete_component(component, Value::Null));
        Value::Object(complete(
            spec,
            &[
                ("job", Value::Null),
                ("restartNonce", Value::Null),
                ("flinkConfiguration", json!({})),
                ("image", Value::Null),
                ("imagePullPolicy", Value::Null),
                ("serviceAccount", Value::Null),
                ("flinkVersion", Value::Null),
                ("ingress", Value::Null),
                ("podTemplate", Value::Null),
                ("jobManager", Value::Null),
                ("taskManager", Value::Null),
                ("logConfiguration", Value::Null),
                ("mode", Value::Null),
            ],
        ))
    }
}

impl RecordedSpec for FlinkSessionJobSpec {
    fn recorded(&self) -> Value {
        let mut spec = json_of(self);
        for_object(&mut spec, "job", complete_job);
        Value::Object(complete(
            spec,
            &[
                ("job", Value::Null),
                ("restartNonce", Value::Null),
                ("flinkConfiguration", json!({})),
                ("deploymentName", Value::Null),
            ],
        ))
    }
}

fn json_of(spec: &impl serde::Serialize) -> Map<String, Value> {
    match serde_json::to_value(spec) {
        Ok(Value::Object(object)) => object,
        // A spec is a struct with text keys: there is no other outcome.
        Ok(_) | Err(_) => Map::new(),
    }
}

/// The object's values in the order of `keys`, with the default where there is none.
fn complete(mut object: Map<String, Value>, keys: &[(&str, Value)]) -> Map<String, Value> {
    keys.iter()
        .map(|(key, default)| ((*key).to_owned(), object.remove(*key).unwrap_or_else(|| default.clone())))
        .collect()
}

/// Rewrites the value of `key`, if there is one.
fn for_value(object: &mut Map<String, Value>, key: &str, rewrite: impl FnOnce(Value) -> Value) {
    if let Some(value) = object.get_mut(key) {
        *value = rewrite(value.take());
    }
}

/// Rewrites the object at `key`, if there is one.
fn for_object(
    object: &mut Map<String, Value>,
    key: &str,
    rewrite: impl FnOnce(Map<String, Value>) -> Map<String, Value>,
) {
    for_value(object, key, |value| match value {
        Value::Object(inner) => Value::Object(rewrite(inner)),
        other => other,
    });
}

fn complete_job(job: Map<String, Value>) -> Map<String, Value> {
    complete(
        job,
        &[
            ("jarURI", Value::Null),
            ("parallelism", json!(0)),
            ("entryClass", Value::Null),
            ("args", json!([])),
            ("state", json!("running")),
            ("savepointTriggerNonce", Value::Null),
            ("initialSavepointPath", Value::Null),
            ("checkpointTriggerNonce", Value::Null),
            ("upgradeMode", json!("stateless")),
            ("allowNonRestoredState", Value::Null),
            ("savepointRedeployNonce", Value::Null),
            ("autoscalerResetNonce", Value::Null),
        ],
    )
}

fn complete_ingress(mut ingress: Map<String, Value>) -> Map<String, Value> {
    for_value(&mut ingress, "tls", |tls| match tls {
        // Blocks keep their own form (no nulls), but the list itself is written even when empty.
        Value::Array(blocks) => blocks.into_iter().map(pod_template::as_model).collect(),
        other => other,
    });
    complete(
        ingress,
        &[
            ("template", Value::Null),
            ("className", Value::Null),
            ("annotations", Value::Null),
            ("labels", Value::Null),
            ("tls", Value::Null),
        ],
    )
}

fn complete_component(mut component: Map<String, Value>, replicas: Value) -> Map<String, Value> {
    for_object(&mut component, "resource", |resource| {
        complete(
            resource,
            &[("cpu", Value::Null), ("memory", Value::Null), ("ephemeralStorage", Value::Null)],
        )
    });
    for_value(&mut component, "resources", pod_template::as_model);
    for_value(&mut component, "podTemplate", pod_template::as_recorded);
    complete(
        component,
        &[
            ("resource", Value::Null),
            ("resources", Value::Null),
            ("replicas", replicas),
            ("podTemplate", Value::Null),
        ],
    )
}
