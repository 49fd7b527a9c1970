//! The Ingress of a cluster's REST API.

use api::{FlinkDeployment, JobState, LifecycleState};
use k8s_openapi::api::networking::v1::Ingress;
use serde_json::{Value, json};

use super::world::{World, application, job_state, restart, session};
use crate::effect::{ChangeObject, DeleteObject, ObjectReference, Propagation};
use crate::observed::IngressView;
use crate::{Effect, FIELD_MANAGER, Requeue};

fn with_ingress(mut spec: Value) -> Value {
    spec["ingress"] = json!({"template": "{{name}}.example.com"});
    spec
}

fn template(text: &str) -> impl FnOnce(&mut FlinkDeployment) {
    move |resource| resource.spec.ingress.as_mut().unwrap().template = Some(text.to_owned())
}

pub(super) fn unmanaged(spec: Value) -> World {
    let off = [("kubernetes.operator.ingress.manage", "false")];
    let mut world = World::new(with_ingress(spec));
    world.defaults = flink_conf::OperatorDefaults::new(off.into_iter().collect());
    world
}

/// A stable cluster next to an Ingress of its name that belongs to somebody else.
fn next_to_foreign(spec: Value) -> World {
    let mut world = World::new(with_ingress(spec));
    world.observed.ingress = IngressView::Foreign;
    world.becomes_stable();
    world
}

fn hosts(world: &World) -> Vec<Value> {
    let ingresses = world.applied.iter().map(|object| serde_json::to_value(object).unwrap());
    ingresses.map(|object| object["spec"]["rules"][0]["host"].clone()).collect()
}

/// The Ingress of the test world's resource as the API server keeps it after `change`.
fn owned(change: impl FnOnce(&mut Value)) -> IngressView {
    let mut ingress = json!({
        "metadata": {
            "uid": "u",
            "resourceVersion": "7",
            "labels": {"component": "ingress"},
            "ownerReferences": [{"apiVersion": "a", "kind": "FlinkDeployment", "name": "app", "uid": "uid-1"}],
            "managedFields": [{
                "manager": FIELD_MANAGER,
                "operation": "Update",
                "fieldsV1": {
                    "f:metadata": {"f:labels": {".": {}, "f:component": {}}},
                    "f:spec": {"f:rules": {}},
                },
            }],
        },
        "spec": {"rules": [{
            "host": "app.example.com",
            "http": {"paths": [{
                "pathType": "ImplementationSpecific",
                "backend": {"service": {"name": "app-rest", "port": {"number": 8081}}},
            }]},
        }]},
        "status": {"loadBalancer": {}},
    });
    change(&mut ingress);
    let ingress: Ingress = serde_json::from_value(ingress).unwrap();
    IngressView::from_ingress(&ingress, "uid-1")
}

fn reference() -> ObjectReference {
    ObjectReference::new("networking.k8s.io/v1", "Ingress", "ns", "app", Some("u"))
}

fn change(part: Value) -> ChangeObject {
    ChangeObject { object: reference(), resource_version: Some("7".to_owned()), part }
}

/// The only effect of the next decision, which is such a change.
fn only_change(world: &World) -> ChangeObject {
    let effects = world.decide().effects;
    let [Effect::Change(change)] = effects.as_slice() else { panic!("{effects:?}") };
    change.clone()
}

#[test]
fn a_cluster_gets_the_ingress_that_its_spec_asks_for() {
    for spec in [application("stateless"), session()] {
        let mut world = World::new(with_ingress(spec.clone()));
        world.observed.ingress = IngressView::Absent;
        world.pass();
        assert_eq!(hosts(&world), ["app.example.com"]);
        let mut world = World::new(spec);
        world.observed.ingress = IngressView::Absent;
        world.becomes_stable();
        assert!(world.applied.is_empty());
    }
}

