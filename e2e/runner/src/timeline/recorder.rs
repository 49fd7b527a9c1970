//! Our own timeline, written while a scenario runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::line::{Event, Line, Resource, What};
use crate::kubernetes::{Change, Cluster, Kind, name, text};

/// Watches a namespace until it is dropped.
pub(crate) struct Recorder {
    shared: Arc<Shared>,
    watches: JoinSet<Result<()>>,
    changes: watch::Receiver<usize>,
}

struct Shared {
    began: Instant,
    lines: Mutex<Vec<Line>>,
    count: watch::Sender<usize>,
}

impl Shared {
    fn lines(&self) -> MutexGuard<'_, Vec<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, what: What) {
        let t = (self.began.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
        let mut lines = self.lines();
        lines.push(Line { t, what });
        self.count.send_replace(lines.len());
    }
}

impl Recorder {
    /// Begins with what happens after this moment.
    pub(crate) async fn start(cluster: &Cluster, namespace: &str) -> Result<Self> {
        let (count, changes) = watch::channel(0);
        let shared = Arc::new(Shared { began: Instant::now(), lines: Mutex::default(), count });
        let mut watches = JoinSet::new();
        for kind in [Kind::FlinkDeployment, Kind::FlinkSessionJob, Kind::FlinkStateSnapshot, Kind::Event] {
            let version = cluster.version(kind, namespace).await?;
            let (cluster, namespace, shared) = (cluster.clone(), namespace.to_owned(), shared.clone());
            watches.spawn(async move {
                let seen = |change, object: Value| {
                    shared.add(match kind {
                        Kind::Event => What::Event(event(change, &object)),
                        _ => What::Cr(resource(change, &object)),
                    });
                };
                cluster.follow(kind, &namespace, version, seen).await
            });
        }
        Ok(Self { shared, watches, changes })
    }

    /// Writes a step.
    pub(crate) fn step(&self, text: &str, patch: Option<&Value>) {
        self.shared.add(What::Step { text: text.to_owned(), patch: patch.cloned() });
    }

    /// How many lines there are.
    pub(crate) fn count(&self) -> usize {
        self.shared.lines().len()
    }

    /// All lines from number `from` on.
    pub(crate) fn lines(&self, from: usize) -> Vec<Line> {
        self.shared.lines().iter().skip(from).cloned().collect()
    }

    /// Waits until something happens, or so long. Fails if the recording broke: then it is no use.
    pub(crate) async fn changed(&mut self, limit: Duration) -> Result<()> {
        tokio::select! {
            _ = self.changes.changed() => Ok(()),
            () = tokio::time::sleep(limit) => Ok(()),
            Some(ended) = self.watches.join_next() => match ended? {
                Ok(()) => bail!("a watch ended"),
                Err(error) => Err(error.context("the recording broke")),
            }
        }
    }
}

fn resource(change: Change, object: &Value) -> Resource {
    Resource {
        change: change.word().to_owned(),
        kind: text(object, "/kind").to_owned(),
        name: name(object).to_owned(),
        generation: object["metadata"]["generation"].as_i64(),
        deleting: object["metadata"].get("deletionTimestamp").is_some(),
        status: object.get("status").cloned(),
    }
}

fn event(change: Change, object: &Value) -> Event {
    let on = &object["involvedObject"];
    Event {
        op: change.word().to_owned(),
        severity: text(object, "/type").to_owned(),
        reason: text(object, "/reason").to_owned(),
        component: object.pointer("/source/component").and_then(Value::as_str).map(str::to_owned),
        on: format!("{}/{}", text(on, "/kind"), text(on, "/name")),
        message: object["message"].as_str().map(str::to_owned),
        count: object["count"].as_u64(),
        name: name(object).to_owned(),
    }
}
