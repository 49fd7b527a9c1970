//! A cluster in exactly the state that the Java operator leaves: its objects and its status, with this cluster's ids.

use anyhow::{Context, Result};
use flink_conf::{FlinkConf, nested_file};
use serde_json::{Value, json};

use super::recorded::{Moment, Objects};
use crate::kubernetes::{Kind, text, uid};
use crate::timeline::place::Place;

/// The name of every FlinkDeployment; recorded session clusters have another one.
pub(super) const CLUSTER: &str = "app";
/// The jar of the job that counts.
const JAR: &str = "local:///opt/flink/usrlib/counting-job.jar";
/// Golden cases: one with a volume and high availability, and one without, whose headless Service is missing there.
const WITH_VOLUME: &str = "ha-kubernetes-savepoint-mode";
const WITHOUT_HA: &str = "native-app-v1-20-basic";
/// Names in the golden cases, and here.
const NAMES: [(&str, &str); 3] = [("my-app", CLUSTER), ("my-session", CLUSTER), ("flink-volume", "v")];

/// The form of a cluster's objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// An application of Flink 1.20 in native mode, with a volume.
    Application,
    /// A session cluster of Flink 1.20 in native mode.
    Session,
    /// The same with a volume. No golden case has that: an application's differs in the command only.
    SessionWithVolume,
    /// A session cluster of Flink 2.2 in native mode.
    SessionOn22,
    /// A session cluster of Flink 1.20 in standalone mode.
    StandaloneSession,
}

impl Shape {
    fn golden_case(self) -> &'static str {
        match self {
            Self::Application | Self::SessionWithVolume => WITH_VOLUME,
            Self::Session => "native-session-v1-20",
            Self::SessionOn22 => "native-session-v2-2",
            Self::StandaloneSession => "standalone-session-v1-20",
        }
    }

    fn has_volume(self) -> bool {
        matches!(self, Self::Application | Self::SessionWithVolume)
    }

    /// A recorded text with the versions of this cluster: all recordings of session clusters are of Flink 1.20.
    fn with_versions(self, recorded: &str) -> String {
        match self {
            Self::SessionOn22 => recorded.replace("v1_20", "v2_2").replace("flink:1.20", "flink:2.2"),
            Self::Application | Self::Session | Self::SessionWithVolume | Self::StandaloneSession => {
                recorded.to_owned()
            }
        }
    }
}

/// A recorded moment, to be made real.
pub(super) struct JavaState<'a> {
    pub(super) place: &'a Place,
    pub(super) shape: Shape,
    pub(super) moment: Moment,
    /// Arguments of the job.
    pub(super) arguments: Vec<String>,
}

