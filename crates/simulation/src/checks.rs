//! What must hold at every moment of every run. The letters are those of the issue that asks for them.
//!
//! * (a) Never two live jobs of one resource in different deployments, or two at once in one process.
//! * (b) A job never starts from empty, or from a state older than the newest completed one.
//! * (c) HA metadata and the newest savepoint are not removed before what replaces them is recorded.
//! * (d) A call that cannot be repeated is preceded by a status that lets a successor recognise it.
//! * Every deletion names the uid that it means.
//!
//! (e), (f) and (g) are about whole runs: see [`crate::run`].

use std::collections::{BTreeMap, BTreeSet};

use engine::ports::{DeleteOptions, Kind, ObjectKey};
use flink_client::RestRequest;
use flink_client::stub::{Storage, StoredSnapshot};
use kube::core::DynamicObject;
use serde_json::Value;

use crate::api_server::ApiServer;
use crate::world::{Run, World};

/// A call that changes something in Kubernetes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Write<'a> {
    Create(&'a DynamicObject),
    Apply,
    Status,
    Patch(&'a Value),
    Delete(&'a DeleteOptions),
}

/// Checks of one run.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    violations: Vec<String>,
    seen_version: u64,
    /// For each run of a job whether it could start: what it was to be restored from was there.
    started: Vec<bool>,
    /// Specs of resources by generation.
    specs: BTreeMap<(ObjectKey, i64), Value>,
    /// Attempts, trigger ids and job ids that were ever in a status.
    recorded: BTreeSet<String>,
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

impl Checks {
    pub(crate) fn violations(&self) -> &[String] {
        &self.violations
    }

    fn violated(&mut self, what: String) {
        if !self.violations.contains(&what) {
            self.violations.push(what);
        }
    }

    /// Looks at everything that has happened since the last look.
    pub(crate) fn look(&mut self, server: &ApiServer, world: &World) {
        self.learn(server);
        self.check_live_jobs(world);
        if world.run_count() > self.started.len() {
            let runs = world.runs();
            for index in self.started.len()..runs.len() {
                self.check_start(&runs, index, &world.storage());
            }
        }
    }

    fn learn(&mut self, server: &ApiServer) {
        for change in server.changes_after(self.seen_version) {
            self.seen_version = change.version;
            let Some(after) = change.after.filter(|_| change.kind == Kind::FLINK_DEPLOYMENT) else {
                continue;
            };
            for pointer in
                ["/status/operation/attempt", "/status/operation/triggerId", "/status/jobStatus/jobId"]
            {
                self.recorded.insert(text(&after, pointer).to_owned());
            }
            // Where Apache's CRDs prune the operation.
            let copy = text(&after, "/status/clusterInfo/pending-operation");
            let copy: Value = serde_json::from_str(copy).unwrap_or_default();
            for pointer in ["/operation/attempt", "/operation/triggerId"] {
                self.recorded.insert(text(&copy, pointer).to_owned());
            }
            let generation =
                after.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default();
            let spec = after.get("spec").cloned().unwrap_or_default();
            self.specs.insert((change.key.clone(), generation), spec);
        }
    }

    /// (a)
    fn check_live_jobs(&mut self, world: &World) {
        let mut by_cluster: BTreeMap<ObjectKey, BTreeSet<(String, String)>> = BTreeMap::new();
        for live in world.live_jobs() {
            by_cluster.entry(live.cluster).or_default().insert((live.deployment, live.job.to_string()));
        }
        for (cluster, jobs) in by_cluster {
            if jobs.len() > 1 {
                let jobs: Vec<String> =
                    jobs.iter().map(|(of, job)| format!("{job} of Deployment {of}")).collect();
                self.violated(format!("(a) {cluster} has several live jobs: {}", jobs.join(", ")));
            }
        }
    }

    /// (b)
    fn check_start(&mut self, runs: &[Run], index: usize, storage: &Storage) {
        let Some(run) = runs.get(index) else { return };
        let exists = |path: &String| storage.get(path).is_some() || is_from_outside(path);
        let started = run.restored.as_ref().is_none_or(exists);
        self.started.push(started);
        if run.is_restart || !started {
            return;
        }
        if run.old_program {
            self.violated(format!("(b) job {} runs the program of the deployment before", run.job));
        }
        let spec = run.generation.and_then(|generation| self.specs.get(&(run.cluster.clone(), generation)));
        let job = |pointer: &str| spec.map(|spec| text(spec, pointer)).unwrap_or_default();
        let stateless = matches!(job("/job/upgradeMode"), "" | "stateless");
        let initial = Some(job("/job/initialSavepointPath")).filter(|path| !path.is_empty());
        let previous =
            self.newest_state(runs.get(..index).unwrap_or_default(), &run.cluster, &run.owner, storage);
        let is_fine = match (&previous, &run.restored) {
            (_, Some(restored)) if initial == Some(restored) => true,
            (None, None) => true,
            (Some(newest), None) => stateless || newest.is_none(),
            (Some(newest), restored) => newest == restored,
            (None, Some(_)) => false,
        };
        if !is_fine {
            let shown = |path: &Option<String>| path.clone().unwrap_or_else(|| "empty".to_owned());
            self.violated(format!(
                "(b) job {} was started from {}, and the newest state is {}",
                run.job,
                shown(&run.restored),
                shown(&previous.unwrap_or_default())
            ));
        }
    }

    /// The newest completed state of a resource: of the last job that started there the newest snapshot, or else what that
    /// one was restored from. `None`: no job has started there.
    fn newest_state(
        &self,
        runs: &[Run],
        cluster: &ObjectKey,
        owner: &str,
        storage: &Storage,
    ) -> Option<Option<String>> {
        let of_resource = |run: &Run| run.cluster == *cluster && run.owner == owner;
        let last = runs.iter().zip(&self.started).rev().find(|(run, started)| of_resource(run) && **started);
        let (run, _) = last?;
        let began = run.began.as_millisecond();
        let of_run = |it: &StoredSnapshot| it.job == run.job && it.trigger_timestamp >= began && !it.deleted;
        let newest = storage
            .all()
            .into_iter()
            .filter(of_run)
            .max_by_key(|it| (it.trigger_timestamp, it.checkpoint_id));
        Some(newest.map(|it| it.path).or_else(|| run.restored.clone()))
    }

    /// Before a call is performed.
    pub(crate) fn before_write(
        &mut self,
        kind: Kind,
        key: &ObjectKey,
        write: Write<'_>,
        server: &ApiServer,
        world: &World,
    ) {
        match write {
            Write::Create(object) if kind == Kind::DEPLOYMENT => self.check_create(key, object),
            Write::Delete(options) => {
                if options.uid.is_none() {
                    self.violated(format!("a deletion of {kind} {key} names no uid"));
                }
                let stored = server.read(kind, key);
                let is_meant = |object: &std::sync::Arc<Value>| {
                    options.uid.as_ref().is_none_or(|uid| uid == text(object, "/metadata/uid"))
                };
                if kind == Kind::CONFIG_MAP && stored.as_ref().is_some_and(is_meant) {
                    self.check_removal(key, None, server, world);
                }
            }
            Write::Patch(part) if kind == Kind::CONFIG_MAP => {
                let removed = part.get("data").and_then(Value::as_object).into_iter().flatten();
                let keys: Vec<String> =
                    removed.filter(|(_, value)| value.is_null()).map(|(key, _)| key.clone()).collect();
                self.check_removal(key, Some(&keys), server, world);
            }
            Write::Create(_) | Write::Apply | Write::Status | Write::Patch(_) => {}
        }
    }

    /// (d)
    fn check_create(&mut self, key: &ObjectKey, object: &DynamicObject) {
        const ATTEMPT: &str = "flinkdeployment.flink.apache.org/attempt";
        let attempt = object.metadata.annotations.as_ref().and_then(|all| all.get(ATTEMPT));
        if !attempt.is_some_and(|attempt| self.recorded.contains(attempt)) {
            self.violated(format!(
                "(d) Deployment {key} is created for an attempt that no status has recorded"
            ));
        }
    }

    /// (c)
    fn check_removal(&mut self, key: &ObjectKey, keys: Option<&[String]>, server: &ApiServer, world: &World) {
        let Some(map) = server.read(Kind::CONFIG_MAP, key) else { return };
        if text(&map, "/metadata/labels/configmap-type") != "high-availability" {
            return;
        }
        let data = map.get("data").and_then(Value::as_object);
        let goes = |name: &String| {
            name.starts_with("checkpointID-") && keys.is_none_or(|keys| keys.iter().any(|key| key == name))
        };
        if !data.is_some_and(|data| data.keys().any(goes)) {
            return;
        }
        let cluster = ObjectKey::new(&key.namespace, text(&map, "/metadata/labels/app"));
        let Some(resource) = server.read(Kind::FLINK_DEPLOYMENT, &cluster) else { return };
        let deleting = resource.pointer("/metadata/deletionTimestamp").is_some();
        let stateless = text(&resource, "/spec/job/upgradeMode") == "stateless";
        let newest = self
            .newest_state(&world.runs(), &cluster, text(&resource, "/metadata/uid"), &world.storage())
            .flatten();
        let recorded = text(&resource, "/status/jobStatus/upgradeSavepointPath");
        let initial = text(&resource, "/spec/job/initialSavepointPath");
        let is_recorded = newest.as_deref() == Some(recorded) || (!initial.is_empty() && initial == recorded);
        if !deleting && !stateless && !is_recorded {
            self.violated(format!(
                "(c) HA metadata of {cluster} is removed, and the status does not name the newest state {}",
                newest.unwrap_or_else(|| "empty".to_owned())
            ));
        }
    }

    /// (d) and (c)
    pub(crate) fn before_flink(&mut self, request: &RestRequest) {
        use flink_client::Call;
        let body = request.body.read().unwrap_or_default();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let identity = match request.call {
            Call::StopWithSavepoint | Call::TriggerSavepoint | Call::TriggerCheckpoint => {
                text(&body, "/triggerId").to_owned()
            }
            Call::Cancel => {
                let part = request.path.split(['/', '?']).nth(2);
                part.unwrap_or_default().to_owned()
            }
            _ => return,
        };
        if identity.is_empty() || !self.recorded.contains(&identity) {
            self.violated(format!(
                "(d) {} carries the identity '{identity}', which no status has recorded",
                request.call
            ));
        }
    }
}

/// Savepoints that users brought along: nobody here wrote them.
fn is_from_outside(path: &str) -> bool {
    path.starts_with("s3://outside/")
}
