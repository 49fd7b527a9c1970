mod references;
mod snapshots;

use std::collections::BTreeMap;

use api::FlinkDeployment;
use kube::core::DynamicObject;
use serde_json::{Value, json};

use super::*;

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("ns", name)
}

fn object(kind: Kind, name: &str, uid: &str, version: u64, content: Value) -> DynamicObject {
    let mut object = kind.object(&key(name));
    object.metadata.uid = Some(uid.to_owned());
    object.metadata.resource_version = Some(version.to_string());
    object.metadata.generation = Some(1);
    object.data = content;
    object
}

fn deployment(uid: &str, version: u64, status: impl Into<Value>) -> DynamicObject {
    object(
        Kind::FLINK_DEPLOYMENT,
        "app",
        uid,
        version,
        json!({"spec": {"image": "flink"}, "status": status.into()}),
    )
}

fn version(cache: &Cache<FlinkDeployment>) -> Option<String> {
    cache.get(&key("app"))?.metadata().resource_version.clone()
}

fn causes(wakes: &[Wake]) -> Vec<(&'static str, &str, Cause)> {
    wakes.iter().map(|wake| (wake.resource.kind.name, wake.resource.key.name.as_str(), wake.cause)).collect()
}

#[test]
fn an_older_state_never_replaces_a_newer_one() {
    let cache = Cache::<FlinkDeployment>::default();
    assert!(cache.put(deployment("u", 9, json!({}))).is_some());
    assert!(cache.put(deployment("u", 9, json!({}))).is_none(), "our own write, told again by the watch");
    assert!(
        cache.put(deployment("u", 8, json!({}))).is_none(),
        "as text, 8 would come before 10 but not after 9"
    );
    assert!(cache.put(deployment("u", 10, json!({}))).is_some());
    assert_eq!(version(&cache).as_deref(), Some("10"));
}

#[test]
fn a_deleted_object_does_not_come_back_with_a_late_answer() {
    let cache = Cache::<FlinkDeployment>::default();
    cache.put(deployment("u", 1, json!({})));
    assert!(cache.remove(&deployment("u", 3, json!({})).metadata).is_some());
    assert!(cache.put(deployment("u", 2, json!({}))).is_none());
    assert!(cache.is_empty());
    assert!(
        cache.put(deployment("other", 4, json!({}))).is_some(),
        "a new object of the same name is another one"
    );
}

#[test]
fn an_object_that_matches_the_selector_again_comes_back() {
    let cache = Cache::<FlinkDeployment>::default();
    cache.put(deployment("u", 1, json!({})));
    cache.remove(&deployment("u", 3, json!({})).metadata);
    assert!(cache.put(deployment("u", 3, json!({}))).is_none());
    assert!(cache.put(deployment("u", 4, json!({}))).is_some());
    assert!(cache.remove(&deployment("u", 5, json!({})).metadata).is_some());
    assert!(cache.put(deployment("u", 4, json!({}))).is_none());
    cache.replace(None, vec![deployment("u", 6, json!({}))]);
    cache.replace(None, Vec::new());
    assert!(cache.put(deployment("u", 9, json!({}))).is_none(), "nobody knows when it went");
}

#[test]
fn an_object_that_was_made_again_is_another_one() {
    let cache = Cache::<FlinkDeployment>::default();
    cache.put(deployment("old", 1, json!({})));
    cache.put(deployment("new", 5, json!({})));
    assert!(cache.get_by_uid(&key("app"), "old").is_none());
    assert!(cache.get_by_uid(&key("app"), "new").is_some());
    assert!(
        cache.remove(&deployment("old", 4, json!({})).metadata).is_none(),
        "the deletion was the old one's"
    );
    assert_eq!(version(&cache).as_deref(), Some("5"));
}

