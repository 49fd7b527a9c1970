//! What holds for every spec and every configuration.

use api::{FlinkDeploymentSpec, decode};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::json;

use super::super::{
    ArtifactSettings, Rule, deployment, excluded_periods, host_to_resolve, report, status_message,
};
use super::conf;
use crate::schedule::Cron;

/// Options that rules read, each with a text that may or may not fit.
fn any_options() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let keys = vec![
        "kubernetes.operator.deployment.rollback.enabled",
        "kubernetes.operator.cluster.health-check.enabled",
        "kubernetes.operator.jm-deployment-recovery.enabled",
        "kubernetes.operator.job.upgrade.last-state.max.allowed.checkpoint.age",
        "high-availability.type",
        "job.autoscaler.enabled",
        "job.autoscaler.utilization.target",
        "job.autoscaler.utilization.max",
        "job.autoscaler.metrics.window",
        "job.autoscaler.excluded.periods",
        "jobmanager.memory.process.size",
        "taskmanager.memory.process.size",
        "taskmanager.numberOfTaskSlots",
    ];
    vec((proptest::sample::select(keys), any_text()), 0..6)
}

fn any_text() -> impl Strategy<Value = String> {
    let known =
        vec!["true", "false", "NONE", "1", "0.5", "10 s", "1g", "9:00-10:00", "* * * ? * 2", "", "many"];
    prop_oneof![proptest::sample::select(known).prop_map(str::to_owned), ".{0,12}"]
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(
        name in ".{0,50}",
        amounts in btree_map("cpu|memory|storage", any_text(), 0..3),
        memory in proptest::option::of(any_text()),
        template in any_text(),
        replicas in proptest::option::of(any::<i32>()),
        options in any_options(),
    ) {
        let spec: FlinkDeploymentSpec = decode(json!({
            "job": {"parallelism": replicas},
            "ingress": {"template": template},
            "jobManager": {"resource": {"memory": memory, "ephemeralStorage": memory}, "replicas": replicas},
            "taskManager": {"resources": {"requests": amounts, "limits": amounts}},
        }))
        .unwrap();
        let options: Vec<(&str, &str)> = options.iter().map(|(key, text)| (*key, text.as_str())).collect();
        let violations = deployment(&name, "namespace", &spec, Some(&spec), &conf(&options));
        // It has neither version nor service account.
        prop_assert!(violations.iter().any(|violation| violation.rule == Rule::FlinkVersionMissing));
        prop_assert!(violations.iter().any(|violation| violation.rule == Rule::ServiceAccountMissing));
        prop_assert!(report(&violations).starts_with(status_message(&violations).unwrap()));
        // What cannot be read comes first.
        let unreadable = violations.iter().take_while(|violation| violation.rule == Rule::UnparsableOption).count();
        let all = violations.iter().filter(|violation| violation.rule == Rule::UnparsableOption).count();
        prop_assert_eq!(unreadable, all);
    }

    #[test]
    fn any_text_may_be_a_uri_or_a_period(text in "[a-z0-9:/@\\[\\]%#?. *,L-]{0,30}|.{0,30}") {
        let _ = host_to_resolve(Some(&text), &ArtifactSettings::default());
        if text.parse::<Cron>().is_ok() {
            prop_assert_eq!(excluded_periods::check(&text), Ok(()));
        }
    }
}
