//! What is compared of a timeline: the orders of states and Events of each resource.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde_json::Value;

use super::line::{self, Line, Resource, What};
use super::snapshots::{self, SNAPSHOT, Snapshots};
use crate::kubernetes::text;

/// Components of the Events that the operator records itself.
const COMPONENTS: [&str; 4] = ["Operator", "JobManagerDeployment", "Job", "Snapshot"];

/// The orders of one resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sequences {
    pub(super) lifecycle: Vec<String>,
    /// `jobManagerDeploymentStatus`.
    pub(super) job_manager: Vec<State>,
    /// `jobStatus.state`.
    pub(super) job: Vec<String>,
    pub(super) events: Vec<Event>,
    /// How many upgrades were overtaken by the next and are not in these sequences.
    pub(super) overtaken: u32,
}

/// A state, and why it is an error if the status says so.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct State {
    pub(super) name: String,
    /// `additionalMetadata.reason` of `status.error`.
    pub(super) reason: String,
    /// Whether a job got beyond its start meanwhile, or there is none.
    pub(super) job_ran: bool,
}

impl State {
    /// A state of a cluster whose job runs, without an error.
    pub(super) fn of_cluster(state: &str) -> Self {
        Self { name: state.to_owned(), reason: String::new(), job_ran: true }
    }
}

/// An Event as it is compared.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    pub(super) severity: String,
    pub(super) component: String,
    pub(super) reason: String,
    /// States before and after, of a JobStatusChanged.
    pub(super) change: Option<(String, String)>,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.severity, self.component, self.reason)?;
        match &self.change {
            Some((from, to)) => write!(f, " {from} -> {to}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The kinds of resources that run jobs.
pub(super) const KINDS: [&str; 2] = ["FlinkDeployment", "FlinkSessionJob"];

/// The sequences of all these resources by name, from the lines up to the moment `end`. States that stay are one.
pub(super) fn sequences(lines: &[Line], end: f64) -> BTreeMap<String, Sequences> {
    let mut all: BTreeMap<String, Sequences> = BTreeMap::new();
    let mut counts = HashMap::new();
    let mut of_snapshots = Snapshots::default();
    for line in lines.iter().filter(|line| line.t < end || is_last(line, end)) {
        match &line.what {
            What::Cr(cr) if KINDS.contains(&cr.kind.as_str()) => {
                add_states(all.entry(cr.name.clone()).or_default(), cr);
            }
            What::Cr(cr) if cr.kind == SNAPSHOT => of_snapshots.add(cr),
            What::Event(event) => {
                let Some((kind, name)) = event.on.split_once('/') else { continue };
                let name = if kind == SNAPSHOT { snapshots::group(name) } else { name };
                if (KINDS.contains(&kind) || kind == SNAPSHOT) && is_new(event, &mut counts) {
                    let events = &mut all.entry(name.to_owned()).or_default().events;
                    events.extend(compared(event));
                }
            }
            _ => {}
        }
    }
    of_snapshots.finish(&mut all);
    all
}

/// A deletion that was asked for ends the recording; one that cleans up does not belong to it.
fn is_last(line: &Line, end: f64) -> bool {
    let cleans_up = matches!(&line.what, What::Cr(cr) if cr.deleting && cr.change != "DELETED");
    line.t <= end && !cleans_up
}

fn add_states(sequences: &mut Sequences, cr: &Resource) {
    if cr.change == "DELETED" {
        push(&mut sequences.lifecycle, "(deleted)".to_owned());
        return;
    }
    let Some(status) = &cr.status else { return };
    let lifecycle = text(status, "/lifecycleState");
    if !lifecycle.is_empty() {
        push(&mut sequences.lifecycle, lifecycle.to_owned());
    }
    let job = text(status, "/jobStatus/state");
    if !job.is_empty() {
        push(&mut sequences.job, job.to_owned());
    }
    let job_manager = text(status, "/jobManagerDeploymentStatus");
    if !job_manager.is_empty() {
        // A job that is being replaced counts as finished, whether it ever ran or not.
        let replaced = job == "FINISHED" && ["UPGRADING", "ROLLING_BACK"].contains(&lifecycle);
        let job_ran = !replaced && !["RECONCILING", "INITIALIZING", "CREATED"].contains(&job);
        let state = State { name: job_manager.to_owned(), reason: error_reason(status), job_ran };
        match sequences.job_manager.last_mut() {
            Some(last) if last.name == state.name && last.reason == state.reason => {
                last.job_ran |= state.job_ran;
            }
            _ => sequences.job_manager.push(state),
        }
    }
}

fn error_reason(status: &Value) -> String {
    let error: Value = serde_json::from_str(text(status, "/error")).unwrap_or_default();
    text(&error, "/additionalMetadata/reason").to_owned()
}

fn push<T: PartialEq>(sequence: &mut Vec<T>, next: T) {
    if sequence.last() != Some(&next) {
        sequence.push(next);
    }
}

/// Whether it happened once more: an Event may also be written to without being counted.
fn is_new(event: &line::Event, counts: &mut HashMap<String, u64>) -> bool {
    let count = event.count.unwrap_or(1);
    counts.insert(event.name.clone(), count).is_none_or(|before| count > before)
}

fn compared(event: &line::Event) -> Option<Event> {
    let component = event.component.clone().filter(|name| COMPONENTS.contains(&name.as_str()))?;
    let message = event.message.as_deref().unwrap_or_default();
    let change = message
        .strip_prefix("Job status changed from ")
        .and_then(|states| states.split_once(" to "))
        .map(|(from, to)| (from.to_owned(), to.to_owned()));
    Some(Event { severity: event.severity.clone(), component, reason: event.reason.clone(), change })
}
