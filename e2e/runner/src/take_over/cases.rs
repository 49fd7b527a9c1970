//! What is taken over: each case makes a cluster as the Java operator left it, and says what works afterwards.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::java_state::{CLUSTER, JavaState, Shape};
use super::recorded::Moment;
use super::sessions;
use crate::kubernetes::{Kind, text};
use crate::scenarios::ledger::Ledger;
use crate::timeline::place::Place;

/// Longest time to wait for anything.
const LIMIT: Duration = Duration::from_mins(4);

/// A state of a cluster and of its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    /// The job runs; savepoint mode without high availability.
    Running,
    /// The job runs; last-state mode with Kubernetes high availability.
    RunningWithHa,
    /// The job was stopped with a savepoint; its JobManager is still there.
    Suspended,
    /// The job finished by itself; its JobManager is still there.
    Finished,
    /// The Java operator ended after it had created the cluster, before it recorded that.
    Created,
    /// The Java operator ended in the middle of an upgrade: the job is stopped with a savepoint, and that is recorded.
    Upgrading,
    /// A session cluster of Flink 1.20 in native mode.
    Session,
    /// The same of Flink 2.2.
    SessionOn22,
    /// A session cluster with Kubernetes high availability, which the Java operator has recovered once.
    SessionWithHa,
    /// The Java operator ended while the JobManager of a session cluster came up.
    SessionDeploying,
    /// A session cluster in standalone mode.
    StandaloneSession,
}

