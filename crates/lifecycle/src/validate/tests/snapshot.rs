//! F1 to F3.

use api::{FlinkStateSnapshotSpec, FlinkStateSnapshotStatus, SnapshotState, decode};
use serde_json::{Value, json};

use super::super::{Rule, snapshot, status_message};
use super::rules;

fn check(spec: Value, state: Option<SnapshotState>, found: bool) -> (Vec<Rule>, Option<String>) {
    let spec: FlinkStateSnapshotSpec = decode(spec).unwrap();
    let status = state.map(|state| FlinkStateSnapshotStatus { state: Some(state), ..Default::default() });
    let violations = snapshot("flink", &spec, status.as_ref(), found);
    (rules(&violations), status_message(&violations).map(str::to_owned))
}

fn reference() -> Value {
    json!({"kind": "FlinkDeployment", "name": "app"})
}

const PASSES: (Vec<Rule>, Option<String>) = (vec![], None);

#[test]
fn exactly_one_kind() {
    let message = "Exactly one of checkpoint or savepoint configurations has to be set.";
    let refused = (vec![Rule::SnapshotKind], Some(message.to_owned()));
    let both = json!({"jobReference": reference(), "savepoint": {}, "checkpoint": {}});
    assert_eq!(check(both, None, true), refused);
    assert_eq!(check(json!({"jobReference": reference()}), None, true), refused);
    for kind in ["savepoint", "checkpoint"] {
        assert_eq!(check(json!({"jobReference": reference(), kind: {}}), None, true), PASSES);
    }
}

#[test]
fn an_existing_savepoint_needs_a_path_and_no_job() {
    let at = |path: Value| json!({"savepoint": {"alreadyExists": true, "path": path}});
    assert_eq!(check(at(json!("s3://a/b")), None, false), PASSES);
    for path in [json!(null), json!("")] {
        assert_eq!(check(at(path), None, false).0, [Rule::SnapshotPath]);
    }
    let both = check(json!({"savepoint": {"alreadyExists": true}, "checkpoint": {}}), None, false);
    assert_eq!(both.0, [Rule::SnapshotKind, Rule::SnapshotJobReference]);
}

#[test]
fn a_job_is_named() {
    let message = "Job reference must be supplied for this snapshot".to_owned();
    let refused = (vec![Rule::SnapshotJobReference], Some(message));
    assert_eq!(check(json!({"savepoint": {}}), None, false), refused);
    assert_eq!(check(json!({"savepoint": {}}), Some(SnapshotState::Completed), false), refused);
}

#[test]
fn the_job_exists_until_the_snapshot_was_triggered() {
    let spec = json!({"checkpoint": {}, "jobReference": reference()});
    let refused =
        (vec![Rule::SnapshotTarget], Some("Target for snapshot flink/app was not found".to_owned()));
    assert_eq!(check(spec.clone(), None, false), refused);
    for state in SnapshotState::ALL {
        let expected = if *state == SnapshotState::TriggerPending { refused.clone() } else { PASSES };
        assert_eq!(check(spec.clone(), Some(*state), false), expected, "{state}");
        assert_eq!(check(spec.clone(), Some(*state), true), PASSES, "{state}");
    }
    assert_eq!(check(json!({"checkpoint": {}, "jobReference": {}}), None, false).0, [Rule::SnapshotTarget]);
}
