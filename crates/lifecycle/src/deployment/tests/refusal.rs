//! Specs that are refused, records that cannot be read: what runs goes on.

use api::{FlinkDeployment, LifecycleState};
use serde_json::json;

use super::world::{World, application};
use crate::Requeue;

pub(super) fn invalid(resource: &mut FlinkDeployment) {
    resource.spec.job.as_mut().unwrap().parallelism = Some(0);
}

#[test]
fn an_invalid_spec_is_refused_before_and_after_a_first_deployment() {
    let mut world = World::new(application("stateless"));
    world.change(invalid);
    let requeue = world.pass();
    assert_eq!(world.lifecycle(), LifecycleState::Failed);
    assert!(matches!(requeue, Requeue::After(_)), "W-54: judged again");
    assert_eq!(world.held().as_deref(), Some("ValidationError"));
    world.change(|resource| resource.spec.job.as_mut().unwrap().parallelism = Some(1));
    world.becomes_stable();
    assert_eq!(world.held(), None);
    world.reasons();
    world.change(invalid);
    world.pass();
    world.pass();
    assert_eq!(world.reasons(), ["Warning ValidationError Operator"], "told once");
    assert_eq!(world.lifecycle(), LifecycleState::Stable);
    assert!(world.error().contains("parallelism"));
    let (reason, message) = world.condition("SpecAccepted").unwrap();
    assert!(reason == "ValidationError" && message.contains("parallelism"));
    assert!(world.observed.job_manager.is_some());
    world.rests();
    // Recovery goes on with the recorded spec.
    world.observed.job_manager = None;
    world.pass();
    assert_eq!(world.created, 2);
}

#[test]
fn an_unsupported_version_is_told_and_nothing_is_done() {
    let mut world = World::new(application("stateless"));
    world.resource.spec.flink_version = Some(api::FlinkVersion::V1_14);
    world.pass();
    world.pass();
    assert_eq!(world.created, 0);
    assert!(world.error().contains("v1_14"));
    assert_eq!(world.reasons(), ["Warning UnsupportedFlinkVersion Operator"]);
    assert_eq!(world.held().as_deref(), Some("UnsupportedFlinkVersion"));
}

#[test]
fn an_unreadable_record_is_never_taken_for_a_new_resource() {
    let mut world = World::stable(application("stateless"));
    let mut status = world.status();
    status.reconciliation_status_mut().last_reconciled_spec = Some("{".to_owned());
    world.resource.status = Some(status);
    world.pass();
    assert_eq!(world.created, 1);
    assert!(world.error().contains("lastReconciledSpec"));
    assert_eq!(world.held().as_deref(), Some("StatusUnreadable"));
}

#[test]
fn a_spec_that_does_not_fit_into_the_status_is_refused() {
    let mut spec = application("stateless");
    spec["flinkConfiguration"]["some.key"] = json!("x".repeat(400 * 1024));
    let mut world = World::new(spec);
    world.pass();
    assert_eq!(world.created, 0);
    assert_eq!(world.lifecycle(), LifecycleState::Failed);
    assert!(world.error().contains("too large"));
}
