//! Users, nodes and jobs: does the steps of a scenario when their time has come, also between two calls of a pass.

use std::sync::Arc;
use std::time::Duration;

use engine::ports::{DeleteOptions, Kind, ObjectKey};
use flink_client::stub::{FlinkState, JobEnd, JobPlan, SavepointBehaviour, Submission};
use lifecycle::Propagation;
use resources::names;
use serde_json::{Value, json};

use crate::api_server::{ApiServer, Rejection};
use crate::call::{CallKind, CallRecord};
use crate::normal::HA_SUFFIX;
use crate::scenario::{Action, Condition, JobBehaviour, ObjectState, Scenario, Step};
use crate::world::World;

/// Namespace of everything.
pub(crate) const NAMESPACE: &str = "flink";
/// Name of the resource.
pub(crate) const NAME: &str = "app";

/// Savepoints that users bring along.
const OUTSIDE: [&str; 2] = ["s3://outside/savepoint-1", "s3://outside/savepoint-9"];

/// Name of the session cluster of a session job.
const CLUSTER: &str = "cluster";

pub(crate) fn key() -> ObjectKey {
    ObjectKey::new(NAMESPACE, NAME)
}

/// A scenario on its way.
#[derive(Debug)]
pub(crate) struct Script {
    scenario: Scenario,
    next: usize,
    /// When the condition of the next step began to hold.
    held_since: Option<Duration>,
    /// Whether the operator is to be killed.
    pub(crate) kill: bool,
    /// How many calls there had been when our operator took over.
    taken_over: Option<usize>,
    /// Names of objects that the scenario created.
    created: Vec<String>,
}

fn background() -> DeleteOptions {
    DeleteOptions { uid: None, propagation: Propagation::Background }
}

impl Script {
    pub(crate) fn new(scenario: Scenario) -> Self {
        Self { scenario, next: 0, held_since: None, kill: false, taken_over: None, created: Vec::new() }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.next >= self.scenario.steps.len()
    }

    /// The step that is waited for.
    pub(crate) fn waits_for(&self) -> Option<&Step> {
        self.scenario.steps.get(self.next)
    }

    /// The world as it is before anything happens.
    pub(crate) fn begin(&mut self, server: &ApiServer, world: &World) {
        for path in OUTSIDE {
            world.storage().bring_savepoint(path, 1_000_000);
        }
        if let Some(job) = self.scenario.job.clone() {
            world.configure(|settings| behave(&mut settings.plan, &job));
        }
        let early = |step: &&Step| {
            matches!(step.action, Action::CreateObject(_) | Action::Reject(_))
                && step.when == Condition::default()
        };
        let first: Vec<Step> = self.scenario.steps.iter().take_while(early).cloned().collect();
        for step in first {
            self.next += 1;
            self.act(&step.action, 0, server, world);
        }
        if self.scenario.cluster_exists {
            self.create_cluster(server);
        }
        self.create(server);
    }

    /// What kind of resource the scenario is about.
    pub(crate) fn kind(&self) -> Kind {
        if self.scenario.cluster_spec().is_some() { Kind::FLINK_SESSION_JOB } else { Kind::FLINK_DEPLOYMENT }
    }

    /// The Flink cluster.
    fn cluster(&self) -> ObjectKey {
        let name = if self.scenario.cluster_spec().is_some() { CLUSTER } else { NAME };
        ObjectKey::new(NAMESPACE, name)
    }

    fn create(&self, server: &ApiServer) {
        let kind = self.kind();
        let object = json!({
            "apiVersion": kind.api_version(),
            "kind": kind.name,
            "metadata": {"name": NAME, "namespace": NAMESPACE},
            "spec": self.scenario.spec(),
        });
        let _exists_already = server.create_object(kind, object);
    }

    fn create_cluster(&mut self, server: &ApiServer) {
        let Some(spec) = self.scenario.cluster_spec() else { return };
        let object = json!({
            "apiVersion": "flink.apache.org/v1beta1",
            "kind": "FlinkDeployment",
            "metadata": {"name": CLUSTER},
            "spec": spec,
        });
        self.create_object(&object, server);
    }