impl Case {
    pub(super) const ALL: [Self; 11] = [
        Self::Running,
        Self::RunningWithHa,
        Self::Suspended,
        Self::Finished,
        Self::Created,
        Self::Upgrading,
        Self::Session,
        Self::SessionOn22,
        Self::SessionWithHa,
        Self::SessionDeploying,
        Self::StandaloneSession,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::RunningWithHa => "running-with-ha",
            Self::Suspended => "suspended",
            Self::Finished => "finished",
            Self::Created => "created",
            Self::Upgrading => "upgrading",
            Self::Session => "session",
            Self::SessionOn22 => "session-2-2",
            Self::SessionWithHa => "session-with-ha",
            Self::SessionDeploying => "session-deploying",
            Self::StandaloneSession => "standalone-session",
        }
    }

    pub(super) fn is_session(self) -> bool {
        self.shape() != Shape::Application
    }

    /// The form of the objects.
    pub(super) fn shape(self) -> Shape {
        match self {
            Self::Running
            | Self::RunningWithHa
            | Self::Suspended
            | Self::Finished
            | Self::Created
            | Self::Upgrading => Shape::Application,
            Self::Session | Self::SessionDeploying => Shape::Session,
            Self::SessionOn22 => Shape::SessionOn22,
            Self::SessionWithHa => Shape::SessionWithVolume,
            Self::StandaloneSession => Shape::StandaloneSession,
        }
    }

    /// Whether the Java operator was at rest, so that ours has nothing to go on with.
    pub(super) fn is_at_rest(self) -> bool {
        !matches!(self, Self::Created | Self::Upgrading | Self::SessionDeploying)
    }

    /// The recorded moment, the last status of a quiet time.
    pub(super) fn moment(self) -> Result<Moment> {
        let state = |status: &Value, lifecycle: &str, job: &str| {
            text(status, "/lifecycleState") == lifecycle && text(status, "/jobStatus/state") == job
        };
        let ready = |status: &Value| {
            text(status, "/lifecycleState") == "STABLE"
                && text(status, "/jobManagerDeploymentStatus") == "READY"
        };
        match self {
            Self::Running => {
                Moment::find("03-app-savepoint-upgrade", |status| state(status, "STABLE", "RUNNING"))
            }
            Self::RunningWithHa => {
                Moment::find("04-app-last-state-upgrade", |status| state(status, "STABLE", "RUNNING"))
            }
            Self::Suspended => {
                Moment::find("05a-suspend-resume-savepoint", |status| state(status, "SUSPENDED", "FINISHED"))
            }
            Self::Created => Moment::find("03-app-savepoint-upgrade", |status| {
                let created = text(status, "/jobManagerDeploymentStatus") == "MISSING";
                created && !text(status, "/jobStatus/jobId").is_empty()
            }),
            Self::Upgrading => Moment::find("03-app-savepoint-upgrade", |status| {
                let cluster_there = text(status, "/jobManagerDeploymentStatus") == "READY";
                state(status, "UPGRADING", "FINISHED") && cluster_there
            }),
            Self::Finished => Moment::find("13a-job-finishes", |status| state(status, "STABLE", "FINISHED")),
            Self::Session | Self::SessionOn22 => Moment::find("07-session-two-jobs", ready),
            Self::SessionWithHa => Moment::find("12c-session-ha-recovery", ready),
            Self::SessionDeploying => Moment::find("07-session-two-jobs", |status| {
                text(status, "/jobManagerDeploymentStatus") == "DEPLOYING"
            }),
            Self::StandaloneSession => Moment::find("16b-standalone-session", ready),
        }
    }

    /// Arguments of the job that counts.
    pub(super) fn arguments(self) -> Vec<String> {
        let mut arguments = vec!["--ledger", "/flink-data", "--name", "first", "--rate", "100"];
        if self == Self::Finished {
            // No checkpoints, like the recorded job.
            arguments.extend(["--count", "500"]);
        }
        arguments.into_iter().map(str::to_owned).collect()
    }

    /// Makes the state real, up to the status that the Java operator wrote last.
    pub(super) async fn prepare(self, state: &JavaState<'_>) -> Result<()> {
        if self.is_session() {
            return sessions::prepare(self, state).await;
        }
        let place = state.place;
        state.create().await?;
        let wanted = if self == Self::Finished { "FINISHED" } else { "RUNNING" };
        let id = state.moment.job().to_owned();
        let mut job = wait_for_job(place, &id, wanted).await?;
        if self != Self::Finished {
            counted(place, "first", 1).await?;
        }
        for patch in &state.moment.patches {
            place.cluster.patch(Kind::FlinkDeployment, &place.namespace, CLUSTER, patch).await?;
        }
        let mut savepoint = None;
        if matches!(self, Self::Suspended | Self::Upgrading) {
            let directory =
                state.moment.option("state.savepoints.dir").context("no directory for savepoints")?;
            savepoint = Some(stop(place, &id, directory).await?);
            job = wait_for_job(place, &id, "FINISHED").await?;
        }
        let status = json!({"status": state.status(&job, savepoint.as_deref())?});
        place.cluster.patch_status(Kind::FlinkDeployment, &place.namespace, CLUSTER, &status).await?;
        Ok(())
    }

    /// Changes the spec, if nothing is to be gone on with, and looks that the job continues where it was.
    pub(super) async fn go_on(self, place: &Place) -> Result<String> {
        let spec = match self {
            Self::Session
            | Self::SessionOn22
            | Self::SessionWithHa
            | Self::SessionDeploying
            | Self::StandaloneSession => return sessions::go_on(self, place).await,
            Self::Running | Self::Created => json!({"job": {"parallelism": 1}}),
            Self::Upgrading => json!({}),
            Self::RunningWithHa => json!({"flinkConfiguration": {"taskmanager.numberOfTaskSlots": "4"}}),
            Self::Suspended => json!({"job": {"state": "running"}}),
            Self::Finished => {
                let arguments = self.arguments().into_iter();
                let other = arguments
                    .map(|argument| if argument == "first" { "second".to_owned() } else { argument });
                json!({"job": {"args": other.collect::<Vec<_>>()}})
            }
        };
        let (cluster, namespace) = (&place.cluster, place.namespace.as_str());
        cluster.patch(Kind::FlinkDeployment, namespace, CLUSTER, &json!({"spec": spec})).await?;
        let job = if self == Self::Finished { "FINISHED" } else { "RUNNING" };
        until(&format!("{spec} is STABLE with job {job}"), async || {
            let resource = cluster.get(Kind::FlinkDeployment, namespace, CLUSTER).await?.unwrap_or_default();
            let status = &resource["status"];
            let done = text(status, "/lifecycleState") == "STABLE"
                && text(status, "/jobStatus/state") == job
                && status["observedGeneration"] == resource["metadata"]["generation"];
            let state = || format!("{} {}", status["lifecycleState"], status["error"]);
            Ok(if done { Ok(()) } else { Err(state()) })
        })
        .await?;
        if self == Self::Finished {
            let ledger = Ledger::of_file(&place.data.join("second.jsonl"))?;
            ensure!(ledger.number("finished")? == 1, "the job did not finish: {ledger}");
            return Ok(format!("the changed job finished: {ledger}"));
        }
        let ledger = counted(place, "first", 2).await?;
        ensure!(ledger.number("restored")? == 1, "the job did not start from its state: {ledger}");
        Ok(ledger.to_string())
    }
}