#[test]
fn where_the_operator_may_not_manage_ingresses_that_is_told_once() {
    for spec in [application("stateless"), session()] {
        let mut world = unmanaged(spec);
        world.observed.ingress = IngressView::Absent;
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
fn one_that_is_wanted_later_and_not_managed_is_told() {
    let mut world = unmanaged(application("stateless"));
    world.resource.spec.ingress = None;
    world.becomes_stable();
    world.reasons();
    world.change(|resource| resource.spec.ingress = Some(api::IngressSpec::default()));
    world.change(template("a"));
    world.pass();
    assert_eq!(world.reasons(), ["Warning IngressManagement Operator"]);
    world.pass();
    assert!(world.reasons().is_empty());
}

#[test]
fn an_ingress_that_is_not_there_is_made_again_and_one_that_is_not_wanted_goes() {
    let mut world = World::stable(with_ingress(application("stateless")));
    world.applied.clear();
    world.rests();
    world.observed.ingress = owned(|_| {});
    world.rests();
    world.observed.ingress = IngressView::Absent;
    world.pass();
    assert_eq!(hosts(&world), ["app.example.com"]);

    let mut world = World::stable(application("stateless"));
    for rests in [IngressView::Absent, IngressView::Foreign, IngressView::Unread] {
        world.observed.ingress = rests;
        world.rests();
    }
    world.observed.ingress = owned(|_| {});
    let effects = world.decide().effects;
    let [Effect::Delete(deleted)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(*deleted, DeleteObject { object: reference(), propagation: Propagation::Background });
}

#[test]
fn a_change_of_the_spec_changes_it_in_place_and_nothing_else() {
    for spec in [application("savepoint"), session()] {
        let mut world = World::stable(with_ingress(spec));
        world.observed.ingress = owned(|_| {});
        world.change(template("/{{name}}"));
        let created = world.created;
        let round = world.decide();
        assert_eq!(round.status.observed_generation, Some(2));
        assert_eq!(round.status.lifecycle_state, Some(LifecycleState::Stable));
        let change = only_change(&world);
        assert_eq!((change.object, change.resource_version.as_deref()), (reference(), Some("7")));
        let rule = &change.part["spec"]["rules"][0];
        assert_eq!(rule["http"]["paths"][0]["path"], "/app");
        assert!(rule.get("host").is_none(), "{rule}");
        world.pass();
        assert_eq!((world.created, world.calls.len()), (created, 0), "no job was stopped");
        assert!(world.reasons().is_empty());
    }
}

#[test]
fn one_that_is_added_or_removed_later_leaves_the_job_alone() {
    let mut world = World::stable(application("stateless"));
    world.observed.ingress = IngressView::Absent;
    world.change(|resource| {
        resource.spec.ingress = Some(api::IngressSpec::default());
        template("a.example.com")(resource);
    });
    world.pass();
    assert_eq!((hosts(&world), world.created), (vec![json!("a.example.com")], 1));
    world.observed.ingress = owned(|_| {});
    world.change(|resource| resource.spec.ingress = None);
    let effects = world.decide().effects;
    assert!(matches!(effects.as_slice(), [Effect::Delete(_)]), "{effects:?}");
    world.observed.ingress = IngressView::Absent;
    world.pass();
    world.rests();
    assert_eq!((world.created, world.lifecycle()), (1, LifecycleState::Stable));
}

#[test]
fn an_invalid_spec_does_not_bring_an_earlier_ingress_back() {
    let mut world = World::stable(with_ingress(application("stateless")));
    world.observed.ingress = owned(|_| {});
    world.change(template("b.example.com"));
    world.pass();
    world.observed.ingress = owned(|ingress| ingress["spec"]["rules"][0]["host"] = json!("b.example.com"));
    world.change(|resource| resource.spec.job.as_mut().unwrap().parallelism = Some(-1));
    let effects = world.decide().effects;
    assert!(effects.iter().all(|effect| matches!(effect, Effect::Event(_))), "{effects:?}");
}

#[test]
fn it_comes_with_the_upgrade_that_it_is_changed_with() {
    let mut world = World::stable(with_ingress(application("stateless")));
    world.observed.ingress = owned(|_| {});
    world.change(template("b.example.com"));
    world.resource.spec.restart_nonce = Some(1);
    let effects = world.decide().effects;
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Change(_))), "{effects:?}");
    for _ in 0..3 {
        world.pass();
    }
    assert_eq!(world.created, 2);
    let change = only_change(&world);
    assert_eq!(change.part["spec"]["rules"][0]["host"], "b.example.com");
}

#[test]
fn it_is_looked_after_while_the_job_is_suspended() {
    let mut world = World::stable(with_ingress(application("stateless")));
    world.observed.ingress = owned(|_| {});
    world.change(job_state(JobState::Suspended));
    for _ in 0..3 {
        world.pass();
    }
    world.rests();
    assert!(world.reads().ingress);
    world.change(|resource| resource.spec.ingress = None);
    let effects = world.decide().effects;
    assert!(matches!(effects.as_slice(), [Effect::Delete(_)]), "{effects:?}");
}

#[test]
fn its_port_is_that_of_the_cluster_that_runs() {
    let mut world = World::stable(with_ingress(application("savepoint")));
    world.observed.ingress = owned(|_| {});
    world.change(|resource| {
        resource.spec.flink_configuration =
            serde_json::from_value(json!({"rest.port": "9091", "state.savepoints.dir": "file:///sp"}))
                .unwrap();
    });
    world.pass();
    assert!(world.applied.is_empty(), "the savepoint comes first");
    let effects = world.decide().effects;
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Change(_))), "{effects:?}");
}

type Hand = fn(&mut Value);

