//! The Ingress of a cluster's REST API.

use serde_json::{Value, json};

use super::world::{World, application, session};
use crate::Effect;
use crate::effect::{DeleteObject, ObjectReference, Propagation};
use crate::observed::IngressView;

fn with_ingress(mut spec: Value) -> Value {
    spec["ingress"] = json!({"template": "{{name}}.example.com"});
    spec
}

pub(super) fn unmanaged(spec: Value) -> World {
    let off = [("kubernetes.operator.ingress.manage", "false")];
    let mut world = World::new(with_ingress(spec));
    world.defaults = flink_conf::OperatorDefaults::new(off.into_iter().collect());
    world
}

fn hosts(world: &World) -> Vec<Value> {
    let ingresses = world.applied.iter().map(|object| serde_json::to_value(object).unwrap());
    ingresses.map(|object| object["spec"]["rules"][0]["host"].clone()).collect()
}

#[test]
fn a_cluster_gets_the_ingress_that_its_spec_asks_for() {
    for spec in [application("stateless"), session()] {
        let mut world = World::new(with_ingress(spec.clone()));
        world.becomes_stable();
        assert_eq!(hosts(&world), ["app.example.com"]);
        let mut world = World::new(spec);
        world.becomes_stable();
        assert!(world.applied.is_empty());
    }
}

#[test]
fn where_the_operator_may_not_manage_ingresses_that_is_told_once() {
    for spec in [application("stateless"), session()] {
        let mut world = unmanaged(spec);
        world.becomes_stable();
        assert!(world.applied.is_empty());
        let told: Vec<_> =
            world.events.iter().filter(|event| event.reason == crate::Reason::IngressManagement).collect();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].mode, crate::EventMode::Once);
        assert!(told[0].message.contains("kubernetes.operator.ingress.manage"), "{}", told[0].message);
    }
}

#[test]
fn an_ingress_that_is_not_there_is_made_again_and_one_that_is_not_wanted_goes() {
    let mut world = World::stable(with_ingress(application("stateless")));
    world.applied.clear();
    world.rests();
    world.observed.ingress = IngressView::Owned("u".to_owned());
    world.rests();
    world.observed.ingress = IngressView::Absent;
    world.pass();
    assert_eq!(hosts(&world), ["app.example.com"]);

    let mut world = World::stable(application("stateless"));
    world.observed.ingress = IngressView::Absent;
    world.rests();
    world.observed.ingress = IngressView::Owned("u".to_owned());
    let effects = world.decide().effects;
    let [Effect::Delete(deleted)] = effects.as_slice() else { panic!("{effects:?}") };
    let object = ObjectReference::new("networking.k8s.io/v1", "Ingress", "ns", "app", Some("u"));
    assert_eq!(*deleted, DeleteObject { object, propagation: Propagation::Background });
}