/// Waits until the job has started so often, has counted and completed a checkpoint, with nothing lost or doubled.
pub(super) async fn counted(place: &Place, name: &str, starts: u64) -> Result<Ledger> {
    let file = place.data.join(format!("{name}.jsonl"));
    until(&format!("{name} counts in start {starts}"), async || {
        let ledger = match Ledger::of_file(&file) {
            Ok(ledger) => ledger,
            Err(error) => return Ok(Err(format!("{error:#}"))),
        };
        let counts = ledger.number("sequence")? > 100 && ledger.number("completed")? > 0;
        let enough = ledger.number("starts")? == starts;
        Ok(if counts && enough { Ok(ledger) } else { Err(ledger.to_string()) })
    })
    .await
}

/// Waits until Flink says that the job is in a state, and returns what it says.
pub(super) async fn wait_for_job(place: &Place, id: &str, state: &str) -> Result<Value> {
    until(&format!("job {id} is {state}"), async || {
        let job = match place.cluster.ask_flink(&place.namespace, CLUSTER, "/jobs/overview").await {
            Ok(overview) => {
                overview["jobs"].as_array().into_iter().flatten().find(|job| job["jid"] == id).cloned()
            }
            Err(error) => return Ok(Err(format!("{error:#}"))),
        };
        let Some(job) = job else { return Ok(Err("no such job".to_owned())) };
        let running = job["tasks"]["running"] == job["tasks"]["total"];
        let there = job["state"] == state && (state != "RUNNING" || running);
        Ok(if there { Ok(job) } else { Err(job["state"].to_string()) })
    })
    .await
}

/// Stops the job with a savepoint, as the Java operator does, and returns where that lies.
async fn stop(place: &Place, id: &str, directory: &str) -> Result<String> {
    let (cluster, namespace) = (&place.cluster, place.namespace.as_str());
    let request = json!({"targetDirectory": directory, "drain": false, "formatType": "CANONICAL"});
    let accepted = cluster.tell_flink(namespace, CLUSTER, &format!("/jobs/{id}/stop"), &request).await?;
    let path = format!("/jobs/{id}/savepoints/{}", text(&accepted, "/request-id"));
    until("the savepoint", async || {
        let answer = cluster.ask_flink(namespace, CLUSTER, &path).await?;
        let location = text(&answer, "/operation/location").to_owned();
        Ok(match text(&answer, "/status/id") {
            "COMPLETED" if !location.is_empty() => Ok(location),
            "COMPLETED" => bail!("the savepoint failed: {answer}"),
            other => Err(other.to_owned()),
        })
    })
    .await
}

/// Looks several times a second; `Err` says what is there instead.
pub(super) async fn until<T>(what: &str, look: impl AsyncFn() -> Result<Result<T, String>>) -> Result<T> {
    let began = Instant::now();
    loop {
        let instead = match look().await? {
            Ok(found) => return Ok(found),
            Err(instead) => instead,
        };
        if began.elapsed() > LIMIT {
            bail!("not within {} s: {what}; instead: {instead}", LIMIT.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}
