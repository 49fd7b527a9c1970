//! The life of a FlinkStateSnapshot: a savepoint or checkpoint of a job that goes on.
//!
//! | state | leaves it when |
//! |---|---|
//! | TRIGGER_PENDING | the job runs and its JobManager can be asked; a failure is over (`backoffLimit`) |
//! | IN_PROGRESS, with the trigger id | Flink says what came of that trigger |
//! | COMPLETED, FAILED, ABANDONED | never |
//!
//! The trigger id is recorded before Flink is asked, and Flink knows a trigger by its id: a call that is repeated takes no
//! second snapshot. A job that starts, is upgraded or recovers is waited for; only one that has ended, or whose resource is
//! gone, makes its snapshot ABANDONED (the Java operator gives up whenever it has not just seen the job RUNNING, W-20).

mod deletion;
mod job;
mod labels;
mod references;

#[cfg(test)]
mod tests;

use std::time::Duration;

use api::error::ErrorReport;
use api::{
    FlinkStateSnapshot, FlinkStateSnapshotStatus, FlinkVersion, SavepointSpec, SnapshotState, SnapshotType,
};
use flink_conf::settings::OperatorSettings;
use jiff::{SignedDuration, Timestamp};

use crate::deployment::Context;
use crate::effect::{Begun, Effect, FlinkCall, FlinkRequest};
use crate::event::{Component, EventRecord, Reason};
use crate::job::failure::class;
use crate::job::identity::{self, Purpose};
use crate::observed::{EffectFailure, FlinkView, OperationResult};
use crate::validate;
use crate::{Decision, PollPlan, Question, Requeue};

pub use job::{JobView, Phase, SnapshotJob, seen_from_job};
pub(crate) use references::is_same;
pub use references::{References, path_to_dispose};

/// Time between polls while Flink writes a snapshot.
const BUSY: Duration = Duration::from_secs(1);

/// For how long polls are as frequent as that; large snapshots take longer.
const BUSY_FOR: SignedDuration = SignedDuration::from_mins(2);

/// For how long one poll may fail before that is news a second time.
const PATIENCE: Duration = Duration::from_secs(15);

/// The first wait after a failure; it doubles with each one. Upstream: `StateSnapshotReconciler`.
const FIRST_BACK_OFF: Duration = Duration::from_secs(10);

/// The longest wait after a failure. (Upstream has no limit, so that the tenth wait is over an hour.)
const LONGEST_BACK_OFF: Duration = Duration::from_mins(10);

/// Everything that [`decide`] may look at besides the resource itself.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The job that `spec.jobReference` names.
    pub job: JobView,
    /// What the JobManager of that job last said about this snapshot.
    pub flink: FlinkView,
    /// What Flink has begun for this resource, as far as this process knows.
    pub begun: Option<Begun>,
    /// The last failure of an effect of this resource.
    pub failure: Option<EffectFailure>,
    /// What else refers to the files of this snapshot, for a person to read.
    pub needed_by: Option<String>,
}

/// Decides the next step in the life of `resource`.
///
/// Total: there is an answer for every resource, every observation and every moment.
#[must_use]
pub fn decide(
    resource: &FlinkStateSnapshot,
    observed: &Observed,
    context: &Context<'_>,
) -> Decision<FlinkStateSnapshotStatus> {
    let mut pass = Pass::new(resource, observed, context);
    if resource.metadata.deletion_timestamp.is_some() {
        pass.delete();
    } else if !pass.has_finalizer() {
        pass.effects.push(Effect::AddFinalizer);
        pass.label();
        pass.requeue = Some(Requeue::AtOnce);
    } else if pass.job_to_claim().is_some() {
        pass.claim();
    } else {
        pass.go_on();
        pass.label();
    }
    pass.finish()
}

/// One decision in the making.
struct Pass<'a> {
    resource: &'a FlinkStateSnapshot,
    observed: &'a Observed,
    context: &'a Context<'a>,
    settings: OperatorSettings,
    status: FlinkStateSnapshotStatus,
    effects: Vec<Effect>,
    requeue: Option<Requeue>,
    poll: Option<PollPlan>,
}