impl JavaState<'_> {
    /// Creates the resource as the user did, with the Java operator's finalizer, and what the Java operator made of it.
    pub(super) async fn create(&self) -> Result<()> {
        let (cluster, namespace) = (&self.place.cluster, self.place.namespace.as_str());
        let resource = cluster.create(Kind::FlinkDeployment, namespace, self.resource()?).await?;
        let deployment = self.deployment(CLUSTER, uid(&resource))?;
        let deployment = cluster.create(Kind::Deployment, namespace, deployment).await?;
        for (kind, object) in self.dependents(uid(&resource), uid(&deployment))? {
            cluster.create(kind, namespace, object).await?;
        }
        if self.shape == Shape::StandaloneSession {
            let task_managers = self.deployment("app-taskmanager", uid(&resource))?;
            cluster.create(Kind::Deployment, namespace, task_managers).await?;
        }
        if self.shape == Shape::Application {
            let autoscaler = self.golden(WITHOUT_HA, "ConfigMap", "autoscaler-app")?;
            cluster.create(Kind::ConfigMap, namespace, owned(autoscaler, uid(&resource))).await?;
        }
        Ok(())
    }

    fn resource(&self) -> Result<Value> {
        let recorded = self.shape.with_versions(&self.moment.resource.to_string());
        let mut resource = self.place.adapt(serde_json::from_str(&recorded)?);
        resource["metadata"] = json!({
            "name": CLUSTER,
            "namespace": self.place.namespace,
            "finalizers": [api::names::FINALIZER_FLINK_DEPLOYMENT],
        });
        self.use_job(&mut resource);
        Ok(resource)
    }

    /// Puts this job into an object with the spec of an application.
    fn use_job(&self, object: &mut Value) {
        if self.shape == Shape::Application {
            object["spec"]["job"]["jarURI"] = JAR.into();
            object["spec"]["job"]["args"] = json!(self.arguments);
        }
    }

    /// A Deployment: as recorded, with the amounts of the recorded timeline.
    fn deployment(&self, name: &str, owner: &str) -> Result<Value> {
        let mut deployment = owned(self.golden(self.shape.golden_case(), "Deployment", name)?, owner);
        let container = deployment
            .pointer_mut("/spec/template/spec/containers/0")
            .context("a Deployment without container")?;
        container["resources"] = json!({
            "requests": {"cpu": "200m", "memory": "1Gi"},
            "limits": {"cpu": "2", "memory": "1Gi"},
        });
        if self.shape == Shape::SessionWithVolume {
            container["args"][2] = "kubernetes-jobmanager.sh kubernetes-session ".into();
        }
        Ok(deployment)
    }

    fn dependents(&self, resource: &str, deployment: &str) -> Result<Vec<(Kind, Value)>> {
        let case = self.shape.golden_case();
        let mut service = self.golden(case, "Service", "app-rest")?;
        for assigned in ["clusterIP", "clusterIPs"] {
            if let Some(spec) = service["spec"].as_object_mut() {
                spec.remove(assigned);
            }
        }
        let mut configuration = self.golden(case, "ConfigMap", "flink-config-app")?;
        let (file, content) = self.configuration(resource)?;
        configuration["data"][file] = content.into();
        let mut objects = vec![(Kind::Service, service), (Kind::ConfigMap, configuration)];
        if self.shape.has_volume() {
            objects.push((Kind::ConfigMap, self.golden(case, "ConfigMap", "pod-template-app")?));
        }
        if self.moment.option("high-availability.type").is_none() {
            let case = if self.shape == Shape::Application { WITHOUT_HA } else { case };
            objects.insert(0, (Kind::Service, self.golden(case, "Service", CLUSTER)?));
        }
        Ok(objects.into_iter().map(|(kind, object)| (kind, owned(object, deployment))).collect())
    }

    /// The recorded options with this cluster's name, namespace, uid, jar and arguments, and the file that holds them.
    fn configuration(&self, resource: &str) -> Result<(&'static str, String)> {
        let recorded = text(&self.moment.resource, "/metadata/namespace");
        let name = text(&self.moment.resource, "/metadata/name");
        let mut conf = FlinkConf::new();
        for line in &self.moment.configuration {
            let (key, value) = line.split_once(": ").unwrap_or((line, ""));
            let value = match key {
                "$internal.application.program-args" => self.arguments.join(";"),
                "pipeline.jars" => JAR.to_owned(),
                "kubernetes.cluster-id" | "high-availability.cluster-id" => CLUSTER.to_owned(),
                "jobmanager.rpc.address" => format!("{CLUSTER}.{}", self.place.namespace),
                "kubernetes.jobmanager.owner.reference" => {
                    with_uid(value, resource).replace(&format!("name:{name}"), &format!("name:{CLUSTER}"))
                }
                _ => self.shape.with_versions(&value.replace(recorded, &self.place.namespace)),
            };
            conf.set(key, value);
        }
        if self.shape == Shape::SessionOn22 {
            return Ok(("config.yaml", nested_file::render(&conf)?));
        }
        let lines: Vec<_> = conf.iter().map(|(key, value)| format!("{key}: {value}\n")).collect();
        Ok(("flink-conf.yaml", lines.concat()))
    }

    /// An object of a golden case with the names of this cluster.
    fn golden(&self, case: &str, kind: &str, name: &str) -> Result<Value> {
        let objects = Objects::read(case)?.renamed(&NAMES)?;
        let object = objects.get(kind, name)?.to_string();
        // The directory also occurs in the text of the pod template.
        let directory = self.place.data.display().to_string();
        let mut object: Value = serde_json::from_str(&object.replace("/tmp/flink", &directory))?;
        object["metadata"]["namespace"] = self.place.namespace.clone().into();
        Ok(object)
    }

    /// The recorded status of a session cluster.
    pub(super) fn session_status(&self) -> Result<Value> {
        let mut status = self.moment.status.clone();
        self.date(&mut status)?;
        Ok(status)
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
        self.date(&mut status)?;
        Ok(status)
    }

    /// Puts this moment and the specs of this cluster into a status.
    fn date(&self, status: &mut Value) -> Result<()> {
        let reconciliation = &mut status["reconciliationStatus"];
        reconciliation["reconciliationTimestamp"] = jiff::Timestamp::now().as_millisecond().into();
        for key in ["lastReconciledSpec", "lastStableSpec"] {
            // Nothing is stable before the first job runs.
            if let Some(text) = reconciliation.get(key).and_then(Value::as_str) {
                reconciliation[key] = self.spec_text(text)?.into();
            }
        }
        Ok(())
    }

    /// A recorded spec as text, in the same order and form.
    fn spec_text(&self, recorded: &str) -> Result<String> {
        let recorded = self.shape.with_versions(recorded);
        let mut spec = self.place.adapt(serde_json::from_str(&recorded)?);
        self.use_job(&mut spec);
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
