//! The vertices of a running native job get another parallelism without a restart.
//!
//! Source: `NativeFlinkService.scale` of the Java operator. That one records a change as deployed as soon as Flink has
//! accepted it; here the job is followed until it has got there.

use std::collections::BTreeMap;
use std::time::Duration;

use api::{FlinkVersion, JobState, JobStatusState, Operation, ReconciliationState};
use jiff::Timestamp;

use super::pass::Pass;
use super::resource::{JobResource, JobResourceStatus};
use crate::diff::{DiffType, SpecDiff};
use crate::effect::{FlinkRequest, ParallelismBounds};
use crate::event::{Component, EventRecord, Reason};
use crate::observed::{JobOverview, Parallelism};

/// For how long Flink is asked and told before the job is restarted instead. Longer than a call to the API server may
/// take, as the status is written in between.
const PATIENCE: Duration = Duration::from_secs(45);

/// Parallelism by vertex, as `pipeline.jobvertex-parallelism-overrides` says it.
type Overrides = BTreeMap<String, u32>;

/// Bounds by vertex.
type Bounds = BTreeMap<String, ParallelismBounds>;

impl<R: JobResource> Pass<'_, R> {
    /// Whether a native job is being rescaled.
    pub(crate) fn rescales(&self) -> bool {
        self.scales() && R::has_job(self) && !R::is_standalone(self)
    }

    /// Whether the running job can be told another parallelism.
    fn can_be_rescaled(&self) -> bool {
        self.has_adaptive_job() && self.job_is_reachable()
    }

    fn has_adaptive_job(&self) -> bool {
        self.settings.inplace_scaling
            && R::has_job(self)
            && !R::is_standalone(self)
            && self.reconciliation_state() == ReconciliationState::Deployed
            && R::flink_version(self).is_some_and(|version| version >= FlinkVersion::V1_18)
            && R::configuration(self).is_some_and(|conf| flink_conf::is_adaptive(&conf))
    }

    /// Tells the job its new parallelism, and records the new spec as deployed when Flink has taken it. Returns whether
    /// that is all there is to do about the change for now.
    pub(crate) fn rescale_job(&mut self, change: &SpecDiff) -> bool {
        if change.kind != DiffType::Scale || !self.can_be_rescaled() {
            return false;
        }
        if !(self.rescales() && self.operation().generation == Some(self.generation)) {
            // Of an earlier change that Flink has not confirmed.
            let before = self.operation().parallelism_before.filter(|_| self.rescales());
            self.begin_rescaling(before);
            return self.waits_for_rescaling();
        }
        let Some(there) = self.parallelism() else { return self.waits_for_rescaling() };
        let before = self.deployed_spec().and_then(|spec| self.overrides(&spec)).unwrap_or_default();
        let wanted = self.overrides(&self.spec).and_then(|after| bounds(there, &before, &after));
        // An operator that was held up for long has an old answer.
        let answered = self.answer().map_or(there.since, |answer| answer.at);
        let in_vain = self.rescaling_took(PATIENCE, Some(there.since), answered);
        match wanted {
            None if there.refusal.is_some() && !in_vain => self.waits_for_rescaling(),
            None => false,
            Some(wanted) if wanted == there.bounds() => {
                R::record_spec(self, self.spec.clone(), ReconciliationState::Deployed, JobState::Running);
                self.begin_rescaling(None);
                self.again_at_once();
                true
            }
            Some(_) if in_vain => false,
            Some(wanted) => {
                let before = there.bounds();
                self.remember_parallelism(&before);
                self.tell_parallelism(wanted);
                self.waits_for_rescaling()
            }
        }
    }

    /// The first answer to this operation counts: later ones may be what the job was told.
    fn remember_parallelism(&mut self, before: &Bounds) {
        let operation = self.status.operation_mut().get_or_insert_default();
        let text = |(id, bounds): (&String, &ParallelismBounds)| (id.clone(), bounds.to_string());
        operation.parallelism_before.get_or_insert_with(|| before.iter().map(text).collect());
    }

    /// What a job had before it was told something that is not wanted any more: the change was taken back before Flink
    /// had confirmed it.
    fn parallelism_before(&self) -> Option<Bounds> {
        let before = self.operation().parallelism_before?;
        let bounds = |(id, text): (String, String)| Some((id, text.parse().ok()?));
        before.into_iter().map(bounds).collect()
    }

    /// Until the job has the parallelism that is recorded, or for as long as a cluster may take to become ready.
    pub(crate) fn follow_rescaling(&mut self) {
        let operation = self.operation();
        if self.rescales() && operation.generation != Some(self.generation) && self.change_is_taken_back() {
            // Only what Flink says from now on tells what the job has.
            self.begin_rescaling(operation.parallelism_before);
            self.look_again(self.settings.progress_check_interval);
            return;
        }
        if !self.rescales() || operation.generation > self.status.observed_generation() {
            return;
        }
        let overrides = self.deployed_spec().and_then(|spec| self.overrides(&spec)).unwrap_or_default();
        let before = self.parallelism_before();
        let wanted = self.parallelism().and_then(|there| match &before {
            Some(before) => Some(there.restored(before, &overrides)),
            None => bounds(there, &overrides, &overrides),
        });
        let wanted = wanted.filter(|wanted| self.parallelism().is_some_and(|it| *wanted != it.bounds()));
        let known = self.parallelism().filter(|there| there.refusal.is_none());
        let missing = known.map(|there| there.missing(&overrides));
        let runs = self.all_tasks_run();
        let is_told = before.is_none() || wanted.is_none();
        let reached = runs && is_told && missing.as_ref().is_some_and(Vec::is_empty);
        if self.job_ended()
            || reached
            || self.rescaling_took(self.settings.readiness_timeout, None, self.now())
        {
            if let Some(missing) = missing.filter(|missing| !missing.is_empty() && !self.job_ended()) {
                self.tell_missing_parallelism(&missing);
            }
            *self.status.operation_mut() = None;
            if runs {
                self.mark_stable();
            }
            self.again_at_once();
            return;
        }
        if let Some(wanted) = wanted {
            self.tell_parallelism(wanted);
        }
        self.look_again(self.settings.progress_check_interval);
    }

    /// Flink has begun the job anew, with the configuration that its cluster was made with. What the job was told since
    /// is lost, unless HA metadata has kept it; a change that is under way tells it anyhow.
    pub(crate) fn job_began_anew(&mut self) {
        let overrides = || self.deployed_spec().and_then(|spec| self.overrides(&spec)).unwrap_or_default();
        if R::changed_since_start(self)
            && !self.rescales()
            && self.has_adaptive_job()
            && !overrides().is_empty()
        {
            self.begin_rescaling(None);
        }
    }

    /// Whether the spec is again what is recorded.
    fn change_is_taken_back(&self) -> bool {
        let recorded = self.last.as_ref().map(|last| last.spec.clone());
        recorded.is_some_and(|recorded| R::diff(self, &recorded, &self.spec).kind == DiffType::Ignore)
    }

    fn begin_rescaling(&mut self, parallelism_before: Option<BTreeMap<String, String>>) {
        self.begin(Operation {
            kind: Some(api::OperationKind::Scaling),
            generation: Some(self.generation),
            job_id: self.job_id().map(str::to_owned),
            parallelism_before,
            ..Operation::default()
        });
    }

    fn waits_for_rescaling(&mut self) -> bool {
        self.hold("Scaling", "The running job is being told its new parallelism.");
        self.look_again(self.settings.progress_check_interval);
        true
    }

    /// Whether the operation had gone on for `limit` at a moment. An operator that has been away counts `since` it is back.
    fn rescaling_took(&self, limit: Duration, since: Option<Timestamp>, at: Timestamp) -> bool {
        let began = self.operation().start_timestamp.max(since.map(Timestamp::as_millisecond));
        let began = began.unwrap_or_default();
        let took = at.as_millisecond().saturating_sub(began);
        u64::try_from(took).is_ok_and(|took| u128::from(took) >= limit.as_millis())
    }

    /// By what Flink said last: the status does not tell that tasks start again while the job is being rescaled.
    fn all_tasks_run(&self) -> bool {
        let jobs = self.answer().into_iter().flat_map(|answer| &answer.jobs);
        let ours = |job: &&JobOverview| Some(job.job_id.as_str()) == self.job_id();
        jobs.filter(ours).any(|job| job.effective_state() == JobStatusState::Running)
    }

    /// What Flink said of the parallelism since this operation began.
    fn parallelism(&self) -> Option<&Parallelism> {
        let began = self.operation().start_timestamp.unwrap_or_default();
        let answer = self.answer().filter(|answer| answer.at.as_millisecond() >= began)?;
        let job_id = self.job_id()?;
        answer.parallelism.as_ref().filter(|parallelism| parallelism.job_id == job_id)
    }

    fn overrides(&self, spec: &R::Spec) -> Option<Overrides> {
        let conf = R::configuration_of(self, spec)?;
        flink_conf::parallelism_overrides(&conf).ok()
    }

    fn tell_parallelism(&mut self, vertices: Bounds) {
        let Some(job_id) = self.job_id().map(str::to_owned) else { return };
        self.call_flink(FlinkRequest::Rescale { job_id, vertices }, true);
        let event = EventRecord::normal(Reason::Scaling, Component::Job, "In-place scaling triggered");
        self.event(event.once(format!("Scaling {}", self.generation)));
    }

    fn tell_missing_parallelism(&mut self, missing: &[String]) {
        let message = format!(
            "The job has not got its new parallelism within kubernetes.operator.deployment.readiness.timeout: {}. It \
             runs on, and grows when there are slots. Remedy: make room for more TaskManagers, or ask for less.",
            missing.join(", ")
        );
        let event = EventRecord::warning(Reason::Error, Component::Job, message);
        self.event(event.once(format!("Scaling {}", self.generation)));
    }
}

