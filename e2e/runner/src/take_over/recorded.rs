//! What the Java operator left behind, from the reference: the configuration and status of a timeline, and the shape of
//! the objects of golden cases.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::kubernetes::{name, text};
use crate::timeline::recording::yaml_documents;

/// A moment of a recorded timeline.
pub(super) struct Moment {
    /// The FlinkDeployment as it was posted.
    pub(super) resource: Value,
    /// Merge patches sent until then.
    pub(super) patches: Vec<Value>,
    /// `status` at the moment.
    pub(super) status: Value,
    /// Lines of the Flink configuration of the cluster that ran then.
    pub(super) configuration: Vec<String>,
}

impl Moment {
    /// The last status that `chosen` chooses, before the spec of the FlinkDeployment of `timeline` changes again.
    pub(super) fn find(timeline: &str, chosen: impl Fn(&Value) -> bool) -> Result<Self> {
        let folder = folder("traces")?.join(timeline);
        let documents = yaml_documents(&fs::read_to_string(folder.join("crs.yaml"))?)?;
        let resource = documents.iter().find(|document| document["kind"] == "FlinkDeployment");
        let mut found: Option<Self> = None;
        let (mut patches, mut configuration) = (Vec::new(), Vec::new());
        for line in fs::read_to_string(folder.join("timeline.jsonl"))?.lines() {
            let line: Value = serde_json::from_str(line)?;
            let acts = line["source"] == "step" && line.get("patch").is_some();
            if acts && found.is_some() {
                break;
            }
            if acts {
                patches.push(line["patch"].clone());
            }
            if let Some(lines) = line.get("flinkConf").and_then(Value::as_array) {
                configuration = lines.iter().filter_map(Value::as_str).map(str::to_owned).collect();
                // A status is recorded before the cluster that it speaks of is created.
                if let Some(found) = found.as_mut().filter(|found| found.configuration.is_empty()) {
                    found.configuration.clone_from(&configuration);
                }
            }
            let status = &line["status"];
            let of_resource = line["source"] == "cr" && line["kind"] == "FlinkDeployment";
            if of_resource && line["deletionTimestamp"] == false && chosen(status) {
                found = Some(Self {
                    resource: resource.cloned().context("no FlinkDeployment")?,
                    patches: patches.clone(),
                    status: status.clone(),
                    configuration: configuration.clone(),
                });
            }
        }
        found.with_context(|| format!("{timeline} has no such moment"))
    }

    /// An option of the Flink configuration.
    pub(super) fn option(&self, key: &str) -> Option<&str> {
        let prefix = format!("{key}: ");
        self.configuration.iter().find_map(|line| line.strip_prefix(&prefix))
    }

    /// The id of the job.
    pub(super) fn job(&self) -> &str {
        text(&self.status, "/jobStatus/jobId")
    }
}

/// The objects of a golden case, by kind and name.
pub(super) struct Objects(Vec<Value>);

impl Objects {
    pub(super) fn read(case: &str) -> Result<Self> {
        let path = folder("golden")?.join(case).join("objects.yaml");
        let yaml = fs::read_to_string(&path).with_context(|| format!("no {}", path.display()))?;
        Ok(Self(yaml_documents(&yaml)?))
    }

    /// The same objects with other names in all their texts.
    pub(super) fn renamed(&self, names: &[(&str, &str)]) -> Result<Self> {
        let text = Value::from(self.0.clone()).to_string();
        let text = names.iter().fold(text, |text, (from, to)| text.replace(from, to));
        Ok(Self(serde_json::from_str(&text)?))
    }

    pub(super) fn get(&self, kind: &str, named: &str) -> Result<Value> {
        let found = self.0.iter().find(|object| object["kind"] == kind && name(object) == named);
        found.cloned().with_context(|| format!("no {kind} {named}"))
    }
}

fn folder(name: &str) -> Result<PathBuf> {
    reference::folder(name)?
        .context("the reference is to be skipped, and nothing can be taken over without it")
}
