//! Pods: their containers begin, wait, run and end.

use std::sync::Arc;

use engine::ports::{Kind, ObjectKey};
use flink_client::stub::{ClusterSettings, FlinkState, JobManagerRestart, Submission};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::boot::{self, Boot, text};
use super::entry_point::Process;
use super::runs::Run;
use super::task_managers::TaskManager;
use super::{GENERATION, Inner};

/// Where a pod's container is.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// Nothing has begun.
    Pending,
    /// It cannot begin; looked at again from time to time.
    Waiting,
    /// The process has begun and waits for an earlier leader of the same cluster to end.
    Standby(Box<Boot>),
    /// Flink's JobManager runs.
    Running(Box<JobManager>),
    /// Flink's TaskManager runs.
    TaskManager(TaskManager),
}

/// The Flink of one process.
#[derive(Clone, Debug)]
pub(super) struct JobManager {
    pub(super) boot: Boot,
    pub(super) flink: FlinkState,
    pub(super) ready_at: Timestamp,
    pub(super) is_ready: bool,
    /// Index in the list of runs.
    pub(super) run: Option<usize>,
}

/// One pod, as long as its processes live.
#[derive(Clone, Debug)]
pub(super) struct Pod {
    pub(super) key: ObjectKey,
    pub(super) uid: String,
    pub(super) deployment: String,
    pub(super) starts: Timestamp,
    /// When its processes end, once it is being deleted.
    pub(super) ends: Option<Timestamp>,
    pub(super) phase: Phase,
}

impl Pod {
    /// When something happens to it by itself.
    pub(super) fn next_event(&self, now: Timestamp) -> Option<Timestamp> {
        let phase = match &self.phase {
            Phase::Pending => Some(self.starts),
            Phase::Waiting | Phase::Standby(_) | Phase::TaskManager(_) => None,
            Phase::Running(manager) => {
                let ready = (!manager.is_ready).then_some(manager.ready_at);
                [ready, manager.flink.next_event()].into_iter().flatten().min()
            }
        };
        [phase, self.ends].into_iter().flatten().filter(|at| *at > now).min()
    }
}

fn main_container(pod: &Value) -> Option<&Value> {
    pod.pointer("/spec/containers")?.as_array()?.first()
}

fn generation(deployment: &Value) -> Option<i64> {
    deployment.pointer("/metadata/annotations")?.get(GENERATION)?.as_str()?.parse().ok()
}

impl Inner {
    /// One look at every pod.
    pub(super) fn run_pods(&mut self, now: Timestamp) {
        self.meet_new_pods(now);
        let uids: Vec<String> = self.pods.keys().cloned().collect();
        for uid in uids {
            if let Some(mut pod) = self.pods.remove(&uid)
                && self.run_pod(&mut pod, now)
            {
                self.pods.insert(uid, pod);
            }
        }
    }

    fn meet_new_pods(&mut self, now: Timestamp) {
        for object in self.server.all(Kind::POD) {
            let uid = text(&object, "/metadata/uid").to_owned();
            let ends = match Process::of(&object) {
                Process::TaskManager => now + self.settings.task_manager_termination,
                _ => now + self.settings.termination,
            };
            let terminating = object.pointer("/metadata/deletionTimestamp").is_some();
            let starts = now + self.settings.container_start;
            let pod = self.pods.entry(uid.clone()).or_insert_with(|| Pod {
                key: ObjectKey::new(text(&object, "/metadata/namespace"), text(&object, "/metadata/name")),
                uid,
                deployment: text(&object, "/metadata/ownerReferences/0/uid").to_owned(),
                starts,
                ends: None,
                phase: Phase::Pending,
            });
            if terminating && pod.ends.is_none() {
                pod.ends = Some(ends);
            }
        }
    }

    /// Returns whether the pod still exists.
    fn run_pod(&mut self, pod: &mut Pod, now: Timestamp) -> bool {
        let Some(object) =
            self.server.read(Kind::POD, &pod.key).filter(|it| text(it, "/metadata/uid") == pod.uid)
        else {
            // Removed without grace: its processes end with it.
            self.end_process(pod, now);
            return false;
        };
        if pod.ends.is_some_and(|ends| ends <= now) {
            self.end_process(pod, now);
            self.server.end_pod(&pod.key);
            return false;
        }
        if pod.ends.is_none() && pod.starts <= now && matches!(pod.phase, Phase::Pending | Phase::Waiting) {
            self.start_container(pod, &object);
        }
        if let Phase::Standby(boot) = &pod.phase
            && pod.ends.is_none()
            && !self.has_earlier_leader(pod)
        {
            let boot = boot.clone();
            self.lead(pod, &object, *boot, now);
        }
        self.run_process(pod, now);
        true
    }

