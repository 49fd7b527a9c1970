//! A recorded scenario: a folder with `timeline.jsonl`, `crs.yaml` and, for people, `steps.md`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use super::line::{Line, What};
use crate::kubernetes::text;

/// What the folder holds.
#[derive(Clone, Debug)]
pub(super) struct Recording {
    /// Name of the folder.
    pub(super) name: String,
    /// The first sentence of `steps.md`.
    pub(super) about: String,
    /// Resources that were created, in order.
    pub(super) created: Vec<Value>,
    /// Merge patches that were sent, in order; with the kind and name of what they change.
    pub(super) patched: Vec<Value>,
    pub(super) lines: Vec<Line>,
}

impl Recording {
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let file = |name: &str| {
            let path = folder.join(name);
            fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))
        };
        let name = folder.file_name().and_then(|name| name.to_str()).context("a folder without a name")?;
        let (created, patched) = documents(&file("crs.yaml")?)?;
        Ok(Self {
            name: name.to_owned(),
            about: about(&file("steps.md").unwrap_or_default()),
            created,
            patched,
            lines: lines(&file("timeline.jsonl")?).with_context(|| format!("timeline of {name}"))?,
        })
    }

    /// The namespace that the resources were in.
    pub(super) fn namespace(&self) -> Option<&str> {
        self.created.iter().map(|object| text(object, "/metadata/namespace")).find(|name| !name.is_empty())
    }

    /// The created resources of a kind.
    pub(super) fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.created.iter().filter(move |object| object["kind"] == kind)
    }

    /// The last moment that counts: recorders go on for a while after their last step, and then clean up.
    pub(super) fn end(&self) -> f64 {
        let asked = |kind: &str, name: &str| {
            self.lines.iter().any(|line| match &line.what {
                What::Step { text, .. } => *text == format!("delete {kind}/{name}"),
                _ => false,
            })
        };
        let clean_up = self.lines.iter().find(|line| match &line.what {
            What::Cr(cr) => cr.deleting && cr.kind == "FlinkDeployment" && !asked(&cr.kind, &cr.name),
            _ => false,
        });
        clean_up.or(self.lines.last()).map_or(0.0, |line| line.t)
    }
}

/// The folders with a recording: `folder` itself, or those in it, sorted.
pub(super) fn folders(folder: &Path) -> Result<Vec<PathBuf>> {
    let is_recording = |path: &Path| path.join("timeline.jsonl").is_file();
    if is_recording(folder) {
        return Ok(vec![folder.to_owned()]);
    }
    let entries = fs::read_dir(folder).with_context(|| format!("no folder {}", folder.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if is_recording(&path) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// All lines of a `timeline.jsonl`.
pub(super) fn lines(text: &str) -> Result<Vec<Line>> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let line = |(number, line)| serde_json::from_str(line).with_context(|| format!("line {}", number + 1));
    lines.enumerate().map(line).collect()
}

/// Created resources have an `apiVersion`; what else is there are patches.
fn documents(yaml: &str) -> Result<(Vec<Value>, Vec<Value>)> {
    Ok(yaml_documents(yaml)
        .context("crs.yaml")?
        .into_iter()
        .partition(|document| document.get("apiVersion").is_some()))
}

/// Recorded YAML, in which only `true` and `false` are booleans: recorders write the text `y` without quotes.
pub(crate) fn yaml_documents(yaml: &str) -> Result<Vec<Value>> {
    let options = serde_saphyr::options! { strict_booleans: true };
    let documents: Vec<Value> = serde_saphyr::from_multiple_with_options(yaml, options)?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

fn about(steps: &str) -> String {
    let sentences = steps.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    sentences.take(1).collect()
}
