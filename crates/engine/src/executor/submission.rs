//! Submitting a job to a session cluster: the jar is fetched, uploaded, run, and deleted again.

use std::collections::BTreeMap;

use api::FlinkVersion;
use flink_client::{FlinkCluster, FlinkError, JarRun, RestoreMode};
use flink_conf::FlinkConf;
use lifecycle::JobSubmission;

use super::Executor;
use super::error::{EffectError, EffectErrorKind};
use super::turns::Turn;
use crate::caches::ResourceId;
use crate::ports::{Artifact, ArtifactRequest};
use crate::resource::Resource;

/// Name of a Secret in the namespace of the job whose entries are options of the job: credentials, for instance.
const SECRET: &str = "kubernetes.operator.user.artifacts.secret";

impl Executor {
    /// Flink takes a job of an id only once. One that it has seen before counts as submitted: what became of it, the
    /// poller tells.
    pub(super) async fn submit_job(
        &self,
        resource: &Resource,
        submission: &JobSubmission,
    ) -> Result<(), EffectError> {
        let slot = self.slots.give_back();
        // A slow host, or a slow program, does not delay the deletion of the resource, or its repair.
        let id = ResourceId::new(resource.kind, resource.key.clone());
        let ready = self.interruptions.unless_changed(id, self.prepare(resource, submission)).await;
        let changed = || EffectErrorKind::ResourceChanged.during("prepare the submission".to_owned());
        let submitted = match ready.unwrap_or_else(|| Err(changed())) {
            Ok((jar, _turn)) => self.run(resource, submission, &jar).await,
            Err(error) => Err(error),
        };
        drop(slot);
        submitted
    }

    async fn prepare(
        &self,
        resource: &Resource,
        submission: &JobSubmission,
    ) -> Result<(Artifact, Turn), EffectError> {
        let jar = self.fetch(resource, submission).await?;
        Ok((jar, self.turns.wait(&submission.cluster, submission.runs_alone).await))
    }

    async fn fetch(&self, resource: &Resource, submission: &JobSubmission) -> Result<Artifact, EffectError> {
        let Some(uri) = submission.jar_uri.clone() else {
            return Ok(Artifact { jar: self.remotes.artifacts.empty_jar(), keep: None });
        };
        let action = || format!("fetch the jar {}", without_query(&uri));
        let configuration = self.with_secret(resource, &submission.configuration).await;
        let configuration = configuration.map_err(|kind| kind.during(action()))?;
        let request = ArtifactRequest { uri: uri.clone(), configuration };
        self.remotes
            .artifacts
            .fetch(&request)
            .await
            .map_err(|error| EffectErrorKind::from(error).during(action()))
    }

    /// The entries of the Secret that the configuration names, over it.
    async fn with_secret(
        &self,
        resource: &Resource,
        configuration: &FlinkConf,
    ) -> Result<FlinkConf, EffectErrorKind> {
        let mut configuration = configuration.clone();
        let Some(name) = configuration.get(SECRET).map(str::to_owned) else { return Ok(configuration) };
        for (key, value) in super::secrets::entries(self.api.as_ref(), &resource.key.namespace, &name).await?
        {
            configuration.set(key, value);
        }
        Ok(configuration)
    }

    async fn run(
        &self,
        resource: &Resource,
        submission: &JobSubmission,
        jar: &Artifact,
    ) -> Result<(), EffectError> {
        let during = |what: &str| format!("{what} job {}", submission.job_id);
        let cluster = self.remotes.flink.cluster(&submission.cluster, submission.time_limit);
        let cluster = cluster.map_err(|error| EffectErrorKind::from(error).during(during("submit")))?;
        let uploaded = cluster.upload_jar(&jar.jar).await;
        let jar_id =
            uploaded.map_err(|error| EffectErrorKind::from(error).during(during("upload the jar of")))?;
        let run = self.run_uploaded(resource, submission, &cluster, &jar_id).await;
        if let Err(error) = cluster.delete_jar(&jar_id).await {
            tracing::info!(
                namespace = %resource.key.namespace,
                name = %resource.key.name,
                "the uploaded jar stays on the cluster: {error}"
            );
        }
        run.map_err(|kind| kind.during(during("run")))
    }

    /// Fetching and uploading take their time: the job is run only if it is still the recorded one.
    async fn run_uploaded(
        &self,
        resource: &Resource,
        submission: &JobSubmission,
        cluster: &FlinkCluster,
        jar_id: &str,
    ) -> Result<(), EffectErrorKind> {
        self.must_be_wanted(resource, &submission.job_id).await?;
        match cluster.run_jar(jar_id, &jar_run(submission)?).await {
            Ok(_) | Err(FlinkError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the recorded job is this one, and nobody has recorded that it was submitted.
    async fn must_be_wanted(&self, resource: &Resource, job_id: &str) -> Result<(), EffectErrorKind> {
        let Some(object) = self.api.get(resource.kind, &resource.key).await? else {
            return Err(EffectErrorKind::ResourceGone);
        };
        let text = |pointer: &str| object.data.pointer(pointer).and_then(serde_json::Value::as_str);
        let there = object.metadata.uid.as_deref() == Some(resource.uid.as_str())
            && object.metadata.deletion_timestamp.is_none();
        let recorded = text("/status/jobStatus/jobId") == Some(job_id);
        let submitted =
            matches!(text("/status/reconciliationStatus/state"), Some("DEPLOYED" | "ROLLED_BACK"));
        self.caches.wrote(&object);
        match (there, recorded && !submitted) {
            (false, _) => Err(EffectErrorKind::ResourceGone),
            (true, false) => Err(EffectErrorKind::ResourceChanged),
            (true, true) => Ok(()),
        }
    }
}

fn jar_run(submission: &JobSubmission) -> Result<JarRun, EffectErrorKind> {
    let version = submission.flink_version;
    let at_least = |oldest: FlinkVersion| version.is_none_or(|version| version >= oldest);
    let (restore_mode, claim_mode) = if at_least(FlinkVersion::V1_20) {
        (None, Some(RestoreMode::NoClaim))
    } else {
        (Some(RestoreMode::NoClaim), None)
    };
    let flink_configuration: BTreeMap<String, String> = if at_least(FlinkVersion::V1_17) {
        let stripped = flink_conf::cluster_side::strip(&submission.configuration);
        stripped.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    } else {
        BTreeMap::new()
    };
    Ok(JarRun {
        entry_class: submission.entry_class.clone(),
        program_args: submission.args.clone(),
        parallelism: submission.parallelism,
        job_id: Some(submission.job_id.parse()?),
        allow_non_restored_state: submission.allow_non_restored_state,
        savepoint_path: submission.savepoint_path.clone(),
        restore_mode,
        claim_mode,
        flink_configuration,
    })
}

/// Queries hold signatures and tokens.
fn without_query(uri: &str) -> String {
    uri.split(['?', '#']).next().unwrap_or_default().to_owned()
}
