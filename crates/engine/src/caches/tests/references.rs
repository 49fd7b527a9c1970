//! Who needs the files of a savepoint.

use std::collections::BTreeSet;

use api::JobStatus;

use super::*;

const PATH: &str = "file:/sp/one";

fn apply(caches: &Caches, kind: Kind, namespace: &str, name: &str, content: Value) {
    let mut object = object(kind, name, name, 1, content);
    object.metadata.namespace = Some(namespace.to_owned());
    caches.apply(kind, None, WatchEvent::Applied(object));
}

fn with_history() -> Value {
    json!({"jobStatus": {"savepointInfo": {"savepointHistory": [{"location": PATH}, {"location": "file:/sp/two"}]}}})
}

#[test]
fn each_kind_of_resource_keeps_files() {
    let starts = json!({"spec": {"job": {"initialSavepointPath": PATH}}});
    let snapshot = json!({"spec": {"savepoint": {}}, "status": {"state": "COMPLETED", "path": PATH}});
    for (kind, content) in [
        (Kind::FLINK_DEPLOYMENT, starts.clone()),
        (Kind::FLINK_DEPLOYMENT, json!({"spec": {}, "status": with_history()})),
        (Kind::FLINK_SESSION_JOB, starts),
        (Kind::FLINK_STATE_SNAPSHOT, snapshot),
    ] {
        let caches = Caches::default();
        apply(&caches, kind, "ns", "one", content.clone());
        let expected = Some(format!("{} one", kind.name));
        assert_eq!(caches.needed_by("ns", None, "file:///sp/one"), expected, "{content}");
        assert_eq!(caches.needed_by("ns", Some("other"), PATH), expected, "{content}");
        assert_eq!(caches.needed_by("ns", Some("one"), PATH), None, "it is the one that asks: {content}");
        assert_eq!(caches.needed_by("ns", None, "file:/sp/three"), None, "{content}");
        assert_eq!(caches.needed_by("elsewhere", None, PATH), None, "{content}");
    }
}

#[test]
fn a_resource_that_cannot_be_decoded_keeps_what_it_names() {
    let caches = Caches::default();
    let spec = json!({"image": 1, "job": {"args": [true, "file:///sp/one"]}});
    apply(&caches, Kind::FLINK_DEPLOYMENT, "ns", "bad", json!({"spec": spec}));
    let bad = caches.flink_deployments.get(&key("bad"));
    assert!(matches!(bad, Some(Entry::Bad(_))));
    assert_eq!(caches.needed_by("ns", None, PATH).as_deref(), Some("FlinkDeployment bad"));
    assert_eq!(caches.needed_by("ns", Some("bad"), PATH), None);
    assert_eq!(caches.needed_by("ns", None, "file:/sp/two"), None);
}

#[test]
fn of_a_history_those_that_somebody_else_needs() {
    let caches = Caches::default();
    let status: JobStatus = serde_json::from_value(with_history()["jobStatus"].clone()).unwrap();
    apply(&caches, Kind::FLINK_DEPLOYMENT, "ns", "one", json!({"spec": {}, "status": with_history()}));
    let needed = || caches.needed_by_others("ns", Some("one"), Some(&status));
    assert_eq!(needed(), BTreeSet::new());
    let starts = json!({"spec": {"job": {"initialSavepointPath": "file:///sp/one/"}}});
    apply(&caches, Kind::FLINK_SESSION_JOB, "ns", "other", starts);
    assert_eq!(needed(), BTreeSet::from([PATH.to_owned()]));
    assert!(caches.needed_by_others("ns", Some("one"), None).is_empty());
}
