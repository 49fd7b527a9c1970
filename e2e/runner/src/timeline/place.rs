//! Where a recording is replayed: a namespace, and a directory on the node in place of the recorder's `/tmp/flink`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::{Value, json};

use crate::jar_server;
use crate::kubernetes::{Cluster, Kind, name};
use crate::scenarios::access;

/// Longest time for something to be removed.
const TO_REMOVE: Duration = Duration::from_mins(2);
/// Where the recorded resources mount the directory.
const MOUNTED: &str = "/flink-data/";
/// The recorder's web server.
const JAR_SERVER: &str = "http://<JAR_SERVER>";
/// The recorder's directory.
const RECORDED: &str = "/tmp/flink";

/// A namespace with a directory.
pub(crate) struct Place {
    pub(crate) cluster: Cluster,
    pub(crate) namespace: String,
    pub(crate) data: PathBuf,
}

impl Place {
    /// Makes both, after removing what an interrupted run may have left, and gives Flink its rights there.
    pub(crate) async fn open(cluster: &Cluster, namespace: &str, data: &Path) -> Result<Self> {
        let data = data.join(format!("{namespace}-{}", std::process::id()));
        let place = Self { cluster: cluster.clone(), namespace: namespace.to_owned(), data };
        place.remove().await?;
        fs::create_dir_all(&place.data)?;
        fs::set_permissions(&place.data, fs::Permissions::from_mode(0o777))?;
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        cluster.create(Kind::Namespace, "", object).await?;
        access::grant(namespace)?;
        Ok(place)
    }

    /// Removes both. That the operator does not let go of a resource is an error; it is removed all the same.
    pub(crate) async fn close(&self) -> Result<()> {
        let removed = self.remove().await;
        if removed.is_err() {
            let free = json!({"metadata": {"finalizers": null}});
            for kind in [Kind::FlinkSessionJob, Kind::FlinkDeployment] {
                for resource in self.cluster.list(kind, &self.namespace, "").await? {
                    self.cluster.patch(kind, &self.namespace, name(&resource), &free).await?;
                }
            }
            self.cluster.delete(Kind::Namespace, "", &self.namespace).await?;
        }
        let _ = fs::remove_dir_all(&self.data);
        removed
    }

    /// The resources first: while they go, the operator still needs the service account and its rights.
    async fn remove(&self) -> Result<()> {
        for kind in [Kind::FlinkSessionJob, Kind::FlinkDeployment] {
            for resource in self.cluster.list(kind, &self.namespace, "").await? {
                self.cluster.delete(kind, &self.namespace, name(&resource)).await?;
            }
        }
        until("the FlinkDeployments are gone", async || {
            Ok(self.cluster.list(Kind::FlinkDeployment, &self.namespace, "").await?.is_empty())
        })
        .await?;
        self.cluster.delete(Kind::Namespace, "", &self.namespace).await?;
        until("the namespace is gone", async || {
            Ok(self.cluster.get(Kind::Namespace, "", &self.namespace).await?.is_none())
        })
        .await
    }

    /// A recorded resource as it is created here: with this directory, and with the jar that the recorder's image had
    /// under the name of another example.
    pub(crate) fn adapt(&self, mut object: Value) -> Value {
        self.adapt_texts(&mut object);
        object
    }

    fn adapt_texts(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some(below) = text.strip_prefix(RECORDED) {
                    *text = format!("{}{below}", self.data.display());
                }
                if let Some(jar) = text.strip_prefix(JAR_SERVER) {
                    *text = format!("{}{jar}", jar_server::URL);
                }
                if let Some(folder) = text.strip_suffix("/StateMachineExample.jar") {
                    *text = format!("{folder}/TopSpeedWindowing.jar");
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.adapt_texts(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.adapt_texts(field)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Makes the file that a job reads, with lines such as TopSpeedWindowing understands: car, speed, distance, time.
    pub(crate) fn make_input(&self, path: &str) -> Result<()> {
        let Some(below) = path.strip_prefix(MOUNTED) else { return Ok(()) };
        let lines = (0..100)
            .map(|second| format!("({},{},{}.0,{})\n", second % 2, 50 + second, 14 * second, second * 1000));
        Ok(fs::write(self.data.join(below), lines.collect::<String>())?)
    }
}

/// The files that a job is told to read.
pub(crate) fn inputs(object: &Value) -> Vec<String> {
    let arguments = object.pointer("/spec/job/args").and_then(Value::as_array);
    let arguments: Vec<_> = arguments.into_iter().flatten().filter_map(Value::as_str).collect();
    arguments.windows(2).filter(|pair| pair[..1] == ["--input"]).map(|pair| pair[1..].concat()).collect()
}

async fn until(what: &str, there: impl AsyncFn() -> Result<bool>) -> Result<()> {
    let began = Instant::now();
    while !there().await? {
        if began.elapsed() > TO_REMOVE {
            bail!("not within {} s: {what}", TO_REMOVE.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    Ok(())
}