#[test]
fn a_new_list_removes_what_is_not_in_it_but_only_in_its_namespace() {
    let cache = Cache::<FlinkDeployment>::default();
    let in_namespace = |namespace: &str, name: &str, version: u64| {
        let mut object =
            object(Kind::FLINK_DEPLOYMENT, name, &format!("{namespace}-{name}"), version, json!({}));
        object.metadata.namespace = Some(namespace.to_owned());
        object
    };
    cache.replace(Some("one"), vec![in_namespace("one", "a", 1), in_namespace("one", "b", 2)]);
    cache.replace(Some("two"), vec![in_namespace("two", "a", 3)]);
    cache.put(in_namespace("one", "b", 7));
    let changes = cache.replace(Some("one"), vec![in_namespace("one", "b", 6), in_namespace("one", "c", 5)]);
    let still_there: BTreeMap<_, _> =
        changes.iter().map(|change| (change.key.name.as_str(), change.new.is_some())).collect();
    assert_eq!(still_there, BTreeMap::from([("a", false), ("c", true)]));
    assert_eq!(cache.list(Some("one")).len(), 2);
    assert_eq!(cache.list(Some("two")).len(), 1);
    assert_eq!(cache.list(None).len(), 3);
}

#[test]
fn one_that_was_replaced_while_the_watch_was_away_is_one_change() {
    let cache = Cache::<FlinkDeployment>::default();
    cache.put(deployment("old", 1, json!({})));
    let changes = cache.replace(None, vec![deployment("new", 9, json!({}))]);
    assert_eq!(changes.len(), 1);
    let change = changes.first().unwrap();
    assert_eq!(change.old.as_ref().unwrap().metadata().uid.as_deref(), Some("old"));
    assert_eq!(change.new.as_ref().unwrap().metadata().uid.as_deref(), Some("new"));
}

#[test]
fn what_cannot_be_decoded_is_kept_with_the_reason_and_hides_nothing_else() {
    let caches = Caches::default();
    let bad =
        object(Kind::FLINK_DEPLOYMENT, "bad", "b", 2, json!({"spec": {"job": {"parallelism": "many"}}}));
    let good = deployment("u", 1, json!({}));
    let wakes = caches.apply(Kind::FLINK_DEPLOYMENT, None, WatchEvent::Restarted(vec![bad, good]));
    assert_eq!(wakes.len(), 2);
    let Some(Entry::Bad(undecodable)) = caches.flink_deployments.get(&key("bad")) else {
        panic!("kept with its reason");
    };
    assert_eq!(undecodable.error.path, "spec.job.parallelism");
    assert_eq!(undecodable.object.metadata.uid.as_deref(), Some("b"));
    assert!(caches.flink_deployments.get(&key("app")).unwrap().good().is_some());
}

#[test]
fn only_changes_that_matter_wake_a_resource() {
    let caches = Caches::default();
    let mut version = 1;
    let mut wakes = |change: &dyn Fn(&mut DynamicObject)| {
        version += 1;
        let mut object = deployment("u", version, json!({"error": null}));
        change(&mut object);
        let wakes = caches.apply(Kind::FLINK_DEPLOYMENT, None, WatchEvent::Applied(object));
        wakes.into_iter().map(|wake| wake.cause).collect::<Vec<_>>()
    };
    assert_eq!(wakes(&|_| {}), [Cause::Changed], "it is new");
    assert_eq!(wakes(&|_| {}), []);
    let label = |object: &mut DynamicObject| {
        object.metadata.labels = Some(BTreeMap::from([("a".to_owned(), "b".to_owned())]));
    };
    assert_eq!(wakes(&label), []);
    assert_eq!(wakes(&|object| object.metadata.generation = Some(2)), [Cause::Changed]);
    let finalizer = |object: &mut DynamicObject| {
        object.metadata.generation = Some(2);
        object.metadata.finalizers = Some(vec!["f".to_owned()]);
    };
    assert_eq!(wakes(&finalizer), [Cause::Changed]);
    let status = |object: &mut DynamicObject| {
        finalizer(object);
        object.data = json!({"spec": {"image": "flink"}, "status": {"error": "written by somebody"}});
    };
    assert_eq!(wakes(&status), [Cause::Status]);
    let deletion = |object: &mut DynamicObject| {
        status(object);
        let now = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::UNIX_EPOCH);
        object.metadata.deletion_timestamp = Some(now);
    };
    assert_eq!(wakes(&deletion), [Cause::Changed]);
}

