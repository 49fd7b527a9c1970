//! Whether something that a recorder waited for is there.

use std::collections::BTreeSet;

use anyhow::Result;
use serde_json::Value;

use super::line::{Line, Resource, What};
use super::place::Place;
use super::step::Observation;
use crate::kubernetes::{Kind, text};

/// States that pass: they count although the status does not yet speak of the newest generation.
const PASSING: [&str; 3] = ["UPGRADING", "ROLLING_BACK", "DELETING"];

/// What happened since the last action.
pub(super) struct Since {
    /// Lines of the timeline.
    pub(super) lines: Vec<Line>,
    /// And those before.
    pub(super) all: Vec<Line>,
    /// `jobStatus.startTime` before the action.
    pub(super) start_time: String,
}

impl Since {
    fn states(&self, cluster: &str) -> Vec<&Resource> {
        let of_cluster = |line: &&Line| matches!(&line.what, What::Cr(cr) if cr.name == cluster);
        let lines = self.lines.iter().filter(of_cluster);
        lines.filter_map(|line| if let What::Cr(cr) = &line.what { Some(cr) } else { None }).collect()
    }

    /// The states of the snapshots, unless one of them is in the wanted one.
    fn snapshots(&self, name: Option<&str>, wanted: &str) -> Option<String> {
        let named = |cr: &&Resource| name.is_none_or(|name| cr.name == name);
        let found: Vec<&str> = self
            .lines
            .iter()
            .filter_map(Line::snapshot)
            .filter(named)
            .map(|cr| cr.status.as_ref().map_or("no status", |status| text(status, "/state")))
            .collect();
        (!found.contains(&wanted)).then(|| format!("snapshots {}", found.join(", ")))
    }

    fn any(&self, cluster: &str, holds: impl Fn(&Value) -> bool) -> bool {
        self.states(cluster).iter().filter_map(|cr| cr.status.as_ref()).any(holds)
    }
}

/// Whether it is there; if not, what is there instead.
pub(super) async fn holds(place: &Place, since: &Since, what: &Observation) -> Result<Option<String>> {
    Ok(match what {
        Observation::Lifecycle { name, state, .. } => {
            let there = since.states(name).iter().any(|cr| {
                cr.status.as_ref().is_some_and(|status| {
                    let current = PASSING.contains(&state.as_str()) || is_current(cr, status);
                    text(status, "/lifecycleState") == state && current
                })
            });
            answer(there, since, name)
        }
        Observation::Gone { name, .. } => {
            answer(since.states(name).iter().any(|cr| cr.change == "DELETED"), since, name)
        }
        Observation::Ready { cluster, job } => answer(is_ready_again(since, cluster, *job), since, cluster),
        Observation::NotReady { cluster } => {
            answer(since.any(cluster, |status| !is_ready(status)), since, cluster)
        }
        Observation::Job { cluster, state, again, or_error } => {
            let there = since.states(cluster).iter().any(|cr| {
                cr.status.as_ref().is_some_and(|status| {
                    let other_run = text(status, "/jobStatus/startTime") != since.start_time;
                    let settled = text(status, "/reconciliationStatus/state") == "DEPLOYED";
                    let in_state =
                        text(status, "/jobStatus/state") == state && settled && is_current(cr, status);
                    in_state && (!again || other_run) || *or_error && !text(status, "/error").is_empty()
                })
            });
            answer(there, since, cluster)
        }
        Observation::Error { cluster } => {
            answer(since.any(cluster, |status| !text(status, "/error").is_empty()), since, cluster)
        }
        Observation::DeploymentGone { cluster } => {
            let found = place.cluster.get(Kind::Deployment, &place.namespace, cluster).await?;
            found.map(|_| "the Deployment is there".to_owned())
        }
        Observation::Checkpoints { cluster, count } => {
            let completed = completed_checkpoints(place, cluster).await;
            match completed {
                Ok(completed) if completed >= *count => None,
                Ok(completed) => Some(format!("{completed} completed")),
                Err(error) => Some(format!("{error:#}")),
            }
        }
        Observation::Snapshots { name, state } => since.snapshots(name.as_deref(), state),
        Observation::Periodic { count } => {
            let ended = |change: &str, state: &str| {
                let lines = since.all.iter().filter_map(Line::snapshot);
                let there = lines.filter(|cr| {
                    let found = cr.status.as_ref().map(|status| text(status, "/state"));
                    cr.change == change || found == Some(state)
                });
                there.map(|cr| cr.name.as_str()).collect::<BTreeSet<_>>().len()
            };
            let (completed, deleted) = (ended("", "COMPLETED"), ended("DELETED", ""));
            (completed < *count && deleted == 0).then(|| format!("{completed} are complete"))
        }
        Observation::JobField { cluster, pointer } => {
            answer(since.any(cluster, |status| status.pointer(pointer).is_some()), since, cluster)
        }
        Observation::Time => None,
    })
}

fn answer(there: bool, since: &Since, cluster: &str) -> Option<String> {
    if there {
        return None;
    }
    let last = since.states(cluster).into_iter().next_back();
    let status = last.and_then(|cr| cr.status.as_ref());
    Some(status.map_or_else(
        || "no status".to_owned(),
        |status| {
            let word = |pointer| text(status, pointer).to_owned();
            [
                word("/lifecycleState"),
                word("/jobManagerDeploymentStatus"),
                word("/jobStatus/state"),
                word("/reconciliationStatus/state"),
                word("/error"),
            ]
            .join(" ")
        },
    ))
}

fn is_current(cr: &Resource, status: &Value) -> bool {
    cr.generation == status["observedGeneration"].as_i64()
}

fn is_ready(status: &Value) -> bool {
    text(status, "/jobManagerDeploymentStatus") == "READY"
}

/// It was not READY since the action, and it is now.
fn is_ready_again(since: &Since, cluster: &str, job: bool) -> bool {
    let states = since.states(cluster);
    let last = states.last().and_then(|cr| cr.status.as_ref());
    let now = last
        .is_some_and(|status| is_ready(status) && (!job || text(status, "/jobStatus/state") == "RUNNING"));
    now && since.any(cluster, |status| !is_ready(status))
}

/// As Flink counts them, since its JobManager began.
pub(super) async fn completed_checkpoints(place: &Place, cluster: &str) -> Result<u64> {
    let job = job_of(place, cluster).await?;
    let path = format!("/jobs/{job}/checkpoints");
    let answer = place.cluster.ask_flink(&place.namespace, cluster, &path).await?;
    Ok(answer["counts"]["completed"].as_u64().unwrap_or_default())
}

/// The id of the job that the status names.
pub(super) async fn job_of(place: &Place, cluster: &str) -> Result<String> {
    let resource =
        place.cluster.get(Kind::FlinkDeployment, &place.namespace, cluster).await?.unwrap_or_default();
    Ok(text(&resource, "/status/jobStatus/jobId").to_owned())
}
