//! A cluster in exactly the state that the Java operator leaves: its objects and its status, with this cluster's ids.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::recorded::{Moment, Objects};
use crate::kubernetes::{Kind, text, uid};
use crate::timeline::place::Place;

/// The name of every recorded FlinkDeployment that is used.
pub(super) const CLUSTER: &str = "app";
/// The jar of the job that counts.
const JAR: &str = "local:///opt/flink/usrlib/counting-job.jar";
/// Golden cases: one with a volume and high availability, and one without, whose headless Service is missing there.
const WITH_VOLUME: &str = "ha-kubernetes-savepoint-mode";
const WITHOUT_HA: &str = "native-app-v1-20-basic";
/// Names in the golden cases.
const GOLDEN_CLUSTER: &str = "my-app";
const GOLDEN_VOLUME: &str = "flink-volume";

/// A recorded moment, to be made real.
pub(super) struct JavaState<'a> {
    pub(super) place: &'a Place,
    pub(super) moment: Moment,
    /// Arguments of the job.
    pub(super) arguments: Vec<String>,
}

impl JavaState<'_> {
    /// Creates the resource as the user did, with the Java operator's finalizer, and what the Java operator made of it.
    pub(super) async fn create(&self) -> Result<()> {
        let (cluster, namespace) = (&self.place.cluster, self.place.namespace.as_str());
        let resource = cluster.create(Kind::FlinkDeployment, namespace, self.resource()).await?;
        let deployment = self.deployment(uid(&resource))?;
        let deployment = cluster.create(Kind::Deployment, namespace, deployment).await?;
        for (kind, object) in self.dependents(uid(&resource), uid(&deployment))? {
            cluster.create(kind, namespace, object).await?;
        }
        let autoscaler = self.golden(WITHOUT_HA, "ConfigMap", "autoscaler-my-app")?;
        cluster.create(Kind::ConfigMap, namespace, owned(autoscaler, uid(&resource))).await?;
        Ok(())
    }

    fn resource(&self) -> Value {
        let mut resource = self.place.adapt(self.moment.resource.clone());
        resource["metadata"] = json!({
            "name": CLUSTER,
            "namespace": self.place.namespace,
            "finalizers": [api::names::FINALIZER_FLINK_DEPLOYMENT],
        });
        resource["spec"]["job"]["jarURI"] = JAR.into();
        resource["spec"]["job"]["args"] = json!(self.arguments);
        resource
    }

    /// The JobManager's Deployment: as recorded, with the amounts of the recorded timeline.
    fn deployment(&self, owner: &str) -> Result<Value> {
        let mut deployment = owned(self.golden(WITH_VOLUME, "Deployment", GOLDEN_CLUSTER)?, owner);
        let container = deployment
            .pointer_mut("/spec/template/spec/containers/0")
            .context("a Deployment without container")?;
        container["resources"] = json!({
            "requests": {"cpu": "200m", "memory": "1Gi"},
            "limits": {"cpu": "2", "memory": "1Gi"},
        });
        Ok(deployment)
    }

    fn dependents(&self, resource: &str, deployment: &str) -> Result<Vec<(Kind, Value)>> {
        let mut service = self.golden(WITH_VOLUME, "Service", "my-app-rest")?;
        for assigned in ["clusterIP", "clusterIPs"] {
            if let Some(spec) = service["spec"].as_object_mut() {
                spec.remove(assigned);
            }
        }
        let mut configuration = self.golden(WITH_VOLUME, "ConfigMap", "flink-config-my-app")?;
        configuration["data"]["flink-conf.yaml"] = self.configuration(resource).into();
        let mut objects = vec![
            (Kind::Service, service),
            (Kind::ConfigMap, configuration),
            (Kind::ConfigMap, self.golden(WITH_VOLUME, "ConfigMap", "pod-template-my-app")?),
        ];
        if self.moment.option("high-availability.type").is_none() {
            objects.insert(0, (Kind::Service, self.golden(WITHOUT_HA, "Service", GOLDEN_CLUSTER)?));
        }
        Ok(objects.into_iter().map(|(kind, object)| (kind, owned(object, deployment))).collect())
    }

    /// The recorded lines with this cluster's namespace, uid, jar and arguments.
    fn configuration(&self, resource: &str) -> String {
        let recorded = text(&self.moment.resource, "/metadata/namespace");
        let line = |line: &String| {
            let (key, value) = line.split_once(": ").unwrap_or((line, ""));
            let value = match key {
                "$internal.application.program-args" => self.arguments.join(";"),
                "pipeline.jars" => JAR.to_owned(),
                "kubernetes.jobmanager.owner.reference" => with_uid(value, resource),
                _ => value.replace(recorded, &self.place.namespace),
            };
            format!("{key}: {value}\n")
        };
        self.moment.configuration.iter().map(line).collect()
    }

    /// An object of a golden case with the names of this cluster.
    fn golden(&self, case: &str, kind: &str, name: &str) -> Result<Value> {
        let object = Objects::read(case)?.get(kind, name)?;
        let names = [(GOLDEN_CLUSTER, CLUSTER), (GOLDEN_VOLUME, "v")];
        let object =
            names.iter().fold(object.to_string(), |object, (golden, ours)| object.replace(golden, ours));
        // The directory also occurs in the text of the pod template.
        let directory = self.place.data.display().to_string();
        let mut object: Value = serde_json::from_str(&object.replace("/tmp/flink", &directory))?;
        object["metadata"]["namespace"] = self.place.namespace.clone().into();
        Ok(object)
    }

    /// The recorded status with what Flink says of this job.
    pub(super) fn status(&self, job: &Value, savepoint: Option<&str>) -> Result<Value> {
        let mut status = self.moment.status.clone();
        let jobs = &mut status["jobStatus"];
        let known = [
            ("jobName", job["name"].clone()),
            ("startTime", job["start-time"].to_string().into()),
            ("updateTime", job["last-modification"].to_string().into()),
        ];
        for (field, value) in known {
            if jobs.get(field).is_some() {
                jobs[field] = value;
            }
        }
        if let Some(savepoint) = savepoint {
            jobs["upgradeSavepointPath"] = savepoint.into();
        }
        let reconciliation = &mut status["reconciliationStatus"];
        reconciliation["reconciliationTimestamp"] = jiff::Timestamp::now().as_millisecond().into();
        for key in ["lastReconciledSpec", "lastStableSpec"] {
            // Nothing is stable before the first job runs.
            if let Some(text) = reconciliation.get(key).and_then(Value::as_str) {
                reconciliation[key] = self.spec_text(text)?.into();
            }
        }
        Ok(status)
    }

    /// A recorded spec as text, in the same order and form.
    fn spec_text(&self, recorded: &str) -> Result<String> {
        let mut spec = self.place.adapt(serde_json::from_str(recorded)?);
        spec["spec"]["job"]["jarURI"] = JAR.into();
        spec["spec"]["job"]["args"] = json!(self.arguments);
        Ok(spec.to_string())
    }
}

fn owned(mut object: Value, owner: &str) -> Value {
    object["metadata"]["ownerReferences"][0]["uid"] = owner.into();
    object
}

/// `kind:…,uid:OLD,…` with another uid.
fn with_uid(reference: &str, uid: &str) -> String {
    let part = |part: &str| if part.starts_with("uid:") { format!("uid:{uid}") } else { part.to_owned() };
    reference.split(',').map(part).collect::<Vec<_>>().join(",")
}