#[test]
fn our_own_writes_wake_nobody() {
    let caches = Caches::default();
    caches.apply(Kind::FLINK_DEPLOYMENT, None, WatchEvent::Applied(deployment("u", 1, json!({}))));
    let written = deployment("u", 2, json!({"error": "ours"}));
    caches.wrote(&written);
    assert_eq!(version(&caches.flink_deployments).as_deref(), Some("2"));
    assert!(caches.apply(Kind::FLINK_DEPLOYMENT, None, WatchEvent::Applied(written)).is_empty());
}

/// They would stay for ever, and count as the JobManager of a FlinkDeployment of that name.
#[test]
fn deployments_of_which_no_watch_tells_are_not_kept() {
    let caches = Caches::default();
    let with_component = |component: &str| {
        let mut deployment = job_manager(1, json!({}));
        deployment.metadata.labels = Some([("component".to_owned(), component.to_owned())].into());
        deployment
    };
    caches.wrote(&with_component("history-server"));
    caches.wrote(&job_manager(1, json!({})));
    assert!(caches.deployments.get(&key("app")).is_none());
    for component in ["jobmanager", "taskmanager"] {
        let caches = Caches::default();
        caches.wrote(&with_component(component));
        assert!(caches.deployments.get(&key("app")).is_some(), "{component}");
    }
}

fn job_manager(version: u64, change: Value) -> DynamicObject {
    let mut content = json!({
        "spec": {"replicas": 1, "selector": {}, "template": {"spec": {"containers": [{"name": "flink-main-container"}]}}},
        "status": {"replicas": 1},
    });
    if let (Some(content), Value::Object(change)) = (content.as_object_mut(), change) {
        content.extend(change);
    }
    object(Kind::DEPLOYMENT, "app", "jm", version, content)
}

fn owned(mut object: DynamicObject, name: &str) -> DynamicObject {
    object.metadata.owner_references =
        serde_json::from_value(json!([{"apiVersion": "flink.apache.org/v1beta1", "kind": "FlinkDeployment",
            "name": name, "uid": "u"}]))
        .unwrap();
    object
}

#[test]
fn a_job_manager_wakes_its_owner_only_when_a_decision_could_depend_on_it() {
    let caches = Caches::default();
    let wakes = |object| {
        let wakes = caches.apply(Kind::DEPLOYMENT, None, WatchEvent::Applied(object));
        wakes.into_iter().map(|wake| wake.resource.key.name).collect::<Vec<_>>()
    };
    assert_eq!(wakes(owned(job_manager(1, json!({})), "app")), ["app"]);
    assert_eq!(
        wakes(owned(job_manager(2, json!({"status": {"replicas": 1, "observedGeneration": 3}})), "app")),
        [""; 0]
    );
    let available = json!({"status": {"replicas": 1, "availableReplicas": 1}});
    assert_eq!(wakes(owned(job_manager(3, available.clone()), "app")), ["app"]);
    assert_eq!(wakes(owned(job_manager(4, available), "other")), ["app", "other"]);
    let Some(Entry::Good(kept)) = caches.deployments.get(&key("app")) else { panic!("kept") };
    assert_eq!(kept.spec.as_ref().and_then(|spec| spec.replicas), Some(1));
    assert!(
        kept.spec.as_ref().is_some_and(|spec| spec.template.spec.is_none()),
        "the pod template is not kept"
    );
    let gone =
        caches.apply(Kind::DEPLOYMENT, None, WatchEvent::Deleted(owned(job_manager(5, json!({})), "other")));
    assert_eq!(causes(&gone), [("FlinkDeployment", "other", Cause::Changed)]);
}