impl<'a> Pass<'a> {
    fn new(resource: &'a FlinkStateSnapshot, observed: &'a Observed, context: &'a Context<'a>) -> Self {
        let status = resource.status.clone().unwrap_or_else(FlinkStateSnapshotStatus::initial);
        Self {
            resource,
            observed,
            context,
            settings: OperatorSettings::of_operator(context.defaults),
            status,
            effects: Vec::new(),
            requeue: None,
            poll: None,
        }
    }

    fn finish(mut self) -> Decision<FlinkStateSnapshotStatus> {
        // What has failed is tried again after its back-off; Flink's answers are followed all the same.
        if self.observed.failure.is_some() {
            self.effects.retain(|effect| matches!(effect, Effect::Event(_)));
        }
        Decision {
            status: self.status,
            effects: self.effects,
            requeue: self.requeue.unwrap_or(Requeue::OnChange),
            poll: self.poll,
        }
    }

    // ---- reading ------------------------------------------------------------------------------------------------

    fn now(&self) -> Timestamp {
        self.context.now
    }

    fn name(&self) -> &'a str {
        self.resource.metadata.name.as_deref().unwrap_or_default()
    }

    fn namespace(&self) -> &'a str {
        self.resource.metadata.namespace.as_deref().unwrap_or_default()
    }

    fn state(&self) -> SnapshotState {
        self.status.state.unwrap_or(SnapshotState::TriggerPending)
    }

    fn savepoint(&self) -> Option<&'a SavepointSpec> {
        self.resource.spec.savepoint.as_ref()
    }

    fn snapshot_type(&self) -> SnapshotType {
        self.resource.spec.snapshot_type().unwrap_or(SnapshotType::Savepoint)
    }

    fn has_finalizer(&self) -> bool {
        let mut finalizers = self.resource.metadata.finalizers.iter().flatten();
        finalizers.any(|finalizer| finalizer == api::names::FINALIZER_FLINK_STATE_SNAPSHOT)
    }

    /// The id of the trigger that is recorded.
    fn trigger_id(&self) -> Option<String> {
        self.status.trigger_id.clone().filter(|id| !id.is_empty())
    }

    /// Notes which job the snapshot is of, before anything else is done.
    fn claim(&mut self) {
        if self.says_failure() {
            return;
        }
        self.label();
        self.requeue = Some(Requeue::AtOnce);
    }

    // ---- the states ---------------------------------------------------------------------------------------------

    /// One arm for each state.
    fn go_on(&mut self) {
        match self.state() {
            SnapshotState::TriggerPending => self.trigger(),
            SnapshotState::InProgress => self.follow(),
            SnapshotState::Completed | SnapshotState::Failed | SnapshotState::Abandoned => {}
        }
    }

    /// Asks Flink for the snapshot as soon as that makes sense.
    fn trigger(&mut self) {
        if !self.is_valid() {
            return;
        }
        if let Some(savepoint) = self.savepoint().filter(|it| it.already_exists_or_default()) {
            let now = self.now().to_string();
            self.status.trigger_timestamp = Some(now);
            self.complete(savepoint.path.clone().unwrap_or_default());
            return;
        }
        if let Some(left) = self.back_off_left() {
            self.look_again(left);
            return;
        }
        if self.says_failure() {
            return;
        }
        let job = match &self.observed.job {
            JobView::Found(job) => job,
            JobView::Unknown | JobView::Missing => return self.look_again(self.settings.reconcile_interval),
        };
        if let Some(gone) = self.job_was_replaced(job) {
            return self.abandon(gone);
        }
        match &job.phase {
            Phase::Ended => self.abandon(self.not_running()),
            Phase::Changing(why) => self.wait(why.clone()),
            Phase::Running => self.trigger_on(job),
        }
    }

    fn trigger_on(&mut self, job: &SnapshotJob) {
        let (Some(job_id), Some(_)) = (&job.job_id, &job.job_manager) else {
            return self.wait("The JobManager is not available".to_owned());
        };
        let generation = self.resource.metadata.generation.unwrap_or_default();
        let uid = self.resource.metadata.uid.as_deref().unwrap_or_default();
        let trigger_id = identity::new(Purpose::Trigger, uid, generation, self.now());
        let request = match self.request(job, job_id, &trigger_id) {
            Ok(request) => request,
            Err(reason) => return self.fail(&reason),
        };
        self.status.state = Some(SnapshotState::InProgress);
        self.status.trigger_id = Some(trigger_id);
        self.status.trigger_timestamp = Some(self.now().to_string());
        self.status.error = None;
        self.ask(job, request);
        self.follow_on(job);
    }

    /// Whether the spec asks for something that can be done.
    fn is_valid(&mut self) -> bool {
        if matches!(self.observed.job, JobView::Unknown) {
            self.look_again(self.settings.progress_check_interval);
            return false;
        }
        let found = matches!(self.observed.job, JobView::Found(_));
        let spec = &self.resource.spec;
        let violations = validate::snapshot(self.namespace(), spec, Some(&self.status), found);
        if violations.is_empty() {
            return true;
        }
        let message = validate::report(&violations);
        self.report(class::VALIDATION, Reason::ValidationError, Component::Operator, &message);
        self.look_again(self.settings.reconcile_interval);
        false
    }

    fn request(&self, job: &SnapshotJob, job_id: &str, trigger_id: &str) -> Result<FlinkRequest, String> {
        let (job_id, trigger_id) = (job_id.to_owned(), trigger_id.to_owned());
        let Some(savepoint) = self.savepoint() else {
            if job.version.is_some_and(|version| version < FlinkVersion::V1_17) {
                return Err("Flink takes checkpoints on demand from version 1.17 on".to_owned());
            }
            let checkpoint_type = job.checkpoint_type.clone();
            return Ok(FlinkRequest::TriggerCheckpoint { job_id, trigger_id, checkpoint_type });
        };
        let given = savepoint.path.clone().filter(|path| !path.is_empty());
        let Some(directory) = given.or_else(|| job.savepoint_directory.clone()) else {
            return Err("There is no directory for the savepoint. Remedy: set spec.savepoint.path, or \
                        execution.checkpointing.savepoint-dir in the configuration of the job."
                .to_owned());
        };
        Ok(FlinkRequest::TriggerSavepoint {
            job_id,
            trigger_id,
            target_directory: Some(directory),
            format_type: savepoint.format_type_or_default().to_string(),
        })
    }

    /// Waits for what Flink says about the recorded trigger.
    fn follow(&mut self) {
        let Some(trigger_id) = self.trigger_id() else {
            return self.fail("The status has no trigger id, so its result cannot be asked for");
        };
        let job = match &self.observed.job {
            JobView::Unknown => return self.look_again(self.settings.progress_check_interval),
            JobView::Missing => return self.abandon(self.not_found()),
            JobView::Found(job) => job,
        };
        if let Some(gone) = self.job_was_replaced(job) {
            return self.abandon(gone);
        }
        match self.result(job, &trigger_id) {
            Some(OperationResult::Completed(path)) => self.take(path),
            Some(OperationResult::Failed(reason)) => self.fail(&reason),
            Some(OperationResult::Unknown) => self.follow_unknown(job, &trigger_id),
            None if job.job_manager.is_none() && matches!(job.phase, Phase::Ended) => {
                self.abandon(self.not_running());
            }
            Some(OperationResult::InProgress) | None => self.follow_on(job),
        }
    }

    /// What the JobManager says of an operation.
    fn result(&self, job: &SnapshotJob, id: &str) -> Option<OperationResult> {
        let answer = self.observed.flink.current()?;
        let same = Some(&answer.cluster) == job.job_manager.as_ref();
        answer.operations.get(id).filter(|_| same).cloned()
    }

    /// The JobManager knows nothing of the trigger. If it was told, by this process, it is not the same any more; if not,
    /// the call has perhaps never been sent.
    fn follow_unknown(&mut self, job: &SnapshotJob, trigger_id: &str) {
        let asked_at = self.observed.flink.current().map(|answer| answer.at);
        let begun = self.observed.begun.as_ref().filter(|begun| begun.operation == trigger_id);
        if let Some(begun) = begun {
            if asked_at.is_some_and(|at| at > begun.at) {
                return self.fail("The JobManager was restarted before the snapshot was complete");
            }
            return self.follow_on(job);
        }
        let failure = self.observed.failure.as_ref();
        if let Some(failure) = failure.filter(|failure| failure.refuses(trigger_id)) {
            let reason = format!("{}: {}", failure.action, failure.message);
            return self.fail(&reason);
        }
        match (&job.phase, &job.job_id) {
            (Phase::Ended, _) => self.abandon(self.not_running()),
            (Phase::Running, Some(job_id)) => match self.request(job, job_id, trigger_id) {
                Ok(request) => {
                    self.ask(job, request);
                    self.follow_on(job);
                }
                Err(reason) => self.fail(&reason),
            },
            (Phase::Running | Phase::Changing(_), _) => self.follow_on(job),
        }
    }

    /// Takes the path that Flink has returned.
    fn take(&mut self, path: String) {
        match self.snapshot_type() {
            SnapshotType::Savepoint if path.is_empty() => {
                self.fail("Flink returned no path for the savepoint");
            }
            SnapshotType::Savepoint => self.complete(path),
            SnapshotType::Checkpoint => {
                if path.is_empty() {
                    let message = "The checkpoint is complete, and Flink cannot say where it lies";
                    self.event(EventRecord::warning(Reason::CheckpointError, Component::Snapshot, message));
                }
                self.complete(path);
            }
        }
    }

    // ---- how it ends --------------------------------------------------------------------------------------------

    fn complete(&mut self, path: String) {
        self.status.state = Some(SnapshotState::Completed);
        self.status.path = Some(path);
        self.status.result_timestamp = Some(self.now().to_string());
        self.status.error = None;
    }

    fn abandon(&mut self, reason: String) {
        self.event(EventRecord::warning(Reason::SnapshotAbandoned, Component::Snapshot, reason.clone()));
        self.status.state = Some(SnapshotState::Abandoned);
        self.status.path = None;
        self.status.result_timestamp = Some(self.now().to_string());
        self.status.error = Some(reason);
    }

    /// One try has failed. Whether there is another one is up to `backoffLimit`.
    fn fail(&mut self, reason: &str) {
        let failures = self.status.failures.unwrap_or(0).max(0).saturating_add(1);
        let limit = self.resource.spec.backoff_limit_or_default();
        let over = limit >= 0 && failures > limit;
        self.status.failures = Some(failures);
        self.status.result_timestamp = Some(self.now().to_string());
        self.status.state = Some(if over { SnapshotState::Failed } else { SnapshotState::TriggerPending });
        let kind = match self.snapshot_type() {
            SnapshotType::Savepoint => Reason::SavepointError,
            SnapshotType::Checkpoint => Reason::CheckpointError,
        };
        let report = ErrorReport::new(class::RECONCILIATION, reason).to_text(self.settings.error_limits);
        self.event(EventRecord::warning(kind, Component::Snapshot, report.clone()));
        self.status.error = Some(report);
        if let Some(left) = self.back_off_left().filter(|_| !over) {
            self.look_again(left);
        }
    }

    /// How long to wait before the next try. It counts from the recorded failure, whoever looks meanwhile.
    fn back_off_left(&self) -> Option<Duration> {
        let failures =
            u32::try_from(self.status.failures.unwrap_or(0)).ok().filter(|failures| *failures > 0)?;
        let failed: Timestamp = self.status.result_timestamp.as_deref()?.parse().ok()?;
        let doubled = 2_u32.checked_pow(failures - 1).and_then(|factor| FIRST_BACK_OFF.checked_mul(factor));
        let wait = doubled.unwrap_or(LONGEST_BACK_OFF).min(LONGEST_BACK_OFF);
        let waited = self.now().duration_since(failed).unsigned_abs();
        wait.checked_sub(waited).filter(|left| !left.is_zero())
    }

    /// Whether an effect has failed and its back-off lasts; the status says so.
    fn says_failure(&mut self) -> bool {
        let Some(failure) = &self.observed.failure else { return false };
        self.wait(format!("{}: {}", failure.action, failure.message));
        true
    }

    /// Says what is waited for.
    fn wait(&mut self, why: String) {
        self.status.error = Some(why);
        self.look_again(self.settings.progress_check_interval);
    }

    // ---- telling ------------------------------------------------------------------------------------------------

    /// An error of the status, with an Event if it is news.
    fn report(&mut self, class: &str, reason: Reason, component: Component, message: &str) {
        let text = ErrorReport::new(class, message).to_text(self.settings.error_limits);
        if self.status.error.as_ref() != Some(&text) {
            self.event(EventRecord::warning(reason, component, message));
            self.status.error = Some(text);
        }
    }

    fn event(&mut self, event: EventRecord) {
        self.effects.push(Effect::Event(event));
    }

    fn look_again(&mut self, delay: Duration) {
        self.requeue = Some(match self.requeue {
            Some(Requeue::AtOnce) => Requeue::AtOnce,
            Some(Requeue::After(earlier)) => Requeue::After(earlier.min(delay)),
            Some(Requeue::OnChange) | None => Requeue::After(delay),
        });
    }

    /// The sentence of the Java operator.
    fn not_running(&self) -> String {
        let (kind, name) = self.reference();
        let what = self.snapshot_type().to_string().to_lowercase();
        format!("Secondary resource {name} ({kind}) for {what} {} is not running", self.name())
    }

    fn not_found(&self) -> String {
        let (kind, name) = self.reference();
        let what = self.snapshot_type().to_string().to_lowercase();
        format!("Secondary resource {name} ({kind}) for {what} {} was not found", self.name())
    }

    /// A resource of the same name that was created later is not the one that the snapshot is of (W-55).
    fn job_was_replaced(&self, job: &SnapshotJob) -> Option<String> {
        let meant = self.resource.metadata.labels.as_ref()?.get(api::names::LABEL_JOB_REFERENCE_UID)?;
        let (kind, name) = self.reference();
        (*meant != job.uid && !self.is_about_another_job()).then(|| {
            format!(
                "The {kind} {name} that the snapshot is of was deleted; there is another one of its name now"
            )
        })
    }

    fn reference(&self) -> (String, &'a str) {
        let reference = self.resource.spec.job_reference.as_ref();
        let kind = reference.and_then(|it| it.kind).map(|kind| kind.to_string()).unwrap_or_default();
        (kind, reference.and_then(|it| it.name.as_deref()).unwrap_or_default())
    }

    // ---- Flink --------------------------------------------------------------------------------------------------

    fn ask(&mut self, job: &SnapshotJob, request: FlinkRequest) {
        let call = FlinkCall { cluster: job.cluster.clone(), request, tolerate_failure: false };
        self.effects.push(Effect::Flink(call));
    }

    /// Has the result of the recorded trigger asked for.
    fn follow_on(&mut self, job: &SnapshotJob) {
        let (Some(trigger_id), Some(job_id)) = (self.trigger_id(), job.job_id.clone()) else {
            return self.look_again(self.settings.progress_check_interval);
        };
        let question = match self.snapshot_type() {
            SnapshotType::Savepoint => Question::Savepoint { job_id, trigger_id },
            SnapshotType::Checkpoint => Question::Checkpoint { job_id, trigger_id },
        };
        let triggered: Option<Timestamp> =
            self.status.trigger_timestamp.as_deref().and_then(|text| text.parse().ok());
        let young = triggered.is_some_and(|at| self.now().duration_since(at) < BUSY_FOR);
        self.plan_poll(job, question, if young { BUSY } else { self.settings.progress_check_interval });
    }

    fn plan_poll(&mut self, job: &SnapshotJob, question: Question, interval: Duration) {
        self.look_again(self.settings.reconcile_interval);
        let Some(job_manager) = &job.job_manager else { return };
        self.poll = Some(PollPlan {
            cluster: job.cluster.clone(),
            deployment_uid: job_manager.clone(),
            interval,
            timeout: self.settings.flink_client_timeout,
            patience: PATIENCE,
            statistics_lag: Duration::ZERO,
            job_id: question.job_id().map(str::to_owned).or_else(|| job.job_id.clone()),
            questions: vec![question],
        });
    }
}
