//! S1 to S14.

use api::{FlinkDeploymentSpec, decode};
use serde_json::json;

use super::super::{Rule, Violation, deployment, status_message};
use super::{conf, rules};

const ON: (&str, &str) = ("job.autoscaler.enabled", "true");

fn check(options: &[(&str, &str)]) -> Vec<Violation> {
    let memory = json!({"resource": {"memory": "2g"}});
    let spec: FlinkDeploymentSpec = decode(json!({
        "flinkVersion": "v1_20",
        "serviceAccount": "flink",
        "jobManager": memory,
        "taskManager": memory,
    }))
    .unwrap();
    deployment("name", "namespace", &spec, None, &conf(options))
}

fn out_of_range(key: &str, range: &str) -> String {
    format!("The AutoScalerOption {key} is invalid, it should be a value within the range {range}")
}

#[test]
fn defaults_pass() {
    assert_eq!(check(&[ON]), vec![]);
    assert_eq!(check(&[("kubernetes.operator.job.autoscaler.enabled", "true")]), vec![]);
}

#[test]
fn numbers_in_their_ranges() {
    for (key, good, bad, range) in [
        ("job.autoscaler.scale-down.max-factor", "0", "-0.1", "[0.0, +Infinity]"),
        ("job.autoscaler.scale-up.max-factor", "200000", "-1", "[0.0, +Infinity]"),
        ("job.autoscaler.utilization.target", "1", "1.1", "[0.0, 1.0]"),
        ("job.autoscaler.target.utilization.boundary", "2", "-0.3", "[0.0, +Infinity]"),
        ("job.autoscaler.utilization.max", "0.7", "0.6", "[0.7, 1.0]"),
        ("job.autoscaler.utilization.min", "0.7", "0.8", "[0.0, 0.7]"),
        ("job.autoscaler.memory.gc-pressure.threshold", "0.5", "1.5", "[0.0, 1.0]"),
        ("job.autoscaler.memory.heap-usage.threshold", "0.5", "-1", "[0.0, 1.0]"),
    ] {
        assert_eq!(check(&[ON, (key, good)]), vec![], "{key}");
        let violations = check(&[ON, (key, bad)]);
        assert_eq!(rules(&violations), [Rule::AutoscalerNumber], "{key}");
        assert_eq!(status_message(&violations), Some(out_of_range(key, range).as_str()));
        assert_eq!(check(&[(key, bad)]), vec![], "the autoscaler is off");
    }
}

#[test]
fn numbers_of_features_that_are_off() {
    for (feature, key, bad, range) in [
        (
            "job.autoscaler.observed-scalability.enabled",
            "job.autoscaler.observed-scalability.coefficient-min",
            "0.001",
            "[0.01, 1.0]",
        ),
        (
            "job.autoscaler.scaling.effectiveness.detection.enabled",
            "job.autoscaler.scaling.effectiveness.threshold",
            "2",
            "[0.0, 1.0]",
        ),
        (
            "job.autoscaler.memory.tuning.enabled",
            "job.autoscaler.memory.tuning.overhead",
            "-0.1",
            "[0.0, 1.0]",
        ),
    ] {
        assert_eq!(check(&[ON, (key, bad)]), vec![], "{key}");
        assert_eq!(check(&[ON, (feature, "true"), (key, "0.5")]), vec![], "{key}");
        let violations = check(&[ON, (feature, "true"), (key, bad)]);
        assert_eq!(status_message(&violations), Some(out_of_range(key, range).as_str()));
        let unreadable = check(&[ON, (feature, "yes")]);
        assert_eq!(rules(&unreadable), [Rule::UnparsableOption], "{feature}");
    }
}

#[test]
fn texts_that_are_no_numbers() {
    let key = "job.autoscaler.scale-up.max-factor";
    let violations = check(&[ON, (key, "lots")]);
    assert_eq!(
        status_message(&violations),
        Some(format!("Invalid value in the autoscaler config {key}").as_str())
    );
    // The target bounds other options, so upstream reads it before any rule.
    let target = check(&[ON, ("job.autoscaler.utilization.target", "lots")]);
    assert_eq!(rules(&target), [Rule::UnparsableOption]);
}

#[test]
fn older_spellings() {
    for key in [
        "kubernetes.operator.job.autoscaler.utilization.target",
        "kubernetes.operator.job.autoscaler.target.utilization",
        "job.autoscaler.target.utilization",
    ] {
        let violations = check(&[ON, (key, "2")]);
        let message = out_of_range("job.autoscaler.utilization.target", "[0.0, 1.0]");
        assert_eq!(status_message(&violations), Some(message.as_str()), "{key}");
    }
    let both = [
        ON,
        ("kubernetes.operator.job.autoscaler.target.utilization", "1"),
        ("job.autoscaler.target.utilization", "2"),
    ];
    assert_eq!(check(&both), vec![], "the operator's prefix comes before the deprecated key");
}

#[test]
fn bounds_follow_the_target() {
    let target = ("job.autoscaler.utilization.target", "0.5");
    assert_eq!(check(&[ON, target, ("job.autoscaler.utilization.max", "0.6")]), vec![]);
    let violations = check(&[ON, target, ("job.autoscaler.utilization.min", "0.6")]);
    let message = out_of_range("job.autoscaler.utilization.min", "[0.0, 0.5]");
    assert_eq!(status_message(&violations), Some(message.as_str()));
}

#[test]
fn excluded_periods() {
    let key = "job.autoscaler.excluded.periods";
    for periods in ["9:00-17:00", "9:00-17:00;* * * ? * SAT", "* * 9-11 ? * 2-6 && 9:00-10:30", ""] {
        assert_eq!(check(&[ON, (key, periods)]), vec![], "{periods}");
    }
    for periods in ["never", "9:00-17:00;whenever", "9:00-10:00 && 11:00-12:00"] {
        assert_eq!(rules(&check(&[ON, (key, periods)])), [Rule::AutoscalerExcludedPeriods], "{periods}");
    }
}

#[test]
fn metrics_window() {
    let window = "job.autoscaler.metrics.window";
    let interval = "kubernetes.operator.reconcile.interval";
    let violations = check(&[ON, (window, "10 s"), (interval, "15 s")]);
    assert_eq!(rules(&violations), [Rule::AutoscalerMetricsWindow]);
    assert_eq!(
        status_message(&violations),
        Some(
            "The autoscaler metric window (job.autoscaler.metrics.window=PT10S) must not be smaller than the operator \
             reconcile interval (kubernetes.operator.reconcile.interval=PT15S), otherwise fewer than two metric samples \
             are retained and autoscaling is never applied."
        )
    );
    assert_eq!(check(&[ON, (window, "15 s"), (interval, "15 s")]), vec![]);
    assert_eq!(
        rules(&check(&[ON, (window, "59 s")])),
        [Rule::AutoscalerMetricsWindow],
        "one minute by default"
    );
    let old = "kubernetes.operator.reconciler.reschedule.interval";
    assert_eq!(
        rules(&check(&[ON, (old, "16 min")])),
        [Rule::AutoscalerMetricsWindow],
        "15 minutes by default"
    );
    for key in [window, interval] {
        assert_eq!(rules(&check(&[ON, (key, "soon")])), [Rule::UnparsableOption], "{key}");
    }
}
