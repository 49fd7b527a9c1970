//! Does what a recorder did.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::line::{Line, What};
use super::place::{Place, inputs};
use super::recorder::Recorder;
use super::step::{Act, Observation, Step};
use super::watching::{Since, holds};
use crate::kubernetes::{Kind, name, text};

/// Longest time to wait for something. Two cores run several JVMs at a time.
const TO_HAPPEN: Duration = Duration::from_mins(4);
/// Longest time between two looks, if nothing happens.
const LOOK: Duration = Duration::from_millis(250);

/// What came of it.
pub(super) struct Outcome {
    pub(super) lines: Vec<Line>,
    /// What did not happen.
    pub(super) surprises: Vec<String>,
}

/// A replay on its way.
pub(super) struct Replay<'a> {
    place: &'a Place,
    recorder: Recorder,
    /// Number of the first line after the last action.
    since: usize,
    /// Whether that action changes a resource of the operator, so that a line about it follows.
    changes_resource: bool,
    /// `jobStatus.startTime` before the last action.
    start_time: String,
    /// Files that jobs read.
    inputs: Vec<String>,
    surprises: Vec<String>,
}

impl<'a> Replay<'a> {
    pub(super) async fn start(place: &'a Place) -> Result<Self> {
        let recorder = Recorder::start(&place.cluster, &place.namespace).await?;
        Ok(Self {
            place,
            recorder,
            since: 0,
            changes_resource: true,
            start_time: String::new(),
            inputs: Vec::new(),
            surprises: Vec::new(),
        })
    }

    /// Does all steps, and goes on recording for some seconds.
    pub(super) async fn run(mut self, steps: &[Step], rest: f64) -> Result<Outcome> {
        let late = steps.iter().any(|step| step.what == Act::InputAppears);
        for step in steps {
            let done = self.step(step, late).await.with_context(|| step.text.clone())?;
            if !done {
                // What follows would be done to something else than the recorder had.
                return Ok(self.outcome());
            }
        }
        self.pass_time(rest).await?;
        Ok(self.outcome())
    }

    fn outcome(self) -> Outcome {
        Outcome { lines: self.recorder.lines(0), surprises: self.surprises }
    }

    /// Returns whether the replay can go on.
    async fn step(&mut self, step: &Step, late_input: bool) -> Result<bool> {
        match &step.what {
            Act::Await(Observation::Time) | Act::Remark => {
                self.pass_time(step.pause).await?;
                self.recorder.step(&step.text, None);
                Ok(true)
            }
            Act::Await(observation) => self.observe(step, observation).await,
            Act::NeverSeen(observation, seconds) => self.never_see(step, observation, *seconds).await,
            action => {
                self.pass_time(step.pause).await?;
                self.remember(action);
                self.act(step, action, late_input).await?;
                Ok(true)
            }
        }
    }

    /// What is known before an action.
    fn remember(&mut self, action: &Act) {
        let latest = self.recorder.lines(0).into_iter().rev().find_map(|line| match line.what {
            What::Cr(cr) => cr.status,
            _ => None,
        });
        let start_time = latest.map(|status| text(&status, "/jobStatus/startTime").to_owned());
        self.start_time = start_time.unwrap_or_default();
        self.since = self.recorder.count();
        self.changes_resource = matches!(action, Act::Create(_) | Act::Patch { .. } | Act::Delete { .. });
    }

    async fn act(&mut self, step: &Step, action: &Act, late_input: bool) -> Result<()> {
        let (cluster, namespace) = (&self.place.cluster, self.place.namespace.as_str());
        if let Act::Patch { kind: of, name, patch } = action {
            let patch = self.adapt_patch(patch);
            self.recorder.step(&step.text, Some(&patch));
            return cluster.patch(kind(of)?, namespace, name, &patch).await.map(drop);
        }
        self.recorder.step(&step.text, None);
        match action {
            Act::Create(object) => self.create(object, late_input).await?,
            Act::Delete { kind: of, name } => cluster.delete(kind(of)?, namespace, name).await?,
            Act::DeletePod { cluster: of } => {
                let pods =
                    cluster.list(Kind::Pod, namespace, &format!("app={of},component=jobmanager")).await?;
                ensure!(pods.len() == 1, "{} JobManager pods", pods.len());
                for pod in pods {
                    cluster.delete(Kind::Pod, namespace, name(&pod)).await?;
                }
            }
            Act::DeleteDeployment { cluster: of } => cluster.delete(Kind::Deployment, namespace, of).await?,
            Act::InputAppears => {
                for input in &self.inputs {
                    self.place.make_input(input)?;
                }
            }
            Act::Patch { .. } | Act::Await(_) | Act::NeverSeen(..) | Act::Remark => {}
        }
        Ok(())
    }

