//! Creating a cluster: recorded first, then created, then recorded as deployed.

use api::{
    JobManagerDeploymentStatus as Jm, JobState, JobStatusState, Operation, OperationKind,
    ReconciliationState, UpgradeMode,
};
use kube::core::DynamicObject;

use super::failure::class;
use super::identity::{self, Purpose};
use super::pass::{Pass, Recorded};
use super::restore::{Ha, LAST_STATE_MARKER, Source};
use super::upgrade::Restore;
use crate::effect::{DeleteObject, Effect, ObjectReference, Propagation, RemoveData};
use crate::event::{Component, EventRecord, Reason};
use crate::observed::{JobGraphs, JobManager};

/// Key with which a user fixes the job id.
const JOB_ID_KEY: &str = "$internal.pipeline.job-id";

impl Pass<'_> {
    /// The first deployment. A spec that wants nothing to run is not even recorded.
    pub(super) fn deploy_first(&mut self) {
        if self.wants_suspended() {
            self.hold("Suspended", "job.state is suspended: nothing is deployed until it is running.");
            return;
        }
        if let Some(job_manager) = &self.observed.job_manager {
            let job_manager = job_manager.clone();
            self.somebody_is_there(&job_manager);
            return;
        }
        let path = self.spec.job.as_ref().and_then(|job| job.initial_savepoint_path.clone());
        let source = match path.filter(|path| !path.trim().is_empty()) {
            Some(path) => Source::path(Some(path)),
            None => Source::empty(),
        };
        self.start_cluster(source);
    }

    /// A Deployment of our name exists although nothing is recorded.
    fn somebody_is_there(&mut self, job_manager: &JobManager) {
        if job_manager.terminating {
            self.hold("DeploymentExists", "The Deployment of an earlier resource of this name goes first.");
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
        self.hold("DeploymentExists", message);
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
            self.record_rolling_back(source.restore.upgrade_mode());
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
        // Without one it is known that the job started from empty: what was before is not its state.
        if source.path.is_none()
            && let Some(info) = &mut job.savepoint_info
        {
            info.last_savepoint = None;
        }
        job.upgrade_savepoint_path = source.path;
    }

    /// A job id that the user fixed in `flinkConfiguration`.
    fn fixed_job_id(&self) -> Option<String> {
        let spec = self.deployed_spec()?;
        let conf = super::build::configuration(self, &spec).ok()?;
        conf.get(JOB_ID_KEY).map(str::to_owned)
    }

    /// Tells the user and asks for the objects.
    pub(super) fn submit(&mut self) {
        // Nothing is submitted to a session cluster by its creation.
        if self.is_application() {
            self.event(EventRecord::normal(
                Reason::Submit,
                Component::JobManagerDeployment,
                "Starting deployment",
            ));
        }
        self.create_cluster();
    }

    pub(super) fn create_cluster(&mut self) {
        if self.job_graphs_are_unread() {
            self.hold("HaMetadataUnread", "The ConfigMaps with HA metadata could not be read.");
            self.look_again(self.settings.progress_check_interval);
            return;
        }
        match super::build::cluster(self) {
            Ok(objects) => {
                self.drop_old_job_graphs();
                self.effects.push(Effect::CreateCluster(Box::new(objects)));
                self.again_at_once();
                self.tell_unmanaged_ingress();
            }
            Err(error) => self.fail_once(class::RECONCILIATION, Reason::Error, &error.to_string()),
        }
    }

    /// What the JobManager Deployment owns and somebody has deleted: the Service of the REST API, without which nobody
    /// reaches Flink, and the TaskManagers of a standalone cluster, without which no job runs. If they are there, and
    /// somebody has changed their number, it becomes again what it was.
    pub(super) fn mend_dependents(&mut self) {
        let is_ours = |it: &JobManager| it.owned && !it.terminating;
        let Some(job_manager) = self.observed.job_manager.clone().filter(is_ours) else { return };
        let service = (self.observed.rest_service == Some(false))
            .then(|| ("Service", resources::names::rest_service(self.name)));
        let task_managers = self
            .task_managers_are_lost()
            .then(|| ("Deployment", resources::names::task_manager_deployment(self.name)));
        self.restore_task_manager_replicas();
        let lost: Vec<(&str, String)> = service.into_iter().chain(task_managers).collect();
        if lost.is_empty() {
            return;
        }
        let is_lost = |object: &DynamicObject| {
            let kind = object.types.as_ref().map_or("", |types| types.kind.as_str());
            lost.iter().any(|(of, name)| *of == kind && object.metadata.name.as_ref() == Some(name))
        };
        let dependents = super::build::dependents(self, &job_manager).into_iter().filter(is_lost);
        self.effects.extend(dependents.map(|object| Effect::CreateOwned(Box::new(object))));
    }

    /// Whether the old program may be in HA metadata that could not be read.
    fn job_graphs_are_unread(&self) -> bool {
        self.is_application() && self.observed.job_manager.is_none() && matches!(self.ha(), Ha::Unread)
    }

    /// With the old program in the HA metadata, the JobManager would recover that one.
    fn drop_old_job_graphs(&mut self) {
        if !self.is_application() || self.observed.job_manager.is_some() {
            return;
        }
        let graphs = self.observed.ha.iter().flat_map(|ha| ha.job_graphs.iter());
        for JobGraphs { config_map, uid, resource_version, keys } in graphs {
            let object = ObjectReference::config_map(self.namespace, config_map, Some(uid));
            let (resource_version, keys) = (resource_version.clone(), keys.clone());
            self.effects.push(Effect::RemoveData(RemoveData { object, resource_version, keys }));
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
            None if self.spec_is_newer() && !self.rolls_back() => self.start_over(),
            None => self.create_cluster(),
        }
    }

    fn spec_is_newer(&self) -> bool {
        self.operation().generation.is_some_and(|generation| generation < self.generation)
    }

    fn rolls_back(&self) -> bool {
        self.reconciliation_state() == ReconciliationState::RollingBack
    }

    /// The cluster does not exist yet and the spec has changed: a new attempt with the same state.
    fn start_over(&mut self) {
        if self.reconciliation_state() != ReconciliationState::Upgrading {
            // A lost cluster was to come back; what it was to be restored from is recorded.
            let mode = match self.operation().restore_path.as_deref() {
                Some(LAST_STATE_MARKER) => UpgradeMode::LastState,
                Some(_) | None => UpgradeMode::Savepoint,
            };
            self.record_stopped(mode);
            return;
        }
        let first = self.last_stable().is_none()
            && self
                .last
                .as_ref()
                .and_then(|last| last.metadata.as_ref())
                .is_some_and(|meta| meta.first_deployment);
        self.status.operation = None;
        if first {
            self.last = None;
            self.reconciliation().last_reconciled_spec = None;
            self.deploy_first();
        } else {
            self.replace_cluster();
        }
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
                if self.is_redeployment() {
                    self.mark_stable();
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

    /// A new `savepointRedeployNonce` asked for it: the user has chosen the state, so there is nothing to roll back to.
    fn is_redeployment(&self) -> bool {
        let nonce = |recorded: &Recorded| recorded.spec.job.as_ref()?.savepoint_redeploy_nonce;
        let stable = self.last_stable();
        let last = self.last.as_ref().and_then(nonce);
        stable.is_some_and(|stable| last.is_some() && nonce(&stable) != last)
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
        self.hold("DeploymentExists", message);
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
