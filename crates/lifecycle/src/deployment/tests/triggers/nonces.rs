//! Snapshots as resources that a nonce asks for.

use api::{CheckpointType, JobStatusState, LifecycleState, SavepointFormatType, SnapshotTriggerType};
use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use super::super::world::{World, application, session, with};
use super::{
    BY_STATUS, CHECKPOINTS_TOO, EVERY_TEN_MINUTES, after, checkpoint_info, checkpoint_nonce, created_names,
    go_to, handled, minutes, of_version, running, savepoint_info, savepoint_nonce, snapshot,
};
use crate::Requeue;

#[test]
fn a_nonce_creates_a_resource_whose_name_is_recorded_first() {
    let mut world = running(&[]);
    let at = world.now.as_millisecond();
    world.change(savepoint_nonce(7));
    assert_eq!(world.round(), after(5));
    let info = savepoint_info(&world);
    assert_eq!((info.trigger_type, info.trigger_timestamp), (Some(SnapshotTriggerType::Manual), Some(at)));
    assert_eq!((info.format_type, info.trigger_id), (Some(SavepointFormatType::Canonical), None));
    assert_eq!(
        serde_json::to_value(&world.applied).unwrap(),
        json!([{
            "apiVersion": "flink.apache.org/v1beta1",
            "kind": "FlinkStateSnapshot",
            "metadata": {
                "name": format!("app-savepoint-manual-{at}"),
                "namespace": "ns",
                "labels": {"snapshot.trigger-type": "MANUAL", "job-reference.uid": "uid-1"},
            },
            "spec": {
                "jobReference": {"kind": "FlinkDeployment", "name": "app"},
                "savepoint": {"path": "file:///sp", "formatType": "CANONICAL", "disposeOnDelete": false,
                    "alreadyExists": false},
                "backoffLimit": -1,
            },
        }])
    );
    assert!(world.calls.is_empty());
    // Until it is seen, the same one is created again.
    world.later(3);
    assert_eq!(world.round(), after(5));
    let name = format!("app-savepoint-manual-{at}");
    assert_eq!(created_names(&mut world), [name.clone(), name.clone()]);
    assert_eq!(handled(&world), [Value::Null, Value::Null]);
    // Seen: the nonce is handled.
    let seen = snapshot(&world, &name, SnapshotTriggerType::Manual, SignedDuration::ZERO);
    world.observed.snapshots = vec![seen];
    assert_eq!(world.round(), Requeue::AtOnce);
    assert_eq!(handled(&world), [json!(7), Value::Null]);
    let info = savepoint_info(&world);
    assert_eq!((info.trigger_type, info.trigger_timestamp, info.format_type), (None, None, None));
    assert_eq!(world.lifecycle(), LifecycleState::Stable);
    world.pass();
    world.rests();
    assert!(world.applied.is_empty() && world.events.is_empty());
}

#[test]
fn a_checkpoint_is_asked_for_by_its_own_nonce() {
    let mut world = running(&[("kubernetes.operator.checkpoint.type", "INCREMENTAL")]);
    let at = world.now.as_millisecond();
    world.change(checkpoint_nonce(7));
    world.round();
    let info = checkpoint_info(&world);
    assert_eq!((info.trigger_type, info.trigger_timestamp), (Some(SnapshotTriggerType::Manual), Some(at)));
    assert_eq!((info.format_type, info.trigger_id), (Some(CheckpointType::Incremental), None));
    let object = serde_json::to_value(&world.applied[0]).unwrap();
    let name = format!("app-checkpoint-manual-{at}");
    assert_eq!(object["metadata"]["name"], name);
    assert_eq!(
        object["spec"],
        json!({"jobReference": {"kind": "FlinkDeployment", "name": "app"}, "checkpoint": {},
            "backoffLimit": -1})
    );
    let seen = snapshot(&world, &name, SnapshotTriggerType::Manual, SignedDuration::ZERO);
    world.observed.snapshots = vec![seen];
    world.pass();
    assert_eq!(handled(&world), [Value::Null, json!(7)]);
    assert_eq!(checkpoint_info(&world).trigger_type, None);
}

#[test]
fn snapshots_are_taken_one_at_a_time_savepoints_first() {
    let mut world = running(&[]);
    world.change(savepoint_nonce(1));
    world.change(checkpoint_nonce(1));
    world.pass();
    let first = created_names(&mut world);
    assert!(first.len() == 1 && first[0].starts_with("app-savepoint-manual-"), "{first:?}");
    let seen = snapshot(&world, &first[0], SnapshotTriggerType::Manual, SignedDuration::ZERO);
    world.observed.snapshots = vec![seen];
    world.pass();
    let second = created_names(&mut world);
    assert!(second.len() == 1 && second[0].starts_with("app-checkpoint-manual-"), "{second:?}");
}

