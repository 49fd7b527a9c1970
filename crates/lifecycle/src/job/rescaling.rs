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

/// For how long Flink is asked and told before the job is restarted instead.
const PATIENCE: Duration = Duration::from_secs(30);

/// Parallelism by vertex, as `pipeline.jobvertex-parallelism-overrides` says it.
type Overrides = BTreeMap<String, u32>;

impl<R: JobResource> Pass<'_, R> {
    /// Whether a native job is being rescaled.
    pub(crate) fn rescales(&self) -> bool {
        self.scales() && R::has_job(self) && !R::is_standalone(self)
    }

    /// Whether the running job can be told another parallelism.
    fn can_be_rescaled(&self) -> bool {
        self.settings.inplace_scaling
            && R::has_job(self)
            && !R::is_standalone(self)
            && self.reconciliation_state() == ReconciliationState::Deployed
            && self.job_is_reachable()
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
            self.begin_rescaling();
            return self.waits_for_rescaling();
        }
        let Some(there) = self.parallelism() else { return self.waits_for_rescaling() };
        let before = self.deployed_spec().and_then(|spec| self.overrides(&spec)).unwrap_or_default();
        let wanted = self.overrides(&self.spec).and_then(|after| bounds(there, &before, &after));
        let in_vain = self.rescaling_took(PATIENCE, Some(there.since));
        match wanted {
            None if there.refusal.is_some() && !in_vain => self.waits_for_rescaling(),
            None => false,
            Some(wanted) if wanted == there.bounds() => {
                R::record_spec(self, self.spec.clone(), ReconciliationState::Deployed, JobState::Running);
                self.begin_rescaling();
                self.again_at_once();
                true
            }
            Some(_) if in_vain => false,
            Some(wanted) => {
                self.tell_parallelism(wanted);
                self.waits_for_rescaling()
            }
        }
    }

    /// Until the job has the parallelism that is recorded, or for as long as a cluster may take to become ready.
    pub(crate) fn follow_rescaling(&mut self) {
        let recorded = self.operation().generation <= self.status.observed_generation();
        if !(self.rescales() && recorded) {
            return;
        }
        let overrides = self.deployed_spec().and_then(|spec| self.overrides(&spec)).unwrap_or_default();
        let missing = self.parallelism().map(|there| there.missing(&overrides));
        let runs = self.all_tasks_run();
        let reached = runs && missing.as_ref().is_some_and(Vec::is_empty);
        if self.job_ended() || reached || self.rescaling_took(self.settings.readiness_timeout, None) {
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
        let wanted = self.parallelism().and_then(|there| {
            bounds(there, &overrides, &overrides).filter(|wanted| *wanted != there.bounds())
        });
        if let Some(wanted) = wanted {
            self.tell_parallelism(wanted);
        }
        self.look_again(self.settings.progress_check_interval);
    }

    fn begin_rescaling(&mut self) {
        self.begin(Operation {
            kind: Some(api::OperationKind::Scaling),
            generation: Some(self.generation),
            job_id: self.job_id().map(str::to_owned),
            ..Operation::default()
        });
    }

    fn waits_for_rescaling(&mut self) -> bool {
        self.hold("Scaling", "The running job is being told its new parallelism.");
        self.look_again(self.settings.progress_check_interval);
        true
    }

    /// Whether the operation has gone on for `limit`. An operator that has been away counts `since` it is back.
    fn rescaling_took(&self, limit: Duration, since: Option<Timestamp>) -> bool {
        let began = self.operation().start_timestamp.max(since.map(Timestamp::as_millisecond));
        let began = began.unwrap_or_default();
        let took = self.now().as_millisecond().saturating_sub(began);
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

    fn tell_parallelism(&mut self, vertices: BTreeMap<String, ParallelismBounds>) {
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
fn bounds(
    there: &Parallelism,
    before: &Overrides,
    after: &Overrides,
) -> Option<BTreeMap<String, ParallelismBounds>> {
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
    fn bounds(&self) -> BTreeMap<String, ParallelismBounds> {
        self.vertices.iter().map(|(id, vertex)| (id.clone(), vertex.bounds)).collect()
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
