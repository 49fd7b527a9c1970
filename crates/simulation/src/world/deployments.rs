//! The Deployment controller, as far as JobManagers and TaskManagers need it: pods come and go, and the status says how it is.
//!
//! Simplified: pods belong to the Deployment itself instead of to a ReplicaSet, and a changed pod template replaces no
//! pods (the operator creates a new Deployment instead).

use engine::ports::{DeleteOptions, Kind, ObjectKey};
use jiff::Timestamp;
use lifecycle::Propagation;
use serde_json::{Value, json};

use super::Inner;
use super::boot::text;

fn terminating(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some()
}

fn is_ready(pod: &Value) -> bool {
    pod.pointer("/status/containerStatuses/0/ready").and_then(Value::as_bool) == Some(true)
}

impl Inner {
    /// One look at every Deployment.
    pub(super) fn run_deployments(&mut self, now: Timestamp) {
        let pods = self.server.all(Kind::POD);
        for deployment in self.server.all(Kind::DEPLOYMENT) {
            self.meet_task_managers(&deployment);
            let uid = text(&deployment, "/metadata/uid");
            let mine: Vec<&Value> = pods
                .iter()
                .map(AsRef::as_ref)
                .filter(|pod| text(pod, "/metadata/ownerReferences/0/uid") == uid)
                .collect();
            let living: Vec<&Value> = mine.into_iter().filter(|pod| !terminating(pod)).collect();
            let mut failed = None;
            if !terminating(&deployment) && deployment.pointer("/spec/paused") != Some(&json!(true)) {
                failed = self.set_number_of_pods(&deployment, &living);
            }
            self.report(&deployment, failed, now);
        }
    }

    /// Creates or deletes pods; the message of a create that is refused.
    fn set_number_of_pods(&mut self, deployment: &Value, living: &[&Value]) -> Option<String> {
        let wanted = deployment.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        for pod in living.iter().skip(wanted) {
            let key = ObjectKey::new(text(pod, "/metadata/namespace"), text(pod, "/metadata/name"));
            let options = DeleteOptions { uid: None, propagation: Propagation::Background };
            let _is_gone = self.server.delete_object(Kind::POD, &key, &options);
        }
        if living.len() < wanted && self.settings.refuse_pods.is_some() {
            return self.settings.refuse_pods.clone();
        }
        for _ in living.len()..wanted {
            self.create_pod(deployment);
        }
        None
    }

    fn create_pod(&mut self, deployment: &Value) {
        self.pods_made += 1;
        let name = text(deployment, "/metadata/name");
        let template = deployment.pointer("/spec/template").cloned().unwrap_or_default();
        let part = |pointer: &str| template.pointer(pointer).cloned().unwrap_or(Value::Null);
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": format!("{name}-{}", self.pods_made),
                "namespace": text(deployment, "/metadata/namespace"),
                "labels": part("/metadata/labels"),
                "ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": "Deployment", "name": name,
                    "uid": text(deployment, "/metadata/uid"), "controller": true, "blockOwnerDeletion": true,
                }],
            },
            "spec": {
                "nodeName": "node",
                "containers": part("/spec/containers"),
                "volumes": part("/spec/volumes"),
            },
        });
        let _name_is_new = self.server.create_object(Kind::POD, pod);
    }

    fn report(&self, deployment: &Value, failed: Option<String>, now: Timestamp) {
        let uid = text(deployment, "/metadata/uid").to_owned();
        let pods = self.server.all(Kind::POD);
        let living: Vec<&Value> = pods
            .iter()
            .map(AsRef::as_ref)
            .filter(|pod| text(pod, "/metadata/ownerReferences/0/uid") == uid && !terminating(pod))
            .collect();
        let available = living.iter().filter(|pod| is_ready(pod)).count();
        let wanted = deployment.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
        let enough = u64::try_from(available).unwrap_or(u64::MAX) >= wanted;
        let (state, reason) = if enough {
            ("True", "MinimumReplicasAvailable")
        } else {
            ("False", "MinimumReplicasUnavailable")
        };
        let mut conditions = vec![self.condition(deployment, "Available", state, reason, "", now)];
        if let Some(message) = failed {
            conditions.push(self.condition(
                deployment,
                "ReplicaFailure",
                "True",
                "FailedCreate",
                &message,
                now,
            ));
        }
        let mut status = json!({
            "observedGeneration": deployment.pointer("/metadata/generation"),
            "conditions": conditions,
        });
        if let Some(fields) = status.as_object_mut() {
            for (name, count) in [
                ("replicas", living.len()),
                ("readyReplicas", available),
                ("availableReplicas", available),
                ("unavailableReplicas", living.len() - available),
            ] {
                if count > 0 {
                    fields.insert(name.to_owned(), json!(count));
                }
            }
        }
        if deployment.get("status") == Some(&status) {
            return;
        }
        let key = ObjectKey::new(text(deployment, "/metadata/namespace"), text(deployment, "/metadata/name"));
        self.server.change(Kind::DEPLOYMENT, &key, |object| {
            if let Some(fields) = object.as_object_mut() {
                fields.insert("status".to_owned(), status);
            }
        });
    }

    /// A condition; its time is kept as long as its status is.
    fn condition(
        &self,
        object: &Value,
        kind: &str,
        status: &str,
        reason: &str,
        message: &str,
        now: Timestamp,
    ) -> Value {
        let before = object.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
        let same = before
            .filter(|it| text(it, "/type") == kind && text(it, "/status") == status)
            .find_map(|it| it.get("lastTransitionTime").cloned());
        let first = object.pointer("/status/conditions").is_none();
        let created = Some(self.first_look(object)).filter(|_| first);
        let rounded = now.round(jiff::Unit::Second).unwrap_or(now).to_string();
        let since = json!(same.and_then(|it| it.as_str().map(str::to_owned)).or(created).unwrap_or(rounded));
        json!({
            "type": kind, "status": status, "reason": reason, "message": message,
            "lastTransitionTime": since, "lastUpdateTime": since,
        })
    }

    /// When the controller says that it saw a new Deployment first: often, but not always, within the second of its
    /// creation.
    fn first_look(&self, object: &Value) -> String {
        let created = text(object, "/metadata/creationTimestamp");
        let digits: u64 = text(object, "/metadata/uid").bytes().map(u64::from).sum();
        let late = digits % (self.settings.first_look + 1);
        let late = i64::try_from(late).unwrap_or(0);
        created.parse::<Timestamp>().map_or_else(
            |_| created.to_owned(),
            |created| (created + jiff::SignedDuration::from_secs(late)).to_string(),
        )
    }
}