#[test]
fn what_was_changed_by_hand_is_put_right_and_what_others_added_stays() {
    let mut world = World::stable(with_ingress(application("stateless")));
    let by_hand: [(&str, Hand, Option<Value>); 7] = [
        ("nothing", |_| {}, None),
        ("an annotation more", |it| it["metadata"]["annotations"] = json!({"theirs": "1"}), None),
        ("a class by default", |it| it["spec"]["ingressClassName"] = json!("nginx"), None),
        ("addresses", |it| it["status"] = json!({"loadBalancer": {"ingress": [{"ip": "1.1.1.1"}]}}), None),
        (
            "our label gone",
            |it| drop(it["metadata"].as_object_mut().unwrap().remove("labels")),
            Some(json!({"metadata": {"labels": {"component": "ingress"}}})),
        ),
        (
            "our label changed",
            |it| it["metadata"]["labels"]["component"] = json!("x"),
            Some(json!({"metadata": {"labels": {"component": "ingress"}}})),
        ),
        (
            "what an earlier spec had",
            |it| {
                it["metadata"]["annotations"] = json!({"old": "1", "theirs": "1"});
                it["spec"]["tls"] = json!([{"hosts": ["a"]}]);
                let fields = &mut it["metadata"]["managedFields"][0]["fieldsV1"];
                fields["f:metadata"]["f:annotations"] = json!({".": {}, "f:old": {}, "f:gone": {}});
                fields["f:spec"]["f:tls"] = json!({});
            },
            Some(json!({"metadata": {"annotations": {"old": null}}, "spec": {"tls": null}})),
        ),
    ];
    for (name, hand, part) in by_hand {
        world.observed.ingress = owned(hand);
        match part {
            None => world.rests(),
            Some(part) => assert_eq!(only_change(&world), change(part), "{name}"),
        }
    }
}

#[test]
fn what_the_java_operator_wrote_goes_with_the_spec_that_wanted_it() {
    let by_java = |manager: &str| {
        owned(|it| {
            it["metadata"]["annotations"] = json!({"old": "1"});
            it["metadata"]["managedFields"][0]["manager"] = json!(manager);
            it["metadata"]["managedFields"][0]["fieldsV1"]["f:metadata"]["f:annotations"] =
                json!({".": {}, "f:old": {}});
        })
    };
    let mut world = World::stable(with_ingress(application("stateless")));
    world.observed.ingress = by_java("fabric8-kubernetes-client");
    assert_eq!(only_change(&world), change(json!({"metadata": {"annotations": {"old": null}}})));
    world.observed.ingress = by_java("kubectl-annotate");
    world.rests();
}

#[test]
fn empty_lists_and_maps_are_as_good_as_none() {
    let mut spec = with_ingress(application("stateless"));
    spec["ingress"]["tls"] = json!([]);
    spec["ingress"]["annotations"] = json!({});
    let mut world = World::stable(spec);
    world.observed.ingress = owned(|_| {});
    world.rests();
}

#[test]
fn one_that_is_going_is_waited_for() {
    for spec in [with_ingress(application("stateless")), application("stateless")] {
        let wanted = spec.get("ingress").is_some();
        let mut world = World::stable(spec);
        let settled = world.pass();
        world.observed.ingress =
            owned(|it| it["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z"));
        world.rests();
        let waits = Requeue::After(std::time::Duration::from_secs(10));
        assert_eq!(world.pass(), if wanted { waits } else { settled });
    }
}

#[test]
fn a_foreign_ingress_is_told_once_and_left_alone() {
    for spec in [application("stateless"), session()] {
        let mut world = next_to_foreign(spec);
        let about = |event: &&crate::EventRecord| event.reason == crate::Reason::IngressManagement;
        assert!(world.events.iter().filter(about).all(|event| event.mode == crate::EventMode::Once));
        assert!(world.was_told("IngressManagement"));
        let (reason, message) = world.condition("SpecAccepted").unwrap();
        assert_eq!(reason, "IngressExists");
        assert!(message.contains("An Ingress named app exists in namespace ns"), "{message}");
        assert!(world.applied.is_empty());
        assert_eq!(world.lifecycle(), LifecycleState::Stable);
        let polled = world.decide().poll.unwrap().interval;
        assert_eq!(polled, std::time::Duration::from_mins(1), "Flink has no say in it");
        let effects = world.decide().effects;
        assert!(matches!(effects.as_slice(), [Effect::Event(_)]), "{effects:?}");
        assert_eq!(
            world.pass(),
            Requeue::After(std::time::Duration::from_mins(1)),
            "nobody tells when it goes"
        );
        world.observed.ingress = IngressView::Absent;
        world.pass();
        assert_eq!((hosts(&world).len(), world.held()), (1, None));
    }
}

#[test]
fn why_the_job_is_not_upgraded_matters_more_than_a_foreign_ingress() {
    let mut world = next_to_foreign(application("stateless"));
    world.change(restart(1));
    world.resource.spec.job.as_mut().unwrap().parallelism = Some(-1);
    world.pass();
    assert_eq!(world.held().as_deref(), Some("ValidationError"));
}
