//! Our operator's first steps with a FlinkDeployment, without an API server: decisions are made one after the other,
//! and every effect succeeds.
//!
//! Ids in the objects become those that the recordings' normalising writes.

use anyhow::bail;
use api::FlinkDeployment;
use flink_conf::OperatorDefaults;
use jiff::Timestamp;
use kube_core::DynamicObject;
use lifecycle::observed::{HaMetadata, IngressView, JobManager, Observed};
use lifecycle::{Context, Effect, EventRecord, Requeue};
use resources::OperatorFiles;
use serde_json::Value;

use super::stage::Stage;

/// Every uid.
const UID: &str = "<UID>";
/// More rounds than any first deployment takes.
const ROUNDS: usize = 8;

/// A resource on its way, and what was told about it.
#[derive(Debug)]
pub(super) struct Walk {
    resource: FlinkDeployment,
    events: Vec<EventRecord>,
    objects: Vec<DynamicObject>,
    observed: Observed,
    defaults: OperatorDefaults,
    files: OperatorFiles,
}

impl Walk {
    pub(super) fn new(mut resource: FlinkDeployment, defaults: OperatorDefaults) -> Self {
        resource.metadata.uid = Some(UID.to_owned());
        resource.metadata.generation = Some(1);
        resource.metadata.finalizers = Some(vec![api::names::FINALIZER_FLINK_DEPLOYMENT.to_owned()]);
        let observed =
            Observed { ha: Some(HaMetadata::default()), ingress: IngressView::Absent, ..Observed::default() };
        Self {
            resource,
            events: Vec::new(),
            objects: Vec::new(),
            observed,
            defaults,
            files: OperatorFiles::default(),
        }
    }

    /// A new spec.
    pub(super) fn change(&mut self, changed: FlinkDeployment) {
        self.resource.spec = changed.spec;
        self.resource.metadata.generation =
            self.resource.metadata.generation.map(|generation| generation + 1);
    }

    /// Decides until nothing more is to be done at once. Answers what a user sees of it.
    pub(super) fn go(&mut self) -> anyhow::Result<Stage> {
        for round in 0..ROUNDS {
            let now = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(round.try_into()?);
            let zone = jiff::tz::TimeZone::UTC;
            let context = Context { now, zone: &zone, defaults: &self.defaults, files: &self.files };
            let decision = lifecycle::decide(&self.resource, &self.observed, &context);
            self.resource.status = Some(decision.status);
            for effect in decision.effects {
                self.perform(effect);
            }
            if decision.requeue != Requeue::AtOnce {
                let events = std::mem::take(&mut self.events);
                let error = self.resource.status.as_ref().and_then(|status| status.error.as_deref());
                return Ok(Stage::ours(error, &events));
            }
        }
        bail!("{:?} does not come to rest", self.resource.metadata.name)
    }

    /// The objects that were sent.
    pub(super) fn objects(&self) -> anyhow::Result<Vec<Value>> {
        let text = serde_json::to_string(&self.objects)?;
        let job_id = self.resource.status.as_ref().and_then(|status| status.job_id());
        let mut random = vec![(self.observed.created_attempt.as_deref(), "<UUID>")];
        // A job id that the user chose is recorded as it is.
        let chosen = serde_json::to_string(&self.resource.spec)?;
        random.push((job_id.filter(|job_id| !chosen.contains(job_id)), "<JOB_ID>"));
        let text = random.into_iter().fold(text, |text, (id, placeholder)| match id {
            Some(id) => text.replace(id, placeholder),
            None => text,
        });
        Ok(serde_json::from_str(&text)?)
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Event(event) => self.events.push(event),
            Effect::Apply(object) => self.objects.push(*object),
            Effect::CreateOwned(ingress) => {
                self.objects.push(*ingress);
                self.observed.ingress = IngressView::Unread;
            }
            Effect::CreateCluster(cluster) => {
                self.objects = cluster.dependents_owned_by(UID);
                self.objects.push(cluster.deployment.clone());
                self.observed.created_attempt = cluster.attempt().map(str::to_owned);
                self.observed.job_manager = Some(JobManager {
                    uid: UID.to_owned(),
                    generation: self.resource.metadata.generation,
                    attempt: cluster.attempt().map(str::to_owned),
                    owned: true,
                    terminating: false,
                    terminating_since: None,
                    resource_version: None,
                    paused: false,
                    desired_replicas: 1,
                    replicas: 0,
                    available_replicas: 0,
                    failed_create: None,
                    never_started: true,
                });
            }
            // Succeeds without a trace that a first deployment would look at.
            _ => {}
        }
    }
}
