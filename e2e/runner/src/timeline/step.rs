//! What whoever recorded did and waited for, read from the steps of a timeline.

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::line::What;
use super::recording::Recording;
use super::snapshots::SNAPSHOT;
use crate::kubernetes::{name, text};

/// A step, and how long the recorder paused before it, seconds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) text: String,
    pub(super) pause: f64,
    pub(super) what: Act,
}

/// What is done.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Act {
    Create(Box<Value>),
    Patch {
        kind: String,
        name: String,
        patch: Value,
    },
    Delete {
        kind: String,
        name: String,
    },
    /// A JobManager pod goes by hand.
    DeletePod {
        cluster: String,
    },
    /// A JobManager Deployment goes by hand.
    DeleteDeployment {
        cluster: String,
    },
    /// The file that the job reads is made now.
    InputAppears,
    Await(Observation),
    /// The recorder waited so long, seconds, and did not see it.
    NeverSeen(Observation, f64),
    /// It only said something, after a pause.
    Remark,
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Observation {
    Lifecycle {
        kind: String,
        name: String,
        state: String,
    },
    Gone {
        kind: String,
        name: String,
    },
    /// So many checkpoints are completed, as Flink counts.
    Checkpoints {
        cluster: String,
        count: u64,
    },
    /// The JobManager is READY, and the job RUNNING if it is asked for too.
    Ready {
        cluster: String,
        job: bool,
    },
    NotReady {
        cluster: String,
    },
    /// The job is in this state; `again` means another run than before the last action; an error will do as well.
    Job {
        cluster: String,
        state: String,
        again: bool,
        or_error: bool,
    },
    Error {
        cluster: String,
    },
    DeploymentGone {
        cluster: String,
    },
    /// FlinkStateSnapshots in this state: the named one, or so many since the last action.
    Snapshots {
        name: Option<String>,
        state: String,
    },
    /// So many periodic snapshots were completed, or one of them was removed again.
    Periodic {
        count: usize,
    },
    /// The status has this field of `jobStatus`.
    JobField {
        cluster: String,
        pointer: &'static str,
    },
    /// Nobody knows how to look for it: the recorder's time passes instead.
    Time,
}

/// All steps of a recording.
pub(super) fn steps(recording: &Recording) -> Result<Vec<Step>> {
    let mut reader = Reader { recording, created: 0, patched: 0 };
    let mut before = None;
    let mut steps = Vec::new();
    for line in &recording.lines {
        let What::Step { text, patch } = &line.what else { continue };
        let what =
            reader.read(text, patch.as_ref()).with_context(|| format!("step `{text}` is not understood"))?;
        let pause = before.map_or(0.0, |before| line.t - before);
        before = Some(line.t);
        steps.push(Step { text: text.clone(), pause, what });
    }
    Ok(steps)
}

struct Reader<'a> {
    recording: &'a Recording,
    created: usize,
    patched: usize,
}

