//! Recorded objects against ours.

use serde_json::Value;
use similar::TextDiff;

use crate::case::Case;
use crate::difference::{self, Objects};
use crate::ours;
use crate::{server, text};

/// What a comparison found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Nothing but the listed differences that are named.
    Equal {
        /// Names of listed differences that were taken out.
        listed: Vec<&'static str>,
    },
    /// More than that.
    Differing {
        /// Names of listed differences that were taken out.
        listed: Vec<&'static str>,
        /// The rest, for people: one entry per place.
        differences: Vec<String>,
    },
}

/// Compares the objects after the first reconcile, and those after the update if they were recorded, with what the
/// builders make of the resources. Those for which `is_refused` says so are left out.
#[must_use]
pub fn compare(case: &Case, is_refused: impl Fn(&Value) -> bool) -> Comparison {
    let accepted = |resources: &[Value]| -> Vec<Value> {
        let clusters = resources.iter().filter(|resource| resource["kind"] == "FlinkDeployment");
        clusters.filter(|cluster| !is_refused(cluster)).cloned().collect()
    };
    let first = match built(&accepted(&case.resources), 1) {
        Ok(objects) => compare_objects(case, objects),
        Err(difference) => {
            return Comparison::Differing { listed: Vec::new(), differences: vec![difference] };
        }
    };
    let (Comparison::Equal { .. }, Some(after)) = (&first, &case.objects_after_update) else { return first };
    match built(&accepted(&case.update), 2) {
        Ok(objects) => compare_to(after, case, objects),
        Err(difference) => Comparison::Differing { listed: Vec::new(), differences: vec![difference] },
    }
}

/// Compares objects of ours with those after the first reconcile. Random ids in them are as in the recordings:
/// `<UID>`, `<UUID>`, `<JOB_ID>`.
#[must_use]
pub fn compare_objects(case: &Case, ours: Vec<Value>) -> Comparison {
    compare_to(&case.objects, case, ours)
}

/// The same with objects that a real API server gave back: its own defaults count, not our table of them.
#[must_use]
pub fn compare_read_back(case: &Case, ours: Vec<Value>) -> Comparison {
    let ours = ours.into_iter().map(server::placeholders).collect();
    compare_by_name(&case.objects, case, ours)
}

fn built(clusters: &[Value], generation: i64) -> Result<Vec<Value>, String> {
    let mut objects = Vec::new();
    for cluster in clusters {
        objects.extend(
            ours::objects(cluster, generation).map_err(|error| format!("no objects of ours: {error}"))?,
        );
    }
    Ok(objects)
}

fn compare_to(recorded: &[Value], case: &Case, ours: Vec<Value>) -> Comparison {
    compare_by_name(recorded, case, ours.into_iter().map(server::read_back).collect())
}

fn compare_by_name(recorded: &[Value], case: &Case, ours: Vec<Value>) -> Comparison {
    let mut differences = case.raw_conf.as_ref().map(|raw| raw_differences(raw, &ours)).unwrap_or_default();
    let mut recorded = by_name(recorded.iter().cloned());
    let mut ours = by_name(ours.into_iter());
    let listed = difference::take_out(&mut recorded, &mut ours);
    objects(&recorded, &ours, &mut differences);
    if differences.is_empty() {
        Comparison::Equal { listed }
    } else {
        Comparison::Differing { listed, differences }
    }
}

fn by_name(objects: impl Iterator<Item = Value>) -> Objects {
    let keyed = objects.map(|mut object| {
        server::quantities(&mut object);
        text::comparable(&mut object);
        let part =
            |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        (format!("{}/{}", part("/kind"), part("/metadata/name")), object)
    });
    keyed.collect()
}

/// What sorting the lines hides: values of several lines must stand together.
fn raw_differences(raw: &str, ours: &[Value]) -> Vec<String> {
    let file = ours.iter().find_map(|object| object.get("data")?.get(text::FLAT)?.as_str());
    let continued = file.map(text::continued_lines).unwrap_or_default();
    let missing = continued.into_iter().filter(|lines| !raw.contains(lines.as_str()));
    missing
        .map(|lines| format!("{}: these lines do not stand together in the recording:\n{lines}", text::FLAT))
        .collect()
}

fn objects(recorded: &Objects, ours: &Objects, differences: &mut Vec<String>) {
    for (key, theirs) in recorded {
        match ours.get(key) {
            Some(mine) => values(key, Some(theirs), Some(mine), differences),
            None => differences.push(format!("{key}: recorded, but not among ours")),
        }
    }
    for key in ours.keys().filter(|key| !recorded.contains_key(*key)) {
        differences.push(format!("{key}: ours, but not recorded"));
    }
}

/// Both are absent nowhere: a missing field is told from an empty one.
fn values(path: &str, recorded: Option<&Value>, ours: Option<&Value>, differences: &mut Vec<String>) {
    match (recorded, ours) {
        (Some(Value::Object(recorded)), Some(Value::Object(ours))) => {
            for (field, theirs) in recorded {
                values(&format!("{path}.{field}"), Some(theirs), ours.get(field), differences);
            }
            for (field, mine) in ours.iter().filter(|(field, _)| !recorded.contains_key(*field)) {
                values(&format!("{path}.{field}"), None, Some(mine), differences);
            }
        }
        (Some(Value::Array(recorded)), Some(Value::Array(ours))) if recorded.iter().all(Value::is_object) => {
            for index in 0..recorded.len().max(ours.len()) {
                values(&format!("{path}[{index}]"), recorded.get(index), ours.get(index), differences);
            }
        }
        (recorded, ours) if recorded == ours => {}
        (recorded, ours) => differences.push(difference_at(path, &lines(recorded), &lines(ours))),
    }
}

fn lines(value: Option<&Value>) -> String {
    match value {
        None => "(absent)\n".to_owned(),
        Some(Value::String(text)) => format!("{}\n", text.strip_suffix('\n').unwrap_or(text)),
        Some(Value::Array(elements)) => elements.iter().map(|element| lines(Some(element))).collect(),
        Some(other) => format!("{other}\n"),
    }
}

fn difference_at(path: &str, recorded: &str, ours: &str) -> String {
    let diff = TextDiff::from_lines(recorded, ours);
    format!("{path} (- recorded, + ours)\n{}", diff.unified_diff().context_radius(1))
}
