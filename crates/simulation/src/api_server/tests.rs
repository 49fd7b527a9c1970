//! The rules one by one; `crate::conformance` holds them against a real API server.

use futures::FutureExt;
use jiff::Timestamp;
use lifecycle::Propagation;
use serde_json::json;

use super::*;
use crate::clock::VirtualClock;

const KIND: Kind = Kind::FLINK_DEPLOYMENT;

fn server() -> ApiServer {
    ApiServer::new(Arc::new(VirtualClock::new(Timestamp::from_second(1_000_000).unwrap())))
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("ns", name)
}

fn object(kind: Kind, name: &str, data: Value) -> DynamicObject {
    let mut object = kind.object(&key(name));
    object.data = data;
    object
}

fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().unwrap()
}

fn background() -> DeleteOptions {
    DeleteOptions { uid: None, propagation: Propagation::Background }
}

#[test]
fn generation_counts_changes_of_the_spec_only() {
    let server = server();
    let created =
        now(server.create(KIND, &object(KIND, "a", json!({"spec": {"x": 1}, "status": {"s": 0}})))).unwrap();
    assert_eq!(created.metadata.generation, Some(1));
    assert_eq!(created.data, json!({"spec": {"x": 1}}), "a status cannot be created");
    let mut status = created.clone();
    status.data = json!({"spec": {"x": 2}, "status": {"s": 1}});
    let stored = now(server.replace_status(KIND, &status)).unwrap();
    assert_eq!(stored.data, json!({"spec": {"x": 1}, "status": {"s": 1}}));
    assert_eq!(stored.metadata.generation, Some(1));
    let patched = now(server.patch(KIND, &key("a"), &json!({"spec": {"x": 3}, "status": {"s": 9}}))).unwrap();
    assert_eq!(patched.data, json!({"spec": {"x": 3}, "status": {"s": 1}}));
    assert_eq!(patched.metadata.generation, Some(2));
    let labelled = now(server.patch(KIND, &key("a"), &json!({"metadata": {"labels": {"l": "1"}}}))).unwrap();
    assert_eq!(labelled.metadata.generation, Some(2));
    let before = server.version();
    now(server.patch(KIND, &key("a"), &json!({"spec": {"x": 3}}))).unwrap();
    assert_eq!(server.version(), before, "a write that changes nothing is none");
}

#[test]
fn a_status_lands_only_on_the_version_it_was_made_for() {
    let server = server();
    let created = now(server.create(KIND, &object(KIND, "a", json!({"spec": {}})))).unwrap();
    now(server.patch(KIND, &key("a"), &json!({"metadata": {"labels": {"l": "1"}}}))).unwrap();
    assert!(matches!(now(server.replace_status(KIND, &created)), Err(ApiError::Conflict { .. })));
    let mut other = now(server.get(KIND, &key("a"))).unwrap().unwrap();
    other.metadata.uid = Some("other".to_owned());
    assert!(matches!(now(server.replace_status(KIND, &other)), Err(ApiError::Conflict { .. })));
    other.metadata.resource_version = None;
    assert!(matches!(now(server.replace_status(KIND, &other)), Err(ApiError::Invalid { .. })));
}

#[test]
fn finalizers_hold_an_object_and_none_is_added_to_one_that_goes() {
    let server = server();
    now(server.create(KIND, &object(KIND, "a", json!({})))).unwrap();
    now(server.patch(KIND, &key("a"), &json!({"metadata": {"finalizers": ["f"]}}))).unwrap();
    now(server.delete(KIND, &key("a"), &background())).unwrap();
    let going = now(server.get(KIND, &key("a"))).unwrap().unwrap();
    assert!(going.metadata.deletion_timestamp.is_some());
    assert_eq!(going.metadata.generation, Some(2));
    let more = json!({"metadata": {"finalizers": ["f", "g"]}});
    assert!(matches!(now(server.patch(KIND, &key("a"), &more)), Err(ApiError::Invalid { code: 422, .. })));
    now(server.patch(KIND, &key("a"), &json!({"metadata": {"finalizers": []}}))).unwrap();
    assert!(now(server.get(KIND, &key("a"))).unwrap().is_none());
}

fn owned_by(owner: &DynamicObject, kind: Kind, name: &str) -> DynamicObject {
    let mut dependent = object(kind, name, json!({}));
    dependent.metadata.owner_references = serde_json::from_value(json!([{
        "apiVersion": "apps/v1", "kind": "Deployment", "name": owner.metadata.name, "uid": owner.metadata.uid,
        "blockOwnerDeletion": true, "controller": true,
    }]))
    .unwrap();
    dependent
}

#[test]
fn the_three_ways_of_deleting_an_owner() {
    for (propagation, owner_at_once, dependent_stays) in [
        (Propagation::Background, true, false),
        (Propagation::Foreground, false, false),
        (Propagation::Orphan, false, true),
    ] {
        let server = server();
        let owner = now(server.create(Kind::DEPLOYMENT, &object(Kind::DEPLOYMENT, "d", json!({"spec": {}}))))
            .unwrap();
        now(server.create(Kind::CONFIG_MAP, &owned_by(&owner, Kind::CONFIG_MAP, "c"))).unwrap();
        let options = DeleteOptions { uid: owner.metadata.uid.clone(), propagation };
        now(server.delete(Kind::DEPLOYMENT, &key("d"), &options)).unwrap();
        assert_eq!(server.read(Kind::DEPLOYMENT, &key("d")).is_none(), owner_at_once, "{propagation:?}");
        assert!(server.read(Kind::CONFIG_MAP, &key("c")).is_some());
        server.collect_garbage();
        assert!(server.read(Kind::DEPLOYMENT, &key("d")).is_none());
        assert_eq!(server.read(Kind::CONFIG_MAP, &key("c")).is_some(), dependent_stays, "{propagation:?}");
    }
}

