//! E1 to E8.

use api::{FlinkDeploymentSpec, FlinkSessionJobSpec, decode};
use serde_json::{Value, json};

use super::super::{
    ArtifactSettings, ResolvedHost, Rule, SessionCluster, Violation, session_job, status_message,
};
use super::{conf, rules, with};

fn job() -> Value {
    json!({"deploymentName": "sessions", "job": {"jarURI": "https://93.184.216.34/a.jar", "parallelism": 1}})
}

fn check_with(
    last: Option<Value>,
    spec: Value,
    cluster: Option<(&str, Value)>,
    options: &[(&str, &str)],
) -> Vec<Violation> {
    let spec_of = |value| decode::<FlinkSessionJobSpec>(value).unwrap();
    let effective = conf(options);
    let cluster = cluster.map(|(name, spec)| (name, decode::<FlinkDeploymentSpec>(spec).unwrap()));
    let cluster = cluster.as_ref().map(|(name, spec)| SessionCluster { name, spec, effective: &effective });
    let last = last.map(spec_of);
    let settings = ArtifactSettings::default();
    session_job(&spec_of(spec), last.as_ref(), cluster, &settings, &ResolvedHost::NotAsked)
}

fn check(over: Value, options: &[(&str, &str)]) -> Vec<Violation> {
    check_with(None, with(job(), over), Some(("sessions", json!({}))), options)
}

#[track_caller]
fn refused(violations: &[Violation], rule: Rule, message: &str) {
    assert_eq!((rules(violations), status_message(violations)), (vec![rule], Some(message)));
}

#[test]
fn plain_jobs_pass() {
    assert_eq!(check(json!({}), &[]), vec![]);
    assert_eq!(check_with(None, job(), None, &[]), vec![]);
    assert_eq!(check(json!({"job": {"jarURI": null}}), &[]), vec![]);
}

#[test]
fn the_cluster_has_a_name() {
    assert_eq!(
        rules(&check_with(None, with(job(), json!({"deploymentName": "A"})), None, &[])),
        [Rule::ClusterName]
    );
    let message = "spec.deploymentName must be defined";
    refused(&check(json!({"deploymentName": null}), &[]), Rule::ClusterName, message);
}

#[test]
fn there_is_a_job() {
    refused(&check(json!({"job": null}), &[]), Rule::JobMissing, "The job spec should not be empty");
}

#[test]
fn the_cluster_stays_the_same() {
    let last = with(job(), json!({"deploymentName": "others"}));
    let moved = check_with(Some(last), job(), None, &[]);
    refused(&moved, Rule::DeploymentNameChange, "spec.deploymentName cannot be changed");
    assert_eq!(check_with(Some(job()), job(), None, &[]), vec![]);
}

#[test]
fn the_jar_may_be_fetched() {
    let message = "jarURI must include a scheme";
    refused(&check(json!({"job": {"jarURI": "/a.jar"}}), &[]), Rule::JarUri, message);
}

/// With each of these Flink's driver would end the JobManager.
#[test]
fn a_python_program_is_named_first() {
    let check = |class: &str, arguments: &Value, version: &str| {
        let spec = with(job(), json!({"job": {"entryClass": class, "jarURI": null, "args": arguments}}));
        rules(&check_with(None, spec, Some(("sessions", json!({"flinkVersion": version}))), &[]))
    };
    let driver = "org.apache.flink.client.python.PythonDriver";
    for arguments in [
        json!(null),
        json!(["-py"]),
        json!(["-py=/job.py"]),
        json!(["/job.py", "argument"]),
        json!(["-", "/job.py"]),
        json!(["-pyclientexec", "/usr/bin/python3", "-py", "/job.py"]),
        json!(["-pyfs", "/library.py", "-py", "/job.py"]),
        json!(["--pyFiles", "/library.py", "--python", "/job.py"]),
    ] {
        assert_eq!(check(driver, &arguments, "v1_20"), [Rule::PythonArguments], "{arguments}");
        assert_eq!(check(driver, &arguments, "v2_0"), [], "{arguments}");
        assert_eq!(check("other.Driver", &arguments, "v1_20"), [], "{arguments}");
    }
    for arguments in [
        json!(["-py", "/job.py"]),
        json!(["-py", "/job.py", "-pyclientexec", "argument"]),
        json!(["-py=/job.py", "argument"]),
        json!(["-pym", "job"]),
        json!(["--python", "/job.py"]),
        json!(["--pyModule=job", "argument"]),
    ] {
        assert_eq!(check(driver, &arguments, "v1_20"), [], "{arguments}");
    }
}

#[test]
fn the_cluster_runs_sessions() {
    let application = json!({"job": {"jarURI": "local:///a.jar"}});
    let violations = check_with(None, job(), Some(("sessions", application)), &[]);
    refused(&violations, Rule::NotASessionCluster, "Can not submit session job to application cluster");
}

#[test]
fn the_cluster_is_the_right_one() {
    let violations = check_with(None, job(), Some(("others", json!({}))), &[]);
    refused(
        &violations,
        Rule::OtherSessionCluster,
        "The session job is for cluster sessions, not for others",
    );
}

#[test]
fn job_rules_need_the_cluster() {
    let narrow = json!({"job": {"parallelism": 0}});
    refused(&check(narrow.clone(), &[]), Rule::Parallelism, "Job parallelism must be larger than 0");
    assert_eq!(check_with(None, with(job(), narrow), None, &[]), vec![]);
    let stateful = json!({"job": {"upgradeMode": "last-state"}});
    assert_eq!(rules(&check(stateful.clone(), &[])), [Rule::CheckpointDirectoryMissing]);
    assert_eq!(check(stateful, &[("state.checkpoints.dir", "s3://c")]), vec![]);
}

#[test]
fn autoscaler_rules_need_the_cluster() {
    let options = [("job.autoscaler.enabled", "true"), ("job.autoscaler.metrics.window", "1 s")];
    assert_eq!(rules(&check(json!({}), &options)), [Rule::AutoscalerMetricsWindow]);
    assert_eq!(check(json!({}), &options[..1]), vec![]);
}

#[test]
fn what_is_not_checked() {
    // A forbidden key and a redeployment without a path are refused for a cluster only.
    let spec = json!({"job": {"savepointRedeployNonce": 1}});
    let options = [("kubernetes.cluster-id", "x")];
    assert_eq!(check_with(Some(job()), with(job(), spec), Some(("sessions", json!({}))), &options), vec![]);
}

#[test]
fn configuration_that_is_no_object() {
    assert_eq!(rules(&check(json!({"flinkConfiguration": ["a"]}), &[])), [Rule::FlinkConfigurationForm]);
}