    /// Does what is due. Returns whether something was done.
    pub(crate) fn step(
        &mut self,
        now: Duration,
        server: &ApiServer,
        world: &World,
        calls: &[CallRecord],
    ) -> bool {
        let Some(step) = self.scenario.steps.get(self.next).cloned() else { return false };
        if self.held_since.is_none() {
            if !self.holds(&step.when, server, world, calls) {
                return false;
            }
            self.held_since = Some(now);
        }
        if self.next_due().is_none_or(|due| due > now) {
            return false;
        }
        self.next += 1;
        self.held_since = None;
        self.act(&step.action, calls.len(), server, world);
        world.step();
        true
    }

    /// When the next step is due, once its condition holds.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        let step = self.scenario.steps.get(self.next)?;
        self.held_since
            .map(|since| since.saturating_add(Duration::try_from_secs_f64(step.after).unwrap_or_default()))
    }

    fn act(&mut self, action: &Action, calls: usize, server: &ApiServer, world: &World) {
        match action {
            Action::Patch(part) => drop(server.merge_patch(self.kind(), &key(), part)),
            Action::Delete => drop(server.delete_object(self.kind(), &key(), &background())),
            Action::Create => self.create(server),
            Action::CreateCluster => self.create_cluster(server),
            Action::PatchCluster(part) => {
                drop(server.merge_patch(Kind::FLINK_DEPLOYMENT, &self.cluster(), part));
            }
            Action::DeleteCluster => {
                drop(server.delete_object(Kind::FLINK_DEPLOYMENT, &self.cluster(), &background()));
            }
            Action::DeletePod => delete_pods(server, names::COMPONENT_JOB_MANAGER),
            Action::DeleteTaskManagerPods => delete_pods(server, names::COMPONENT_TASK_MANAGER),
            Action::Scale(replicas) => {
                let part = json!({"spec": {"taskManager": {"replicas": replicas}}});
                drop(server.merge_patch(Kind::FLINK_DEPLOYMENT, &key(), &part));
            }
            Action::DeleteDeployment => delete_deployment(server, &self.cluster().name),
            Action::DeleteTaskManagers => delete_deployment(server, &names::task_manager_deployment(NAME)),
            Action::RestartOperator => self.kill = true,
            Action::CreateObject(object) => self.create_object(object, server),
            Action::DeleteObject(name) => {
                if let Some(kind) = Kind::find(&name.api_version, &name.kind) {
                    drop(server.delete_object(kind, &ObjectKey::new(NAMESPACE, &name.name), &background()));
                }
            }
            Action::DeleteSnapshots(wanted) => {
                for snapshot in snapshots_of(server, wanted) {
                    let name = snapshot.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
                    let key = ObjectKey::new(NAMESPACE, name);
                    drop(server.delete_object(Kind::FLINK_STATE_SNAPSHOT, &key, &background()));
                }
            }
            Action::KeepLastSavepoint(name) => {
                let resource = server.read(self.kind(), &key());
                let pointer = "/status/jobStatus/savepointInfo/lastSavepoint/location";
                let path = resource.as_ref().and_then(|resource| resource.pointer(pointer));
                let savepoint = json!({"alreadyExists": true, "disposeOnDelete": false, "path": path});
                let object = json!({
                    "apiVersion": Kind::FLINK_STATE_SNAPSHOT.api_version(),
                    "kind": Kind::FLINK_STATE_SNAPSHOT.name,
                    "metadata": {"name": name},
                    "spec": {"savepoint": savepoint},
                });
                self.create_object(&object, server);
            }
            Action::PatchObject(object) => {
                if let Some(kind) = Kind::find(&object.api_version, &object.kind) {
                    let key = ObjectKey::new(NAMESPACE, &object.name);
                    drop(server.merge_patch(kind, &key, &object.patch));
                }
            }
            Action::DeleteHaMetadata => delete_ha_metadata(server),
            Action::Reject(rule) => {
                if let Some(kind) = Kind::find(&rule.api_version, &rule.kind) {
                    let (code, message) = (rule.code, rule.message.clone());
                    server.reject(Rejection { kind, name_contains: String::new(), code, message });
                }
            }
            Action::Accept => server.reject_nothing(),
            Action::RefusePods(message) => {
                world.configure(|settings| settings.refuse_pods.clone_from(message));
            }
            Action::CrashLoop(message) => world.configure(|settings| settings.crash_loop.clone_from(message)),
            Action::Job(behaviour) => {
                world.configure(|settings| behave(&mut settings.plan, behaviour));
                world.with_flink(&self.cluster(), |flink, _| {
                    behave(&mut flink.settings_mut().jar_plan, behaviour);
                });
                with_job(world, &self.cluster(), |flink, job, _| {
                    if let Some(plan) = flink.plan_mut(job) {
                        behave(plan, behaviour);
                    }
                });
            }
            Action::FinishJob => with_job(world, &self.cluster(), flink_client::stub::FlinkState::finish_job),
            Action::FailJob(text) => {
                with_job(world, &self.cluster(), |flink, job, now| flink.fail_job(job, text, now));
            }
            Action::CancelJob => with_job(world, &self.cluster(), |flink, job, now| {
                flink.handle(&http::Method::PATCH, &format!("/jobs/{job}?mode=cancel"), &[], now);
            }),
            Action::RunJob(number) => run_job(world, &self.cluster(), *number),
            Action::TakeOver => {
                crate::java::was_in_charge(server);
                self.taken_over = Some(calls);
                self.kill = true;
            }
            Action::Silence(silent) => world.configure(|settings| settings.silent = *silent),
            Action::Wait => {}
        }
    }

    fn create_object(&mut self, object: &Value, server: &ApiServer) {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let Some(kind) = Kind::find(text("/apiVersion"), text("/kind")) else { return };
        self.created.push(text("/metadata/name").to_owned());
        let mut object = object.clone();
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("namespace".to_owned(), json!(NAMESPACE));
        }
        let _exists_already = server.create_object(kind, object);
    }

    /// Whether the end is reached.
    pub(crate) fn is_at_end(&self, server: &ApiServer, world: &World, calls: &[CallRecord]) -> bool {
        let mut ends = std::iter::once(&self.scenario.end).chain(&self.scenario.or_end);
        self.is_done() && ends.any(|end| self.holds(end, server, world, calls))
    }

    fn holds(&self, condition: &Condition, server: &ApiServer, world: &World, calls: &[CallRecord]) -> bool {
        let resource = server.read(self.kind(), &key());
        let status = resource.as_ref().and_then(|resource| resource.get("status"));
        let at = |pointer: &str| status.and_then(|status| status.pointer(pointer));
        let deployment = server.read(Kind::DEPLOYMENT, &self.cluster());
        let number = |object: &Option<Arc<Value>>, pointer: &str| {
            object.as_ref().and_then(|object| object.pointer(pointer)).and_then(Value::as_i64)
        };
        let Condition {
            lifecycle,
            status: values,
            contains,
            observed,
            deployment: exists,
            available,
            gone,
            nothing_left,
            live_jobs,
            parallelism,
            starts,
            restored,
            call,
            called,
            events,
            conditions,
            untouched,
            restored_from,
            objects,
            absent,
            snapshots,
            savepoints,
            task_managers,
            allows_non_restored_state,
        } = condition;
        let is =
            |wanted: &Option<bool>, found: &dyn Fn() -> bool| wanted.is_none_or(|wanted| wanted == found());
        let state = at("/lifecycleState").and_then(Value::as_str);
        lifecycle.as_deref().is_none_or(|wanted| state == Some(wanted))
            && values.iter().all(|(pointer, wanted)| at(pointer).unwrap_or(&Value::Null) == wanted)
            && contains.iter().all(|(pointer, wanted)| {
                at(pointer).and_then(Value::as_str).is_some_and(|text| text.contains(wanted.as_str()))
            })
            && is(observed, &|| {
                let generation = number(&resource, "/metadata/generation");
                generation.is_some() && at("/observedGeneration").and_then(Value::as_i64) == generation
            })
            && is(exists, &|| deployment.is_some())
            && is(available, &|| {
                number(&deployment, "/status/availableReplicas").is_some_and(|count| count > 0)
            })
            && is(gone, &|| resource.is_none())
            && is(nothing_left, &|| self.nothing_left(server))
            && parallelism.is_none_or(|wanted| world.parallelism(&self.cluster()) == Some(wanted))
            && live_jobs.is_none_or(|wanted| world.live_jobs().len() == wanted)
            && starts.is_none_or(|wanted| operator_starts(world) >= wanted)
            && is(restored, &|| world.runs().last().is_some_and(|run| run.restored.is_some()))
            && called.iter().all(|wanted| calls.iter().any(|call| &call.succeeded() == wanted))
            && events.iter().all(|wanted| {
                let tells = |event: &Arc<Value>| {
                    let message = event.pointer("/message").and_then(Value::as_str);
                    message.is_some_and(|message| message.contains(wanted.as_str()))
                };
                server.all(Kind::EVENT).iter().any(tells)
            })
            && conditions.iter().all(|(kind, wanted)| {
                let all = at("/conditions").and_then(Value::as_array);
                let text = |it: &Value, name: &str| it.get(name).and_then(Value::as_str).map(str::to_owned);
                all.into_iter().flatten().any(|it| {
                    text(it, "type").as_ref() == Some(kind)
                        && text(it, "message").is_some_and(|message| message.contains(wanted.as_str()))
                })
            })
            && is(untouched, &|| self.is_untouched(calls))
            && restored_from.as_ref().is_none_or(|wanted| {
                world.runs().last().is_some_and(|run| run.restored.as_ref() == Some(wanted))
            })
            && call.as_ref().is_none_or(|wanted| {
                calls.last().is_some_and(|call| {
                    format!("{} {}", call.kind.verb(), call.text).contains(wanted.as_str())
                })
            })
            && objects.iter().all(|state| is_in(server, state))
            && absent.iter().all(|name| found(server, &name.api_version, &name.kind, &name.name).is_none())
            && snapshots.iter().all(|(kind, wanted)| snapshots_of(server, kind).len() == *wanted)
            && savepoints.is_none_or(|wanted| number_of_savepoints(world) == wanted)
            && task_managers.is_none_or(|wanted| world.task_managers(&self.cluster()) == wanted)
            && is(allows_non_restored_state, &|| {
                world.runs().last().is_some_and(|run| run.allows_non_restored_state)
            })
    }

    fn is_untouched(&self, calls: &[CallRecord]) -> bool {
        let ours = |kind: Kind| kind == Kind::FLINK_DEPLOYMENT || kind == Kind::EVENT;
        let (before, later) = calls.split_at(self.taken_over.unwrap_or(0).min(calls.len()));
        // An operator from before may still be there.
        let oldest = before.iter().map(|call| call.operator).max().unwrap_or(0);
        let mut writes = later.iter().filter(|call| call.operator > oldest && call.kind.is_write());
        writes.all(|call| match call.kind {
            CallKind::Create(kind)
            | CallKind::Apply(kind)
            | CallKind::Status(kind)
            | CallKind::Patch(kind)
            | CallKind::Delete(kind) => ours(kind),
            CallKind::Get(_)
            | CallKind::List(_)
            | CallKind::Flink(_)
            | CallKind::Fetch
            | CallKind::DeleteNodes => false,
        })
    }

    fn nothing_left(&self, server: &ApiServer) -> bool {
        let left = server
            .everything()
            .into_iter()
            // A FlinkStateSnapshot names a savepoint, which belongs to the user and outlives the cluster.
            .filter(|(kind, _, _)| *kind != Kind::EVENT && *kind != Kind::FLINK_STATE_SNAPSHOT)
            .filter(|(_, key, _)| !self.created.contains(&key.name));
        left.count() == 0
    }
}