#[test]
fn an_owner_waits_for_a_pod_that_ends() {
    let server = server();
    let owner =
        now(server.create(Kind::DEPLOYMENT, &object(Kind::DEPLOYMENT, "d", json!({"spec": {}})))).unwrap();
    let mut pod = owned_by(&owner, Kind::POD, "p");
    pod.data = json!({"spec": {"nodeName": "n"}});
    now(server.create(Kind::POD, &pod)).unwrap();
    let options = DeleteOptions { uid: None, propagation: Propagation::Foreground };
    now(server.delete(Kind::DEPLOYMENT, &key("d"), &options)).unwrap();
    server.collect_garbage();
    assert!(server.read(Kind::DEPLOYMENT, &key("d")).is_some());
    server.end_pod(&key("p"));
    server.collect_garbage();
    assert!(server.read(Kind::DEPLOYMENT, &key("d")).is_none());
}

#[test]
fn a_dependent_of_another_uid_is_garbage() {
    let server = server();
    let mut owner =
        now(server.create(Kind::DEPLOYMENT, &object(Kind::DEPLOYMENT, "d", json!({"spec": {}})))).unwrap();
    owner.metadata.uid = Some("earlier".to_owned());
    now(server.create(Kind::CONFIG_MAP, &owned_by(&owner, Kind::CONFIG_MAP, "c"))).unwrap();
    server.collect_garbage();
    assert!(server.read(Kind::CONFIG_MAP, &key("c")).is_none());
}

#[test]
fn watches_tell_changes_in_order_and_begin_again_when_history_is_lost() {
    let server = server();
    let map = |name: &str, label: &str| {
        let mut map = object(Kind::CONFIG_MAP, name, json!({}));
        map.metadata.labels = Some([("l".to_owned(), label.to_owned())].into());
        map
    };
    now(server.create(Kind::CONFIG_MAP, &map("old", "1"))).unwrap();
    let mut watch = server.watch(Kind::CONFIG_MAP, &Scope::namespace("ns").labelled("l=1"));
    let mut next = || match watch.next().now_or_never() {
        None => "nothing".to_owned(),
        Some(None) => "the end".to_owned(),
        Some(Some(WatchEvent::Restarted(all))) => format!("all {}", all.len()),
        Some(Some(WatchEvent::Applied(it))) => format!("applied {}", it.metadata.name.unwrap()),
        Some(Some(WatchEvent::Deleted(it))) => format!("deleted {}", it.metadata.name.unwrap()),
        Some(Some(WatchEvent::Failed(error))) => error.to_string(),
    };
    assert_eq!(next(), "all 1");
    assert_eq!(next(), "nothing");
    now(server.create(Kind::CONFIG_MAP, &map("new", "1"))).unwrap();
    now(server.create(Kind::CONFIG_MAP, &map("foreign", "2"))).unwrap();
    now(server.patch(Kind::CONFIG_MAP, &key("old"), &json!({"metadata": {"labels": {"l": "2"}}}))).unwrap();
    now(server.delete(Kind::CONFIG_MAP, &key("new"), &background())).unwrap();
    assert_eq!([next(), next(), next(), next()], ["applied new", "deleted old", "deleted new", "nothing"]);
    now(server.create(Kind::CONFIG_MAP, &map("missed", "1"))).unwrap();
    server.compact();
    assert_eq!([next(), next()], ["all 1", "nothing"]);
}

#[test]
fn a_server_that_lags_behind_shows_the_past() {
    let server = server();
    now(server.create(KIND, &object(KIND, "a", json!({"spec": {"x": 1}})))).unwrap();
    let version = server.version();
    now(server.patch(KIND, &key("a"), &json!({"spec": {"x": 2}}))).unwrap();
    now(server.create(KIND, &object(KIND, "b", json!({})))).unwrap();
    let past = server.list_at(KIND, &Scope::all(), version).unwrap();
    assert_eq!(past.len(), 1);
    assert_eq!(past.first().unwrap().data, json!({"spec": {"x": 1}}));
    server.compact();
    assert!(matches!(server.list_at(KIND, &Scope::all(), version), Err(ApiError::Expired { .. })));
}

#[test]
fn what_is_refused_is_not_stored() {
    let server = server();
    let message = "admission webhook denied the request".to_owned();
    server.reject(Rejection { kind: KIND, name_contains: "a".to_owned(), code: 403, message });
    let refused = now(server.create(KIND, &object(KIND, "a", json!({}))));
    assert!(matches!(refused, Err(ApiError::Forbidden { .. })));
    now(server.create(KIND, &object(KIND, "b", json!({})))).unwrap();
    server.reject_nothing();
    now(server.create(KIND, &object(KIND, "a", json!({})))).unwrap();
    assert!(matches!(
        now(server.create(KIND, &object(KIND, "A", json!({})))),
        Err(ApiError::Invalid { code: 422, .. })
    ));
}