#[test]
fn settings_say_how_a_savepoint_is_taken() {
    let mut world = running(&[
        ("kubernetes.operator.savepoint.format.type", "NATIVE"),
        ("kubernetes.operator.savepoint.dispose-on-delete", "true"),
    ]);
    world.change(savepoint_nonce(1));
    world.round();
    let savepoint = serde_json::to_value(&world.applied[0]).unwrap()["spec"]["savepoint"].clone();
    assert_eq!((&savepoint["formatType"], &savepoint["disposeOnDelete"]), (&json!("NATIVE"), &json!(true)));
    assert_eq!(savepoint_info(&world).format_type, Some(SavepointFormatType::Native));
}

#[test]
fn a_nonce_that_is_taken_back_asks_for_nothing() {
    let mut world = running(&[]);
    world.change(savepoint_nonce(7));
    world.round();
    assert_eq!(created_names(&mut world).len(), 1);
    world.change(|resource| resource.spec.job.as_mut().unwrap().savepoint_trigger_nonce = None);
    world.pass();
    let info = savepoint_info(&world);
    assert_eq!((info.trigger_type, info.trigger_timestamp, info.format_type), (None, None, None));
    assert!(world.applied.is_empty());
}

#[test]
fn a_nonce_of_the_first_spec_asks_for_nothing() {
    let mut spec = application("savepoint");
    spec["job"]["savepointTriggerNonce"] = json!(1);
    spec["job"]["checkpointTriggerNonce"] = json!(1);
    let mut world = World::stable(spec);
    world.pass();
    assert!(world.applied.is_empty() && world.calls.is_empty());
}

#[test]
fn a_periodic_request_of_before_is_no_nonce_s() {
    let mut world = running(&[]);
    let mut status = world.status();
    let info = status.job_status_mut().savepoint_info.get_or_insert_default();
    (info.trigger_type, info.trigger_timestamp) = (Some(SnapshotTriggerType::Periodic), Some(5));
    world.resource.status = Some(status);
    world.change(savepoint_nonce(1));
    let at = world.now.as_millisecond();
    world.round();
    assert_eq!(created_names(&mut world), [format!("app-savepoint-manual-{at}")]);
}

#[test]
fn a_savepoint_that_flink_is_at_work_on_is_waited_for_and_checkpoints_are_not_held_up() {
    let mut world = running(&[]);
    let mut status = world.status();
    let info = status.job_status_mut().savepoint_info.get_or_insert_default();
    info.trigger_id = Some("t".to_owned());
    info.trigger_type = Some(SnapshotTriggerType::Periodic);
    world.resource.status = Some(status.clone());
    world.change(savepoint_nonce(1));
    world.round();
    assert!(created_names(&mut world).is_empty());
    world.change(checkpoint_nonce(1));
    world.round();
    let names = created_names(&mut world);
    assert!(names.len() == 1 && names[0].starts_with("app-checkpoint-"), "{names:?}");
    // As the Java operator writes it when there is none.
    status.job_status_mut().savepoint_info.as_mut().unwrap().trigger_id = Some(String::new());
    world.resource.status = Some(status);
    world.round();
    let names = created_names(&mut world);
    assert!(names.len() == 1 && names[0].starts_with("app-savepoint-"), "{names:?}");
}

#[test]
fn only_a_running_job_is_asked() {
    for options in [[BY_STATUS, EVERY_TEN_MINUTES].as_slice(), &[EVERY_TEN_MINUTES]] {
        let mut world = running(options);
        go_to(&mut world, minutes(20));
        world.job_is(JobStatusState::Restarting);
        world.change(savepoint_nonce(1));
        world.pass();
        assert!(world.applied.is_empty() && world.calls.is_empty());
        world.job_is(JobStatusState::Running);
        world.pass();
        assert_eq!(world.applied.len() + world.calls.len(), 1);
    }
}

#[test]
fn a_session_cluster_takes_no_snapshots() {
    let mut world = World::new(with(session(), &[EVERY_TEN_MINUTES]));
    world.resource.metadata.creation_timestamp = Some(Time(world.now));
    world.becomes_stable();
    go_to(&mut world, minutes(20));
    world.pass();
    assert!(world.applied.is_empty() && world.calls.is_empty());
}

#[test]
fn flink_takes_checkpoints_on_demand_from_1_17_on() {
    for (version, taken) in [("v1_16", false), ("v1_17", true)] {
        for options in [[BY_STATUS, CHECKPOINTS_TOO].as_slice(), &[CHECKPOINTS_TOO]] {
            let mut world = of_version(version, options);
            world.change(checkpoint_nonce(1));
            world.round();
            assert_eq!(world.applied.len() + world.calls.len(), usize::from(taken), "{version}");
            assert_eq!(checkpoint_info(&world).trigger_type.is_some(), taken);
            let mut world = of_version(version, options);
            go_to(&mut world, minutes(20));
            world.round();
            assert_eq!(world.applied.len() + world.calls.len(), usize::from(taken), "{version}");
        }
    }
    for options in [[BY_STATUS].as_slice(), &[]] {
        let mut world = of_version("v1_16", options);
        world.change(savepoint_nonce(1));
        world.round();
        assert_eq!(world.applied.len() + world.calls.len(), 1);
    }
}
