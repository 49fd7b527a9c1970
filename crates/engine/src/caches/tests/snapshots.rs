//! FlinkStateSnapshots and the jobs that they are of.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::*;

/// A snapshot `name` whose `spec.jobReference` is that.
fn snapshot(name: &str, version: u64, reference: &Value, state: &str) -> DynamicObject {
    let content = json!({"spec": {"jobReference": reference}, "status": {"state": state}});
    object(Kind::FLINK_STATE_SNAPSHOT, name, name, version, content)
}

fn of(kind: &str) -> Value {
    json!({"kind": kind, "name": "app"})
}

fn resource(kind: Kind, name: &str) -> ResourceId {
    ResourceId::new(kind, key(name))
}

/// Names of the snapshots of `app`, a FlinkDeployment, and of `app`, a FlinkSessionJob.
fn known(caches: &Caches) -> [Vec<String>; 2] {
    [Kind::FLINK_DEPLOYMENT, Kind::FLINK_SESSION_JOB].map(|kind| {
        caches.snapshots_of(&resource(kind, "app")).into_iter().map(|snapshot| snapshot.name).collect()
    })
}

fn apply(caches: &Caches, event: WatchEvent) -> Vec<Wake> {
    caches.apply(Kind::FLINK_STATE_SNAPSHOT, None, event)
}

fn session_job(version: u64, error: &str) -> DynamicObject {
    let content = json!({"spec": {"deploymentName": "cluster"}, "status": {"error": error}});
    object(Kind::FLINK_SESSION_JOB, "app", "j", version, content)
}

/// What has to be looked at because of our own writes, since the last call.
fn news(caches: &Caches) -> Vec<String> {
    caches.take_news().iter().map(ToString::to_string).collect()
}

// ---- the index ----------------------------------------------------------------------------------------------------

#[test]
fn snapshots_are_found_by_the_job_that_they_name() {
    let caches = Caches::default();
    for (name, kind) in [("b", "FlinkDeployment"), ("a", "FlinkDeployment"), ("c", "FlinkSessionJob")] {
        apply(&caches, WatchEvent::Applied(snapshot(name, 1, &of(kind), "COMPLETED")));
    }
    assert_eq!(known(&caches), [vec!["a", "b"], vec!["c"]], "W-06: the kind counts");
    let first = caches.snapshots_of(&resource(Kind::FLINK_DEPLOYMENT, "app")).remove(0);
    assert_eq!((first.uid.as_str(), first.state), ("a", api::SnapshotState::Completed));
    assert!(caches.snapshots_of(&resource(Kind::FLINK_DEPLOYMENT, "another")).is_empty());
}

#[test]
fn a_job_is_one_of_the_same_namespace() {
    let caches = Caches::default();
    let mut elsewhere = snapshot("a", 1, &of("FlinkDeployment"), "COMPLETED");
    elsewhere.metadata.namespace = Some("elsewhere".to_owned());
    apply(&caches, WatchEvent::Applied(elsewhere));
    assert_eq!(known(&caches), [[""; 0]; 2]);
    let job = ResourceId::new(Kind::FLINK_DEPLOYMENT, ObjectKey::new("elsewhere", "app"));
    assert_eq!(caches.snapshots_of(&job).len(), 1);
}

#[test]
fn a_reference_that_names_nothing_finds_nothing() {
    let caches = Caches::default();
    for (name, reference) in
        [("a", Value::Null), ("b", json!({"name": "app"})), ("c", json!({"kind": "FlinkDeployment"}))]
    {
        let wakes = apply(&caches, WatchEvent::Applied(snapshot(name, 1, &reference, "COMPLETED")));
        assert_eq!(causes(&wakes), [("FlinkStateSnapshot", name, Cause::Changed)]);
    }
    assert_eq!(known(&caches), [[""; 0]; 2]);
}

#[test]
fn a_changed_reference_moves_a_snapshot() {
    let caches = Caches::default();
    apply(&caches, WatchEvent::Applied(snapshot("a", 1, &of("FlinkDeployment"), "COMPLETED")));
    let moved = apply(&caches, WatchEvent::Applied(snapshot("a", 3, &of("FlinkSessionJob"), "COMPLETED")));
    assert_eq!(known(&caches), [vec![], vec!["a"]]);
    let both = [("FlinkDeployment", "app", Cause::Changed), ("FlinkSessionJob", "app", Cause::Changed)];
    assert_eq!(causes(&moved), both, "each of them has to know");
    apply(&caches, WatchEvent::Applied(snapshot("a", 2, &of("FlinkDeployment"), "COMPLETED")));
    assert_eq!(known(&caches), [vec![], vec!["a"]], "an old state does not move it back");
    apply(&caches, WatchEvent::Applied(snapshot("a", 4, &Value::Null, "COMPLETED")));
    assert_eq!(known(&caches), [[""; 0]; 2]);
}