/// FlinkStateSnapshots of that type, cause and state.
fn snapshots_of(server: &ApiServer, wanted: &str) -> Vec<Arc<Value>> {
    let text = |object: &Value, pointer: &str| {
        object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let shown = |object: &Arc<Value>| {
        let kind = text(object, "/metadata/labels/snapshot.type");
        let cause = text(object, "/metadata/labels/snapshot.trigger-type");
        format!("{kind} {cause} {}", text(object, "/status/state"))
    };
    server.all(Kind::FLINK_STATE_SNAPSHOT).into_iter().filter(|object| shown(object) == wanted).collect()
}

fn number_of_savepoints(world: &World) -> usize {
    let written = world.storage().all().into_iter();
    written
        .filter(|it| {
            it.kind == flink_client::stub::SnapshotKind::Savepoint
                && !it.deleted
                && !OUTSIDE.contains(&it.path.as_str())
        })
        .count()
}

fn operator_starts(world: &World) -> usize {
    world.runs().iter().filter(|run| !run.is_restart).count()
}

fn found(server: &ApiServer, api_version: &str, kind: &str, name: &str) -> Option<Arc<Value>> {
    server.read(Kind::find(api_version, kind)?, &ObjectKey::new(NAMESPACE, name))
}

fn is_in(server: &ApiServer, state: &ObjectState) -> bool {
    let ObjectState { api_version, kind, name, at } = state;
    found(server, api_version, kind, name).is_some_and(|object| {
        at.iter().all(|(pointer, wanted)| object.pointer(pointer).unwrap_or(&Value::Null) == wanted)
    })
}

fn delete_deployment(server: &ApiServer, name: &str) {
    let options = DeleteOptions { uid: None, propagation: Propagation::Foreground };
    drop(server.delete_object(Kind::DEPLOYMENT, &ObjectKey::new(NAMESPACE, name), &options));
}

fn delete_pods(server: &ApiServer, component: &str) {
    for pod in server.all(Kind::POD) {
        let of_component = pod.pointer("/metadata/labels/component").and_then(Value::as_str);
        if pod.pointer("/metadata/deletionTimestamp").is_none()
            && of_component == Some(component)
            && let Some(name) = pod.pointer("/metadata/name").and_then(Value::as_str)
        {
            drop(server.delete_object(Kind::POD, &ObjectKey::new(NAMESPACE, name), &background()));
        }
    }
}

fn delete_ha_metadata(server: &ApiServer) {
    for map in server.all(Kind::CONFIG_MAP) {
        let name = map.pointer("/metadata/name").and_then(Value::as_str);
        if let Some(name) = name.filter(|name| name.ends_with(HA_SUFFIX)) {
            drop(server.delete_object(Kind::CONFIG_MAP, &ObjectKey::new(NAMESPACE, name), &background()));
        }
    }
}

/// Runs something on the job that is alive.
fn with_job(
    world: &World,
    cluster: &ObjectKey,
    action: impl FnOnce(&mut FlinkState, &flink_client::JobId, jiff::Timestamp),
) {
    world.with_flink(cluster, |flink, now| {
        let live = flink.live_jobs();
        if let Some(job) = live.first() {
            action(flink, job, now);
        }
    });
    world.step();
}

/// Whether a job is one of those that [`Action::RunJob`] runs.
pub(crate) fn is_somebody_elses(job: &str) -> bool {
    job.starts_with("000000000000000000000000")
}

/// Runs a job on the cluster that the operator knows nothing of.
fn run_job(world: &World, cluster: &ObjectKey, number: u32) {
    let plan = JobPlan { checkpoint_interval: Some(Duration::from_secs(30)), ..JobPlan::named("other") };
    let job = flink_client::JobId::from_u128(u128::from(number));
    world.run_job(cluster, Submission { job, plan, restore_path: None });
    world.step();
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

fn behave(plan: &mut JobPlan, behaviour: &JobBehaviour) {
    let JobBehaviour {
        savepoints_fail,
        stop_fails_after_savepoint,
        savepoints_hang,
        snapshot_seconds,
        cancel_seconds,
        fails_after_seconds,
        restarts,
        no_checkpoints,
        ends_without_slots,
    } = behaviour;
    plan.ends_without_slots = *ends_without_slots;
    plan.savepoints = match savepoints_fail {
        Some(text) if !text.is_empty() => SavepointBehaviour::Fails(text.clone()),
        Some(_) | None if *savepoints_hang => SavepointBehaviour::Hangs,
        Some(_) | None if *stop_fails_after_savepoint => SavepointBehaviour::FailsAfterCompletion,
        Some(_) | None => SavepointBehaviour::Works,
    };
    if let Some(time) = snapshot_seconds {
        plan.snapshot = seconds(*time);
    }
    if let Some(time) = cancel_seconds {
        plan.cancelling = seconds(*time);
    }
    if *no_checkpoints {
        plan.checkpoint_interval = None;
    }
    plan.end = match fails_after_seconds {
        Some(after) => JobEnd::Fails {
            after: seconds(*after),
            text: "the job is broken".to_owned(),
            restarts: restarts.unwrap_or(3),
            delay: Duration::from_secs(1),
        },
        None => JobEnd::Never,
    };
}
