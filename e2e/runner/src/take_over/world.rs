//! What must stay as it is while our operator takes over.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::java_state::CLUSTER;
use crate::kubernetes::{Kind, name, text, uid};
use crate::timeline::place::Place;

/// What is there of a cluster: everything that would change if anybody did anything to it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct World {
    /// Deployment, Services and ConfigMaps of the operator, without status and resourceVersion.
    objects: Vec<(String, Value)>,
    /// Uid, start and restarts of the containers of the JobManager's pod; of TaskManagers' while a job runs on them.
    pods: Vec<String>,
    /// Id, start and state of each job, as Flink says.
    jobs: Vec<String>,
}

impl World {
    pub(super) async fn look(place: &Place) -> Result<Self> {
        let (cluster, namespace) = (&place.cluster, place.namespace.as_str());
        let mut objects = Vec::new();
        for kind in [Kind::Deployment, Kind::Service, Kind::ConfigMap] {
            for mut object in cluster.list(kind, namespace, &format!("app={CLUSTER}")).await? {
                // Flink writes its own.
                if text(&object, "/metadata/labels/configmap-type") == "high-availability" {
                    continue;
                }
                let key = format!("{kind:?} {}", name(&object));
                if let Some(fields) = object.as_object_mut() {
                    fields.remove("status");
                }
                if let Some(metadata) = object["metadata"].as_object_mut() {
                    metadata.remove("resourceVersion");
                    metadata.remove("managedFields");
                }
                objects.push((key, object));
            }
        }
        let jobs = jobs(place).await?;
        let runs = jobs.iter().any(|job| job.contains("RUNNING"));
        let components = if runs { "jobmanager,taskmanager" } else { "jobmanager" };
        Ok(Self { objects, pods: pods(place, components).await?, jobs })
    }

    /// Fails if a job is not what it was.
    pub(super) fn has_the_jobs_of(&self, before: &Self) -> Result<()> {
        ensure!(self.jobs == before.jobs, "{:?}, before: {:?}", self.jobs, before.jobs);
        Ok(())
    }

    /// Fails with the first thing that is different.
    pub(super) fn must_equal(&self, before: &Self) -> Result<()> {
        let names = |world: &Self| world.objects.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
        ensure!(names(self) == names(before), "objects: {:?}, before: {:?}", names(self), names(before));
        for ((key, object), (_, was)) in self.objects.iter().zip(&before.objects) {
            ensure!(object == was, "{key} was changed: {object}, before: {was}");
        }
        ensure!(self.pods == before.pods, "{:?}, before: {:?}", self.pods, before.pods);
        self.has_the_jobs_of(before)
    }
}

async fn pods(place: &Place, components: &str) -> Result<Vec<String>> {
    let selector = format!("app={CLUSTER},component in ({components})");
    let pods = place.cluster.list(Kind::Pod, &place.namespace, &selector).await?;
    let describe = |pod: &Value| {
        let containers = pod.pointer("/status/containerStatuses").cloned().unwrap_or_default();
        format!("{} {} {containers}", name(pod), uid(pod))
    };
    Ok(pods.iter().map(describe).collect())
}

async fn jobs(place: &Place) -> Result<Vec<String>> {
    let overview = place.cluster.ask_flink(&place.namespace, CLUSTER, "/jobs/overview").await?;
    let jobs = overview["jobs"].as_array().context("no list of jobs")?;
    Ok(jobs.iter().map(|job| format!("{} {} {}", job["jid"], job["start-time"], job["state"])).collect())
}
