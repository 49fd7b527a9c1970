//! What must hold at every moment of every run. The letters are those of the issue that asks for them.
//!
//! * (a) Never two live jobs of one resource in different deployments, or two at once in one process.
//! * (b) A job never starts from empty, or from a state older than the newest completed one.
//! * (c) HA metadata and the newest savepoint are not removed before what replaces them is recorded.
//! * (d) A call that cannot be repeated is preceded by a status that lets a successor recognise it, and one that ends
//!   something by a status that says that this was decided.
//! * (h) TaskManagers of a standalone cluster serve no other JobManager Deployment than the one that they were made for.
//! * (i) A Deployment is changed or deleted only if it belongs to a FlinkDeployment, itself or by its owner.
//! * (j) A snapshot is never COMPLETED with a path that Flink has not returned.
//! * (k) A savepoint is disposed of only if its resource says so and no other record refers to it.
//! * A resource that is being deleted says what it waits for.
//! * Every deletion names the uid that it means.
//!
//! (e), (f) and (g) are about whole runs: see [`crate::run`].

mod savepoints;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::ports::{DeleteOptions, Kind, ObjectKey};
use flink_client::RestRequest;
use flink_client::stub::{Storage, StoredSnapshot};
use kube::core::DynamicObject;
use serde_json::{Value, json};

use crate::api_server::ApiServer;
use crate::normal::HA_SUFFIX;
use crate::script::is_somebody_elses;
use crate::world::{LiveJob, Run, Serving, World};

/// Annotation with the attempt that a Deployment was created for.
const ATTEMPT: &str = "flinkdeployment.flink.apache.org/attempt";

/// The finalizers of FlinkDeployments and FlinkSessionJobs.
const FINALIZERS: [&str; 2] =
    ["flinkdeployments.flink.apache.org/finalizer", "flinksessionjobs.flink.apache.org/finalizer"];

/// The kinds of resources with jobs.
const KINDS: [Kind; 2] = [Kind::FLINK_DEPLOYMENT, Kind::FLINK_SESSION_JOB];

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
    /// Attempts and trigger ids that were ever in a status.
    recorded: BTreeSet<String>,
    /// Paths of savepoints that a deleted resource allowed to be disposed of.
    disposable: BTreeSet<String>,
    /// Paths of savepoints that a status has listed.
    listed: BTreeSet<String>,
    /// Jobs of which a status has ever said that they end.
    ending: BTreeSet<String>,
}

