//! Where a scenario lives: a namespace, a directory that its pods write to, and lines that say what happens.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::access;
use crate::kubernetes::{Cluster, Kind, text};
use crate::operator_pod::OperatorPod;

/// Longest time for a cluster to become stable, seconds. Two cores run several JVMs at a time.
pub(crate) const TO_STABLE: u64 = 240;
/// Longest time for Kubernetes to remove something, or for the operator to notice something, seconds.
pub(crate) const TO_NOTICE: u64 = 90;

/// Longest time for one look: a JobManager that is killed may leave a question open.
const TO_LOOK: Duration = Duration::from_secs(20);

/// A look at something that is awaited.
pub(crate) enum Look<T> {
    /// It is there.
    Done(T),
    /// Not yet; what is there instead, for the message if the time runs out.
    NotYet(String),
}

/// A scenario's surroundings.
pub(crate) struct Space {
    pub(crate) cluster: Cluster,
    pub(crate) operator: Rc<OperatorPod>,
    /// Namespace.
    pub(crate) name: String,
    /// Directory on the node, writable for all, that pods may mount.
    pub(crate) data: PathBuf,
    began: Instant,
    /// State last shown of each FlinkDeployment.
    shown: RefCell<std::collections::BTreeMap<String, String>>,
}

impl Space {
    pub(crate) fn new(name: &str, cluster: &Cluster, operator: &Rc<OperatorPod>, data: &Path) -> Self {
        let data = data.join(format!("{name}-{}", std::process::id()));
        Self {
            cluster: cluster.clone(),
            operator: operator.clone(),
            name: name.to_owned(),
            data,
            began: Instant::now(),
            shown: RefCell::default(),
        }
    }

    /// Prints a line with the time since the scenario began.
    pub(crate) fn say(&self, what: &str) {
        println!("{:30} {:6.1} s  {what}", self.name, self.began.elapsed().as_secs_f64());
    }

