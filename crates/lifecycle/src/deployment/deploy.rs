//! Creating a cluster: recorded first, then created, then recorded as deployed.

use api::{
    JobManagerDeploymentStatus as Jm, JobState, JobStatusState, Operation, OperationKind,
    ReconciliationState, UpgradeMode,
};

use super::failure::class;
use super::identity::{self, Purpose};
use super::pass::Pass;
use super::upgrade::Restore;
use crate::effect::{DeleteObject, Effect, ObjectReference, Propagation, RemoveData};
use crate::event::{Component, EventRecord, Reason};
use crate::observed::JobManager;

/// Written as savepoint path when a job is restored from HA metadata: a cluster whose HA metadata got lost then fails
/// instead of starting empty.
pub(super) const LAST_STATE_MARKER: &str = api::names::LAST_STATE_DUMMY_SAVEPOINT_PATH;

/// Key with which a user fixes the job id.
const JOB_ID_KEY: &str = "$internal.pipeline.job-id";

/// Where the state of a deployment comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) restore: Restore,
    pub(super) path: Option<String>,
}

impl Source {
    pub(super) fn empty() -> Self {
        Self { restore: Restore::Stateless, path: None }
    }
}

impl Pass<'_> {
    /// The first deployment. A spec that wants nothing to run is not even recorded.
    pub(super) fn deploy_first(&mut self) {
        let wants_nothing =
            self.spec.job.as_ref().is_some_and(|job| job.state_or_default() == JobState::Suspended);
        if wants_nothing {
            return;
        }
        if let Some(job_manager) = &self.observed.job_manager {
            let job_manager = job_manager.clone();
            self.somebody_is_there(&job_manager);
            return;
        }
        let path = self.spec.job.as_ref().and_then(|job| job.initial_savepoint_path.clone());
        let source = match path.filter(|path| !path.trim().is_empty()) {
            Some(path) => Source { restore: Restore::Savepoint, path: Some(path) },
            None => Source::empty(),
        };
        self.start_cluster(source);
    }

    /// A Deployment of our name exists although nothing is recorded.
    fn somebody_is_there(&mut self, job_manager: &JobManager) {
        if job_manager.terminating {
            self.look_again(self.settings.progress_check_interval);
            return;
        }
        let message = format!(
            "A Deployment named {} exists in namespace {} and nothing is recorded about it in the status of this \
             resource, so it is left alone. Remedy: delete that Deployment if its state is not needed, or give this \
             resource another name.",
            self.name, self.namespace
        );
        self.fail_once(class::RECONCILIATION, Reason::Error, &message);
        self.watch_foreign_deployment();
    }

    /// Nothing tells when a Deployment goes that does not belong to us.
    fn watch_foreign_deployment(&mut self) {
        self.look_again(self.settings.reconcile_interval);
    }

    /// Records a new attempt to run the wanted spec, and creates its cluster.
    ///
    /// The recorded `upgradeMode` is the one really used, as tools of the Java operator expect.
    pub(super) fn start_cluster(&mut self, source: Source) {
        let mut spec = self.spec.clone();
        if let Some(job) = &mut spec.job {
            let stateless = job.upgrade_mode_or_default() == UpgradeMode::Stateless && self.last.is_some();
            job.upgrade_mode =
                Some(if stateless { UpgradeMode::Stateless } else { source.restore.upgrade_mode() });
        }
        let generation = self.generation;
        if self.reconciliation_state() == ReconciliationState::RollingBack {
            self.status.error = None;
        } else {
            self.record_spec(spec, ReconciliationState::Upgrading, JobState::Suspended);
        }
        self.status.job_manager_deployment_status = Some(Jm::Missing);
        self.begin_deployment(source, generation);
        self.submit();
    }

    /// Writes down which cluster is about to be created.
    pub(super) fn begin_deployment(&mut self, source: Source, generation: i64) {
        let attempt = identity::new(Purpose::Attempt, self.uid, generation, self.now());
        self.begin(Operation {
            kind: Some(OperationKind::Deploying),
            attempt: Some(attempt),
            generation: Some(generation),
            restore_path: source.path.clone(),
            ..Operation::default()
        });
        if !self.is_application() {
            return;
        }
        let keep = source.restore == Restore::LastState;
        let job_id = self.fixed_job_id().or_else(|| self.job_id().filter(|_| keep).map(str::to_owned));
        let job_id = job_id.unwrap_or_else(|| identity::new(Purpose::Job, self.uid, generation, self.now()));
        let job = self.job();
        job.job_id = Some(job_id);
        if source.path.is_some() {
            job.upgrade_savepoint_path = source.path;
        }
    }

    /// A job id that the user fixed in `flinkConfiguration`.
    fn fixed_job_id(&self) -> Option<String> {
        let spec = self.deployed_spec()?;
        let conf = super::build::configuration(self, &spec).ok()?;
        conf.get(JOB_ID_KEY).map(str::to_owned)
    }

    /// Tells the user and asks for the objects.
    fn submit(&mut self) {
        self.event(EventRecord::normal(
            Reason::Submit,
            Component::JobManagerDeployment,
            "Starting deployment",
        ));
        self.create_cluster();
    }

    pub(super) fn create_cluster(&mut self) {
        match super::build::cluster(self) {
            Ok(objects) => {
                self.drop_old_job_graphs();
                self.effects.push(Effect::CreateCluster(Box::new(objects)));
                self.again_at_once();
                self.publish_ingress();
            }
            Err(error) => self.fail_once(class::RECONCILIATION, Reason::Error, &error.to_string()),
        }
    }

    /// The Ingress of the REST API, as wanted by the spec that is deployed; one that is wanted no longer goes.
    fn publish_ingress(&mut self) {
        let wanted = self.deployed_spec().and_then(|spec| spec.ingress);
        if !self.settings.manage_ingress {
            if wanted.is_some() {
                let message =
                    "spec.ingress is set, and kubernetes.operator.ingress.manage is off: no Ingress is made.";
                let event = EventRecord::warning(Reason::IngressManagement, Component::Operator, message);
                self.event(event.once("IngressManagement"));
            }
            return;
        }
        let Some(wanted) = wanted else {
            if let Some(uid) = self.observed.owned_ingress.clone() {
                let object = ObjectReference::new(
                    "networking.k8s.io/v1",
                    "Ingress",
                    self.namespace,
                    self.name,
                    Some(&uid),
                );
                self.effects
                    .push(Effect::Delete(DeleteObject { object, propagation: Propagation::Background }));
            }
            return;
        };
        match super::build::ingress(self, &wanted) {
            Ok(ingress) => self.effects.push(Effect::Apply(Box::new(ingress))),
            Err(error) => self.fail_once(class::RECONCILIATION, Reason::Error, &error.to_string()),
        }
    }

    /// With the old program in the HA metadata, the JobManager would recover that one.
    fn drop_old_job_graphs(&mut self) {
        if !self.is_application() || self.observed.job_manager.is_some() {
            return;
        }
        let graphs = self.observed.ha.iter().flat_map(|ha| ha.job_graphs.iter());
        for (name, uid, keys) in graphs {
            let object = ObjectReference::config_map(self.namespace, name, Some(uid));
            self.effects.push(Effect::RemoveData(RemoveData { object, keys: keys.clone() }));
        }
    }

    /// The recorded attempt: confirmed, repeated, or replaced because the spec changed before it could begin.
    pub(super) fn confirm_deployment(&mut self) {
        let attempt = self.operation().attempt;
        match self.observed.job_manager.clone() {
            Some(job_manager) if job_manager.attempt.is_some() && job_manager.attempt == attempt => {
                if job_manager.terminating {
                    self.look_again(self.settings.progress_check_interval);
                } else if self.observed.created_attempt == attempt {
                    self.record_deployed();
                } else {
                    self.create_cluster();
                }
            }
            Some(job_manager) if job_manager.owned => self.delete_deployment(&job_manager),
            Some(_) => self.foreign_deployment(),
            None if self.spec_is_newer() => self.start_over(),
            None => self.create_cluster(),
        }
    }

    fn spec_is_newer(&self) -> bool {
        self.operation().generation.is_some_and(|generation| generation < self.generation)
    }

    /// The cluster does not exist yet and the spec has changed: a new attempt with the same state.
    fn start_over(&mut self) {
        let first = self.last_stable().is_none()
            && self
                .last
                .as_ref()
                .and_then(|last| last.metadata.as_ref())
                .is_some_and(|meta| meta.first_deployment);
        if first {
            self.last = None;
            self.deploy_first();
            return;
        }
        let path = self.operation().restore_path;
        let restore = match (self.recorded_mode(), &path) {
            (UpgradeMode::LastState, _) => Restore::LastState,
            (UpgradeMode::Savepoint, _) | (UpgradeMode::Stateless, Some(_)) => Restore::Savepoint,
            (UpgradeMode::Stateless, None) => Restore::Stateless,
        };
        self.start_cluster(Source { restore, path });
    }

    /// All objects of the attempt exist.
    fn record_deployed(&mut self) {
        self.status.operation = None;
        self.status.error = None;
        match self.reconciliation_state() {
            ReconciliationState::RollingBack => {
                self.reconciliation().state = Some(ReconciliationState::RolledBack);
                self.record_task_managers(true);
            }
            ReconciliationState::Upgrading => {
                if let Some(last) = &self.last {
                    let spec = last.spec.clone();
                    let newest = self.generation;
                    self.generation = self.recorded_generation();
                    self.record_spec(spec, ReconciliationState::Deployed, JobState::Running);
                    self.generation = newest;
                }
            }
            // A lost cluster was created again: the recorded spec stays as it is.
            ReconciliationState::Deployed | ReconciliationState::RolledBack => {}
        }
        self.status.job_manager_deployment_status = Some(Jm::Deploying);
        if self.is_application() {
            self.job().state = Some(JobStatusState::Reconciling);
        }
        self.again_at_once();
    }

    fn recorded_generation(&self) -> i64 {
        self.status.observed_generation.unwrap_or(self.generation)
    }

    /// A Deployment of our name that belongs to somebody else is never touched.
    pub(super) fn foreign_deployment(&mut self) {
        let message = format!(
            "A Deployment named {} exists in namespace {} and does not belong to this resource. Remedy: delete or \
             rename it; the deployment then goes on by itself.",
            self.name, self.namespace
        );
        self.fail_once(class::RECONCILIATION, Reason::Error, &message);
        self.watch_foreign_deployment();
    }

    /// Deletes HA metadata. Returns whether there was any.
    pub(super) fn delete_ha_metadata(&mut self) -> bool {
        let Some(ha) = &self.observed.ha else { return false };
        for (name, uid) in &ha.config_maps {
            let object = ObjectReference::config_map(self.namespace, name, Some(uid));
            self.effects.push(Effect::Delete(DeleteObject { object, propagation: Propagation::Background }));
        }
        !ha.config_maps.is_empty()
    }
}