    fn has_earlier_leader(&self, pod: &Pod) -> bool {
        let cluster = match &pod.phase {
            Phase::Standby(boot) if boot.ha => &boot.cluster,
            _ => return false,
        };
        self.pods.values().any(|other| match &other.phase {
            Phase::Running(manager) => manager.boot.ha && manager.boot.cluster == *cluster,
            _ => false,
        })
    }

    fn start_container(&mut self, pod: &mut Pod, object: &Value) {
        let image =
            main_container(object).map(|container| text(container, "/image").to_owned()).unwrap_or_default();
        if self.settings.missing_images.iter().any(|missing| image.contains(missing.as_str())) {
            let message = format!("Back-off pulling image \"{image}\"");
            self.wait(pod, "ImagePullBackOff", &message);
            return;
        }
        let process = Process::of(object);
        let crash_loop = self.settings.crash_loop.clone();
        if let Some(message) = crash_loop.filter(|_| process != Process::TaskManager) {
            self.wait(pod, "CrashLoopBackOff", &message);
            return;
        }
        match boot::configuration(&self.server, object) {
            Ok(conf) => {
                // Nothing probes a TaskManager: it counts as ready when it has begun.
                let ready = process == Process::TaskManager;
                pod.phase = if ready {
                    Phase::TaskManager(TaskManager::read(&conf, object))
                } else {
                    Phase::Standby(Box::new(Boot::read(&conf, &process, object, &self.settings.plan)))
                };
                let state = json!({"running": {}});
                self.set_container(&pod.key, object, &state, ready);
            }
            // The volumes are not there yet; the kubelet tries again.
            Err(_) => pod.phase = Phase::Waiting,
        }
    }

    fn wait(&mut self, pod: &mut Pod, reason: &str, message: &str) {
        if let (Some(object), Phase::Pending) = (self.server.read(Kind::POD, &pod.key), &pod.phase) {
            let state = json!({"waiting": {"reason": reason, "message": message}});
            self.set_container(&pod.key, &object, &state, false);
        }
        pod.phase = Phase::Waiting;
    }

    fn set_container(&self, key: &ObjectKey, pod: &Value, state: &Value, ready: bool) {
        let name = main_container(pod).map(|container| text(container, "/name")).unwrap_or_default();
        let condition = if ready { "True" } else { "False" };
        let status = json!({
            "phase": if state.get("running").is_some() { "Running" } else { "Pending" },
            "conditions": [
                {"type": "Ready", "status": condition},
                {"type": "PodReadyToStartContainers", "status": "True"},
            ],
            "containerStatuses": [{"name": name, "state": state, "ready": ready}],
        });
        self.server.change(Kind::POD, key, |pod| {
            if let Some(fields) = pod.as_object_mut() {
                fields.insert("status".to_owned(), status);
            }
        });
    }

    /// The JobManager takes up its work: alone, or as the leader.
    fn lead(&mut self, pod: &mut Pod, object: &Value, boot: Boot, now: Timestamp) {
        let (checkpoint, old_program) = if boot.ha { boot.lead(&self.server) } else { (None, false) };
        let ready_at = now + self.settings.job_manager_start;
        let mut flink = FlinkState::new(boot.settings.clone(), self.storage.clone(), now);
        flink.not_ready_until(ready_at);
        let mut run = None;
        // Jobs of a session cluster are recovered as long as its metadata is there.
        if boot.job.is_none()
            && boot.ha
            && boot.has_programs(&self.server)
            && let Some(before) = self.sessions.get(&boot.cluster)
        {
            flink = before.clone();
            flink.restart_jobmanager(JobManagerRestart::WithHa, self.settings.job_manager_start, now);
        }
        if let Some(job) = boot.job.clone() {
            let ended = self.ended_jobs.get(&(boot.result_store.clone(), job.clone())).filter(|_| boot.ha);
            if let Some(before) = ended {
                flink = before.clone();
                flink.restart_jobmanager(JobManagerRestart::WithHa, self.settings.job_manager_start, now);
            } else {
                let restored = checkpoint.or_else(|| boot.restore_path.clone());
                if boot.ha {
                    boot.accept(&self.server, &job);
                }
                let is_restart =
                    self.runs.iter().any(|run| run.deployment == pod.deployment && run.job == job);
                let submission =
                    Submission { job: job.clone(), plan: boot.plan.clone(), restore_path: restored.clone() };
                if flink.submit(submission, now).is_ok() {
                    let deployment = self.deployment_of(pod, object);
                    run = Some(self.runs.len());
                    self.runs.push(Run {
                        cluster: boot.cluster.clone(),
                        resource: boot.cluster.clone(),
                        owner: deployment
                            .as_ref()
                            .map(|it| text(it, "/metadata/ownerReferences/0/uid").to_owned())
                            .unwrap_or_default(),
                        deployment: pod.deployment.clone(),
                        generation: deployment.as_ref().and_then(|it| generation(it)),
                        pod: pod.uid.clone(),
                        job,
                        configured: boot.restore_path.clone(),
                        allows_non_restored_state: boot.allows_non_restored_state,
                        restored,
                        is_restart,
                        old_program: old_program && !is_restart,
                        began: now,
                        ended: None,
                    });
                }
            }
        }
        // What an earlier process knew of its TaskManagers is over.
        let ClusterSettings { taskmanagers, slots, .. } = boot.settings;
        let settings = flink.settings_mut();
        (settings.taskmanagers, settings.slots) = (taskmanagers, slots);
        pod.phase = Phase::Running(Box::new(JobManager { boot, flink, ready_at, is_ready: false, run }));
    }