    /// Makes the namespace, after removing what an interrupted run may have left, and gives Flink its rights there.
    pub(crate) async fn open(&self) -> Result<()> {
        self.remove_namespace().await?;
        fs::create_dir_all(&self.data)?;
        fs::set_permissions(&self.data, fs::Permissions::from_mode(0o777))?;
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name}});
        self.cluster.create(Kind::Namespace, "", namespace).await?;
        access::grant(&self.name)
    }

    /// Removes all of it. The operator has to let go of the resources; that it does not is an error, and then they are
    /// removed without it.
    pub(crate) async fn close(&self) -> Result<()> {
        let removed = self.remove_namespace().await;
        if removed.is_err() {
            let free = json!({"metadata": {"finalizers": null}});
            for kind in [Kind::FlinkStateSnapshot, Kind::FlinkSessionJob, Kind::FlinkDeployment] {
                for resource in self.cluster.list(kind, &self.name, "").await? {
                    let name = crate::kubernetes::name(&resource);
                    self.cluster.patch(kind, &self.name, name, &free).await?;
                }
            }
            self.cluster.delete(Kind::Namespace, "", &self.name).await?;
        }
        let _ = fs::remove_dir_all(&self.data);
        removed
    }

    async fn remove_namespace(&self) -> Result<()> {
        // Resources first: while they go the operator still needs the service account and its rights. Jobs before their
        // session cluster, which waits for them.
        for job in self.cluster.list(Kind::FlinkSessionJob, &self.name, "").await? {
            let name = crate::kubernetes::name(&job);
            self.cluster.delete(Kind::FlinkSessionJob, &self.name, name).await?;
        }
        for deployment in self.cluster.list(Kind::FlinkDeployment, &self.name, "").await? {
            let name = crate::kubernetes::name(&deployment);
            self.cluster.delete(Kind::FlinkDeployment, &self.name, name).await?;
        }
        self.until("FlinkDeployments are gone", TO_NOTICE, async || {
            let left = self.cluster.list(Kind::FlinkDeployment, &self.name, "").await?;
            Ok(nothing(left.len()))
        })
        .await?;
        self.cluster.delete(Kind::Namespace, "", &self.name).await?;
        self.until("the namespace is gone", TO_NOTICE, async || {
            let left = self.cluster.get(Kind::Namespace, "", &self.name).await?;
            Ok(nothing(usize::from(left.is_some())))
        })
        .await
    }

    /// Looks several times a second until it is there. A look that fails counts as not yet.
    pub(crate) async fn until<T>(
        &self,
        what: &str,
        seconds: u64,
        look: impl AsyncFn() -> Result<Look<T>>,
    ) -> Result<T> {
        self.until_every(Duration::from_millis(250), what, seconds, look).await
    }

    /// The same with another pause between looks.
    pub(crate) async fn until_every<T>(
        &self,
        pause: Duration,
        what: &str,
        seconds: u64,
        look: impl AsyncFn() -> Result<Look<T>>,
    ) -> Result<T> {
        let began = Instant::now();
        loop {
            let instead = match tokio::time::timeout(TO_LOOK, look()).await {
                Ok(Ok(Look::Done(result))) => return Ok(result),
                Ok(Ok(Look::NotYet(instead))) => instead,
                Ok(Err(error)) => format!("{error:#}"),
                Err(_) => format!("no answer within {} s", TO_LOOK.as_secs()),
            };
            if began.elapsed() > Duration::from_secs(seconds) {
                bail!("not within {seconds} s: {what}; instead: {instead}");
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Creates a FlinkDeployment.
    pub(crate) async fn create(&self, deployment: Value) -> Result<Value> {
        let created = self.cluster.create(Kind::FlinkDeployment, &self.name, deployment).await?;
        self.say(&format!("created {}", crate::kubernetes::name(&created)));
        Ok(created)
    }

    /// Changes a FlinkDeployment's spec by a merge patch.
    pub(crate) async fn change(&self, name: &str, spec: Value) -> Result<Value> {
        self.say(&format!("changing {name}: {spec}"));
        self.cluster.patch(Kind::FlinkDeployment, &self.name, name, &json!({"spec": spec})).await
    }

    /// A FlinkDeployment as it is now; changes of its state are printed.
    pub(crate) async fn deployment(&self, name: &str) -> Result<Value> {
        let found = self.cluster.get(Kind::FlinkDeployment, &self.name, name).await?;
        let found = found.with_context(|| format!("FlinkDeployment {name} does not exist"))?;
        let state = state(&found);
        let mut shown = self.shown.borrow_mut();
        if shown.get(name) != Some(&state) {
            self.say(&format!("{name}: {state}"));
            shown.insert(name.to_owned(), state);
        }
        Ok(found)
    }

    /// Waits until a FlinkDeployment fulfils a condition.
    pub(crate) async fn until_deployment(
        &self,
        name: &str,
        what: &str,
        seconds: u64,
        condition: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        self.until(&format!("{name} {what}"), seconds, async || {
            let deployment = self.deployment(name).await?;
            Ok(if condition(&deployment) { Look::Done(deployment) } else { Look::NotYet(state(&deployment)) })
        })
        .await
    }
}

/// `Done` if nothing is left.
pub(crate) fn nothing(left: usize) -> Look<()> {
    if left == 0 { Look::Done(()) } else { Look::NotYet(format!("{left} left")) }
}

/// The status of a FlinkDeployment in one line.
pub(crate) fn state(deployment: &Value) -> String {
    let status = &deployment["status"];
    let word = |pointer: &str| match text(status, pointer) {
        "" => "-".to_owned(),
        word => word.to_owned(),
    };
    let error = text(status, "/error");
    let error: Value = serde_json::from_str(error).unwrap_or_default();
    let deleting =
        if text(deployment, "/metadata/deletionTimestamp").is_empty() { "" } else { " (being deleted)" };
    format!(
        "{} JobManager {} job {} reconciliation {} generation {}/{}{deleting} {}",
        word("/lifecycleState"),
        word("/jobManagerDeploymentStatus"),
        word("/jobStatus/state"),
        word("/reconciliationStatus/state"),
        status["observedGeneration"],
        deployment["metadata"]["generation"],
        text(&error, "/message"),
    )
}
