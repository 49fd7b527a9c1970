//! D19 and D20: which texts are amounts.
#![allow(clippy::needless_pass_by_value, reason = "rows read better with the values in place")]

use api::{FlinkDeploymentSpec, decode};
use serde_json::{Value, json};

use super::super::{Rule, deployment, status_message};
use super::{conf, rules};

/// Rule and text for a JobManager described like that; memory comes from options.
fn job_manager(fields: Value) -> Option<(Rule, String)> {
    let spec: FlinkDeploymentSpec = decode(json!({
        "flinkVersion": "v1_20",
        "serviceAccount": "flink",
        "jobManager": fields,
    }))
    .unwrap();
    let options = [("jobmanager.memory.process.size", "2g"), ("taskmanager.memory.process.size", "2g")];
    let violations = deployment("name", "namespace", &spec, None, &conf(&options));
    assert!(rules(&violations).len() < 2, "{violations:?}");
    violations.first().map(|violation| violation.rule).zip(status_message(&violations).map(str::to_owned))
}

fn resource(field: &str, text: &str) -> Option<(Rule, String)> {
    job_manager(json!({"resource": { field: text }}))
}

fn requirement(name: &str, amount: Value) -> Option<String> {
    let found = job_manager(json!({"resources": {"limits": { name: amount }}}));
    found.map(|(rule, message)| {
        assert_eq!(rule, Rule::ResourceRequirements);
        message.strip_prefix(&format!("JobManager resource requirements limits {name} ")).unwrap().to_owned()
    })
}

#[test]
fn memory() {
    for text in ["2048m", "2g", "2G", "2048mb", "2 gb", "2048", "2Gi", "2Gib", "1e3", "100K"] {
        assert_eq!(resource("memory", text), None, "{text}");
        assert_eq!(requirement("memory", json!(text)), None, "{text}");
    }
    assert_eq!(resource("memory", "0"), None);
    assert_eq!(requirement("memory", json!("0")), Some("must be positive: 0".to_owned()));
    assert_eq!(requirement("memory", json!(1024)), None);
    for text in ["-1", "abc", "1.5g", "1.5Gi", "", " "] {
        assert!(resource("memory", text).is_some_and(|(rule, _)| rule == Rule::ResourceAmount), "{text}");
        assert!(requirement("memory", json!(text)).unwrap().starts_with("parse error: "), "{text}");
    }
}

#[test]
fn the_text_for_a_foreign_character_is_javas() {
    let java = |c: char| {
        format!(
            "Character {c} is neither a decimal digit number, decimal point, nor \"e\" notation exponential mark."
        )
    };
    let memory = resource("memory", "abc");
    let expected = format!("JobManager resource memory parse error: {}", java('A'));
    assert_eq!(memory, Some((Rule::ResourceAmount, expected)));
    let storage = resource("ephemeralStorage", "5xx");
    let expected = format!("JobManager resource ephemeral storage parse error: {}", java('x'));
    assert_eq!(storage, Some((Rule::ResourceAmount, expected)));
    assert_eq!(requirement("cpu", json!("1x")), Some(format!("parse error: {}", java('x'))));
}

#[test]
fn storage_and_cpu_of_the_deprecated_block() {
    for text in ["5Gi", "-1", "0", "1e3", "0.5", "100m"] {
        assert_eq!(resource("ephemeralStorage", text), None, "{text}");
    }
    for text in ["", "5Gib", "five", "5K"] {
        assert!(resource("ephemeralStorage", text).is_some(), "{text}");
    }
    assert_eq!(job_manager(json!({"resource": {"cpu": -1}})), None);
}

#[test]
fn cpu_and_others() {
    for amount in [json!("0.5"), json!(1), json!("1000m")] {
        assert_eq!(requirement("cpu", amount), None);
    }
    assert_eq!(requirement("cpu", json!("-1")), Some("must be positive: -1".to_owned()));
    assert_eq!(requirement("cpu", json!(0)), Some("must be positive: 0".to_owned()));
    assert_eq!(requirement("ephemeral-storage", json!("0")), None);
    assert_eq!(requirement("nvidia.com/gpu", json!(-1)), Some("must not be negative: -1".to_owned()));
    assert_eq!(requirement("cpu", json!(null)), None);
}

#[test]
fn requests_within_limits() {
    let both = |name: &str, request: &str, limit: &str| {
        job_manager(json!({"resources": {"requests": { name: request }, "limits": { name: limit }}}))
    };
    let above = |name: &str, request: &str, limit: &str| {
        let text = format!(
            "JobManager resource requirements {name} request ({request}) must not exceed its limit ({limit})"
        );
        Some((Rule::ResourceRequirements, text))
    };
    assert_eq!(both("cpu", "1001m", "1"), above("cpu", "1001m", "1"));
    assert_eq!(both("cpu", "1000m", "1"), None);
    // As Flink reads them: 2048 MiB, and 2 GiB.
    assert_eq!(both("memory", "2048m", "2Gi"), None);
    assert_eq!(both("memory", "2049m", "2g"), above("memory", "2049m", "2g"));
    // Left to Kubernetes.
    assert_eq!(both("ephemeral-storage", "2Gi", "1Gi"), None);
    // Reported once, as what it is.
    assert!(both("cpu", "x", "1").is_some_and(|(_, message)| !message.contains("exceed")));
}

#[test]
fn all_errors_of_a_block_are_in_one_text() {
    let found = job_manager(json!({"resources": {
        "requests": {"cpu": "-1", "ephemeral-storage": "-1Gi", "memory": "3g"},
        "limits": {"memory": "2g"},
    }}));
    assert_eq!(
        found.unwrap().1,
        "JobManager resource requirements requests cpu must be positive: -1; \
         JobManager resource requirements requests ephemeral-storage must not be negative: -1Gi; \
         JobManager resource requirements memory request (3g) must not exceed its limit (2g)"
    );
}