    fn deployment_of(&self, pod: &Pod, object: &Value) -> Option<Arc<Value>> {
        let name = text(object, "/metadata/ownerReferences/0/name");
        let deployment = self.server.read(Kind::DEPLOYMENT, &ObjectKey::new(&pod.key.namespace, name))?;
        (text(&deployment, "/metadata/uid") == pod.deployment).then_some(deployment)
    }

    /// Lets Flink go on, and stores what it stores in its HA metadata.
    fn run_process(&mut self, pod: &mut Pod, now: Timestamp) {
        let Phase::Running(manager) = &mut pod.phase else { return };
        manager.flink.advance(now);
        if !manager.is_ready && manager.ready_at <= now && pod.ends.is_none() {
            manager.is_ready = true;
            if let Some(object) = self.server.read(Kind::POD, &pod.key) {
                let state = json!({"running": {}});
                self.set_container(&pod.key, &object, &state, true);
            }
        }
        let Phase::Running(manager) = &mut pod.phase else { return };
        let Some(job) = manager.boot.job.clone() else { return };
        let Some(state) = manager.flink.job(&job).map(flink_client::stub::StubJob::state) else { return };
        if state.is_globally_terminal() {
            if let Some(run) = manager.run.and_then(|run| self.runs.get_mut(run)) {
                run.ended.get_or_insert(now);
            }
            let result = (manager.boot.result_store.clone(), job.clone());
            if manager.boot.ha && !self.ended_jobs.contains_key(&result) {
                manager.boot.forget(&self.server, &job);
                self.ended_jobs.insert(result, manager.flink.clone());
            }
        } else if manager.boot.ha {
            self.store_newest_checkpoint(&pod.phase, &job);
        }
    }

    fn store_newest_checkpoint(&self, phase: &Phase, job: &flink_client::JobId) {
        let Phase::Running(manager) = phase else { return };
        let Some(newest) = self.newest_checkpoint(job) else { return };
        let replaced = manager.boot.store_checkpoint(&self.server, job, newest.checkpoint_id, &newest.path);
        if let Some(replaced) = replaced {
            // The HA metadata names it no longer, so its files go (unless it is somebody else's, or a savepoint).
            let own = self
                .storage
                .get(&replaced)
                .is_some_and(|it| it.job == *job && it.kind == flink_client::stub::SnapshotKind::Checkpoint);
            if own && replaced != newest.path {
                self.storage.delete(&replaced);
            }
        }
    }

    pub(super) fn newest_checkpoint(
        &self,
        job: &flink_client::JobId,
    ) -> Option<flink_client::stub::StoredSnapshot> {
        let all = self.storage.all().into_iter().filter(|it| it.job == *job && !it.deleted);
        all.filter(|it| it.kind == flink_client::stub::SnapshotKind::Checkpoint)
            .max_by_key(|it| it.checkpoint_id)
    }

    fn end_process(&mut self, pod: &mut Pod, now: Timestamp) {
        if let Phase::Running(manager) = &pod.phase {
            for run in self.runs.iter_mut().filter(|run| run.pod == pod.uid) {
                run.ended.get_or_insert(now);
            }
            if manager.boot.ha && manager.boot.job.is_none() {
                self.sessions.insert(manager.boot.cluster.clone(), manager.flink.clone());
            }
            self.older = Some((manager.flink.clone(), now));
        }
        pod.phase = Phase::Waiting;
    }
}