impl Reader<'_> {
    fn read(&mut self, step: &str, patch: Option<&Value>) -> Result<Act> {
        if let Some(patch) = patch {
            return self.patch(patch);
        }
        if let Some(what) = step.strip_prefix("observed: ") {
            return Ok(Act::Await(self.observation(what)?));
        }
        if let Some(rest) = step.strip_prefix("NOT observed within ") {
            let (limit, what) = rest.split_once("s: ").context("no time")?;
            return Ok(Act::NeverSeen(self.observation(what)?, limit.parse()?));
        }
        if let Some(what) = step.strip_prefix("create ") {
            return self.create(what);
        }
        match step.strip_prefix("delete ") {
            Some(what) if what.contains("JobManager pod") => {
                Ok(Act::DeletePod { cluster: self.cluster(step)? })
            }
            Some(what) if what.contains("JobManager Deployment") => {
                Ok(Act::DeleteDeployment { cluster: self.cluster(step)? })
            }
            Some(what) => {
                let (kind, name) = object(what).context("what is deleted?")?;
                Ok(Act::Delete { kind, name })
            }
            None if step.contains("input file appears") => Ok(Act::InputAppears),
            None if says_only(step) => Ok(Act::Remark),
            None => bail!("an action without patch"),
        }
    }

    fn create(&mut self, what: &str) -> Result<Act> {
        let (kind, name_wanted) = object(what).context("what is created?")?;
        let created = self.recording.created.get(self.created).context("crs.yaml has no more resources")?;
        if created["kind"] != *kind || name(created) != name_wanted {
            bail!("crs.yaml has {} {} here", created["kind"], name(created));
        }
        self.created += 1;
        Ok(Act::Create(Box::new(created.clone())))
    }

    /// What is changed says `crs.yaml`; without that it is the only FlinkDeployment.
    fn patch(&mut self, patch: &Value) -> Result<Act> {
        let document = self.recording.patched.get(self.patched).context("crs.yaml has no more patches")?;
        self.patched += 1;
        let kind = match text(document, "/kind") {
            "" => "FlinkDeployment",
            kind => kind,
        };
        let name = match name(document) {
            "" => self.cluster("")?,
            name => name.to_owned(),
        };
        Ok(Act::Patch { kind: kind.to_owned(), name, patch: patch.clone() })
    }

    fn observation(&self, what: &str) -> Result<Observation> {
        if let Some((what, state)) = what.split_once(" lifecycleState=") {
            let (kind, name) = object(what).context("whose state?")?;
            return Ok(Observation::Lifecycle { kind, name, state: state.to_owned() });
        }
        if let Some((kind, name)) = what.strip_suffix(" deleted").and_then(object) {
            return Ok(Observation::Gone { kind, name });
        }
        if what.ends_with("according to the Flink REST API") {
            let count = what.split(' ').next().unwrap_or_default().parse()?;
            return Ok(Observation::Checkpoints { cluster: self.cluster(what)?, count });
        }
        if what == what.to_uppercase() {
            let (kind, name) = ("FlinkDeployment".to_owned(), self.cluster(what)?);
            return Ok(Observation::Lifecycle { kind, name, state: what.to_owned() });
        }
        if let Some(name) = what.strip_suffix(" has status.error") {
            return Ok(Observation::Error { cluster: name.to_owned() });
        }
        match self.about_others(what)? {
            Some(observation) => Ok(observation),
            None => self.about_cluster(what),
        }
    }

    fn about_cluster(&self, what: &str) -> Result<Observation> {
        let cluster = self.cluster(what)?;
        if let Some((named, what)) = what.split_once(": JobManager READY") {
            let cluster = named.to_owned();
            return Ok(Observation::Ready { cluster, job: what.contains("job RUNNING") });
        }
        if let Some(state) = what.strip_prefix("job ") {
            let again = state.ends_with(" again");
            let or_error = state.ends_with(" or error");
            let state = state.split(' ').next().unwrap_or_default().to_owned();
            return Ok(Observation::Job { cluster, state, again, or_error });
        }
        Ok(match what {
            "JobManager deployment gone" => Observation::DeploymentGone { cluster },
            "status.error" => Observation::Error { cluster },
            what if what.ends_with("not READY") => Observation::NotReady { cluster },
            _ => Observation::Time,
        })
    }

    fn about_others(&self, what: &str) -> Result<Option<Observation>> {
        let words: Vec<&str> = what.split(' ').collect();
        let named = self.recording.of_kind(SNAPSHOT).map(name).find(|name| words.first() == Some(name));
        let job =
            self.recording.of_kind("FlinkSessionJob").map(name).find(|name| words.first() == Some(name));
        Ok(Some(match words.as_slice() {
            [cluster, state] if job.is_some() => Observation::Job {
                cluster: (*cluster).to_owned(),
                state: (*state).to_owned(),
                again: false,
                or_error: false,
            },
            [.., state] if named.is_some() => {
                Observation::Snapshots { name: named.map(str::to_owned), state: (*state).to_owned() }
            }
            [count, "FlinkStateSnapshots", "COMPLETED", ..] => {
                Observation::Periodic { count: count.parse()? }
            }
            [.., SNAPSHOT, state] => Observation::Snapshots { name: None, state: (*state).to_owned() },
            ["lastSavepoint", "set"] => Observation::JobField {
                cluster: self.cluster(what)?,
                pointer: "/jobStatus/savepointInfo/lastSavepoint",
            },
            ["lastCheckpoint", "set"] => Observation::JobField {
                cluster: self.cluster(what)?,
                pointer: "/jobStatus/checkpointInfo/lastCheckpoint",
            },
            _ => return Ok(None),
        }))
    }

    /// The FlinkDeployment that is meant: the session cluster if the text says so, otherwise the application.
    fn cluster(&self, step: &str) -> Result<String> {
        let clusters: Vec<_> = self.recording.of_kind("FlinkDeployment").collect();
        let session = step.contains("session");
        let meant = clusters.iter().find(|cluster| cluster.pointer("/spec/job").is_none() == session);
        let found = if clusters.len() == 1 { clusters.first() } else { meant };
        found.map(|cluster| name(cluster).to_owned()).context("which FlinkDeployment?")
    }
}

/// `Kind/name`, perhaps with words after it.
fn object(what: &str) -> Option<(String, String)> {
    let (kind, name) = what.split(' ').next()?.split_once('/')?;
    Some((kind.to_owned(), name.to_owned()))
}

/// A step that changes nothing.
fn says_only(step: &str) -> bool {
    ["Flink REST ", "savepoint directory "].iter().any(|start| step.starts_with(start))
}