/// Who makes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// The operator that is in charge.
    Leader,
    /// One that was replaced and does not know.
    OldLeader,
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
        self.learn(server, world);
        self.check_live_jobs(world);
        self.check_task_managers(world);
        if world.run_count() > self.started.len() {
            let runs = world.runs();
            for index in self.started.len()..runs.len() {
                self.check_start(&runs, index, &world.storage());
            }
        }
    }

    fn learn(&mut self, server: &ApiServer, world: &World) {
        for change in server.changes_after(self.seen_version) {
            self.seen_version = change.version;
            let Some(after) = change.after else { continue };
            if change.kind == Kind::FLINK_STATE_SNAPSHOT {
                self.learn_snapshot(&after, server, world);
            }
            if !KINDS.contains(&change.kind) {
                continue;
            }
            for pointer in ["/savepointInfo/triggerId", "/checkpointInfo/triggerId"] {
                self.recorded.insert(text(&after, &format!("/status/jobStatus{pointer}")).to_owned());
            }
            self.learn_history(&after);
            for pointer in ["/status/operation/attempt", "/status/operation/triggerId"] {
                self.recorded.insert(text(&after, pointer).to_owned());
            }
            // Where Apache's CRDs prune the operation.
            let copy = text(&after, "/status/clusterInfo/pending-operation");
            let copy: Value = serde_json::from_str(copy).unwrap_or_default();
            for pointer in ["/operation/attempt", "/operation/triggerId"] {
                self.recorded.insert(text(&copy, pointer).to_owned());
            }
            if let Some(job) = Some(text(&after, "/status/jobStatus/jobId")).filter(|job| !job.is_empty())
                && has_decided_to_end(&after)
            {
                self.ending.insert(job.to_owned());
            }
            self.check_deletion_is_explained(&change.key, &after, server);
            let generation =
                after.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default();
            let spec = after.get("spec").cloned().unwrap_or_default();
            self.specs.insert((change.key.clone(), generation), spec);
        }
    }

    /// (a)
    fn check_live_jobs(&mut self, world: &World) {
        let mut by_resource: BTreeMap<ObjectKey, BTreeSet<(String, String)>> = BTreeMap::new();
        let of_resource = |live: &LiveJob| !is_somebody_elses(live.job.as_str());
        let runs = world.runs();
        for live in world.live_jobs().into_iter().filter(of_resource) {
            let run = runs.iter().find(|run| run.job == live.job && run.cluster == live.cluster);
            let resource = run.map_or(live.cluster, |run| run.resource.clone());
            by_resource.entry(resource).or_default().insert((live.deployment, live.job.to_string()));
        }
        for (resource, jobs) in by_resource {
            if jobs.len() > 1 {
                let jobs: Vec<String> =
                    jobs.iter().map(|(of, job)| format!("{job} of Deployment {of}")).collect();
                self.violated(format!("(a) {resource} has several live jobs: {}", jobs.join(", ")));
            }
        }
    }

    /// (h)
    fn check_task_managers(&mut self, world: &World) {
        for Serving { cluster, task_managers, made_for, job_manager } in world.serving() {
            if made_for != job_manager {
                self.violated(format!(
                    "(h) TaskManagers of Deployment {task_managers} of {cluster}, made for JobManager {made_for}, serve \
                     {job_manager}"
                ));
            }
        }
    }

    /// (i): what an owner that is gone has left behind is nobody's.
    fn check_owner(&mut self, key: &ObjectKey, deployment: &Value, what: &str, server: &ApiServer) {
        let owner = |object: &Value| object.pointer("/metadata/ownerReferences/0").cloned();
        let of_kind = |owner: &Option<Value>, kind: &str| {
            owner.as_ref().is_some_and(|owner| text(owner, "/kind") == kind)
        };
        let mut found = owner(deployment);
        if of_kind(&found, "Deployment") {
            let name = found.as_ref().map(|owner| text(owner, "/name").to_owned()).unwrap_or_default();
            let Some(job_manager) = server.read(Kind::DEPLOYMENT, &ObjectKey::new(&key.namespace, name))
            else {
                return;
            };
            found = owner(&job_manager);
        }
        if !of_kind(&found, "FlinkDeployment") {
            self.violated(format!("(i) Deployment {key}, which is somebody else's, is {what}"));
        }
    }

    /// (b)
    fn check_start(&mut self, runs: &[Run], index: usize, storage: &Storage) {
        let Some(run) = runs.get(index) else { return };
        let exists = |path: &String| storage.get(path).is_some();
        let started = run.restored.as_ref().is_none_or(exists);
        self.started.push(started);
        if run.is_restart || !started {
            return;
        }
        if run.old_program {
            self.violated(format!("(b) job {} runs the program of the deployment before", run.job));
        }
        let spec = run.generation.and_then(|generation| self.specs.get(&(run.resource.clone(), generation)));
        let job = |pointer: &str| spec.map(|spec| text(spec, pointer)).unwrap_or_default();
        let stateless = matches!(job("/job/upgradeMode"), "" | "stateless");
        let initial = Some(job("/job/initialSavepointPath")).filter(|path| !path.is_empty());
        let before = runs.get(..index).unwrap_or_default();
        let previous = self.newest_state(before, &run.resource, &run.owner, storage);
        let asks_for_it = previous.is_none() || self.has_new_nonce(run, before);
        let is_fine = match (&previous, &run.restored) {
            (_, Some(restored)) if initial == Some(restored) && asks_for_it => true,
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

    /// Whether the run's spec asks for its `initialSavepointPath`, and that of the last start did not.
    fn has_new_nonce(&self, run: &Run, before: &[Run]) -> bool {
        let nonce = |run: &Run| {
            let spec = self.specs.get(&(run.resource.clone(), run.generation?))?;
            spec.pointer("/job/savepointRedeployNonce")?.as_i64()
        };
        let last =
            before.iter().zip(&self.started).rev().find(|(other, started)| {
                other.resource == run.resource && other.owner == run.owner && **started
            });
        nonce(run).is_some() && nonce(run) != last.and_then(|(last, _)| nonce(last))
    }

    /// The newest completed state of a resource: of the last job that started there the newest snapshot, or else what that
    /// one was restored from. `None`: no job has started there.
    fn newest_state(
        &self,
        runs: &[Run],
        resource: &ObjectKey,
        owner: &str,
        storage: &Storage,
    ) -> Option<Option<String>> {
        let of_resource = |run: &Run| run.resource == *resource && run.owner == owner;
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
            Write::Patch(part) if kind == Kind::DEPLOYMENT => {
                let is_meant = |stored: &Arc<Value>| {
                    let wanted = text(part, "/metadata/uid");
                    let version = text(part, "/metadata/resourceVersion");
                    (wanted.is_empty() || wanted == text(stored, "/metadata/uid"))
                        && (version.is_empty() || version == text(stored, "/metadata/resourceVersion"))
                };
                let stored = server.read(kind, key).filter(is_meant);
                if let Some(stored) = &stored {
                    self.check_owner(key, stored, "changed", server);
                }
                if let Some(stored) = stored.filter(|_| part.pointer("/spec/replicas") == Some(&json!(0))) {
                    self.check_end_of_cluster(key, &stored, "scaled to 0", server, world);
                }
            }
            Write::Delete(options) => {
                if options.uid.is_none() {
                    self.violated(format!("a deletion of {kind} {key} names no uid"));
                }
                let stored = server.read(kind, key);
                let is_meant = |object: &Arc<Value>| {
                    options.uid.as_ref().is_none_or(|uid| uid == text(object, "/metadata/uid"))
                };
                let Some(stored) = stored.filter(is_meant) else { return };
                if kind == Kind::DEPLOYMENT {
                    self.check_owner(key, &stored, "deleted", server);
                }
                if kind == Kind::CONFIG_MAP {
                    self.check_removal(key, None, server, world);
                } else if kind == Kind::DEPLOYMENT && !is_terminating(&stored) {
                    self.check_end_of_cluster(key, &stored, "deleted", server, world);
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

    /// (d): the status that is stored says that the job ends. An operator that was replaced has read it before, and
    /// what it cancels late must at least have been meant to end.
    fn check_cancel(&mut self, job: &str, caller: Caller, server: &ApiServer) {
        let resources: Vec<_> = KINDS.iter().flat_map(|kind| server.all(*kind)).collect();
        let of_job = resources.iter().find(|it| text(it, "/status/jobStatus/jobId") == job);
        let is_decided = match caller {
            Caller::Leader => of_job.is_some_and(|resource| has_decided_to_end(resource)),
            Caller::OldLeader => self.ending.contains(job),
        };
        if !is_decided {
            self.violated(format!("(d) job {job} is cancelled, and no status says that this was decided"));
        }
    }

    /// (d)
    fn check_create(&mut self, key: &ObjectKey, object: &DynamicObject) {
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
        // Flink 1.x says with a label what it is; Flink 2.x does not.
        if !key.name.ends_with(HA_SUFFIX) {
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
        if is_terminating(&resource) {
            self.check_last_savepoint(&cluster, &resource, "its HA metadata is removed", server, world);
            return;
        }
        let stateless = text(&resource, "/spec/job/upgradeMode") == "stateless";
        let newest = self
            .newest_state(&world.runs(), &cluster, text(&resource, "/metadata/uid"), &world.storage())
            .flatten();
        let recorded = text(&resource, "/status/jobStatus/upgradeSavepointPath");
        let initial = text(&resource, "/spec/job/initialSavepointPath");
        // A new nonce asks for it.
        let asked = resource.pointer("/spec/job/savepointRedeployNonce").is_some()
            && !initial.is_empty()
            && initial == recorded;
        let is_recorded = newest.as_deref() == Some(recorded) || asked;
        if !stateless && !is_recorded {
            self.violated(format!(
                "(c) HA metadata of {cluster} is removed, and the status does not name the newest state {}",
                newest.unwrap_or_else(|| "empty".to_owned())
            ));
        }
    }

    /// (d): what ends a cluster that is wanted is in the status before.
    fn check_end_of_cluster(
        &mut self,
        key: &ObjectKey,
        deployment: &Value,
        what: &str,
        server: &ApiServer,
        world: &World,
    ) {
        let Some(resource) = server.read(Kind::FLINK_DEPLOYMENT, key) else { return };
        let owner = text(deployment, "/metadata/ownerReferences/0/uid");
        if owner != text(&resource, "/metadata/uid") {
            return;
        }
        if is_terminating(&resource) {
            self.check_last_savepoint(key, &resource, "its cluster goes", server, world);
        }
        let attempt = text(deployment, &format!("/metadata/annotations/{}", ATTEMPT.replace('/', "~1")));
        let operation = operation(&resource);
        let is_another = text(&operation, "/kind") == "DEPLOYING" && text(&operation, "/attempt") != attempt;
        // What was never allowed to start is nothing that could be lost.
        let idle = deployment.pointer("/spec/paused") == Some(&json!(true))
            && deployment.pointer("/status/replicas").is_none();
        let is_decided = has_decided_to_end(&resource) || is_another || idle || job_has_ended(&resource);
        if !is_decided {
            self.violated(format!(
                "(d) Deployment {key} is {what}, and no status says that this was decided"
            ));
        }
    }

    /// (c): with `savepoint-on-deletion` the newest state is named when a job goes with its resource.
    fn check_last_savepoint(
        &mut self,
        key: &ObjectKey,
        resource: &Value,
        what: &str,
        server: &ApiServer,
        world: &World,
    ) {
        const OPTION: &str = "kubernetes.operator.job.savepoint-on-deletion";
        let option = resource.pointer("/spec/flinkConfiguration").and_then(|all| all.get(OPTION));
        if option.and_then(Value::as_str) != Some("true") || job_has_ended(resource) {
            return;
        }
        let runs = world.runs();
        let newest =
            self.newest_state(&runs, key, text(resource, "/metadata/uid"), &world.storage()).flatten();
        let Some(newest) = newest else { return };
        let told = |event: Arc<Value>| {
            text(&event, "/type") == "Warning"
                && text(&event, "/message").contains("deleted without a savepoint")
        };
        let is_named = text(resource, "/status/jobStatus/upgradeSavepointPath") == newest;
        if !is_named && !server.all(Kind::EVENT).into_iter().any(told) {
            self.violated(format!(
                "(c) {key} is deleted, {what}, and neither the status nor a warning names its newest state {newest}"
            ));
        }
    }

    /// What a deletion waits for is said from the first status on that tells of it, until nothing is left.
    fn check_deletion_is_explained(&mut self, key: &ObjectKey, resource: &Value, server: &ApiServer) {
        let holds = resource.pointer("/metadata/finalizers").and_then(Value::as_array);
        let is_session_job = text(resource, "/kind") == "FlinkSessionJob";
        let ours = holds.is_some_and(|all| all.iter().any(|it| FINALIZERS.iter().any(|ours| it == ours)));
        let waits = server.read(Kind::DEPLOYMENT, key).is_some_and(|deployment| {
            text(&deployment, "/metadata/ownerReferences/0/uid") == text(resource, "/metadata/uid")
        });
        if ours
            && waits
            && !is_session_job
            && is_terminating(resource)
            && text(resource, "/status/lifecycleState") == "DELETING"
            && condition(resource, "Deleting").is_none()
        {
            self.violated(format!("{key} is being deleted and does not say what it waits for"));
        }
    }

    /// When an end is kept: the newest spec is what runs, or a condition says why not.
    pub(crate) fn at_end(&mut self, server: &ApiServer) {
        for resource in KINDS.iter().flat_map(|kind| server.all(*kind)) {
            let generation = resource.pointer("/metadata/generation").and_then(Value::as_i64);
            let observed = resource.pointer("/status/observedGeneration").and_then(Value::as_i64);
            let refused = condition(&resource, "SpecAccepted")
                .is_some_and(|it| text(it, "/status") == "False" && !text(it, "/message").is_empty());
            let name = text(&resource, "/metadata/name");
            if observed != generation && !refused {
                self.violated(format!(
                    "generation {generation:?} of {name} is not observed, and no condition says why"
                ));
            }
            let ours = resource.pointer("/metadata/finalizers").is_some();
            if is_terminating(&resource) && ours && condition(&resource, "Deleting").is_none() {
                self.violated(format!("{name} is being deleted and does not say what it waits for"));
            }
        }
    }

    /// (d)
    pub(crate) fn before_flink(
        &mut self,
        request: &RestRequest,
        caller: Caller,
        server: &ApiServer,
        world: &World,
    ) {
        use flink_client::Call;
        let body = request.body.read().unwrap_or_default();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let identity = match request.call {
            Call::StopWithSavepoint | Call::TriggerSavepoint | Call::TriggerCheckpoint => {
                text(&body, "/triggerId").to_owned()
            }
            Call::Cancel => {
                let job = request.path.split(['/', '?']).nth(2).unwrap_or_default();
                self.check_cancel(job, caller, server);
                return;
            }
            Call::RunJar => {
                self.learn(server, world);
                text(&body, "/jobId").to_owned()
            }
            Call::DisposeSavepoint => {
                self.check_disposal(text(&body, "/savepoint-path"), caller, server, world);
                return;
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

/// The operation that a status tells of, also where Apache's CRDs prune it.
fn operation(resource: &Value) -> Value {
    if let Some(operation) = resource.pointer("/status/operation").filter(|it| it.is_object()) {
        return operation.clone();
    }
    let copy = text(resource, "/status/clusterInfo/pending-operation");
    let copy: Value = serde_json::from_str(copy).unwrap_or_default();
    copy.get("operation").cloned().unwrap_or_default()
}

fn is_terminating(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some()
}

fn job_has_ended(resource: &Value) -> bool {
    matches!(text(resource, "/status/jobStatus/state"), "FINISHED" | "FAILED" | "CANCELED")
}

/// Whether the status, or the deletion, says that the job and its cluster end.
fn has_decided_to_end(resource: &Value) -> bool {
    let recorded: Value =
        serde_json::from_str(text(resource, "/status/reconciliationStatus/lastReconciledSpec"))
            .unwrap_or_default();
    is_terminating(resource)
        || matches!(
            text(&operation(resource), "/kind"),
            "CANCELLING" | "RESTARTING" | "WITHDRAWING" | "DELETING"
        )
        || matches!(text(resource, "/status/reconciliationStatus/state"), "UPGRADING" | "ROLLING_BACK")
        || text(&recorded, "/spec/job/state") == "suspended"
}

fn condition<'a>(resource: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = resource.pointer("/status/conditions")?.as_array()?;
    conditions.iter().find(|it| text(it, "/type") == kind)
}
