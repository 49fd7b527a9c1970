//! Labels by which snapshots are found: `kubectl get flinkstatesnapshots -l job-reference.name=my-app`.

use api::{FlinkStateSnapshot, SnapshotTriggerType, names};
use serde_json::{Map, Value, json};

use super::{JobView, Pass};
use crate::effect::{ChangeObject, Effect, ObjectReference};

impl Pass<'_> {
    /// Puts right the labels that follow from spec and status; others are left alone.
    pub(super) fn label(&mut self) {
        let labels = self.resource.metadata.labels.clone().unwrap_or_default();
        let mut wanted = vec![
            (names::LABEL_SNAPSHOT_TYPE, self.snapshot_type().to_string()),
            (names::LABEL_SNAPSHOT_STATE, self.state().to_string()),
        ];
        if !labels.contains_key(names::LABEL_SNAPSHOT_TRIGGER_TYPE) {
            wanted.push((names::LABEL_SNAPSHOT_TRIGGER_TYPE, SnapshotTriggerType::Manual.to_string()));
        }
        if self.resource.spec.job_reference.is_some() {
            let (kind, name) = self.reference();
            wanted.push((names::LABEL_JOB_REFERENCE_KIND, kind));
            wanted.push((names::LABEL_JOB_REFERENCE_NAME, name.to_owned()));
        }
        if let Some(uid) = self.job_to_claim() {
            wanted.push((names::LABEL_JOB_REFERENCE_UID, uid));
        }
        let missing: Map<String, Value> = wanted
            .into_iter()
            .filter(|(name, value)| is_label(value) && labels.get(*name) != Some(value))
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect();
        if missing.is_empty() {
            return;
        }
        let change = Effect::Change(ChangeObject {
            object: ObjectReference::new(
                api::API_VERSION,
                FlinkStateSnapshot::KIND,
                self.namespace(),
                self.name(),
                self.resource.metadata.uid.as_deref(),
            ),
            resource_version: None,
            part: json!({ "metadata": { "labels": missing } }),
        });
        self.effects.push(change);
    }

    /// The uid of the job that the snapshot is of, as long as that is not noted. It is noted before anything else is done,
    /// so that no later resource of that name is taken for it.
    pub(super) fn job_to_claim(&self) -> Option<String> {
        let noted = self.resource.metadata.labels.as_ref();
        let noted = noted.is_some_and(|labels| labels.contains_key(names::LABEL_JOB_REFERENCE_UID));
        match &self.observed.job {
            JobView::Found(job) if !self.state().is_final() && (!noted || self.is_about_another_job()) => {
                Some(job.uid.clone())
            }
            JobView::Found(_) | JobView::Unknown | JobView::Missing => None,
        }
    }

    /// Whether the labels are about a job that the spec does not name any more.
    pub(super) fn is_about_another_job(&self) -> bool {
        let labels = self.resource.metadata.labels.as_ref();
        let label = |name: &str| labels.and_then(|labels| labels.get(name));
        let (kind, name) = self.reference();
        label(names::LABEL_JOB_REFERENCE_KIND).is_some_and(|known| *known != kind)
            || label(names::LABEL_JOB_REFERENCE_NAME).is_some_and(|known| known != name)
    }
}

/// Whether Kubernetes takes a text as the value of a label: names of resources may be longer.
fn is_label(value: &str) -> bool {
    value.len() <= 63
}