/// The bounds that all vertices shall have; `None` when only a restart can bring them about: Flink cannot rescale this
/// job, or an override is gone, and what the vertex had before it is not known.
fn bounds(there: &Parallelism, before: &Overrides, after: &Overrides) -> Option<Bounds> {
    let nothing_to_set = before.is_empty() && after.is_empty();
    if there.refusal.is_some() || nothing_to_set {
        return None;
    }
    let vertex = |(id, vertex): (&String, &crate::observed::VertexParallelism)| {
        let bounds = match (before.get(id), after.get(id)) {
            (Some(_), None) => return None,
            (None, None) => vertex.bounds,
            (_, Some(&upper)) => ParallelismBounds { lower: vertex.bounds.lower.min(upper), upper },
        };
        Some((id.clone(), bounds))
    };
    there.vertices.iter().map(vertex).collect()
}

impl Parallelism {
    fn bounds(&self) -> Bounds {
        self.vertices.iter().map(|(id, vertex)| (id.clone(), vertex.bounds)).collect()
    }

    /// The bounds of all vertices as they were `before`, where nothing overrides them.
    fn restored(&self, before: &Bounds, overrides: &Overrides) -> Bounds {
        let vertex = |(id, vertex): (&String, &crate::observed::VertexParallelism)| {
            let known = before.get(id).copied().unwrap_or(vertex.bounds);
            let bounds = match overrides.get(id) {
                Some(&upper) => ParallelismBounds { lower: known.lower.min(upper), upper },
                None => known,
            };
            (id.clone(), bounds)
        };
        self.vertices.iter().map(vertex).collect()
    }

    /// The vertices that do not have what was asked for them, in words.
    fn missing(&self, wanted: &Overrides) -> Vec<String> {
        let short = |(id, vertex): (&String, &crate::observed::VertexParallelism)| {
            let wanted = wanted.get(id)?;
            let there = vertex.current.map_or_else(|| "unknown".to_owned(), |current| current.to_string());
            (vertex.current != Some(*wanted)).then(|| format!("vertex {id} has {there} of {wanted}"))
        };
        self.vertices.iter().filter_map(short).collect()
    }
}