#[test]
fn task_managers_wake_their_cluster_when_they_go_or_are_scaled() {
    let caches = Caches::default();
    let told = |event| {
        let wakes = caches.apply(Kind::DEPLOYMENT, None, event);
        wakes.into_iter().map(|wake| wake.resource.key.name).collect::<Vec<_>>()
    };
    let task_managers = |version, replicas: i32, available: i32, scaled_by: Option<&str>| {
        let change = json!({"spec": {"replicas": replicas}, "status": {"availableReplicas": available}});
        let mut object = job_manager(version, change);
        object.metadata.name = Some("app-taskmanager".to_owned());
        let labels = [("app", "app"), ("component", "taskmanager")];
        object.metadata.labels = Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
        let owner = json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "app", "uid": "jm"}]);
        object.metadata.owner_references = serde_json::from_value(owner).unwrap();
        let entry =
            |manager: &str, subresource: &str| json!({"manager": manager, "subresource": subresource});
        let mut managed = vec![entry("kube-controller-manager", "status")];
        managed.extend(scaled_by.map(|manager| entry(manager, "scale")));
        object.metadata.managed_fields = serde_json::from_value(json!(managed)).unwrap();
        object
    };
    let known = || {
        let Some(Entry::Good(known)) = caches.deployments.get(&key("app-taskmanager")) else {
            panic!("known")
        };
        lifecycle::observed::TaskManagers::from_deployment(&known, "")
    };
    assert_eq!(told(WatchEvent::Applied(task_managers(1, 2, 0, None))), ["app"]);
    assert_eq!(told(WatchEvent::Applied(task_managers(2, 2, 1, None))), [""; 0], "a pod is ready");
    assert_eq!(told(WatchEvent::Applied(task_managers(3, 5, 1, Some("kubectl")))), ["app"]);
    assert_eq!((known().desired_replicas, known().autoscaled), (5, false));
    let by_autoscaler = task_managers(4, 3, 1, Some("kube-controller-manager"));
    assert_eq!(told(WatchEvent::Applied(by_autoscaler)), ["app"]);
    assert!(known().autoscaled);
    assert_eq!(told(WatchEvent::Deleted(task_managers(5, 3, 1, None))), ["app"]);
}

fn ingress(version: u64, change: impl FnOnce(&mut Value)) -> DynamicObject {
    let mut content = json!({
        "spec": {"rules": [{"host": "a"}]},
        "status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}},
        "managed": [
            {"manager": "flink-kubernetes-operator", "fieldsV1": {"f:spec": {}}},
            {"manager": "kubectl-edit", "fieldsV1": {"f:spec": {}}},
        ],
    });
    change(&mut content);
    let managed = content.as_object_mut().unwrap().remove("managed").unwrap();
    let mut object = owned(object(Kind::INGRESS, "app", "i", version, content), "app");
    object.metadata.managed_fields = serde_json::from_value(managed).unwrap();
    object
}

#[test]
fn an_ingress_wakes_its_owner_only_when_it_is_not_as_it_was() {
    let caches = Caches::default();
    let told = |event| {
        let wakes = caches.apply(Kind::INGRESS, None, event);
        causes(&wakes).into_iter().map(|(kind, name, _)| format!("{kind} {name}")).collect::<Vec<_>>()
    };
    assert!(told(WatchEvent::Applied(ingress(1, |_| {}))).is_empty(), "no FlinkDeployment is known");
    caches.apply(Kind::FLINK_DEPLOYMENT, None, WatchEvent::Applied(deployment("u", 2, json!({}))));
    let app = ["FlinkDeployment app"];
    assert!(told(WatchEvent::Applied(ingress(3, |it| it["status"] = json!({})))).is_empty());
    assert!(told(WatchEvent::Applied(ingress(4, |it| it["managed"] = json!([])))).is_empty());
    assert_eq!(told(WatchEvent::Applied(ingress(5, |it| it["spec"] = json!({})))), app);
    assert_eq!(told(WatchEvent::Deleted(ingress(6, |_| {}))), app);
    let mut foreign = ingress(7, |_| {});
    foreign.metadata.owner_references = None;
    foreign.metadata.uid = Some("theirs".to_owned());
    assert_eq!(told(WatchEvent::Applied(foreign)), app, "the name is taken");
}

