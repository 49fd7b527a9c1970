//! The FlinkDeployments of the scenarios.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::space::Space;

/// A Flink version that there is a test image of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flink {
    V1_20,
    V2_2,
}

impl Flink {
    fn image(self) -> &'static str {
        match self {
            Self::V1_20 => "flink:1.20",
            Self::V2_2 => "flink:2.2",
        }
    }

    fn version(self) -> &'static str {
        match self {
            Self::V1_20 => "v1_20",
            Self::V2_2 => "v2_2",
        }
    }

    /// How the version begins that Flink itself reports.
    pub(crate) fn reported(self) -> &'static str {
        match self {
            Self::V1_20 => "1.20.",
            Self::V2_2 => "2.2.",
        }
    }
}

/// An application cluster with the counting job, which writes its ledger `NAME.jsonl` to the scenario's directory.
pub(crate) fn application(space: &Space, name: &str, flink: Flink) -> Value {
    let mut deployment = session(name, flink);
    let spec = &mut deployment["spec"];
    let arguments = ["--ledger", "/ledger", "--name", name, "--rate", "100", "--checkpoint-interval", "1000"];
    spec["job"] = json!({
        "jarURI": "local:///opt/flink/usrlib/counting-job.jar",
        "args": arguments,
        "parallelism": 1,
        "upgradeMode": "stateless",
    });
    spec["podTemplate"] = json!({"spec": {
        "containers": [{
            "name": "flink-main-container",
            "volumeMounts": [{"name": "ledger", "mountPath": "/ledger"}],
        }],
        "volumes": [{"name": "ledger", "hostPath": {"path": space.data}}],
    }});
    deployment
}

/// A session cluster. It asks for little and may use more: JVMs start slowly when they are held back.
pub(crate) fn session(name: &str, flink: Flink) -> Value {
    let (mut configuration, process) = match flink {
        // The older form of resources, whose limits follow from factors.
        Flink::V1_20 => (
            json!({
                "kubernetes.jobmanager.cpu.limit-factor": "5.0",
                "kubernetes.taskmanager.cpu.limit-factor": "5.0",
            }),
            json!({"resource": {"cpu": 0.2, "memory": "1024m"}}),
        ),
        Flink::V2_2 => (
            json!({}),
            json!({"resources": {"requests": {"cpu": "200m", "memory": "1Gi"}, "limits": {"cpu": "1"}}}),
        ),
    };
    configuration["taskmanager.numberOfTaskSlots"] = "2".into();
    json!({
        "apiVersion": "flink.apache.org/v1beta1",
        "kind": "FlinkDeployment",
        "metadata": {"name": name},
        "spec": {
            "image": flink.image(),
            "imagePullPolicy": "IfNotPresent",
            "flinkVersion": flink.version(),
            "serviceAccount": "flink",
            "flinkConfiguration": configuration,
            "jobManager": process,
            "taskManager": process,
        },
    })
}

/// The application of `examples/basic.yaml` under another name.
pub(crate) fn basic_example(name: &str) -> Result<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/basic.yaml");
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let mut deployment: Value = serde_saphyr::from_str(&text)?;
    deployment["metadata"]["name"] = name.into();
    Ok(deployment)
}
