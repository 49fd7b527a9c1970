//! Who else needs the files of a savepoint.

use api::{FlinkDeployment, FlinkSessionJob, FlinkStateSnapshot};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use super::super::{References, path_to_dispose};
use super::world::{World, checkpoint, savepoint, with_savepoint};

const PATH: &str = "file:///sp/one";

fn deployment_needs(resource: &FlinkDeployment, except: Option<&str>, path: &str) -> Option<String> {
    References::of_deployment(resource).needs(except, path).map(str::to_owned)
}

fn session_job_needs(resource: &FlinkSessionJob, except: Option<&str>, path: &str) -> Option<String> {
    References::of_session_job(resource).needs(except, path).map(str::to_owned)
}

fn snapshot_needs(resource: &FlinkStateSnapshot, except: Option<&str>, path: &str) -> Option<String> {
    References::of_snapshot(resource).needs(except, path).map(str::to_owned)
}

#[test]
fn files_go_with_a_savepoint_that_says_so() {
    let path = |world: &World| path_to_dispose(&world.resource).map(str::to_owned);
    assert_eq!(path(&World::completed(savepoint())).as_deref(), Some(PATH));
    assert_eq!(path(&World::in_progress(savepoint())), None);
    assert_eq!(path(&World::new(savepoint())), None);
    assert_eq!(path(&World::completed(checkpoint())), None);
    assert_eq!(path(&World::completed(with_savepoint(&json!({"disposeOnDelete": false})))), None);
    let mut world = World::completed(savepoint());
    world.set_status(|status| status.path = Some(String::new()));
    assert_eq!(path(&world), None);
    let mut world = World::completed(savepoint());
    world.resource.spec.job_reference = None;
    assert_eq!(path(&world), None);
}

/// Whether a FlinkDeployment and a FlinkSessionJob with this job and this status need the path.
fn needs(job: &Value, status: &Value) -> [Option<String>; 2] {
    let status = json!({"jobStatus": status});
    let spec = json!({"job": job});
    let mut deployment = FlinkDeployment::new("app", serde_json::from_value(spec.clone()).unwrap());
    deployment.status = serde_json::from_value(status.clone()).unwrap();
    let mut session_job = FlinkSessionJob::new("job", serde_json::from_value(spec).unwrap());
    session_job.status = serde_json::from_value(status).unwrap();
    [deployment_needs(&deployment, None, PATH), session_job_needs(&session_job, None, PATH)]
}

#[test]
fn a_job_needs_what_it_may_start_from_and_what_it_lists() {
    let taken = json!({"location": "file:/sp/one/"});
    let other = json!({"location": "file:///sp/two"});
    for (job, status, needed) in [
        (json!({"initialSavepointPath": PATH}), json!({}), true),
        (json!({"initialSavepointPath": "file:///sp/two"}), json!({}), false),
        (json!({}), json!({"upgradeSavepointPath": PATH}), true),
        (json!({}), json!({"upgradeSavepointPath": "KUBERNETES_OPERATOR_LAST_STATE"}), false),
        (json!({}), json!({"savepointInfo": {"lastSavepoint": taken}}), true),
        (json!({}), json!({"savepointInfo": {"lastSavepoint": other}}), false),
        (json!({}), json!({"savepointInfo": {"savepointHistory": [other, taken]}}), true),
        (json!({}), json!({"savepointInfo": {"savepointHistory": [other, {}]}}), false),
        (json!({}), json!({}), false),
    ] {
        let expected = needed.then(|| "FlinkDeployment app".to_owned());
        let of_session_job = needed.then(|| "FlinkSessionJob job".to_owned());
        assert_eq!(needs(&job, &status), [expected, of_session_job], "{job} {status}");
    }
}

#[test]
fn a_resource_without_job_and_status_needs_nothing() {
    let deployment = FlinkDeployment::new("app", serde_json::from_value(json!({})).unwrap());
    assert_eq!(deployment_needs(&deployment, None, PATH), None);
}

#[test]
fn what_a_resource_says_itself_does_not_count() {
    let spec = json!({"job": {"initialSavepointPath": PATH}});
    let mut deployment = FlinkDeployment::new("app", serde_json::from_value(spec.clone()).unwrap());
    let mut session_job = FlinkSessionJob::new("job", serde_json::from_value(spec).unwrap());
    for (uid, except, needed) in [
        (Some("one"), Some("one"), false),
        (Some("one"), Some("two"), true),
        (Some("one"), None, true),
        (None, Some("one"), true),
        (None, None, true),
    ] {
        deployment.metadata.uid = uid.map(str::to_owned);
        session_job.metadata.uid = uid.map(str::to_owned);
        assert_eq!(deployment_needs(&deployment, except, PATH).is_some(), needed, "{uid:?} {except:?}");
        assert_eq!(session_job_needs(&session_job, except, PATH).is_some(), needed, "{uid:?} {except:?}");
    }
}

#[test]
fn another_snapshot_of_the_same_files_needs_them_unless_it_goes_as_well() {
    let mut other = World::completed(savepoint()).resource;
    let needed = Some("FlinkStateSnapshot one".to_owned());
    assert_eq!(snapshot_needs(&other, Some("uid-2"), PATH), needed);
    assert_eq!(snapshot_needs(&other, None, PATH), needed);
    assert_eq!(snapshot_needs(&other, Some("uid-1"), PATH), None, "it is the same one");
    assert_eq!(snapshot_needs(&other, Some("uid-2"), "file:///sp/two"), None);
    other.metadata.deletion_timestamp = Some(Time(jiff::Timestamp::UNIX_EPOCH));
    assert_eq!(snapshot_needs(&other, Some("uid-2"), PATH), None);
    let given = World::new(with_savepoint(&json!({"alreadyExists": true, "path": "file:/sp/one"}))).resource;
    assert_eq!(snapshot_needs(&given, Some("uid-2"), PATH), needed, "nobody has looked at it yet");
    let wished = World::new(with_savepoint(&json!({"path": "file:/sp/one"}))).resource;
    assert_eq!(snapshot_needs(&wished, Some("uid-2"), PATH), None, "it is where one will be");
    let pending = World::pending(savepoint()).resource;
    assert_eq!(snapshot_needs(&pending, Some("uid-2"), PATH), None);
}