#[test]
fn of_an_ingress_only_what_the_operator_has_set_is_known() {
    let caches = Caches::default();
    caches.wrote(&ingress(1, |_| {}));
    assert!(caches.ingresses.is_empty(), "perhaps nobody watches them");
    caches.apply(Kind::INGRESS, None, WatchEvent::Applied(ingress(1, |_| {})));
    caches.wrote(&ingress(2, |it| it["spec"]["rules"][0]["host"] = json!("b")));
    let kept = caches.ingresses.get(&key("app")).unwrap().good().unwrap().clone();
    assert_eq!(kept.status, None);
    assert_eq!(kept.spec.as_ref().unwrap().rules.as_ref().unwrap()[0].host.as_deref(), Some("b"));
    let managers = kept.metadata.managed_fields.as_ref().unwrap().iter();
    let managers: Vec<_> = managers.filter_map(|entry| entry.manager.as_deref()).collect();
    assert_eq!(managers, ["flink-kubernetes-operator"]);
    caches.gone(Kind::INGRESS, &key("app"), "another");
    assert_eq!(caches.ingresses.len(), 1);
    caches.gone(Kind::INGRESS, &key("app"), "i");
    assert!(caches.ingresses.is_empty());
}

#[test]
fn without_an_owner_the_label_names_the_resource() {
    let mut object = job_manager(1, json!({}));
    assert_eq!(owner(&object.metadata), None);
    object.metadata.labels = Some(BTreeMap::from([("app".to_owned(), "labelled".to_owned())]));
    assert_eq!(owner(&object.metadata), Some(key("labelled")));
    assert_eq!(owner(&owned(object, "app").metadata), Some(key("app")));
}

#[test]
fn a_session_job_wakes_its_cluster_when_it_comes_moves_or_goes() {
    let caches = Caches::default();
    let job = |version, cluster: &str, error: &str| {
        let content = json!({"spec": {"deploymentName": cluster}, "status": {"error": error}});
        let mut job = object(Kind::FLINK_SESSION_JOB, "job", "j", version, content);
        job.metadata.generation = Some(if cluster == "one" { 1 } else { 2 });
        job
    };
    let apply = |event| caches.apply(Kind::FLINK_SESSION_JOB, None, event);
    let wakes = apply(WatchEvent::Applied(job(1, "one", "")));
    assert_eq!(
        causes(&wakes),
        [("FlinkSessionJob", "job", Cause::Changed), ("FlinkDeployment", "one", Cause::Changed)]
    );
    assert_eq!(
        causes(&apply(WatchEvent::Applied(job(2, "one", "x")))),
        [("FlinkSessionJob", "job", Cause::Status)]
    );
    let names: Vec<String> = caches.session_jobs_of(&key("one")).into_iter().map(|job| job.name).collect();
    assert_eq!(names, ["job"]);
    let wakes = apply(WatchEvent::Applied(job(3, "two", "x")));
    assert_eq!(
        causes(&wakes),
        [
            ("FlinkSessionJob", "job", Cause::Changed),
            ("FlinkDeployment", "one", Cause::Changed),
            ("FlinkDeployment", "two", Cause::Changed)
        ]
    );
    assert!(caches.session_jobs_of(&key("one")).is_empty());
    assert_eq!(apply(WatchEvent::Deleted(job(4, "two", "x"))).len(), 2);
}

#[test]
fn a_snapshot_wakes_its_job_with_its_kind() {
    let caches = Caches::default();
    let content = json!({"spec": {"jobReference": {"kind": "FlinkSessionJob", "name": "job"}}});
    let snapshot = object(Kind::FLINK_STATE_SNAPSHOT, "s", "s", 1, content);
    let wakes = caches.apply(Kind::FLINK_STATE_SNAPSHOT, None, WatchEvent::Applied(snapshot));
    assert_eq!(
        causes(&wakes),
        [("FlinkStateSnapshot", "s", Cause::Changed), ("FlinkSessionJob", "job", Cause::Changed)]
    );
}

#[test]
fn a_broken_watch_changes_nothing() {
    let caches = Caches::default();
    caches.apply(Kind::FLINK_DEPLOYMENT, None, WatchEvent::Applied(deployment("u", 1, json!({}))));
    let error = crate::ports::ApiError::from_status(500, "", "", None);
    assert!(caches.apply(Kind::FLINK_DEPLOYMENT, None, WatchEvent::Failed(error)).is_empty());
    assert_eq!(caches.flink_deployments.len(), 1);
}
