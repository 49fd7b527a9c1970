//! Clusters to look at rules by.

use api::{FlinkDeploymentSpec, decode};
use flink_conf::{ClusterIdentity, FlinkConf, OperatorDefaults, effective};
use kube_core::DynamicObject;
use resources::{BuildError, ClusterInput, ClusterObjects, OperatorFiles};
use serde_json::{Value, json};

pub(crate) const JOB_ID: &str = "0123456789abcdef0123456789abcdef";

fn identity() -> ClusterIdentity {
    ClusterIdentity { name: "my-app".into(), namespace: "ns".into(), uid: "u".into(), generation: 3 }
}

/// A spec that is complete but for what a test adds.
fn spec(additions: &Value) -> FlinkDeploymentSpec {
    let mut spec = json!({
        "flinkVersion": "v1_20",
        "serviceAccount": "flink",
        "job": {"jarURI": "local:///job.jar", "parallelism": 1},
        "jobManager": {"resource": {"memory": "2048m"}},
        "taskManager": {"resource": {"memory": "2048m"}},
    });
    for (field, value) in additions.as_object().unwrap() {
        spec[field] = value.clone();
    }
    decode(spec).unwrap()
}

#[derive(Default)]
pub(crate) struct Attempt<'a> {
    pub(crate) restore_path: Option<&'a str>,
    pub(crate) files: OperatorFiles,
}

pub(crate) fn build_with(additions: &Value, attempt: &Attempt<'_>) -> Result<ClusterObjects, BuildError> {
    let (identity, spec) = (identity(), spec(additions));
    let conf = effective::deploy(&OperatorDefaults::new(FlinkConf::new()), &identity, &spec)?;
    ClusterObjects::of(&ClusterInput {
        identity: &identity,
        spec: &spec,
        conf: &conf,
        attempt: "attempt-1",
        job_id: Some(JOB_ID),
        restore_path: attempt.restore_path,
        files: &attempt.files,
    })
}

pub(crate) fn build(additions: &Value) -> Result<ClusterObjects, BuildError> {
    build_with(additions, &Attempt::default())
}

pub(crate) fn pod_of(deployment: &DynamicObject) -> &Value {
    &deployment.data["spec"]["template"]["spec"]
}

pub(crate) fn main_container_of(deployment: &DynamicObject) -> &Value {
    pod_of(deployment)["containers"].as_array().unwrap().last().unwrap()
}

pub(crate) fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|element| element["name"].as_str().unwrap()).collect()
}

pub(crate) fn dependent<'a>(cluster: &'a ClusterObjects, name: &str) -> Option<&'a DynamicObject> {
    cluster.dependents.iter().find(|object| object.metadata.name.as_deref() == Some(name))
}

pub(crate) fn data<'a>(cluster: &'a ClusterObjects, config_map: &str, file: &str) -> &'a str {
    dependent(cluster, config_map).unwrap().data["data"][file].as_str().unwrap()
}

pub(crate) fn option<'a>(cluster: &'a ClusterObjects, key: &str) -> Option<&'a str> {
    let lines = data(cluster, "flink-config-my-app", "flink-conf.yaml").lines();
    lines.filter_map(|line| line.split_once(": ")).find(|(name, _)| *name == key).map(|(_, value)| value)
}