#[test]
fn a_snapshot_that_is_gone_is_not_found() {
    let caches = Caches::default();
    let one = |name| snapshot(name, 1, &of("FlinkDeployment"), "COMPLETED");
    for name in ["a", "b", "c", "d"] {
        apply(&caches, WatchEvent::Applied(one(name)));
    }
    let wakes = apply(&caches, WatchEvent::Deleted(one("a")));
    assert_eq!(
        causes(&wakes),
        [("FlinkStateSnapshot", "a", Cause::Changed), ("FlinkDeployment", "app", Cause::Changed)]
    );
    assert_eq!(known(&caches)[0], ["b", "c", "d"]);
    apply(&caches, WatchEvent::Restarted(vec![one("c"), one("d")]));
    assert_eq!(known(&caches)[0], ["c", "d"]);
    caches.gone(Kind::FLINK_STATE_SNAPSHOT, &key("c"), "c");
    assert_eq!(known(&caches)[0], ["d"]);
    assert_eq!(news(&caches), ["FlinkDeployment ns/app"]);
    let mut broken = one("d");
    broken.metadata.resource_version = Some("2".to_owned());
    broken.data = json!({"spec": "none"});
    apply(&caches, WatchEvent::Applied(broken));
    assert!(known(&caches)[0].is_empty(), "nobody can tell what it is of");
}

// ---- who is woken -------------------------------------------------------------------------------------------------

#[test]
fn w_07_a_change_of_a_job_wakes_the_snapshots_that_wait_for_it() {
    let caches = Caches::default();
    for (name, state) in [
        ("a", "TRIGGER_PENDING"),
        ("b", "IN_PROGRESS"),
        ("c", "COMPLETED"),
        ("d", "FAILED"),
        ("e", "ABANDONED"),
    ] {
        apply(&caches, WatchEvent::Applied(snapshot(name, 1, &of("FlinkDeployment"), state)));
    }
    let mut fresh = snapshot("f", 1, &of("FlinkDeployment"), "");
    fresh.data["status"] = Value::Null;
    apply(&caches, WatchEvent::Applied(fresh));
    let mut terminating = snapshot("g", 1, &of("FlinkDeployment"), "COMPLETED");
    terminating.metadata.deletion_timestamp = Some(Time(jiff::Timestamp::UNIX_EPOCH));
    apply(&caches, WatchEvent::Applied(terminating));
    apply(&caches, WatchEvent::Applied(snapshot("h", 1, &of("FlinkSessionJob"), "IN_PROGRESS")));
    let woken = |wakes: Vec<Wake>| -> Vec<String> {
        let snapshots = wakes.into_iter().filter(|wake| wake.resource.kind == Kind::FLINK_STATE_SNAPSHOT);
        snapshots.map(|wake| (wake.resource.key.name, assert_eq!(wake.cause, Cause::Changed)).0).collect()
    };
    let waiting = ["a", "b", "f", "g"];
    let job = |event| woken(caches.apply(Kind::FLINK_DEPLOYMENT, None, event));
    assert_eq!(job(WatchEvent::Applied(deployment("u", 1, json!({})))), waiting);
    let status = json!({"error": "by somebody"});
    assert_eq!(job(WatchEvent::Applied(deployment("u", 2, status.clone()))), waiting);
    assert_eq!(job(WatchEvent::Deleted(deployment("u", 3, status))), waiting);
    let job = |event| woken(caches.apply(Kind::FLINK_SESSION_JOB, None, event));
    assert_eq!(job(WatchEvent::Applied(session_job(1, ""))), ["h"]);
    assert_eq!(job(WatchEvent::Applied(session_job(2, "x"))), ["h"]);
    assert_eq!(job(WatchEvent::Deleted(session_job(3, "x"))), ["h"]);
}