    async fn create(&mut self, object: &Value, late_input: bool) -> Result<()> {
        for input in inputs(object) {
            if !late_input {
                self.place.make_input(&input)?;
            }
            self.inputs.push(input);
        }
        let object = self.place.adapt(object.clone());
        let kind = kind(text(&object, "/kind"))?;
        self.place.cluster.create(kind, &self.place.namespace, object).await.map(drop)
    }

    /// A recorded savepoint is not here; ours is.
    fn adapt_patch(&self, patch: &Value) -> Value {
        let mut patch = self.place.adapt(patch.clone());
        let lines = self.recorder.lines(0);
        let mut snapshots = lines.iter().rev().filter_map(Line::snapshot);
        let ours = snapshots.find_map(|cr| cr.status.as_ref()?.get("path")?.as_str());
        if let (Some(path), Some(ours)) = (patch.pointer_mut("/spec/job/initialSavepointPath"), ours)
            && path.is_string()
        {
            *path = json!(ours);
        }
        patch
    }

    async fn observe(&mut self, step: &Step, observation: &Observation) -> Result<bool> {
        let Some(instead) = self.wait(observation, TO_HAPPEN).await? else {
            self.recorder.step(&step.text, None);
            return Ok(true);
        };
        let what = step.text.trim_start_matches("observed: ");
        let text = format!("NOT observed within {}s: {what}", TO_HAPPEN.as_secs());
        self.recorder.step(&text, None);
        self.surprises.push(format!("{text}; instead: {instead}"));
        Ok(false)
    }

    /// What the recorder did not see: if it is seen here, the sequences will differ.
    async fn never_see(&mut self, step: &Step, observation: &Observation, seconds: f64) -> Result<bool> {
        let instead = self.wait(observation, Duration::from_secs_f64(seconds)).await?;
        if instead.is_none() {
            let what = step.text.split_once("s: ").map_or(step.text.as_str(), |(_, what)| what);
            self.recorder.step(&format!("observed: {what}"), None);
        } else {
            self.recorder.step(&step.text, None);
        }
        Ok(true)
    }

    /// `None` as soon as it is there; what is there instead if the time runs out.
    async fn wait(&mut self, observation: &Observation, limit: Duration) -> Result<Option<String>> {
        let began = Instant::now();
        loop {
            let since = Since {
                lines: self.lines_since(),
                all: self.recorder.lines(0),
                start_time: self.start_time.clone(),
            };
            let Some(instead) = holds(self.place, &since, observation).await? else { return Ok(None) };
            if began.elapsed() > limit {
                return Ok(Some(instead));
            }
            self.recorder.changed(LOOK).await?;
        }
    }

    /// Lines since the last action. If that leaves the resource alone and nothing has happened since, the state before
    /// it still holds.
    fn lines_since(&self) -> Vec<Line> {
        let all = self.recorder.lines(0);
        let is_state = |line: &Line| matches!(line.what, What::Cr(_));
        let (before, after) = all.split_at(self.since.min(all.len()));
        if self.changes_resource || after.iter().any(is_state) {
            return after.to_vec();
        }
        before.iter().rev().find(|line| is_state(line)).cloned().into_iter().collect()
    }

    /// Lets time pass; a recording that breaks is noticed.
    async fn pass_time(&mut self, seconds: f64) -> Result<()> {
        let end = Instant::now() + Duration::from_secs_f64(seconds.max(0.0));
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.recorder.changed(left).await?;
        }
    }
}

fn kind(name: &str) -> Result<Kind> {
    Ok(match name {
        "FlinkDeployment" => Kind::FlinkDeployment,
        "FlinkSessionJob" => Kind::FlinkSessionJob,
        "FlinkStateSnapshot" => Kind::FlinkStateSnapshot,
        _ => bail!("nobody knows the kind {name}"),
    })
}
