//! Deletion: a savepoint if configured, then the job is cancelled, then the finalizer goes. It ends from every state, and
//! until then the condition `Deleting` names what it waits for.

use api::{JobStatusState, LifecycleState, Operation, OperationKind};
use jiff::Timestamp;

use super::Pass;
use super::cluster::Cluster;
use crate::Effect;
use crate::effect::FlinkRequest;
use crate::event::{Component, EventRecord, Reason};
use crate::job::pass::Stage;
use crate::observed::JobOverview;

impl Pass<'_> {
    /// One pass of a resource whose deletion was asked for.
    pub(super) fn delete(&mut self) {
        if !super::has_finalizer(self.resource) {
            return;
        }
        self.announce_deletion();
        if self.nothing_runs() || self.cluster_is_gone() || self.cluster_ends_everything() {
            self.end_deletion();
            return;
        }
        if !self.deletes_job() && self.waits_for_last_savepoint() {
            self.plan_poll();
            return;
        }
        if self.job_ended() && !self.deletes_job() {
            self.end_deletion();
            return;
        }
        self.job_goes();
        self.plan_poll();
    }

    fn announce_deletion(&mut self) {
        self.set_deleting();
        let message = "Cleaning up FlinkSessionJob";
        self.event(EventRecord::normal(Reason::Cleanup, Component::Operator, message).once("Cleanup"));
        self.tell_what_goes();
        if let Some(failure) = &self.observed.failure {
            let message = format!("{}: {}", failure.action, failure.message);
            let event = EventRecord::warning(Reason::CleanupFailed, Component::Operator, message);
            self.event(event.at_most_every(self.settings.reconcile_interval));
        }
    }

    fn nothing_runs(&self) -> bool {
        let ended = self.job_id().is_none() || self.job_ended() && !self.deletes_job();
        match self.stage() {
            Stage::Fresh | Stage::Suspended | Stage::Stopped | Stage::Restarting | Stage::Withdrawing => true,
            Stage::Deployed | Stage::Cancelling => ended,
            Stage::Deploying | Stage::Stopping => self.job_id().is_none(),
        }
    }

    /// Whether the cluster is being taken down with everything that runs on it.
    fn cluster_ends_everything(&self) -> bool {
        let Cluster::Deleting(cluster) = self.cluster() else { return false };
        let operation = cluster.status.as_ref().and_then(|status| status.operation.as_ref());
        operation.and_then(|operation| operation.kind) == Some(OperationKind::Deleting)
    }

    /// Whether the stages before are over.
    fn deletes_job(&self) -> bool {
        self.status.operation.as_ref().and_then(|operation| operation.kind) == Some(OperationKind::Deleting)
    }

    /// Cancels the job, and waits until it has ended.
    fn job_goes(&mut self) {
        let Some(job_id) = self.job_id().map(str::to_owned) else { return };
        let listed = self.answer().and_then(|answer| answer.jobs.iter().find(|job| job.job_id == job_id));
        match listed.cloned() {
            Some(job) if job.state.is_terminal() => {
                self.tell_end(&job);
                self.end_deletion();
            }
            None if self.job_is_unknown_to_flink() => self.end_deletion(),
            Some(job) => {
                if !self.leaves_job_behind(&job_id) {
                    self.cancel_for_deletion(&job_id, job.state);
                }
            }
            None => {
                if !self.leaves_job_behind(&job_id) {
                    self.deletion_waits(
                        "WaitingForCluster",
                        format!(
                            "The JobManager of the session cluster {} was not heard yet about job {job_id}, which is to \
                             be cancelled.",
                            self.cluster_name()
                        ),
                    );
                    self.look_again(self.settings.progress_check_interval);
                }
            }
        }
    }

    fn cancel_for_deletion(&mut self, job_id: &str, state: JobStatusState) {
        self.deletion_waits("WaitingForJob", format!("Job {job_id} is being cancelled."));
        if !self.deletes_job() {
            self.begin(Operation {
                kind: Some(OperationKind::Deleting),
                job_id: Some(job_id.to_owned()),
                ..Operation::default()
            });
        }
        if state != JobStatusState::Cancelling {
            self.call_flink(FlinkRequest::Cancel { job_id: job_id.to_owned() }, false);
        }
        self.job().state = Some(JobStatusState::Cancelling);
        self.look_again(self.settings.progress_check_interval);
    }

    fn tell_end(&mut self, job: &JobOverview) {
        let before = self.job_state().map_or_else(|| "null".to_owned(), |before| before.to_string());
        let message = format!("Job status changed from {before} to {}", job.state);
        self.event(EventRecord::normal(Reason::JobStatusChanged, Component::Job, message));
    }

    /// A job that cannot be ended in time is named, so that somebody can end it.
    fn leaves_job_behind(&mut self, job_id: &str) -> bool {
        let asked = self.deletion_asked().unwrap_or(Timestamp::UNIX_EPOCH);
        let begun =
            self.operation().start_timestamp.and_then(|begun| Timestamp::from_millisecond(begun).ok());
        let since = begun.filter(|_| self.deletes_job()).map_or(asked, |begun| begun.max(asked));
        if self.now().duration_since(since).unsigned_abs() <= self.settings.cleanup_timeout {
            return false;
        }
        let message = format!(
            "Job {job_id} on the session cluster {} could not be cancelled within \
             kubernetes.operator.resource.cleanup.timeout, and is left behind. Remedy: if the cluster still runs it, cancel \
             it there.",
            self.cluster_name()
        );
        let event = EventRecord::warning(Reason::CleanupFailed, Component::Operator, message);
        self.event(event.once("job stays"));
        self.end_deletion();
        true
    }

    /// A resource that goes needs no further status.
    fn end_deletion(&mut self) {
        let stored = self.resource.status.as_ref();
        let announced = stored.filter(|stored| stored.lifecycle_state == Some(LifecycleState::Deleting));
        if let Some(announced) = announced {
            self.status = announced.clone();
        }
        self.deletion = None;
        self.effects.push(Effect::RemoveFinalizer);
    }
}