#[test]
fn our_own_writes_to_a_job_are_news_to_its_snapshots() {
    let caches = Caches::default();
    apply(&caches, WatchEvent::Applied(snapshot("a", 1, &of("FlinkDeployment"), "IN_PROGRESS")));
    apply(&caches, WatchEvent::Applied(snapshot("b", 1, &of("FlinkSessionJob"), "IN_PROGRESS")));
    caches.apply(Kind::FLINK_DEPLOYMENT, None, WatchEvent::Applied(deployment("u", 1, json!({}))));
    caches.apply(Kind::FLINK_SESSION_JOB, None, WatchEvent::Applied(session_job(1, "")));
    assert_eq!(news(&caches), [""; 0], "the watch has woken them");
    caches.wrote(&deployment("u", 2, json!({"error": "ours"})));
    assert_eq!(news(&caches), ["FlinkStateSnapshot ns/a"]);
    caches.wrote(&deployment("u", 2, json!({"error": "ours"})));
    assert_eq!(news(&caches), [""; 0], "it is known");
    caches.wrote(&session_job(2, "ours"));
    assert_eq!(news(&caches), ["FlinkStateSnapshot ns/b"]);
    caches.gone(Kind::FLINK_DEPLOYMENT, &key("app"), "u");
    assert_eq!(news(&caches), ["FlinkStateSnapshot ns/a"]);
    caches.gone(Kind::FLINK_SESSION_JOB, &key("app"), "j");
    assert_eq!(news(&caches), ["FlinkDeployment ns/cluster", "FlinkStateSnapshot ns/b"]);
}

#[test]
fn our_own_writes_to_a_snapshot_are_news_to_its_job() {
    let caches = Caches::default();
    let one = |version, state| snapshot("a", version, &of("FlinkSessionJob"), state);
    caches.wrote(&one(1, "IN_PROGRESS"));
    assert_eq!((news(&caches), known(&caches)), (Vec::new(), [vec![], vec![]]), "the watch will tell of it");
    apply(&caches, WatchEvent::Applied(one(1, "IN_PROGRESS")));
    caches.wrote(&one(2, "COMPLETED"));
    assert_eq!(news(&caches), ["FlinkSessionJob ns/app"]);
    caches.wrote(&one(3, "COMPLETED"));
    assert_eq!(news(&caches), [""; 0], "nothing has changed");
}

#[test]
fn labels_that_somebody_changes_are_looked_after() {
    let caches = Caches::default();
    let labelled = |version, value: &str| {
        let mut snapshot = snapshot("a", version, &of("FlinkDeployment"), "COMPLETED");
        snapshot.metadata.labels = Some([("snapshot.state".to_owned(), value.to_owned())].into());
        snapshot
    };
    apply(&caches, WatchEvent::Applied(labelled(1, "COMPLETED")));
    assert_eq!(causes(&apply(&caches, WatchEvent::Applied(labelled(2, "COMPLETED")))), []);
    let wakes = apply(&caches, WatchEvent::Applied(labelled(3, "FAILED")));
    assert_eq!(
        causes(&wakes),
        [("FlinkStateSnapshot", "a", Cause::Status), ("FlinkDeployment", "app", Cause::Changed)]
    );
    // Other kinds have no labels of ours.
    let mut job = session_job(1, "");
    caches.apply(Kind::FLINK_SESSION_JOB, None, WatchEvent::Applied(job.clone()));
    job.metadata.labels = Some([("a".to_owned(), "b".to_owned())].into());
    job.metadata.resource_version = Some("2".to_owned());
    assert_eq!(causes(&caches.apply(Kind::FLINK_SESSION_JOB, None, WatchEvent::Applied(job))), []);
}

// ---- kinds that are not installed -----------------------------------------------------------------------------------

#[test]
fn a_kind_counts_as_installed_until_it_is_known_not_to_be() {
    let caches = Caches::default();
    assert!(!caches.is_not_installed(Kind::FLINK_STATE_SNAPSHOT));
    caches.set_installed(Kind::FLINK_STATE_SNAPSHOT, false);
    assert!(caches.is_not_installed(Kind::FLINK_STATE_SNAPSHOT));
    assert!(!caches.is_not_installed(Kind::FLINK_SESSION_JOB));
    caches.set_installed(Kind::FLINK_STATE_SNAPSHOT, true);
    assert!(!caches.is_not_installed(Kind::FLINK_STATE_SNAPSHOT));
}
