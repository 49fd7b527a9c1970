//! What holds for every spec.

use api::{FlinkDeploymentSpec, FlinkSessionJobSpec, KubernetesDeploymentMode, ReconciledSpec, decode};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{DiffType, leaf, session_job_spec_diff, spec_diff};

/// Any JSON, of the depth that specs have.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z0-9./~ -]{0,12}".prop_map(Value::from),
        Just(json!("1Gi")),
        Just(json!("1024Mi")),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(any_key(), inner, 0..4).prop_map(|map| map.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

fn any_key() -> impl Strategy<Value = String> {
    let known = vec![
        "metadata",
        "spec",
        "labels",
        "resources",
        "limits",
        "requests",
        "overhead",
        "emptyDir",
        "sizeLimit",
    ];
    prop_oneof![proptest::sample::select(known).prop_map(str::to_owned), "[a-zA-Z./]{0,8}"]
}

prop_compose! {
    fn any_spec()(
        template in any_json(),
        configuration in btree_map("[a-z.]{1,12}", any_json(), 0..4),
        job in proptest::option::of(any_job()),
        requests in proptest::option::of(btree_map("cpu|memory|x", any_json(), 0..3)),
        replicas in proptest::option::of(any::<i32>()),
        mode in proptest::option::of(proptest::sample::select(KubernetesDeploymentMode::ALL)),
    ) -> FlinkDeploymentSpec {
        decode(json!({
            "podTemplate": template,
            "flinkConfiguration": configuration,
            "job": job,
            "jobManager": {"resources": {"requests": requests}},
            "taskManager": {"resources": {"limits": requests}, "replicas": replicas, "podTemplate": template},
            "mode": mode,
        }))
        .unwrap()
    }
}

prop_compose! {
    fn any_job()(
        args in proptest::option::of(vec("[a-z]{0,3}", 0..3)),
        parallelism in proptest::option::of(any::<i32>()),
        nonce in proptest::option::of(any::<i64>()),
        redeploy in proptest::option::of(any::<i64>()),
        state in proptest::option::of(proptest::sample::select(vec!["running", "suspended"])),
    ) -> Value {
        json!({
            "args": args,
            "parallelism": parallelism,
            "savepointTriggerNonce": nonce,
            "savepointRedeployNonce": redeploy,
            "state": state,
        })
    }
}

/// The spec as it comes back from status, where the operator has written it.
fn recorded(spec: &FlinkDeploymentSpec) -> FlinkDeploymentSpec {
    ReconciledSpec::decode(&ReconciledSpec::new(spec.clone(), false).encode()).unwrap().spec
}

proptest! {
    #[test]
    fn a_spec_does_not_differ_from_itself(spec in any_spec()) {
        prop_assert_eq!(spec_diff(&spec, &spec).changes, vec![]);
    }

    #[test]
    fn a_spec_does_not_differ_from_its_recorded_form(spec in any_spec()) {
        prop_assert_eq!(spec_diff(&recorded(&spec), &spec).changes, vec![]);
    }

    #[test]
    fn the_kind_is_the_strongest_of_the_changes(old in any_spec(), new in any_spec()) {
        let diff = spec_diff(&old, &new);
        let strongest = diff.changes.iter().map(|change| change.kind).max();
        prop_assert_eq!(diff.kind, strongest.unwrap_or(DiffType::Ignore));
        prop_assert!(diff.message().starts_with(diff.kind.as_str()));
    }

    #[test]
    fn session_jobs_do_not_differ_from_themselves(job in any_job(), configuration in any_json()) {
        let spec: FlinkSessionJobSpec = decode(json!({"job": job, "flinkConfiguration": configuration})).unwrap();
        for mode in KubernetesDeploymentMode::ALL {
            prop_assert!(session_job_spec_diff(&spec, &spec, *mode).is_empty());
        }
    }

    #[test]
    fn any_two_values_can_be_compared(old in any_json(), new in any_json()) {
        prop_assert_eq!(leaf::differences(&old, &old, leaf::by_text), vec![]);
        if old.is_object() == new.is_object() && old.is_array() == new.is_array() && !old.is_object() && !old.is_array() {
            let found = leaf::differences(&old, &new, leaf::by_text);
            prop_assert_eq!(found.is_empty(), old == new);
        }
    }
}
